"""Natural mistakes: each is answered in one line that says how the verb is written, or which word belongs where."""

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import typer

from fewscan.cli.app import app
from tests.cli.test_wrong_places import with_folders

Command = Callable[..., CompletedProcess[str]]

# What was given, and what the line names: the way out.
MISTAKES = [
    ("labels undo data 2", ["'2'", "--batch 2"]),
    ("suggest data 20", ["--count 20"]),
    ("label run --target-error 18%", ["'--target-error'", "0.18"]),
    ("label run --candidates 2k", ["'--candidates'", "2000"]),
    ("labels data", ["labels VERB", "undo"]),
    ("labels set data", ["labels set DATASET TABLE"]),
    ("labels export data out.csv", ["'out.csv'", "--out"]),
    ("label scans run", ["label RUN [SCANS]"]),
    ("label --out t.csv scans run", ["label RUN [SCANS]"]),
    ("explain scans/1.png run", ["explain RUN"]),
    ("explain run scans --out taken.png", ["scans", "one scan"]),
    ("stress run --only rotate", ["'rotation'"]),
    ("labels set table.csv data", ["labels set DATASET TABLE"]),
    ("add scans data", ["add DATASET"]),
    ("evaluate data", ["'fewscan train data --out FOLDER'"]),
    ("evaluate run data", ["'data'", "--data"]),
    ("map nowhere", ["dataset or run", "check the path"]),
    ("map scans", ["dataset or run", "'fewscan import scans --out FOLDER'"]),
    ("audit scans", ["'fewscan import scans --out FOLDER'"]),
    ("compare run", ["/where/data"]),
    ("train run", ["/where/data"]),
    ("compare data", ["--out"]),
    ("compare data --methods supervised mixmatch --out new", ["--methods supervised,mixmatch"]),
    (
        "compare data --methods supervised, simclr+probe, mixmatch@finetune --out new epochs=2",
        ["--methods supervised,simclr+probe,mixmatch@finetune"],
    ),
    ("compare data --methods supervised mixmatch,simclr --out new", ["--methods supervised,mixmatch,simclr"]),
    ("compare data --methods supervised mixmatch@a@b --out new", ["'mixmatch@a@b' is not a setting"]),
    ("compare data supervised mixmatch --out new", ["--methods supervised,mixmatch"]),
    ("train data supervised", ["--method supervised"]),
    ("train data --epochs 40", ["epochs=VALUE"]),
    ("train", ["train DATASET"]),
    ("import scans table.csv --out new", ["--labels"]),
    ("split data 400", ["'400'", "--labeled"]),
    ("pixels data s3://bucket/data", ["--to"]),
    ("data", ["fewscan VERB", "import"]),
    ("trian data", ["'train'"]),
]


@pytest.mark.parametrize(("command", "named"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_the_one_line_says_what_to_write(command: str, named: list[str], fewscan: Command, tmp_path: Path) -> None:
    place = with_folders(tmp_path)
    (place / "run" / "run.json").write_text('{"dataset": "/where/data"}')
    (place / "taken.png").touch()
    done = fewscan(*command.split(), cwd=place)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    for what in named:
        assert what in done.stderr


@pytest.mark.parametrize("command", ["evaluate data", "report data", "label data scans"])
def test_a_dataset_in_the_place_of_a_run_is_answered_with_its_runs(command: str, fewscan: Command, tmp_path: Path) -> None:
    place = with_folders(tmp_path)
    for name, dataset in (("data", "data"), ("data-2", "data"), ("other", "elsewhere")):
        (place / "runs" / name).mkdir(parents=True)
        (place / "runs" / name / "run.json").write_text(json.dumps({"dataset": str(place / dataset)}))
    done = fewscan(*command.split(), cwd=place)
    assert done.returncode == 2
    assert {"runs/data", "runs/data-2"} <= set(done.stderr.replace(",", " ").split())
    assert "runs/other" not in done.stderr


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("train data --out run", ["--out run-2,", "remove"]),
        ("import scans --out data", ["--out data-2,", "'fewscan add data scans'"]),
        ("import scans --out scans", ["--out scans-2,"]),
        ("label run --out table.csv", ["--out table-2.csv,"]),
    ],
)
def test_what_stands_already_is_answered_with_a_free_place(
    command: str, named: list[str], fewscan: Command, tmp_path: Path
) -> None:
    done = fewscan(*command.split(), cwd=with_folders(tmp_path))
    assert done.returncode == 2
    for what in named:
        assert what in done.stderr
    assert "--resume" not in done.stderr
    assert ("fewscan add" in done.stderr) == ("--out data" in command)


def verbs(group: Any, *before: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield from verbs(command, *before, name) if hasattr(command, "commands") else [(*before, name)]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("label set mri 'my table.csv' --dry-run", "labels set mri 'my table.csv' --dry-run"),
        ("label suspects runs/x", "labels suspects runs/x"),
        ("set mri table.csv", "labels set mri table.csv"),
        ("labels dissolve mri 1 2", "pairs dissolve mri 1 2"),
    ],
)
def test_a_verb_without_its_group_is_answered_with_the_command_that_was_meant(
    words: str, meant: str, fewscan: Command, tmp_path: Path
) -> None:
    done = fewscan(*shlex.split(words), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"'fewscan {meant}'" in done.stderr


def test_a_folder_that_is_called_as_a_verb_of_a_group_is_that_folder(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for words in (("label", "set"), ("train", "set"), ("train", "undo")):
        said = fewscan(*words, cwd=tmp_path).stderr
        assert f"{words[1]} is not a" in said, said


@pytest.mark.parametrize("verb", list(verbs(typer.main.get_command(app))), ids=" ".join)
def test_every_verb_says_how_it_is_written(verb: tuple[str, ...], fewscan: Command, tmp_path: Path) -> None:
    done = fewscan(*verb, "--no-such-option", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"'fewscan {' '.join(verb)}" in done.stderr


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("compare data --methods supervized,mixmach@fintune --out new", ["'supervised'", "'mixmatch'", "'finetune'"]),
        ("train data encoder=resnet_smal views=scn", ["'resnet_small'", "'scan'"]),
        ("import here there --out new", ["here", "there"]),
    ],
)
def test_mistakes_that_are_known_together_are_told_together(
    command: str, named: list[str], fewscan: Command, tmp_path: Path
) -> None:
    with_folders(tmp_path)
    done = fewscan(*command.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    first, *reasons = done.stderr.strip().splitlines()
    assert first.startswith("error: ")
    assert len(reasons) == len(named)
    for reason, name in zip(reasons, named, strict=True):
        assert name in reason
