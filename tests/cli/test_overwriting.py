"""No verb replaces what exists unless told to, and then it says what that costs; none works for what it cannot write."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import typer

from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import MODEL_FILE
from fewscan.locks import LOCK_FILE
from fewscan.training.run import Run

Command = Callable[..., CompletedProcess[str]]

# By what each verb would replace; `run` and `data` are what the test makes, `scan` is one of its scans.
REPLACING = {
    "import": (["import", "scans", "--out", "data"], "data"),
    "audit": (["audit", "data"], "data/audit.json"),
    "split": (["split", "data", "--labeled", "16", "--test", "16"], "data/dataset.json"),
    "labels export": (["labels", "export", "data", "--out", "table.csv"], "table.csv"),
    "labels suspects": (["labels", "suspects", "run", "--out", "suspects.csv"], "suspects.csv"),
    "embed": (["embed", "scans", "--encoder", "resnet_small", "--out", "features.parquet"], "features.parquet"),
    "suggest": (["suggest", "data", "--out", "suggested.csv"], "suggested.csv"),
    "map": (["map", "data", "--out", "map.html"], "map.html"),
    "train": (["train", "data", "--out", "run"], "run"),
    "calibrate": (["calibrate", "run", "--folds", "2"], "run/calibration.json"),
    "evaluate": (["evaluate", "run"], "run/evaluation.json"),
    "evaluate --on": (["evaluate", "run", "--on", "data"], "run/evaluation-data.json"),
    "stress": (["stress", "run"], "run/stress.json"),
    "label": (["label", "run", "--out", "labels.csv"], "labels.csv"),
    "check": (["check", "table.csv", "--out", "checked.csv"], "checked.csv"),
    "explain": (["explain", "run", "scans/0.png", "--out", "map.png"], "map.png"),
    "explain --check": (["explain", "run", "--check"], "run/evidence.json"),
    "report": (["report", "run"], "run/report.html"),
    "report --out": (["report", "run", "--out", "page.html"], "page.html"),
    "export": (["export", "run", "--format", "safetensors", "--out", "export"], "export"),
    "compare": (["compare", "data", "--out", "elsewhere"], "elsewhere"),
    "study": (["study", "data", "--out", "elsewhere"], "elsewhere"),
    "upgrade": (["upgrade", "data", "elsewhere"], "elsewhere"),
    "demo": (["demo", "--out", "elsewhere"], "elsewhere"),
}
OVERWRITES = {
    "audit",
    "split",
    "embed",
    "label",
    "labels export",
    "labels suspects",
    "suggest",
    "map",
    "evaluate",
    "evaluate --on",
    "stress",
    "check",
    "explain",
    "explain --check",
    "report",
    "report --out",
}


def test_every_verb_that_writes_is_tried() -> None:
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    # `add` puts scans behind those that are there, `review` labels behind labels, `pairs` judgments behind judgments; where
    # `pixels` puts a copy, other pixels are never replaced (tests/datasets/test_moving_pixels.py).
    verbs -= {"methods", "encoders", "verify", "add", "review", "pairs", "pixels"}
    assert {name.split()[0] for name in REPLACING} == verbs


@pytest.fixture
def workplace(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path) -> Path:
    """A folder with a dataset `data`, a run `run` on it, and something at every place where a verb writes."""
    place = tmp_path / "place"
    shutil.copytree(split_dataset.folder, place / "data")
    shutil.move(untrained_run(Dataset.open(place / "data").snapshot()).folder, place / "run")
    for _, name in REPLACING.values():
        path = place / name
        if path.suffix and not path.exists():
            path.write_text("mine")
        elif not path.suffix:
            path.mkdir(exist_ok=True)
    (place / "scans").mkdir()
    (place / "scans" / "0.png").touch()
    return place


def contents(folder: Path) -> dict[str, bytes]:
    """All files, but for the locks: they say who was there last, and hold nothing of anyone's."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_FILE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REPLACING))
def test_what_exists_is_refused_in_one_line_and_stays_as_it_is(name: str, fewscan: Command, workplace: Path) -> None:
    before = contents(workplace)
    done = fewscan(*REPLACING[name][0], cwd=workplace)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    # Which dataset a score on another one is of stands in what exists: here that is no score.
    assert any(said in line for said in ("already", "exists", "is damaged"))
    assert ("--overwrite" in line) == (name in OVERWRITES | {"calibrate"})
    assert contents(workplace) == before


# Options that no verb can do anything with, each with what is wrong.
CANNOT_BE = [
    ("train", ["lr=0.01"], "lr"),
    ("train", ["--method", "joint", "method.temperatur=1"], "temperatur"),
    ("explain", ["--class", "gliom"], "gliom"),
    ("label", ["--target-error", "2"], "--target-error"),
    ("label", ["--coverage", "2"], "--coverage"),
    ("label", ["--devices", "0"], "--devices"),
    ("calibrate", ["--folds", "1"], "--folds"),
    ("labels suspects", ["--folds", "1"], "--folds"),
    ("split", ["--validation", "5"], "--validation"),
    ("audit", ["--similarity", "3"], "--similarity"),
    ("check", ["--at-most", "3"], "share"),
    ("stress", ["--target-error", "3"], "--target-error"),
    ("stress", ["--images", "0"], "--images"),
    ("import", ["--window", "3"], "window"),
    ("embed", ["encoder.width=0"], "width"),
    ("suggest", ["--split", "nowhere"], "nowhere"),
    ("map", ["--split", "nowhere"], "nowhere"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "wrong"), CANNOT_BE)
def test_what_is_wrong_with_options_is_said_before_what_stands_where_a_verb_would_write(
    name: str, options: list[str], wrong: str, fewscan: Command, workplace: Path
) -> None:
    before = contents(workplace)
    done = fewscan(*REPLACING[name][0], *options, cwd=workplace)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert wrong in line
    assert not {"exists", "already"} & {*re.findall(r"[a-z]+", line)}
    assert contents(workplace) == before


# What asks for a trained run; `report` is of an unfinished one, too.
OF_A_RUN = {
    **{
        name: words
        for name, (words, _) in REPLACING.items()
        if "run" in words and name not in ("train", "report", "report --out")
    },
    "suggest": ["suggest", "run", "--out", "suggested.csv"],
    "map": ["map", "run", "--out", "map.html"],
}


@pytest.mark.parametrize("name", list(OF_A_RUN))
def test_what_a_run_lacks_is_said_before_what_stands_where_it_would_write(name: str, fewscan: Command, workplace: Path) -> None:
    (workplace / "run" / MODEL_FILE).unlink()
    before = contents(workplace)
    unfinished = fewscan(*OF_A_RUN[name], cwd=workplace)
    assert f"'fewscan train {workplace / 'data'} --out run --resume'" in unfinished.stderr
    nowhere = fewscan(*("nowhere" if word == "run" else word for word in OF_A_RUN[name]), cwd=workplace)
    assert "nowhere" in nowhere.stderr
    for refused in (unfinished, nowhere):
        assert refused.returncode == 2
        assert "--overwrite" not in refused.stderr
    assert contents(workplace) == before


# What a verb reads, it does not replace, whatever it is told.
READ = {
    "labels export": (["labels", "export", "data", "--out", "data/labels.db"], "data/labels.db"),
    "labels export by a link": (["labels", "export", "data", "--out", "linked/images/pixels.raw"], "data/images/pixels.raw"),
    "labels suspects": (["labels", "suspects", "run", "--out", "run/held_out.csv"], "run/held_out.csv"),
    "labels suspects, its page": (["labels", "suspects", "run", "--out", "data/audit.csv"], "data/audit.html"),
    "suggest": (["suggest", "data", "--out", "data/own.csv"], "data/own.csv"),
    "suggest of a run": (["suggest", "run", "--out", "data/own.csv"], "data/own.csv"),
    "map": (["map", "data", "--out", "data/audit.html"], "data/audit.html"),
    "map of a run, its table": (["map", "run", "--out", "run/held_out.html"], "run/held_out.csv"),
    "embed": (["embed", "data", "--encoder", "resnet_small", "--out", "data/own.parquet"], "data/own.parquet"),
    "label": (["label", "run", "--out", "data/own.csv"], "data/own.csv"),
    "label of new scans": (["label", "run", "scans", "--out", "run/held_out.csv"], "run/held_out.csv"),
    "check": (["check", "table.csv", "--out", "table.csv"], "table.csv"),
    "explain": (["explain", "run", "scans/0.png", "--out", "scans/0.png"], "scans/0.png"),
    "explain over the run": (["explain", "run", "scans/0.png", "--out", "run/model.safetensors"], "run/model.safetensors"),
    "report": (["report", "run", "--out", "data/dataset.json"], "data/dataset.json"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(READ))
def test_what_a_verb_reads_is_not_replaced_by_what_it_writes(name: str, fewscan: Command, workplace: Path) -> None:
    words, path = READ[name]
    (workplace / "linked").symlink_to(workplace / "data", target_is_directory=True)
    for own in ("run/held_out.csv", "data/audit.html", "data/own.csv", "data/own.parquet"):
        (workplace / own).write_text("its own")
    before = contents(workplace)
    assert path in before
    done = fewscan(*words, "--overwrite", cwd=workplace)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--out" in done.stderr.strip().splitlines()[-1]
    assert contents(workplace) == before


@pytest.mark.parametrize("place", ["table.csv", "data/own/table.csv", "run/page/table.csv"])
def test_what_a_verb_wrote_before_is_replaced_also_in_a_folder_below(place: str, fewscan: Command, workplace: Path) -> None:
    (workplace / place).parent.mkdir(exist_ok=True)
    (workplace / place).write_text("before")
    done = fewscan("labels", "export", "data", "--out", place, "--overwrite", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert (workplace / place).read_text() != "before"


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network is asked anything, no scan is listed and no copy looked for."""

    def working(*_: object, **__: object) -> None:
        raise AssertionError("the verb worked")

    for where in ("torch.nn.Module.__call__", "fewscan.datasets.importing.list_scans", "fewscan.auditing.audit.find_pairs"):
        monkeypatch.setattr(where, working)


OUT = {name: (words, path) for name, (words, path) in REPLACING.items() if path in words and name != "upgrade"}
INSIDE = {name: (words, path) for name, (words, path) in REPLACING.items() if "/" in path}
INSIDE |= {"add": (["add", "data", "scans"], "data/images")}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", list(OUT))
def test_a_place_that_cannot_be_written_is_refused_before_any_work(name: str, fewscan: Command, workplace: Path) -> None:
    words, path = OUT[name]
    before = contents(workplace)
    done = fewscan(*(f"run/config.yaml/deep/{path}" if word == path else word for word in words), cwd=workplace)
    assert (done.returncode, done.stdout) == (2, "")
    assert "config.yaml" in done.stderr.strip().splitlines()[-1]
    assert contents(workplace) == before


@pytest.mark.usefixtures("no_work", "rights_count")
@pytest.mark.parametrize("name", list(INSIDE))
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(name: str, fewscan: Command, workplace: Path) -> None:
    words, path = INSIDE[name]
    folder = workplace / Path(path).parent
    (folder / LOCK_FILE).touch()  # of a process that could write
    folder.chmod(0o555)
    done = fewscan(*words, *(["--overwrite"] if name in OVERWRITES | {"calibrate"} else []), cwd=workplace)
    folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write" in done.stderr.strip().splitlines()[-1]


def test_a_folder_that_is_not_there_is_made_for_what_is_written(fewscan: Command, workplace: Path) -> None:
    done = fewscan("labels", "export", "data", "--out", "new/deep/table.csv", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert (workplace / "new" / "deep" / "table.csv").is_file()


@pytest.fixture
def read_only(workplace: Path, rights_count: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workplace, its dataset and all in it without the right to write."""
    # Asked whether it may write, root says by what it could have, not by what `rights_count` left it.
    monkeypatch.setattr(os, "access", partial(os.access, effective_ids=True))
    below = [workplace / "data", *(workplace / "data").rglob("*")]
    rights = {path: path.stat().st_mode for path in below}
    for path, mode in rights.items():
        path.chmod(mode & ~0o222)
    yield workplace
    for path, mode in rights.items():
        path.chmod(mode)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "words",
    [
        ["train", "data", "--out", "new"],
        ["train", "data", "--out", "new", "--unlabeled-first", "--method", "propagation"],
        ["compare", "data", "--out", "new", "--methods", "supervised"],
        ["compare", "data", "--out", "new", "--methods", "supervised", "--labels-budget", "16,8"],
        ["calibrate", "run", "--folds", "2", "--overwrite"],
        ["evaluate", "run", "--overwrite"],
        ["stress", "run", "--stored", "--overwrite"],
        ["explain", "run", "--check", "--overwrite"],
        ["audit", "data", "--overwrite"],
        ["review", "data", "--port", "0"],
    ],
    ids=" ".join,
)
def test_what_is_noted_in_a_dataset_that_cannot_be_written_is_refused_at_once_with_what_helps(
    words: list[str], fewscan: Command, read_only: Path
) -> None:
    done = fewscan(*words, cwd=read_only)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'cp -r {'data' if 'data' in words else read_only / 'data'} COPY" in done.stderr.strip().splitlines()[-1]
    assert not (read_only / "new").exists()


@pytest.mark.usefixtures("rights_count")
def test_a_run_that_cannot_be_written_is_said_to_be_copied_where_the_test_set_is_opened_for_what_is_elsewhere(
    workplace: Path,
) -> None:
    run, dataset = Run.open(workplace / "run"), Dataset.open(workplace / "data").snapshot()
    run.folder.chmod(0o555)
    with pytest.raises(FewscanError, match=r"its test set: copy it, 'cp -r .*run COPY .*the copy"):
        run.require_openings(dataset)
    run.folder.chmod(0o755)


def test_a_copy_of_a_dataset_that_cannot_be_written_can_be_learned_from(fewscan: Command, read_only: Path) -> None:
    subprocess.run("cp -r data COPY && chmod -R u+w COPY", shell=True, check=True, cwd=read_only)
    words = ["--out", "new", "--method", "supervised", "epochs=1", "device=cpu"]
    assert fewscan("train", "COPY", *words, cwd=read_only).returncode == 0


def test_what_need_not_write_into_a_dataset_works_where_it_cannot_be_written(fewscan: Command, read_only: Path) -> None:
    before = contents(read_only / "data")
    for words in (
        ["labels", "export", "data", "--out", "new.csv"],
        ["embed", "data", "--encoder", "resnet_small", "--out", "new.parquet"],
        ["map", "data", "--encoder", "resnet_small", "--out", "drawn.html"],
        ["verify", "data"],
    ):
        done = fewscan(*words, cwd=read_only)
        assert done.returncode == 0, done.stderr
    assert contents(read_only / "data") == before
