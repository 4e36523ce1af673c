"""The study's figure 2: samples of the scans that training sees."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fewscan.comparison.results import Results
from fewscan.datasets.protocols import titled
from fewscan.datasets.snapshot import Snapshot
from fewscan.reporting.comparing.canvas import WIDTH_INCHES, new_figure
from fewscan.reporting.figures import INK
from fewscan.seeds import stream
from fewscan.studies.bitlis.outcome import stands_in

SAMPLES_A_ROW = 8
UNLABELED_ROWS = 2
STAND_IN = "third source: stand-in"


def samples(results: Results) -> Figure:
    """Draw labeled images by class, and unlabeled ones in random order, of the first protocol's split."""
    protocol = results.comparison.plan.protocols[0]
    dataset = results.comparison.dataset(protocol)
    random = stream(0, "figure samples").numpy()
    labeled, unlabeled = dataset.rows("labeled"), dataset.rows("unlabeled")
    scan_inches = WIDTH_INCHES / SAMPLES_A_ROW
    heights = (0.35 + len(dataset.classes) * (scan_inches + 0.25), 0.35 + UNLABELED_ROWS * scan_inches)
    footer = [
        f"drawn at random from the split {titled(protocol)}",
        f"{dataset.spec.size_px} px",
        STAND_IN if stands_in(results) else "",
    ]
    figure, content = new_figure(sum(heights), footer)
    above, below = content.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    _head(above, f"Labeled images (of {len(labeled):,})")
    grid = above.subplots(len(dataset.classes), 1, squeeze=False)
    for axes, (number, name) in zip(grid[:, 0], enumerate(dataset.classes), strict=True):
        axes.set_title(name, loc="left")
        of_class = labeled[dataset.labels[labeled] == number]
        _show(axes, dataset, random.permutation(of_class)[:SAMPLES_A_ROW])
    _head(below, f"Unlabeled images (of {len(unlabeled):,})")
    # In the order of rows, which mostly are sorted by class, the classes would show.
    _show(below.subplots(), dataset, random.permutation(unlabeled)[: SAMPLES_A_ROW * UNLABELED_ROWS])
    return figure


def _head(part: SubFigure, text: str) -> None:
    part.suptitle(text, x=0.006, ha="left", fontsize=10.5, fontweight="bold", color=INK["light"])


def _show(axes: Axes, dataset: Snapshot, rows: npt.NDArray[np.int64]) -> None:
    """Show scans in rows of SAMPLES_A_ROW on white ground."""
    axes.set_axis_off()
    if not len(rows):
        axes.text(0, 0.5, "none", transform=axes.transAxes, color=INK["light"])
        return
    axes.imshow(_mosaic(np.asarray(dataset.pixels[rows]), SAMPLES_A_ROW), cmap="gray", vmin=0, vmax=255)


def _mosaic(scans: npt.NDArray[np.uint8], columns: int) -> npt.NDArray[np.uint8]:
    """Return scans (N, C, S, S) side by side as one picture (H, W) or (H, W, 3), with white between them."""
    count, channels, size_px, _ = scans.shape
    lines = -(-count // columns)
    cell_px = size_px + max(1, size_px // 24)
    picture = np.full((lines, columns, channels, cell_px, cell_px), 255, dtype=np.uint8)
    picture.reshape(-1, channels, cell_px, cell_px)[:count, :, :size_px, :size_px] = scans
    whole = picture.transpose(0, 3, 1, 4, 2).reshape(lines * cell_px, columns * cell_px, channels)
    return whole[:, :, 0] if channels == 1 else whole
