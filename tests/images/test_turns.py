from itertools import product

import numpy as np
import pytest

from fewscan.auditing.copies.placing import SYMMETRIES, combined, placed, placing_of, turn_of
from fewscan.images.turns import Turn

TURNS = [Turn(*each) for each in product((False, True), (0, 90, 180, 270), (False, True))]
IMAGE = np.random.default_rng(0).integers(0, 256, (2, 4, 6), dtype=np.uint8)


@pytest.mark.parametrize("turn", TURNS)
def test_what_was_done_is_undone_and_one_after_the_other_is_one(turn: Turn) -> None:
    assert np.array_equal(turn.back.of(turn.of(IMAGE)), IMAGE)
    assert turn.then(turn.back) == Turn()
    for other in TURNS:
        assert np.array_equal(turn.then(other).of(IMAGE), other.of(turn.of(IMAGE)))


def test_every_turn_is_another_and_all_but_none_are_named() -> None:
    assert len({turn.of(IMAGE).tobytes() for turn in TURNS}) == len(TURNS) == len({tuple(turn.words) for turn in TURNS})
    assert Turn().words == []
    assert Turn(turned=90).of(IMAGE)[0, 0, -1] == IMAGE[0, 0, 0]  # clockwise: the upper left corner comes to the upper right


@pytest.mark.parametrize("symmetry", range(len(SYMMETRIES)))
def test_the_turn_of_a_placing_makes_the_image_that_the_placing_shows(symmetry: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (16, 16)).astype(np.float32)
    shown = placed(image, placing_of(0, symmetry), 16)
    assert np.array_equal(turn_of(placing_of(0, symmetry)).of(image[None].astype(np.uint8))[0], shown)
    slightly = combined(np.array([[0.9, 0.2, 0.1], [-0.2, 1.1, 0.0]]), placing_of(0, symmetry))
    assert turn_of(slightly) == turn_of(placing_of(0, symmetry))
