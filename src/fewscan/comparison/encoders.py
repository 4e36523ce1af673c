"""Encoders that learn without labels before methods learn from labels: each once, for all runs that can share it."""

from collections.abc import Mapping
from typing import Any

from fewscan.comparison.ways import Way
from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.registry import method_type
from fewscan.training.settings import RunSettings
from fewscan.training.unlabeled_first import Lesson, divided, lesson_for

# Below a comparison's folder, or beside the comparisons of several budgets of labels: these share their encoders, too.
ENCODERS, ENCODERS_BESIDE = "encoders", "../encoders"


def encoder_name(way: Way, recipe: str) -> str:
    """Return what the folder of an encoder is called with which `way` begins; the same name, the same encoder.

    recipe: the comparison's.
    """
    # What is solved for its features does not ask what the recipe of the run that solves is: `lesson_for`.
    purpose = "features" if method_type(way.method).solves else way.recipe_in(recipe)
    return f"{way.first}-for-{purpose}"


def lesson_of(way: Way, dataset: Snapshot, recipe: str, changes: Mapping[str, Any], second: RunSettings) -> Lesson:
    """Return what the encoder that `way` begins with is to learn by; second: the settings of a run that will begin with it."""
    assert way.first is not None
    asked, _ = divided(way.method, changes)
    return lesson_for(dataset, way.recipe_in(recipe), asked, second, way.first)
