"""The policies of views by name: the one place that lists fewscan's own, and the door for others."""

from typing import Annotated, Any

import pydantic

from fewscan.learning.scan_views import ScanViews
from fewscan.learning.views import Views, ViewSettings
from fewscan.registry import Registry, parsed, settings_flaw

VIEWS: dict[str, type[Views]] = {ScanViews.name: ScanViews}
DEFAULT_VIEWS = ScanViews.name

# What the settings of all views held before 2026-11-27.
_FORMER_KEYS = frozenset(
    {
        "name",
        "flip_probability",
        "minimum_crop",
        "maximum_aspect",
        "maximum_rotation_degrees",
        "maximum_shift",
        "contrast",
        "brightness",
        "log_gamma",
        "blur_probability",
        "noise_probability",
        "maximum_noise",
    }
)


def views_flaw(own: Any) -> str | None:
    """Return what a class lacks to be a policy of views, None where it is one."""
    flaw = settings_flaw(own, Views, ViewSettings)
    for function in ("sample", "apply"):
        if flaw is None and getattr(own, function) is getattr(Views, function):
            flaw = f"it does not define {function}"
    return flaw


REGISTRY: Registry[type[Views]] = Registry("policy of views", "fewscan.views", VIEWS, views_flaw)


def view_settings(name: str = DEFAULT_VIEWS, **changes: Any) -> ViewSettings:
    """Return the settings of the views called `name`; raises FewscanError naming what is unknown or wrong."""
    settings: ViewSettings = _parsed({"name": name, **changes})
    return settings


def build_views(settings: ViewSettings) -> Views:
    """Return the policy of views with these settings."""
    return REGISTRY.find(settings.name)(settings)


def _parsed(value: Any) -> Any:
    return parsed(REGISTRY, value, "views", DEFAULT_VIEWS, _FORMER_KEYS)


# A field that holds the settings of whichever views are named.
AnyViewSettings = Annotated[pydantic.SerializeAsAny[ViewSettings], pydantic.BeforeValidator(_parsed)]
