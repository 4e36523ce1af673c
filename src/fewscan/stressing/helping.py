"""What helps a run against corruptions that hurt it, as far as that was measured (docs/stress.md)."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from fewscan.images.options import ImageSpec
from fewscan.learning.views import ViewSettings
from fewscan.wording import listed


class Help(NamedTuple):
    """A setting by which a corruption hurts less: `value` of `name`."""

    name: str
    value: Any


# Of how scans are read, by an import.
READING = {
    "padding": Help("crop", "foreground"),
    "scale": Help("crop", "foreground"),
    "inversion": Help("negatives", "undo"),
}
# Of what views show in training.
SHOWN = {"bias-field": Help("field_probability", 0.15)}


def helping(hurt: Sequence[str], views: ViewSettings, spec: ImageSpec) -> Iterator[str]:
    """Yield what would help against corruptions, those that are `hurt`, a sentence for each setting that a run lacks.

    views, spec: what the run was trained with, and how its scans were read.
    """
    read = [(READING[name], name) for name in hurt if name in READING and _lacks(spec, READING[name])]
    for help_, pairs in groupby(sorted(read), key=lambda pair: pair[0]):
        names = listed([name for _, name in pairs])
        yield f"against {names} helps an import with --{help_.name} {help_.value}, and a run on that"
    for name in hurt:
        if name in SHOWN and _lacks(views, SHOWN[name]):
            yield f"against {name} helps a training that shows it: views.{SHOWN[name].name}={SHOWN[name].value}"


def _lacks(settings: ImageSpec | ViewSettings, help_: Help) -> bool:
    """Return whether these settings have the one that helps, and it is not what it should be."""
    has: Any = getattr(settings, help_.name, None)
    return has is not None and (has < help_.value if isinstance(help_.value, float) else has != help_.value)
