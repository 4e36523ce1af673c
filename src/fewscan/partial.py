"""What grows beside its place, in `PLACE.partial`, until it is whole, whenever it is stopped; for one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fewscan.atomic import remove_folder, remove_left, require_place, writing
from fewscan.errors import FewscanError
from fewscan.locks import LOCK_FILE, alone

_SUFFIX = ".partial"
# By this file such a folder is told from one of somebody's that is only called so.
_MARK = ".growing"


def partial_folder(out: Path) -> Path:
    """Return where that grows which will be `out`."""
    return out.with_name(f"{out.name}{_SUFFIX}")


def is_partial(folder: Path) -> bool:
    """Return whether something of fewscan's grows in a folder: its files are no scans."""
    return folder.name.endswith(_SUFFIX) and (folder / _MARK).is_file()


@contextmanager
def growing(out: Path, verb: str) -> Iterator[Path]:
    """Yield the folder in which `out` grows, kept from other processes; it stays, unless nothing is left in it.

    Raises FewscanError where another process lets it grow, where it cannot be made, and where something else stands there.
    """
    folder = partial_folder(out)
    with writing(out):
        if folder.exists() and not is_partial(folder) and not (folder.is_dir() and _is_empty(folder)):
            raise FewscanError(
                f"'{verb}' keeps unfinished work in {folder}, but something else is there: move it, or choose another --out"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(folder, verb):
        with writing(folder):
            (folder / _MARK).touch()
        try:
            yield folder
        finally:
            with suppress(OSError):
                if _is_empty(folder):
                    remove_folder(folder)


def _is_empty(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {LOCK_FILE, _MARK}


def refuse_finished(out: Path, verb: str, instead: str = "remove it first", *, overwrite: bool = False) -> None:
    """Raise FewscanError where `out` stands there already or cannot; what a kill left of its growing beside it is removed.

    instead: what helps besides another place. overwrite: it may stand there, to be replaced once the new one is whole.
    """
    if out.name:  # `.` has none, and nothing beside it
        parts = partial_folder(out)
        remove_left(parts.parent, parts.name)
        if out.exists() and is_partial(parts) and not _grows_anew(parts, out):
            with alone(parts, verb):
                remove_folder(parts)
    require_place(out, overwrite=overwrite, instead=instead)


def _grows_anew(parts: Path, out: Path) -> bool:
    """Return whether something grows that is to replace a file."""
    return out.is_file() and any(path.stat().st_mtime_ns > out.stat().st_mtime_ns for path in parts.glob("[!.]*"))
