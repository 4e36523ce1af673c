"""What a comparison consists of, and where the parts of it lie.

A comparison is a folder: `plan.json`, `snapshots/PROTOCOL.parquet` (the dataset under its split),
`runs/PROTOCOL/METHOD-seedN` (runs like any other), then tables, figures and one page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self

from fewscan.atomic import new_folder, replaced_file, write_text
from fewscan.config import Settings, nearest, spelled_out
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import Protocol, Shares
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import MARKS
from fewscan.learning.registry import METHODS, method_type
from fewscan.splits.split import drawn
from fewscan.training.lengths import batch_size_without_unlabeled
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings

PLAN_FILE = MARKS["comparison"]
# What can be drawn anew; a split that the data came with is kept by `split` alone.
PROTOCOLS: tuple[Protocol, ...] = ("leakfree", "study")


@dataclass(frozen=True)
class Trial:
    """One training: a method, under a protocol's split, from a seed."""

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
        return tuple(name for name in PROTOCOLS if any(name in asked.protocols for asked in self.asked))

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
        return self.model_copy(update={"asked": (*self.asked, *further)})

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

    def refuse_settings_of_no_method(self) -> None:
        """Raise FewscanError where a changed setting of methods is one that none of those compared has."""
        known = {name for method in self.methods for name in method_type(method).settings_type.model_fields} - {"name"}
        for name in self.changes.get("method", {}):
            if name not in known:
                nobody = f"none of {', '.join(self.methods)} has it"
                raise FewscanError(f"unknown setting 'method.{name}': {nobody}; {nearest(name, known)}")

    def settings(self, trial: Trial, *, labeled: int, unlabeled: int) -> RunSettings:
        """Return the settings of a run on a dataset of that size, those of methods where its own has them.

        Raises FewscanError naming a wrong one.
        """
        changes = dict(self.changes)
        own = method_type(trial.method).settings_type.model_fields
        method = {name: value for name, value in changes.pop("method", {}).items() if name in own} | {"name": trial.method}
        batch_size = changes.get("batch_size")
        if isinstance(batch_size, int) and batch_size > 0 and not method_type(trial.method).uses_unlabeled:
            share = changes.get("labeled_share")
            changes["batch_size"] = batch_size_without_unlabeled(labeled, unlabeled, batch_size, share)
        return RunSettings.resolve(method, self.recipe, changes | {"seed": trial.seed}, labeled=labeled, unlabeled=unlabeled)


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
            plan.refuse_settings_of_no_method()
            with new_folder(folder) as temporary:
                write_text(temporary / PLAN_FILE, plan.model_dump_json(indent=2) + "\n")
                for protocol in plan.protocols:
                    # A split that the dataset cannot give leaves no folder behind that would ask for it again.
                    cls(temporary, plan).dataset(protocol)
            return cls(folder, plan)
        standing = cls.open(folder)
        standing.refuse_another(plan)
        grown = standing.plan.grown_by(plan)
        grown.refuse_settings_of_no_method()
        write_text(folder / PLAN_FILE, grown.model_dump_json(indent=2) + "\n")
        return cls(folder, grown)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a comparison folder; raises FewscanError where it is none."""
        if not (folder / PLAN_FILE).is_file():
            raise FewscanError(f"{folder} exists and is not a comparison (no {PLAN_FILE}): choose another --out")
        return cls(folder, Plan.read(folder / PLAN_FILE, "choose another --out"))

    def refuse_another(self, plan: Plan) -> None:
        """Raise FewscanError where `plan` has another dataset, split, recipe or other settings than stand here."""
        for name in ("dataset_fingerprint", "split", "recipe", "changes"):
            old, new = getattr(self.plan, name), getattr(plan, name)
            if old != new:
                raise FewscanError(
                    f"{self.folder} holds a comparison with another {name.removesuffix('_fingerprint')} "
                    f"({_brief(old)}, not {_brief(new)}): choose another --out"
                )

    def dataset(self, protocol: Protocol) -> Snapshot:
        """Return the dataset as it was when the comparison began, under the split of `protocol`."""
        path = self.folder / "snapshots" / f"{protocol}.parquet"
        now = Dataset.open(self.plan.dataset)
        if not path.exists():
            size = self.plan.split
            whole = now.unsplit()
            self._require_same(whole)
            parts, description = drawn(
                whole, protocol, size.labeled, size.test, size.validation, size.seed, size.within, size.shares
            )
            path.parent.mkdir(exist_ok=True)
            with replaced_file(path) as temporary:
                temporary.write_bytes(whole.with_split(parts, description).as_parquet())
        return Snapshot.read(path, now.folder, now.images, "choose another --out")

    def _require_same(self, dataset: Snapshot) -> None:
        """Raise FewscanError where labels or images are not those that the comparison began with."""
        if dataset.description.fingerprint != self.plan.dataset_fingerprint:
            raise FewscanError(
                f"{dataset.folder}: labels were given or images added since {self.folder} was begun: choose another --out"
            )

    def run_folder(self, trial: Trial) -> Path:
        """Return where the run of `trial` lies, or will lie."""
        return self.folder / "runs" / str(trial)

    def finished_run(self, trial: Trial) -> Run | None:
        """Return the run of `trial` where it is trained to its end, else None."""
        folder = self.run_folder(trial)
        if not folder.exists():
            return None
        run = Run.open(folder)
        return run if run.finished else None

    def settings(self, trial: Trial) -> RunSettings:
        """Return the settings of the run of `trial`."""
        dataset = self.dataset(trial.protocol)
        return self.plan.settings(trial, labeled=len(dataset.rows("labeled")), unlabeled=len(dataset.rows("unlabeled")))


def make_plan(
    dataset: Snapshot,
    *,
    methods: Sequence[str] | None,
    seeds: Sequence[int],
    protocols: Sequence[str],
    recipe: str,
    changes: Mapping[str, Any],
    labeled: int | None = None,
    test: int | None = None,
    validation: float | None = None,
    shares: Shares | None = None,
) -> Plan:
    """Return a checked plan, of all methods where none are given; sizes and shares not given are those of the dataset's split.

    Raises FewscanError for an unknown method, protocol or setting, and where a size is neither given nor known.
    """
    methods = list(METHODS) if methods is None else methods
    _check_asked(methods, seeds, protocols, changes)
    own = dataset.description.split
    if own is None and (labeled is None or test is None):
        raise FewscanError(
            f"{dataset.folder} has no split to take the sizes from: run 'fewscan split {dataset.folder}', or give --labeled "
            "and --test"
        )
    if own is not None:
        budget = own.labeled + own.validation
        labeled = budget if labeled is None else labeled
        test = own.test if test is None else test
        validation = own.validation / budget if validation is None else validation
    assert labeled is not None and test is not None  # noqa: PT018
    chosen = tuple(name for name in PROTOCOLS if name in protocols)
    plan = Plan(
        dataset=str(dataset.folder.resolve()),
        dataset_fingerprint=dataset.description.fingerprint,
        split=SplitSizes(
            labeled=labeled,
            validation=0.2 if validation is None else validation,
            test=test,
            seed=0 if own is None else own.seed,
            shares=shares or ("known" if own is None else own.shares),
        ),
        recipe=recipe,
        changes=dict(changes),
        asked=(Asked(methods=tuple(dict.fromkeys(methods)), seeds=tuple(dict.fromkeys(seeds)), protocols=chosen),),
    )
    for trial in plan.trials:
        # A wrong setting is found now, not when the first method's training is over. Sizes that the dataset cannot give are
        # refused, with their numbers, when the split is drawn.
        plan.settings(trial, labeled=labeled, unlabeled=max(0, len(dataset.usable) - labeled - test))
    return plan


def _check_asked(methods: Sequence[str], seeds: Sequence[int], protocols: Sequence[str], changes: Mapping[str, Any]) -> None:
    for name in methods:
        method_type(name)
    for name in protocols:
        if name not in PROTOCOLS:
            raise FewscanError(f"unknown protocol '{name}': {nearest(name, PROTOCOLS)}")
    if not methods or not seeds or not protocols:
        raise FewscanError("a comparison needs at least one method, one seed and one protocol")
    if "seed" in changes:
        raise FewscanError("a comparison takes its seeds from --seeds: leave out seed=")
    if not isinstance(changes.get("method", {}), Mapping):
        raise FewscanError(f"a comparison takes its methods from --methods: leave out method={changes['method']}")


def _brief(value: Any) -> str:
    group = value.model_dump() if isinstance(value, Settings) else value
    return (", ".join(spelled_out(group)) or "none") if isinstance(group, dict) else str(value)[:12]
