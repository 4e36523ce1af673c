"""A step in chunks against the plain step, and against a step that keeps every chunk's graph."""

import copy
from typing import Any

import lightning_fabric
import pytest
import torch
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor, nn

from fewscan.learning.method import Method
from fewscan.learning.registry import METHODS, TRAINING_METHODS
from fewscan.learning.supervised import Supervised
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network, Outputs
from fewscan.training.chunks import Step, add_gradients
from fewscan.training.ranks import Ranks

IMAGES = 13
FEATURES = 32
LABELS = torch.tensor([0, 1, 2, 3, 0, 1] + [-1] * (IMAGES - 6))


def new_network(method: str, encoder: str = "study_cnn", classes: int = 4) -> Network:
    torch.manual_seed(0)
    heads = HeadSettings.parse(METHODS[method].heads)
    settings = encoder_settings(encoder, **({"dense_units": FEATURES} if encoder == "study_cnn" else {}))
    return Network(settings, heads, channels=1, image_size_px=16, classes=classes).to(memory_format=torch.channels_last)


def new_method(name: str, classes: int = 4) -> Method:
    kind = METHODS[name]
    return kind(kind.settings_type(), FEATURES, HeadSettings().projection_units[-1], torch.full((classes,), 0.25))


def new_views(method: str, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    count = 2 if METHODS[method].two_views else 1
    views = torch.rand(count * IMAGES, 1, 16, 16, generator=generator).cumsum(dim=2).remainder(1)
    return views.contiguous(memory_format=torch.channels_last)


def step(
    network: nn.Module, method: Method, views: Tensor, chunk_size: int | None, fabric: lightning_fabric.Fabric | None = None
) -> Step:
    fabric = fabric or lightning_fabric.Fabric(accelerator="cpu", devices=1)
    with torch.random.fork_rng():
        torch.manual_seed(3)  # what a method mixes at random is the same in every step
        averaged = Outputs(torch.rand(IMAGES, FEATURES), torch.randn(IMAGES, 64), torch.randn(IMAGES, 4))
        trained_on, targets = method.mixed(views, LABELS, averaged if method.guesses else None)
    return add_gradients(Ranks(fabric), fabric.setup_module(network.train()), method, trained_on, targets, chunk_size)


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """How far gradients are off, taken together, as a share of themselves; they have to be of the same parameters."""
    assert found.keys() == expected.keys()
    one, other = (torch.cat([values[name].flatten().double() for name in expected]) for values in (found, expected))
    return float((one - other).norm() / other.norm())


def kept_graphs(network: nn.Module, method: Method, views: Tensor, count: int) -> dict[str, Tensor]:
    """The losses of a step whose chunks go through the network one by one, and whose graphs are all kept."""
    rows = torch.arange(len(views)).view(-1, IMAGES)
    order = [rows[:, number::count].flatten() for number in range(count)]
    parts = [network(views[chunk]) for chunk in order]
    back = torch.cat(order).argsort()
    outputs = Outputs(*(torch.cat(tensors)[back] for tensors in zip(*parts, strict=True)))
    halves = [Outputs(*(tensor[start : start + IMAGES] for tensor in outputs)) for start in range(0, len(views), IMAGES)]
    losses = method.losses(halves[0], halves[-1], LABELS)
    torch.stack(list(losses.values())).sum().backward()
    return losses


@pytest.mark.parametrize("chunk_size", [2, 5, 12])
@pytest.mark.parametrize("name", TRAINING_METHODS)
def test_chunks_give_the_losses_gradients_and_state_of_the_plain_step(name: str, chunk_size: int) -> None:
    network, method = new_network(name), new_method(name)
    for seed in (1, 2):  # the second step of nnclr has a queue to look into
        other_network, other_method = copy.deepcopy(network), copy.deepcopy(method)
        plain = step(network, method, new_views(name, seed), None)
        chunked = step(other_network, other_method, new_views(name, seed), chunk_size)
        assert chunked.losses.keys() == plain.losses.keys()
        for loss, value in plain.losses.items():
            torch.testing.assert_close(chunked.losses[loss], value, rtol=1e-5, atol=1e-6)
        for found, expected in zip((*chunked.view0, *chunked.view1), (*plain.view0, *plain.view1), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        assert distance(gradients(other_network), gradients(network)) < 1e-4
        for key, value in method.state_dict().items():
            torch.testing.assert_close(other_method.state_dict()[key], value)
        network.zero_grad()


class _Scaled(Supervised):
    """A method that learns something itself: how much each class counts."""

    def __init__(self, settings: Any, feature_dim: int, projection_dim: int, class_shares: Tensor) -> None:
        super().__init__(settings, feature_dim, projection_dim, class_shares)
        self.scale = nn.Parameter(torch.ones_like(class_shares))

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        return super().losses(view0._replace(logits=view0.logits * self.scale), view1, targets)


def test_what_a_method_learns_itself_it_learns_in_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "supervised", _Scaled)
    found = []
    for chunk_size in (None, 5):
        network, method = new_network("supervised"), new_method("supervised")
        step(network, method, new_views("supervised"), chunk_size)
        found.append(gradients(method) | gradients(network))
    assert "scale" in found[0]
    assert distance(found[1], found[0]) < 1e-4


@pytest.mark.parametrize("name", [name for name in TRAINING_METHODS if not METHODS[name].needs_labels])
def test_chunks_of_scans_without_any_class_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LABELS", torch.full((IMAGES,), -1))
    found = []
    for chunk_size in (None, 5):
        network, method = new_network(name, classes=0), new_method(name, classes=0)
        for seed in (1, 2):  # the second step of nnclr has a queue to look into
            losses = step(network, method, new_views(name, seed), chunk_size).losses
        found.append((losses, gradients(network)))
    (plain, expected), (chunked, summed) = found
    for loss, value in plain.items():
        torch.testing.assert_close(chunked[loss], value, rtol=1e-5, atol=1e-6)
    assert distance(summed, expected) < 1e-4


@pytest.mark.parametrize("chunk_size", [IMAGES, IMAGES + 1, 1000])
def test_a_chunk_that_holds_the_batch_is_the_plain_step_bit_for_bit(chunk_size: int) -> None:
    plain, whole = new_network("joint", "resnet_small"), new_network("joint", "resnet_small")
    expected = step(plain, new_method("joint"), new_views("joint"), None).losses
    found = step(whole, new_method("joint"), new_views("joint"), chunk_size).losses
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert all(torch.equal(gradients(whole)[name], value) for name, value in gradients(plain).items())


@pytest.mark.parametrize("name", ["supervised", "joint"])
def test_batch_normalization_takes_each_chunk_by_itself_and_counts_it_once(name: str) -> None:
    network = new_network(name, "resnet_small")
    reference = copy.deepcopy(network)
    chunked = step(network, new_method(name), new_views(name), 5)
    losses = kept_graphs(reference, new_method(name), new_views(name), count=3)
    for loss, value in losses.items():
        torch.testing.assert_close(chunked.losses[loss], value, rtol=1e-4, atol=1e-5)
    assert distance(gradients(network), gradients(reference)) < 1e-3
    running = dict(network.named_buffers())
    assert running["encoder.stem.1.num_batches_tracked"] == 3
    for buffer, value in reference.named_buffers():
        torch.testing.assert_close(running[buffer], value, rtol=1e-4, atol=1e-5)


def test_every_chunk_has_its_share_of_the_labeled_images() -> None:
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, images: Tensor) -> Outputs:
            seen.append(images[:, 0, 0, 0])
            values = images[:, 0, 0, :1] * self.weight
            return Outputs(values, values, values.expand(-1, 4))

    numbered = torch.arange(IMAGES, dtype=torch.float32).repeat(2).view(-1, 1, 1, 1)
    step(Spy(), new_method("joint"), numbered, 5)
    chunks = seen[:3]
    assert [len(chunk) for chunk in chunks] == [10, 8, 8]
    assert sorted(torch.cat(chunks).tolist()) == sorted(numbered.flatten().tolist())
    for first, again in zip(chunks, seen[3:], strict=True):
        assert torch.equal(first, again)
        images, second_views = first.chunk(2)
        assert torch.equal(images, second_views)  # both views of an image are in one chunk
        assert (LABELS[images.long()] >= 0).sum() == 2


class Forgetful(nn.Module):
    """A network that drops half of what it sees, anew every time."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(256, 64)

    def forward(self, images: Tensor) -> Outputs:
        h = nn.functional.dropout(self.dense(images.flatten(1)), 0.5, self.training)
        return Outputs(h, h, h[:, :4])


def test_both_passes_drop_the_same() -> None:
    torch.manual_seed(0)
    network = Forgetful()
    reference = copy.deepcopy(network)
    torch.manual_seed(1)
    step(network, new_method("joint"), new_views("joint"), 5)
    torch.manual_seed(1)
    kept_graphs(reference, new_method("joint"), new_views("joint"), count=3)
    assert distance(gradients(network), gradients(reference)) < 1e-5


def test_bfloat16_changes_no_more_in_chunks_than_in_a_plain_step() -> None:
    exact = new_network("joint")
    step(exact, new_method("joint"), new_views("joint"), None)
    errors = []
    for chunk_size in (None, 5):
        network = new_network("joint")
        fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
        chunked = step(network, new_method("joint"), new_views("joint"), chunk_size, fabric)
        assert all(loss.dtype == torch.float32 for loss in chunked.losses.values())
        errors.append(distance(gradients(network), gradients(exact)))
    assert 0 < errors[0] < 0.5
    assert errors[1] < 1.5 * errors[0]


@pytest.mark.slow
def test_scaled_gradients_are_scaled_once() -> None:
    def scaled(chunk_size: int | None) -> dict[str, Tensor]:
        network = new_network("joint")
        precision: Any = MixedPrecision("16-mixed", device="cpu", scaler=torch.amp.GradScaler("cpu", init_scale=1024.0))
        fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1, plugins=[precision])
        step(network, new_method("joint"), new_views("joint"), chunk_size, fabric)
        return gradients(network)

    plain = new_network("joint")
    step(plain, new_method("joint"), new_views("joint"), None)
    expected = {name: 1024 * value for name, value in gradients(plain).items()}
    assert distance(scaled(None), expected) < 0.1
    assert distance(scaled(5), expected) < 0.1
