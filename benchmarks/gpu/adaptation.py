"""An encoder with ImageNet's weights that learns from unlabeled scans before it learns from labels.

It sees all scans but README's test set, and what is held together with that, so that all parts begin with one encoder.
"""

import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.gpu.datasets import readme_split
from benchmarks.in_memory import trained
from fewscan.datasets.learnable import without_labels, without_test_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.processes import processes
from fewscan.training.finetune_recipe import FinetuneRecipe
from fewscan.training.recipes import DEFAULT_RECIPE
from fewscan.training.run import Run

METHOD = "simclr"
IMAGENET = EfficientNetLite0.known_weights[0].name
# The same from random weights, for a test: those of ImageNet are not there.
TINY: dict[str, Any] = {"epochs": 1, "batch_size": 16}


def adapted(scratch: Path, dataset: str, encoder: str, *, tiny: bool) -> Path:
    """Train that encoder on one of the carried datasets, where that was not done yet; return its run's folder.

    It trains in a process of its own, which gives back the GPU's memory when it ends.
    """
    folder = adapted_run(scratch, dataset, encoder)
    if folder.is_dir() and Run.open(folder).finished:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    with ProcessPoolExecutor(1, processes(__name__)) as pool:
        pool.submit(_adapt, learnable(scratch, dataset, tiny=tiny), folder, encoder, tiny).result()
    return folder


def learnable(scratch: Path, dataset: str, *, tiny: bool) -> Snapshot:
    """Return what such an encoder learns from, without labels."""
    return without_labels(without_test_groups(readme_split(scratch, dataset, tiny=tiny))[0])


def adapted_run(scratch: Path, dataset: str, encoder: str) -> Path:
    """Return where the run of that encoder lies."""
    return scratch / f"adapted-{dataset}-{encoder}"


def _adapt(dataset: Snapshot, folder: Path, encoder: str, tiny: bool) -> None:
    known = {"encoder": {"name": encoder, "weights": IMAGENET}}
    recipe, changes = (DEFAULT_RECIPE, TINY) if tiny else (FinetuneRecipe.name, known)
    trained(dataset, folder, method=METHOD, recipe=recipe, **changes)
