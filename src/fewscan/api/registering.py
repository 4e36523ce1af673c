"""What there is to train, and the decorators that add to it in a notebook or a module of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fewscan.progress import say

if TYPE_CHECKING:
    from fewscan.models.encoder import Encoder
    from fewscan.registry import Registry

Own = TypeVar("Own", bound=type)


def methods() -> dict[str, str]:
    """Return the methods by name, each with one line on what it does and whether it needs labels.

    If one cannot be used, standard error says why.
    """
    from fewscan.learning.registry import REGISTRY, methods_without_labels

    free = methods_without_labels()
    return {
        name: f"{what.summary}; needs {'no labels' if name in free else 'labels'}" for name, what in _usable(REGISTRY).items()
    }


def encoders() -> dict[str, type[Encoder]]:
    """Return the encoders by name; if one cannot be used, standard error says why.

    Each has a `summary` of one line, and `known_weights`: weights that it can get by name and start from.
    """
    from fewscan.models.encoders import REGISTRY

    return _usable(REGISTRY)


def register_method(own: Own) -> Own:
    """Make a subclass of `fewscan.learning.method.Method` known by its name in this process: a decorator.

    Raises FewscanError if it lacks something, or if its name is taken.
    """
    from fewscan.learning.registry import REGISTRY

    return REGISTRY.register(own)


def register_encoder(own: Own) -> Own:
    """Make a subclass of `fewscan.models.encoder.Encoder` known by its name in this process: a decorator.

    Raises FewscanError if it lacks something, or if its name is taken.
    """
    from fewscan.models.encoders import REGISTRY

    return REGISTRY.register(own)


def register_views(own: Own) -> Own:
    """Make a subclass of `fewscan.learning.views.Views` known by its name in this process: a decorator.

    Raises FewscanError if it lacks something, or if its name is taken.
    """
    from fewscan.learning.policies import REGISTRY

    return REGISTRY.register(own)


def register_recipe(own: Own) -> Own:
    """Make a subclass of `fewscan.training.recipe.Recipe` known by its name in this process: a decorator.

    Raises FewscanError if it lacks something, or if its name is taken.
    """
    from fewscan.training.recipes import REGISTRY

    return REGISTRY.register(own)


def _usable(registry: Registry[Any]) -> dict[str, Any]:
    found, problems = registry.all()
    for problem in problems:
        say(f"warning: {problem}")
    return found
