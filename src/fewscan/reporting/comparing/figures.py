"""The curves of all methods of a comparison, one plot for each protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from fewscan.comparison.results import Results, Row
from fewscan.datasets.protocols import titled
from fewscan.reporting.comparing.canvas import footer, new_figure, say_instead, write_figure
from fewscan.reporting.comparing.curves import Looks, draw_accuracies, draw_losses, hollow_marker, method_looks
from fewscan.reporting.figures import INK, legend_below, prepare_epoch_axes

FILES = ("accuracy.png", "loss.png")

Draw = Callable[[Axes, Sequence[Row], Looks], None]


@dataclass(frozen=True)
class Together:
    """Which methods stand in one plot, how their curves look, and what stands below the plots."""

    methods: Sequence[str]
    looks: Looks
    footer: Sequence[str]


def write_figures(results: Results, folder: Path) -> list[Path]:
    """Write FILES into `folder`, each replacing an older one, and return their paths.

    Raises FewscanError where one cannot be written.
    """
    together = Together(results.methods, method_looks(results.methods), footer(results))
    training, test = "training accuracy (labeled images, augmented)", "accuracy on the sealed test set, after the last epoch"
    draws = (
        partial(accuracies_figure, results, together, training=training, test=test),
        partial(losses_figure, results, together),
    )
    return [write_figure(draw, folder / name) for name, draw in zip(FILES, draws, strict=True)]


def accuracies_figure(results: Results, together: Together, *, training: str, test: str) -> Figure:
    """Draw the accuracies of all methods: on training images over epochs, on test images at the end, so called."""
    figure, content = _figure(results, together, draw_accuracies)
    curve = Line2D([], [], color=INK["light"], marker="o", markersize=5, label=training)
    content.legend(
        handles=[curve, hollow_marker(test)], loc="outside lower center", ncols=2, frameon=False, labelcolor=INK["light"]
    )
    return figure


def losses_figure(results: Results, together: Together) -> Figure:
    """Draw the losses of all methods over epochs."""
    figure, _ = _figure(results, together, draw_losses)
    return figure


def _figure(results: Results, together: Together, draw: Draw) -> tuple[Figure, SubFigure]:
    """Draw all methods in one plot for each protocol, and return the figure and the part of it that holds the plots."""
    protocols = results.comparison.plan.protocols
    figure, content = new_figure(4.4, together.footer)
    for axes, protocol in zip(content.subplots(1, len(protocols), squeeze=False)[0], protocols, strict=True):
        axes.set_title(f"all methods, split {titled(protocol)}", color=INK["light"])
        prepare_epoch_axes(axes, "light")
        rows = [results.row(protocol, method) for method in together.methods]
        draw(axes, rows, together.looks)
        if not any(row.runs for row in rows):
            say_instead(axes)
        for row in rows:
            if not row.runs:
                axes.plot([], [], linestyle="none", label=f"{row.method}: not run")
        legend_below(axes, "light")
    return figure, content
