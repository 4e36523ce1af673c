"""Do probabilities mean what they say, and what does it cost to accept more: the reliability diagram and the decision curve."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fewscan.evaluation.metrics import CALIBRATION_BINS, Reliability, Scores
from fewscan.reporting.figures import DPI, INK, Theme, numbered_look, plots, prepare_axes

# The largest marker, in points squared, is the bin with the most images.
LARGEST_MARKER = 160
SMALLEST_MARKER = 12


class Accepted(NamedTuple):
    """What a rule for one target error accepts of the test set."""

    target_error: float
    share: float
    error: float


def reliability_diagram(curves: Mapping[str, Reliability], theme: Theme) -> str:
    """Draw accuracy against stated confidence for each of `curves`, by what they are called, as a PNG data URI."""
    figure, axes = _figure()
    axes.plot([0, 100], [0, 100], color=INK[theme], linewidth=0.9, linestyle=(0, (4, 3)), label="perfect calibration")
    for number, (name, bins) in enumerate(curves.items()):
        known = bins.images > 0
        images = bins.images[known]
        look = numbered_look(number, theme)
        confidence, accuracy = (100 * sums[known] / images for sums in (bins.confidence, bins.hits))
        axes.plot(confidence, accuracy, color=look.color, linestyle=look.style, linewidth=1.3)
        axes.scatter(
            confidence,
            accuracy,
            s=SMALLEST_MARKER + (LARGEST_MARKER - SMALLEST_MARKER) * images / images.max(),
            color=look.color,
            marker=look.marker,
            alpha=0.85,
            label=name,
        )
    axes.set_xlabel("stated confidence (%)")
    axes.set_ylabel("accuracy (%)")
    axes.set_xlim(100 / CALIBRATION_BINS, 102)
    axes.set_ylim(-2, 102)
    return _finished(figure, axes, theme)


def decision_curve(shares: Scores, errors: Scores, rules: Sequence[Accepted], theme: Theme) -> str:
    """Draw the error among accepted images against the share accepted, with what each rule comes to, as a PNG data URI.

    shares, errors: (N,), as `metrics.error_by_share` returns them.
    """
    figure, axes = _figure()
    look = numbered_look(0, theme)
    axes.plot(100 * shares, 100 * errors, color=look.color, linewidth=1.8, label="error among the most confident")
    for number, rule in enumerate(rules, start=1):
        look = numbered_look(number, theme)
        axes.axhline(100 * rule.target_error, color=look.color, linewidth=0.8, linestyle=look.style)
        axes.scatter(
            100 * rule.share,
            100 * rule.error,
            s=60,
            color=look.color,
            marker=look.marker,
            zorder=3,
            label=f"accepted at an error of at most {rule.target_error:g}",
        )
    axes.set_xlabel("accepted, most confident first (%)")
    axes.set_ylabel("wrong among them (%)")
    axes.set_xlim(0, 102)
    axes.set_ylim(bottom=-0.4)
    return _finished(figure, axes, theme)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 5.2), dpi=DPI, layout="constrained")
    return figure, figure.subplots()


def _finished(figure: Figure, axes: Axes, theme: Theme) -> str:
    prepare_axes(axes, theme)
    # Below, where it hides nothing; one name a line, since these are long.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, labelcolor=INK[theme], fontsize=9)
    (picture,) = plots(figure)
    return picture
