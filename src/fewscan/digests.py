"""Files that are known by their SHA-256: one that was changed, cut short or damaged since it was written is noticed."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.memory import is_too_little


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole(path: Path, otherwise: str) -> Iterator[None]:
    """Tell what the operating system says of a file that fewscan wrote and reads in this block; `otherwise` is what helps.

    Raises FewscanError where it is missing, cannot be read or is damaged, and MemoryError where there is too little of that.
    """
    try:
        yield
    except FileNotFoundError:
        raise FewscanError(f"{path.parent} is incomplete: {path.name} is missing; {otherwise}") from None
    except PermissionError:
        raise FewscanError(f"no permission to read {path}") from None
    except OSError as error:
        if is_too_little(error):
            raise MemoryError(str(error)) from None
        raise FewscanError(f"{path} is damaged: {otherwise}") from None


def known_content(path: Path, sha256s: Sequence[str], otherwise: str) -> bytes:
    """Return the content of a file that has one of these SHA-256s; `otherwise` is what helps, such as `import again`.

    Raises FewscanError where it is missing, cannot be read, or is another.
    """
    with whole(path, otherwise):
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() not in sha256s:
        raise FewscanError(f"{path} was changed or damaged after fewscan wrote it: restore the original file, or {otherwise}")
    return content
