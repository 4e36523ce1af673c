"""What of a run is not fewscan's own: noted when the run is made, asked for when it is opened, taken along by processes."""

from pathlib import Path
from typing import Any

from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.learning.policies import REGISTRY as VIEWS
from fewscan.learning.registry import REGISTRY as METHODS
from fewscan.models.encoder import EncoderSettings
from fewscan.models.encoders import REGISTRY as ENCODERS
from fewscan.registry import Registry
from fewscan.training.recipes import REGISTRY as RECIPES
from fewscan.training.settings import RunSettings

_REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in (METHODS, ENCODERS, VIEWS)}


class Plugin(Settings):
    """A method, an encoder or a policy of views that somebody else has written."""

    kind: str
    name: str
    source: str  # such as `package scans-extra 1.2` or `module my_methods`


def plugins_of(settings: RunSettings) -> tuple[Plugin, ...]:
    """Return what the settings name that is not fewscan's own."""
    sources = {(kind, name): _REGISTRIES[kind].source(name) for kind, name in _named(settings)}
    return tuple(Plugin(kind=kind, name=name, source=source) for (kind, name), source in sources.items() if source)


def require_plugins(plugins: tuple[Plugin, ...], folder: Path) -> None:
    """Raise FewscanError naming what the run in `folder` was made with and nobody knows here."""
    for kind, name, source in ((plugin.kind, plugin.name, plugin.source) for plugin in plugins):
        if kind not in _REGISTRIES or name not in _REGISTRIES[kind].names():
            help_ = "install it" if source.startswith("package ") else "import it first"
            raise FewscanError(f"{folder} was made with the {kind} '{name}' of {source}, which is not available here: {help_}")


def modules_to_import(settings: RunSettings, recipe: str | None = None) -> set[str]:
    """Return the modules that another process must import before it can use the settings, or resolve them by their recipe.

    Raises FewscanError where no other process can know what they name.
    """
    modules = {_REGISTRIES[kind].module_to_import(name) for kind, name in _named(settings)}
    if recipe is not None:
        modules.add(RECIPES.module_to_import(recipe))
    return {module for module in modules if module is not None}


def modules_of_encoder(settings: EncoderSettings) -> set[str]:
    """Return the modules that another process must import before it knows the encoder; raises as `modules_to_import`."""
    module = ENCODERS.module_to_import(settings.name.partition(":")[0])
    return set() if module is None else {module}


def _named(settings: RunSettings) -> list[tuple[str, str]]:
    encoder = settings.encoder.name.partition(":")[0]
    return [(METHODS.kind, settings.method.name), (ENCODERS.kind, encoder), (VIEWS.kind, settings.views.name)]
