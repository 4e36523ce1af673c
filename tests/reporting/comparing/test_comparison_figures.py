"""The curves of a comparison show what there is to see of each method."""

from types import SimpleNamespace
from typing import Any

from matplotlib.figure import Figure

from fewscan.reporting.comparing.curves import draw_losses, method_looks
from fewscan.reporting.comparing.sentences import epochs_said
from fewscan.training.settings import RunSettings


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


def test_where_no_method_has_a_curve_of_losses_that_is_said_in_the_place_of_numbers_of_nothing() -> None:
    axes = Figure().subplots()
    rows = [logged("propagation", [0.2]), logged("probe", [0.3])]
    draw_losses(axes, rows, method_looks([row.method for row in rows]))
    axes.figure.draw_without_rendering()
    assert [text.get_text() for text in axes.texts if text.get_text().startswith("no curves")]
    assert not any(tick.label1.get_visible() for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks())


def test_epochs_are_those_of_methods_that_have_some() -> None:
    solved = RunSettings.resolve("probe", "fewscan", {}, labeled=12, unlabeled=40)
    trained = [RunSettings.resolve("supervised", "fewscan", {"epochs": number}, labeled=12, unlabeled=40) for number in (1, 25)]
    assert epochs_said([solved]) == ""
    assert epochs_said([solved, trained[0]]) == "1 epoch"
    assert epochs_said([solved, *trained]) == "1 to 25 epochs"
    assert epochs_said([trained[1]]) == "25 epochs"
