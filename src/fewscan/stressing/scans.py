"""The scans of a dataset before they were made small, since that is where the world changes them."""

from collections.abc import Iterator

from fewscan.datasets.originals import missing, originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.formats.image import Pixels
from fewscan.images.png import as_in_a_file
from fewscan.images.stored import one_by_one
from fewscan.training.batches import Rows

_INSTEAD = "put the files back, or use --stored to change the pixels in the dataset, where noise and blur are coarser"


def scans_of(dataset: Snapshot, rows: Rows, *, stored: bool) -> Iterator[Pixels]:
    """Return the scans of these rows, (H, W) or (H, W, 3) uint8 each, in their order: as in their files, or as `stored`.

    What is done to a file's pixels before they are made small is not the same as what is done after: the two are never mixed.
    Raises FewscanError where a file is gone, at once, and when it comes to one that holds another image.
    """
    require_scans(dataset, rows, stored=stored)
    return _stored(dataset, rows) if stored else _from_files(dataset, rows)


def require_scans(dataset: Snapshot, rows: Rows, *, stored: bool) -> None:
    """Raise FewscanError where scans are wanted as in their files, and one of these is gone."""
    if not stored and (gone := missing(dataset, rows)):
        raise FewscanError(f"{len(gone)} of {len(rows)} files are missing, such as {dataset.file_names[gone[0]]}: {_INSTEAD}")


def _from_files(dataset: Snapshot, rows: Rows) -> Iterator[Pixels]:
    for position, pixels in originals(dataset, rows):
        if pixels is None:
            raise FewscanError(f"{dataset.file_names[rows[position]]} cannot be read or is another image now: {_INSTEAD}")
        yield pixels


def _stored(dataset: Snapshot, rows: Rows) -> Iterator[Pixels]:
    for pixels in one_by_one(dataset.pixels, rows):
        yield as_in_a_file(pixels)
