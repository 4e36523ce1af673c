"""Whether the evidence means something: does hiding what a map points at matter, and does the score live on the border."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fewscan.atomic import write_text
from fewscan.config import Settings
from fewscan.data.dataset import Dataset
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import scores, weights
from fewscan.evaluation.predictor import Predictor
from fewscan.explaining.attribution import HeatMap, heat_map
from fewscan.progress import track
from fewscan.training.run import Run

EVIDENCE_FILE = "evidence.json"

HIDDEN_SHARE = 0.1  # of a scan's pixels
# Random places to hide in a scan, and how many of them are counted: those that change it most.
PLACES = 16
PLACES_COUNTED = 4
# Shares of a scan's side. The Gaussian deviation with which a hidden pixel looks for visible ones: within 4 of them, where the
# Gaussian is cut, it always finds some, since no hole of a tenth of the pixels is deeper than a quarter disc in a corner: 0.36.
AROUND_SHARE = 0.1
FRAME_SHARE = 0.1
CORNER_SHARE = 0.3

Mask = npt.NDArray[np.bool_]
Images = npt.NDArray[np.uint8]  # (N, C, S, S)


class HidingCheck(Settings):
    """By how much the predicted class's probability falls when a tenth of a scan is hidden; intervals over groups."""

    images: int
    groups: int
    map_drop: Interval  # hidden: the top tenth of the heat map
    random_drop: Interval  # hidden: the same shape elsewhere
    difference: Interval
    map_larger: Interval  # share of the scans whose fall by the map is the larger one


class ShortcutCheck(Settings):
    """The score as it is and with border and corners black; `difference` is what the masking costs."""

    images: int
    groups: int
    accuracy: Interval
    masked_accuracy: Interval
    accuracy_difference: Interval
    balanced_accuracy: Interval
    masked_balanced_accuracy: Interval
    balanced_accuracy_difference: Interval


class EvidenceCheck(Settings):
    """The content of `evidence.json`: both checks, on the sealed test part."""

    hiding: HidingCheck
    shortcut: ShortcutCheck
    test_openings: int  # by this run, this one included
    test_set_openings: int  # of this test set, by all runs on it until then
    dataset_fingerprint: str

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's check, or None where it has not been made."""
        return run.stored(EVIDENCE_FILE, cls, f"fewscan explain {run.folder} --check")

    def save(self, folder: Path) -> None:
        """Write `evidence.json` into the run's folder."""
        write_text(folder / EVIDENCE_FILE, self.model_dump_json(indent=2) + "\n")


def check_evidence(run: Run, dataset: Dataset) -> EvidenceCheck:
    """Open the test part of `dataset` once, make both checks on it, and write `evidence.json` into the run.

    The opening is noted in run and dataset before anything is computed.
    """
    predictor = Predictor.of(run)
    openings = run.note_test_opening("explain", dataset)
    rows = dataset.rows("test")
    check = EvidenceCheck(
        hiding=hiding_check(predictor, dataset.pixels, rows, dataset.groups[rows]),
        shortcut=shortcut_check(predictor, dataset.pixels, rows, dataset.labels[rows], dataset.groups[rows]),
        test_openings=openings.by_run,
        test_set_openings=openings.by_all_runs,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    check.save(run.folder)
    return check


def hiding_check(predictor: Predictor, pixels: Images, rows: Rows, groups: Rows, *, seed: int = 0) -> HidingCheck:
    """Compare hiding the top tenth of each scan's heat map with hiding as much of it, in the same shape, at random places.

    pixels: of the dataset; rows: (N,) which of them; groups: (N,) theirs. The map is that of the predicted class. What is
    hidden is filled from around it (`hide`), which is another way than the map's own blur, so that the map is not merely found
    to agree with itself. A random place is the same shape shifted, what leaves at one edge coming in at the other. PLACES are
    drawn and the PLACES_COUNTED that change the scan most are counted: the air around a head has nothing to hide, and counting
    it would flatter the map.
    """
    random = np.random.default_rng(seed)
    falls = np.array([_falls(predictor, np.array(pixels[row]), random) for row in track(rows, "hide", total=len(rows))])
    by_map, by_chance = falls.T

    def score(positions: Rows) -> Mapping[str, float]:
        return {
            "map_drop": float(by_map[positions].mean()),
            "random_drop": float(by_chance[positions].mean()),
            "difference": float((by_map - by_chance)[positions].mean()),
            "map_larger": float((by_map > by_chance)[positions].mean()),
        }

    differences = ("map_drop", "random_drop", "difference")
    return HidingCheck(images=len(rows), groups=len(np.unique(groups)), **bootstrap(score, groups, differences=differences))


def _falls(predictor: Predictor, pixels: Images, random: np.random.Generator) -> tuple[float, float]:
    """Return by how much the probability of a scan's predicted class falls, hidden by its map and, on average, at random."""
    probabilities = predictor.predict(pixels[np.newaxis]).probabilities[0]
    label = int(probabilities.argmax())
    top = top_tenth(heat_map(predictor, pixels, label))
    shifts = random.integers(len(top), size=(PLACES, 2))
    elsewhere = hide(pixels, np.stack([np.roll(top, shift, axis=(0, 1)) for shift in shifts]))
    changes = np.abs(elsewhere.astype(np.int16) - pixels).mean(axis=(1, 2, 3))
    most_changed = elsewhere[np.argsort(-changes, kind="stable")[:PLACES_COUNTED]]
    hidden = np.concatenate([hide(pixels, top[np.newaxis]), most_changed])
    falls = probabilities[label] - predictor.predict(hidden).probabilities[:, label]
    return float(falls[0]), float(falls[1:].mean())


def top_tenth(values: HeatMap) -> Mask:
    """Return (S, S), true at the tenth of the pixels that are largest, exactly so many; the first in order where some tie."""
    top = np.zeros(values.size, dtype=np.bool_)
    top[np.argsort(-values, axis=None, kind="stable")[: round(HIDDEN_SHARE * values.size)]] = True
    return top.reshape(values.shape)


def hide(pixels: Images, hidden: Mask) -> Images:
    """Return (N, C, S, S) copies of a scan (C, S, S) uint8, each with the pixels of a mask (N, S, S) filled from around them.

    hidden: true at a tenth of the pixels of each copy at most.

    A hidden pixel becomes the mean of the visible ones, weighted by a Gaussian of their distance: nothing of what was there is
    left, and no edge or black hole that the network has never seen is put in its place.
    Source: normalized convolution, Knutsson and Westin 1993, "Normalized and differential convolution", section 3.
    """
    deviation_px = AROUND_SHARE * pixels.shape[-1]

    def spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = ndimage.gaussian_filter(values, (0, 0, deviation_px, deviation_px), mode="constant")
        return found

    visible = (~hidden[:, np.newaxis]).astype(np.float64)
    around = spread(visible * pixels) / spread(visible)
    return np.rint(np.where(hidden[:, np.newaxis], around, pixels)).astype(np.uint8)


def shortcut_check(predictor: Predictor, pixels: Images, rows: Rows, labels: Rows, groups: Rows) -> ShortcutCheck:
    """Compare the score on the given rows with the one where border and corners are black, scan by scan.

    labels, groups: (N,) of the N rows. A score that falls little does not live on what stands there: frames, letters, the shape
    of the cut. One that falls may also miss parts of the head that reach there: look at the maps.
    """
    probabilities = predictor.predict(pixels, rows).probabilities
    masked = predictor.predict(without_border(pixels[rows])).probabilities

    tested = np.unique(labels)

    def score(positions: Rows) -> Mapping[str, float]:
        plain = scores(probabilities[positions], labels[positions], tested)
        without = scores(masked[positions], labels[positions], tested)
        return {
            key: value
            for name in ("accuracy", "balanced_accuracy")
            for key, value in (
                (name, plain[name]),
                (f"masked_{name}", without[name]),
                (f"{name}_difference", plain[name] - without[name]),
            )
        }

    balanced = weights(labels, probabilities.shape[1])["balanced_accuracy"]
    found = bootstrap(
        score,
        groups,
        weights=dict.fromkeys(("balanced_accuracy", "masked_balanced_accuracy", "balanced_accuracy_difference"), balanced),
        differences=("accuracy_difference", "balanced_accuracy_difference"),
    )
    return ShortcutCheck(images=len(rows), groups=len(np.unique(groups)), **found)


def without_border(images: Images) -> Images:
    """Return images (N, C, S, S) with a frame of a tenth of the side and four corner triangles, legs 0.3 of the side, in black.

    Black, because that is what a scan has around the head, and what a shifted or turned view has in training.
    """
    size_px = images.shape[-1]
    to_edge = np.minimum(np.arange(size_px), np.arange(size_px)[::-1])
    down, right = to_edge[:, np.newaxis], to_edge[np.newaxis, :]
    border = (np.minimum(down, right) < round(FRAME_SHARE * size_px)) | (down + right < round(CORNER_SHARE * size_px))
    return np.where(border, np.uint8(0), images)
