"""The whole way on practice scans: what `fewscan demo` does."""

import shutil
from pathlib import Path

from fewscan import api
from fewscan.atomic import refuse_existing, write_text
from fewscan.config import Settings
from fewscan.evaluation.evaluate import Evaluation
from fewscan.phantoms import write_practice_scans
from fewscan.progress import say
from fewscan.seeds import stream
from fewscan.training.run import Run

SIZE_PX = 64
# Scans of a pile to label: enough to see the model learn.
PILE = 600
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
    chosen: str  # the method that labeled, better on the validation set
    labeled: int
    supervised: Evaluation
    mixmatch: Evaluation

    def lines(self) -> list[str]:
        """Return the result as people read it."""
        return [
            f"score on {self.mixmatch.images} sealed practice scans, with 95 % intervals:",
            f"  mixmatch    {self.mixmatch.accuracy.percent}   ({self.labeled} labels and the unlabeled rest)",
            f"  supervised  {self.supervised.accuracy.percent}   (the same {self.labeled} labels alone)",
            f"report of '{self.chosen}', the better one on the validation set: {self.report}",
        ]


def pile(out: Path, images: int = PILE) -> tuple[Path, tuple[str, ...]]:
    """Draw practice scans into the new folder `out`, and make an audited dataset without labels; return it and the classes.

    Names of files tell nothing; `out/truth.csv` tells the class of each. Raises FewscanError where `out` exists.
    """
    refuse_existing(out)
    drawn, scans, dataset = out / "drawn", out / "scans", out / "dataset"
    write_practice_scans(drawn, images=images)
    files = sorted(path for path in drawn.rglob("*") if path.is_file())
    scans.mkdir()
    lines = ["path,label"]
    for number, place in enumerate(stream(0, "practice pile").numpy().permutation(len(files))):
        name = f"{number:04}{files[place].suffix}"
        lines.append(f"scans/{name},{files[place].parent.name}")
        files[place].rename(scans / name)
    write_text(out / "truth.csv", "\n".join(lines) + "\n")
    classes = tuple(sorted(folder.name for folder in drawn.iterdir()))
    shutil.rmtree(drawn)
    api.import_scans([], dataset, unlabeled=[str(scans)], size_px=SIZE_PX)
    api.audit(dataset)
    return dataset, classes


def demo(out: Path, size: DemoSize = FULL) -> DemoResult:
    """Draw practice scans and go every step of the main job on them; everything lands in the new folder `out`.

    Raises FewscanError where `out` exists.
    """
    refuse_existing(out)
    scans, dataset, labels = out / "scans", out / "dataset", out / "labels.csv"
    say(f"1/7  draw {size.images} practice scans -> {scans}")
    write_practice_scans(scans, images=size.images)
    say(f"2/7  import -> {dataset}")
    api.import_scans(scans, dataset, size_px=SIZE_PX)
    say("3/7  audit: copies, conflicting labels")
    for line in api.audit(dataset).lines():
        say(f"     {line}")
    say(f"4/7  split: {size.labeled} labels, {size.test} test images, groups of copies kept together")
    api.split(dataset, labeled=size.labeled, test=size.test)
    runs: dict[str, Run] = {}
    for number, method, epochs in ((5, "supervised", size.supervised_epochs), (6, "mixmatch", size.mixmatch_epochs)):
        say(f"{number}/7  train '{method}'")
        runs[method] = api.train(dataset, out=out / method, method=method, epochs=epochs, batch_size=BATCH_SIZE)
    evaluations = {method: api.evaluate(run) for method, run in runs.items()}
    # Chosen by the validation set, never by the test set.
    chosen = max(runs, key=lambda method: float(runs[method].metrics()[-1]["validation_accuracy"]))
    say(f"7/7  label the unlabeled scans with '{chosen}', better on the validation set -> {labels}, and write the report")
    api.label(runs[chosen], out=labels, target_error=0.1)
    page = api.report(runs[chosen], out=out / "report.html")
    return DemoResult(folder=str(out), report=str(page), chosen=chosen, labeled=size.labeled, **evaluations)
