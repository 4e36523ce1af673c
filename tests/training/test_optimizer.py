"""The optimizer's groups: what learns at which rate, and when."""

from typing import Any

import pytest
import torch
from torch import nn

from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.training.optimizer import build_optimizer, learning_rate, set_learning_rates
from fewscan.training.settings import OptimizerSettings

STEPS, EPOCHS = 4, 10


def rates(settings: OptimizerSettings, network: Network, done: int, method: nn.Module | None = None) -> dict[str, float]:
    """What each parameter of a network learns at in the step after `done` steps."""
    optimizer = build_optimizer(settings, network, method or nn.Identity())
    set_learning_rates(optimizer, settings, done, STEPS, EPOCHS)
    by_id = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    return {name: by_id[id(each)] for name, each in network.named_parameters() if id(each) in by_id}


@pytest.fixture(params=["resnet_small", "efficientnet_lite0", "study_cnn"])
def network(request: pytest.FixtureRequest) -> Network:
    return Network(encoder_settings(request.param), HeadSettings(), channels=1, image_size_px=32, classes=3)


def test_every_weight_learns_once_and_only_matrices_shrink(network: Network) -> None:
    optimizer = build_optimizer(OptimizerSettings(layer_decay=0.5, head_rate=3, frozen_epochs=1), network, nn.Identity())
    grouped = [id(each) for group in optimizer.param_groups for each in group["params"]]
    assert sorted(grouped) == sorted(id(each) for each in network.parameters())
    for group in optimizer.param_groups:
        assert all((each.ndim > 1) == (group["weight_decay"] > 0) for each in group["params"])


def test_unless_told_otherwise_all_learn_alike_in_the_order_that_checkpoints_have(network: Network) -> None:
    optimizer = build_optimizer(OptimizerSettings(), network, nn.Identity())
    parameters = list(network.parameters())
    expected = [[each for each in parameters if (each.ndim > 1) == shrinks] for shrinks in (True, False)]
    assert [[id(each) for each in group["params"]] for group in optimizer.param_groups] == [
        [id(each) for each in group] for group in expected
    ]
    assert set(rates(OptimizerSettings(), network, done=7).values()) == {learning_rate(OptimizerSettings(), 7, STEPS, EPOCHS)}


def test_heads_learn_faster_and_earlier_parts_more_slowly(network: Network) -> None:
    settings = OptimizerSettings(learning_rate=0.1, head_rate=10, layer_decay=0.5, warmup_epochs=0, schedule="constant")
    found = rates(settings, network, done=0)
    parts = _names_of_parts(network)
    for after, names in zip(reversed(range(len(parts))), parts, strict=True):
        assert [found[f"encoder.{name}"] for name in names] == pytest.approx([0.1 * 0.5**after] * len(names))
    heads = [rate for name, rate in found.items() if not name.startswith("encoder.")]
    assert heads == pytest.approx([1.0] * len(heads))


@pytest.mark.parametrize("frozen_parts", [1, 2, 99])
def test_the_first_parts_keep_their_weights_and_cost_no_gradient(network: Network, frozen_parts: int) -> None:
    settings = OptimizerSettings(frozen_parts=frozen_parts, layer_decay=0.5)
    parts = network.encoder.parts()
    still = {id(each) for part in parts[:frozen_parts] for each in part.parameters()}
    begun = {id(each): each.detach().clone() for each in network.parameters()}
    optimizer = build_optimizer(settings, network, nn.Identity())
    set_learning_rates(optimizer, settings, 30, STEPS, EPOCHS)
    outputs = network(torch.rand(8, 1, 32, 32))
    torch.autograd.backward([outputs.logits.square().sum(), outputs.z.square().sum()])
    optimizer.step()
    for each in network.parameters():
        assert (each.grad is None) == (id(each) in still)
        assert torch.equal(each, begun[id(each)]) == (id(each) in still)


def test_frozen_parts_leave_the_others_their_rates(network: Network) -> None:
    settings = OptimizerSettings(layer_decay=0.5)
    before = rates(settings, network, done=3)
    after = rates(settings.model_copy(update={"frozen_parts": 1}), network, done=3)
    assert after.items() <= before.items()


def test_a_frozen_encoder_waits_and_then_learns(network: Network) -> None:
    settings = OptimizerSettings(frozen_epochs=2)
    for done, learns in ((0, False), (2 * STEPS - 1, False), (2 * STEPS, True)):
        found = rates(settings, network, done)
        assert all((rate > 0) == learns for name, rate in found.items() if name.startswith("encoder."))
        assert all(rate > 0 for name, rate in found.items() if not name.startswith("encoder."))


def test_a_step_at_no_rate_changes_nothing_of_a_frozen_encoder(network: Network) -> None:
    settings = OptimizerSettings(frozen_epochs=1)
    optimizer = build_optimizer(settings, network, nn.Identity())
    set_learning_rates(optimizer, settings, 0, STEPS, EPOCHS)
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    network(torch.rand(4, 1, 32, 32)).logits.square().sum().backward()
    optimizer.step()
    moved = {name for name, each in network.named_parameters() if not torch.equal(each, before[name])}
    assert moved
    assert not any(name.startswith("encoder.") for name in moved)


def _names_of_parts(network: Network) -> list[list[str]]:
    names = {id(each): name for name, each in network.encoder.named_parameters()}
    parts: list[list[str]] = [[names[id(each)] for each in part.parameters()] for part in network.encoder.parts()]
    return parts


@pytest.mark.parametrize("wrong", [{"head_rate": 0}, {"layer_decay": 0}, {"layer_decay": 1.1}, {"frozen_epochs": -1}])
def test_rates_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OptimizerSettings(**wrong)
