"""What grows beside its place, in `PLACE.partial`, until it is whole, whenever it is stopped; for one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fewscan.atomic import refuse_existing, remove_folder, remove_left, writing
from fewscan.locks import LOCK_FILE, alone

_SUFFIX = ".partial"


def partial_folder(out: Path) -> Path:
    """Return where that grows which will be `out`."""
    return out.with_name(f"{out.name}{_SUFFIX}")


def is_partial(folder: Path) -> bool:
    """Return whether something of fewscan's grows in a folder: its files are no scans."""
    return folder.name.endswith(_SUFFIX) and (folder / LOCK_FILE).is_file()


@contextmanager
def growing(out: Path, verb: str) -> Iterator[Path]:
    """Yield the folder in which `out` grows, kept from other processes; it stays, unless nothing is left in it.

    Raises FewscanError where another process lets it grow, and where it cannot be made.
    """
    folder = partial_folder(out)
    with writing(out):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(folder, verb):
        try:
            yield folder
        finally:
            with suppress(OSError):
                if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
                    remove_folder(folder)


def refuse_finished(out: Path, verb: str) -> None:
    """Raise FewscanError where `out` stands there already; what a kill left of its growing beside it is removed."""
    if out.name:  # `.` has none, and nothing beside it
        parts = partial_folder(out)
        remove_left(parts.parent, parts.name)
        if out.exists() and parts.exists():
            with alone(parts, verb):
                remove_folder(parts)
    refuse_existing(out)
