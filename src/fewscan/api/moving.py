"""The verb that says where the pixels of a dataset are, and moves them: pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import dataset_to_change, opened_dataset
from fewscan.errors import FewscanError

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.moving_pixels import PixelsPlace


def move_pixels(
    dataset: str | Path | Dataset, *, to: str | None = None, remove: bool = False, back: bool = False
) -> PixelsPlace:
    """Move the pixels of a dataset if you ask for it, and return where they are.

    to: a URL that fsspec opens, such as s3://bucket/mydata; the pixels are copied there and read back. remove: remove the files
    on this machine after their copy was read; verbs then read what they need from the URL. back: copy back what is only there.
    Raises FewscanError as `fewscan.datasets.moving_pixels` says.
    """
    from fewscan.datasets import moving_pixels

    if back and (to is not None or remove):
        raise FewscanError("--back copies pixels back: give it without --to and --remove")
    if to is None and not remove and not back:
        return moving_pixels.PixelsPlace.of(opened_dataset(dataset).images)
    with dataset_to_change(dataset, "pixels") as opened:
        images = opened.images
        moving_pixels.put_back(images)
        if back:
            return moving_pixels.PixelsPlace.of(moving_pixels.bring_back(images))
        if to is not None:
            images = moving_pixels.copy_to(images, to)
        if remove:
            images = moving_pixels.remove_here(images, verified=to is not None and not images.away)
        return moving_pixels.PixelsPlace.of(images)
