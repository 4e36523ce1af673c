"""What a score of a run on another dataset holds: its numbers, what was left out, and the run's score at home beside it."""

from typing import Self

import pydantic

from fewscan.config import Settings
from fewscan.evaluation.class_decisions import ClassDecisions
from fewscan.evaluation.evaluate import Evaluation, ScoreKind
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.shift import Shift
from fewscan.training.run import Run
from fewscan.wording import counted, each_counted, listed

_RENAMING = " ('import --rename OLD=NEW' renames one)"


class HomeScore(Settings):
    """The run's score on its own dataset, as it was then."""

    title: str
    accuracy: Interval
    balanced_accuracy: Interval


class LeftOut(Settings):
    """How many labeled scans of the other dataset are not scored, by why."""

    unknown_classes: dict[str, int]  # by class: ones that the run does not know
    conflicting: int  # copies of them have another label
    seen: dict[str, int]  # by how the run has seen them, or a scan of their group

    @property
    def sentences(self) -> list[str]:
        """Return what is to be said of it, in words; nothing where nothing was left out."""
        unknown, seen = sum(self.unknown_classes.values()), sum(self.seen.values())
        classes = f"{each_counted(self.unknown_classes)}{_RENAMING}" if unknown else ""
        said = (
            (unknown, f"of classes that the run does not know: {classes}"),
            (self.conflicting, "whose copies have another label"),
            (seen, f"not new to the run, or of a patient with one that is not: {each_counted(self.seen)}" if seen else ""),
        )
        return [f"left out: {counted(scans, 'scan')} {why}" for scans, why in said if scans]


class OtherEvaluation(Evaluation):
    """The content of `evaluation-NAME.json`: the openings are of the other dataset, by runs that do not learn from it."""

    kind: ScoreKind = "another dataset"
    dataset: str  # the name of its folder
    dataset_identity: str
    left_out: LeftOut
    test_copies: int  # of the scans: in the run's own test set, or copies of such; they are scored
    out_of_distribution: Interval  # the share of scans
    accepted: Interval  # the share of scans whose label `label` would accept at the target error
    wrong_accepted: Interval  # the share of wrong ones among these
    accepted_scans: int
    wrong_scans: int  # of these
    # By class, where anything is accepted; nothing in evaluations before 2026-11-30.
    decided: dict[str, ClassDecisions] = pydantic.Field(default_factory=dict)
    target_error: float
    threshold: float | None  # of the score, from which on labels are accepted; None where nothing is
    threshold_reason: str
    shift: Shift | None  # how typical the scans are as a whole, beside those learned from
    home: HomeScore | None  # None where the run was not evaluated on its own dataset

    @property
    def title(self) -> str:
        """What to call the score."""
        return f"score on another dataset, {self.dataset}"

    @property
    def image_word(self) -> str:
        """What to call one of its images."""
        return "scan"

    @property
    def place(self) -> str:
        """Where its images are from, in words."""
        return f"on {self.dataset}"

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Classes of the run that no scored scan has."""
        return tuple(score.name for score in self.classes if not score.images)

    @property
    def differences(self) -> dict[str, float]:
        """By how much scores are above those at home, by name; the balanced one only where no class is absent here."""
        names = ("accuracy",) if self.absent_classes else ("accuracy", "balanced_accuracy")
        pairs = {name: (getattr(self, name).value, getattr(self.home, name).value) for name in names if self.home is not None}
        return {name: here - home for name, (here, home) in pairs.items() if here is not None and home is not None}

    @property
    def limits(self) -> list[str]:
        """What the score does not say, what was left out, and whether the scans look different as a whole, in words."""
        said = []
        if self.absent_classes:
            said.append(f"no scan here is of {listed(self.absent_classes)}: the score says nothing about that")
        said += self.left_out.sentences
        if self.test_copies:
            of_both = f"scored, too: {counted(self.test_copies, 'scan')} from the run's own test set, or copies of such"
            said.append(f"{of_both}; this opened that test set")
        if self.shift is not None and self.shift.noticed:
            said.append(self.shift.sentence(self.accepted_scans))
        return said

    @classmethod
    def load_of(cls, run: Run, name: str) -> Self | None:
        """Return the run's evaluation on the dataset in a folder `name`, or None if there is none."""
        return run.stored(evaluation_file(name), cls, "evaluate", "--on", f"FOLDER/{name}")


# Of every score on another dataset.
NO_PROMISE = (
    "what 'fewscan label' promises is about scans like those held out from the run's own dataset, not about these",
    "a patient who is in both datasets is not recognized, only copies of scans are",
)


def evaluation_file(name: str) -> str:
    """Return what the score on the dataset in a folder `name` is called in the run's folder."""
    return f"evaluation-{name}.json"


def predictions_file(name: str) -> str:
    """Return what the predictions behind that score are called."""
    return f"predictions-{name}.csv"


def other_evaluations(run: Run) -> list[OtherEvaluation]:
    """Return the scores of a run on other datasets, by their names; raises FewscanError where one is damaged."""
    return [score for name in evaluated_on(run) if (score := OtherEvaluation.load_of(run, name)) is not None]


def evaluated_on(run: Run) -> list[str]:
    """Return the names of the datasets beside its own that the run was scored on."""
    before, after = evaluation_file("*").split("*")
    return sorted(path.name.removeprefix(before).removesuffix(after) for path in run.folder.glob(evaluation_file("*")))
