"""A stress test as a picture: what is right, and what is wrong among the accepted, under each corruption at each strength."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fewscan.atomic import replaced_file
from fewscan.reporting.figures import DPI, INK, Theme
from fewscan.stressing.corruption import STRENGTHS
from fewscan.stressing.stress import StressTest

# From dark blue to yellow, its lightness growing evenly: the color-blind read it, and so does who prints in gray.
COLORS = mpl.colormaps["cividis"]
# Of the accuracy on unchanged scans, what is darkest; and which share of wrong labels is.
LEAST_KEPT, MOST_WRONG = 0.4, 0.3
# Of the way from dark to light, from where on dark figures are read best.
_LIGHT = 0.55
_ROW_INCHES = 0.29

Shares = npt.NDArray[np.float64]  # (corruptions, STRENGTHS), NaN where there is none


def write_stress_figure(test: StressTest, out: Path) -> None:
    """Write `draw_stress` as the PNG file `out`, replacing an older one."""
    with replaced_file(out) as temporary:
        draw_stress(test, "light").savefig(temporary, format="png")


def draw_stress(test: StressTest, theme: Theme = "light") -> Figure:
    """Draw two grids, a row a corruption, the worst first, a column a strength: accuracy, and wrong ones among the accepted."""
    names = test.corruptions
    rows = {name: number for number, name in enumerate(names)}
    right, wrong = (np.full((len(names), STRENGTHS), np.nan) for _ in range(2))
    for condition in test.conditions:
        place = rows[condition.corruption], condition.strength - 1
        for shares, interval in ((right, condition.accuracy), (wrong, condition.wrong_accepted)):
            shares[place] = np.nan if interval.value is None else interval.value
    panels = 2 if test.some_accepted else 1
    figure = Figure(figsize=(5.4 * panels, 1.2 + _ROW_INCHES * len(names)), dpi=DPI, layout="constrained")
    grids = np.atleast_1d(figure.subplots(1, panels))
    whole = test.unchanged.accuracy.value or 1.0
    kept = (right / whole - LEAST_KEPT) / (1 - LEAST_KEPT)
    _grid(grids[0], right, kept, f"accuracy in percent; unchanged: {100 * whole:.0f}", theme)
    if panels == 2:
        asked = f"wrong among the accepted, in percent; target: {100 * test.target_error:g}"
        _grid(grids[1], wrong, 1 - wrong / MOST_WRONG, asked, theme)
    for axes in grids:
        axes.set_yticks(range(len(names)), names)
    return figure


def _grid(axes: Axes, shares: Shares, lightness: Shares, title: str, theme: Theme) -> None:
    """Draw shares in percent, each on a ground as light as it is good: `lightness` in [0, 1], what is beyond is cut."""
    lightness = lightness.clip(0, 1)
    axes.imshow(np.ma.masked_invalid(lightness), cmap=COLORS, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if np.isfinite(share):
            ink = "black" if lightness[row, column] > _LIGHT else "white"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(shares.shape[1]), [str(strength + 1) for strength in range(shares.shape[1])])
    axes.set_xlabel("strength", color=INK[theme])
    axes.set_title(title, color=INK[theme], fontsize=10)
    axes.tick_params(colors=INK[theme], length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
