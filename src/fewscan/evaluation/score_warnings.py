"""What a reader of a run's scores has to know before believing them."""

from fewscan.evaluation.chance import chance_warnings
from fewscan.evaluation.evaluate import Evaluation
from fewscan.splits.class_gaps import class_warnings


def score_warnings(evaluation: Evaluation) -> list[str]:
    """Return in plain words which classes the scores leave out, and what speaks for a network that has learned nothing."""
    untested = tuple(score.name for score in evaluation.classes if not score.images)
    found = class_warnings(evaluation.never_learned, untested if evaluation.on_test_set else ())
    return [*found, *chance_warnings(evaluation)]
