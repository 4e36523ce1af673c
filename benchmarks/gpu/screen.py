"""Candidates for the highest accuracy, many at once on one GPU, outside README's test set.

    python -m benchmarks.gpu.screen SCRATCH OUT.json [--tiny] [--only NAME ...]

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
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import balanced_accuracy_score

from benchmarks.command_line import gpu_part_parser
from benchmarks.crop_accuracy import carried, drawn
from benchmarks.gpu.adaptation import adapted, adapted_run
from benchmarks.gpu.datasets import readme_split
from benchmarks.gpu.trainings import GUESSING, one_thread
from benchmarks.in_memory import trained
from fewscan.atomic import write_json
from fewscan.config import merge
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.models.efficientnet_lite import EfficientNetLite0

AUDITED = "mri"
LABELS = (988, 124, 40)
SCORED = 1000


@dataclass(frozen=True)
class Candidate:
    """What is tried: which of the carried datasets, and how it is learned from."""

    name: str
    dataset: str
    method: str
    recipe: str = "fewscan"
    changes: dict[str, Any] = field(default_factory=dict)
    adapted: bool = False  # whether its encoder learns from unlabeled scans first: adaptation.py
    labels: tuple[int, ...] = LABELS
    draws: tuple[int, ...] = (0,)


Job = tuple[Candidate, int, int]  # with so many labels, of which draw


def finetuned(name: str, dataset: str, rate: float = 1e-3, *, draws: tuple[int, ...] = (0,), **more: Any) -> Candidate:
    changes = merge({"training_images": 25_000, "optimizer": {"learning_rate": rate}}, more)
    return Candidate(name, dataset, "supervised", "finetune", changes, draws=draws)


# What held where scans look otherwise, and cost `supervised` nothing: docs/search.md, 17.
FIELD: dict[str, Any] = {"views": {"field_probability": 0.15}}
CANDIDATES = (
    finetuned("imagenet, 128 px", "mri128", draws=(0, 1)),
    finetuned("imagenet, 192 px", "mri192", draws=(0, 1)),
    replace(finetuned("imagenet, then simclr, 192 px", "mri192", draws=(0, 1)), adapted=True),
    Candidate("imagenet, then simclr, then mixmatch, 192 px", "mri192", "mixmatch", "finetune", GUESSING, True, draws=(0, 1)),
    finetuned("imagenet, 224 px", "mri224", draws=(0, 1)),
    finetuned("imagenet, 192 px, rate 0.0003", "mri192", 3e-4),
    Candidate("imagenet mixmatch, 192 px, rate 0.0003", "mri192", "mixmatch", "finetune", GUESSING, labels=(124, 40)),
    finetuned("imagenet, 192 px, views with a bias field", "mri192", **FIELD),
    Candidate("cropped mixmatch, views with a bias field", AUDITED, "mixmatch", changes=FIELD),
    Candidate("cropped 96 px mixmatch", "mri96", "mixmatch"),
)
DATASETS = {AUDITED} | {each.dataset for each in CANDIDATES}

# The same ways from random weights, for a test.
TINY = (
    Candidate("supervised", "mri96", "supervised", labels=(20,)),
    Candidate("simclr, then supervised", "mri96", "supervised", adapted=True, labels=(20,)),
)


def as_in(split: Snapshot, scratch: Path, name: str) -> Snapshot:
    """Return a split of AUDITED as one of the dataset of that name."""
    return split if name == AUDITED else carried(split, Dataset.open(scratch / name).unsplit())


def quick(changes: dict[str, Any], tiny: bool) -> dict[str, Any]:
    """Return the changes as they are tried in a test, or as they are."""
    kept = {key: value for key, value in changes.items() if key != "training_images"} if tiny else changes
    return merge(kept, {"epochs": 1, "batch_size": 16} if tiny else {})


def score(scratch: Path, candidate: Candidate, labels: int, draw: int, tiny: bool) -> dict[str, Any]:
    """Train a candidate and return what it calls right."""
    split = as_in(
        drawn(readme_split(scratch, AUDITED, tiny=tiny), labels, 20 if tiny else SCORED, draw), scratch, candidate.dataset
    )
    changes = merge(quick(candidate.changes, tiny), {"probe_images": 0, "seed": draw})
    if candidate.adapted:
        changes = merge(changes, {"encoder": {"weights": str(adapted_run(scratch, candidate.dataset, EfficientNetLite0.name))}})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        began = time.monotonic()
        run = trained(split, Path(folder) / "run", method=candidate.method, recipe=candidate.recipe, **changes)
        seconds = time.monotonic() - began
        rows = split.rows("test")
        called = Predictor.of(run).predict(split.pixels, rows).probabilities.argmax(axis=1)
    known = split.labels[rows]
    return asdict(candidate) | {
        "labels": labels,
        "draw": draw,
        "scored": len(rows),
        "accuracy_percent": round(100 * float((called == known).mean()), 2),
        "balanced_percent": round(100 * float(balanced_accuracy_score(known, called)), 2),
        "epochs": run.settings.epochs,
        "training_seconds": round(seconds, 1),
    }


def scored(jobs: Sequence[Job], scratch: Path, *, tiny: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Train so many at once as there are cores, and yield the number and the line of each as it is done.

    The encoders that some begin with come first, each alone on the GPU: beside others it would be the last.
    """
    for name in dict.fromkeys(candidate.dataset for candidate, _, _ in jobs if candidate.adapted):
        adapted(scratch, name, EfficientNetLite0.name, tiny=tiny)
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
    arguments = parser.parse_args(words)
    wanted = tuple(each for each in CANDIDATES if arguments.only is None or each.name in arguments.only)
    if arguments.tiny:
        # Weights that were learned elsewhere are not there in a test.
        wanted = TINY
    jobs = [(each, labels, draw) for each in wanted for labels in each.labels for draw in each.draws]
    screened(jobs, arguments.scratch, arguments.out, tiny=arguments.tiny)


if __name__ == "__main__":
    main()
