"""What can be taken away of the dataset's finished runs, and the commands that make it, in the background."""

import glob
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from fewscan.atomic import write_text
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import FOLDS, lacks_calibration
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER
from fewscan.evaluation.evaluate import EVALUATION_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.exporting.onnx_model import ONNX_FILE
from fewscan.exporting.weights import DESCRIPTION_FILE, TYPICALITY_FILE, WEIGHTS_FILE
from fewscan.folders import MARKS, MODEL_FILE, REPORT_FILE
from fewscan.images.tables.copies import COPY_COLUMN
from fewscan.labeling.answers import answers_beside
from fewscan.labeling.table import PART_ROWS
from fewscan.models.graphs import onnx_lacks
from fewscan.partial import partial_folder
from fewscan.reporting.model_card import CARD_FILE
from fewscan.reviewing.commands import Background, Standing
from fewscan.reviewing.desk import CannotNowError, Desk, NoSuchThingError
from fewscan.splits.support import TARGET_ERROR
from fewscan.spreadsheet import from_text
from fewscan.training.run import Run

What = Literal["score", "report", "labels", "suspects", "onnx", "weights"]
# What may be opened or downloaded of a run: by what it is called here, nothing else of the file system can be asked for.
FileName = Literal[
    "report", "labels", "checked", "suspects",
    "onnx", "onnx_card", "weights", "weights_description", "weights_typicality", "weights_card",
]  # fmt: skip
# Shares of wrong labels that may be allowed.
ERRORS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
PAGE_FOLDER = "page"
_EXPORTS = {"onnx": "export-onnx", "weights": "export-safetensors"}


def path_of(run: Path, name: FileName) -> Path:
    """Return where a file of a run lies, or will."""
    of: dict[FileName, Path] = {
        "report": run / REPORT_FILE,
        "labels": run / PAGE_FOLDER / "labels.csv",
        "checked": run / PAGE_FOLDER / "labels.checked.csv",
        "suspects": run / PAGE_FOLDER / "labels_to_check.csv",
        "onnx": run / _EXPORTS["onnx"] / ONNX_FILE,
        "onnx_card": run / _EXPORTS["onnx"] / CARD_FILE,
        "weights": run / _EXPORTS["weights"] / WEIGHTS_FILE,
        "weights_description": run / _EXPORTS["weights"] / DESCRIPTION_FILE,
        "weights_typicality": run / _EXPORTS["weights"] / TYPICALITY_FILE,
        "weights_card": run / _EXPORTS["weights"] / CARD_FILE,
    }
    return of[name]


@dataclass(frozen=True)
class FinishedRun:
    """A run that can be used: its classes, how it did where it was scored, and which files there are."""

    folder: Path
    identity: str
    method: str
    classes: tuple[str, ...]
    started: str
    score: str | None  # of what
    accuracy: Interval | None
    files: tuple[FileName, ...]


@dataclass
class FinishedRuns:
    """The finished runs of a dataset right below a folder."""

    runs: Path
    _read: dict[tuple[Path, int, int], tuple[Run, Evaluation | None]] = field(default_factory=dict)

    def of(self, dataset: Dataset) -> list[FinishedRun]:
        """Return them, the newest first; what cannot be opened is none."""
        found = []
        for folder in sorted({mark.parent for mark in self.runs.glob(f"*/{MARKS['run']}")}):
            try:
                run, evaluation = self._opened(folder)
            except (FewscanError, OSError):
                continue
            if run.finished and run.record.classes and run.record.dataset_identity == dataset.images.identity:
                found.append(_told(run, evaluation))
        return sorted(found, key=lambda run: run.started, reverse=True)

    def require(self, dataset: Dataset, name: str) -> FinishedRun:
        """Return one of them by its folder's name; raises NoSuchThingError where there is none."""
        for run in self.of(dataset):
            if run.folder.name == name:
                return run
        raise NoSuchThingError("this dataset has no finished run of this name")

    def _opened(self, folder: Path) -> tuple[Run, Evaluation | None]:
        marks = [folder / name for name in (MODEL_FILE, EVALUATION_FILE)]
        model, evaluation = (mark.stat().st_mtime_ns if mark.exists() else 0 for mark in marks)
        key = (folder, model, evaluation)
        if key not in self._read:
            run = Run.open(folder)
            self._read[key] = (run, Evaluation.load(run) if evaluation else None)
        return self._read[key]


def _told(run: Run, evaluation: Evaluation | None) -> FinishedRun:
    return FinishedRun(
        folder=run.folder,
        identity=run.identity,
        method=run.settings.method.name,
        classes=run.record.classes,
        started=run.record.started,
        score=None if evaluation is None else evaluation.title,
        accuracy=None if evaluation is None else evaluation.accuracy,
        files=tuple(name for name in get_args(FileName) if _is_there(run.folder, name)),
    )


def _is_there(run: Path, name: FileName) -> bool:
    """Return whether a file of a run can be taken: a table that was checked while labels and answers are as they were then."""
    path, made_of = path_of(run, name), (path_of(run, "labels"), answers_of(run)) if name == "checked" else ()
    return path.is_file() and all(one.is_file() and one.stat().st_mtime <= path.stat().st_mtime for one in made_of)


def answers_of(run: Path) -> Path:
    """Return where answers about a run's labels are kept, as `fewscan check` has it."""
    return answers_beside(path_of(run, "labels"))


@dataclass(frozen=True)
class Making(Standing):
    """A command in the background: what it makes of which run, how far it is, and how it ended, in words."""

    what: What | None = None
    run: str = ""
    done: int = 0
    total: int = 0
    unit: Literal["scans", "trainings"] = "scans"


class Makings(Background[Making]):
    """One command at a time; the same one goes on after a stop."""

    kind = "task"

    def __init__(self, desk: Desk) -> None:
        super().__init__(Making())
        self.desk, self._folder = desk, Path()

    @property
    def now(self) -> Making:
        """How far it is."""
        making = self.standing
        if self.is_running and making.what == "labels" and (self._folder / FOLDS_FOLDER).is_dir():
            # Calibrated first: labels are held out for new scans, and once more for these.
            done = _count(self._folder / FOLDS_FOLDER, f"*/{MODEL_FILE}")
            return replace(making, done=done, total=2 * FOLDS, unit="trainings")
        if self.is_running and making.what == "labels":
            parts = _count(partial_folder(path_of(self._folder, "labels")), "part-*.parquet")
            return replace(making, done=min(making.total, parts * PART_ROWS))
        if self.is_running and making.what == "suspects":
            # Not below: what a fold is begun in has another name a moment later.
            done = _count(self._folder / FOLDS_FOLDER, f"[0-9]*/{MODEL_FILE}")
            return replace(making, done=done, total=FOLDS, unit="trainings")
        return making

    def unfinished(self, run: FinishedRun) -> bool:
        """Whether labels of a run were begun, and not finished."""
        labels = path_of(run.folder, "labels")
        return partial_folder(labels).exists() and not labels.exists()

    def start(self, run: FinishedRun, what: What, *, anew: bool, target_error: float = TARGET_ERROR) -> None:
        """Begin, or go on with labels that were interrupted.

        anew: labels are made again, and once they are whole replace those that stand there. target_error: of labels, as
        `fewscan label` takes it. Raises CannotNowError where something is being made, or where what is wanted stands there.
        """
        folder = self.desk.dataset.folder
        with self.lock:
            self.require_idle()
            if what == "onnx" and (lacks := onnx_lacks()):
                raise CannotNowError(lacks)
            if what in _EXPORTS and (run.folder / _EXPORTS[what]).exists():
                raise CannotNowError(f"the run is exported already: {run.folder / _EXPORTS[what]}")
            labels = path_of(run.folder, "labels")
            if what == "labels" and labels.exists() and not anew:
                raise CannotNowError("the scans are labeled already: use Label again to replace the table")
            commands, total = [_words(run.folder, what, folder, target_error, anew=anew)], 0
            if what == "labels":
                opened = Run.open(run.folder, folder)
                seen = opened.open_dataset()
                total = len(seen.rows("unlabeled"))
                # Without it nothing is accepted. For five trainings as long as the run's own nobody waits unasked.
                if opened.settings.solved and lacks_calibration(opened, seen):
                    commands.insert(0, ["calibrate", run.folder, "--data", folder])
            self._folder = run.folder
            self.begin(Making("running", what, run.folder.name, total=total), partial(self._made, commands))

    def _made(self, commands: list[list[str | Path]]) -> Making:
        path_of(self._folder, "labels").parent.mkdir(exist_ok=True)
        said = [self.commands.run(*words) for words in commands][-1]
        lines = [line for line in said.splitlines() if not line.startswith("next:")]
        if self.standing.what == "suspects":
            write_text(_words_file(self._folder), "\n".join(lines))
        now = self.now
        return replace(now, phase="finished", done=now.total, words="\n".join(lines))


def _words(run: Path, what: What, dataset: Path, target_error: float, *, anew: bool) -> list[str | Path]:
    """Return the command that makes it."""
    data: list[str | Path] = ["--data", dataset, *(["--overwrite"] if what == "labels" and anew else [])]
    made: dict[What, list[str | Path]] = {
        "score": ["evaluate", run],
        "report": ["report", run, "--overwrite"],
        "labels": ["label", run, "--out", path_of(run, "labels"), "--target-error", f"{target_error:g}"],
        "suspects": ["labels", "suspects", run, "--out", path_of(run, "suspects"), "--overwrite"],
        "onnx": ["export", run, "--format", "onnx"],
        "weights": ["export", run, "--format", "safetensors"],
    }
    return made[what] + data


def _count(folder: Path, pattern: str) -> int:
    """Return how many files there are in a folder that a command writes, and removes as it ends: then there are none."""
    # Path.glob raises where the folder goes meanwhile.
    return len(glob.glob(pattern, root_dir=folder))  # noqa: PTH207


def suspects_words(run: FinishedRun) -> list[str]:
    """Return what the command said of all labels in doubt, without the labels themselves."""
    path = _words_file(run.folder)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if line and not line.startswith((" ", "table:"))]


def _words_file(run: Path) -> Path:
    return path_of(run, "suspects").with_suffix(".txt")


def read_suspects(run: FinishedRun) -> list[dict[str, Any]] | None:
    """Return the lines of a run's table of labels in doubt, worst first; None where they were not checked yet.

    first: the row of the line that is asked about for it and its copies; these have their label from there.
    """
    path = path_of(run.folder, "suspects")
    try:
        table = pd.read_csv(path, dtype={"label": "str", "predicted": "str", "path": "str"}, keep_default_na=False)
        texts = {name: table[name].map(from_text) for name in ("label", "predicted")}
        first = table["row"] if COPY_COLUMN not in table else pd.to_numeric(table[COPY_COLUMN]).fillna(table["row"]).astype(int)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError):
        raise NoSuchThingError("the table of labels in doubt is damaged: check them again") from None
    texts["label"] = first.map(dict(zip(table["row"], texts["label"], strict=True)))
    lines: list[dict[str, Any]] = table.assign(**texts, first=first).to_dict("records")
    return lines
