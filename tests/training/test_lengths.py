import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.learning.registry import METHODS, TRAINING_METHODS
from fewscan.training.lengths import (
    batch_size_without_unlabeled,
    cost,
    images_per_pass,
    labeled_in_batch,
    length_of,
    steps_per_epoch,
    used,
)

COUNTS = st.integers(1, 5000)
SHARES = st.none() | st.floats(0.01, 0.99)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 10**6),
    st.sampled_from(sorted(TRAINING_METHODS)),
    COUNTS,
    COUNTS,
    st.integers(2, 512),
    SHARES,
    st.none() | COUNTS,
)
def test_a_training_is_as_long_as_asked_and_no_epoch_longer(
    images: int, name: str, labeled: int, unlabeled: int, batch_size: int, share: float | None, passes: int | None
) -> None:
    method = METHODS[name]
    sizes = {"batch_size": batch_size, "labeled_share": share}
    length = length_of(images, method, labeled, unlabeled, **sizes, passes=passes, minimum_epochs=1)  # type: ignore[arg-type]
    assert passes in (None, length.passes)
    steps = steps_per_epoch(labeled, used(method, unlabeled), batch_size, share, length.passes)
    epoch = steps * batch_size * cost(method)
    assert length.epochs * epoch >= images * (1 - 1e-9)
    assert (length.epochs - 1) * epoch < images
    longer = length_of(images, method, labeled, unlabeled, **sizes, passes=passes, minimum_epochs=10**6)  # type: ignore[arg-type]
    assert longer.epochs == max(10**6, length.epochs)


@settings(max_examples=50, deadline=None)
@given(COUNTS, COUNTS, st.integers(2, 512), SHARES)
def test_a_method_without_unlabeled_images_makes_about_as_many_steps(
    labeled: int, unlabeled: int, batch_size: int, share: float | None
) -> None:
    steps = steps_per_epoch(labeled, unlabeled, batch_size, share)
    alone = batch_size_without_unlabeled(labeled, unlabeled, batch_size, share)
    assert alone == 2 or abs(labeled / alone - steps) <= steps / (2 * alone) + 1e-9


@pytest.mark.parametrize("share", [None, 0.25, 0.5])
def test_a_pass_shows_every_unlabeled_image_once(share: float | None) -> None:
    images = images_per_pass(100, 900, 100, share)
    unlabeled_in_batch = 90 if share is None else 100 - labeled_in_batch(100, share)
    assert math.isclose(images / 100 * unlabeled_in_batch, 900)
