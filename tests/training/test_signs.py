import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.training.signs import FEWEST_OTHERS, chance_limit, commonest_share, hits_by_chance, live_share, signs

CLASS_NUMBERS = st.integers(0, 2)


@pytest.mark.slow
@given(st.lists(st.tuples(CLASS_NUMBERS, CLASS_NUMBERS), min_size=2, max_size=6))
def test_hits_by_chance_are_those_of_all_shuffles(pairs: list[tuple[int, int]]) -> None:
    calls, labels = (torch.tensor(numbers) for numbers in zip(*pairs, strict=True))
    shuffled = [(calls[list(order)] == labels).sum() for order in itertools.permutations(range(len(pairs)))]
    hits = torch.stack(shuffled).double()
    mean, deviation = hits_by_chance(calls, labels)
    assert mean == pytest.approx(float(hits.mean()))
    assert deviation == pytest.approx(float(hits.std(correction=0)), abs=1e-9)


def test_few_images_cannot_tell_chance() -> None:
    labels = torch.arange(2 * FEWEST_OTHERS) % 2
    assert chance_limit(labels, labels) is not None
    assert chance_limit(labels[:-1], labels[:-1]) is None
    # Many images, but hardly any of the other class.
    unequal = (torch.arange(1000) < FEWEST_OTHERS - 1).long()
    assert chance_limit(unequal, unequal) is None


@given(st.integers(2, 5), st.integers(FEWEST_OTHERS, 60), st.integers(0, 300))
def test_calling_all_by_the_commonest_class_is_chance_and_half_of_the_others_right_is_not(
    classes: int, others: int, more: int
) -> None:
    labels = torch.cat([torch.zeros(others + more, dtype=torch.int64), 1 + torch.arange(others) % (classes - 1)])
    everything = torch.zeros_like(labels)
    assert chance_limit(everything, labels) == float((everything == labels).float().mean())
    calls = torch.where(torch.arange(len(labels)) % 2 == 0, labels, 0)
    limit = chance_limit(calls, labels)
    assert limit is not None
    assert float((calls == labels).float().mean()) > limit


def test_shuffled_calls_are_rarely_above_the_limit() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(torch.tensor([0.6, 0.35, 0.05]), 200, replacement=True, generator=generator)
    above = 0
    for _ in range(1000):
        calls = labels[torch.randperm(200, generator=generator)]
        limit = chance_limit(calls, labels)
        assert limit is not None
        above += float((calls == labels).double().mean()) > limit
    assert 20 <= above <= 80


def test_a_column_lives_where_it_varies_for_its_size() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(50, 8, generator=generator)
    dead = torch.zeros(50, 4)
    constant = torch.full((50, 4), 7.0) + 1e-6 * noise[:, :4]
    assert live_share(torch.cat([noise, dead, constant], dim=1)) == 0.5
    assert live_share(torch.zeros(50, 4)) == 0
    assert live_share(noise[:1]) is None


@given(st.lists(st.floats(1e-6, 1e6), min_size=6, max_size=6))
def test_the_size_of_a_column_does_not_make_others_look_dead(sizes: list[float]) -> None:
    columns = torch.rand(30, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor(sizes)
    assert live_share(columns) == 1


def test_the_commonest_class_is_the_largest() -> None:
    assert commonest_share(torch.tensor([2, 0, 2, 2])) == 0.75


def test_a_head_without_weights_is_seen_dead_and_the_encoder_alive() -> None:
    torch.manual_seed(0)
    network = Network(encoder_settings(width=16), HeadSettings(), channels=1, image_size_px=16, classes=4).eval()
    images, labels = torch.rand(40, 1, 16, 16), torch.arange(40) % 4
    with torch.no_grad():
        before = signs(network(images), labels)
        for parameter in network.projection_head.parameters():
            parameter.zero_()
        network.classifier[-1].weight.zero_()
        after = signs(network(images), labels)
    assert before["live_features"] == after["live_features"]
    assert after["live_features"] > 0.5
    assert before["live_projections"] > 0.5
    assert after["live_projections"] == 0
    assert after["commonest_prediction"] == 1
    assert after["commonest_label"] == 0.25
    assert after["labeled_accuracy"] == after["chance_limit"] == 0.25
