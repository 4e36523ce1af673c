"""Folders -> the files in them, but for those of systems."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.folders import Kind, kind_written
from fewscan.images.sources import ScanFile, Source, file_place, real_path
from fewscan.partial import is_partial
from fewscan.progress import say
from fewscan.wording import counted

# What operating systems leave behind; names that start with a dot are passed over as well.
SYSTEM_FILES = frozenset(["__macosx", "thumbs.db", "desktop.ini"])

# What a walk says of links, beside the files that it lists.
LISTED_ALREADY = "a link to what is listed by its own name"
LINK_OUT = "a link out of the folder: only --follow-links reads its target"
# And of what holds no scans, but what became of some.
WRITTEN = "a dataset or run that fewscan wrote"


def find_files(sources: Sequence[Source], passed_over: Iterable[Path] = (), *, follow_links: bool = False) -> list[ScanFile]:
    """List every file of the sources, in their order and by path, but for hidden and system files and those `passed_over`.

    A link out of its source, to a file or a folder, is listed once, as set aside; one that stays inside is passed over, which
    is said, where its target is listed by its own name. With `follow_links` files are listed as often as there are links to
    them, and folders once. A dataset or run of fewscan's below a source is listed once, as set aside.

    Raises FewscanError where a folder cannot be read, and where a source holds no file, or is such a dataset or run.
    """
    tables = {file_place(table) for table in passed_over}
    scans = []
    for source in sources:
        walked = list(_walk(source.folder, follow_links))
        if links := sum(why == LISTED_ALREADY for _, why in walked):
            say(f"{source.name}: {counted(links, 'link')} to files of the same source, which are read once, by their own names")
        files = sorted(
            (relative, set_aside or "")
            for relative, set_aside in walked
            if set_aside != LISTED_ALREADY and (not tables or file_place(source.folder / relative) not in tables)
        )
        if not files:
            raise FewscanError(f"source '{source.name}': there are no files in {source.folder}; give a folder of scans")
        scans += [_scan_file(source, relative, set_aside or None) for relative, set_aside in files]
    return scans


def _scan_file(source: Source, relative: str, set_aside: str | None) -> ScanFile:
    path = source.folder / relative
    try:
        relative.encode()
    except UnicodeEncodeError:
        written = os.fsencode(relative).decode("utf-8", "backslashreplace")
        return ScanFile(source.name, written, path, set_aside="name is not UTF-8: rename the file or its folder")
    return ScanFile(source.name, relative, path, set_aside=set_aside)


def _walk(root: Path, follow_links: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the path, relative to `root`, of every file below it, and of links and fewscan's folders why they are passed by.

    Each folder is gone through once, also where links make a loop.
    """
    seen = set()
    folders = deque([root])
    linked: deque[Path] = deque()
    real_root = real_path(root)
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
            raise FewscanError(
                f"cannot read the folder {folder}: {error.strerror}; fix that, or leave the folder out"
            ) from None
        below = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
        if kind := kind_written({entry.name for entry in entries}):
            if folder == root:
                raise FewscanError(_no_scans(root, kind))
            yield below.removesuffix("/"), WRITTEN
            continue
        for entry in entries:
            if _passed_over(entry.name):
                continue
            # A path is made where one is needed: for each of many files it would take as long as all else here.
            relative = f"{below}{entry.name}"
            leads = _leads(Path(entry.path), real_root) if entry.is_symlink() and not follow_links else None
            if leads is not None:
                yield relative, leads
            elif entry.is_dir(follow_symlinks=False):
                # What grows inside the folder is no scan.
                folders += [] if is_partial(Path(entry.path)) else [Path(entry.path)]
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 - is_dir() fails on links without rights
                linked.append(Path(entry.path))
            else:
                yield relative, None


def _no_scans(folder: Path, kind: Kind) -> str:
    return (
        f"{folder} is a fewscan {kind}, not a folder of scans: give such a folder, or run 'fewscan label RUN' without one to "
        "label the unlabeled scans of the run's dataset"
    )


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def _leads(link: Path, real_root: Path) -> str | None:
    """Return why a link is not gone through; None for what is inside but only listed by it, and for nothing that is there."""
    if not os.path.exists(link):  # noqa: PTH110 - exists() fails on links without rights
        return None
    target = real_path(link)
    if not target.is_relative_to(real_root):
        return LINK_OUT
    return None if any(map(_passed_over, target.relative_to(real_root).parts)) else LISTED_ALREADY
