"""What a reader of a run's scores has to know before believing them."""

from fewscan.evaluation.chance import chance_warnings
from fewscan.evaluation.evaluate import Evaluation
from fewscan.splits.class_gaps import class_warnings


def score_warnings(evaluation: Evaluation) -> list[str]:
    """Return in plain words which classes the scores leave out, what speaks for a network that has learned nothing, and which
    labels are of no single image.
    """
    untested = tuple(score.name for score in evaluation.classes if not score.images)
    found = class_warnings(evaluation.never_learned, untested if evaluation.on_test_set else ())
    return [*found, *chance_warnings(evaluation), *_of_wholes(evaluation)]


def _of_wholes(evaluation: Evaluation) -> list[str]:
    """Return how many labels were given for a whole study, say, and what that does to the scores."""
    if not evaluation.whole_labels.given:
        return []
    said = evaluation.whole_labels.sentence(f"of {evaluation.image_word}s")
    patients = "" if evaluation.patients is None else f". The score by {evaluation.patients.called} suffers less"
    return [
        f"{said}. If the network calls such an image by what it shows, that counts as a mistake. A network that learned from "
        f"such labels also calls images of healthy people by a finding{patients}"
    ]
