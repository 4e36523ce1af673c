import math

import pytest
import torch

from fewscan.training.probes import leave_group_out_accuracy, nearest_neighbors


def test_the_nearest_neighbour_is_the_most_similar_direction() -> None:
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
    assert leave_group_out_accuracy(copies, labels, alone) == 1  # every image finds its copy
    assert leave_group_out_accuracy(copies, labels, grouped) == 0  # which is no longer allowed


def test_one_group_alone_has_no_probe() -> None:
    assert math.isnan(leave_group_out_accuracy(torch.randn(4, 2), torch.zeros(4), torch.zeros(4)))
