"""What a report says of scans that look processed otherwise, from the stress test that the run keeps."""

from dataclasses import dataclass

from fewscan.datasets.originals import originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.png import as_in_a_file, scan_picture
from fewscan.images.readers import fitted
from fewscan.reporting.figures import Theme, plots
from fewscan.reporting.samples import some
from fewscan.reporting.stress_figure import draw_stress
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.findings import findings
from fewscan.stressing.stress import Condition, StressTest
from fewscan.training.run import Run


@dataclass(frozen=True)
class Shown:
    """A corruption at the middle strength: how it went, and one scan under it, as a PNG data URI."""

    summary: str
    condition: Condition
    kept: float | None  # of the accuracy on unchanged scans
    picture: str


@dataclass(frozen=True)
class StressSection:
    """The content of the report's section; the worst first. Pictures by theme, as PNG data URIs."""

    test: StressTest
    findings: tuple[str, ...]
    unchanged: str  # the scan as it is
    shown: tuple[Shown, ...]
    grids: dict[Theme, list[str]]  # accuracies, and where anything is accepted wrong ones among them


def describe_stress(run: Run, dataset: Snapshot) -> StressSection | None:
    """Return the section, or None where the run has not been stressed. The scan that it shows is a labeled one."""
    test = StressTest.load(run)
    if test is None:
        return None
    rows = some(dataset.rows("labeled"), 1)
    ((_, file),) = originals(dataset, rows)
    scan = as_in_a_file(dataset.pixels[rows[0]]) if file is None else file
    shown = []
    for condition in test.at(MIDDLE):
        corruption = CORRUPTIONS[condition.corruption]
        picture = scan_picture(fitted(corruption.applied(scan, MIDDLE), dataset.spec))
        shown.append(Shown(corruption.summary, condition, test.share_kept(condition.accuracy), picture))
    themes: tuple[Theme, ...] = ("light", "dark")
    grids = {theme: plots(draw_stress(test, theme)) for theme in themes}
    unchanged = scan_picture(fitted(scan, dataset.spec))
    return StressSection(
        test, tuple(findings(test, run.settings.trained_views, run.record.spec)), unchanged, tuple(shown), grids
    )
