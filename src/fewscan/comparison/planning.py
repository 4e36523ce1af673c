"""From what a user asks for to a checked plan."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fewscan.comparison.encoders import ENCODERS, ENCODERS_BESIDE
from fewscan.comparison.plan import Asked, Plan, RankedBy, SplitSizes
from fewscan.comparison.ways import Way
from fewscan.datasets.descriptions import Shares
from fewscan.datasets.protocols import REGISTRY
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError, Reasons
from fewscan.learning.registry import TRAINING_METHODS, method_type, methods_without_labels
from fewscan.splits.sizes import VALIDATION_SHARE
from fewscan.splits.units import Units
from fewscan.training.choice import WITHOUT_LABELS, choose
from fewscan.training.recipes import DEFAULT_RECIPE, recipe_named
from fewscan.training.settings import OF_STEPS
from fewscan.wording import command_line, listed


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
    baseline: str | None = None,
    rank_by: RankedBy | None = None,
    one_of_several: bool = False,
) -> Plan:
    """Return a checked plan, of all methods where none are given; sizes and shares not given are those of the dataset's split.

    one_of_several: whether the comparison lies beside those with other budgets of labels.
    Raises FewscanError for an unknown method, protocol, score or setting, and where a size is neither given nor known.
    """
    methods = list(TRAINING_METHODS) if methods is None else methods
    with Reasons("this cannot be compared") as reasons:
        _check_asked(methods, seeds, protocols, changes, rank_by, reasons)
        with reasons.noted():
            size = _sizes(dataset, labeled, test, validation, shares)
    chosen = REGISTRY.in_order(protocols)
    plan = Plan(
        dataset=str(dataset.folder.resolve()),
        dataset_fingerprint=dataset.description.fingerprint,
        split=size,
        recipe=recipe,
        changes=dict(changes),
        asked=(Asked(methods=tuple(dict.fromkeys(methods)), seeds=tuple(dict.fromkeys(seeds)), protocols=chosen),),
        named_baseline=baseline,
        named_score=rank_by,
        encoders=ENCODERS_BESIDE if one_of_several else ENCODERS,
    )
    with Reasons("the settings cannot be used") as reasons:
        for trial in plan.trials:
            # A wrong setting is found now, not when the first method's training is over. Sizes that the dataset cannot give are
            # refused, with their numbers, when the split is drawn.
            with reasons.noted():
                plan.settings(trial, labeled=size.labeled, unlabeled=max(0, len(dataset.usable) - size.labeled - size.test))
    return plan


def missing_way(plan: Plan, *, labeled: int, unlabeled: int, size_px: int, units: Units | None = None) -> str | None:
    """Return the way that `train` chooses by itself on so many images, where `plan` lacks it; None where it has it.

    units: those of the dataset under the comparison's split, as for `choose`. None also where the comparison's recipe was
    chosen: then nothing is left to `train` but the method.
    """
    if plan.recipe != DEFAULT_RECIPE:
        return None
    changes = {key: value for key, value in plan.changes.items() if key != "method" and key not in OF_STEPS}
    choice = choose(labeled, unlabeled, size_px, units=units, changes=changes)
    chosen = Way(choice.method_name, WITHOUT_LABELS if choice.unlabeled_first else None, choice.recipe)
    planned = {way._replace(recipe=way.recipe_in(plan.recipe)) for way in map(Way.read, plan.methods)}
    if chosen in planned:
        return None
    return (chosen._replace(recipe=None) if chosen.recipe == plan.recipe else chosen).name


def _sizes(
    dataset: Snapshot, labeled: int | None, test: int | None, validation: float | None, shares: Shares | None
) -> SplitSizes:
    """Return the sizes of the parts, those not given as in the dataset's split."""
    own = dataset.description.split
    if own is None and (labeled is None or test is None):
        raise FewscanError(
            f"{dataset.folder} has no split to take the sizes from: run '{command_line('split', dataset.folder)}', or give "
            "--labeled and --test"
        )
    if own is not None:
        budget = own.labeled + own.validation
        labeled = budget if labeled is None else labeled
        test = own.test if test is None else test
        validation = own.validation / budget if validation is None else validation
    assert labeled is not None and test is not None  # noqa: PT018
    if not test:
        raise FewscanError(
            f"a comparison scores all methods on one test set, and the split of {dataset.folder} has none: give --labeled and "
            "--test so that there are enough labels for both"
        )
    return SplitSizes(
        labeled=labeled,
        validation=VALIDATION_SHARE if validation is None else validation,
        test=test,
        seed=0 if own is None else own.seed,
        shares=shares or ("known" if own is None else own.shares),
    )


def _check_asked(
    methods: Sequence[str],
    seeds: Sequence[int],
    protocols: Sequence[str],
    changes: Mapping[str, Any],
    rank_by: str | None,
    reasons: Reasons,
) -> None:
    for name in methods:
        with reasons.noted():
            _check_way(Way.read(name))
    for name in protocols:
        with reasons.noted():
            REGISTRY.find(name)
    if rank_by is not None and rank_by not in get_args(RankedBy):
        reasons.add(f"methods are ranked by {' or '.join(get_args(RankedBy))}, not by '{rank_by}'")
    if not methods or not seeds or not protocols:
        reasons.add("a comparison needs at least one method, one seed and one protocol")
    if "seed" in changes:
        reasons.add("a comparison takes its seeds from --seeds: leave out seed=")
    if not isinstance(changes.get("method", {}), Mapping):
        reasons.add(f"a comparison takes its methods from --methods: leave out method={changes['method']}")


def _check_way(way: Way) -> None:
    method_type(way.method)
    if way.recipe is not None:
        recipe_named(way.recipe)
    if way.first is not None and method_type(way.first).needs_labels:
        free = listed(methods_without_labels())
        raise FewscanError(f"{way.first} needs labels, so it cannot train an encoder first: use one of {free} instead")
