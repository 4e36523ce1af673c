"""The files that a dataset's images were read from, read again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.formats.image import Pixels
from fewscan.images.formats.recognition import is_dicom
from fewscan.images.readers import UnreadableImage, locate, read_image


def originals(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Pixels | None]]:
    """Yield for every row's position the image in its file, or None where the file is gone or holds another one."""
    hashes = dataset.manifest.loc[rows, "pixels_sha256"]
    for position, (path, pixels_sha256) in enumerate(zip(_places(dataset, rows), hashes, strict=True)):
        try:
            file, part = locate(path)
            image = read_image(file, dataset.spec.channels, part=part, reading=dataset.spec)
        except UnreadableImage:
            yield position, None
        else:
            yield position, image.pixels if image.pixels_sha256 == pixels_sha256 else None


def missing(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> list[int]:
    """Return those of the rows whose file is not there any more; nothing is read."""
    return [int(row) for row, path in zip(rows, _places(dataset, rows), strict=True) if not locate(path)[0].is_file()]


def has_dicom(dataset: Snapshot) -> bool:
    """Return whether a source's files are DICOM, by the first of its images; where that file is gone, by its name."""
    first = dataset.usable[np.unique(dataset.manifest["source"].iloc[dataset.usable], return_index=True)[1]]
    return any(is_dicom(locate(path)[0]) for path in _places(dataset, first))


def _places(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> list[Path]:
    """Return where each row's image was read from, `FILE#PART` where a file holds several."""
    folders = {source.name: Path(source.folder) for source in dataset.description.sources}
    columns = dataset.manifest.loc[rows, ["source", "path"]]
    return [folders[source] / path for source, path in columns.itertuples(index=False)]
