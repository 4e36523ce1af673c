"""The whole way on practice scans: what `fewscan demo` does."""

from pathlib import Path

from fewscan import api
from fewscan.atomic import refuse_existing
from fewscan.config import Settings
from fewscan.data.phantoms import write_practice_scans
from fewscan.evaluation.evaluate import Evaluation
from fewscan.progress import say

IMAGES = 1600
LABELED = 400
TEST = 300
SIZE_PX = 64


class DemoResult(Settings):
    """What the demo came to."""

    folder: str
    report: str
    supervised: Evaluation
    joint: Evaluation

    def lines(self) -> list[str]:
        """Return the result as people read it."""
        return [
            f"score on {self.joint.test_images} sealed practice scans, with 95 % intervals:",
            f"  joint       {self.joint.accuracy.percent}   ({LABELED} labels and the unlabelled rest)",
            f"  supervised  {self.supervised.accuracy.percent}   (the same {LABELED} labels alone)",
            f"report: {self.report}",
        ]


def demo(out: Path) -> DemoResult:
    """Draw practice scans and go every step of the main job on them; everything lands in the new folder `out`.

    Raises FewscanError where `out` exists.
    """
    refuse_existing(out)
    scans, dataset, labels = out / "scans", out / "dataset", out / "labels.csv"
    say(f"1/7  draw {IMAGES} practice scans -> {scans}")
    write_practice_scans(scans, images=IMAGES)
    say(f"2/7  import -> {dataset}")
    api.import_scans(scans, dataset, size_px=SIZE_PX)
    say("3/7  audit: copies, conflicting labels")
    for line in api.audit(dataset).lines():
        say(f"     {line}")
    say(f"4/7  split: {LABELED} labels, {TEST} test images, groups of copies kept together")
    api.split(dataset, labeled=LABELED, test=TEST)
    evaluations = {}
    for number, method in ((5, "supervised"), (6, "joint")):
        say(f"{number}/7  train and evaluate '{method}'")
        run = api.train(dataset, out=out / method, method=method, epochs=EPOCHS[method])
        evaluations[method] = api.evaluate(run)
    say(f"7/7  label the unlabelled scans -> {labels}, and write the report")
    api.label(out / "joint", out=labels, target_error=0.1)
    page = api.report(out / "joint", out=out / "report.html")
    return DemoResult(folder=str(out), report=str(page), **evaluations)


# Enough to show what each method can do, in under four minutes on two cores in all.
EPOCHS = {"supervised": 40, "joint": 20}
