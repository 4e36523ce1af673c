"""Candidates for the highest accuracy, many at once on one GPU, outside README's test set.

    python -m benchmarks.gpu.screen SCRATCH OUT.json [--tiny] [--only NAME ...] [--labels 988 124 40] [--draws 0 1]

Of `mri` README's test set and what is held together with it are left out. Of the rest a leak-free split is drawn for each
number of labels and each draw: so many labels teach, SCORED images of other groups are scored once, at the end, and all others
are unlabeled. Every candidate learns from the same scans, in a dataset that shows them as it wants. One line a training, in the
order of the candidates, written as it ends.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command_line import gpu_part_parser
from benchmarks.crop_accuracy import carried, drawn
from benchmarks.gpu.trainings import TEST_IMAGES, one_thread
from benchmarks.in_memory import split_in_memory, trained
from fewscan.atomic import write_json
from fewscan.config import merge
from fewscan.datasets.dataset import Dataset
from fewscan.evaluation.predictor import Predictor

AUDITED = "mri"
LABELS = (988, 124, 40)
README_LABELS = 1235
SCORED = 1000


@dataclass(frozen=True)
class Candidate:
    """What is tried: which of the carried datasets, and how it is learned from."""

    name: str
    dataset: str
    method: str
    recipe: str = "fewscan"
    changes: dict[str, Any] = field(default_factory=dict)


Job = tuple[Candidate, int, int]  # with so many labels, of which draw


def finetuned(name: str, method: str, images: int, rate: float, dataset: str = "mri128", **more: Any) -> Candidate:
    # As in the recipe `fewscan`, half of a batch that guesses is labeled.
    guesses = {"labeled_share": 0.5, "batch_size": 96} if method == "mixmatch" else {}
    changes = merge({"training_images": images, "optimizer": {"learning_rate": rate}}, merge(guesses, more))
    return Candidate(name, dataset, method, "finetune", changes)


# What held where scans look otherwise: docs/search.md, 17.
ROBUST: dict[str, Any] = {"views": {"equalization_probability": 0.15, "field_probability": 0.15, "inversion_probability": 0.1}}

CANDIDATES = (
    finetuned("imagenet, 25,000 images", "supervised", 25_000, 1e-3),
    finetuned("imagenet, 100,000 images", "supervised", 100_000, 1e-3),
    finetuned("imagenet mixmatch, 200,000 images", "mixmatch", 200_000, 1e-3),
    Candidate("cropped", AUDITED, "supervised"),
    Candidate("cropped mixmatch", AUDITED, "mixmatch"),
    Candidate("plain", "whole", "supervised"),
    Candidate("plain mixmatch", "whole", "mixmatch"),
    finetuned("imagenet, 100,000 images, rate 0.0003", "supervised", 100_000, 3e-4),
    finetuned("imagenet mixmatch, 200,000 images, rate 0.0003", "mixmatch", 200_000, 3e-4),
    Candidate("cropped, views that equalize", AUDITED, "supervised", changes=ROBUST),
    Candidate("cropped mixmatch, views that equalize", AUDITED, "mixmatch", changes=ROBUST),
    finetuned("imagenet, views that equalize", "supervised", 25_000, 1e-3, **ROBUST),
    Candidate("cropped 96 px mixmatch", "crop96", "mixmatch"),
    Candidate("cropped 96 px", "crop96", "supervised"),
)


def score(scratch: Path, candidate: Candidate, labels: int, draw: int, tiny: bool) -> dict[str, Any]:
    """Train a candidate and return what it calls right."""
    readme = {"labeled": 20, "test": 20} if tiny else {"labeled": README_LABELS, "test": TEST_IMAGES}
    audited = split_in_memory(Dataset.open(scratch / AUDITED).unsplit(), **readme, validation=0)
    split = drawn(audited, labels, 20 if tiny else SCORED, draw)
    if candidate.dataset != AUDITED:
        split = carried(split, Dataset.open(scratch / candidate.dataset).unsplit())
    changes = merge(candidate.changes, {"probe_images": 0, "seed": draw})
    if tiny:
        changes = merge(changes, {"epochs": 1, "batch_size": 16})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        began = time.monotonic()
        run = trained(split, Path(folder) / "run", method=candidate.method, recipe=candidate.recipe, **changes)
        seconds = time.monotonic() - began
        rows = split.rows("test")
        right = Predictor.of(run).predict(split.pixels, rows).probabilities.argmax(axis=1) == split.labels[rows]
    by_class = [right[split.labels[rows] == label].mean() for label in np.unique(split.labels[rows])]
    return asdict(candidate) | {
        "labels": labels,
        "draw": draw,
        "scored": len(rows),
        "accuracy_percent": round(100 * float(right.mean()), 2),
        "balanced_percent": round(100 * float(np.mean(by_class)), 2),
        "epochs": run.settings.epochs,
        "training_seconds": round(seconds, 1),
    }


def scored(jobs: Sequence[Job], scratch: Path, *, tiny: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Train so many at once as there are cores, and yield the number and the line of each as it is done."""
    if not torch.cuda.is_available():
        for at, job in enumerate(jobs):
            yield at, score(scratch, *job, tiny)
        return
    at_once = min(len(jobs), (os.cpu_count() or 2) - 1)
    with ProcessPoolExecutor(at_once, get_context("spawn"), one_thread) as pool:
        running = {pool.submit(score, scratch, *job, tiny): at for at, job in enumerate(jobs)}
        for future in as_completed(running):
            candidate, labels, draw = jobs[running[future]]
            known = {"name": candidate.name, "labels": labels, "draw": draw}
            fault = future.exception()
            yield running[future], future.result() if fault is None else known | {"failed": repr(fault)}


def screened(jobs: Sequence[Job], scratch: Path, out: Path, *, tiny: bool) -> None:
    """Write each training's line as it is there; exit with what failed."""
    began = time.monotonic()
    lines: dict[int, dict[str, Any]] = {}
    for at, line in scored(jobs, scratch, tiny=tiny):
        lines[at] = line
        print(line, flush=True)
        seconds = round(time.monotonic() - began, 1)
        write_json(out, {"planned": len(jobs), "seconds": seconds, "runs": [lines[key] for key in sorted(lines)]})
    failed = [str(line["name"]) for line in lines.values() if "failed" in line]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def main(words: Sequence[str] | None = None) -> None:
    parser = gpu_part_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=[candidate.name for candidate in CANDIDATES])
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS)
    parser.add_argument("--draws", type=int, nargs="+", default=[0])
    arguments = parser.parse_args(words)
    wanted = [each for each in CANDIDATES if arguments.only is None or each.name in arguments.only]
    if arguments.tiny:
        # Weights that were learned elsewhere are not there in a test, and each way of learning is tried once.
        wanted, arguments.labels = [each for each in wanted if each.recipe == "fewscan"][:2], [20]
    jobs = [(each, labels, draw) for draw in arguments.draws for each in wanted for labels in arguments.labels]
    screened(jobs, arguments.scratch, arguments.out, tiny=arguments.tiny)


if __name__ == "__main__":
    main()
