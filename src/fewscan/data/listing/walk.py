"""Folders -> the files in them, but for those of systems."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fewscan.data.sources import ScanFile, Source, file_place
from fewscan.errors import FewscanError

# What operating systems leave behind; names that start with a dot are passed over as well.
SYSTEM_FILES = frozenset(["__macosx", "thumbs.db", "desktop.ini"])


def find_files(sources: Sequence[Source], passed_over: Iterable[Path] = ()) -> list[ScanFile]:
    """List every file of the sources, in their order and by path, but for hidden and system files and those `passed_over`.

    Raises FewscanError where a folder cannot be read, and where a source holds no file.
    """
    tables = {file_place(table) for table in passed_over}
    scans = []
    for source in sources:
        relatives = sorted(
            relative for relative in _walk(source.folder) if not tables or file_place(source.folder / relative) not in tables
        )
        if not relatives:
            raise FewscanError(f"source '{source.name}': {source.folder} holds no files")
        scans += [_scan_file(source, relative) for relative in relatives]
    return scans


def _scan_file(source: Source, relative: str) -> ScanFile:
    path = source.folder / relative
    try:
        relative.encode()
    except UnicodeEncodeError:
        written = os.fsencode(relative).decode("utf-8", "backslashreplace")
        return ScanFile(source.name, written, path, set_aside="name is not UTF-8: rename the file or its folder")
    return ScanFile(source.name, relative, path)


def _walk(root: Path) -> Iterator[str]:
    """Yield the paths, relative to `root`, of all files below it, each folder once, also where links make a loop."""
    seen = set()
    folders = deque([root])
    linked: deque[Path] = deque()
    while folders or linked:
        # Links last: a folder that can be reached both ways goes by its own name.
        folder = folders.popleft() if folders else linked.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise FewscanError(f"cannot read the folder {folder}: {error.strerror}; mend that, or leave it out") from None
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and os.path.isdir(path):  # noqa: PTH112 - is_dir() fails on links without rights
                linked.append(path)
            else:
                yield path.relative_to(root).as_posix()
