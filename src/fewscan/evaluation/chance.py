"""What a classifier would reach without looking at a scan, and whether a run shows that it reaches more."""

from collections.abc import Sequence
from dataclasses import dataclass

from fewscan.evaluation.evaluate import Evaluation
from fewscan.training.symptoms import LEAST_OTHERS


@dataclass(frozen=True)
class ChanceLevel:
    """Scores without looking at the scans, in [0, 1]."""

    commonest: str  # the class that most images have
    accuracy: float  # of calling every image by it
    balanced_accuracy: float  # of that, or of any other guessing

    def __str__(self) -> str:
        """Return it in a line for people."""
        balanced = f"balanced {100 * self.balanced_accuracy:.1f} %"
        return f"{100 * self.accuracy:.1f} % if every image is called '{self.commonest}'; {balanced}"

    @classmethod
    def of(cls, classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> "ChanceLevel":
        """Return it for (K, K) counts, one row a true class."""
        images = [sum(row) for row in confusion]
        most = max(range(len(images)), key=images.__getitem__)
        return cls(classes[most], images[most] / sum(images), 1 / sum(count > 0 for count in images))


def chance_level(evaluation: Evaluation) -> ChanceLevel:
    """Return what the images of `evaluation` would give without looking at the scans."""
    return ChanceLevel.of([score.name for score in evaluation.classes], evaluation.confusion)


def chance_warnings(evaluation: Evaluation) -> list[str]:
    """Return in plain words what speaks for a network that has learned nothing, or nothing yet that its score can show."""
    chance = chance_level(evaluation)
    if chance.accuracy == 1:
        return [
            f"no {evaluation.image_word} is of another class than '{chance.commonest}': to call every image so is always "
            "right, so the accuracy does not show whether the network tells classes apart"
        ]
    called = [sum(column) for column in zip(*evaluation.confusion, strict=True)]
    most = max(range(len(called)), key=called.__getitem__)
    others = 1 - called[most] / sum(called)
    if others < LEAST_OTHERS * (1 - chance.accuracy):
        return [
            f"{called[most]:,} of {sum(called):,} {evaluation.image_word}s are called '{evaluation.classes[most].name}': the "
            "network has collapsed to one class, and its labels mean nothing"
        ]
    found = []
    for name, score, reached in (
        ("accuracy", evaluation.accuracy, chance.accuracy),
        ("balanced accuracy", evaluation.balanced_accuracy, chance.balanced_accuracy),
    ):
        if score.low is None or score.low <= reached:
            found.append(f"the {name}, {score.percent}, is not shown to be above chance, which is {100 * reached:.1f} %")
    return found
