"""What a prediction rests on: the place in the scan that speaks for it, and the labeled scans that look most alike."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.before_opening import open_test_set, same_look
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.explaining.attribution import HeatMap, heat_map
from fewscan.folders import require_one_scan
from fewscan.images.one_scan import read_scan
from fewscan.images.readers import Image, UnreadableImage, locate
from fewscan.images.stored import one_by_one
from fewscan.learning.losses import cosine_similarity
from fewscan.training.run import Run

NEIGHBORS = 5

Pixels = npt.NDArray[np.uint8]  # (C, S, S)


@dataclass(frozen=True)
class Neighbor:
    """A labeled scan; `distance` is 1 - cosine similarity of features h, in [0, 2]."""

    row: int
    name: str  # its source and file
    label: str
    distance: float
    pixels: Pixels


@dataclass(frozen=True)
class Evidence:
    """A run's prediction for one scan, and what it rests on.

    `pixels` (C, S, S) uint8 are the scan as the network sees it, `probabilities` (K,) follow `classes`. `heat_map` (S, S) is
    about the class `explained`; see `attribution.heat_map` for its unit. There is none of a scan that is out of distribution,
    whose prediction means nothing, unless a class was asked about.
    """

    pixels: Pixels
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    explained: str
    heat_map: HeatMap | None
    neighbors: tuple[Neighbor, ...]  # nearest first
    typicality: float
    typicality_limit: float  # below it the scan is out of distribution; see `typicality.Gate`
    notes: tuple[str, ...] = ()  # what a user should know of how the pixels came about

    @property
    def out_of_distribution(self) -> bool:
        """Whether the scan is unlike anything that the run learned from."""
        return self.typicality < self.typicality_limit

    @property
    def predicted(self) -> str:
        """The class with the largest probability."""
        return self.classes[int(self.probabilities.argmax())]

    def summary(self, *, names: bool = False) -> dict[str, Any]:
        """Return a summary in a few numbers; `names`: also the files of scans, which may hold names of patients."""
        return {
            "predicted": self.predicted,
            "out_of_distribution": self.out_of_distribution,
            "typicality": self.typicality,
            "typicality_limit": self.typicality_limit if isfinite(self.typicality_limit) else None,
            "notes": list(self.notes),
            "explained": None if self.heat_map is None else self.explained,
            "probabilities": dict(zip(self.classes, self.probabilities.tolist(), strict=True)),
            "neighbors": [
                {"row": each.row, "label": each.label, "distance": each.distance} | ({"name": each.name} if names else {})
                for each in self.neighbors
            ],
        }


def explain_scan(run: Run, dataset: Snapshot, image: Path, class_name: str | None = None) -> Evidence:
    """Explain what `run` predicts for a scan in a file, or what speaks for class `class_name` in it.

    `dataset` is the run's; its labeled scans are the ones compared with. A scan that is one of its sealed test images is
    explained all the same. That is said before and noted in the run as an opening, once for each class that is asked for.
    Raises FewscanError where the file cannot be read or
    there is no such class.
    """
    if class_name is not None:
        run.require_class(class_name)
    read = _read(dataset, image)
    pixels = read.pixels
    tested = any((image == pixels).all() for image in one_by_one(dataset.pixels, dataset.rows("test")))
    if tested:
        run.require_openings(dataset)
    predictor = Predictor.of(run)
    gate = Gate.of(dataset)
    if tested:
        open_test_set(run, dataset, "explain", shows=same_look(run, read.pixels_sha256, class_name or ""))
    row = gate.row_of(read.pixels_sha256)
    (typicality,) = gate.of_images(pixels[np.newaxis], np.array([row]), np.array([read.color]))
    predicted = predictor.predict(pixels[np.newaxis])
    probabilities = predicted.probabilities[0]
    label = int(probabilities.argmax()) if class_name is None else run.record.classes.index(class_name)
    return Evidence(
        pixels=pixels,
        classes=run.record.classes,
        probabilities=probabilities,
        explained=run.record.classes[label],
        heat_map=heat_map(predictor, pixels, label) if class_name is not None or typicality >= gate.limit else None,
        neighbors=_nearest_labeled(predictor, dataset, predicted.features),
        typicality=float(typicality),
        typicality_limit=gate.limit,
        notes=(*read.notes, *gate.notes(read.color)),
    )


def _read(dataset: Snapshot, path: Path) -> Image:
    """Return the scan as the dataset would hold it, with what is to be known of its file, too."""
    require_one_scan(locate(path)[0])
    try:
        return read_scan(path, dataset.spec)
    except UnreadableImage as unreadable:
        raise FewscanError(f"{path} cannot be explained: {unreadable.reason}") from None


def _nearest_labeled(predictor: Predictor, dataset: Snapshot, features: npt.NDArray[np.float32]) -> tuple[Neighbor, ...]:
    """Return the labeled scans whose features are most similar to `features` (1, D); the lower row first where two tie."""
    rows = dataset.rows("labeled")
    names = dataset.file_names
    bank = predictor.of_rows(dataset, rows).features
    distances = 1 - cosine_similarity(torch.from_numpy(features), torch.from_numpy(bank))[0].numpy()
    return tuple(
        Neighbor(
            row=int(rows[place]),
            name=names[rows[place]],
            label=dataset.classes[dataset.labels[rows[place]]],
            # Rounding may put a scan that is compared with itself a hair below zero.
            distance=max(0.0, float(distances[place])),
            pixels=np.array(dataset.pixels[rows[place]]),
        )
        for place in np.argsort(distances, kind="stable")[:NEIGHBORS]
    )
