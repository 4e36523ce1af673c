"""The report of a run that learned without labels: what its features are like, as one self-contained HTML file."""

from pathlib import Path

import numpy as np
import torch

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.learning.losses import cosine_similarity
from fewscan.reporting.rendering import percent, render, write_page
from fewscan.reporting.samples import Naming, Scan, shown, some
from fewscan.reporting.training_section import decimals, describe_run, describe_training
from fewscan.training.run import Run
from fewscan.wording import scan_number

SAMPLES = 16
# Scans that are shown with those most like them, among how many these are sought, and how many are shown.
ASKED = 6
SOUGHT_AMONG = 1000
ALIKE = 7

# The numbers of an epoch that a run without labels is judged by, and what each says.
NUMBERS: dict[str, tuple[str, str]] = {
    "live_features": ("live features", "share of the features that vary from scan to scan; those that do not vary say nothing"),
    "c_acc": ("contrastive accuracy", "how often a scan's two views are each other's most similar in the batch"),
    "r_acc": ("correlation accuracy", "how often a feature correlates most with itself in the other view"),
    "alignment": ("alignment", "squared distance between two views of a scan, from 0 (the same) to 4"),
    "uniformity": ("uniformity", "0 if all scans are alike; about -4 if spread evenly over all directions"),
}
SHARES = ("live_features", "c_acc", "r_acc")


def write_features_report(run: Run, dataset: Snapshot, out: Path, *, names: bool = False) -> Path:
    """Write the page about `run`, which knows no classes, to `out` and return its path; what is there is replaced.

    dataset: what the run was trained on. A run that is unfinished gives a page that says so. Scans are called by their rows,
    with `names` by their files, which may hold names of patients or classes.
    """
    called: Naming = dataset.file_names.__getitem__ if names else scan_number
    page = render(
        "features.html",
        numbers=_numbers(run),
        alike=_alike(run, dataset, called) if run.finished else [],
        samples=[shown(dataset, row, called) for row in some(dataset.rows("unlabeled"), SAMPLES)],
        on_test_set=False,
        **describe_run(run, dataset),
        **describe_training(run),
    )
    return write_page(page, out)


def _numbers(run: Run) -> list[tuple[str, str, str, str]]:
    """Return name, value in the first and in the last epoch, and meaning of each number that there is."""
    metrics = run.metrics()
    if not metrics:
        return []
    first, last = metrics[0], metrics[-1]
    lines = [("loss", decimals(first["loss"]), decimals(last["loss"]), "what training minimizes")]
    for key, (name, what) in NUMBERS.items():
        said = percent if key in SHARES else decimals
        if key in last:
            lines.append((name, said(first.get(key)), said(last[key]), what))
    return lines


def _alike(run: Run, dataset: Snapshot, called: Naming) -> list[list[Scan]]:
    """Return some scans, each followed by those of other groups whose features are most like its own."""
    rows = some(dataset.rows("unlabeled"), SOUGHT_AMONG)
    features = torch.from_numpy(Predictor.of(run).predict(dataset.pixels, rows).features)
    # Features are nowhere negative: all are alike unless their common part is taken away.
    centered = features - features.mean(dim=0)
    asked = np.flatnonzero(np.isin(rows, some(rows, ASKED)))
    groups = torch.from_numpy(dataset.groups[rows])
    similarity = cosine_similarity(centered[asked], centered).masked_fill(groups[asked][:, None] == groups, -torch.inf)
    best = similarity.topk(min(ALIKE, len(rows)), dim=1)
    return [
        [
            shown(dataset, int(rows[place]), called),
            *(
                shown(dataset, int(rows[other]), called)
                for other, value in zip(others.tolist(), values.tolist(), strict=True)
                if value > -torch.inf
            ),
        ]
        for place, others, values in zip(asked, best.indices, best.values, strict=True)
    ]
