"""What helps a run against corruptions that hurt it, as far as that was measured (docs/stress.md)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from fewscan.errors import FewscanError
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
SHOWN = {"bias-field": Help("field_probability", 0.15)} | dict.fromkeys(
    ("blur", "ringing", "motion", "resolution"), Help("detail_loss_probability", 0.3)
)


def helping(hurt: Sequence[str], views: ViewSettings | None, spec: ImageSpec) -> Iterator[str]:
    """Yield what would help against corruptions, those that are `hurt`, a sentence for each setting that a run lacks.

    views, spec: what the run's training showed, None where it has no steps, and how its scans were read.
    """
    read = [(READING[name], name) for name in hurt if name in READING and _could_be_read(spec, READING[name])]
    for help_, names in _together(read):
        yield f"importing with --{help_.name} {help_.value} and training on that would help against {names}"
    shown = [(SHOWN[name], name) for name in hurt if name in SHOWN and _shows_less(views, SHOWN[name])]
    for help_, names in _together(shown):
        yield f"training again with views.{help_.name}={help_.value}, which shows such scans, would help against {names}"


def _together(pairs: Iterable[tuple[Help, str]]) -> Iterator[tuple[Help, str]]:
    """Yield each setting once, with all that it helps against."""
    for help_, same in groupby(sorted(pairs), key=lambda pair: pair[0]):
        yield help_, listed([name for _, name in same])


def _could_be_read(spec: ImageSpec, help_: Help) -> bool:
    """Return whether scans are not read so, and can be: of color not all can."""
    said = spec.model_dump()
    try:
        return ImageSpec.parse({**said, help_.name: help_.value}) != spec
    except FewscanError:
        return False


def _shows_less(views: ViewSettings | None, help_: Help) -> bool:
    """Return whether these views have the setting, and less of it."""
    has: float | None = getattr(views, help_.name, None)
    return has is not None and has < help_.value
