"""Files -> arrays of gray or color pixels, with the hashes that tell copies; and the resizing that all share."""

import hashlib
import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import PIL.Image

from fewscan.images.crop import shown
from fewscan.images.formats.channels import has_color
from fewscan.images.formats.image import TOO_LITTLE_MEMORY, Decoded, Pixels, UnreadableImage, Values
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import hashed_with, opened, read_in_known_time, recognize, silenced
from fewscan.images.guarded import guarded
from fewscan.images.options import ImageSpec, Resize
from fewscan.images.parallel import in_order
from fewscan.images.sources import ScanFile

__all__ = ["Image", "UnreadableImage", "fit", "fitted", "locate", "read_image", "read_images", "read_parts", "sha256_of_images"]


# A file may hold a whole data set: more of its images would take more time and memory than one file is given.
IMAGES_AT_ONCE = 4_000
# Most scans are a few times as large at most. hashlib's own way clears 256 kB for each, which takes longer than the hash.
_HASHED_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Image:
    """What was read of one image.

    `pixels` is uint8, (H, W) or (H, W, 3), and where it was fitted (C, S, S); `whole` is the same without the crop. `sha256` is
    over the file's bytes, whichever of its images this is, and where header and values are two files, over both.
    `pixels_sha256` is over type, shape and values as decoded: upright, alpha composited, color with three equal channels as
    one, before any window or change of depth or size. `width_px` and `height_px` are the upright image's, with square pixels.
    `color`: whether it shows color (`channels.has_color`), also where it was read as gray. `notes`: what a user should know of
    how the pixels came about, a line each, its kind before the first colon.
    """

    pixels: Pixels
    whole: Pixels
    sha256: str
    pixels_sha256: str
    width_px: int
    height_px: int
    color: bool
    notes: tuple[str, ...] = ()


class _FileTask(NamedTuple):
    """A file, and which of its images are wanted; with a reason, only its hash is."""

    path: Path
    parts: tuple[str | None, ...]
    set_aside: str | None


def read_image(path: Path, channels: Literal[1, 3] = 1, *, part: str | None = None, reading: Reading | None = None) -> Image:
    """Read one image; `part` says which, such as `frame=3`, of a file that holds several.

    What is kept and what is mapped to 8 bits, each format's module says (`fewscan.images.formats`). Color becomes gray by ITU-R
    601 luminance. Raises UnreadableImage for anything that is not one whole, finite image with something to see.
    """
    with silenced():
        (result,) = read_parts(path, (part,), channels, reading)
    if isinstance(result, UnreadableImage):
        raise result
    return result


def read_parts(
    path: Path, parts: tuple[str | None, ...], channels: Literal[1, 3] = 1, reading: Reading | None = None
) -> list[Image | UnreadableImage]:
    """Read some images of a file, which is opened once, as `read_image` does; or why one cannot be read. Call it `silenced`."""
    return _guarded_if_needed(_read_file, _FileTask(path, parts, None), channels, reading or Reading())


def read_values(path: Path, *, part: str | None, reading: Reading) -> tuple[Decoded, str]:
    """Read one image for people to look at: its values and 8-bit pixels as decoded, and its `pixels_sha256`.

    Color stays color. Raises UnreadableImage as `read_image` does.
    """
    with silenced():
        return guarded(_read_values, path.absolute(), part, reading)


def locate(path: Path) -> tuple[Path, str | None]:
    """Return the file, and which image in it, that `FILE#PART` names; a file whose own name holds `#` goes first."""
    if "#" not in path.name or path.exists():
        return path, None
    name, _, part = path.name.rpartition("#")
    return path.with_name(name), part


def read_images(
    scans: Sequence[ScanFile | Path], spec: ImageSpec, workers: int | None = None, *, alone: bool = False
) -> Generator[Image | UnreadableImage, None, None]:
    """Read many images on all cores and yield, in their order, those whose `pixels` are fitted to (C, S, S).

    An image that cannot be used yields its UnreadableImage, one that was set aside likewise. A file is opened once for up to
    IMAGES_AT_ONCE of its images that stand together; `alone`, for each, so that what is wrong with one's name is said of it and
    of no other. The result does not depend on `workers` (default: one per core). Close the generator to stop early.
    """

    def read(task: _FileTask) -> list[Image | UnreadableImage]:
        return _guarded_if_needed(_read_fitted, task, spec)

    results = in_order(read, _tasks(scans, 1 if alone else IMAGES_AT_ONCE), workers=workers, weigh=lambda task: len(task.parts))
    with silenced(), closing(results) as files:
        for images in files:
            yield from images


def fitted(pixels: Pixels, spec: ImageSpec) -> Pixels:
    """Return (H, W) or (H, W, 3) uint8, an image as it was read, as the dataset of that spec stores it: (C, S, S) uint8."""
    return fit(shown(pixels, spec).pixels, spec.size_px, spec.resize)


def fit(pixels: Pixels, size_px: int, resize: Resize) -> Pixels:
    """Resize (H, W) or (H, W, 3) uint8 to (C, S, S) uint8, antialiased.

    `stretch` ignores the proportions; `pad` keeps them and centers the image on black.
    """
    height, width = pixels.shape[:2]
    scale = size_px / max(height, width)
    fitted = (size_px, size_px) if resize == "stretch" else (max(1, round(width * scale)), max(1, round(height * scale)))
    # Bilinear, as it is the one antialiased filter of Pillow's that neither rings at the skull's edge nor leaves blocks.
    resized = np.asarray(PIL.Image.fromarray(pixels).resize(fitted, PIL.Image.Resampling.BILINEAR))
    canvas = np.zeros((size_px, size_px, *pixels.shape[2:]), dtype=np.uint8)
    left, top = (size_px - fitted[0]) // 2, (size_px - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = resized
    return canvas[np.newaxis] if canvas.ndim == 2 else np.ascontiguousarray(canvas.transpose(2, 0, 1))


def _tasks(scans: Sequence[ScanFile | Path], at_once: int) -> Iterator[_FileTask]:
    wanted = (
        _FileTask(one, (None,), None) if isinstance(one, Path) else _FileTask(one.path, (one.part,), one.set_aside)
        for one in scans
    )
    for (path, set_aside), tasks in itertools.groupby(wanted, key=lambda task: (task.path, task.set_aside)):
        parts = [part for task in tasks for part in task.parts]
        for first in range(0, len(parts), at_once):
            yield _FileTask(path, tuple(parts[first : first + at_once]), set_aside)


def _guarded_if_needed(
    read: Callable[..., list[Image | UnreadableImage]], task: _FileTask, *how: Any
) -> list[Image | UnreadableImage]:
    """Return what `read(task, *how)` does, in a process that can be ended unless the file is read in known time."""
    if task.set_aside is not None or read_in_known_time(task.path):
        return read(task, *how)
    try:
        return guarded(read, task._replace(path=task.path.absolute()), *how)
    except UnreadableImage as unreadable:
        # What ended the process may have been its last image; which are whole nobody knows. Its bytes can be told all the same.
        return read(task._replace(set_aside=unreadable.reason), *how)


def _read_fitted(task: _FileTask, spec: ImageSpec) -> list[Image | UnreadableImage]:
    return [one if isinstance(one, UnreadableImage) else _fitted(one, spec) for one in _images_of(task, spec.channels, spec)]


def _fitted(image: Image, spec: ImageSpec) -> Image:
    scan = shown(image.pixels, spec)
    whole = fit(scan.whole, spec.size_px, spec.resize)
    pixels = whole if scan.box is None else fit(scan.pixels, spec.size_px, spec.resize)
    return replace(image, pixels=pixels, whole=whole, notes=(*image.notes, *scan.notes))


def _read_file(task: _FileTask, channels: Literal[1, 3], reading: Reading) -> list[Image | UnreadableImage]:
    """Return the images of one file, as large as they are."""
    return list(_images_of(task, channels, reading))


def _read_values(path: Path, part: str | None, reading: Reading) -> tuple[Decoded, str]:
    with opened(path) as file:
        (one,) = recognize(path, file).read(file, (part,), reading)
    if isinstance(one, UnreadableImage):
        raise one
    return one, _values_digest(one.values)


def _images_of(task: _FileTask, channels: Literal[1, 3], reading: Reading) -> Iterator[Image | UnreadableImage]:
    """Yield the images of one file; from where it cannot be read on, the reason for each that is left."""
    read = 0
    sha256 = None
    try:
        if task.set_aside is not None and task.path.is_symlink():
            raise UnreadableImage(task.set_aside)  # not even its bytes are told: they may be no business of ours
        with opened(task.path) as file:
            digest = _digest_of(file)
            sha256 = digest.hexdigest()
            if task.set_aside is not None:
                raise UnreadableImage(task.set_aside)
            if file.tell() == 0:
                raise UnreadableImage("empty file")
            _add_other(digest, task.path, file)
            sha256 = digest.hexdigest()
            for one in recognize(task.path, file).read(file, task.parts, reading):
                if isinstance(one, UnreadableImage):
                    yield UnreadableImage(one.reason, sha256)
                elif _is_blank(one.pixels):
                    yield UnreadableImage("blank: every pixel looks the same", sha256)
                else:
                    yield _image(one, sha256, channels)
                read += 1
    except (UnreadableImage, MemoryError) as stopped:
        reason = task.set_aside or (stopped.reason if isinstance(stopped, UnreadableImage) else TOO_LITTLE_MEMORY)
        for _ in task.parts[read:]:
            yield UnreadableImage(reason, sha256)


def sha256_of_images(path: Path) -> str | None:
    """Return what the images of a file have as their `sha256`, None where it cannot be opened; nothing is decoded."""
    try:
        with opened(path) as file:
            digest = _digest_of(file)
            with suppress(UnreadableImage):
                _add_other(digest, path, file)
            return digest.hexdigest()
    except UnreadableImage:
        return None


def _add_other(digest: "hashlib._Hash", path: Path, file: BufferedReader) -> None:
    """Let the digest of a file go on over the one that is read with it, its values' or its header's, if there is one."""
    if (other := hashed_with(path, file)) is not None:
        with opened(other) as beside:
            digest.update(_digest_of(beside).digest())


def _digest_of(file: BufferedReader) -> "hashlib._Hash":
    digest = hashlib.sha256()
    while part := file.read(_HASHED_AT_ONCE):
        digest.update(part)
    return digest


def _is_blank(pixels: Pixels) -> bool:
    if pixels.ndim == 2:
        return bool(pixels.min() == pixels.max())
    return bool((pixels == pixels[0, 0]).all())


def _image(decoded: Decoded, sha256: str, channels: Literal[1, 3]) -> Image:
    height, width = decoded.pixels.shape[:2]
    pixels = _to_channels(decoded.pixels, channels)
    return Image(
        pixels=pixels,
        whole=pixels,
        sha256=sha256,
        pixels_sha256=_values_digest(decoded.values),
        width_px=width,
        height_px=height,
        color=has_color(decoded.pixels),
        notes=decoded.notes,
    )


def _to_channels(pixels: Pixels, channels: Literal[1, 3]) -> Pixels:
    if channels == 1 and pixels.ndim == 3:
        return np.asarray(PIL.Image.fromarray(pixels).convert("L"))
    if channels == 3 and pixels.ndim == 2:
        return np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return pixels


def _values_digest(values: Values) -> str:
    digest = hashlib.sha256(f"{values.dtype.name} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
