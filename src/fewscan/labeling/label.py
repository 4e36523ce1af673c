"""A folder of new scans, or a dataset's unlabelled ones -> labels.csv."""

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewscan.atomic import refuse_existing, replaced_file, writing
from fewscan.config import Settings
from fewscan.data.dataset import Dataset
from fewscan.data.readers import UnreadableImage, read_images
from fewscan.data.sources import ScanFile, list_scans, parse_sources
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling.decisions import acceptance_threshold, images_needed
from fewscan.progress import track
from fewscan.training.run import Run

BLOCK_SCANS = 256

Decision = Literal["accept", "review", "unreadable"]
# What is known of a scan before it is labelled: its path, and its pixels (C, S, S) or why there are none.
Scan = tuple[str, npt.NDArray[np.uint8] | UnreadableImage]


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
    files = list_scans(parse_sources([], [str(folder)]))
    return _label(run, dataset, _read(run, files), len(files), out, target_error)


def label_unlabeled(run: Run, dataset: Dataset, out: Path, *, target_error: float = 0.05) -> LabelSummary:
    """Label the dataset's own unlabelled scans; otherwise as `label_folder`."""
    rows = dataset.rows("unlabeled")
    paths = dataset.manifest["source"] + "/" + dataset.manifest["path"]
    scans = ((str(paths.iloc[row]), dataset.pixels[row]) for row in rows)
    return _label(run, dataset, scans, len(rows), out, target_error)


def _read(run: Run, files: list[ScanFile]) -> Iterator[Scan]:
    """Yield the files as the run's dataset would hold them."""
    record = run.record
    reading = read_images(files, size_px=record.image_size_px, resize=record.resize, channels=record.channels)
    with closing(reading) as images:
        for file, image in zip(files, images, strict=True):
            yield file.relative, image if isinstance(image, UnreadableImage) else image.pixels


def _label(run: Run, dataset: Dataset, scans: Iterator[Scan], count: int, out: Path, target_error: float) -> LabelSummary:
    if not 0 < target_error < 1:
        raise FewscanError(f"--target-error is a share in (0, 1), for example 0.05, not {target_error:g}")
    refuse_existing(out)
    predictor = Predictor.of(run)
    threshold, reason = _threshold(predictor, dataset, target_error)
    classes = run.record.classes
    decisions: Counter[Decision] = Counter()
    labels: Counter[str] = Counter()
    with writing(out), replaced_file(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", *(f"probability_{name}" for name in classes), "decision", "reason"])
        for scan, probabilities in _predicted(predictor, track(scans, "label", total=count)):
            path, image = scan
            if isinstance(image, UnreadableImage):
                decision: Decision = "unreadable"
                table.writerow([path, "", *([""] * len(classes)), decision, image.reason])
            else:
                name = classes[int(probabilities.argmax())]
                decision = "accept" if threshold is not None and probabilities.max() >= threshold else "review"
                table.writerow([path, name, *(f"{value:.6f}" for value in probabilities), decision, ""])
                labels[name] += 1
            decisions[decision] += 1
    return LabelSummary(
        out=str(out),
        scans=count,
        accepted=decisions["accept"],
        review=decisions["review"],
        unreadable=decisions["unreadable"],
        classes={name: labels[name] for name in classes},
        target_error=target_error,
        threshold=threshold,
        reason=reason,
    )


def _predicted(predictor: Predictor, scans: Iterator[Scan]) -> Iterator[tuple[Scan, npt.NDArray[np.float32]]]:
    """Yield every scan with its probabilities (K,), which are empty for one that could not be read; block by block."""
    for block in _blocks(scans):
        pixels = [image for _, image in block if not isinstance(image, UnreadableImage)]
        rows = iter(predictor.predict(np.stack(pixels)).probabilities if pixels else ())
        for scan in block:
            yield scan, np.empty(0, dtype=np.float32) if isinstance(scan[1], UnreadableImage) else next(rows)


def _blocks(scans: Iterator[Scan]) -> Iterator[list[Scan]]:
    block: list[Scan] = []
    for scan in scans:
        block.append(scan)
        if len(block) == BLOCK_SCANS:
            yield block
            block = []
    if block:
        yield block


def _threshold(predictor: Predictor, dataset: Dataset, target_error: float) -> tuple[float | None, str]:
    """Return from which probability on labels are accepted, and in words where that comes from."""
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
            f"nothing is accepted: there are too many mistakes among the most confident validation images to support an error "
            f"of {target_error:g}"
        )
    return threshold, (
        f"labels are accepted from a probability of {threshold:.3f} on: {len(rows)} validation images support an error of at "
        f"most {target_error:g} there (95 % sure, if new scans are drawn like these)"
    )
