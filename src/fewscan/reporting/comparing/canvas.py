"""The figures of comparisons: their width, letters and footer, and what stands in an empty plot."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fewscan.atomic import replaced_file
from fewscan.comparison.results import Results
from fewscan.reporting.comparing.sentences import NOT_RUN, epochs_said
from fewscan.reporting.figures import INK

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


def write_figure(draw: Callable[[], Figure], path: Path) -> Path:
    """Write what `draw` returns as PNG, replacing an older one, and return its path.

    Raises FewscanError where it cannot be written.
    """
    with mpl.rc_context(FONT_SIZES), replaced_file(path) as temporary:
        draw().savefig(temporary, format="png")
    return path


def say_instead(axes: Axes, why: str = NOT_RUN) -> None:
    """Write why there are none into a plot without curves, whose axes say nothing then."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", fontsize=11, color=INK["light"])
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    axes.grid(visible=False)


def footer(results: Results) -> list[str]:
    """Return what the curves were made with."""
    plan = results.comparison.plan
    runs = [run for run in results.trials.values() if run is not None]
    return [
        f"recipe {plan.recipe_as_changed}",
        epochs_said([run.run.settings for run in runs]),
        f"{results.image_size_px} px",
        f"seed{'s' if len(plan.seeds) > 1 else ''} {', '.join(str(seed) for seed in plan.seeds)}",
        f"{len(runs)} of {len(plan.trials)} runs finished" if len(runs) < len(plan.trials) else "",
        "curves: mean; bands and bars: range over seeds" if any(len(row.runs) > 1 for row in results.rows) else "",
    ]
