"""Comparisons of runs whose right and wrong answers are made up: nothing is trained."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from fewscan.comparison.plan import Asked, Comparison, Plan, SplitSizes, Trial
from fewscan.comparison.results import Results, collect
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.training.run import Run
from tests.made import remade

TEST_IMAGES = 40
METHODS = ("supervised", "barlow_twins", "nnclr", "simclr", "joint")

# How many of the test images the runs of a method called right, one number a seed.
Right = Mapping[tuple[Protocol, str], tuple[int, ...]]


def made_up(
    make_dataset: Callable[..., Snapshot],
    right: Right,
    protocols: tuple[Protocol, ...] = ("leakfree",),
    source: str = "squares",
    leaking_pairs: int = 0,
    methods: tuple[str, ...] = METHODS,
    baseline: str | None = None,
) -> Results:
    """Write a comparison of runs that got so many test images right, and collect it."""
    made = make_dataset(images=120)
    dataset = remade(made, made.manifest.assign(source=source), sources=())
    plan = Plan(
        dataset=str(dataset.folder),
        dataset_fingerprint=dataset.description.fingerprint,
        split=SplitSizes(labeled=16, validation=0.25, test=TEST_IMAGES, seed=0),
        recipe="study",
        changes={"epochs": 25, "optimizer": {"learning_rate": 0.5}},
        asked=(Asked(methods=methods, seeds=tuple(range(max([1, *map(len, right.values())]))), protocols=protocols),),
        named_baseline=baseline,
    )
    comparison = Comparison.begin(dataset.folder.with_name("comparison"), plan)
    for (protocol, method), counts in right.items():
        for seed, count in enumerate(counts):
            write_run(comparison, Trial(protocol, method, seed), count, leaking_pairs if protocol == "study" else 0)
    return collect(comparison)


def write_run(comparison: Comparison, trial: Trial, right: int, leaking_pairs: int) -> None:
    """Write a finished run with an evaluation in which the first `right` test images are called right."""
    dataset = comparison.dataset(trial.protocol)
    run = Run.create(comparison.run_folder(trial), comparison.settings(trial), dataset, leaking_pairs)
    run.log({"epoch": 1, "seconds": 90.0, "loss": 1.0, "losses": ["loss"], "p_acc": 0.875})
    run.save_network(run.new_network())
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    called = np.where(np.arange(TEST_IMAGES) < right, labels, (labels + 1) % len(dataset.classes))
    names = np.array(dataset.classes)
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows], "label": names[labels], "predicted": names[called]})
    table.to_csv(run.folder / PREDICTIONS_FILE, index=False)
    share = right / TEST_IMAGES
    score = Interval(value=0.5, low=0.4, high=0.6)
    evaluation = Evaluation(
        protocol=trial.protocol,
        leaking_pairs=leaking_pairs,
        images=TEST_IMAGES,
        groups=TEST_IMAGES,
        test_openings=1,
        test_set_openings=1,
        accuracy=Interval(value=share, low=share - 0.0625, high=share + 0.0625),
        balanced_accuracy=score,
        auroc=score,
        calibration_error=score,
        nearest_neighbor_accuracy=score,
        similarity_accuracy=score,
        classes=(),
        confusion=(),
        c_acc=0.99,
        r_acc=None,
        p_acc=0.875,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    (run.folder / EVALUATION_FILE).write_text(evaluation.model_dump_json(), encoding="utf-8")
