"""A training in the background, by the commands that a person would give: audit, split, train."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from fewscan import jsonl
from fewscan.choosing.model import deviation_over
from fewscan.datasets.dataset import Dataset, SplitFile
from fewscan.datasets.descriptions import AuditDescription
from fewscan.evaluation.predictor import Predictor
from fewscan.folders import MARKS, MODEL_FILE
from fewscan.reviewing.commands import Background, Standing
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.opinion import Lesson, solved
from fewscan.reviewing.training_asked import Length
from fewscan.reviewing.tutor import Tutor
from fewscan.training.run import CONFIG_FILE, METRICS_FILE, Run
from fewscan.training.unlabeled_first import first_folder

Made = AuditDescription | SplitFile
# What each adds to `fewscan train`.
WORDS: dict[Length, list[str]] = {
    "probe": ["--method", "probe"],
    "propagation": ["--method", "propagation"],
    "first": ["--method", "propagation", "--unlabeled-first"],
    "short": ["training_images=150000"],
    "usual": [],
}


@dataclass(frozen=True)
class Compared:
    """How many of the same validation images, which neither has learned from, the page's model and the new run call rightly."""

    images: int
    before: float
    after: float


@dataclass(frozen=True)
class Job(Standing):
    """A training: which command of it runs, how many epochs are done, and how it ended, in words."""

    command: str = ""
    unlabeled: bool = False  # what runs now is the encoder's training without labels, in a run of its own beside `run`
    run: str = ""
    epoch: int = 0
    epochs: int = 0
    accuracy: float | None = None  # on validation images, after the last epoch
    compared: Compared | None = None
    used: bool = False  # the page's model goes by its features


class Trainings(Background[Job]):
    """One training at a time, into folders below `runs`."""

    kind = "training"

    def __init__(self, desk: Desk, tutor: Tutor, runs: Path) -> None:
        super().__init__(Job())
        self.desk, self.tutor, self.runs = desk, tutor, runs
        self.made: list[Made] = []  # by its own commands, which is no news of the dataset

    @property
    def now(self) -> Job:
        """Return how far the training is."""
        return _with_epochs(self.standing) if self.is_running else self.standing

    @property
    def is_preparing(self) -> bool:
        """Whether the dataset is being changed by a command of its own: what comes of it is noted when that has ended."""
        return self.is_running and self.standing.command in ("audit", "split")

    @property
    def unfinished(self) -> Path | None:
        """The newest training of this page that was interrupted, with its server say; None for none."""
        if self.is_running:
            return None
        begun = [folder for folder in self._folders() if not (folder / MODEL_FILE).exists()]
        return begun[-1] if begun else None

    def start(self, length: Length, *, resume: bool = False) -> None:
        """Begin; raises CannotNowError where one runs, where labels are of fewer than two classes, or none is unfinished."""
        with self.lock:
            self.require_idle()
            board = self.desk.board()
            if len(set(board.labels[board.labeled & self.desk.usable])) < 2:
                raise CannotNowError("label scans of two classes first")
            run = self.unfinished if resume else self._free(length)
            if run is None:
                raise CannotNowError("there is no unfinished training")
            words = ["--resume"] if resume else WORDS[length]
            self.begin(Job("running", run=str(run)), partial(self._trained, run, words))

    def use(self) -> None:
        """Let the page's model go by the features of the finished run; raises CannotNowError where there is none."""
        if self.standing.phase != "finished":
            raise CannotNowError("no training has finished")
        self.tutor.change(self.standing.run)
        self.standing = replace(self.standing, used=True)

    def _trained(self, run: Path, words: list[str]) -> Job:
        folder = self.desk.dataset.folder
        now = Dataset.open(folder)
        if now.description.audit is None:
            self._prepare("audit", folder)
        if not now.splits:
            self._prepare("split", folder)
        run.parent.mkdir(parents=True, exist_ok=True)
        self._command("train", folder, "--out", run, *words)
        compared = self._compared(run)
        # The encoder of what is solved on features stays as it is: where it is the page's, the page sees scans so already.
        settings, seen = Run.open(run).settings, self.tutor.seen
        used = settings.solved and seen is not None and seen.encoder is not None and seen.encoder.settings == settings.encoder
        return replace(self.now, phase="finished", command="", compared=compared, used=used)

    def _prepare(self, verb: str, folder: Path) -> None:
        """Run what changes the dataset, and note what it made, also where it is stopped behind that."""
        before = _made_of(folder)
        try:
            self._command(verb, folder)
        finally:
            self.made += [one for one in _made_of(folder) if one not in before]

    def _command(self, *words: str | Path) -> None:
        self.standing = replace(self.standing, command=str(words[0]))
        self.commands.run(*words)

    def _compared(self, run: Path) -> Compared | None:
        """Return how page and run do on the run's validation images; None where it has none, or the page has no features."""
        finished = Run.open(run)
        dataset = finished.open_dataset(self.desk.dataset.folder)
        rows, learned, seen = dataset.rows("validation"), dataset.rows("labeled"), self.tutor.seen
        if len(rows) == 0 or seen is None:
            return None
        truth = dataset.labels[rows]
        labels = np.full(len(seen.features), -1)
        labels[learned] = dataset.labels[learned]
        deviation = deviation_over(seen.features, dataset.rows("labeled", "unlabeled"))
        lesson = Lesson(0, seen.features, labels, dataset.classes, dataset.groups, rows[:0], deviation)
        before = solved(lesson).logits(seen.features[rows]).argmax(axis=1)
        after = Predictor.of(finished).predict(dataset.pixels, rows).probabilities.argmax(axis=1)
        return Compared(len(rows), float((before == truth).mean()), float((after == truth).mean()))

    def _folders(self) -> list[Path]:
        name = f"{self.desk.dataset.folder.resolve().name}-review-"
        found = [one.parent for one in self.runs.glob(f"{name}*/{MARKS['run']}")]
        own = [one for one in found if one.name.removeprefix(name).isdigit()]
        return sorted(own, key=lambda one: int(one.name.removeprefix(name)))

    def _free(self, length: Length) -> Path:
        """Return where the next run is to lie; beside an encoder that waits for its run only what goes on with that."""
        name = f"{self.desk.dataset.folder.resolve().name}-review-"
        free = (path for number in range(1, 100_000) if not (path := self.runs / f"{name}{number}").exists())
        return next(path for path in free if length not in ("probe", "propagation") or not first_folder(path).exists())


def _made_of(folder: Path) -> list[Made]:
    """Return the audit and the splits that a dataset has on disk."""
    now = Dataset.open(folder).description
    return [*([] if now.audit is None else [now.audit]), *now.splits]


def _with_epochs(job: Job) -> Job:
    """Return a job with what its run's folder says of its epochs, or before that the folder of the run without labels."""
    run = Path(job.run)
    unlabeled = not run.exists() and first_folder(run).exists()
    run = first_folder(run) if unlabeled else run
    if not (run / CONFIG_FILE).exists():
        return job
    epochs = yaml.safe_load((run / CONFIG_FILE).read_text(encoding="utf-8")).get("epochs", 1)  # a probe is solved at once
    done = jsonl.read(run / METRICS_FILE, ["epoch"])
    newest = done[-1] if done else {"epoch": 0}
    told = {"epoch": newest["epoch"], "epochs": epochs, "accuracy": newest.get("validation_accuracy")}
    return replace(job, unlabeled=unlabeled, **told)
