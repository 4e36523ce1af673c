"""The curves of a comparison: of one method or of all in one plot, each joined over its seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fewscan.comparison.results import EvaluatedRun, Row
from fewscan.learning.registry import METHODS
from fewscan.reporting.figures import INK, Look, draw_curve, epoch_series, loss_names, numbered_look

# A method looks the same in every figure; methods that the study does not have come last.
METHOD_LOOKS: dict[str, Look] = {
    name: numbered_look(number, "light")
    for number, name in enumerate(dict.fromkeys(("joint", "simclr", "nnclr", "barlow_twins", "supervised", *METHODS)))
}
# What stands beside a method's own curve: c_acc and r_acc, or the parts of a loss.
ASIDE_LOOKS = (Look("#4a5159", (0, (5, 1.5)), "x"), Look("#80878f", (0, (1, 1)), "+"))
ANY_METHOD = Look(INK["light"], "solid", "o")

STRIP = "#eef1f4"
BAND_OPACITY = 0.2


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


def draw_accuracies(axes: Axes, row: Row) -> None:
    """Draw one method's accuracies over epochs, and on the test set where it was not validated."""
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
        _draw_test_accuracy(axes, validation.epochs[-1], row, label="val_p_acc (sealed test set)")


def draw_losses(axes: Axes, row: Row) -> None:
    """Draw one method's losses over epochs."""
    axes.set_ylabel("loss")
    if not row.runs:
        return
    for number, name in enumerate(loss_names(row.runs[0].run.metrics())):
        look = ASIDE_LOOKS[(number - 1) % len(ASIDE_LOOKS)] if number else METHOD_LOOKS[row.method]
        _draw_series(axes, _over_seeds(row.runs, name), look, label=name, number=number)
    axes.set_ylim(bottom=0)


def compare_accuracies(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the accuracies of all methods: on training images over epochs, on test images at the end."""
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


def compare_losses(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the losses of all methods, each divided by its first epoch's."""
    axes.set_ylabel("loss / loss of the first epoch")
    for number, row in enumerate(rows):
        if row.runs:
            _draw_series(axes, _relative_losses(row.runs), METHOD_LOOKS[row.method], label=row.method, number=number)
    axes.set_ylim(bottom=0)


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
    """Mark the accuracy on the sealed test set, hollow, with a bar from the lowest to the highest seed."""
    known = [100 * run.evaluation.val_p_acc for run in row.runs if run.evaluation.val_p_acc is not None]
    if not known:
        return
    look = METHOD_LOOKS[row.method]
    axes.vlines(place, min(known), max(known), color=look.color, linewidth=1.5)
    marker = hollow_marker(label, look)
    marker.set_data([place], [float(np.mean(known))])
    axes.add_line(marker)


def hollow_marker(label: str, look: Look = ANY_METHOD) -> Line2D:
    """Return the mark of an accuracy on the test set."""
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
