"""What trainings make of labels that `fewscan suggest` chose, outside README's test set, many at once on one GPU.

    python -m benchmarks.gpu.chosen SCRATCH OUT.json [--tiny]

The pile, what is scored and how labels are asked for are those of `benchmarks.chosen --score rest`; features are those of
`efficientnet_lite0_middle` for the scans as they are trained on. Each way of learning gets the same labels.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

from benchmarks.chosen import labeled_alone
from benchmarks.command_line import gpu_part_parser
from benchmarks.gpu.adaptation import adapted, adapted_run
from benchmarks.gpu.datasets import readme_split
from benchmarks.gpu.trainings import GUESSING, one_thread
from benchmarks.in_memory import taught
from benchmarks.suggest import Pile, accuracy_percent, asked, features_of, pile_of
from benchmarks.suggest_ways import SHIPPED
from fewscan.atomic import write_json
from fewscan.config import merge
from fewscan.models.efficientnet_lite import EfficientNetLite0, EfficientNetLite0Middle
from fewscan.models.encoders import DEFAULT_ENCODER

DATASET = "mri192"
BUDGETS = (40, 124, 400)
DRAWS = (0, 1)
# Name: method and settings of the recipe `finetune`; whether the encoder learns from unlabeled scans first.
WAYS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "finetune": ("supervised", {}, False),
    "simclr, then finetune": ("supervised", {}, True),
    "simclr, then mixmatch": ("mixmatch", GUESSING, True),
}


class Job(NamedTuple):
    """One training: which way, of which draw, with which rows labeled."""

    way: str
    draw: int
    rows: np.ndarray


def piles(scratch: Path, tiny: bool) -> Iterator[tuple[int, Pile]]:
    dataset = readme_split(scratch, DATASET, tiny=tiny)
    encoder = DEFAULT_ENCODER if tiny else EfficientNetLite0Middle.name
    features = features_of(dataset, encoder, device="auto")
    yield from ((draw, pile_of(dataset, features, "rest", draw)) for draw in DRAWS)


def score(scratch: Path, pile: Pile, job: Job, tiny: bool) -> dict[str, Any]:
    """Train on the rows of a job, and return what is called right of the rows that the pile keeps for scoring."""
    method, changes, begins_adapted = WAYS[job.way]
    recipe = "fewscan" if tiny else "finetune"
    changes = {"epochs": 1, "batch_size": 16} if tiny else changes
    if begins_adapted:
        changes = merge(changes, {"encoder": {"weights": str(adapted_run(scratch, DATASET, EfficientNetLite0.name))}})
    part = labeled_alone(pile, job.rows)
    run, predictor = taught(part, method=method, recipe=recipe, **changes, seed=job.draw, probe_images=0)
    labels = pile.dataset.labels[pile.scored]
    called = predictor.predict(part.pixels, pile.scored).probabilities.argmax(axis=1)
    return {
        "way": job.way,
        "labels": len(job.rows),
        "draw": job.draw,
        "scored": len(labels),
        "accuracy_percent": round(100 * float((called == labels).mean()), 2),
        "balanced_percent": round(100 * float(balanced_accuracy_score(labels, called)), 2),
        "probe_percent": round(accuracy_percent(pile, job.rows), 2),
        "training_seconds": round(run.training_seconds, 1),
    }


def scored(scratch: Path, jobs: Sequence[tuple[Pile, Job]], tiny: bool) -> Iterator[dict[str, Any]]:
    if not torch.cuda.is_available():
        yield from (score(scratch, pile, job, tiny) for pile, job in jobs)
        return
    with ProcessPoolExecutor(min(9, len(jobs)), get_context("spawn"), one_thread) as pool:
        for future in as_completed([pool.submit(score, scratch, pile, job, tiny) for pile, job in jobs]):
            yield future.result()


def main(words: Sequence[str] | None = None) -> None:
    arguments = gpu_part_parser(__doc__).parse_args(words)
    adapted(arguments.scratch, DATASET, EfficientNetLite0.name, tiny=arguments.tiny)
    budgets = (8,) if arguments.tiny else BUDGETS
    jobs = [
        (pile, Job(way, draw, rows))
        for draw, pile in piles(arguments.scratch, arguments.tiny)
        for rows in asked(pile, SHIPPED["auto"], draw, budgets)
        for way in WAYS
    ]
    found: dict[str, Any] = {"planned": len(jobs), "runs": []}
    for line in scored(arguments.scratch, jobs, arguments.tiny):
        found["runs"].append(line)
        write_json(arguments.out, found)


if __name__ == "__main__":
    main()
