from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from fewscan.api import train
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.formats.image import UnreadableImage, damage_named
from fewscan.learning import registry
from fewscan.learning.method import Method, MethodSettings
from fewscan.memory import enough, is_too_little
from fewscan.models.network import Outputs

PETABYTE = 10**15
GREEDY: dict[str, Callable[[], object]] = {
    "numpy": lambda: np.empty(PETABYTE),
    "torch": lambda: torch.empty(PETABYTE),
    "python": lambda: bytearray(PETABYTE),
    "arrow": lambda: pa.allocate_buffer(PETABYTE),
    "opencv": lambda: cv2.resize(np.zeros((8, 8), np.uint8), (2**20, 2**20)),
}


@pytest.mark.parametrize("library", GREEDY)
def test_want_of_memory_is_known_from_every_library(library: str) -> None:
    with pytest.raises(FewscanError, match=r"^not enough memory: do less$"), enough("do less"):
        GREEDY[library]()
    with pytest.raises(UnreadableImage) as caught, damage_named("truncated or damaged: nothing"):
        GREEDY[library]()
    assert caught.value.reason.startswith("too large: ")


def test_want_of_memory_is_known_from_onednn_which_names_it_not() -> None:
    assert is_too_little(RuntimeError("could not create a primitive"))


OTHER_FAULTS = [
    *(RuntimeError("shape mismatch"), RuntimeError("could not create a primitive descriptor for the matmul primitive")),
    *(ValueError("bad"), OSError(28, "no space")),
]


@pytest.mark.parametrize("error", OTHER_FAULTS)
def test_other_faults_stay_what_they_are(error: Exception) -> None:
    assert not is_too_little(error)
    with pytest.raises(type(error)), enough("do less"):
        raise error


class GreedySettings(MethodSettings):
    name: Literal["greedy"] = "greedy"


class Greedy(Method):
    """Takes more memory than any machine has."""

    name = "greedy"
    summary = "needs a petabyte"
    settings_type = GreedySettings
    two_views = False
    uses_unlabeled = False

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        return {"loss": torch.empty(PETABYTE).sum()}


def test_training_with_too_little_memory_names_chunk_size(
    split_dataset: Snapshot, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.METHODS, "greedy", Greedy)
    with pytest.raises(FewscanError, match=r"^not enough memory: .*chunk_size=4\b"):
        train(split_dataset.folder, out=f"{tmp_path}/run", method="greedy", batch_size=16, device="cpu", encoder={"width": 16})
