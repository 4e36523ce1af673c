"""On a GPU the passes of an encoder are recorded once and played: the same numbers as kernel by kernel."""

from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from benchmarks.in_memory import trained
from fewscan.datasets.snapshot import Snapshot
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.training import fit
from fewscan.training.recorded import SIZES, RecordedNetwork, is_recordable
from fewscan.training.run import Run

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")


def network(encoder: str = "resnet_small") -> Network:
    torch.manual_seed(0)
    return Network(encoder_settings(encoder), HeadSettings(), channels=1, image_size_px=32, classes=3)


def test_nothing_is_recorded_on_a_cpu() -> None:
    assert not is_recordable(network(), torch.device("cpu"))


@needs_gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("encoder", ["resnet_small", "efficientnet_lite0", "efficientnet_lite0_middle", "efficientnet_lite2"])
def test_outputs_gradients_and_statistics_are_those_of_the_network(encoder: str, precision: str) -> None:
    plain, other = (network(encoder).cuda().to(memory_format=torch.channels_last) for _ in range(2))
    recorded = RecordedNetwork(other)
    for images in (8, 7, 8, 8):  # the batches of an epoch differ by one
        torch.manual_seed(images)
        batch = torch.rand(images, 1, 32, 32, device="cuda").contiguous(memory_format=torch.channels_last)
        for each in (plain, recorded):
            each.zero_grad()
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16-mixed"):
                outputs = each(batch)
            outputs.z.float().square().mean().backward()
            each.said = [tensor.detach().float().clone() for tensor in outputs]
        torch.testing.assert_close(recorded.said, plain.said, rtol=1e-3, atol=1e-4)
        for (name, ours), theirs in zip(other.named_parameters(), plain.parameters(), strict=True):
            assert (ours.grad is None) == (theirs.grad is None), name
            if ours.grad is not None:
                torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(list(other.buffers()), list(plain.buffers()), rtol=1e-3, atol=1e-4)


@needs_gpu
@pytest.mark.parametrize("method", ["supervised", "simclr", "mixmatch"])
def test_a_training_is_that_of_kernel_by_kernel(method: str, split_dataset: Snapshot, tmp_path: Path) -> None:
    settings = {"device": "cuda", "precision": "32-true", "epochs": 2, "batch_size": 16}

    def losses(run: Run) -> list[float]:
        return [numbers["loss"] for numbers in run.metrics()]

    recorded = losses(trained(split_dataset, tmp_path / "recorded", method=method, **settings))
    with patch.object(fit, "is_recordable", lambda network, device: False):
        plain = losses(trained(split_dataset, tmp_path / "plain", method=method, **settings))
    assert recorded == pytest.approx(plain, rel=1e-2)


class Recording:
    """Stands in for CUDA, which records a pass: it notes of which sizes, and plays what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: str | None = None) -> None:
        self.sizes: list[int] = []
        self.refusal = refusal
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", self.record)

    def record(self, module: nn.Module, sample: tuple[torch.Tensor], pool: object) -> nn.Module:
        (images,) = sample
        self.sizes.append(len(images))
        if self.refusal is not None:
            raise RuntimeError(self.refusal)
        module(images)  # to warm up, which moves what batch normalization keeps
        return module


@pytest.mark.filterwarnings("ignore:User provided device_type")  # of torch's, where there is no GPU
def test_each_size_of_batch_is_recorded_once_and_of_many_sizes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, other = Recording(monkeypatch), network()
    recorded, plain = RecordedNetwork(other), network()
    sizes = [8, 7, 8, *range(9, 9 + SIZES)]
    for images in sizes:
        batch = torch.rand(images, 1, 32, 32)
        torch.testing.assert_close(recorded(batch).h, plain(batch).h)
    torch.testing.assert_close(list(other.buffers()), list(plain.buffers()))
    recorded.eval()
    with torch.no_grad():
        recorded(torch.rand(3, 1, 32, 32))
    assert cuda.sizes == [8, 7, *range(9, 9 + SIZES - 2)]


@pytest.mark.filterwarnings("ignore:User provided device_type")
def test_a_gpu_that_does_not_record_is_asked_once_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cuda = Recording(monkeypatch, "no such operation\nand where it was")
    recorded = RecordedNetwork(network())
    for images in (4, 5):
        assert recorded(torch.rand(images, 1, 32, 32)).h.shape[0] == images
    assert cuda.sizes == [4]
    said = capsys.readouterr().err
    assert "no such operation" in said
    assert "and where it was" not in said


@pytest.mark.parametrize(("free", "recordable"), [(40, False), (60, True)])
def test_passes_are_recorded_where_half_of_a_gpus_memory_is_free(
    free: int, recordable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 100))
    assert is_recordable(network(), torch.device("cuda")) == recordable
    assert bool(capsys.readouterr().err) != recordable
