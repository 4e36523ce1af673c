"""Label efficiency: one comparison for each budget of labels, side by side in one folder, on the same test images.

The folder holds `labels-N`, a comparison like any other, for every budget of N labels.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from fewscan.comparison.plan import Comparison, Plan, RankedBy
from fewscan.comparison.ranking import Standing, standings
from fewscan.comparison.results import Pair, Results, Row, collect
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.protocols import REGISTRY
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError


@dataclass(frozen=True)
class Point:
    """A method under a protocol with a budget of labels, over all its seeds; without runs it was not run."""

    labels: int
    standing: Standing

    @property
    def row(self) -> Row:
        """The method's runs."""
        return self.standing.row

    @property
    def against_baseline(self) -> Pair | None:
        """The method less the baseline; None for the baseline itself and where either was not run."""
        return self.standing.against_baseline

    def numbers(self) -> dict[str, Any]:
        """Return all of it for programs, as `Standing.numbers` does, with the budget of labels."""
        return {"labels": self.labels, **self.standing.numbers()}


@dataclass(frozen=True)
class LabelEfficiency:
    """What the comparisons in a folder came to, by their budgets of labels, the largest first."""

    folder: Path
    results: Mapping[int, Results]

    @property
    def budgets(self) -> tuple[int, ...]:
        """The budgets of labels, the largest first."""
        return tuple(self.results)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The budgets' plans, in their order; they differ in methods, seeds and protocols at most, besides the budget."""
        return tuple(results.comparison.plan for results in self.results.values())

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols that were planned with any budget."""
        return REGISTRY.in_order(name for plan in self.plans for name in plan.protocols)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that were planned with any budget."""
        return tuple(dict.fromkeys(name for plan in self.plans for name in plan.methods))

    @property
    def baseline(self) -> str | None:
        """The method that the others are held against with every budget: that of the largest, whatever the others name."""
        return self.plans[0].baseline

    @property
    def ranked_by(self) -> RankedBy:
        """The score that ranks the methods with every budget."""
        return self.plans[0].ranked_by

    @property
    def points(self) -> list[Point]:
        """Every method with every budget under every protocol, run or not."""
        return [point for protocol in self.protocols for labels in self.budgets for point in self.points_of(labels, protocol)]

    def points_of(self, labels: int, protocol: Protocol) -> list[Point]:
        """Return what the methods came to under a protocol with a budget of labels."""
        found = standings(self.results[labels], protocol, self.methods, self.baseline)
        return [Point(labels, each) for each in found]

    def point(self, labels: int, protocol: Protocol, method: str) -> Point:
        """Return what a method came to under a protocol with a budget of labels."""
        return next(point for point in self.points_of(labels, protocol) if point.row.method == method)


def budget_folder(folder: Path, labels: int) -> Path:
    """Return where the comparison with a budget of so many labels lies, or will lie."""
    return folder / f"labels-{labels}"


def distinct_budgets(budgets: Sequence[int]) -> list[int]:
    """Return budgets of labels in their order, each once; raises FewscanError where there is none, or one below 1."""
    if not budgets or min(budgets) < 1:
        raise FewscanError("--labels-budget takes positive whole numbers separated by commas, such as 1235,124,40")
    return list(dict.fromkeys(budgets))


def open_budgets(folder: Path) -> dict[int, Comparison]:
    """Open the comparisons that stand in `folder`, by their budgets of labels, the largest first."""
    names = [re.fullmatch(r"labels-([1-9][0-9]*)", path.name) for path in folder.glob("labels-*")]
    budgets = sorted((int(name[1]) for name in names if name), reverse=True)
    return {labels: Comparison.open(budget_folder(folder, labels)) for labels in budgets}


def begin_budgets(folder: Path, plans: Sequence[Plan]) -> list[Comparison]:
    """Make a comparison in `folder` for each of `plans`, which differ in their budget of labels, or go on with it.

    Every split is drawn and checked before anything is written: a budget that the dataset cannot give leaves nothing behind.
    Budgets that stand in the folder and are not in `plans` stay as they are. Raises FewscanError where a split cannot be given,
    where the budgets, those that stand there among them, are not nested, where something else stands at `folder`, or where a
    budget there has another dataset, test set, recipe or other settings.
    """
    standing = open_budgets(folder)
    if folder.exists() and not standing:
        raise FewscanError(f"{folder} exists and is not a comparison of label budgets: choose another --out")
    for labels, comparison in standing.items():
        comparison.refuse_another(plans[0].with_labels(labels, comparison.plan.split.within))
    planned = _nested(plans, standing)
    with tempfile.TemporaryDirectory() as rehearsal:
        drawn = [*standing.values(), *_rehearse(Path(rehearsal), planned, standing)]
        for protocol in {name: None for comparison in drawn for name in comparison.plan.protocols}:
            splits = [comparison for comparison in drawn if protocol in comparison.plan.protocols]
            require_nested(protocol, {each.plan.split.labeled: each.dataset(protocol) for each in splits})
    return [Comparison.begin(budget_folder(folder, plan.split.labeled), plan) for plan in planned]


def collect_budgets(folder: Path) -> LabelEfficiency:
    """Read every budget's comparison in `folder`; nothing is trained, and no test set is opened.

    With every budget methods are ranked as with the largest, whatever the others' plans name.
    """
    opened = open_budgets(folder)
    named = next((comparison.plan.named_score for comparison in opened.values()), None)
    return LabelEfficiency(folder, {labels: collect(comparison.ranking_by(named)) for labels, comparison in opened.items()})


def require_nested(protocol: Protocol, datasets: Mapping[int, Snapshot]) -> None:
    """Refuse splits of one protocol, by their budgets of labels, whose curves would compare unlike things.

    All must have the same test rows, and the labeled rows of a smaller budget, its validation set among them, must lie within
    those of every larger one. Raises FewscanError naming the two budgets that do not fit.
    """
    for larger, smaller in combinations(sorted(datasets, reverse=True), 2):
        if not np.array_equal(datasets[larger].rows("test"), datasets[smaller].rows("test")):
            raise FewscanError(
                f"under {protocol}, the budgets of {larger} and {smaller} labels have different test images, because the "
                f"dataset was audited again after the first was drawn: choose another --out"
            )
        labeled = {labels: datasets[labels].rows("labeled", "validation") for labels in (larger, smaller)}
        outside = len(np.setdiff1d(labeled[smaller], labeled[larger]))
        if outside:
            raise FewscanError(
                f"under {protocol}, {outside} of the {smaller} labels are not among the {larger}, because they were drawn "
                f"first: name all budgets at once, with another --out"
            )


def _nested(plans: Sequence[Plan], standing: Mapping[int, Comparison]) -> list[Plan]:
    """Return `plans` with each new budget drawn out of all larger ones, and each that stands there as it was drawn."""
    budgets = sorted({plan.split.labeled for plan in plans} | standing.keys(), reverse=True)
    within = {labels: tuple(budgets[:number]) for number, labels in enumerate(budgets)}
    within |= {labels: comparison.plan.split.within for labels, comparison in standing.items()}
    return [plan.with_labels(plan.split.labeled, within[plan.split.labeled]) for plan in plans]


def _rehearse(folder: Path, plans: Sequence[Plan], standing: Mapping[int, Comparison]) -> list[Comparison]:
    """Draw in `folder` the splits that `plans` ask for and that no standing comparison has."""
    drawn = []
    # The largest first: where it cannot be given, that is what the user should hear of.
    for plan in sorted(plans, key=lambda plan: plan.split.labeled, reverse=True):
        labels = plan.split.labeled
        there = standing[labels].plan.protocols if labels in standing else ()
        lacking = tuple(protocol for protocol in plan.protocols if protocol not in there)
        if lacking:
            whole = standing[labels].plan.grown_by(plan) if labels in standing else plan
            drawn.append(Comparison.begin(budget_folder(folder, labels), whole.under(lacking)))
    return drawn
