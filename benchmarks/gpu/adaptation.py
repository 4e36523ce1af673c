"""An encoder with ImageNet's weights that learns from unlabeled scans before it learns from labels."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.in_memory import trained
from fewscan.datasets.learnable import without_labels, without_test_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.processes import processes
from fewscan.training.recipes import DEFAULT_RECIPE

ADAPTED = "adapted"  # the folder that such runs go to
METHOD = "simclr"
CHANGES: dict[str, Any] = {"training_images": 120_000, "batch_size": 256, "optimizer": {"learning_rate": 1e-3}}
# The same from random weights, for a test: those of ImageNet are not there.
TINY: dict[str, Any] = {"epochs": 1, "batch_size": 16}


def adapt(dataset: Snapshot, folder: Path, *, tiny: bool) -> Path:
    """Train such an encoder on all scans but the test set's, and what is held together with them; return its run's folder.

    It trains in a process of its own, which gives back the GPU's memory when it ends.
    """
    with ProcessPoolExecutor(1, processes(__name__)) as pool:
        pool.submit(_adapt, without_labels(without_test_groups(dataset)[0]), folder, tiny).result()
    return folder


def _adapt(dataset: Snapshot, folder: Path, tiny: bool) -> None:
    recipe, changes = (DEFAULT_RECIPE, TINY) if tiny else ("finetune", CHANGES)
    trained(dataset, folder, method=METHOD, recipe=recipe, **changes)
