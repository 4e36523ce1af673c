"""A run whose dataset's files are there: it has learned nothing, which is enough to be stressed, and was."""

from pathlib import Path

import pytest
import torch

import fewscan
from fewscan.splits.split import split
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.fixtures import Once, write_squares

STRESSED_BY = ("jpeg", "rotation")


@pytest.fixture(scope="session")
def stressed_folder(once: Once) -> Path:
    """A folder with 48 easy scans of 40 px as `files`, a `dataset` of 16 px of them with 12 test images, and a `run` on it.

    The run is stressed by STRESSED_BY.
    """

    def make(folder: Path) -> None:
        dataset = fewscan.import_scans(write_squares(folder / "files", 48), folder / "dataset", size_px=16, crop="none")
        drawn = split(dataset.snapshot(), protocol="random", labeled=24, test=12, validation=0.25)
        tiny = {"epochs": 1, "device": "cpu", "encoder": {"width": 16}}
        run = Run.create(folder / "run", RunSettings.resolve("supervised", "fewscan", tiny, labeled=18, unlabeled=12), drawn, 0)
        torch.manual_seed(0)
        run.save_network(run.first_network())
        fewscan.stress(run, only=STRESSED_BY)

    return once("stressed", make)
