"""Pictures inside a page: scans and training curves as PNG data URIs, so that the page is one file."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

Theme = Literal["light", "dark"]

# A scan is never shown wider than this, so larger ones would only make the page heavy.
LARGEST_SCAN_PX = 224

# The accuracies of an epoch, as the log names them, in the order in which they are drawn.
ACCURACIES: dict[str, str] = {
    "p_acc": "p_acc",
    "val_p_acc": "val_p_acc (validation part)",
    "probe_accuracy": "nearest labelled neighbour",
    "c_acc": "c_acc",
    "r_acc": "r_acc",
}
NOT_LOSSES = {"epoch", "step", "learning_rate", "seconds", "loss", "r_acc_left_out", *ACCURACIES}

# Okabe and Ito's colours, which the colour-blind can tell apart, darker or lighter as the page is; line styles and markers
# tell the curves apart in grey.
COLORS: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#d55e00", "#007a5a", "#a8447f", "#000000"),
    "dark": ("#56b4e9", "#e69f00", "#2fc79b", "#e59bc6", "#f0e442"),
}
STYLES = ("solid", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1.5)))
MARKERS = ("o", "s", "^", "D", "v")
MARKERS_A_CURVE = 10
INK: dict[Theme, str] = {"light": "#1b1f24", "dark": "#e6e9ec"}
GRID: dict[Theme, str] = {"light": "#d3d9df", "dark": "#3a4149"}


def scan_picture(pixels: npt.NDArray[np.uint8], largest_px: int = LARGEST_SCAN_PX) -> str:
    """Return a scan (C, H, W) uint8, C being 1 or 3, as a PNG data URI; larger ones are shrunk to `largest_px`."""
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    picture.thumbnail((largest_px, largest_px))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return _data_uri(file)


def training_curves(metrics: Sequence[Mapping[str, Any]], theme: Theme) -> str:
    """Draw losses and accuracies over epochs, side by side on a transparent ground, as a PNG data URI.

    metrics: at least one epoch, as `Run.metrics` returns them; a number that is None or missing leaves a gap.
    """
    epochs = [numbers["epoch"] for numbers in metrics]
    figure = Figure(figsize=(11, 4), dpi=150, layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    _draw(losses, epochs, {name: _series(metrics, name) for name in loss_names(metrics)}, theme)
    losses.set_ylabel("loss")
    percentages = {text: 100 * _series(metrics, name) for name, text in ACCURACIES.items()}
    _draw(accuracies, epochs, percentages, theme)
    accuracies.set_ylabel("accuracy (%)")
    accuracies.set_ylim(-2, 102)
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True)
    return _data_uri(file)


def loss_names(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the logged losses; `loss`, their sum, stands first where there are several."""
    parts = list(dict.fromkeys(name for numbers in metrics for name in numbers if name not in NOT_LOSSES))
    return ["loss", *parts] if len(parts) != 1 else parts


def _draw(axes: Axes, epochs: Sequence[int], curves: Mapping[str, npt.NDArray[np.float64]], theme: Theme) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(colors=INK[theme])
    axes.grid(color=GRID[theme], linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(GRID[theme])
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK[theme])
    spacing = max(1, len(epochs) // MARKERS_A_CURVE)
    for number, (name, values) in enumerate(curves.items()):
        if not np.isfinite(values).any():
            continue
        look = number % len(STYLES)
        axes.plot(
            epochs,
            values,
            label=name,
            color=COLORS[theme][look],
            linestyle=STYLES[look],
            linewidth=1.8,
            marker=MARKERS[look],
            markersize=5,
            # Curves that lie close get their markers at different epochs.
            markevery=(number * spacing // max(1, len(curves)), spacing),
        )
    if axes.lines:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, labelcolor=INK[theme], handlelength=3.5
        )


def _series(metrics: Sequence[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64]:
    values = [numbers.get(name) for numbers in metrics]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _data_uri(file: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
