"""Kills at random moments and after every change of files: the same command, or the one that is named, ends as undisturbed."""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.faults.forked import Ended, fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.phantoms import write_practice_scans

_SCANS = 160
_FEW_STEPS = ["epochs=2", "--method", "supervised"]
# What is made on the way to something whole.
_NAMES_OF_REST = (".tmp", ".partial")
# Of a manifest: patients are salted anew by each import.
_SALTED = "patient"
# Of a description: what a killed addition entered in the log of labels is taken back, which is an entry, too; and the bytes of
# descriptors, whose file says what it says of itself in any order.
_GROWS: dict[str, bool | set[str]] = {"label_entry": True, "audit": {"copies_described", "slices_described"}}


class Verb(NamedTuple):
    """A command that is killed: which folder of the workshop it starts from, and what its result is.

    `resume`: what is added where the command's line names it as the way on.
    """

    words: list[str]
    begins: str | None
    result: Callable[[Path], object]
    resume: tuple[str, ...] = ()


class Try(NamedTuple):
    """One kill: what came of it, `undisturbed` or what is wrong, and whether the command was still at it."""

    verb: str
    killed: bool
    result: str
    told: str


def make_workshop(folder: Path) -> None:
    """Make what commands are killed at: scans, a dataset at each stage, and a run."""
    folder.mkdir(parents=True)
    write_practice_scans(folder / "scans", images=_SCANS, size_px=32)
    write_practice_scans(folder / "more", images=_SCANS // 4, size_px=32, seed=1)
    (folder / "new").mkdir()
    for number, path in enumerate(sorted((folder / "scans").rglob("*.png"))[::2]):
        shutil.copy(path, folder / "new" / f"{number}.png")
    lines = [f"{path},pituitary" for path in sorted((folder / "scans").rglob("*.png"))[:50]]
    (folder / "table.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    for words in (
        ["import", "scans", "--out", "imported", "--size", "32"],
        ["import", "scans", "--out", "dataset", "--size", "32"],
        ["audit", "dataset"],
        ["split", "dataset", "--labeled", "60", "--test", "30"],
        ["train", "dataset", "--out", "run", *_FEW_STEPS],
    ):
        _done(fewscan(words, folder), words)


VERBS: dict[str, Verb] = {
    "import": Verb(["import", "scans", "--out", "x", "--size", "32"], None, lambda place: _dataset(place / "x")),
    "audit": Verb(["audit", "x"], "imported", lambda place: _dataset(place / "x")),
    "split": Verb(
        ["split", "x", "--labeled", "50", "--test", "20", "--seed", "7", "--overwrite"],
        "dataset",
        lambda place: _dataset(place / "x"),
    ),
    "labels set": Verb(["labels", "set", "x", "table.csv"], "imported", lambda place: _dataset(place / "x")),
    "labels suspects": Verb(
        ["labels", "suspects", "x", "--folds", "2", "--out", "x/suspects.csv"],
        "run",
        lambda place: _digest(place / "x/suspects.csv"),
    ),
    "add": Verb(["add", "x", "more"], "dataset", lambda place: _dataset(place / "x")),
    "train": Verb(
        ["train", "dataset", "--out", "x", "checkpoint_seconds=0", *_FEW_STEPS],
        None,
        lambda place: _run(place / "x"),
        ("--resume",),
    ),
    "evaluate": Verb(["evaluate", "x"], "run", lambda place: _digest(place / "x/test_predictions.csv")),
    "stress": Verb(["stress", "x", "--only", "inversion,rotation"], "run", lambda place: _digest(place / "x/stress.csv")),
    "report": Verb(["report", "x"], "run", lambda place: _whole_page(place / "x/report.html")),
    "explain": Verb(["explain", "run", "new/0.png", "--out", "x.png"], None, lambda place: _digest(place / "x.png")),
    "export": Verb(
        ["export", "run", "--format", "safetensors", "--out", "x"], None, lambda place: _digest(place / "x/model.safetensors")
    ),
    "label": Verb(["label", "run", "new", "--out", "x.csv"], None, lambda place: _digest(place / "x.csv")),
    "embed": Verb(
        ["embed", "x", "--encoder", "run"],
        "dataset",
        lambda place: [_digest(path) for path in sorted((place / "x/features").glob("*.npy"))],
    ),
    "suggest": Verb(["suggest", "run", "--count", "10", "--out", "x.csv"], None, lambda place: _digest(place / "x.csv")),
    "map": Verb(["map", "run", "--out", "x.html"], None, lambda place: _digest(place / "x.csv")),
    "calibrate": Verb(
        ["calibrate", "x", "--folds", "2"],
        "run",
        lambda place: json.loads((place / "x/calibration.json").read_text())["temperature"],
    ),
    "compare": Verb(
        ["compare", "dataset", "--methods", "supervised", "--seeds", "0", "--protocol", "leakfree", "--out", "x", "epochs=2"],
        None,
        lambda place: [_run(path.parent) for path in sorted((place / "x").rglob("model.safetensors"))],
    ),
}


def kills(workshop: Path, verb: str, at_random: int, at_changes: int, seed: int) -> Iterator[Try]:
    """Kill one verb at so many random moments, and after so many of its changes of files, evenly spread, and yield each try."""
    chance = random.Random(f"{seed} {verb}")
    asked = VERBS[verb]
    _clean(workshop, asked)
    reference = _done(fewscan(asked.words, workshop), asked.words)
    expected = asked.result(workshop)
    usual = _names(workshop)
    for _ in range(at_random):
        moment = chance.uniform(0.05, 1.0) * reference.seconds
        _clean(workshop, asked)
        yield _tried(workshop, verb, fewscan(asked.words, workshop, kill_after=moment), expected, usual)
    for change in _spread(reference.changes, at_changes):
        _clean(workshop, asked)
        yield _tried(workshop, verb, fewscan(asked.words, workshop, kill_at_change=change), expected, usual)


def counted(tries: Iterator[Try]) -> dict[str, Counter[str]]:
    """Count what came of kills, by verb; print what is wrong."""
    counts: dict[str, Counter[str]] = {}
    for one in tries:
        of_verb = counts.setdefault(one.verb, Counter())
        of_verb["tries"] += 1
        of_verb["killed"] += one.killed
        of_verb["as undisturbed"] += one.result == "undisturbed"
        if one.result != "undisturbed":
            print(f"FAULT {one.verb}: {one.result}: {one.told}")
    return counts


def _tried(workshop: Path, verb: str, first: Ended, expected: object, usual: set[str]) -> Try:
    asked = VERBS[verb]
    killed = first.code < 0
    if first.left_running:
        return Try(verb, killed, f"{first.left_running} processes stayed", first.last_line)
    again = fewscan(asked.words, workshop) if killed else first
    if again.code and asked.resume and asked.resume[0] in again.last_line:
        again = fewscan([*asked.words[:4], *asked.resume], workshop)
    finished = again.code == 2 and ("--overwrite" in again.last_line or "exists" in again.last_line)
    if again.code and not finished:
        return Try(verb, killed, f"the same command ends with {again.code}", again.last_line)
    if "Traceback" in first.said + again.said:
        return Try(verb, killed, "a traceback", again.last_line)
    found = _found(asked, workshop)
    if finished and found is None and "--overwrite" in again.last_line:
        # One of two results was there: the line names how both come to be.
        again = fewscan([*asked.words, "--overwrite"], workshop)
        found = _found(asked, workshop)
    if found != expected:
        return Try(verb, killed, "another result", f"{found} instead of {expected}")
    if rest := _names(workshop) - usual:
        return Try(verb, killed, "something is left", ", ".join(sorted(rest)[:3]))
    return Try(verb, killed, "undisturbed", again.last_line)


def _found(asked: Verb, workshop: Path) -> object:
    """Return a verb's result, None where it is not there."""
    try:
        return asked.result(workshop)
    except FileNotFoundError:
        return None


def _clean(workshop: Path, asked: Verb) -> None:
    for left in (*workshop.glob("x*"), *workshop.glob(".x*")):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if asked.begins is not None:
        shutil.copytree(workshop / asked.begins, workshop / "x")


def _spread(most: int, wanted: int) -> list[int]:
    return (
        sorted({1 + round(position * (most - 1) / max(1, wanted - 1)) for position in range(min(wanted, most))}) if most else []
    )


def _names(workshop: Path) -> set[str]:
    return {str(path.relative_to(workshop)) for path in workshop.rglob("*") if path.name.endswith(_NAMES_OF_REST)} | {
        path.name for path in workshop.iterdir()
    }


def _dataset(folder: Path) -> object:
    dataset = Dataset.open(folder)
    now = dataset.snapshot()
    said = now.manifest.drop(columns=_SALTED).to_csv() + now.description.model_dump_json(exclude=_GROWS)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("."))
    return hashlib.sha256(said.encode()).hexdigest(), hashlib.sha256(np.asarray(dataset.pixels).tobytes()).hexdigest(), names


def _run(folder: Path) -> object:
    return _digest(folder / "model.safetensors"), len((folder / "metrics.jsonl").read_text().splitlines())


def _whole_page(path: Path) -> bool:
    return path.read_text().rstrip().endswith("</html>")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _done(ended: Ended, words: list[str]) -> Ended:
    if ended.code:
        raise RuntimeError(f"fewscan {' '.join(words)}: {ended.said}")
    return ended
