"""The study's figures, drawn from a comparison: sample images, and the curves of every method under every protocol."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from fewscan.atomic import replaced_file, writing
from fewscan.comparison.results import Results, Row
from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.registry import METHODS
from fewscan.reporting.comparison_curves import compare_accuracies, compare_losses, draw_accuracies, draw_losses, hollow_marker
from fewscan.reporting.figures import (
    INK,
    legend_below,
    prepare_epoch_axes,
)

FILES = ("figure2.png", "figure7.png", "figure8_accuracy.png", "figure8_loss.png", "figure9.png")

DPI = 150
WIDTH_INCHES = 1100 / DPI
FOOTER_INCHES = 0.35
FONT_SIZES: dict[Any, float] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
FOOTER_SIZE = 7
FOOTER_LETTERS_A_LINE = 115
STAND_IN = "third source: stand-in"

TITLES = {"joint": "joint (proposed model)"}

SAMPLES_A_ROW = 8
UNLABELED_ROWS = 2


def write_figures(results: Results, folder: Path) -> list[Path]:
    """Write the five files of `draw_figures` as PNG into `folder`, each replacing an older one, and return their paths.

    Raises FewscanError where one cannot be written.
    """
    with mpl.rc_context(FONT_SIZES):
        for name, figure in draw_figures(results).items():
            with writing(folder / name), replaced_file(folder / name) as temporary:
                figure.savefig(temporary, format="png")
    return [folder / name for name in FILES]


def draw_figures(results: Results) -> dict[str, Figure]:
    """Draw figures 2, 7, 8 (in two parts) and 9 of the study from a comparison's runs; keys are FILES.

    A method that was not run is named as such. Of the scans, pixels are shown; of the unlabeled ones no class.
    """
    drawn = (
        _samples(results),
        _methods_apart(results, ("simclr", "joint")),
        _accuracies_together(results),
        _losses_together(results),
        _methods_apart(results, ("barlow_twins", "nnclr")),
    )
    return dict(zip(FILES, drawn, strict=True))


def new_figure(height_inches: float, footer: Sequence[str]) -> tuple[Figure, SubFigure]:
    """Return a figure and the part of it that lies above the footer."""
    size = (WIDTH_INCHES, height_inches + FOOTER_INCHES)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    content, foot = figure.subfigures(2, 1, squeeze=False, height_ratios=(height_inches, FOOTER_INCHES))[:, 0]
    # Lines break between the parts of the footer, and inside a part only where it is longer than a line.
    unbroken = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}·  ".join(
        part if len(part) > FOOTER_LETTERS_A_LINE else part.replace(" ", "\N{NO-BREAK SPACE}") for part in footer if part
    )
    foot.text(0.01, 0.5, textwrap.fill(unbroken, FOOTER_LETTERS_A_LINE), fontsize=FOOTER_SIZE, va="center", color=INK["light"])
    return figure, content


def _footer(results: Results) -> list[str]:
    """Return what the curves were made with."""
    plan = results.comparison.plan
    runs = [run for row in results.rows for run in row.runs]
    size_px = results.comparison.dataset(plan.protocols[0]).spec.size_px
    epochs = sorted({run.run.settings.epochs for run in runs})
    return [
        f"recipe {plan.recipe_as_changed}",
        f"{' to '.join(str(number) for number in dict.fromkeys((epochs[0], epochs[-1])))} epochs" if epochs else "",
        f"{size_px} px",
        f"seed{'s' if len(plan.seeds) > 1 else ''} {', '.join(str(seed) for seed in plan.seeds)}",
        f"{len(runs)} of {len(plan.trials)} runs finished" if len(runs) < len(plan.trials) else "",
        "curves: mean, bands and bars: range over seeds" if any(len(row.runs) > 1 for row in results.rows) else "",
        STAND_IN if results.stands_in else "",
    ]


# Figure 2


def _samples(results: Results) -> Figure:
    """Draw labeled images by class, and unlabeled ones in random order, of the first protocol's split."""
    protocol = results.comparison.plan.protocols[0]
    dataset = results.comparison.dataset(protocol)
    random = np.random.default_rng(0)
    labeled, unlabeled = dataset.rows("labeled"), dataset.rows("unlabeled")
    scan_inches = WIDTH_INCHES / SAMPLES_A_ROW
    heights = (0.35 + len(dataset.classes) * (scan_inches + 0.25), 0.35 + UNLABELED_ROWS * scan_inches)
    footer = [
        f"drawn at random from the {protocol} split",
        f"{dataset.spec.size_px} px",
        STAND_IN if results.stands_in else "",
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


# Figures 7 and 9


def _methods_apart(results: Results, methods: tuple[str, str]) -> Figure:
    """Draw accuracy and loss of two methods, each in plots of its own; protocols are columns where there are several."""
    protocols = results.comparison.plan.protocols
    # One protocol leaves room for accuracy and loss side by side, as in the study.
    columns = 2 if len(protocols) == 1 else 1
    lines = 4 // columns
    figure, content = new_figure(2.45 * lines, _footer(results))
    parts = content.subfigures(lines, columns, squeeze=False).flat
    for letter, method in zip("ab", methods, strict=True):
        rows = [results.row(protocol, method) for protocol in protocols]
        for part, draw in ((next(parts), draw_accuracies), (next(parts), draw_losses)):
            for axes, row in zip(part.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
                axes.set_title(f"({letter}) {TITLES.get(method, method)}, {row.protocol}", color=INK["light"])
                prepare_epoch_axes(axes, "light")
                draw(axes, row)
                if not row.runs:
                    say_not_run(axes)
            _legend_outside(part)
    return figure


def say_not_run(axes: Axes) -> None:
    """Write `not run` into a plot without curves."""
    axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", fontsize=11, color=INK["light"])
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    axes.grid(visible=False)


def _legend_outside(part: SubFigure) -> None:
    """Name the curves of all plots of `part` below them, each name once."""
    named: dict[str, Artist] = {}
    for axes in part.axes:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if named:
        columns = len(named) if len(part.axes) > 1 else 2
        part.legend(
            handles=list(named.values()),
            labels=list(named),
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            labelcolor=INK["light"],
            handlelength=4,
            columnspacing=1.2,
        )


# Figure 8


def _accuracies_together(results: Results) -> Figure:
    """Draw the accuracies of all methods: on training images over epochs, on test images at the end."""
    figure, content = _methods_together(results, compare_accuracies)
    training = Line2D([], [], color=INK["light"], marker="o", markersize=5, label="p_acc (labeled training images)")
    test = hollow_marker("val_p_acc (sealed test set, after the last epoch)")
    content.legend(handles=[training, test], loc="outside lower center", ncols=2, frameon=False, labelcolor=INK["light"])
    return figure


def _losses_together(results: Results) -> Figure:
    """Draw the losses of all methods over epochs."""
    figure, _ = _methods_together(results, compare_losses)
    return figure


def _methods_together(results: Results, draw: Callable[[Axes, Sequence[Row]], None]) -> tuple[Figure, SubFigure]:
    """Draw all methods in one plot for each protocol, and return the figure and the part of it that holds the plots."""
    protocols = results.comparison.plan.protocols
    figure, content = new_figure(4.4, _footer(results))
    for axes, protocol in zip(content.subplots(1, len(protocols), squeeze=False)[0], protocols, strict=True):
        axes.set_title(f"all methods, {protocol}", color=INK["light"])
        prepare_epoch_axes(axes, "light")
        rows = [results.row(protocol, method) for method in METHODS]
        draw(axes, rows)
        if not any(row.runs for row in rows):
            say_not_run(axes)
        for row in rows:
            if not row.runs:
                axes.plot([], [], linestyle="none", label=f"{row.method}: not run")
        legend_below(axes, "light")
    return figure, content
