"""Files that are read with another one, which is the image: the header of an Analyze volume, the values beside a header."""

from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from fewscan.images.formats.image import Contents, Decoded, UnreadableImage
from fewscan.images.formats.reading import Reading

NAME = "part of another file"
NEEDS: str | None = None

# The end of a name -> the ends of the names that it may be read with.
_READ_WITH = {
    ".hdr": (".img",),
    ".mat": (".img", ".nii"),  # SPM's, of which nibabel reads the place
    ".raw": (".mhd", ".nhdr"),
    ".zraw": (".mhd",),
    ".raw.gz": (".nhdr",),
}
_REASON = "part of another file: it is read with the file of the same name beside it"


def is_companion(path: Path) -> bool:
    """Return whether beside a file lies the one that it is a part of."""
    for end, others in _READ_WITH.items():
        if path.name.lower().endswith(end):
            stem = path.name[: -len(end)]
            return any(path.with_name(stem + other).is_file() for other in others)
    return False


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Raise UnreadableImage: it is no image of its own."""
    raise UnreadableImage(_REASON)


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Raise UnreadableImage: it is no image of its own."""
    raise UnreadableImage(_REASON)
