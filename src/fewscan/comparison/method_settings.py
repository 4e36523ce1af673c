"""Settings of one command for several methods: each gets those that it has, and batches of as many steps as the others'."""

from collections.abc import Mapping, Sequence
from typing import Any

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.learning.registry import method_type
from fewscan.training.lengths import batch_size_without_unlabeled
from fewscan.training.settings import OF_STEPS, RunSettings


def settings_of(
    method: str, recipe: str, changes: Mapping[str, Any], *, seed: int, labeled: int, unlabeled: int
) -> RunSettings:
    """Return the settings of a run of `method` on a dataset of that size, `changes` of methods where its own has them.

    Raises FewscanError naming a wrong one.
    """
    changes = dict(changes)
    own = method_type(method).settings_type.model_fields
    if method_type(method).solves:
        changes = {name: value for name, value in changes.items() if name not in OF_STEPS}
    chosen = {name: value for name, value in changes.pop("method", {}).items() if name in own} | {"name": method}
    batch_size = changes.get("batch_size")
    if isinstance(batch_size, int) and batch_size > 0 and not method_type(method).uses_unlabeled:
        share = changes.get("labeled_share")
        changes["batch_size"] = batch_size_without_unlabeled(labeled, unlabeled, batch_size, share)
    return RunSettings.resolve(chosen, recipe, changes | {"seed": seed}, labeled=labeled, unlabeled=unlabeled)


def refuse_settings_of_no_method(methods: Sequence[str], changes: Mapping[str, Any]) -> None:
    """Raise FewscanError where a changed setting is one that none of `methods` has, or has a use for."""
    known = {name for method in methods for name in method_type(method).settings_type.model_fields} - {"name"}
    given = sorted(OF_STEPS & changes.keys())
    if given and all(method_type(method).solves for method in methods):
        raise FewscanError(f"{', '.join(methods)} make no steps: leave out {', '.join(given)}")
    for name in changes.get("method", {}):
        if name not in known:
            raise FewscanError(f"unknown setting 'method.{name}': none of {', '.join(methods)} has it; {nearest(name, known)}")
