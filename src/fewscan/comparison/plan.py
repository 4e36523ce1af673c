"""What a comparison consists of, and where the parts of it lie.

A comparison is a folder: `plan.json`, `snapshots/PROTOCOL.parquet` (the dataset under its split),
`runs/PROTOCOL/METHOD-seedN` (runs like any other), `encoders/PROTOCOL/NAME` (runs without labels that some of these begin
with), then tables, figures and one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

from fewscan.atomic import new_folder, write_bytes, write_text
from fewscan.comparison.encoders import ENCODERS, encoder_name, lesson_of
from fewscan.comparison.method_settings import refuse_settings_of_no_method, settings_of
from fewscan.comparison.ways import Way
from fewscan.config import Settings, spelled_out
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import Protocol, Shares
from fewscan.datasets.protocols import REGISTRY
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import MARKS
from fewscan.learning.supervised import Supervised
from fewscan.splits.split import drawn
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.unlabeled_first import Lesson
from fewscan.wording import listed

PLAN_FILE = MARKS["comparison"]
USUAL_BASELINE = Supervised.name

# The scores that are a mean over test images, each with its weight: their differences can be tested image by image.
RankedBy = Literal["accuracy", "balanced_accuracy"]


@dataclass(frozen=True)
class Trial:
    """One training: a method, or another way to learn as `Way` reads it, under a protocol's split, from a seed."""

    protocol: Protocol
    method: str
    seed: int

    def __str__(self) -> str:
        """Return `PROTOCOL/METHOD-seedN`."""
        return f"{self.protocol}/{self.method}-seed{self.seed}"


class SplitSizes(Settings):
    """How the parts of either protocol's split are drawn."""

    labeled: int  # the budget of labels, the validation set included
    within: tuple[int, ...] = ()  # larger budgets that it was drawn out of, the largest first
    validation: float  # share of the budget
    test: int
    seed: int
    shares: Shares = "known"


class Asked(Settings):
    """What one command asked for: each of these methods, with each seed, under each protocol."""

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    protocols: tuple[Protocol, ...]

    @property
    def trials(self) -> list[Trial]:
        """Every training of it, the first seed's first."""
        return [Trial(protocol, method, seed) for seed, protocol, method in product(self.seeds, self.protocols, self.methods)]


class Plan(Settings):
    """The content of `plan.json`: what is compared. It may grow by what further commands ask for; all else stays."""

    dataset: str
    dataset_fingerprint: str
    split: SplitSizes
    recipe: str
    changes: dict[str, Any]
    asked: tuple[Asked, ...]
    named_baseline: str | None = None  # by --baseline
    named_score: RankedBy | None = None  # by --rank-by
    encoders: str = ENCODERS  # where those lie that learn without labels first, from the comparison's folder on

    @property
    def baseline(self) -> str | None:
        """The method that the others are held against: the named one, else `supervised` where it is compared, else none."""
        usual = USUAL_BASELINE if USUAL_BASELINE in self.methods else None
        return self.named_baseline or usual

    @property
    def ranked_by(self) -> RankedBy:
        """The score whose mean ranks the methods, and whose differences are tested: the named one, else accuracy."""
        return self.named_score or "accuracy"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are compared at all, in the order in which they were asked for."""
        return tuple(dict.fromkeys(method for asked in self.asked for method in asked.methods))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that any method is trained from."""
        return tuple(dict.fromkeys(seed for asked in self.asked for seed in asked.seeds))

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols that any method is trained under, always in the same order."""
        return REGISTRY.in_order(name for asked in self.asked for name in asked.protocols)

    @property
    def trials(self) -> list[Trial]:
        """Every training of the comparison."""
        return list(dict.fromkeys(trial for asked in self.asked for trial in asked.trials))

    def seeds_of(self, protocol: Protocol, method: str) -> tuple[int, ...]:
        """Return the seeds that a method is to be trained from under a protocol."""
        return tuple(trial.seed for trial in self.trials if (trial.protocol, trial.method) == (protocol, method))

    def grown_by(self, plan: Self) -> Self:
        """Return this plan with what `plan` asks for beyond it."""
        known = set(self.trials)
        further = tuple(asked for asked in plan.asked if not known.issuperset(asked.trials))
        named = {
            "named_baseline": plan.named_baseline or self.named_baseline,
            "named_score": plan.named_score or self.named_score,
        }
        return self.model_copy(update={"asked": (*self.asked, *further), **named})

    def settings(self, trial: Trial, *, labeled: int, unlabeled: int, first: Path | None = None) -> RunSettings:
        """Return the settings of a run on a dataset of that size; raises FewscanError naming a wrong one.

        first: the finished run whose encoder it begins with.
        """
        size = {"labeled": labeled, "unlabeled": unlabeled}
        return settings_of(trial.method, self.recipe, self.changes, seed=trial.seed, **size, first=first)

    def require_consistency(self) -> None:
        """Raise FewscanError where the named baseline, or a changed setting, is of none of the methods."""
        refuse_settings_of_no_method(self.methods, self.changes)
        if self.named_baseline is not None and self.named_baseline not in self.methods:
            raise FewscanError(
                f"--baseline {self.named_baseline} is not among the compared methods, {listed(self.methods)}: "
                "add it to --methods"
            )

    def under(self, protocols: Sequence[Protocol]) -> Self:
        """Return the same plan under some of its protocols alone."""
        asked = [each.model_copy(update={"protocols": tuple(set(protocols) & set(each.protocols))}) for each in self.asked]
        return self.model_copy(update={"asked": tuple(each for each in asked if each.protocols)})

    def with_labels(self, labels: int, within: Sequence[int]) -> Self:
        """Return the same plan with another budget of labels, drawn out of larger ones."""
        return self.model_copy(update={"split": self.split.model_copy(update={"labeled": labels, "within": tuple(within)})})

    @property
    def recipe_as_changed(self) -> str:
        """The recipe's name, and the settings that were laid over it."""
        changes = " ".join(spelled_out(self.changes))
        return f"{self.recipe} with {changes}" if changes else self.recipe


@dataclass(frozen=True)
class Comparison:
    """An opened comparison folder."""

    folder: Path
    plan: Plan

    @classmethod
    def begin(cls, folder: Path, plan: Plan) -> Self:
        """Make the folder of a comparison, or go on with the one that stands there, with all that was planned before.

        Raises FewscanError where the dataset cannot give the splits, where something else stands there, or where the comparison
        there has another dataset, split, recipe or other settings.
        """
        if not folder.exists():
            plan.require_consistency()
            with new_folder(folder) as temporary:
                write_text(temporary / PLAN_FILE, plan.model_dump_json(indent=2) + "\n")
                begun = cls(temporary, plan)
                for protocol in plan.protocols:
                    # A split that the dataset cannot give leaves no folder behind that would ask for it again.
                    begun.dataset(protocol)
            return cls(folder, plan)
        standing = cls.open(folder)
        standing.refuse_another(plan)
        grown = standing.plan.grown_by(plan)
        grown.require_consistency()
        write_text(folder / PLAN_FILE, grown.model_dump_json(indent=2) + "\n")
        return cls(folder, grown)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a comparison folder; raises FewscanError where it is none."""
        if not (folder / PLAN_FILE).is_file():
            raise FewscanError(f"{folder} exists and is not a comparison (no {PLAN_FILE}): choose another --out")
        return cls(folder, Plan.read(folder / PLAN_FILE, "choose another --out"))

    def ranking_by(self, named: RankedBy | None) -> Self:
        """Return the same comparison, its methods ranked by another score, or for None by the usual one; nothing is written."""
        return replace(self, plan=self.plan.model_copy(update={"named_score": named}))

    def refuse_another(self, plan: Plan) -> None:
        """Raise FewscanError where `plan` has another dataset, split, recipe or other settings than stand here."""
        called = {"dataset_fingerprint": "dataset", "split": "split", "recipe": "recipe", "changes": "settings"}
        pairs = [(words, getattr(self.plan, name), getattr(plan, name)) for name, words in called.items()]
        if apart := [f"{words}: {_apart(old, new)}" for words, old, new in pairs if old != new]:
            raise FewscanError(f"{self.folder} holds another comparison ({'; '.join(apart)}): choose another --out")

    def dataset(self, protocol: Protocol) -> Snapshot:
        """Return the dataset as it was when the comparison began, under the split of `protocol`."""
        if protocol not in self._opened:
            self._opened[protocol] = self._open_dataset(protocol)
        return self._opened[protocol]

    @cached_property
    def _opened(self) -> dict[Protocol, Snapshot]:
        return {}

    @cached_property
    def _whole(self) -> Snapshot:
        """The dataset as it is now, under no split; raises FewscanError where it is not what the comparison began with."""
        whole = Dataset.open(self.plan.dataset).unsplit()
        self._require_same(whole)
        return whole

    def _open_dataset(self, protocol: Protocol) -> Snapshot:
        path = self.folder / "snapshots" / f"{protocol}.parquet"
        if not path.exists():
            size, whole = self.plan.split, self._whole
            parts, description = drawn(
                whole, protocol, size.labeled, size.test, size.validation, size.seed, size.within, size.shares
            )
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, whole.with_split(parts, description).as_parquet())
        now = Dataset.open(self.plan.dataset)
        return Snapshot.read(path, now.folder, now.images, "choose another --out")

    def _require_same(self, dataset: Snapshot) -> None:
        """Raise FewscanError where labels or images are not those that the comparison began with."""
        if dataset.description.fingerprint != self.plan.dataset_fingerprint:
            raise FewscanError(f"{dataset.folder} got labels or images after {self.folder} was started: choose another --out")

    def run_folder(self, trial: Trial) -> Path:
        """Return where the run of `trial` lies, or will lie."""
        return self.folder / "runs" / str(trial)

    def finished_run(self, trial: Trial) -> Run | None:
        """Return the run of `trial` where it is trained to its end, else None."""
        folder = self.run_folder(trial)
        if not folder.exists():
            return None
        run = Run.open(folder, self.plan.dataset)
        return run if run.finished else None

    def encoder_folder(self, trial: Trial) -> Path | None:
        """Return where the run without labels lies, or will, whose encoder `trial` begins with; None where there is none."""
        way = Way.read(trial.method)
        if way.first is None:
            return None
        return (self.folder / self.plan.encoders / trial.protocol / encoder_name(way, self.plan.recipe)).resolve()

    def lesson(self, trial: Trial) -> Lesson:
        """Return what that run is to learn by."""
        dataset = self.dataset(trial.protocol)
        second = self._settings(trial, None)
        return lesson_of(Way.read(trial.method), dataset, self.plan.recipe, self.plan.changes, second)

    def settings(self, trial: Trial) -> RunSettings:
        """Return the settings of the run of `trial`; one that is to begin with an encoder that has not learned yet lacks it."""
        first = self.encoder_folder(trial)
        return self._settings(trial, first if first is not None and first.exists() and Run.open(first).finished else None)

    def _settings(self, trial: Trial, first: Path | None) -> RunSettings:
        dataset = self.dataset(trial.protocol)
        size = {part: len(dataset.rows(part)) for part in ("labeled", "unlabeled")}
        return self.plan.settings(trial, **size, first=first)


def _apart(old: Any, new: Any) -> str:
    """Return where two values of a plan differ: of groups only the settings that do."""
    words = _words(old), _words(new)
    only = (", ".join(each for each in of if each not in other) for of, other in (words, words[::-1]))
    return ", not ".join(each or "none" for each in only)


def _words(value: Any) -> list[str]:
    group = value.model_dump() if isinstance(value, Settings) else value
    return spelled_out(group) if isinstance(group, dict) else [str(value)[:12]]
