"""`fewscan labels`: what each verb says, to people and to programs, and that a kill leaves the log whole."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import typer

from benchmarks.faults import forked
from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def place(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> Path:
    """A folder with a dataset `data` of eight images, and `table.csv`, which changes the first two."""
    shutil.copytree(make_dataset(images=8).folder, tmp_path / "data")
    (tmp_path / "table.csv").write_text("path,label\n0000.png,pituitary\n0001.png,unsure\n0002.png,no_tumor\nnowhere.png,x\n")
    return tmp_path


def told(done: CompletedProcess[str]) -> dict:
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def words_of_next(done: CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].removeprefix("next: fewscan ").split()


@pytest.mark.slow
def test_the_next_command_of_a_dry_run_does_what_it_showed(fewscan: Command, place: Path) -> None:
    dry = fewscan("labels", "set", "data", "table.csv", "--who", "Ada", "--dry-run", cwd=place)
    assert "glioma -> pituitary: 1" in dry.stdout
    assert "for Ada: 1 scan" in dry.stdout
    assert "nowhere.png" in dry.stdout
    assert Dataset.open(place / "data").labels.last == 8
    wet = fewscan(*words_of_next(dry), cwd=place)
    assert "batch 2" in wet.stdout
    assert Dataset.open(place / "data").labels.last == 10


@pytest.mark.slow
def test_a_class_that_is_probably_a_slip_is_told_with_a_command_that_takes_it_back(fewscan: Command, place: Path) -> None:
    (place / "slip.csv").write_text("path,label\n0000.png,gliomma\n")
    dry = fewscan("labels", "set", "data", "slip.csv", "--dry-run", cwd=place)
    wet = fewscan("labels", "set", "data", "slip.csv", cwd=place)
    for done in (dry, wet):
        (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning:")]
        assert "'gliomma'" in warning
        assert "'glioma'" in warning
    (command,) = [part for part in warning.split("'") if part.startswith("fewscan ")]
    assert fewscan(*command.split()[1:], cwd=place).returncode == 0
    assert "gliomma" not in Dataset.open(place / "data").labels.current(8)["label"].tolist()


@pytest.mark.slow
def test_a_class_that_may_say_that_nobody_knows_is_told_with_what_takes_it_out(fewscan: Command, place: Path) -> None:
    (place / "more.csv").write_text("path,label\n0000.png,k.A.\n0001.png,NA\n0002.png,?\n0003.png,pituitary\n0004.png,unsure\n")
    words = ("labels", "set", "data", "more.csv")
    for done in (fewscan(*words, "--dry-run", cwd=place), fewscan(*words, cwd=place)):
        (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning:")]
        (option,) = [each for each in warning.replace(",", "").split() if each.startswith("--no-label=")]
    (undo,) = [part for part in warning.split("'") if part.startswith("fewscan ")]
    assert fewscan(*undo.split()[1:], cwd=place).returncode == 0
    before = Dataset.open(place / "data").labels.current(8)["label"].tolist()
    assert told(fewscan(*words, option, "--json", cwd=place))["unknown"] == []
    after = Dataset.open(place / "data").labels.current(8)["label"].fillna("").tolist()
    assert after == [*before[:3], "pituitary", "", *before[5:]]


@pytest.mark.slow
def test_every_verb_in_json(fewscan: Command, place: Path) -> None:
    done = told(fewscan("labels", "set", "data", "table.csv", "--who", "Ada", "--json", cwd=place))
    assert {name: done[name] for name in ("batch", "changed", "unchanged", "missing", "disputed")} == {
        **{"batch": 2, "changed": 2, "unchanged": 1, "missing": 1, "disputed": 0}
    }
    done = told(fewscan("labels", "history", "data", "0001.png", "--json", cwd=place))
    assert [(entry["state"], entry["who"]) for entry in done["entries"]] == [("label", None), ("unsure", "Ada")]
    done = told(fewscan("labels", "export", "data", "--json", cwd=place))
    assert done == {"out": "labels.csv", "scans": 8, "labeled": 7}
    done = told(fewscan("labels", "undo", "data", "--json", cwd=place))
    changes = done.pop("changes")
    assert done == {"batch": 3, "entries": 2, "rows": [0, 1]}
    holds = Dataset.open(place / "data").labels.current(8)["label"]
    assert sorted((change["after"], change["scans"], change["examples"][0][-8:]) for change in changes) == sorted(
        [(holds[0], 1, "0000.png"), (holds[1], 1, "0001.png")]
    )
    again = fewscan("labels", "undo", "data", cwd=place).stdout
    assert all(f"{change['after']} -> {change['before']}: 1" in again for change in changes), "what changes is told, both ways"
    fewscan("labels", "undo", "data", cwd=place)
    done = told(fewscan("labels", "history", "data", "--json", cwd=place))
    assert [(batch["entries"], batch["undone"]) for batch in done["batches"]] == [(8, 0), (2, 2), (2, 0), (2, 2), (2, 0)]
    assert "taking back batch 2" in fewscan("labels", "history", "data", cwd=place).stdout
    assert told(fewscan("labels", "conflicts", "data", "--json", cwd=place)) == {"people": [], "copies": []}


@pytest.mark.slow
def test_the_history_has_one_line_for_what_was_said_on_the_page_in_a_row_and_leaves_out_what_the_page_noted(
    fewscan: Command, place: Path
) -> None:
    log = Dataset.open(place / "data").labels
    for row in range(3):
        log.enter(np.array([row]), ["glioma"], origin="review", who="Ada", note='{"reading": "first", "model": ["no_tumor"]}')
    log.enter(np.array([3]), ["glioma"], origin="review", who="Grace", note="by phone")
    batches = fewscan("labels", "history", "data", cwd=place).stdout.splitlines()[1:-1]
    assert ["batches 2 to 4" in batches[0], "3 entries" in batches[0], "'by phone'" in batches[1]] == [True] * 3
    assert not any("model" in line for line in batches)
    assert "model" not in fewscan("labels", "history", "data", "0000.png", cwd=place).stdout
    assert len(told(fewscan("labels", "history", "data", "--json", cwd=place))["batches"]) == 5


@pytest.mark.slow
def test_what_is_disputed_is_said_and_leads_to_who_says_what(fewscan: Command, place: Path) -> None:
    assert fewscan("labels", "set", "data", "table.csv", "--who", "Ada", cwd=place).returncode == 0
    (place / "table.csv").write_text("path,label\n0000.png,no_tumor\n")
    done = fewscan("labels", "set", "data", "table.csv", "--who", "Grace", cwd=place)
    assert words_of_next(done) == ["labels", "conflicts", "data"]
    shown = fewscan("labels", "conflicts", "data", cwd=place)
    assert "Ada: pituitary; Grace: no_tumor" in shown.stdout
    assert words_of_next(shown) == ["labels", "export", "data"]
    settled = fewscan("labels", "set", "data", "table.csv", "--who", "Grace", "--settle", cwd=place)
    assert words_of_next(settled)[0] == "split"


@pytest.mark.slow
def test_rows_that_contradict_each_other_lead_to_what_each_says(fewscan: Command, place: Path) -> None:
    (place / "table.csv").write_text("path,label\n0000.png,no_tumor\n0000.png,pituitary\n")
    done = fewscan("labels", "set", "data", "table.csv", cwd=place)
    assert words_of_next(done) == ["labels", "conflicts", "data"]
    assert "table.csv: no_tumor; table.csv: pituitary" in fewscan("labels", "conflicts", "data", cwd=place).stdout
    assert fewscan("labels", "undo", "data", cwd=place).returncode == 0
    assert "1 scan" not in fewscan("labels", "conflicts", "data", cwd=place).stdout


def test_without_a_verb_there_is_help_and_a_word_for_each(fewscan: Command) -> None:
    done = fewscan("labels")
    assert (done.returncode, done.stdout) == (2, "")
    verbs = typer.main.get_command(app).commands["labels"].commands  # type: ignore[attr-defined]
    for name, verb in verbs.items():
        assert name in done.stderr
        assert [parameter.name for parameter in verb.params if not getattr(parameter, "help", None)] == []
    assert "..." not in done.stderr.split("Commands:")[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["set", "data", "nowhere.csv"],
        ["set", "data", "other.csv"],
        ["set", "nowhere", "table.csv"],
        ["undo", "data", "--batch", "7"],
        ["history", "data", "nowhere.png"],
        ["set", "data", "table.csv", "--rename", "x"],
    ],
)
def test_what_was_asked_wrongly_is_one_line(fewscan: Command, place: Path, words: list[str]) -> None:
    (place / "other.csv").write_text("path,label\nnowhere.png,x\n")
    done = fewscan("labels", *words, cwd=place)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
    assert Dataset.open(place / "data").labels.last == 8


@pytest.mark.slow  # a dozen commands
def test_a_set_that_is_killed_at_any_moment_entered_all_or_nothing(place: Path) -> None:
    (place / "table.csv").write_text("path,label\n" + "".join(f"{row:04}.png,of kill\n" for row in range(8)))
    whole = forked.fewscan(["labels", "set", "data", "table.csv"], place)
    assert whole.code == 0
    draw = random.Random(0)
    kills = 10
    log = Dataset.open(place / "data").labels
    log.undo()
    for kill in range(kills):
        before = log.last
        # One in each tenth of the time that the whole took.
        moment = whole.seconds * (kill + draw.random()) / kills
        ended = forked.fewscan(["labels", "set", "data", "table.csv"], place, kill_after=moment)
        log.verify()
        assert log.last in (before, before + 8)
        assert ended.code in (0, -9)
        if log.last > before:
            assert (log.current(8)["label"] == "of kill").all()
            log.undo()


def test_rows_that_name_a_scan_again_are_told_in_one_line(fewscan: Command, place: Path) -> None:
    (place / "table.csv").write_text("path,label\n0000.png,glioma\n0000.png,glioma\n0001.png,glioma\n0001.png,pituitary\n")
    lines = [
        line for line in fewscan("labels", "set", "data", "table.csv", cwd=place).stdout.splitlines() if "--several" in line
    ]
    (line,) = lines
    assert "4 of 4 rows" in line
    assert "--several" in line
    numbers = told(fewscan("labels", "set", "data", "table.csv", "--dry-run", "--json", cwd=place))
    assert (numbers["repeated_rows"], numbers["agreeing"], numbers["differing"]) == (4, 1, 1)
