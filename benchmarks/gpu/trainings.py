"""Trainings side by side on one GPU, each run's scores written as it ends.

    python -m benchmarks.gpu.trainings SCRATCH OUT.json PART [--methods NAME ...] [--labels N ...] [--seeds N]
        [--first-seed N] [--dataset NAME] [--tiny]

Besides OUT.json the predictions for the test images come into OUT.csv, from which tests of significance can be made again.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.command_line import gpu_part_parser
from benchmarks.gpu.adaptation import adapted, adapted_run
from benchmarks.gpu.datasets import DATASETS, TEST_IMAGES
from fewscan.atomic import write_json
from fewscan.comparison.budgets import begin_budgets
from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.planning import make_plan
from fewscan.comparison.trials import run_trial
from fewscan.datasets.dataset import Dataset
from fewscan.evaluation.evaluate import PREDICTIONS_FILE, Evaluation
from fewscan.learning.registry import method_type
from fewscan.models.efficientnet_lite import EfficientNetLite0, EfficientNetLite0Middle
from fewscan.models.encoders import DEFAULT_ENCODER
from fewscan.training.run import Run


@dataclass(frozen=True)
class Part:
    """What is trained on which of the carried datasets."""

    dataset: str
    methods: tuple[str, ...]
    budgets: tuple[int, ...]
    protocol: str = "leakfree"
    recipe: str = "fewscan"
    seeds: int = 5
    first_seed: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    encoder: str = EfficientNetLite0.name  # of parts whose encoder is adapted
    adapted: bool = False  # whether the encoder learns from unlabeled scans first: adaptation.py
    at_once: int = 18  # a little more than an H100's machine has cores: whole seeds end together


# As in the recipe `fewscan`, half of a batch that guesses is labeled.
GUESSING: dict[str, Any] = {
    "training_images": 60_000,
    "optimizer": {"learning_rate": 3e-4},
    "labeled_share": 0.5,
    "batch_size": 96,
}
MIDDLE = EfficientNetLite0Middle.name
STUDIED = ("supervised", "barlow_twins", "nnclr", "simclr", "joint")
PARTS = {
    "study": Part("study", STUDIED, (1235,), "study", "study", seeds=1),
    "study_128": Part("study", STUDIED, (1235,), "study", "study", seeds=1, changes={"batch_size": 128}),
    "efficiency": Part("mri", ("supervised", "mixmatch"), (1235, 124, 40)),
    # README's table once more, as it would be if views had a bias field by default: docs/search.md, 17.
    "efficiency_field": Part(
        "mri", ("supervised", "mixmatch"), (1235, 124, 40), changes={"views": {"field_probability": 0.15}}
    ),
    # Nine of these fit the 139 GiB of an H200, fifteen did not.
    "finetuned": Part("mri192", ("supervised",), (1235, 124, 40), recipe="finetune", at_once=9),
    # As `train` chooses for a CPU.
    "finetuned_224": Part(
        "mri224",
        ("supervised",),
        (1235, 124, 40),
        recipe="finetune",
        changes={"optimizer": {"frozen_parts": EfficientNetLite0.general_parts}},
        at_once=9,
    ),
    "adapted": Part("mri192", ("supervised",), (1235, 124, 40), recipe="finetune", adapted=True, at_once=9),
    "guessing": Part("mri192", ("mixmatch",), (1235, 124, 40), recipe="finetune", changes=GUESSING, adapted=True, at_once=9),
    # The middle of the encoder, which tells scans apart by few labels: docs/search.md, 20.
    "adapted_middle": Part(
        "mri192", ("supervised",), (1235, 124, 40), recipe="finetune", encoder=MIDDLE, adapted=True, at_once=9
    ),
    "adapted_probe": Part("mri192", ("probe", "propagation"), (1235, 124, 40), encoder=MIDDLE, adapted=True, at_once=3),
    "heads": Part("mri_heads", ("supervised", "mixmatch"), (1235, 124, 40)),
    "crossing": Part("mri", ("supervised", "mixmatch"), (1235,), "study"),
}
SCORES = ("accuracy", "balanced_accuracy", "auroc")


def comparisons(part: Part, scratch: Path, folder: Path, *, tiny: bool) -> list[Comparison]:
    """Draw the splits of a part, and return its comparison for each budget of labels."""
    short: dict[str, Any] = {} if method_type(part.methods[-1]).solves else {"epochs": 1, "batch_size": 16}
    changes = short if tiny else part.changes
    if part.adapted:
        encoder = DEFAULT_ENCODER if tiny else part.encoder
        changes = changes | {"encoder": {"name": encoder, "weights": str(adapted_run(scratch, part.dataset, part.encoder))}}
    budgets = (40, 20)[: len(part.budgets)] if tiny else part.budgets
    plan = make_plan(
        Dataset.open(scratch / part.dataset).snapshot(),
        methods=part.methods[-1:] if tiny else part.methods,
        seeds=range(part.first_seed, part.first_seed + (1 if tiny else part.seeds)),
        protocols=[part.protocol],
        # Weights that were learned elsewhere are not there in a test.
        recipe="fewscan" if tiny and part.recipe == "finetune" else part.recipe,
        changes=changes,
        labeled=budgets[0],
        test=20 if tiny else TEST_IMAGES,
        validation=0,
    )
    return begin_budgets(folder, [plan.with_labels(labels, ()) for labels in budgets])


def in_order(drawn: list[Comparison]) -> Iterator[tuple[Comparison, Trial]]:
    """Yield the trainings, those of the first seed first: a cut should leave whole seeds."""
    trials = [(comparison, trial) for comparison in drawn for trial in comparison.plan.trials]
    yield from sorted(trials, key=lambda each: each[1].seed)


def line(comparison: Comparison, trial: Trial) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what became of a training, and its predictions for the test images."""
    run = Run.open(comparison.run_folder(trial))
    scores = Evaluation.load(run)
    assert scores is not None
    last = run.metrics()[-1]
    known: dict[str, Any] = {"labels": comparison.plan.split.labeled, "method": trial.method, "seed": trial.seed}
    numbers = known | {name: round(getattr(scores, name).value, 6) for name in SCORES}
    numbers |= {name: last.get(name) for name in ("c_acc", "p_acc", "r_acc")}
    numbers |= {"epochs": run.settings.epochs, "training_seconds": round(run.training_seconds, 1)}
    predictions = pd.read_csv(run.folder / PREDICTIONS_FILE, dtype=str, keep_default_na=False)[["row", "label", "predicted"]]
    predictions["group"] = comparison.dataset(trial.protocol).groups[predictions["row"].astype(int)]
    return numbers, predictions.assign(**known)


def trained(trials: Sequence[tuple[Comparison, Trial]], at_once: int) -> Iterator[tuple[Comparison, Trial]]:
    """Train and evaluate, so many at once, and yield each as it is done."""
    if at_once == 1:
        for comparison, trial in trials:
            run_trial(comparison.folder, trial)
            yield comparison, trial
        return
    with ProcessPoolExecutor(at_once, get_context("spawn"), one_thread) as pool:
        running = {pool.submit(run_trial, comparison.folder, trial): (comparison, trial) for comparison, trial in trials}
        for future in as_completed(running):
            future.result()
            yield running[future]


def write_each(done: Iterator[tuple[Comparison, Trial]], found: dict[str, Any], out: Path, began: float) -> None:
    """Write what became of each training as it is done: its scores into `found` and `out`, its predictions beside that."""
    predictions = []
    for comparison, trial in done:
        numbers, predicted = line(comparison, trial)
        found["runs"].append(numbers)
        found["seconds"] = round(time.monotonic() - began, 1)
        found["seconds_of_training"] = round(sum(run["training_seconds"] for run in found["runs"]), 1)
        write_json(out, found)
        predictions.append(predicted)
        pd.concat(predictions).to_csv(out.with_suffix(".csv"), index=False)


def one_thread() -> None:
    torch.set_num_threads(1)


def main(words: Sequence[str] | None = None) -> None:
    parser = gpu_part_parser(__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--methods", nargs="+", help="these alone")
    parser.add_argument("--labels", nargs="+", type=int, help="these numbers of labels alone")
    parser.add_argument("--seeds", type=int, help="so many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--dataset", choices=DATASETS, help="instead of the part's own: smaller scans, where there is no GPU")
    arguments = parser.parse_args(words)
    part = PARTS[arguments.part]
    part = replace(
        part,
        dataset=arguments.dataset or part.dataset,
        methods=tuple(arguments.methods or part.methods),
        budgets=tuple(arguments.labels or part.budgets),
        seeds=arguments.seeds or part.seeds,
        first_seed=arguments.first_seed,
    )
    folder = arguments.scratch / f"compared-{arguments.part}"
    began = time.monotonic()
    if part.adapted:
        adapted(arguments.scratch, part.dataset, part.encoder, tiny=arguments.tiny)
    seconds_of_adaptation = round(time.monotonic() - began, 1)
    drawn = comparisons(part, arguments.scratch, folder, tiny=arguments.tiny)
    trials = list(in_order(drawn))
    at_once = min(len(trials), part.at_once) if torch.cuda.is_available() else 1
    found: dict[str, Any] = {"at_once": at_once, "planned": len(trials), "runs": []}
    if part.adapted:
        found["seconds_of_adaptation"] = seconds_of_adaptation
    write_each(trained(trials, at_once), found, arguments.out, began)


if __name__ == "__main__":
    main()
