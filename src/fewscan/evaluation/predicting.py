"""What a run says of files or arrays, for whoever works in Python."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.images.crop import shown
from fewscan.images.formats.channels import has_color
from fewscan.images.notes import how_often, in_one_field
from fewscan.images.one_scan import read_scans
from fewscan.images.options import ImageSpec
from fewscan.images.readers import UnreadableImage, fit
from fewscan.training.run import Run
from fewscan.wording import counted

Images = str | Path | npt.NDArray[np.uint8] | Sequence[str | Path] | Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True, repr=False)
class Predicted:
    """What a run says of N images, in their order.

    probabilities: (N, K) a column a class, none where the run learned without labels, rows sum to 1; the index holds the
    files' names, or numbers for arrays. features: (N, D). typicality: (N,); below the run's limit an image is
    `out_of_distribution` (N,), and its probabilities mean nothing. notes: of each image what is to be known of how its pixels
    came about, a negative that was undone or which of several windows was taken.
    """

    probabilities: pd.DataFrame
    features: npt.NDArray[np.float32]
    typicality: npt.NDArray[np.float64]
    out_of_distribution: npt.NDArray[np.bool_]
    notes: tuple[tuple[str, ...], ...]

    @property
    def table(self) -> pd.DataFrame:
        """One line an image: label and probability where there are classes, typicality, out of distribution or not, notes."""
        likeliest = {"label": self.probabilities.idxmax, "probability": self.probabilities.max}
        called = likeliest if self.probabilities.shape[1] else {}
        return pd.DataFrame(
            {
                **{name: of_each(axis=1) for name, of_each in called.items()},
                "typicality": self.typicality,
                "out_of_distribution": self.out_of_distribution,
                "note": pd.array([in_one_field(notes) for notes in self.notes], dtype="string"),
            },
            index=self.probabilities.index,
        )

    def __repr__(self) -> str:
        """Return the table's own, and below it the notes as a whole, which a table shortens."""
        return "\n".join([repr(self.table), *self._told])

    def _repr_html_(self) -> str:
        return str(self.table.to_html()) + "".join(f"<p>{escape(line)}</p>" for line in self._told)

    @property
    def _told(self) -> list[str]:
        return [f"note: {note} ({counted(number, 'image')})" for note, number in how_often(self.notes).items()]


class _Read(NamedTuple):
    """An image as the run wants it, (C, S, S) uint8, whether it showed color before, and the notes on it."""

    pixels: npt.NDArray[np.uint8]
    in_color: bool
    notes: tuple[str, ...]
    pixels_sha256: str = ""  # of the file's pixels; none of an array


def predict_images(run: Run, dataset: Snapshot, images: Images) -> Predicted:
    """Return what a finished run says of images, read and fitted as those that it learned from.

    images: files, `FILE#PART` for one of several in a file; or arrays of uint8, (H, W) or (H, W, 3) each, of any sizes, or one
    array (N, H, W) or (N, H, W, 3). dataset: what the run saw, which typicality is measured against; a file of its own is held
    out for that, as `label` does.
    Raises FewscanError naming the first image that cannot be read.
    """
    names, read = _read(run, images)
    if not read:
        raise FewscanError("there are no images to predict")
    pixels = np.stack([image.pixels for image in read])
    predicted = Predictor.of(run).predict(pixels)
    gate = Gate.of(dataset)
    probabilities = pd.DataFrame(predicted.probabilities, columns=list(run.record.classes), index=names)
    in_color = np.array([image.in_color for image in read])
    rows = np.array([gate.row_of(image.pixels_sha256) for image in read])
    typicality = np.asarray(gate.of_images(pixels, rows, in_color), np.float64)
    notes = tuple((*image.notes, *gate.notes(image.in_color)) for image in read)
    return Predicted(probabilities, predicted.features, typicality, typicality < gate.limit, notes)


def _read(run: Run, images: Images) -> tuple[list[str] | list[int], list[_Read]]:
    spec = run.record.spec
    if isinstance(images, np.ndarray) and images.ndim == 3 and images.shape[2] == 3:
        # Not so many images that are three pixels wide.
        raise FewscanError(f"this is one color image, {images.shape}: give several images, or a list with this one")
    listed = [images] if isinstance(images, str | Path) else list(images)
    files = [Path(image) for image in listed if isinstance(image, str | Path)]
    if len(files) == len(listed):
        return [str(file) for file in files], list(_read_files(files, spec))
    if files:
        raise FewscanError(f"these are {counted(len(files), 'file')} and other things: give files alone, or arrays alone")
    arrays = [np.asarray(image) for image in listed]
    for number, array in enumerate(arrays):
        if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise FewscanError(
                f"image {number} must be uint8 (H, W) or (H, W, 3), not {array.dtype} {array.shape}; give several images as a "
                "list or one array (N, H, W)"
            )
        if (array.ndim == 3) != (spec.channels == 3):
            raise FewscanError(
                f"image {number} has shape {array.shape}, but the run was trained on "
                f"{'color' if spec.channels == 3 else 'gray'} images"
            )
    return list(range(len(arrays))), [_fitted(array, spec) for array in arrays]


def _fitted(array: npt.NDArray[np.uint8], spec: ImageSpec) -> _Read:
    scan = shown(array, spec)
    return _Read(fit(scan.pixels, spec.size_px, spec.resize), has_color(array), scan.notes)


def _read_files(paths: Sequence[Path], spec: ImageSpec) -> Iterator[_Read]:
    with closing(read_scans(paths, spec)) as images:
        for path, image in zip(paths, images, strict=True):
            if isinstance(image, UnreadableImage):
                raise FewscanError(f"{path}: {image.reason}")
            yield _Read(image.pixels, image.color, image.notes, image.pixels_sha256)
