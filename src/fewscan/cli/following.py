"""The command that comes next: as verb and arguments, one that works as it stands."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fewscan.atomic import free_path, numbered, require_writable
from fewscan.errors import FewscanError
from fewscan.folders import REPORT_FILE, default_run, is_unfinished, kind_of, runs_of

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.evaluation.calibration import Calibration
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.labeling.label import LabelSummary
    from fewscan.training.run import Run

Words = list[str | Path]
Step = Literal["report", "label", "export"]


def next_run(dataset: Path) -> Path:
    """Return the folder of the run that `after_split` trains."""
    return free_path(default_run(dataset))


def after_audit(dataset: "Snapshot") -> tuple[Words, str | None]:
    """Return what follows an audit, and why no split can be drawn, where none can."""
    from fewscan.auditing.leaks import leaking_pairs
    from fewscan.datasets.dataset import Dataset
    from fewscan.splits.sizes import suitable_sizes

    standing = dataset.description.split
    if standing is not None and not leaking_pairs(dataset):
        return _after_training(Dataset.open(dataset.folder)), None
    try:
        suitable_sizes(dataset, validation=0.0)  # only whether there are any
    except FewscanError as error:
        return ["import", "--help"] if dataset.classes else first_labels(dataset.folder), str(error)
    again: Words = [] if standing is None else [*([] if standing.name == "main" else ["--name", standing.name]), "--overwrite"]
    return ["split", dataset.folder, *again], None


def first_labels(dataset: Path) -> Words:
    """Return how a dataset without labels comes to some: on the page, where it is installed, else what can be learned now."""
    return ["review", dataset] if _page_is_installed() else after_split(dataset)


def _page_is_installed() -> bool:
    return all(importlib.util.find_spec(package) is not None for package in ("fastapi", "uvicorn"))


def after_plan(command: Sequence[str], out: Path | None = None) -> Words:
    """Return what does what a plan has said: its own command, verb and arguments, without `--plan`.

    out: the folder that is made; another one is named where it stands already.
    """
    end = command.index("--") if "--" in command else len(command)
    words, rest = [word for word in command[:end] if word != "--plan"], command[end:]
    free = None if out is None else free_path(out if out.name else out / "dataset")
    if free == out:
        return [*words, *rest]
    before = zip(["", *words], words, strict=False)
    others = [word for last, word in before if last != "--out" and word != "--out" and not word.startswith("--out=")]
    return [*others, "--out", str(free), *rest]


def after_dataset(dataset: "Dataset") -> Words:
    """Return the first step that a dataset lacks: an audit, a split, a training, or what the newest training on it lacks."""
    words = before_training(dataset)
    return _after_training(dataset) if words[0] == "train" and dataset.splits else words


def before_training(dataset: "Dataset") -> Words:
    """Return the first step that a dataset lacks before a training, else a training, be it the first one or not."""
    if dataset.description.audit is None:
        return ["audit", dataset.folder]
    return after_split(dataset.folder) if dataset.splits else after_audit(dataset.snapshot())[0]


def after_split(dataset: Path) -> Words:
    """Return how to train on a split dataset: again as the newest run on it, where that is not what `train` would choose."""
    out: Words = ["--out", next_run(dataset)] if default_run(dataset).exists() else []
    return ["train", dataset, *out, *_as_asked_before(dataset)]


def _as_asked_before(dataset: Path) -> Words:
    """Return by which options the newest run on a dataset got its method and recipe; none where `train` chooses these."""
    finished = [folder for folder in runs_of(dataset) if not is_unfinished(folder)]
    if not finished:
        return []
    # These take seconds to load.
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.again import asked_of
    from fewscan.training.run import Run

    for folder in finished:
        try:
            run = Run.open(folder)
            if run.record.classes:  # a classifier, not an encoder for others
                return [*asked_of(run, run.seen_in(Dataset.open(dataset)))]
        except FewscanError:
            continue  # it is damaged, or of what stood here before
    return []


def _after_training(dataset: "Dataset") -> Words:
    """Return what the newest of the runs lacks that `after_split` names, or a training where it is of other labels or none."""
    *_, newest = None, *takewhile(Path.exists, numbered(default_run(dataset.folder)))
    if newest is None:
        return after_split(dataset.folder)
    # These take seconds to load.
    from fewscan.datasets.trainings import news
    from fewscan.training.run import Run

    try:
        run = Run.open(newest)
        seen, now = run.seen_in(dataset), dataset.snapshot()
    except FewscanError:
        return after_split(dataset.folder)  # it is none of this dataset
    is_of_now = seen.description.split == now.description.split and news(dataset, now) is None
    return after_run(run, seen) if is_of_now else after_split(dataset.folder)


def after_labels(dataset: "Dataset", disputed: int | None = None) -> Words:
    """Return what follows where labels were entered: what is disputed first, then the first step that the dataset lacks.

    disputed: how many scans are, where that is known.
    """
    if dataset.labels.disputed(dataset.images.rows).any() if disputed is None else disputed:
        return ["labels", "conflicts", dataset.folder]
    return after_dataset(dataset)


def after_run(run: "Run", dataset: "Snapshot", *done: Step) -> Words:
    """Return the first step that a run still lacks: end, calibration, score of what it says now, report, labels, export.

    dataset: the run's, which may have been moved. done: steps whose files lie elsewhere than in the run's folder, where nobody
    would look for them.
    """
    from fewscan.evaluation.calibrate import FOLDS, can_be_scored, lacks_calibration, lacks_cross_fitting
    from fewscan.evaluation.evaluate import EVALUATION_FILE
    from fewscan.training.moved import called_with

    moved: Words = [*called_with(run.folder, Path(run.record.dataset), dataset.folder)[1:]]
    if not run.finished:
        return ["train", dataset.folder, "--out", run.folder, "--resume"]
    if not run.record.classes:
        return _after_features(run, dataset, moved, *done)
    if lacks_calibration(run, dataset):
        return ["calibrate", run.folder, *moved]
    untested = not (run.folder / EVALUATION_FILE).exists()
    if untested and lacks_cross_fitting(run, dataset, _calibration(run)):  # later it would open the test set once more
        return ["calibrate", run.folder, "--folds", str(FOLDS), "--overwrite", *moved]
    if untested and can_be_scored(run, dataset):
        return ["evaluate", run.folder, *moved]
    if is_scored_otherwise(run):
        return ["evaluate", run.folder, "--overwrite", *moved]
    if not ("report" in done or _is_reported(run)):
        return [*report_words(run), *moved]
    labels, exported = run.folder / "labels.csv", run.folder / "export-safetensors"
    if not ("label" in done or labels.exists()) and len(dataset.rows("unlabeled")):
        return ["label", run.folder, "--out", _in_run(labels), *moved]
    if not ("export" in done or any(run.folder.glob("export-*"))):  # in whichever format
        out = _in_run(exported)
        elsewhere: Words = [] if out == exported else ["--out", out]
        return ["export", run.folder, "--format", "safetensors", *elsewhere, *moved]
    return ["label", "--help"]


def _in_run(path: Path) -> Path:
    """Return `path`, in the run's folder, or where that cannot be written, somebody else's run, the same name in this one."""
    try:
        require_writable(path)
    except FewscanError:
        return free_path(Path(path.name))
    return path


def _calibration(run: "Run") -> "Calibration | None":
    from fewscan.evaluation.calibration import Calibration

    try:
        return Calibration.load(run)
    except FewscanError:
        return None  # it is damaged: the verb that comes next says so, and what to do


def is_scored_otherwise(run: "Run") -> bool:
    """Whether a score of the test set stands that is not of the probabilities which the run gives by its calibration."""
    from fewscan.evaluation.evaluate import Evaluation

    return _is_otherwise(run, partial(Evaluation.load, run))


def scored_otherwise_on(run: "Run") -> list[str]:
    """Return the names of the other datasets on which the score that stands is not of these probabilities either."""
    from fewscan.labeling.other_evaluation import OtherEvaluation, evaluated_on

    return [name for name in evaluated_on(run) if _is_otherwise(run, partial(OtherEvaluation.load_of, run, name))]


def _is_otherwise(run: "Run", load: "Callable[[], Evaluation | None]") -> bool:
    from fewscan.evaluation.calibration import Calibration

    try:
        evaluation = load()
    except FewscanError:
        return False  # it is damaged: what reads it next, such as the report, says so, and what to do
    return evaluation is not None and not evaluation.is_under(Calibration.load(run))


def _after_features(run: "Run", dataset: "Snapshot", moved: Words, *done: Step) -> Words:
    """Return the first step that a finished run without classes lacks: a report, then labels and a run that begins with it."""
    if not ("report" in done or _is_reported(run)):
        return [*report_words(run), *moved]
    now = run.dataset_now(dataset.folder)
    if not now.unsplit().classes:
        return ["review", now.folder, "--encoder", run.folder] if _page_is_installed() else ["labels", "set", "--help"]
    # An audit or a split may be lacking still.
    words = before_training(now)
    return [*words, f"encoder.weights={run.folder}"] if words[0] == "train" else words


def after_run_in(folder: Path, data: Path | None, *done: Step) -> Words:
    """Return `after_run` of the run in `folder`, its dataset being at `data` where that was named."""
    from fewscan.training.run import Run

    run = Run.open(folder, data)
    return after_run(run, run.open_dataset(), *done)


def after_label(summary: "LabelSummary", run: Path, scans: Path | None, data: Path | None, *, to_check: bool) -> Words:
    """Return what follows labels: where nothing could be accepted what helps, by a command, else what the run still lacks.

    It is never the same at a larger error: whoever takes that has looked first. to_check: whether a reader may show of some
    labels how many are wrong.
    """
    helps = summary.helps
    if helps is None or not summary.review:  # what is out of distribution is accepted at no error
        return after_run_in(run, data, *(("label",) if scans is None else ()))
    moved: Words = [] if data is None else ["--data", data]
    if helps.folds is not None:
        return ["calibrate", run, "--folds", str(helps.folds), "--overwrite", *moved]
    if to_check:
        return ["check", summary.out]
    return more_labels(run, data)


def more_labels(run: Path | None, data: Path | None = None) -> Words:
    """Return how a run comes to more labels, by which it learns more wherever the scans lie that it is for; None: any run."""
    from fewscan.choosing.pool import any_open
    from fewscan.training.run import Run

    if run is None:
        return ["suggest", "--help"]
    if any_open(Run.open(run, data), data):
        moved: Words = [] if data is None else ["--data", data]
        return ["suggest", run, "--out", free_path(Path("suggested.csv")), *moved]
    return ["labels", "set", "--help"]


def run_around(table: Path) -> Path | None:
    """Return the run whose folder holds a table, as `after_run` and the review page place tables of labels; None for none."""
    return next((folder for folder in (table.parent, table.parent.parent) if kind_of(folder) == "run"), None)


def report_words(run: "Run") -> Words:
    """Return how to write a run's report, also where one stands."""
    page = run.folder / REPORT_FILE
    out = _in_run(page)
    how: Words = ["--out", out] if out != page else ["--overwrite"] if page.exists() else []
    return ["report", run.folder, *how]


def _is_reported(run: "Run") -> bool:
    """Whether a report stands in the run's folder, younger than all that it shows."""
    from fewscan.evaluation.calibration import CALIBRATION_FILE
    from fewscan.evaluation.evaluate import EVALUATION_FILE
    from fewscan.explaining.evidence_check import EVIDENCE_FILE
    from fewscan.labeling.other_evaluation import evaluated_on, evaluation_file
    from fewscan.stressing.stress import STRESS_FILE

    page = run.folder / REPORT_FILE
    elsewhere = map(evaluation_file, evaluated_on(run))
    shown = [run.folder / name for name in (CALIBRATION_FILE, EVALUATION_FILE, EVIDENCE_FILE, STRESS_FILE, *elsewhere)]
    return page.exists() and all(page.stat().st_mtime_ns >= each.stat().st_mtime_ns for each in shown if each.exists())
