import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fewscan.learning.losses import (
    alignment,
    barlow_twins,
    contrastive_accuracy,
    correlation_accuracy,
    labeled_cross_entropy,
    nnclr,
    nt_xent,
    uniformity,
    vicreg,
)


def pairs(count: int, dimensions: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator), torch.randn(count, dimensions, generator=generator)


def naive_nt_xent(z0: Tensor, z1: Tensor, temperature: float) -> float:
    z = torch.cat([z0, z1]).double().numpy()
    count = len(z0)

    def similarity(i: int, j: int) -> float:
        return float(z[i] @ z[j] / (np.linalg.norm(z[i]) * np.linalg.norm(z[j])))

    total = 0.0
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        others = sum(math.exp(similarity(i, k) / temperature) for k in range(2 * count) if k != i)
        total -= math.log(math.exp(similarity(i, partner) / temperature) / others)
    return total / (2 * count)


@given(st.integers(2, 8), st.integers(2, 5), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_nt_xent_equals_a_naive_loop_in_float64(count: int, dimensions: int, temperature: float, seed: int) -> None:
    z0, z1 = pairs(count, dimensions, seed)
    assert float(nt_xent(z0, z1, temperature)) == pytest.approx(naive_nt_xent(z0, z1, temperature), rel=1e-4, abs=1e-5)


def test_nt_xent_is_symmetric_and_indifferent_to_order_and_scale() -> None:
    z0, z1 = pairs(6, 4, 0)
    loss = nt_xent(z0, z1, 0.2)
    shuffled = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    for other in (nt_xent(z1, z0, 0.2), nt_xent(z0[shuffled], z1[shuffled], 0.2), nt_xent(3 * z0, 0.1 * z1, 0.2)):
        assert float(other) == pytest.approx(float(loss), rel=1e-5)


def test_nt_xent_is_least_where_views_agree_and_images_are_opposite() -> None:
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    # Each view meets its partner at cosine 1 and the two others at -1.
    assert float(nt_xent(z, z, 0.5)) == pytest.approx(math.log(1 + 2 * math.exp(-4)), rel=1e-5)


def naive_barlow_twins(z0: Tensor, z1: Tensor, redundancy_weight: float) -> float:
    a, b = (z.double().numpy() for z in (z0, z1))
    count, dimensions = a.shape
    total = 0.0
    for i in range(dimensions):
        for j in range(dimensions):
            x = (a[:, i] - a[:, i].mean()) / math.sqrt(a[:, i].var() + 1e-5)
            y = (b[:, j] - b[:, j].mean()) / math.sqrt(b[:, j].var() + 1e-5)
            entry = sum(x[n] * y[n] for n in range(count)) / count
            total += (1 - entry) ** 2 if i == j else redundancy_weight * entry**2
    return total


@given(st.integers(2, 8), st.integers(1, 5), st.sampled_from([0.0, 0.005, 0.5]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_barlow_twins_equals_a_naive_loop_in_float64(count: int, dimensions: int, weight: float, seed: int) -> None:
    z0, z1 = pairs(count, dimensions, seed)
    assert float(barlow_twins(z0, z1, weight)) == pytest.approx(naive_barlow_twins(z0, z1, weight), rel=1e-3, abs=1e-4)


def test_barlow_twins_is_symmetric_and_indifferent_to_order_scale_and_offset() -> None:
    z0, z1 = pairs(16, 4, 0)
    loss = barlow_twins(z0, z1, 0.1)
    shuffled = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    permuted = torch.tensor([2, 0, 3, 1])
    for other in (
        barlow_twins(z1, z0, 0.1),
        barlow_twins(z0[shuffled], z1[shuffled], 0.1),
        barlow_twins(z0[:, permuted], z1[:, permuted], 0.1),
        barlow_twins(5 * z0 + 2, 3 * z1 - 1, 0.1),
    ):
        assert float(other) == pytest.approx(float(loss), rel=1e-3)


def test_barlow_twins_is_zero_where_views_agree_and_features_are_uncorrelated() -> None:
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(barlow_twins(z, z, 1.0)) == pytest.approx(0, abs=1e-8)
    # The same feature twice agrees with itself, and both off-diagonal entries are 1.
    twice = z[:, :1].repeat(1, 2)
    assert float(barlow_twins(twice, twice, 0.25)) == pytest.approx(0.5, abs=1e-4)


def test_a_constant_feature_costs_one_whole_diagonal_entry() -> None:
    z = torch.zeros(6, 3)
    assert float(barlow_twins(z, z, 0.005)) == pytest.approx(3)


def naive_nnclr(z0: Tensor, z1: Tensor, queue: Tensor, temperature: float) -> float:
    def unit(rows: Tensor) -> list[np.ndarray]:
        return [row / np.linalg.norm(row) for row in rows.double().numpy()]

    a, b, bank = unit(z0), unit(z1), unit(queue)
    count = len(a)
    total = 0.0
    for anchors, positives in ((a, b), (b, a)):
        neighbors = [max(bank, key=lambda member: float(member @ anchor)) for anchor in anchors]
        for i in range(count):
            own = math.exp(neighbors[i] @ positives[i] / temperature)
            over_positives = sum(math.exp(neighbors[i] @ positives[k] / temperature) for k in range(count))
            over_neighbors = sum(math.exp(neighbors[k] @ positives[i] / temperature) for k in range(count))
            total -= math.log(own / over_positives) + math.log(own / over_neighbors)
    return total / (4 * count)


@given(st.integers(2, 8), st.integers(2, 5), st.integers(1, 9), st.sampled_from([0.1, 0.5]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_nnclr_equals_a_naive_loop_in_float64(
    count: int, dimensions: int, queue_size: int, temperature: float, seed: int
) -> None:
    z0, z1 = pairs(count, dimensions, seed)
    queue = torch.nn.functional.normalize(pairs(queue_size, dimensions, seed + 1000)[0], dim=1)
    expected = naive_nnclr(z0, z1, queue, temperature)
    assert float(nnclr(z0, z1, queue, temperature)) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_nnclr_is_symmetric_and_indifferent_to_order_scale_and_the_order_of_the_queue() -> None:
    z0, z1 = pairs(6, 4, 0)
    queue = torch.nn.functional.normalize(pairs(12, 4, 7)[0], dim=1)
    loss = nnclr(z0, z1, queue, 0.2)
    shuffled = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    for other in (
        nnclr(z1, z0, queue, 0.2),
        nnclr(z0[shuffled], z1[shuffled], queue, 0.2),
        nnclr(3 * z0, 0.1 * z1, queue, 0.2),
        nnclr(z0, z1, queue.flip(0), 0.2),
    ):
        assert float(other) == pytest.approx(float(loss), rel=1e-5)


def test_nnclr_is_least_where_neighbors_are_the_views_and_images_are_opposite() -> None:
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    # Each neighbor meets its own view at cosine 1 and the other image's at -1.
    assert float(nnclr(z, z, z, 0.5)) == pytest.approx(math.log(1 + math.exp(-4)), rel=1e-4)


def test_nnclr_with_the_views_in_its_queue_is_a_contrastive_loss_between_the_views() -> None:
    z0, z1 = (torch.nn.functional.normalize(z, dim=1) for z in pairs(5, 4, 3))
    similarity = z0 @ z1.T / 0.1
    own = torch.arange(5)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(similarity, own) + cross_entropy(similarity.T, own)) / 2
    assert float(nnclr(z0, z1, torch.cat([z0, z1]), 0.1)) == pytest.approx(float(expected), rel=1e-5)


LOSSES = {
    "nt_xent": lambda z0, z1: nt_xent(z0, z1, 0.1),
    "barlow_twins": lambda z0, z1: barlow_twins(z0, z1, 0.005),
    "nnclr": lambda z0, z1: nnclr(z0, z1, torch.eye(4), 0.1),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["batch of 2", "identical views", "constant features"])
def test_losses_have_finite_gradients_at_the_edges(name: str, kind: str) -> None:
    z0, z1 = pairs(2 if kind == "batch of 2" else 8, 4, 0)
    if kind == "identical views":
        z1 = z0.clone()
    if kind == "constant features":
        z0, z1 = torch.zeros(8, 4), torch.zeros(8, 4)
    z0.requires_grad_()
    z1.requires_grad_()
    loss = LOSSES[name](z0, z1)
    loss.backward()
    assert torch.isfinite(loss)
    assert z0.grad is not None
    assert torch.isfinite(z0.grad).all()
    assert z1.grad is not None
    assert torch.isfinite(z1.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_computed_in_float32_whatever_they_are_given(name: str) -> None:
    z0, z1 = (z.bfloat16() for z in pairs(16, 4, 3))
    loss = LOSSES[name](z0, z1)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(LOSSES[name](z0.float(), z1.float())), rel=1e-6)


NAIVE: dict[str, Callable[[Tensor, Tensor], float]] = {
    "nt_xent": lambda z0, z1: naive_nt_xent(z0, z1, 0.1),
    "barlow_twins": lambda z0, z1: naive_barlow_twins(z0, z1, 0.005),
}


@pytest.mark.parametrize("name", NAIVE)
def test_gradients_equal_the_differences_of_a_naive_loop_in_float64(name: str) -> None:
    views = [z.double() for z in pairs(6, 3, 5)]
    leaves = [z.float().requires_grad_() for z in views]
    LOSSES[name](*leaves).backward()
    step = 1e-5
    for view, leaf in zip(views, leaves, strict=True):
        assert leaf.grad is not None
        slopes = torch.empty_like(view)
        for place in np.ndindex(*view.shape):
            value = float(view[place])
            ends = []
            for moved in (value - step, value + step):
                view[place] = moved
                ends.append(NAIVE[name](*views))
            view[place] = value
            slopes[place] = (ends[1] - ends[0]) / (2 * step)
        torch.testing.assert_close(leaf.grad.double(), slopes, rtol=1e-3, atol=1e-4)


def test_cross_entropy_sees_labeled_images_only() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 5.0], [1.0, 1.0]], requires_grad=True)
    labels = torch.tensor([0, -1, 1])
    loss = labeled_cross_entropy(logits, labels)
    expected = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[1] == 0).all()


def test_cross_entropy_without_labels_is_zero() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    loss = labeled_cross_entropy(logits, torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def naive_diagonal_hits(square: np.ndarray) -> float:
    count = len(square)
    rows = [int(np.argmax(square[i])) == i for i in range(count)]
    columns = [int(np.argmax(square[:, i])) == i for i in range(count)]
    return float(np.mean(rows + columns))


@given(st.integers(2, 9), st.integers(2, 6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_c_acc_and_r_acc_equal_naive_loops(count: int, dimensions: int, seed: int) -> None:
    h0, h1 = pairs(count, dimensions, seed)
    a, b = h0.double().numpy(), h1.double().numpy()
    cosine = np.array([[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in b] for x in a])
    assert float(contrastive_accuracy(h0, h1)) == pytest.approx(naive_diagonal_hits(cosine))
    correlation = np.array([[np.corrcoef(a[:, i], b[:, j])[0, 1] for j in range(dimensions)] for i in range(dimensions)])
    r_acc, left_out = correlation_accuracy(h0, h1)
    # With two images every correlation is +1 or -1, and ties make the largest entry a matter of order.
    if count > 2:
        assert float(r_acc) == pytest.approx(naive_diagonal_hits(correlation))
    assert int(left_out) == 0


def test_identical_views_are_found_and_constant_features_left_out() -> None:
    h, _ = pairs(10, 6, 0)
    h[:, 2] = 7.0
    assert float(contrastive_accuracy(h, h)) == 1
    r_acc, left_out = correlation_accuracy(h, h)
    assert float(r_acc) == 1
    assert int(left_out) == 1
    r_acc, left_out = correlation_accuracy(torch.ones(4, 3), torch.ones(4, 3))
    assert math.isnan(float(r_acc))
    assert int(left_out) == 3


WEIGHTS = {"invariance_weight": 25.0, "variance_weight": 25.0, "covariance_weight": 1.0}


def naive_vicreg(z0: Tensor, z1: Tensor) -> float:
    """Bardes et al. 2022, equations 1 to 6, with NumPy in float64."""
    views = [z.double().numpy() for z in (z0, z1)]
    images, columns = views[0].shape
    total = 25 * ((views[0] - views[1]) ** 2).sum() / (images * columns)
    for z in views:
        covariance = np.atleast_2d(np.cov(z, rowvar=False))
        deviations = np.sqrt(np.diag(covariance) + 1e-4)
        total += 25 * np.maximum(0, 1 - deviations).sum() / columns
        total += sum(covariance[i, j] ** 2 for i in range(columns) for j in range(columns) if i != j) / columns
    return float(total)


@given(st.integers(2, 8), st.integers(1, 5), st.sampled_from([0.1, 1.0, 3.0]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_vicreg_equals_the_papers_equations_in_float64(count: int, columns: int, size: float, seed: int) -> None:
    z0, z1 = (size * z for z in pairs(count, columns, seed))
    assert float(vicreg(z0, z1, **WEIGHTS)) == pytest.approx(naive_vicreg(z0, z1), rel=1e-4, abs=1e-5)


def test_vicreg_is_symmetric_and_indifferent_to_order_and_place() -> None:
    z0, z1 = pairs(6, 4, 0)
    loss = float(vicreg(z0, z1, **WEIGHTS))
    images, columns = (torch.randperm(count, generator=torch.Generator().manual_seed(1)) for count in (6, 4))
    for other in ((z1, z0), (z0[images], z1[images]), (z0[:, columns], z1[:, columns]), (z0 + 3, z1 + 3)):
        assert float(vicreg(*other, **WEIGHTS)) == pytest.approx(loss, rel=1e-4)


def test_vicreg_knows_the_best_and_the_collapsed() -> None:
    # Columns of deviation 1 that say nothing of each other, the same in both views: nothing is left to learn.
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(vicreg(z, z, **WEIGHTS)) == 0
    collapsed = torch.ones(4, 2, requires_grad=True)
    loss = vicreg(collapsed, collapsed, **WEIGHTS)
    assert loss.item() == pytest.approx(2 * 25 * (1 - 0.01))
    loss.backward()
    assert torch.isfinite(collapsed.grad).all()


def test_vicreg_leads_out_of_a_collapse_that_is_not_complete() -> None:
    z0 = torch.nn.Parameter(1 + 0.01 * pairs(16, 3, 0)[0])
    optimizer = torch.optim.SGD([z0], lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        vicreg(z0, z0, **WEIGHTS).backward()
        optimizer.step()
    assert (z0.detach().std(dim=0) > 0.9).all()


def test_alignment_is_the_squared_distance_of_directions() -> None:
    h0, h1 = pairs(6, 4, 0)
    by_hand = [
        np.square(a / np.linalg.norm(a) - b / np.linalg.norm(b)).sum() for a, b in zip(h0.numpy(), h1.numpy(), strict=True)
    ]
    assert float(alignment(h0, h1)) == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert float(alignment(h0, 5 * h0)) == pytest.approx(0, abs=1e-6)
    assert float(alignment(h0, -h0)) == pytest.approx(4)


def test_uniformity_is_the_papers_potential_of_all_pairs() -> None:
    h0, h1 = pairs(6, 4, 0)

    def by_pdist(h: Tensor) -> float:
        return float(torch.pdist(torch.nn.functional.normalize(h, dim=1)).square().mul(-2).exp().mean().log())

    assert float(uniformity(h0, h1)) == pytest.approx((by_pdist(h0) + by_pdist(h1)) / 2, rel=1e-5)


def test_uniformity_is_zero_of_features_that_are_all_alike_or_dead_and_falls_as_they_spread() -> None:
    for alike in (torch.ones(5, 3), torch.zeros(5, 3)):
        assert float(uniformity(alike, alike)) == pytest.approx(0, abs=1e-5)
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert float(uniformity(opposite, opposite)) == pytest.approx(-8, rel=1e-5)
    even = torch.nn.functional.normalize(pairs(512, 64, 0)[0], dim=1)
    assert float(uniformity(even, even)) == pytest.approx(-4, abs=0.15)
