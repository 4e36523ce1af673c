"""Datasets and runs, opened for work in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.evaluation.trained import TrainedRun


def open_dataset(folder: str | Path) -> Dataset:
    """Open a dataset folder: its images, its `labels`, its splits, and its `table()`, a DataFrame."""
    from fewscan.datasets.dataset import Dataset

    return Dataset.open(folder)


def open_run(folder: str | Path) -> TrainedRun:
    """Open a run folder, finished or not: its `history()`, a DataFrame, and `predict(images)`."""
    from fewscan.evaluation.trained import TrainedRun

    return TrainedRun.open(folder)
