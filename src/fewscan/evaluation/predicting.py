"""What a run says of files or arrays, for whoever works in Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.images.readers import UnreadableImage, fitted, locate, read_image
from fewscan.training.run import Run

Images = str | Path | npt.NDArray[np.uint8] | Sequence[str | Path] | Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True, repr=False)
class Predicted:
    """What a run says of N images, in their order.

    probabilities: (N, K) a column a class, none where the run learned without labels, rows sum to 1; the index holds the
    files' names, or numbers for arrays. features: (N, D). typicality: (N,); below the run's limit an image is
    `out_of_distribution` (N,), and its probabilities mean nothing.
    """

    probabilities: pd.DataFrame
    features: npt.NDArray[np.float32]
    typicality: npt.NDArray[np.float64]
    out_of_distribution: npt.NDArray[np.bool_]

    @property
    def table(self) -> pd.DataFrame:
        """One line an image: label and probability where there are classes, typicality, whether it is out of distribution."""
        likeliest = {"label": self.probabilities.idxmax, "probability": self.probabilities.max}
        called = likeliest if self.probabilities.shape[1] else {}
        return pd.DataFrame(
            {
                **{name: of_each(axis=1) for name, of_each in called.items()},
                "typicality": self.typicality,
                "out_of_distribution": self.out_of_distribution,
            },
            index=self.probabilities.index,
        )

    def __repr__(self) -> str:
        """Return the table's own."""
        return repr(self.table)

    def _repr_html_(self) -> str:
        return str(self.table.to_html())


def predict_images(run: Run, dataset: Snapshot, images: Images) -> Predicted:
    """Return what a finished run says of images, read and fitted as those that it learned from.

    images: files, `FILE#PART` for one of several in a file; or arrays of uint8, (H, W) or (H, W, 3) each, of any sizes, or one
    array (N, H, W) or (N, H, W, 3). dataset: what the run saw, which typicality is measured against.
    Raises FewscanError naming the first image that cannot be read.
    """
    names, read = _read(run, images)
    if not read:
        raise FewscanError("there is no image to predict")
    pixels = np.stack([fitted(image, run.record.spec) for image in read])
    predicted = Predictor.of(run).predict(pixels)
    gate = Gate.of(dataset)
    probabilities = pd.DataFrame(predicted.probabilities, columns=list(run.record.classes), index=names)
    typicality = np.asarray(gate.of_images(pixels), np.float64)
    return Predicted(probabilities, predicted.features, typicality, typicality < gate.limit)


def _read(run: Run, images: Images) -> tuple[list[str] | list[int], list[npt.NDArray[np.uint8]]]:
    channels = run.record.spec.channels
    listed = [images] if isinstance(images, str | Path) else list(images)
    if not listed or isinstance(listed[0], str | Path):
        files = [Path(image) for image in listed if isinstance(image, str | Path)]
        return [str(file) for file in files], [_read_file(run, file) for file in files]
    arrays = [np.asarray(image) for image in listed]
    for number, array in enumerate(arrays):
        if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise FewscanError(
                f"image {number}: uint8 (H, W) or (H, W, 3) is wanted, not {array.dtype} {array.shape}; several images are a "
                "list or one array (N, H, W)"
            )
        if (array.ndim == 3) != (channels == 3):
            raise FewscanError(
                f"image {number} has {array.shape}, the run was trained on {'color' if channels == 3 else 'gray'}"
            )
    return list(range(len(arrays))), arrays


def _read_file(run: Run, path: Path) -> npt.NDArray[np.uint8]:
    file, part = locate(path)
    try:
        return read_image(file, run.record.spec.channels, part=part, reading=run.record.spec).pixels
    except UnreadableImage as unreadable:
        raise FewscanError(f"{path}: {unreadable.reason}") from None
