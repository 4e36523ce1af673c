"""Comparisons of runs whose right and wrong answers are made up: nothing is trained."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from fewscan.comparison.plan import Asked, Comparison, Plan, RankedBy, SplitSizes, Trial
from fewscan.comparison.results import Results, collect
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.models.network import Network
from fewscan.training.run import Run
from tests.made import remade

TEST_IMAGES = 40
METHODS = ("supervised", "barlow_twins", "nnclr", "simclr", "joint")

# How many of the test images the runs of a method called right, one number a seed: the first ones, or where negative the last.
Right = Mapping[tuple[Protocol, str], tuple[int, ...]]

_WRITTEN: dict[tuple[str, bool], Path] = {}
_NETWORKS: dict[str, Network] = {}


def made_up(
    make_dataset: Callable[..., Snapshot],
    right: Right,
    protocols: tuple[Protocol, ...] = ("leakfree",),
    source: str = "squares",
    leaking_pairs: int = 0,
    methods: tuple[str, ...] = METHODS,
    baseline: str | None = None,
    rank_by: RankedBy | None = None,
    unequal: bool = False,
    recipe: str = "study",
) -> Results:
    """Write a comparison of runs that got so many test images right, and collect it.

    unequal: of ten images seven are of the first class, and come before all others.
    """
    dataset = _dataset(make_dataset, source, unequal)
    plan = Plan(
        dataset=str(dataset.folder),
        dataset_fingerprint=dataset.description.fingerprint,
        split=SplitSizes(labeled=16, validation=0.25, test=TEST_IMAGES, seed=0),
        recipe=recipe,
        changes={"epochs": 25, "optimizer": {"learning_rate": 0.5}},
        asked=(Asked(methods=methods, seeds=tuple(range(max([1, *map(len, right.values())]))), protocols=protocols),),
        named_baseline=baseline,
        named_score=rank_by,
    )
    comparison = Comparison.begin(dataset.folder.with_name("comparison"), plan)
    for (protocol, method), counts in right.items():
        for seed, count in enumerate(counts):
            write_run(comparison, Trial(protocol, method, seed), count, leaking_pairs if protocol == "study" else 0)
    return collect(comparison)


def _dataset(make_dataset: Callable[..., Snapshot], source: str, unequal: bool) -> Snapshot:
    """A copy of the dataset that was written for the first of the comparisons that ask for it."""
    if (source, unequal) not in _WRITTEN:
        made = make_dataset(images=120)
        manifest = made.manifest.assign(source=source)
        if unequal:
            first, *others = sorted(set(manifest["label"]))
            manifest["label"] = [first] * 84 + others * 12
        _WRITTEN[source, unequal] = remade(made, manifest, sources=()).folder
    written = _WRITTEN[source, unequal]
    place = Path(tempfile.mkdtemp(dir=written.parent))
    return Dataset.open(shutil.copytree(written, place / "dataset")).snapshot()


def _network(run: Run) -> Network:
    """A network of the run's shape: any will do."""
    shape = f"{run.settings.encoder} {run.settings.heads}"
    if shape not in _NETWORKS:
        _NETWORKS[shape] = run.new_network()
    return _NETWORKS[shape]


def write_run(comparison: Comparison, trial: Trial, right: int, leaking_pairs: int) -> None:
    """Write a finished run with an evaluation in which the first `right` test images are called right, or the last."""
    dataset = comparison.dataset(trial.protocol)
    run = Run.create(comparison.run_folder(trial), comparison.settings(trial), dataset, leaking_pairs)
    run.log({"epoch": 1, "seconds": 90.0, "loss": 1.0, "losses": ["loss"], "p_acc": 0.875})
    run.save_network(_network(run))
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    places = np.arange(TEST_IMAGES)
    is_right = places < right if right >= 0 else places >= TEST_IMAGES + right
    called = np.where(is_right, labels, (labels + 1) % len(dataset.classes))
    names = np.array(dataset.classes)
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows], "label": names[labels], "predicted": names[called]})
    table.to_csv(run.folder / PREDICTIONS_FILE, index=False)
    share = abs(right) / TEST_IMAGES
    balanced = balanced_accuracy_score(labels, called)
    score = Interval(value=0.5, low=0.4, high=0.6)
    evaluation = Evaluation(
        protocol=trial.protocol,
        leaking_pairs=leaking_pairs,
        images=TEST_IMAGES,
        groups=TEST_IMAGES,
        test_openings=1,
        test_set_openings=1,
        accuracy=Interval(value=share, low=share - 0.0625, high=share + 0.0625),
        balanced_accuracy=Interval(value=balanced, low=max(0.0, balanced - 0.1), high=min(1.0, balanced + 0.1)),
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
