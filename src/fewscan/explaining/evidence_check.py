"""Whether the evidence means something: does hiding what a map points at matter, and does the score live on the border."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.evaluation.before_opening import open_test_set
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import scores, weights
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.today import SinceTraining, Today
from fewscan.explaining.hiding import HidingCheck, hiding_check, untrained_predictor
from fewscan.images.stored import StoredImages
from fewscan.training.run import Run
from fewscan.wording import command_line

EVIDENCE_FILE = "evidence.json"

# Shares of a scan's side.
FRAME_SHARE = 0.1
CORNER_SHARE = 0.3


class ShortcutCheck(Settings):
    """The score with the scans unchanged and with black border and corners; `difference` is what the masking costs."""

    images: int
    groups: int
    accuracy: Interval
    masked_accuracy: Interval
    accuracy_difference: Interval
    balanced_accuracy: Interval
    masked_balanced_accuracy: Interval
    balanced_accuracy_difference: Interval


class EvidenceCheck(Settings):
    """The content of `evidence.json`: both checks, on the sealed test set."""

    hiding: HidingCheck
    shortcut: ShortcutCheck
    test_openings: int  # by this run, this one included
    test_set_openings: int  # of this test set, by all runs on it until then
    since_training: SinceTraining = SinceTraining()
    dataset_fingerprint: str

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's check, or None if it has not been made."""
        return run.stored(EVIDENCE_FILE, cls, "explain", "--check")


def check_evidence(run: Run, now: Today) -> EvidenceCheck:
    """Open the run's test set once, with its labels of today, make both checks on it, and write `evidence.json` into the run.

    The opening is noted in run and dataset before anything is computed.
    """
    dataset = now.dataset
    if not len(dataset.rows("test")):
        raise FewscanError(
            f"{run.folder} has no test set to check heat maps on: draw a split with one, "
            f"'{command_line('split', dataset.folder, '--name', 'tested', '--test', 'N')}', and train on it"
        )
    run.require_openings(dataset)
    predictor = Predictor.of(run)
    untrained = untrained_predictor(run, predictor.device)
    openings = open_test_set(run, dataset, "explain")
    rows = dataset.rows("test")
    check = EvidenceCheck(
        hiding=hiding_check(predictor, untrained, dataset.pixels, rows, dataset.labels[rows], dataset.groups[rows]),
        shortcut=shortcut_check(predictor, dataset.pixels, rows, dataset.labels[rows], dataset.groups[rows]),
        test_openings=openings.by_run,
        test_set_openings=openings.by_all_runs,
        since_training=now.since,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    run.store(EVIDENCE_FILE, check)
    return check


def shortcut_check(predictor: Predictor, pixels: StoredImages, rows: Rows, labels: Rows, groups: Rows) -> ShortcutCheck:
    """Compare the score on the given rows with the one where border and corners are black, scan by scan.

    labels, groups: (N,) of the N rows. A score that falls little does not live on what stands there: frames, letters, the shape
    of the cut. One that falls may also miss parts of the head that reach there: look at the maps.
    """
    probabilities = predictor.predict(pixels, rows).probabilities
    masked = predictor.predict(pixels, rows, without_border).probabilities

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


def without_border(images: Tensor) -> Tensor:
    """Return images (N, C, S, S) uint8 with a frame, a tenth of the side, and corner triangles, legs 0.3 of the side, in black.

    Black, because that is what a scan has around the head, and what a shifted or turned view has in training.
    """
    size_px = images.shape[-1]
    to_edge = np.minimum(np.arange(size_px), np.arange(size_px)[::-1])
    down, right = to_edge[:, np.newaxis], to_edge[np.newaxis, :]
    border = (np.minimum(down, right) < round(FRAME_SHARE * size_px)) | (down + right < round(CORNER_SHARE * size_px))
    return images.masked_fill(torch.from_numpy(border).to(images.device), 0)
