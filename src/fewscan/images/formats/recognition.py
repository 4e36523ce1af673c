"""Which format a file has, by its name or its first bytes, and how it is opened."""

import importlib
import logging
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from fewscan.errors import FewscanError
from fewscan.images.formats import arrays, companions, dicom, itk, matlab, nifti, pictures, tiff
from fewscan.images.formats.image import MAX_PIXELS, Contents, Decoded, UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.shared_context import SharedContext

# Files with these names are taken at their word, so that a listing need not open them.
_PICTURES_OF_ONE_IMAGE = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_HEAD_BYTES = 352
# How JPEG, PNG, BMP, GIF and WebP begin.
_KNOWN = (b"\xff\xd8", b"\x89PNG", b"BM", b"GIF8", b"RIFF")
# No picture of one image that is kept needs more: its pixels, uncompressed, in 8 bits with transparency.
_MOST_BYTES = 4 * MAX_PIXELS
_NIFTI1_MAGIC_AT = 344
_NIFTI2_MAGIC_AT = 4
_TALKATIVE_LIBRARIES = ("pydicom", "pylibjpeg", "nibabel", "nibabel.global", "tifffile")


class Format(Protocol):
    """A module of this folder; `NEEDS` is the package of the extra `medical` that it reads with, or None."""

    NAME: str
    NEEDS: str | None

    def contents(self, file: BufferedReader, reading: Reading) -> Contents:
        """Say which images a file holds; raises UnreadableImage."""

    def read(self, file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
        """Yield the images of a file that `parts` names, in that order; raises UnreadableImage."""


def recognize(path: Path, file: BufferedReader) -> Format:
    """Return the format of an opened file, which is left at its beginning; what is of no known kind Pillow may refuse."""
    file.seek(0)
    name = path.name.lower()
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if holds_one_image(path):
        return tiff if head.startswith(tiff.MAGIC) else pictures
    # Before TIFF, since a DICOM file may begin as one, for programs that know TIFF only (PS3.10, 7.1).
    if dicom.begins(head):
        return dicom
    if head.startswith(tiff.MAGIC):
        return tiff
    if name.endswith((".npy", ".npz")) or head.startswith(b"\x93NUMPY"):
        return arrays
    if companions.is_companion(path):
        return companions
    if name.endswith(".mat") or head.startswith(b"MATLAB 7.3"):
        return matlab
    if head.startswith(itk.NRRD_MAGIC) or name.endswith(itk.META_SUFFIXES):
        return itk
    if (
        nifti.header_file(path) is not None
        or name.endswith((".nii", ".nii.gz", *nifti.MGH_SUFFIXES))
        or head[_NIFTI1_MAGIC_AT:].startswith(b"n+1\0")
        or head[_NIFTI2_MAGIC_AT:].startswith(b"n+2\0")
    ):
        return nifti
    # Others whose first bytes tell nothing are told by their name.
    return dicom if name.endswith(DICOM_SUFFIXES) else pictures


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM; one that cannot be opened is by its name."""
    try:
        with opened(path) as file:
            return recognize(path, file) is dicom
    except (UnreadableImage, OSError):
        return path.name.lower().endswith(DICOM_SUFFIXES)


def holds_one_image(path: Path) -> bool:
    """Return whether a file's name alone says that it is a picture of one image, with nothing to say of itself."""
    return path.name.lower().endswith(_PICTURES_OF_ONE_IMAGE)


def read_in_known_time(path: Path) -> bool:
    """Return whether a file is a picture of one image that says how large it is before it is decoded, and is soon done.

    Of other formats, under whatever name, nobody knows what they make their library do, nor how much memory a file takes that
    is larger than a picture needs to be.
    """
    if not holds_one_image(path):
        return False
    try:
        with opened(path) as file:
            return file.read(_HEAD_BYTES).startswith(_KNOWN) and os.fstat(file.fileno()).st_size <= _MOST_BYTES
    except UnreadableImage:
        return True  # nothing will be decoded


def contents_of(path: Path, reading: Reading) -> Contents:
    """Say which images a file holds, and what it says of patient and label; raises UnreadableImage."""
    with opened(path) as file:
        return recognize(path, file).contents(file, reading)


def hashed_with(path: Path, file: BufferedReader) -> Path | None:
    """Return the other file whose bytes belong to an image's hash: of values beside a header, or of a header beside values."""
    if holds_one_image(path):
        return None
    format_ = recognize(path, file)
    return itk.values_file(file) if format_ is itk else nifti.header_file(path) if format_ is nifti else None


def shows_color(path: Path) -> bool | None:
    """Return whether a picture shows color, by a look at few of its pixels; None for other formats, and what cannot be read."""
    try:
        with opened(path) as file:
            return pictures.in_color(file) if recognize(path, file) in (pictures, tiff) else None
    except UnreadableImage:
        return None


def require_packages(paths: Sequence[Path]) -> None:
    """Raise FewscanError where some of the files need a package that is not installed, naming the extra that holds it."""
    counts = Counter((format_.NAME, format_.NEEDS) for format_ in _formats(paths) if format_.NEEDS)
    lacking = {name: count for (name, package), count in counts.items() if not _installed(package)}
    if lacking:
        files = " and ".join(f"{count} {name} file{'s' if count > 1 else ''}" for name, count in lacking.items())
        raise FewscanError(f"there are {files}, which need a package that is not installed: pip install 'fewscan[medical]'")


def _formats(paths: Sequence[Path]) -> Iterator[Format]:
    for path in paths:
        # Why a file cannot be opened is said when it is looked into.
        with suppress(UnreadableImage), opened(path) as file:
            yield recognize(path, file)


def _installed(package: str | None) -> bool:
    try:
        importlib.import_module(str(package))
    except ImportError:
        return False
    return True


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file to read; raises UnreadableImage, also for what the operating system says while it is read."""
    try:
        # A pipe among the files would block for ever when opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImage("not a regular file")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read it") from None
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror or error}") from None


def silenced() -> SharedContext:
    """Keep to itself what libraries warn of in files that they read well: pydicom quotes patients' data when it warns.

    What matters is raised, not warned of. Of all that are inside at once, in whichever threads, the last to leave lets
    libraries speak again: loggers and warnings belong to the process.
    """
    return _SILENCE


def _begin_silence(undone: ExitStack) -> None:
    for logger in map(logging.getLogger, _TALKATIVE_LIBRARIES):
        undone.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
    undone.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"(PIL|pydicom|pylibjpeg|openjpeg|libjpeg|jpeg_ls|nibabel|h5py|openpyxl)\b")


_SILENCE = SharedContext(_begin_silence)
