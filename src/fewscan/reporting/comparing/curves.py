"""The curves of a comparison, each of a method's joined over its seeds."""

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
from fewscan.reporting.comparing.canvas import say_instead
from fewscan.reporting.figures import INK, Look, draw_curve, epoch_series, numbered_look

ANY_METHOD = Look(INK["light"], "solid", "o")

Looks = Mapping[str, Look]

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


def method_looks(methods: Sequence[str]) -> dict[str, Look]:
    """Return how the curves of methods look: one of fewscan's own the same in every comparison, whatever else is in it.

    Another row, such as `simclr+propagation`, looks as a method that is not there would.
    """
    own = list(METHODS)
    others = [name for name in dict.fromkeys(methods) if name not in METHODS]
    absent = [number for number, name in enumerate(own) if name not in methods]
    numbers = [*absent, *range(len(own), len(own) + len(others))]
    return {name: numbered_look(number, "light") for number, name in (*enumerate(own), *zip(numbers, others, strict=False))}


def draw_accuracies(axes: Axes, rows: Sequence[Row], looks: Looks) -> None:
    """Draw the accuracies of all methods: on training images over epochs, on test images at the end."""
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(-2, 102)
    ran = [row for row in rows if row.runs]
    if not ran:
        return
    for number, row in enumerate(ran):
        draw_series(axes, percentages(row.runs, "p_acc"), looks[row.method], row.method, number, len(looks))
    # Final accuracies lie close together: each method has its own place beyond the last epoch.
    last_epoch = max(_common_epochs(row.runs)[-1] for row in ran)
    step = 0.06 * max(1, last_epoch - 1)
    for number, row in enumerate(rows, start=1):
        draw_test_accuracy(axes, last_epoch + number * step, row, looks[row.method])
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


def draw_losses(axes: Axes, rows: Sequence[Row], looks: Looks) -> None:
    """Draw the losses of all methods, each divided by its first epoch's; one that is solved at once has no curve."""
    axes.set_ylabel("loss / loss of the first epoch")
    for number, row in enumerate(rows):
        if row.runs and len(_common_epochs(row.runs)) == 1:
            axes.plot([], [], linestyle="none", label=f"{row.method}: one epoch, no curve")
        elif row.runs:
            draw_series(axes, _relative_losses(row.runs), looks[row.method], row.method, number, len(looks))
    axes.set_ylim(bottom=0)
    ran = [row for row in rows if row.runs]
    if ran and all(len(_common_epochs(row.runs)) == 1 for row in ran):
        say_instead(axes, "no curves: each method was fitted at once or had one epoch")


def _common_epochs(runs: Sequence[EvaluatedRun]) -> list[int]:
    return sorted(set.intersection(*({numbers["epoch"] for numbers in run.run.metrics()} for run in runs)))


def _logs(runs: Sequence[EvaluatedRun]) -> tuple[list[int], list[list[Mapping[str, Any]]]]:
    """Return the epochs that all seeds have, and each seed's log of them."""
    epochs = _common_epochs(runs)
    return epochs, [[numbers for numbers in run.run.metrics() if numbers["epoch"] in epochs] for run in runs]


def over_seeds(runs: Sequence[EvaluatedRun], name: str) -> Series:
    """Return one number of a method's log, joined over its seeds, for the epochs that all have."""
    epochs, logs = _logs(runs)
    return Series.of([epoch_series(log, name) for log in logs], epochs)


def percentages(runs: Sequence[EvaluatedRun], name: str) -> Series:
    """Return the same of a share in [0, 1], in percent."""
    epochs, logs = _logs(runs)
    return Series.of([100 * epoch_series(log, name) for log in logs], epochs)


def _relative_losses(runs: Sequence[EvaluatedRun]) -> Series:
    """Return losses divided by the first epoch's: those of different methods have no common scale."""
    epochs, logs = _logs(runs)
    losses = [epoch_series(log, "loss") for log in logs]
    return Series.of([loss / loss[0] for loss in losses], epochs)


def draw_series(axes: Axes, series: Series, look: Look, label: str, number: int, curves: int, *, hollow: bool = False) -> None:
    """Draw curve `number` of so many `curves`: the mean over seeds, and a band from the lowest to the highest."""
    draw_curve(axes, series.epochs, series.mean, look, label=label, number=number, curves=curves, hollow=hollow)
    if (series.high > series.low).any():
        axes.fill_between(series.epochs, series.low, series.high, color=look.color, alpha=BAND_OPACITY, linewidth=0)


def draw_test_accuracy(axes: Axes, place: float, row: Row, look: Look, label: str = "") -> None:
    """Mark the accuracy on the sealed test set, hollow, with a bar from the lowest to the highest seed."""
    known = [value for run in row.runs if (value := run.percent("accuracy")) is not None]
    if not known:
        return
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
