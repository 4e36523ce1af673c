"""The recipes by name: the one place that lists fewscan's own, and the door for others."""

from typing import Any

from fewscan.registry import Registry
from fewscan.training.finetune_recipe import FinetuneRecipe
from fewscan.training.recipe import Recipe
from fewscan.training.scan_recipe import ScanRecipe

RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (ScanRecipe, FinetuneRecipe)}
DEFAULT_RECIPE = ScanRecipe.name


def recipe_flaw(own: Any) -> str | None:
    """Return what a class lacks to be a recipe, None where it is one."""
    if not (isinstance(own, type) and issubclass(own, Recipe)):
        return f"it is not a subclass of {Recipe.__module__}.{Recipe.__qualname__}"
    return "it does not define settings" if own.settings is Recipe.settings else None


REGISTRY: Registry[type[Recipe]] = Registry("recipe", "fewscan.recipes", RECIPES, recipe_flaw)


def recipe_named(name: str) -> Recipe:
    """Return the recipe called `name`; raises FewscanError naming the nearest one where there is none."""
    return REGISTRY.find(name)()
