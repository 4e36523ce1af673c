"""Cross-fitting scores scans that the network never saw, nor copies of them: where only memory could help, it is at chance."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from torch import Tensor

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, cross_fit
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.encoders import REGISTRY as ENCODERS
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.made import remade

MakeDataset = Callable[..., Snapshot]
COPIES, GROUPS_OF_A_CLASS, SIZE_PX, FOLDS = 4, 5, 16, 3
STILL = {"flip_probability": 0, "minimum_crop": 1, "maximum_aspect": 1, "maximum_rotation_degrees": 0, "maximum_shift": 0}
STILL |= {"contrast": 0, "brightness": 0, "log_gamma": 0, "blur_probability": 0, "noise_probability": 0}


class PixelsSettings(EncoderSettings):
    name: Literal["pixels"] = "pixels"


class Pixels(Encoder):
    """Features are the pixels: with a linear classifier nothing but memory of single places."""

    name = "pixels"
    summary = "the pixels as they are"
    settings_type = PixelsSettings

    def __init__(self, settings: PixelsSettings, channels: int, image_size_px: int) -> None:
        super().__init__(settings, channels, image_size_px)
        self.feature_dim = channels * image_size_px**2

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@pytest.fixture(autouse=True)
def pixels_encoder() -> Iterator[None]:
    ENCODERS.register(Pixels)
    yield
    ENCODERS.unregister(Pixels.name)


def lit_places(make_dataset: MakeDataset, *, known: bool) -> Snapshot:
    """Sets of copies that all light a place of their own, which says nothing of their class; known: whether an audit knows."""
    images = 4 * COPIES * GROUPS_OF_A_CLASS
    # Rows of one class follow each other at a distance of four, which is how `make_dataset` labels them.
    groups = np.array([row % 4 + 4 * (row // (4 * COPIES)) for row in range(images)])
    places = np.random.default_rng(0).permutation(SIZE_PX**2)[groups]
    pixels = np.zeros((images, 1, SIZE_PX, SIZE_PX), np.uint8)
    pixels.reshape(images, -1)[np.arange(images), places] = 255
    dataset = make_dataset(pixels=pixels, groups=groups.tolist() if known else None)
    return remade(dataset, dataset.manifest.assign(split="labeled"))


def held_out_accuracy(dataset: Snapshot, folder: Path) -> float:
    settings = {"encoder": "pixels", "views": STILL, "epochs": 6, "batch_size": 20, "averaging": 0, "probe_images": 0}
    settings |= {"optimizer": {"learning_rate": 0.1, "weight_decay": 0, "schedule": "constant"}, "device": "cpu"}
    run = Run.create(folder, RunSettings.resolve("supervised", "fewscan", settings, labeled=80, unlabeled=0), dataset, 0)
    fit(run, dataset, resume=False)
    held_out = cross_fit(run, dataset, FOLDS).held_out
    assert sorted(held_out.rows) == list(range(len(dataset.manifest)))
    for number in range(1, FOLDS + 1):
        fold = Run.open(folder / FOLDS_FOLDER / f"{number}-of-{FOLDS}").open_dataset()
        learned = fold.rows("labeled", "unlabeled")
        assert not set(dataset.groups[fold.rows("validation")]) & set(dataset.groups[learned])
        assert not len(fold.rows("test"))
    return float((held_out.logits.argmax(axis=1) == held_out.labels).mean())


@pytest.mark.slow  # eight trainings of a linear map
def test_what_only_memory_of_copies_could_know_is_not_known(make_dataset: MakeDataset, tmp_path: Path) -> None:
    # Were copies on both sides, as where nobody knows them, memory would be right nearly always.
    assert held_out_accuracy(lit_places(make_dataset, known=False), tmp_path / "unknown") > 0.8
    assert held_out_accuracy(lit_places(make_dataset, known=True), tmp_path / "known") < 0.4
