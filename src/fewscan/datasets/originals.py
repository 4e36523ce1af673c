"""The files that a dataset's images were read from, read again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.formats.image import Pixels
from fewscan.images.readers import UnreadableImage, locate, read_image


def originals(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Pixels | None]]:
    """Yield for every row's position the image in its file, or None where the file is gone or holds another one."""
    folders = {source.name: Path(source.folder) for source in dataset.description.sources}
    columns = dataset.manifest.loc[rows, ["source", "path", "pixels_sha256"]]
    for position, (source, path, pixels_sha256) in enumerate(columns.itertuples(index=False)):
        try:
            file, part = locate(folders[source] / path)
            image = read_image(file, dataset.spec.channels, part=part, reading=dataset.spec)
        except UnreadableImage:
            yield position, None
        else:
            yield position, image.pixels if image.pixels_sha256 == pixels_sha256 else None
