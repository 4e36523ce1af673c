"""Encoders of timm: the real ones, from random weights, and what is said where timm is missing, broken or refuses."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import fewscan
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.timm_encoder import TimmEncoder, TimmSettings, _feature_dim
from fewscan.models.weights import load_weights, read_weights
from fewscan.splits.split import split
from fewscan.training.continuing import encoder_alone
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings

INSTALL = r"pip install 'fewscan\[timm\]'"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for an address is an error of the test."""

    def refuse(*address: Any, **options: Any) -> None:
        raise AssertionError(f"asked for the address of {address}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def small_dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    return split(make_dataset(60, size_px=32), labeled=24, test=24, validation=0.25)


def train(dataset: Snapshot, out: Path, **settings: Any) -> Run:
    quick: dict[str, Any] = {"epochs": 1, "batch_size": 16, "device": "cpu"}
    return fewscan.train(dataset.folder, out=out, method="joint", **(quick | settings))


@pytest.mark.slow
def test_without_timm_a_run_that_asks_for_it_says_how_to_get_it_and_leaves_nothing_behind(
    small_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(FewscanError, match=rf"'timm:resnet18' needs timm.*{INSTALL}"):
        train(small_dataset, tmp_path / "run", encoder="timm:resnet18")
    assert not (tmp_path / "run").exists()
    build_encoder(encoder_settings(), 1, 32)  # whoever does not ask for it does without


@pytest.mark.parametrize(
    "line",
    [
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise AttributeError('torchvision has no attribute extension')",
        "import a_package_that_is_not_there",
    ],
)
def test_a_timm_that_does_not_import_is_named_with_the_reason(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timm.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(FewscanError, match=rf"(operator torchvision|extension|a_package_that).*{INSTALL}.*torchvision"):
        build_encoder(encoder_settings("timm:resnet18"), 1, 32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "image_size_px"), [("test_resnet", 32), ("test_vit", 32), ("test_convnext", 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_pooled_and_say_their_number(
    timm: ModuleType, name: str, image_size_px: int, channels: int, no_network: None
) -> None:
    encoder = build_encoder(encoder_settings(f"timm:{name}"), channels, image_size_px)
    images = torch.rand(3, channels, image_size_px, image_size_px)
    assert encoder.training
    with pytest.raises(FewscanError, match="has no weights 'other'"):
        encoder.get_weights("other")
    assert encoder(images).shape == (3, encoder.feature_dim)
    encoder.eval()
    with torch.no_grad():
        # A scanner's brightness and contrast are nothing to it.
        torch.testing.assert_close(encoder(images), encoder(0.5 * images + 0.2), rtol=0.05, atol=0.05)


def test_an_unknown_model_is_named_with_the_nearest(timm: ModuleType) -> None:
    with pytest.raises(FewscanError, match=r"timm has no model 'resnet1O': did you mean 'resnet1"):
        build_encoder(encoder_settings("timm:resnet1O"), 1, 32)
    with pytest.raises(FewscanError, match=r"timm has no model 'resnet18\.by_nobody'"):
        build_encoder(encoder_settings("timm:resnet18.by_nobody"), 1, 32)
    with pytest.raises(FewscanError, match="timm has no model 'hf-hub:somebody/resnet18'"):
        build_encoder(encoder_settings("timm:hf-hub:somebody/resnet18"), 1, 32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "image_size_px"), [("test_vit", 40), ("test_vit", 8), ("test_convnext", 16)])
def test_a_size_that_does_not_fit_is_said_before_training(
    timm: ModuleType, name: str, image_size_px: int, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(size_px=image_size_px), labeled=16, test=24)
    with pytest.raises(FewscanError, match=rf"'timm:{name}' cannot be built for images of {image_size_px} px.*--size"):
        train(dataset, tmp_path / "run", encoder=f"timm:{name}")
    assert not (tmp_path / "run").exists()


def weights_in_file(timm: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """Return timm's smallest model, `test_resnet`, with random weights; they stand in `file`, where timm looks for them."""
    torch.manual_seed(7)
    model: torch.nn.Module = timm.create_model("test_resnet")
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    save_file(model.state_dict(), file)
    monkeypatch.setattr(timm.models._registry._model_pretrained_cfgs["test_resnet"], "file", str(file))
    return model.eval()


def test_pretrained_weights_of_colors_see_a_gray_scan_as_gray(
    timm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    model = weights_in_file(timm, tmp_path / "weights.safetensors", monkeypatch)
    encoder = TimmEncoder(TimmSettings(name="timm:test_resnet"), 1, 32).eval()
    load_weights(encoder, encoder.get_weights("timm"))
    images = torch.rand(4, 1, 32, 32)
    deviation, mean = torch.std_mean(images, dim=(1, 2, 3), keepdim=True, correction=0)
    colored = ((images - mean) / deviation).expand(-1, 3, -1, -1)
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(colored), pre_logits=True)
        torch.testing.assert_close(encoder(images), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_local_file_of_a_model_gives_what_timm_makes_of_it(
    ending: str, timm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    model = weights_in_file(timm, tmp_path / "weights.safetensors", monkeypatch)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    fetched, local = (TimmEncoder(TimmSettings(name="timm:test_resnet"), 1, 32).eval() for _ in range(2))
    load_weights(fetched, fetched.get_weights("timm"))
    load_weights(local, read_weights(tmp_path / f"weights{ending}"))
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(local(images), fetched(images))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_weights_that_cannot_be_fetched_are_said_in_one_line_before_training(
    damage: str, timm: ModuleType, small_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    file = tmp_path / "weights.safetensors"
    weights_in_file(timm, file, monkeypatch)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FewscanError, match=r"weights of 'timm:test_resnet' cannot be .*HF_HOME.*random weights"):
        train(small_dataset, tmp_path / "run", encoder={"name": "timm:test_resnet", "weights": "timm"})
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_only_the_first_network_of_a_run_begins_from_fetched_weights(
    timm: ModuleType, small_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    file = tmp_path / "weights.safetensors"
    fetched = weights_in_file(timm, file, monkeypatch).state_dict()["layer1.0.conv1.weight"]
    chosen = {"name": "timm:test_resnet", "weights": "timm"}
    settings = RunSettings.resolve("joint", "fewscan", {"encoder": chosen, "device": "cpu"}, labeled=24, unlabeled=32)
    begun = Run.create(
        tmp_path / "begun", settings, small_dataset, None, beginning=encoder_alone(settings.encoder, small_dataset.spec)
    )
    assert torch.equal(begun.first_network().state_dict()["encoder.model.layer1.0.conv1.weight"], fetched)
    assert begun.record.versions["timm"] == timm.__version__

    run = train(small_dataset, tmp_path / "run", encoder=chosen)
    file.unlink()
    assert not torch.equal(begun.new_network().state_dict()["encoder.model.layer1.0.conv1.weight"], fetched)
    assert fewscan.evaluate(run).images == 24
    assert fewscan.label(run, out=tmp_path / "labels.csv").scans == len(small_dataset.rows("unlabeled"))
    assert "weights of timm test_resnet" in fewscan.report(run).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), [("test_resnet", "bf16-mixed"), ("test_vit", "32-true")])
def test_a_run_goes_on_and_is_judged_like_any_other(
    timm: ModuleType,
    name: str,
    precision: str,
    small_dataset: Snapshot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: None,
) -> None:
    asked: dict[str, Any] = {"encoder": f"timm:{name}", "epochs": 2, "precision": precision, "chunk_size": 8}
    whole = train(small_dataset, tmp_path / "whole", **asked)
    log = Run.log

    def log_then_die(run: Run, numbers: dict[str, Any]) -> None:
        log(run, numbers)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "log", log_then_die)
        train(small_dataset, tmp_path / "broken", **asked)
    broken = fewscan.train(small_dataset.folder, out=tmp_path / "broken", resume=True)
    assert [numbers["loss"] for numbers in broken.metrics()] == [numbers["loss"] for numbers in whole.metrics()]
    weights = whole.load_network().state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in broken.load_network().state_dict().items())
    assert fewscan.evaluate(broken).accuracy == fewscan.evaluate(whole).accuracy


def test_a_model_that_gives_maps_and_no_features_does_not_fit() -> None:
    with pytest.raises(TypeError, match="pooled"):
        _feature_dim(torch.nn.Conv2d(1, 2, 3), 1, 8)
