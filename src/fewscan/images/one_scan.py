"""One scan by its path -> its pixels as a dataset would hold them, and all that is to be known of it."""

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
    file, part = locate(path)
    with closing(read_images([ScanFile("", path.name, file, part=part)], spec, workers=1)) as images:
        (image,) = images
    if isinstance(image, UnreadableImage):
        raise image
    return replace(image, notes=(*notes_on(file, spec), *image.notes))
