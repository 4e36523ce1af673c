"""Scans by their paths -> their pixels as a dataset would hold them, and all that is to be known of each."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fewscan.images.listing.scans import notes_on
from fewscan.images.options import ImageSpec
from fewscan.images.readers import Image, UnreadableImage, locate, read_images
from fewscan.images.sources import ScanFile


def read_scan(path: Path, spec: ImageSpec) -> Image:
    """Read the image that FILE or FILE#PART names, with `pixels` (C, S, S) and the notes on its file and on itself.

    Raises UnreadableImage as `read_image` does.
    """
    with closing(read_scans([path], spec)) as images:
        (image,) = images
    if isinstance(image, UnreadableImage):
        raise image
    return image


def read_scans(paths: Sequence[Path], spec: ImageSpec) -> Generator[Image | UnreadableImage, None, None]:
    """Yield the same of many, in their order, or why one cannot be read; all files are looked into first, together.

    Close the generator to stop early.
    """
    places = [locate(path) for path in paths]
    notes = notes_on([file for file, _ in places], spec)
    scans = [ScanFile("", path.name, file, part=part) for path, (file, part) in zip(paths, places, strict=True)]
    with closing(read_images(scans, spec, alone=True)) as images:
        for scan, image in zip(scans, images, strict=True):
            yield image if isinstance(image, UnreadableImage) else replace(image, notes=(*notes[scan.path], *image.notes))
