import numpy as np
import pytest

from fewscan.data.dataset import Dataset
from fewscan.evaluation.predictor import Prediction
from fewscan.evaluation.typicality import Descriptions, Typicality, describe

SIDE = 32


def heads(count: int, seed: int) -> np.ndarray:
    """Bright discs with some texture on black, a little moved and scaled: (N, 1, SIDE, SIDE) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    pictures = []
    for _ in range(count):
        middle = SIDE / 2 + random.uniform(-2, 2, 2)
        disc = np.hypot(y - middle[0], x - middle[1]) < random.uniform(10, 13)
        pictures.append(disc * (random.uniform(110, 150) + random.normal(0, 15, (SIDE, SIDE))))
    return np.clip(np.array(pictures), 0, 255).astype(np.uint8)[:, None]


def predicted(pixels: np.ndarray) -> Prediction:
    """What a network that sees nothing would say: its features are the same for all."""
    count = len(pixels)
    same = np.full((count, 4), 0.5, dtype=np.float32)
    return Prediction(same, same, same, same)


def described(pixels: np.ndarray) -> Descriptions:
    return describe(pixels, predicted(pixels))


@pytest.fixture(scope="module")
def typicality() -> Typicality:
    return Typicality(described(heads(400, 0)), np.arange(400))


def test_new_scans_of_the_kind_are_mostly_alike(typicality: Typicality) -> None:
    assert typicality.out_of_distribution(described(heads(500, 1))).mean() < 0.06


@pytest.mark.parametrize("kind", ["noise", "text", "black", "white", "gradient", "inverted"])
def test_what_is_no_scan_is_out_of_distribution_even_where_the_network_sees_no_difference(
    typicality: Typicality, kind: str
) -> None:
    random = np.random.default_rng(2)
    pictures = {
        "noise": random.integers(0, 256, (20, 1, SIDE, SIDE)),
        "text": 255 * (random.random((20, 1, SIDE, SIDE)) > 0.2) * (np.arange(SIDE) % 4 > 0)[:, None],
        "black": np.zeros((20, 1, SIDE, SIDE)),
        "white": np.full((20, 1, SIDE, SIDE), 255),
        "gradient": np.broadcast_to(np.linspace(0, 255, SIDE), (20, 1, SIDE, SIDE)),
        "inverted": 255 - heads(20, 3).astype(np.int64),
    }[kind].astype(np.uint8)
    assert typicality.out_of_distribution(described(pictures)).all()


def test_distances_are_those_of_a_plain_loop_and_leave_out_the_own_group() -> None:
    random = np.random.default_rng(0)
    reference = Descriptions(*(random.normal(size=(30, 5)).astype(np.float32) for _ in range(3)))
    scans = Descriptions(*(random.normal(size=(300, 5)).astype(np.float32) for _ in range(3)))
    groups, own = random.integers(0, 6, 30), random.integers(0, 6, 300)
    found = Typicality(reference, groups).distances(scans, own)
    expected = np.array(
        [
            [
                min(
                    np.linalg.norm(part[scan].astype(np.float64) - near[image])
                    for image in range(30)
                    if groups[image] != own[scan]
                )
                for part, near in zip(scans, reference, strict=True)
            ]
            for scan in range(300)
        ]
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_of_what_was_learned_from_about_as_many_are_out_of_distribution_as_is_said(typicality: Typicality) -> None:
    own = typicality.out_of_distribution(typicality.reference, typicality.groups)
    assert 0 < own.mean() <= 0.02


def test_a_single_group_knows_no_distance_and_calls_nothing_out_of_distribution() -> None:
    alone = Typicality(described(heads(5, 0)), np.zeros(5, dtype=np.int64))
    assert np.isinf(alone.limits).all()
    assert not alone.out_of_distribution(described(heads(5, 1))).any()


def test_descriptions_do_not_depend_on_their_neighbors_nor_on_the_side(split_dataset: Dataset) -> None:
    pixels = np.array(split_dataset.pixels[:10])
    together = described(pixels)
    alone = [described(pixels[k : k + 1]) for k in range(10)]
    for name in Descriptions._fields:
        np.testing.assert_allclose(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]), atol=1e-6)
    odd = described(np.zeros((2, 3, 50, 50), dtype=np.uint8))
    assert odd.thumbnails.shape == (2, 256)
    assert odd.histograms.sum(axis=1).tolist() == [1, 1]
