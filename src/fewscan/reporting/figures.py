"""Plots and training curves: how they look, and as PNG data URIs inside a page, so that the page is one file."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from fewscan.images.png import png_uri

Theme = Literal["light", "dark"]


# The accuracies of an epoch, as the log names them, in the order in which they are drawn.
ACCURACIES: dict[str, str] = {
    "p_acc": "training accuracy",
    "validation_accuracy": "validation accuracy",
    "probe_accuracy": "nearest labeled neighbor",
    "c_acc": "contrastive accuracy",
    "r_acc": "correlation accuracy",
}
# What features are like, no accuracies; of methods with two views.
FEATURE_NUMBERS: dict[str, str] = {
    "live_features": "live features (share)",
    "alignment": "alignment (0: views are the same)",
    "uniformity": "uniformity (0: all scans alike)",
}
# Okabe and Ito's colors, which the color-blind can tell apart, darker or lighter as the page is, and more; line styles and
# markers tell the curves apart in gray.
COLORS: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#d55e00", "#007a5a", "#a8447f", "#000000", "#8a6d00", "#5e35b1", "#4e6b12", "#7a2e0e"),
    "dark": ("#56b4e9", "#e69f00", "#2fc79b", "#e59bc6", "#f0e442", "#c9b8ff", "#ff8a65", "#a5d46a", "#8fb4c9"),
}
STYLES = (
    *("solid", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1.5)), (0, (9, 1.5, 1, 1.5, 1, 1.5))),
    *((0, (12, 3)), (0, (1, 3)), (0, (4, 1, 1, 1, 1, 1, 1, 1))),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p")
MARKERS_A_CURVE = 10
INK: dict[Theme, str] = {"light": "#1b1f24", "dark": "#e6e9ec"}
GRID: dict[Theme, str] = {"light": "#d3d9df", "dark": "#3a4149"}

DPI = 150
# So wide a page shows a plot of a row, more or less, on a desk as on a phone: letters are read on both.
PLOT_INCHES = 4.6
# Round a plot that is cut out.
MARGIN_PX = 4
# Of curves with longer names no two stand in one line below such a plot.
LETTERS_IN_TWO_COLUMNS = 20

LineStyle = str | tuple[int, tuple[float, ...]]


class Look(NamedTuple):
    """What tells a curve apart."""

    color: str
    style: LineStyle
    marker: str


def numbered_look(number: int, theme: Theme) -> Look:
    """Return the look of curve `number`; when the colors begin again, other styles and markers come with them."""
    color = number % len(STYLES)
    shape = (number + number // len(STYLES)) % len(STYLES)
    return Look(COLORS[theme][color], STYLES[shape], MARKERS[shape])


def plots(figure: Figure) -> list[str]:
    """Return each plot of a figure with all that belongs to it as a picture, on a transparent ground, as PNG data URIs.

    A page sets them beside one another where there is room, and else below one another.
    """
    whole = io.BytesIO()
    figure.savefig(whole, format="png", transparent=True)
    painted, pictures = Image.open(whole), []
    for axes in figure.axes:
        box = (axes.get_tightbbox() or axes.bbox).padded(MARGIN_PX)
        file = io.BytesIO()
        # Matplotlib counts from the bottom.
        painted.crop((int(box.x0), int(painted.height - box.y1), int(box.x1), int(painted.height - box.y0))).save(file, "PNG")
        pictures.append(png_uri(file.getvalue()))
    return pictures


def training_curves(metrics: Sequence[Mapping[str, Any]], theme: Theme) -> list[str]:
    """Draw losses, accuracies and, of methods with two views, what features are like over epochs: a picture each, as `plots`.

    metrics: at least one epoch, as `Run.metrics` returns them; a number that is None or missing leaves a gap.
    """
    epochs = [numbers["epoch"] for numbers in metrics]
    features = {text: epoch_series(metrics, name) for name, text in FEATURE_NUMBERS.items()}
    panels = 3 if any("alignment" in numbers for numbers in metrics) else 2
    figure = Figure(figsize=(PLOT_INCHES * panels, 4.4), dpi=DPI, layout="constrained")
    losses, accuracies, *further = figure.subplots(1, panels)
    _draw(losses, epochs, {name: epoch_series(metrics, name) for name in loss_names(metrics)}, theme)
    losses.set_ylabel("loss")
    percentages = {text: 100 * epoch_series(metrics, name) for name, text in ACCURACIES.items()}
    _draw(accuracies, epochs, percentages, theme)
    accuracies.set_ylabel("accuracy (%)")
    accuracies.set_ylim(-2, 102)
    for axes in further:
        _draw(axes, epochs, features, theme)
        axes.set_ylabel("features")
    return plots(figure)


def loss_names(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the losses that the log says are some; `loss`, their sum, stands first where there are several."""
    parts = list(dict.fromkeys(name for numbers in metrics for name in numbers.get("losses", ())))
    return ["loss", *parts] if len(parts) != 1 else parts


def epoch_series(metrics: Sequence[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64]:
    """Return one number of every epoch (E,), NaN where it is None or missing."""
    values = [numbers.get(name) for numbers in metrics]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def prepare_epoch_axes(axes: Axes, theme: Theme) -> None:
    """Make the horizontal axis one of epochs and give the plot the theme's ink and grid."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    prepare_axes(axes, theme)


def prepare_axes(axes: Axes, theme: Theme) -> None:
    """Give the plot the theme's ink and grid."""
    axes.tick_params(colors=INK[theme])
    axes.grid(color=GRID[theme], linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(GRID[theme])
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK[theme])


def draw_curve(
    axes: Axes,
    epochs: Sequence[int],
    values: npt.NDArray[np.float64],
    look: Look,
    *,
    label: str,
    number: int,
    curves: int,
    hollow: bool = False,
) -> None:
    """Draw curve `number` of so many `curves`; values: (E,), NaN leaves a gap. hollow: white markers and a thinner line."""
    known = np.flatnonzero(np.isfinite(values))
    spacing = max(1, len(known) // MARKERS_A_CURVE)
    # Curves that lie close get their markers at different epochs. NaN is not counted, so that a lone number is still seen.
    marked = known[number * spacing // max(1, curves) :: spacing]
    axes.plot(
        epochs,
        values,
        label=label,
        color=look.color,
        linestyle=look.style,
        linewidth=1.2 if hollow else 1.8,
        marker=look.marker,
        markersize=5,
        markerfacecolor="white" if hollow else look.color,
        markevery=marked.tolist(),
    )


def legend_below(axes: Axes, theme: Theme, columns: int = 2) -> None:
    """Name the curves below the plot, where they hide nothing."""
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=columns,
        frameon=False,
        labelcolor=INK[theme],
        handlelength=4,
        columnspacing=1.2,
    )


def _draw(axes: Axes, epochs: Sequence[int], curves: Mapping[str, npt.NDArray[np.float64]], theme: Theme) -> None:
    prepare_epoch_axes(axes, theme)
    for number, (name, values) in enumerate(curves.items()):
        if np.isfinite(values).any():
            draw_curve(axes, epochs, values, numbered_look(number, theme), label=name, number=number, curves=len(curves))
    if axes.lines:
        longest = max(len(str(line.get_label())) for line in axes.lines)
        legend_below(axes, theme, 2 if longest <= LETTERS_IN_TWO_COLUMNS else 1)
