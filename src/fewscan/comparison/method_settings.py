"""Settings of one command for several methods: each gets those that it has, and of as many epochs as many steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewscan.comparison.ways import Way
from fewscan.config import nearest
from fewscan.errors import Reasons
from fewscan.learning.registry import method_type
from fewscan.training.lengths import batch_size_without_unlabeled
from fewscan.training.settings import RunSettings
from fewscan.training.unlabeled_first import beginning_with, divided


def settings_of(
    name: str,
    recipe: str,
    changes: Mapping[str, Any],
    *,
    seed: int,
    labeled: int,
    unlabeled: int,
    first: Path | None = None,
) -> RunSettings:
    """Return the settings of a run of the way `name` on a dataset of that size, `changes` of methods where its own has them.

    A batch size counts labeled and unlabeled images. Where epochs are given, a method that leaves the unlabeled ones out gets
    the labeled ones of such a batch, and so makes as many steps; where images are given, it trains on as many as the others.
    first: the finished run whose encoder it begins with; None where there is none, or none yet.
    Raises FewscanError naming a wrong one.
    """
    way = Way.read(name)
    kind = method_type(way.method)
    _, changes = divided(way.method, changes)
    own = kind.settings_type.model_fields
    chosen = {key: value for key, value in changes.pop("method", {}).items() if key in own} | {"name": way.method}

    def resolved(laid_over: Mapping[str, Any]) -> RunSettings:
        seeded = {**laid_over, "seed": seed}
        return RunSettings.resolve(chosen, way.recipe_in(recipe), seeded, labeled=labeled, unlabeled=unlabeled)

    found = resolved(changes)
    if "batch_size" in changes and not kind.uses_unlabeled and found.training_images is None:
        changes["batch_size"] = batch_size_without_unlabeled(labeled, unlabeled, found.batch_size, found.labeled_share)
        found = resolved(changes)
    return found if first is None else resolved(beginning_with(first, changes, found))


def refuse_settings_of_no_method(names: Sequence[str], changes: Mapping[str, Any]) -> None:
    """Raise FewscanError where a changed setting is one that none of the ways `names` has, or has a use for."""
    ways = [Way.read(name) for name in names]
    methods = [method_type(way.method) for way in ways]
    known = {name for method in methods for name in method.settings_type.model_fields} - {"name"}
    taken: set[str] = set()
    for way in ways:
        first, second = divided(way.method, changes)
        taken |= second.keys() if way.first is None else first.keys() | second.keys()
    with Reasons("the settings cannot be used") as reasons:
        if left := sorted(changes.keys() - taken):
            reasons.add(f"none of {', '.join(names)} has a use for {', '.join(left)}: leave out {', '.join(left)}")
        for name in changes.get("method", {}):
            if name not in known:
                hint = nearest(name, known, group="method.")
                reasons.add(f"unknown setting 'method.{name}': none of {', '.join(names)} has it; {hint}")
