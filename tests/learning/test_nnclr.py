"""The support queue of NNCLR: what it holds, and what never reaches it."""

import math

import pytest
import torch
from torch.nn import functional as F

from fewscan.learning.nnclr import NNCLR, NNCLRSettings
from fewscan.models.network import Outputs

LABELS = torch.tensor([0, -1, 1])
SHARES = torch.tensor([0.5, 0.5])


def outputs(seed: int, count: int = 3, requires_grad: bool = False) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, 4, generator=generator, requires_grad=requires_grad)
    return Outputs(torch.randn(count, 5, generator=generator), z, torch.randn(count, 2, generator=generator))


def test_the_queue_begins_empty_and_holds_the_latest_first_views() -> None:
    method = NNCLR(NNCLRSettings(queue_size=7), 6, 4, SHARES)
    assert not method.queue.any()
    steps = [(outputs(seed), outputs(seed + 100)) for seed in range(3)]
    for view0, view1 in steps:
        method.losses(view0, view1, LABELS)
    entered = [F.normalize(view0.z, dim=1) for view0, _ in reversed(steps)]
    torch.testing.assert_close(method.queue, torch.cat(entered)[:7])


def test_an_empty_queue_teaches_nothing_by_contrast_and_empty_places_are_no_neighbors() -> None:
    method = NNCLR(NNCLRSettings(queue_size=50), 6, 4, SHARES)
    view0, view1 = outputs(0, requires_grad=True), outputs(1, requires_grad=True)
    loss = method.losses(view0, view1, LABELS)["nnclr"]
    assert loss.item() == pytest.approx(math.log(3))
    loss.backward()
    assert view0.z.grad is not None
    assert not view0.z.grad.any()
    # Three places are taken now; opposite views are nearer to nothing than to these, and still find them.
    opposite = Outputs(view0.h, -view0.z.detach(), view0.logits)
    small = NNCLR(NNCLRSettings(queue_size=3), 6, 4, SHARES)
    small.queue = method.queue[:3]
    torch.testing.assert_close(method.losses(opposite, view1, LABELS)["nnclr"], small.losses(opposite, view1, LABELS)["nnclr"])


def test_a_batch_larger_than_the_queue_leaves_its_first_projections() -> None:
    method = NNCLR(NNCLRSettings(queue_size=2), 6, 4, SHARES)
    view0 = outputs(0)
    method.losses(view0, outputs(1), LABELS)
    torch.testing.assert_close(method.queue, F.normalize(view0.z, dim=1)[:2])


def test_neighbors_come_from_the_queue_as_it_was_before_the_batch() -> None:
    """Were the batch already in it, every view would find itself, and the loss would be a plain contrastive one."""
    method = NNCLR(NNCLRSettings(queue_size=5, temperature=0.5), 6, 4, SHARES)
    method.losses(outputs(8), outputs(9), LABELS)
    before = method.queue.clone()
    view0, view1 = outputs(2), outputs(3)
    loss = method.losses(view0, view1, LABELS)["nnclr"]
    again = NNCLR(NNCLRSettings(queue_size=5, temperature=0.5), 6, 4, SHARES)
    again.queue = before
    torch.testing.assert_close(again.losses(view0, view1, LABELS)["nnclr"], loss)
    assert not torch.isclose(method.losses(view0, view1, LABELS)["nnclr"], loss)


def test_no_gradient_flows_through_the_queue_and_it_is_part_of_the_state() -> None:
    method = NNCLR(NNCLRSettings(queue_size=5), 6, 4, SHARES)
    for seed in (0, 10):
        losses = method.losses(outputs(seed, requires_grad=True), outputs(seed + 1, requires_grad=True), LABELS)
        losses["nnclr"].backward()
    assert not method.queue.requires_grad
    assert set(method.state_dict()) == {"queue"}
    copy = NNCLR(NNCLRSettings(queue_size=5), 6, 4, SHARES)
    copy.load_state_dict(method.state_dict())
    assert torch.equal(copy.queue, method.queue)
