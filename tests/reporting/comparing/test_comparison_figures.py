"""The curves of a comparison show what there is to see of each method."""

from types import SimpleNamespace
from typing import Any

from matplotlib.figure import Figure

from fewscan.reporting.comparing.curves import draw_losses, method_looks


def logged(method: str, losses: list[float]) -> Any:
    """A method with one seed, of which this is all that the figure reads: a loss an epoch."""
    log = [{"epoch": number, "loss": loss} for number, loss in enumerate(losses, start=1)]
    return SimpleNamespace(method=method, runs=[SimpleNamespace(run=SimpleNamespace(metrics=lambda: log))])


def test_a_method_that_is_solved_at_once_has_no_curve_of_losses_and_is_named() -> None:
    axes = Figure().subplots()
    rows = [logged("supervised", [2.0, 1.0, 0.5]), logged("probe", [0.3])]
    draw_losses(axes, rows, method_looks([row.method for row in rows]))
    drawn = {str(line.get_label()): list(line.get_ydata()) for line in axes.lines if len(line.get_ydata())}
    assert drawn == {"supervised": [1, 0.5, 0.25]}
    assert any(str(label).startswith("probe") for label in axes.get_legend_handles_labels()[1])
