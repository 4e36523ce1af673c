"""The whole way on practice scans: what `fewscan demo` does.

Every step appears whole or goes on by itself, so a demo that was stopped, whenever, takes what is there and makes the rest.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fewscan import api
from fewscan.api.datasets import AUDIT_PAGE
from fewscan.atomic import new_folder, write_json, write_text
from fewscan.config import Settings, json_object
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import Evaluation
from fewscan.folders import MODEL_FILE, kind_of
from fewscan.labeling.table import read_table
from fewscan.locks import alone
from fewscan.phantoms import CLASSES, write_practice_scans
from fewscan.progress import say
from fewscan.seeds import stream
from fewscan.training.run import Run

# Makes a folder a demo's, and says which demo's: only with the same one does a demo go on.
MARK_FILE = "demo.json"
SIZE_PX = 64
# Of the labels, the share that validates: as many as support the usual error where the better of two runs labels.
VALIDATION = 0.25
# Scans of a pile to label: enough to see the model learn.
PILE = 600
# At which labels are accepted: practice scans are few, and hardly any of them could be at the usual one.
TARGET_ERROR = 0.1
# Small for both methods: with so few images, steps count for more than the size of a batch.
BATCH_SIZE = 64


class DemoSize(Settings):
    """How much a demo draws and how long it trains."""

    images: int
    labeled: int
    test: int
    supervised_epochs: int
    mixmatch_epochs: int


# Enough to show what each method can do, in two to five minutes on two cores in all.
FULL = DemoSize(images=1000, labeled=400, test=250, supervised_epochs=100, mixmatch_epochs=38)
# Enough to see that every step works.
QUICK = DemoSize(images=300, labeled=120, test=60, supervised_epochs=2, mixmatch_epochs=2)


class DemoResult(Settings):
    """What the demo came to."""

    folder: str
    report: str
    chosen: str  # the method that labeled, none better on the validation set
    chosen_as: str  # in words
    labeled: int
    labels: str  # the table
    accepted: int  # of so many unlabeled scans, at TARGET_ERROR
    unlabeled: int
    supervised: Evaluation
    mixmatch: Evaluation

    def lines(self) -> list[str]:
        """Return the result as people read it."""
        accepted = f"{self.accepted} of {self.unlabeled} unlabeled scans are accepted at an error of {100 * TARGET_ERROR:g} %"
        return [
            f"score on the {self.mixmatch.images} practice scans of the test set, with 95 % intervals:",
            f"  mixmatch    {self.mixmatch.accuracy.percent}   ({self.labeled} labels and the unlabeled scans)",
            f"  supervised  {self.supervised.accuracy.percent}   (the same {self.labeled} labels alone)",
            f"labels by '{self.chosen}': {accepted}, the others are for a person to look at: {self.labels}",
            f"open in a browser: {self.report}, the report of '{self.chosen}', which is {self.chosen_as}",
        ]


def is_begun(out: Path) -> bool:
    """Return whether `out` is a demo's folder, with which the same demo goes on."""
    return (out / MARK_FILE).is_file()


@contextmanager
def _own(out: Path, asked: Mapping[str, int]) -> Iterator[None]:
    """Make the folder `out` of the demo that is `asked` for, or take that of the same one, kept from other processes.

    Raises FewscanError where something else stands there.
    """
    instead = "choose another --out, or remove it first"
    if not is_begun(out):
        with new_folder(out) as folder:
            write_json(folder / MARK_FILE, asked)
    elif json_object(out / MARK_FILE, instead) != asked:
        raise FewscanError(f"{out} already exists and belongs to another demo: {instead}")
    with alone(out, "demo"):
        yield


def pile(out: Path, images: int = PILE) -> tuple[Path, tuple[str, ...]]:
    """Draw practice scans into the folder `out`, and make an audited dataset without labels; return it and the classes.

    Names of files tell nothing; `out/truth.csv` tells the class of each. Called again after a stop or a kill it goes on.
    Raises FewscanError where `out` exists and is not of this.
    """
    scans, dataset = out / "scans", out / "dataset"
    with _own(out, {"pile": images}):
        if not scans.exists():
            _draw_pile(scans, images, out / "truth.csv")
        if kind_of(dataset) != "dataset":
            api.import_scans([], dataset, unlabeled=[str(scans)], size_px=SIZE_PX)
        if not _is_audited(dataset):
            api.audit(dataset)
    return dataset, tuple(sorted(CLASSES))


def _draw_pile(scans: Path, images: int, truth: Path) -> None:
    """Draw practice scans into the new folder `scans`, under names that tell nothing, and write what they show into `truth`."""
    lines = ["path,label"]
    with new_folder(scans) as folder:
        drawn = folder / "drawn"
        write_practice_scans(drawn, images=images)
        files = sorted(path for path in drawn.rglob("*") if path.is_file())
        for number, place in enumerate(stream(0, "practice pile").numpy().permutation(len(files))):
            name = f"{number:04}{files[place].suffix}"
            lines.append(f"{scans.name}/{name},{files[place].parent.name}")
            files[place].rename(folder / name)
        shutil.rmtree(drawn)
        write_text(truth, "\n".join(lines) + "\n")


def _is_audited(dataset: Path) -> bool:
    """Return whether an audit came to its end: its page comes last, and whatever was split was audited before."""
    opened = Dataset.open(dataset)
    return bool(opened.splits) or (opened.description.audit is not None and (dataset / AUDIT_PAGE).is_file())


def _step(number: int, what: str, *, done: bool = False) -> None:
    say(f"{number}/7  {what}{' (already done)' if done else ''}")


def demo(out: Path, size: DemoSize = FULL) -> DemoResult:
    """Draw practice scans and go every step of the main job on them; everything lands in the folder `out`.

    Called again after a stop or a kill it goes on; where all is done, it says so. Raises FewscanError where `out` exists and
    is not of a demo of this size.
    """
    with _own(out, size.model_dump()):
        _prepare(out / "scans", out / "dataset", size)
        return _train_and_label(out, size)


def _prepare(scans: Path, dataset: Path, size: DemoSize) -> None:
    """Draw `scans`, and make of them a `dataset` that is audited and split."""
    _step(1, f"draw {size.images} practice scans -> {scans}", done=scans.exists())
    if not scans.exists():
        write_practice_scans(scans, images=size.images)
    imported = kind_of(dataset) == "dataset"
    _step(2, f"import -> {dataset}", done=imported)
    if not imported:
        api.import_scans(scans, dataset, size_px=SIZE_PX)
    audited = _is_audited(dataset)
    _step(3, "audit: copies, conflicting labels", done=audited)
    if not audited:
        for line in api.audit(dataset).lines():
            say(f"     {line}")
    drawn = bool(Dataset.open(dataset).splits)
    _step(4, f"split: {size.labeled} labels, {size.test} test images, groups of copies kept together", done=drawn)
    if not drawn:
        api.split(dataset, labeled=size.labeled, test=size.test, validation=VALIDATION)


def _train_and_label(out: Path, size: DemoSize) -> DemoResult:
    """Train both methods, open the test set for each, and let the better one label and report."""
    runs: dict[str, Run] = {}
    for number, method, epochs in ((5, "supervised", size.supervised_epochs), (6, "mixmatch", size.mixmatch_epochs)):
        run = out / method
        _step(number, f"train '{method}'", done=(run / MODEL_FILE).is_file())
        # A run that is finished is left alone.
        begun = run.exists()
        runs[method] = api.train(out / "dataset", out=run, resume=begun, method=method, epochs=epochs, batch_size=BATCH_SIZE)
    evaluations = {method: Evaluation.load(run) or api.evaluate(run) for method, run in runs.items()}
    chosen, chosen_as = _chosen({method: float(run.metrics()[-1]["validation_accuracy"]) for method, run in runs.items()})
    labels, page = out / "labels.csv", out / "report.html"
    error = f"at an error of {100 * TARGET_ERROR:g} %"
    what = f"label the unlabeled scans with '{chosen}', {chosen_as}, {error} -> {labels}, and write the report"
    _step(7, what, done=labels.exists() and page.exists())
    if not labels.exists():
        api.label(runs[chosen], out=labels, target_error=TARGET_ERROR)
    if not page.exists():
        api.report(runs[chosen], out=page)
    decisions = read_table(labels)["decision"]
    return DemoResult(
        folder=str(out),
        report=str(page),
        chosen=chosen,
        chosen_as=chosen_as,
        labeled=size.labeled,
        labels=str(labels),
        accepted=int((decisions == "accept").sum()),
        unlabeled=len(decisions),
        **evaluations,
    )


def _chosen(accuracies: Mapping[str, float]) -> tuple[str, str]:
    """Return the method that does best on the validation set, never on the test set, and how it is better, in words.

    accuracies: of two methods, in [0, 1]; of level ones it is the first.
    """
    best, other = sorted(accuracies, key=lambda method: -accuracies[method])
    level = accuracies[best] == accuracies[other]
    return best, f"as good as '{other}' on the validation set" if level else "better on the validation set"
