"""The folders that fewscan writes, each known by one file, and how a folder of another kind is refused."""

from collections.abc import Sequence, Set
from pathlib import Path
from typing import Literal

from fewscan.atomic import require_place
from fewscan.config import json_object
from fewscan.errors import FewscanError
from fewscan.locks import refuse_held
from fewscan.partial import refuse_finished
from fewscan.wording import command_line, listed

Kind = Literal["dataset", "run", "comparison"]

# The file that makes a folder one of its kind.
MARKS: dict[Kind, str] = {"dataset": "dataset.json", "run": "run.json", "comparison": "plan.json"}
# By these files what fewscan wrote is told from others' folders, in the midst of scans: nnU-Net has a dataset.json, too.
_WRITTEN: dict[Kind, frozenset[str]] = {
    "dataset": frozenset([MARKS["dataset"], "labels.db"]),
    "run": frozenset([MARKS["run"], "config.yaml"]),
}
# Where runs are made that are given no other place.
RUNS = Path("runs")
# By this file a run is finished.
MODEL_FILE = "model.safetensors"
_RUNS_SHOWN = 3
# The page about a run.
REPORT_FILE = "report.html"
# What is to be given beside a run where its own dataset is none to give.
OTHER_DATASET = "give another dataset than the run's own, with labels"
# What a run knows of its dataset as it was.
SNAPSHOT_FILE = "snapshot.parquet"
MADE_BY: dict[Kind, tuple[str, str]] = {
    "dataset": ("import", "SOURCE"),
    "run": ("train", "DATASET"),
    "comparison": ("compare", "DATASET"),
}


def default_run(dataset: Path) -> Path:
    """Return the run folder of a training that names none."""
    return RUNS / dataset.resolve().name


def kind_of(folder: Path) -> Kind | None:
    """Return what a folder of fewscan's is; None where it is none."""
    return next((kind for kind, mark in MARKS.items() if (folder / mark).is_file()), None)


def kind_written(names: Set[str]) -> Kind | None:
    """Return whether a folder with files of these names is a dataset or a run of fewscan's; None where it is surely neither."""
    return next((kind for kind, files in _WRITTEN.items() if files <= names), None)


def require_kind(folder: Path, kinds: Sequence[Kind] = tuple(MARKS), instead: str | None = None) -> Kind:
    """Return which of `kinds` a folder of fewscan's is; raises FewscanError, with what to do next, where it is none of them.

    instead: what to do where one kind belongs here and the folder is of another; None for what is usual.
    """
    found = kind_of(folder)
    if found is not None and found in kinds:
        return found
    if len(kinds) == 1:
        require_file(folder, MARKS[kinds[0]], kinds[0], instead)
    if found is not None:
        why = f"it is a {found}"
    elif not folder.exists():
        why = "no such folder; check the path"
    else:
        why = f"it contains none of {', '.join(MARKS[kind] for kind in kinds)}"
        if folder.is_dir():
            why += f"; to make a dataset from scans, run '{command_line(MADE_BY['dataset'][0], folder, '--out', 'FOLDER')}'"
    raise FewscanError(f"{folder} is not a fewscan {', '.join(kinds[:-1])} or {kinds[-1]}: {why}")


def is_unfinished(folder: Path) -> bool:
    """Return whether a folder is of a run that is not trained to its end."""
    return kind_of(folder) == "run" and not (folder / MODEL_FILE).is_file()


def require_file(folder: Path, name: str, kind: Kind, instead: str | None = None) -> None:
    """Raise FewscanError where the folder lacks the file `name`, without which it is none of its kind.

    instead: what to do where it is of another kind; None for what is usual.
    """
    if (folder / name).is_file():
        return
    found = kind_of(folder)
    if not folder.exists():
        why = "no such folder"
    elif found is None or found == kind:
        why = f"no {name}"
    else:
        why = f"it is a {found}"
    out = "FOLDER" if folder.exists() else folder
    verb, of = MADE_BY[kind]
    # What stands there may be what one is made of: scans, or a dataset.
    made_of = folder if (kind, found) == ("run", "dataset") or (kind == "dataset" and not found and folder.is_dir()) else of
    advice = f"check the path, or make one with '{command_line(verb, made_of, '--out', out)}'"
    if (kind, found) == ("run", "dataset") and (runs := runs_of(folder)):
        advice = f"give a run on it: {listed(list(map(str, runs)), _RUNS_SHOWN)}"
    if instead is not None and found not in (None, kind):
        advice = instead
    elif (kind, found) == ("dataset", "run"):
        run = json_object(folder / MARKS["run"], "give the run's dataset instead")
        advice = f"give the dataset that it was trained on, {run.get('dataset')}"
    raise FewscanError(f"{folder} is not a {kind} ({why}): {advice}")


def runs_of(dataset: Path) -> list[Path]:
    """Return the runs on a dataset that lie where they are made by default, the newest first."""
    found = []
    for mark in RUNS.glob(f"*/{MARKS['run']}"):
        try:
            of = json_object(mark, "").get("dataset")
        except FewscanError:
            continue
        if isinstance(of, str) and Path(of).resolve() == dataset.resolve():
            found.append(mark)
    return [mark.parent for mark in sorted(found, key=lambda mark: mark.stat().st_mtime_ns, reverse=True)]


def refuse_existing_run(folder: Path) -> None:
    """Raise FewscanError where no run can be made at `folder`, naming --resume where one stands there that was interrupted.

    One that is being trained is named as such, with the process.
    """
    unfinished = is_unfinished(folder)
    if unfinished:
        refuse_held(folder)
    how = "add --resume to continue this interrupted run" if unfinished else "remove it first"
    require_place(folder, instead=how)


def refuse_existing_dataset(folder: Path, sources: Sequence[str]) -> None:
    """Raise FewscanError where no dataset can be made at `folder`, naming what adds `sources` to the one that stands there."""
    add = f", or add to it: '{command_line('add', folder, *sources)}'" if kind_of(folder) == "dataset" else ""
    refuse_finished(folder, "import", f"remove it first{add}")


def require_split(folder: Path, name: str, names: Sequence[str]) -> None:
    """Raise FewscanError where `name` is none of the `names` of a dataset's splits."""
    if name not in names:
        there = f"its splits: {', '.join(names)}" if names else "it has no split yet"
        raise FewscanError(
            f"{folder} has no split '{name}' ({there}): draw one with '{command_line('split', folder, '--name', name)}'"
        )


def require_one_scan(scan: Path) -> None:
    """Refuse a folder where one scan belongs; a file that is not there is refused where it is read."""
    if scan.is_dir():
        raise FewscanError(f"{scan} is a folder: give one scan in it")
