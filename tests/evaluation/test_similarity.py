import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.evaluation.similarity import soft_nearest_neighbors


@given(st.integers(1, 5), st.integers(1, 8), st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_votes_equal_a_naive_loop_in_float64(queries: int, labeled: int, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(queries, 3, generator=generator)
    bank = torch.randn(labeled, 3, generator=generator)
    labels = torch.randint(classes, (labeled,), generator=generator)
    found = soft_nearest_neighbors(z, bank, labels, classes, temperature=0.2)
    for query in range(queries):
        weights = []
        for other in range(labeled):
            a, b = z[query].double(), bank[other].double()
            weights.append(math.exp(float(a @ b / (a.norm() * b.norm())) / 0.2))
        for number in range(classes):
            share = sum(w for w, label in zip(weights, labels.tolist(), strict=True) if label == number) / sum(weights)
            assert float(found[query, number]) == pytest.approx(share, rel=1e-3, abs=1e-5)


def test_probabilities_sum_to_one_and_ignore_the_length_of_projections() -> None:
    generator = torch.Generator().manual_seed(0)
    z, bank = torch.randn(6, 4, generator=generator), torch.randn(9, 4, generator=generator)
    labels = torch.arange(9) % 3
    found = soft_nearest_neighbors(z, bank, labels, 3)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(6))
    torch.testing.assert_close(soft_nearest_neighbors(7 * z, 0.1 * bank, labels, 3), found)


def test_a_cold_vote_is_the_nearest_neighbors_and_a_class_without_labels_gets_none() -> None:
    bank = torch.eye(3)
    found = soft_nearest_neighbors(torch.tensor([[0.1, 0.9, 0.2]]), bank, torch.tensor([0, 2, 0]), 4, temperature=0.001)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
