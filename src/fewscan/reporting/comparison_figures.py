"""The study's figures, drawn from a comparison: sample images, and the curves of every method under every protocol."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fewscan.atomic import replaced_file, writing
from fewscan.comparison.results import EvaluatedRun, Results, Row
from fewscan.data.dataset import Dataset
from fewscan.learning.registry import METHODS
from fewscan.reporting.figures import (
    INK,
    Look,
    draw_curve,
    epoch_series,
    legend_below,
    loss_names,
    numbered_look,
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

# A method looks the same in every figure; methods that the study does not have come last.
METHOD_LOOKS: dict[str, Look] = {
    name: numbered_look(number, "light")
    for number, name in enumerate(dict.fromkeys(("joint", "simclr", "nnclr", "barlow_twins", "supervised", *METHODS)))
}
# What stands beside a method's own curve: c_acc and r_acc, or the parts of a loss.
ASIDE_LOOKS = (Look("#4a5159", (0, (5, 1.5)), "x"), Look("#80878f", (0, (1, 1)), "+"))
ANY_METHOD = Look(INK["light"], "solid", "o")
TITLES = {"joint": "joint (proposed model)"}

STRIP = "#eef1f4"
BAND_OPACITY = 0.2

SAMPLES_A_ROW = 8
UNLABELED_ROWS = 2


@dataclass(frozen=True)
class Series:
    """One number of a method over epochs: mean, lowest and highest over seeds, each (E,)."""

    epochs: list[int]
    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @classmethod
    def of(cls, seeds: Sequence[npt.NDArray[np.float64]], epochs: list[int]) -> "Series":
        """Join one curve (E,) of each seed; an epoch that a seed has no number for is a gap."""
        values = np.stack(seeds)
        return cls(epochs, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


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
    size_px = results.comparison.dataset(plan.protocols[0]).description.image_size_px
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
        f"{dataset.description.image_size_px} px",
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


def _show(axes: Axes, dataset: Dataset, rows: npt.NDArray[np.int64]) -> None:
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
        for part, draw in ((next(parts), _draw_accuracies), (next(parts), _draw_losses)):
            for axes, row in zip(part.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
                axes.set_title(f"({letter}) {TITLES.get(method, method)}, {row.protocol}", color=INK["light"])
                prepare_epoch_axes(axes, "light")
                draw(axes, row)
                if not row.runs:
                    say_not_run(axes)
            _legend_outside(part)
    return figure


def _draw_accuracies(axes: Axes, row: Row) -> None:
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(-4, 104)
    if not row.runs:
        return
    look = METHOD_LOOKS[row.method]
    curves = {"p_acc": look, "c_acc": ASIDE_LOOKS[0], "r_acc": ASIDE_LOOKS[1]}
    for number, (name, its_look) in enumerate(curves.items()):
        _draw_series(axes, _percentages(row.runs, name), its_look, label=name, number=number)
    validation = _percentages(row.runs, "validation_accuracy")
    if np.isfinite(validation.mean).any():
        _draw_series(axes, validation, look, label="validation accuracy", number=len(curves), hollow=True)
    else:
        _draw_test_accuracy(axes, validation.epochs[-1], row, label="val_p_acc (sealed test part)")


def _draw_losses(axes: Axes, row: Row) -> None:
    axes.set_ylabel("loss")
    if not row.runs:
        return
    for number, name in enumerate(loss_names(row.runs[0].run.metrics())):
        look = ASIDE_LOOKS[(number - 1) % len(ASIDE_LOOKS)] if number else METHOD_LOOKS[row.method]
        _draw_series(axes, _over_seeds(row.runs, name), look, label=name, number=number)
    axes.set_ylim(bottom=0)


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
    figure, content = _methods_together(results, _compare_accuracies)
    training = Line2D([], [], color=INK["light"], marker="o", markersize=5, label="p_acc (labeled training images)")
    test = _test_marker("val_p_acc (sealed test part, after the last epoch)")
    content.legend(handles=[training, test], loc="outside lower center", ncols=2, frameon=False, labelcolor=INK["light"])
    return figure


def _losses_together(results: Results) -> Figure:
    """Draw the losses of all methods over epochs."""
    figure, _ = _methods_together(results, _compare_losses)
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


def _compare_accuracies(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(-2, 102)
    ran = [row for row in rows if row.runs]
    if not ran:
        return
    for number, row in enumerate(ran):
        _draw_series(axes, _percentages(row.runs, "p_acc"), METHOD_LOOKS[row.method], label=row.method, number=number)
    # Final accuracies lie close together: each method has its own place beyond the last epoch.
    last_epoch = max(_common_epochs(row.runs)[-1] for row in ran)
    step = 0.06 * max(1, last_epoch - 1)
    for number, row in enumerate(rows, start=1):
        _draw_test_accuracy(axes, last_epoch + number * step, row, label="")
    end = last_epoch + (len(rows) + 0.8) * step
    axes.axvspan(last_epoch + 0.4 * step, end, color=STRIP, zorder=0)
    axes.set_xlim(1 - step, end)
    ticks = MaxNLocator(nbins=6, integer=True).tick_values(1, last_epoch)
    axes.set_xticks([tick for tick in ticks if 1 <= tick <= last_epoch])
    axes.text(
        last_epoch + (len(rows) + 1) / 2 * step,
        -0.025,
        "test",
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="top",
        fontsize="small",
        color=INK["light"],
    )


def _compare_losses(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_ylabel("loss / loss of the first epoch")
    for number, row in enumerate(rows):
        if row.runs:
            _draw_series(axes, _relative_losses(row.runs), METHOD_LOOKS[row.method], label=row.method, number=number)
    axes.set_ylim(bottom=0)


# Curves over seeds


def _common_epochs(runs: Sequence[EvaluatedRun]) -> list[int]:
    return sorted(set.intersection(*({numbers["epoch"] for numbers in run.run.metrics()} for run in runs)))


def _logs(runs: Sequence[EvaluatedRun]) -> tuple[list[int], list[list[Mapping[str, Any]]]]:
    """Return the epochs that all seeds have, and each seed's log of them."""
    epochs = _common_epochs(runs)
    return epochs, [[numbers for numbers in run.run.metrics() if numbers["epoch"] in epochs] for run in runs]


def _over_seeds(runs: Sequence[EvaluatedRun], name: str) -> Series:
    epochs, logs = _logs(runs)
    return Series.of([epoch_series(log, name) for log in logs], epochs)


def _percentages(runs: Sequence[EvaluatedRun], name: str) -> Series:
    epochs, logs = _logs(runs)
    return Series.of([100 * epoch_series(log, name) for log in logs], epochs)


def _relative_losses(runs: Sequence[EvaluatedRun]) -> Series:
    """Return losses divided by the first epoch's: those of different methods have no common scale."""
    epochs, logs = _logs(runs)
    losses = [epoch_series(log, "loss") for log in logs]
    return Series.of([loss / loss[0] for loss in losses], epochs)


def _draw_series(axes: Axes, series: Series, look: Look, *, label: str, number: int, hollow: bool = False) -> None:
    draw_curve(axes, series.epochs, series.mean, look, label=label, number=number, curves=len(METHOD_LOOKS), hollow=hollow)
    if (series.high > series.low).any():
        axes.fill_between(series.epochs, series.low, series.high, color=look.color, alpha=BAND_OPACITY, linewidth=0)


def _draw_test_accuracy(axes: Axes, place: float, row: Row, *, label: str) -> None:
    """Mark the accuracy on the sealed test part, hollow, with a bar from the lowest to the highest seed."""
    known = [100 * run.evaluation.val_p_acc for run in row.runs if run.evaluation.val_p_acc is not None]
    if not known:
        return
    look = METHOD_LOOKS[row.method]
    axes.vlines(place, min(known), max(known), color=look.color, linewidth=1.5)
    marker = _test_marker(label, look)
    marker.set_data([place], [float(np.mean(known))])
    axes.add_line(marker)


def _test_marker(label: str, look: Look = ANY_METHOD) -> Line2D:
    return Line2D(
        [],
        [],
        color=look.color,
        linestyle="none",
        marker=look.marker,
        markersize=8,
        markerfacecolor="white",
        markeredgewidth=1.8,
        zorder=3,
        label=label,
    )
