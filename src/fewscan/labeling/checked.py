"""What a check shows about the labels of a table."""

from scipy.stats import hypergeom

from fewscan.config import Settings
from fewscan.labeling.under_check import quoted
from fewscan.labeling.worth_checking import Choice
from fewscan.labeling.wrong_share import CONFIDENCE
from fewscan.wording import counted

# Of classes alike in size each has an equal share of the labels; a class is rare that has less than this part of it.
RARE = 1 / 2


class ClassCheck(Settings):
    """How many labels of a class there are, were checked, and were wrong."""

    labels: int
    checked: int
    wrong: int


class Checked(Settings):
    """What a check shows about the labels of a table."""

    table: str
    answers: str
    checked_table: str  # where the table belongs as it stands after the check: beside it
    scans: int  # rows of the table
    class_names: tuple[str, ...] | None  # the classes whose labels are checked; None for all
    left_out: int  # labels of these that are not: less sure, out of distribution, or a reader's own
    labels: int  # those that are checked: of a scan that the run is at least so sure of, and that is in distribution
    accepted: int  # those of them that the run accepted
    least_score: float
    expected_wrong: float  # the share of them that the run expects to be wrong
    seen: int  # those of scans that the run has seen, which are easier than new ones
    others: tuple[Choice, ...]  # labels that could be checked instead
    at_most: float  # the share that may be wrong
    checked: int
    wrong: int  # another label, `unsure` or `not a scan`
    most_wrong: int  # of `labels`, the reader's own corrections not counted
    shown: bool  # whether that is within `at_most`
    more: int | None  # checks that would show it, were they all right; None where more are wrong already
    more_if_one_wrong: int | None  # at most so many would, were one of them wrong; None where they would not
    asked: int  # rows of the answers that wait for a label
    classes: dict[str, ClassCheck]  # those of them that are checked

    @property
    def what(self) -> str:
        """What is checked, for people: `354 labels 'normal'`."""
        return self.called(self.labels)

    def called(self, number: int) -> str:
        """Return so many labels of the classes that are checked, for people."""
        return counted(number, "label") + ("" if self.class_names is None else f" {quoted(self.class_names)}")

    @property
    def allowed(self) -> int:
        """How many of `labels` may be wrong."""
        return allowed_of(self.at_most, self.labels)

    @property
    def rare(self) -> tuple[str, ...]:
        """The classes with so few of the labels that what is said of all together says little of theirs, fewest first."""
        labels = {name: one.labels for name, one in self.classes.items()}
        few = [name for name, number in labels.items() if number * len(labels) < RARE * self.labels]
        return tuple(sorted(few, key=lambda name: labels[name]))

    def most_wrong_of(self, name: str) -> int:
        """Return how many labels of a class may be wrong, by what is shown, or asked for before anything is checked, of all."""
        most = self.most_wrong if self.checked else self.allowed
        one = self.classes[name]
        return min(most - (self.wrong - one.wrong), one.labels - one.checked + one.wrong)

    @property
    def too_many(self) -> bool:
        """Whether so many are wrong that more answers will hardly show it: more than chance brings where `at_most` are wrong.

        Were just so many wrong as may be, at least this many among those checked would come in less than 5 of 100 draws.
        """
        chance = float(hypergeom.sf(self.wrong - 1, self.labels, self.allowed, self.checked))
        return self.wrong > 0 and chance < 1 - CONFIDENCE

    @property
    def most_wrong_share(self) -> float:
        """The greatest share of wrong labels that the answers do not rule out, in [0, 1]."""
        return self.most_wrong / self.labels


def allowed_of(at_most: float, labels: int) -> int:
    """Return how many of so many labels may be wrong."""
    return int(at_most * labels + 1e-9)
