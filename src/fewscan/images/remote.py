"""Scans in object storage or on a server: copied to this machine by fsspec, as far as they are not there yet."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pydantic

from fewscan.atomic import write_text, writing
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.progress import kept_if_stopped, say, track
from fewscan.wording import counted, one_line

# Where copies lie: a folder for each URL.
CACHE_VARIABLE = "FEWSCAN_CACHE"
_USUAL_CACHE = Path("~/.cache/fewscan")
_LISTING = "listing.json"
# Files that are asked for at once, which fsspec copies side by side; a kill loses no more.
_AT_ONCE = 64


class _Copied(Settings):
    """What is copied of a URL: by its path below it, what told each file from an older one under the same name."""

    url: str
    files: dict[str, str]


def is_remote(text: str) -> bool:
    """Return whether a source is written as a URL, `s3://bucket/scans`."""
    return "://" in text


def require_no_secret(url: str) -> None:
    """Raise FewscanError for a URL that holds what may not be written down, as URLs are: in files, and on the terminal."""
    users = [link.partition("://")[2].partition("/")[0].rpartition("@")[0] for link in url.split("::")]
    if any(":" in user for user in users) or "?" in url or "#" in url:
        raise FewscanError(
            "a URL with a password or a key is not accepted, because URLs are recorded: leave them out, and set them where the "
            "package for this storage looks for them"
        )


def lacking(url: str, error: ImportError) -> str:
    """Return a URL that cannot be opened, and which package it needs."""
    from fsspec.registry import known_implementations

    package = known_implementations.get(url.partition("://")[0], {}).get("class", "").partition(".")[0]
    if package and package == getattr(error.__cause__, "name", None):
        return f"'{url}' needs the package {package}: pip install {package}"
    return f"'{url}': {one_line(error)}, with pip"  # in the words of what opens such URLs


def name_of(url: str) -> str:
    """Return what a source is called by its URL: the last part of its path."""
    return PurePosixPath(url.partition("://")[2]).name


def fetch(url: str) -> Path:
    """Copy all files below a URL into fewscan's cache, but those that are there unchanged, and return the folder with them.

    Files that are gone at the URL are gone in the folder, too. Before anything is copied, a line on standard error says what,
    and to where. Raises FewscanError where a package is missing that opens such URLs, where there are no files, and where they
    cannot be listed or copied.
    """
    place = Path(os.environ.get(CACHE_VARIABLE, _USUAL_CACHE)).expanduser() / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder = place / (name_of(url) or "scans")
    system, found = _listed(url)
    with writing(place):
        folder.mkdir(parents=True, exist_ok=True)
        told = {name: _told(file) for name, file in found.items()}
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        copied = {name: of_file for name, of_file in _copied(place, url).items() if name in there and told.get(name) == of_file}
        missing = [name for name in found if name not in copied]
        megabytes = sum(found[name].get("size") or 0 for name in missing) / 1e6
        say(
            f"{url}: copying {len(missing):,} of {counted(len(found), 'file')} ({megabytes:,.0f} MB) to {folder}; "
            f"{CACHE_VARIABLE}=FOLDER chooses another place"
        )
        for name in there - found.keys():
            (folder / name).unlink()
        parts = [missing[start : start + _AT_ONCE] for start in range(0, len(missing), _AT_ONCE)]
        with kept_if_stopped(
            lambda: f"{len(copied):,} of {counted(len(found), 'file')} have been copied to {folder}" if copied else None
        ):
            for names in track(parts, "copying", total=len(parts)) if parts else ():
                _copy(url, system, [found[name]["name"] for name in names], [folder / name for name in names])
                copied |= {name: told[name] for name in names}
                write_text(place / _LISTING, _Copied(url=url, files=copied).model_dump_json())
    return folder


def _listed(url: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    """Return fsspec's file system, and what it says of each file, by its path below the URL."""
    import fsspec  # loads for a while; what a storage needs besides, as s3fs, is the user's

    try:
        system, root = fsspec.core.url_to_fs(url)
        files: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except ImportError as error:
        raise FewscanError(f"source {lacking(url, error)}") from None
    except Exception as error:  # each storage has errors of its own
        raise FewscanError(f"source '{url}': cannot list it: {one_line(error)}") from error
    found = {path.removeprefix(root.rstrip("/")).lstrip("/"): about for path, about in files.items()}
    if not found or "" in found:
        raise FewscanError(f"source '{url}': there are no files below it; give a folder of scans")
    for name in found:
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute() or "\0" in name:
            raise FewscanError(f"source '{url}': the file '{name}' would be copied outside its folder; rename it")
    return system, dict(sorted(found.items()))


def _told(about: dict[str, Any]) -> str:
    """Return what changes with a file: all that the storage says of it, as size, time and tag."""
    return hashlib.sha256(repr(sorted((key, repr(value)) for key, value in about.items())).encode()).hexdigest()


def _copied(place: Path, url: str) -> dict[str, str]:
    try:
        listing = _Copied.model_validate_json((place / _LISTING).read_bytes())
    except (OSError, pydantic.ValidationError):
        return {}
    return listing.files if listing.url == url else {}


def _copy(url: str, system: Any, paths: Sequence[str], targets: Sequence[Path]) -> None:
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        system.get(list(paths), [str(target) for target in targets])
    except Exception as error:  # as above
        raise FewscanError(f"source '{url}': cannot copy its files: {one_line(error)}; the same command continues") from error
