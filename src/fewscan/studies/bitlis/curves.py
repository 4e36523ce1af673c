"""The study's figures 7 and 9: accuracies and losses of two methods, each in plots of its own."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fewscan.comparison.results import Results, Row
from fewscan.datasets.protocols import titled
from fewscan.learning.registry import METHODS
from fewscan.reporting.comparing.canvas import new_figure, say_instead
from fewscan.reporting.comparing.curves import draw_series, draw_test_accuracy, over_seeds, percentages
from fewscan.reporting.figures import INK, Look, loss_names, numbered_look, prepare_epoch_axes

# The study's methods first: so they look alike in all of its figures.
LOOKS: dict[str, Look] = {
    name: numbered_look(number, "light")
    for number, name in enumerate(dict.fromkeys(("joint", "simclr", "nnclr", "barlow_twins", "supervised", *METHODS)))
}
# What stands beside a method's own curve: c_acc and r_acc, or the parts of a loss.
ASIDE_LOOKS = (Look("#4a5159", (0, (5, 1.5)), "x"), Look("#80878f", (0, (1, 1)), "+"))

TITLES = {"joint": "joint (proposed model)"}


def methods_apart(results: Results, methods: tuple[str, str], footer: list[str]) -> Figure:
    """Draw accuracy and loss of two methods, each in plots of its own; protocols are columns where there are several."""
    protocols = results.comparison.plan.protocols
    # One protocol leaves room for accuracy and loss side by side, as in the study.
    columns = 2 if len(protocols) == 1 else 1
    lines = 4 // columns
    figure, content = new_figure(2.45 * lines, footer)
    parts = content.subfigures(lines, columns, squeeze=False).flat
    for letter, method in zip("ab", methods, strict=True):
        rows = [results.row(protocol, method) for protocol in protocols]
        for part, draw in ((next(parts), draw_accuracies), (next(parts), draw_losses)):
            for axes, row in zip(part.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
                axes.set_title(f"({letter}) {TITLES.get(method, method)}, split {titled(row.protocol)}", color=INK["light"])
                prepare_epoch_axes(axes, "light")
                draw(axes, row)
                if not row.runs:
                    say_instead(axes)
            _legend_outside(part)
    return figure


def draw_accuracies(axes: Axes, row: Row) -> None:
    """Draw one method's accuracies over epochs, and on the test set where it was not validated."""
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(-4, 104)
    if not row.runs:
        return
    look = LOOKS[row.method]
    curves = {"p_acc": look, "c_acc": ASIDE_LOOKS[0], "r_acc": ASIDE_LOOKS[1]}
    for number, (name, its_look) in enumerate(curves.items()):
        draw_series(axes, percentages(row.runs, name), its_look, name, number, len(LOOKS))
    validation = percentages(row.runs, "validation_accuracy")
    if np.isfinite(validation.mean).any():
        draw_series(axes, validation, look, "validation accuracy", len(curves), len(LOOKS), hollow=True)
    else:
        draw_test_accuracy(axes, validation.epochs[-1], row, look, "val_p_acc (sealed test set)")


def draw_losses(axes: Axes, row: Row) -> None:
    """Draw one method's losses over epochs."""
    axes.set_ylabel("loss")
    if not row.runs:
        return
    for number, name in enumerate(loss_names(row.runs[0].run.metrics())):
        look = ASIDE_LOOKS[(number - 1) % len(ASIDE_LOOKS)] if number else LOOKS[row.method]
        draw_series(axes, over_seeds(row.runs, name), look, name, number, len(LOOKS))
    axes.set_ylim(bottom=0)


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
