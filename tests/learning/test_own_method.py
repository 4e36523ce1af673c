"""A method as the guide in docs/architecture.md says: one file, and everything else follows."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from torch import Tensor

from fewscan.api import train
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning import registry
from fewscan.learning.losses import labeled_cross_entropy
from fewscan.learning.method import Method, MethodSettings
from fewscan.models.network import Outputs


class OwnSettings(MethodSettings):
    name: Literal["own", "brightness"] = "own"


class Brightness(Method):
    """Learns to tell bright images from dark ones: one view, no label."""

    name = "brightness"
    summary = "a method of one's own that needs no labels"
    settings_type = OwnSettings
    two_views = False
    uses_unlabeled = True
    needs_labels = False

    def mixed(self, views: Tensor, labels: Tensor, averaged: Outputs | None) -> tuple[Tensor, Tensor]:
        return views, views.mean(dim=(1, 2, 3))

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        return {"brightness": (view0.z.mean(dim=1) - targets).square().mean()}


class Own(Method):
    """Learns what is labeled, and for the rest what the averaged network calls it."""

    name = "own"
    summary = "a method of one's own"
    settings_type = OwnSettings
    two_views = False
    uses_unlabeled = True
    guesses = True

    def mixed(self, views: Tensor, labels: Tensor, averaged: Outputs | None) -> tuple[Tensor, Tensor]:
        assert averaged is not None
        return views, labels.where(labels >= 0, averaged.logits.argmax(dim=1))

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        return {"cross_entropy": labeled_cross_entropy(view0.logits, targets)}

    def epoch_numbers(self) -> dict[str, float]:
        return {"of_my_own": 2.0}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fewscan", "study"])
def test_a_method_that_asks_for_guesses_needs_no_settings_beyond_its_own(
    recipe: str, split_dataset: Snapshot, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.METHODS, "own", Own)
    small = {"encoder": {"width": 16}} if recipe == "fewscan" else {"encoder": {"dense_units": 16}}
    run = train(split_dataset.folder, out=f"{tmp_path}/run", method="own", recipe=recipe, epochs=1, device="cpu", **small)
    (epoch,) = run.metrics()
    assert epoch["of_my_own"] == 2.0
    assert epoch["losses"] == ["cross_entropy"]


@pytest.mark.slow
def test_a_method_of_ones_own_that_needs_no_labels_learns_from_a_pile(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.METHODS, "brightness", Brightness)
    run = train(make_dataset(images=24), out=tmp_path / "run", method="brightness", epochs=1, batch_size=16, device="cpu")
    (epoch,) = run.metrics()
    assert epoch["losses"] == ["brightness"]
    assert epoch["live_features"] > 0
    assert epoch["c_acc"] is not None
    assert run.record.classes == ()


def test_a_method_of_ones_own_that_says_nothing_of_labels_needs_them(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.METHODS, "own", Own)
    with pytest.raises(FewscanError, match="own needs labels"):
        train(make_dataset(images=24), out=tmp_path / "run", method="own")
