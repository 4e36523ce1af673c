"""Files and folders that appear whole or not at all, so that a kill or a full disk leaves nothing half-made.

What is being made lies beside its place, under a name that says which process makes it. What a killed process left so is
removed by the next that writes to the same place.
"""

import errno
import glob
import hashlib
import json
import os
import platform
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from fewscan.errors import FewscanError

# How `_temporary` calls what is being made.
_MAKING = re.compile(r"^\.(.+)\.[0-9a-f]{6}-(\d+)-[0-9a-f]{8}\.tmp$")
_encoded = json.JSONEncoder(allow_nan=False).encode


@contextmanager
def replaced_file(path: Path, *, parents: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; on success it replaces `path`, on an error it is removed.

    parents: whether its folder is made where there is none, as for what a user asks for by `--out`. Raises FewscanError where
    the operating system refuses to write; see `writing`.
    """
    with writing(path):
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 so that a reader sees the old file or the new one, whole."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the old file or the new one, whole."""
    with replaced_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, atomically: objects indented, and of a list of lists or objects each on a line of its own.

    So a list of a million is read by eye, and compared, line by line, and takes neither the time nor the space that indenting
    all of it does. NaN is refused with ValueError, since JSON has none.
    """
    with replaced_file(path) as temporary:
        write_json_to(temporary, content)


def write_json_to(path: Path, content: Any) -> None:
    """Write as `write_json` does, but to `path` itself: for who has a temporary one already."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_json_parts(content))
        file.write("\n")


def json_entry(path: Path, name: str) -> Any:
    """Return one value of the object that `write_json` wrote; what stands behind it, maybe millions of lines, is not read.

    Raises KeyError where it has no such value, ValueError where that is damaged, and OSError.
    """
    begins, closing = f'  "{name}": ', {"[": "  ]", "{": "  }"}
    with path.open(encoding="utf-8") as file:
        found = next((line for line in file if line.startswith(begins)), None)
        if found is None:
            # Somebody may have laid it out otherwise.
            return json.loads(path.read_text(encoding="utf-8"))[name]
        text = found.removeprefix(begins).rstrip(",\n")
        if (ends := closing.get(text)) is not None:
            text = "".join([text, *takewhile(lambda line: not line.startswith(ends), file), ends])
    return json.loads(text)


def _json_parts(content: Any, indent: str = "\n") -> Iterator[str]:
    """Yield the parts of the text; the whole would take as much memory as the file is long."""
    inner = f"{indent}  "
    if isinstance(content, dict) and content:
        for number, (key, value) in enumerate(content.items()):
            yield f"{',' if number else '{'}{inner}{_encoded(str(key))}: "
            yield from _json_parts(value, inner)
        yield f"{indent}}}"
    elif isinstance(content, list | tuple) and any(isinstance(entry, dict | list | tuple) for entry in content):
        for number, entry in enumerate(content):
            yield f"{',' if number else '['}{inner}{_encoded(entry)}"
        yield f"{indent}]"
    else:
        yield _encoded(content)


@contextmanager
def new_folder(path: Path, argument: str = "--out") -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it is renamed to `path`, on an error it is removed.

    argument: by which a user names `path`. Raises FewscanError where `path` exists already, since nothing is ever overwritten,
    and where it cannot be made.
    """
    refuse_existing(path, argument=argument)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        temporary.mkdir()
        # Of what the user's umask leaves it is the owner's alone while it is made.
        rights = stat.S_IMODE(temporary.stat().st_mode)
        temporary.chmod(0o700)
    try:
        yield temporary
        with writing(path):
            temporary.chmod(rights)
            refuse_existing(path, argument=argument)
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder as a whole: a kill meanwhile leaves nothing at `path` that looks like the folder, or all of it."""
    going = _temporary(path)
    path.rename(going)
    shutil.rmtree(going)


def _temporary(path: Path) -> Path:
    """Return where this process makes what is to stand at `path`; what dead processes of this machine left there is removed."""
    remove_left(path.parent, path.name)
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def remove_left(folder: Path, name: str | None = None) -> None:
    """Remove what dead processes of this machine left half-made in `folder`: of the file or folder `name`, or all of it."""
    for left in folder.glob(f".{'*' if name is None else glob.escape(name)}.{_machine()}-*.tmp"):
        made = _MAKING.match(left.name)
        if made and not _is_alive(made[2]):
            _remove(left)


def _machine() -> str:
    """Return a short name of this machine, since processes of several may write into one folder of a cluster."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, PermissionError):
        return True  # none of ours, or somebody else's
    except ProcessLookupError:
        return False
    return True


def _remove(path: Path) -> None:
    """Remove a file or a folder, if another process does not do so meanwhile and the disk lets it: neither stops who asks."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` (full disk, no rights) into a FewscanError of one line.

    What lies in a folder that is still being made is called by the place where it is to stand.
    """
    try:
        yield
    except OSError as error:
        place = Path(*(_MAKING.sub(r"\1", part) for part in path.parts))
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise FewscanError(f"no disk space left to write {place}: free some space or choose another place") from None
        reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
        # A file of a dataset or a run has no other place.
        raise FewscanError(f"cannot write {place}: {reason}; choose another place or make this one writable") from None


def refuse_existing(path: Path, instead: str = "remove it first", argument: str = "--out") -> None:
    """Raise FewscanError where something stands at `path` already; `instead` is what helps besides another `argument`."""
    if path.exists() or path.is_symlink():
        free = shlex.quote(str(free_path(path)))
        such = f"{argument} {free}" if argument.startswith("-") else free
        raise FewscanError(f"{path} already exists: choose another {argument}, such as {such}, or {instead}")


def free_path(path: Path) -> Path:
    """Return `path`, or where something stands there, the first of PATH-2, PATH-3 ... where nothing does; for `.`, in it."""
    return next(name for name in numbered(path if path.name else path / "new") if not (name.exists() or name.is_symlink()))


def numbered(path: Path) -> Iterator[Path]:
    """Yield PATH, PATH-2, PATH-3 ...; the number stands before a suffix."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def require_place(*paths: Path, overwrite: bool = False, instead: str = "give --overwrite to replace it") -> None:
    """Raise FewscanError where a verb may not or cannot write what is to stand at `paths`: before the work that it is to hold.

    With `overwrite` files that stand there may be replaced; else `instead` is what helps besides another place. Folders that
    are not there yet are not made: the verb may still be refused.
    """
    for path in paths:
        with writing(path):
            if not overwrite:
                refuse_existing(path, instead)
            elif path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            folder = next(each for each in path.absolute().parents if each.exists() or each.is_symlink())
            require_writable(folder / path.name)


def require_suffix(path: Path, *suffixes: str, argument: str = "--out") -> None:
    """Raise FewscanError where the name of a file that a verb is to write ends otherwise than in one of `suffixes`: `.csv`.

    argument: by which a user names it.
    """
    if path.suffix.lower() not in suffixes:
        raise FewscanError(f"{argument} writes a file whose name ends in {' or '.join(suffixes)}, not {path}")


def require_writable(path: Path) -> None:
    """Raise FewscanError where no `path` can be made in its folder."""
    with writing(path.parent):
        try_writing(path)


def try_writing(path: Path) -> None:
    """Raise OSError where no `path` can be made in its folder; only trying tells, whatever rights there are."""
    tried = _temporary(path)
    tried.touch()
    tried.unlink()


def refuse_replacing(path: Path, *read: Path) -> None:
    """Raise FewscanError where what stands at `path` is read by the verb that would replace it, or lies in a folder of these.

    Leave to replace a file that the verb wrote before is none to replace what it was made from.
    """
    place = path.parent.resolve() / path.name  # a link is replaced itself, not what it points to
    for source in read:
        if path.exists() and source.resolve() in (place, *place.parents):
            why = "this command reads it" if source.is_file() else f"it is in {source}, which this command reads"
            raise FewscanError(f"{path} is not replaced, because {why}: choose another --out")
