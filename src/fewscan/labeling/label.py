"""A folder of new scans, or a dataset's unlabelled ones -> labels.csv."""

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fewscan.atomic import refuse_existing, replaced_file, writing
from fewscan.config import Settings
from fewscan.data.dataset import Dataset
from fewscan.data.readers import Image, UnreadableImage, read_images
from fewscan.data.sources import ScanFile, list_scans, parse_sources
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling.decisions import acceptance_threshold, images_needed
from fewscan.progress import track
from fewscan.training.run import Run

BLOCK_IMAGES = 256

Decision = Literal["accept", "review", "unreadable"]


class LabelSummary(Settings):
    """What `label` wrote."""

    out: str
    scans: int
    accepted: int
    review: int
    unreadable: int
    classes: dict[str, int]
    target_error: float
    threshold: float | None  # lowest probability that is accepted; None where the labels cannot support the target error
    reason: str  # where the threshold comes from, or why there is none


def label_folder(run: Run, dataset: Dataset, folder: Path, out: Path, *, target_error: float = 0.05) -> LabelSummary:
    """Label every scan in `folder` and write one CSV row a file: path, label, probability of every class, decision, reason.

    `dataset` is the run's: its validation part says from which probability on labels are accepted. A file that cannot be read
    keeps a row, with the reason. Raises FewscanError where the folder cannot be read or `out` exists.
    """
    scans = list_scans(parse_sources([], [str(folder)]))
    return _write(run, dataset, len(scans), _read(run, scans), out, target_error)


def label_unlabeled(run: Run, dataset: Dataset, out: Path, *, target_error: float = 0.05) -> LabelSummary:
    """Label the dataset's own unlabelled scans; otherwise as `label_folder`."""
    rows = dataset.rows("unlabeled")
    paths = dataset.manifest["source"] + "/" + dataset.manifest["path"]
    items = ((paths.iloc[row], dataset.pixels[row]) for row in rows)
    return _write(run, dataset, len(rows), items, out, target_error)


def _read(run: Run, scans: list[ScanFile]) -> Iterator[tuple[str, Any]]:
    record = run.record
    reading = read_images(
        [scan.path for scan in scans], size_px=record.image_size_px, resize=record.resize, channels=record.channels
    )
    with closing(reading) as images:
        for scan, image in zip(scans, images, strict=True):
            yield scan.relative, image.pixels if isinstance(image, Image) else image


def _write(
    run: Run, dataset: Dataset, count: int, items: Iterator[tuple[str, Any]], out: Path, target_error: float
) -> LabelSummary:
    if not 0 < target_error < 1:
        raise FewscanError(f"--target-error is a share in (0, 1), for example 0.05, not {target_error:g}")
    refuse_existing(out)
    predictor = Predictor.of(run)
    threshold, reason = _threshold(predictor, dataset, target_error)
    classes = run.record.classes
    decisions: dict[Decision, int] = {"accept": 0, "review": 0, "unreadable": 0}
    labels = dict.fromkeys(classes, 0)
    with writing(out), replaced_file(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", *(f"probability_{name}" for name in classes), "decision", "reason"])
        block: list[tuple[str, Any]] = []
        for number, item in enumerate(track(items, "label", total=count), start=1):
            block.append(item)
            if len(block) < BLOCK_IMAGES and number < count:
                continue
            pixels = [image for _, image in block if not isinstance(image, UnreadableImage)]
            predicted = iter(predictor.predict(np.stack(pixels)).probabilities if pixels else ())
            for path, image in block:
                if isinstance(image, UnreadableImage):
                    decisions["unreadable"] += 1
                    table.writerow([path, "", *("" for _ in classes), "unreadable", image.reason])
                    continue
                probabilities: npt.NDArray[np.float32] = next(predicted)
                name = classes[int(probabilities.argmax())]
                decision: Decision = "accept" if threshold is not None and probabilities.max() >= threshold else "review"
                decisions[decision] += 1
                labels[name] += 1
                table.writerow([path, name, *(f"{value:.6f}" for value in probabilities), decision, ""])
            block = []
    return LabelSummary(
        out=str(out),
        scans=count,
        accepted=decisions["accept"],
        review=decisions["review"],
        unreadable=decisions["unreadable"],
        classes=labels,
        target_error=target_error,
        threshold=threshold,
        reason=reason,
    )


def _threshold(predictor: Predictor, dataset: Dataset, target_error: float) -> tuple[float | None, str]:
    rows = dataset.rows("validation")
    needed = images_needed(target_error)
    if len(rows) < needed:
        return None, (
            f"nothing is accepted: an error of {target_error:g} needs at least {needed} validation images to be supported, "
            f"and the split has {len(rows)}; use a larger --validation or --target-error"
        )
    probabilities = predictor.predict(dataset.pixels, rows).probabilities
    correct = probabilities.argmax(axis=1) == dataset.labels[rows]
    threshold = acceptance_threshold(probabilities.max(axis=1), correct, target_error)
    if threshold is None:
        return None, (
            f"nothing is accepted: among the most confident validation images there are too many mistakes to support an error "
            f"of {target_error:g}"
        )
    return threshold, f"from {len(rows)} validation images, 95 % sure if new scans are drawn like these"
