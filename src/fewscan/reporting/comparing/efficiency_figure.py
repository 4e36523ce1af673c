"""Label-efficiency curves: scores on the test images against the number of labels, one curve a method."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from fewscan.comparison.budgets import LabelEfficiency, Point
from fewscan.datasets.protocols import titled
from fewscan.reporting.comparing.canvas import new_figure, say_instead, write_figure
from fewscan.reporting.comparing.curves import method_looks
from fewscan.reporting.comparing.sentences import all_seeds, title
from fewscan.reporting.figures import INK, Look, prepare_axes

FIGURE_FILE = "label_efficiency.png"

SCORES = ("accuracy", "balanced_accuracy", "auroc")

# Curves of neighboring methods are set apart by this share of the axis, so that no bar hides another.
APART = 0.012
MARGIN = 0.08
# Budgets that lie closer on the axis than this share of it have their numbers upright, so that they do not run together.
ROOM_FOR_A_NUMBER = 0.2

METHODS_A_LINE = 5


def write_efficiency_figure(efficiency: LabelEfficiency) -> Path:
    """Write `draw_efficiency` as `label_efficiency.png` into its folder, replacing an older one, and return its path.

    Raises FewscanError where it cannot be written.
    """
    return write_figure(partial(draw_efficiency, efficiency), efficiency.folder / FIGURE_FILE)


def draw_efficiency(efficiency: LabelEfficiency) -> Figure:
    """Draw accuracy, balanced accuracy and AUROC, in percent, against labels on a logarithmic axis; protocols are rows.

    A mark is the mean over seeds, a bar reaches one standard deviation up and down. A method without runs has no curve and is
    named as such.
    """
    protocols, methods = efficiency.protocols, efficiency.methods
    figure, content = new_figure(0.5 + 2.7 * len(protocols), _footer(efficiency))
    grid = content.subplots(len(protocols), len(SCORES), squeeze=False, sharex=True, sharey="col")
    drawn: dict[str, Line2D] = {}
    looks = method_looks(methods)
    for line, protocol in zip(grid, protocols, strict=True):
        points = {method: [efficiency.point(labels, protocol, method) for labels in efficiency.budgets] for method in methods}
        for axes, score in zip(line, SCORES, strict=True):
            axes.set_title(f"{title(score)}, {titled(protocol)}" if len(protocols) > 1 else title(score), color=INK["light"])
            _prepare(axes, efficiency.budgets)
            for number, (method, of_method) in enumerate(points.items()):
                if any(point.row.runs for point in of_method):
                    shift = APART * (number - (len(methods) - 1) / 2)
                    drawn[method] = _draw_method(axes, of_method, score, looks[method], shift)
            if not axes.lines:
                say_instead(axes)
    for axes in grid[:, 0]:
        axes.set_ylabel("percent")
    for axes in grid[-1]:
        axes.set_xlabel("labels")
    content.legend(
        handles=[drawn.get(method, Line2D([], [], linestyle="none")) for method in methods],
        labels=[method if method in drawn else f"{method}: not run" for method in methods],
        loc="outside lower center",
        ncols=min(METHODS_A_LINE, len(methods)),
        frameon=False,
        labelcolor=INK["light"],
        handlelength=3.5,
    )
    return figure


def _prepare(axes: Axes, budgets: Sequence[int]) -> None:
    """Make the horizontal axis a logarithmic one of labels, with ticks at the budgets and nowhere else."""
    prepare_axes(axes, "light")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(budgets))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda labels, _: f"{labels:,.0f}")
    low, high = _ends(budgets)
    steps = np.diff(np.log(sorted(budgets))) / np.log(high / low)
    if (steps < ROOM_FOR_A_NUMBER).any():
        axes.tick_params(axis="x", labelrotation=90)
    room = (high / low) ** MARGIN
    axes.set_xlim(low / room, high * room)


def _ends(budgets: Sequence[int]) -> tuple[float, float]:
    """Return the lowest and highest budget; a lone one stands amidst an axis of its half to its double."""
    low, high = min(budgets), max(budgets)
    return (low, high) if low < high else (low / 2, low * 2)


def _draw_method(axes: Axes, points: Sequence[Point], score: str, look: Look, shift: float) -> Line2D:
    """Draw one method's curve, moved to the right by the share `shift` of the axis, and return its line."""
    cells = {point.labels: point.row.cell(score) for point in points}
    known = {labels: (cell.mean, cell.spread) for labels, cell in cells.items() if cell.mean is not None}
    low, high = _ends(list(cells))
    bars = axes.errorbar(
        np.array(list(known)) * (high / low) ** shift,
        [mean for mean, _ in known.values()],
        yerr=[spread or 0.0 for _, spread in known.values()],
        color=look.color,
        linestyle=look.style,
        linewidth=1.6,
        marker=look.marker,
        markersize=5,
        elinewidth=1,
        capsize=2,
    )
    line: Line2D = bars.lines[0]
    return line


def _footer(efficiency: LabelEfficiency) -> list[str]:
    """Return what the curves were made with."""
    plans = efficiency.plans
    seeds = all_seeds(plans)
    planned = sum(len(plan.trials) for plan in plans)
    rows = [point.row for point in efficiency.points]
    ran = sum(len(row.runs) for row in rows)
    return [
        f"recipe {plans[0].recipe_as_changed}",
        f"{plans[0].split.test:,} test images",
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}",
        f"{ran} of {planned} runs finished" if ran < planned else "",
        "mean; bars: one standard deviation over seeds" if any(len(row.runs) > 1 for row in rows) else "",
    ]
