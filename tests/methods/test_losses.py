import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fewscan.methods.losses import contrastive_accuracy, correlation_accuracy, labeled_cross_entropy, nt_xent


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


@pytest.mark.parametrize("kind", ["batch of 2", "identical views", "constant features"])
def test_nt_xent_has_finite_gradients_at_the_edges(kind: str) -> None:
    z0, z1 = pairs(2 if kind == "batch of 2" else 8, 4, 0)
    if kind == "identical views":
        z1 = z0.clone()
    if kind == "constant features":
        z0, z1 = torch.zeros(8, 4), torch.zeros(8, 4)
    z0.requires_grad_()
    z1.requires_grad_()
    loss = nt_xent(z0, z1, 0.1)
    loss.backward()
    assert torch.isfinite(loss)
    assert z0.grad is not None
    assert torch.isfinite(z0.grad).all()
    assert z1.grad is not None
    assert torch.isfinite(z1.grad).all()


def test_nt_xent_is_computed_in_float32_whatever_it_is_given() -> None:
    z0, z1 = pairs(16, 8, 3)
    loss = nt_xent(z0.bfloat16(), z1.bfloat16(), 0.1)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(naive_nt_xent(z0.bfloat16(), z1.bfloat16(), 0.1), rel=1e-3)


def test_cross_entropy_sees_labelled_images_only() -> None:
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
