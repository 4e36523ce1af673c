import math

import pytest
import torch

from fewscan.learning.losses import cosine_similarity
from fewscan.training.probes import leave_group_out_calls, nearest_neighbors


def test_the_nearest_neighbor_is_the_most_similar_direction() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    queries = torch.tensor([[5.0, 1.0], [-0.1, 0.3]])
    index, similarity = nearest_neighbors(queries, bank)
    assert index.tolist() == [0, 1]
    assert similarity[0].item() == pytest.approx(5 / math.sqrt(26))


def test_the_probe_never_finds_an_image_in_its_own_group() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 8, generator=generator)
    copies = torch.cat([features, features])
    labels = torch.arange(24) % 12
    alone, grouped = torch.arange(24), torch.arange(24) % 12
    calls, found, same_class_found = leave_group_out_calls(copies, labels, alone)
    assert (calls == labels).all()  # every image finds its copy
    assert found.all()
    assert same_class_found.all()
    calls, found, same_class_found = leave_group_out_calls(copies, labels, grouped)
    assert not (calls == labels).any()  # which is no longer allowed
    assert found.all()
    assert not same_class_found.any()


def test_one_group_alone_has_no_neighbors() -> None:
    _, found, same_class_found = leave_group_out_calls(torch.randn(4, 2), torch.zeros(4), torch.zeros(4))
    assert not found.any()
    assert not same_class_found.any()


def test_cosine_similarity_knows_directions_alone() -> None:
    queries, bank = torch.tensor([[3.0, 4.0]]), torch.tensor([[6.0, 8.0], [-4.0, 3.0], [-0.3, -0.4]])
    torch.testing.assert_close(cosine_similarity(queries, bank), torch.tensor([[1.0, 0.0, -1.0]]))
