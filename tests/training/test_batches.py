import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan.images.stored import read_ascending
from fewscan.training.batches import Rows, epoch_batches, smallest_batch
from fewscan.training.lengths import labeled_in_batch, steps_per_epoch
from fewscan.training.shuffling import Buffer, shuffled

sizes = st.tuples(st.integers(1, 60), st.integers(0, 200), st.integers(2, 50), st.integers(0, 9), st.integers(1, 9))


def batches(labeled: int, unlabeled: int, batch_size: int, seed: int, epoch: int, classes: int = 1, **how: Any) -> list[Rows]:
    """Return an epoch's batches; labeled rows count from 0, with classes in turn, unlabeled ones from 1,000."""
    rows = np.arange(labeled)
    steps = epoch_batches(rows, 1000 + np.arange(unlabeled), rows % classes, batch_size, seed, epoch, **how)
    return [np.concatenate(step) for step in steps]


@given(sizes)
def test_an_epoch_passes_once_over_all_images_and_every_step_has_a_label(drawn: tuple[int, int, int, int, int]) -> None:
    labeled_count, unlabeled_count, batch_size, *_ = drawn
    steps = batches(*drawn)
    assert len(steps) == steps_per_epoch(labeled_count, unlabeled_count, batch_size)
    seen = np.concatenate(steps)
    assert sorted(seen[seen >= 1000]) == list(1000 + np.arange(unlabeled_count))
    assert all((batch < 1000).any() for batch in steps)
    passes = np.unique(seen[seen < 1000], return_counts=True)[1]
    assert set(np.unique(seen[seen < 1000])) == set(range(labeled_count))
    assert passes.max() == passes.min() == max(1, -(-len(steps) // labeled_count))
    lengths = [len(batch) for batch in steps]
    assert max(lengths) - min(lengths) <= 2


@given(sizes, st.floats(0.05, 0.95))
def test_every_batch_has_its_share_of_labels_and_an_epoch_passes_once_over_the_unlabeled(
    drawn: tuple[int, int, int, int, int], share: float
) -> None:
    labeled_count, unlabeled_count, batch_size, *_ = drawn
    unlabeled_count += 1
    steps = batches(labeled_count, unlabeled_count, *drawn[2:], labeled_share=share)
    wanted = labeled_in_batch(batch_size, share)
    assert 1 <= wanted < batch_size
    assert abs(wanted - share * batch_size) <= 1
    assert {int((batch < 1000).sum()) for batch in steps} == {wanted}
    seen = np.concatenate(steps)
    assert sorted(seen[seen >= 1000]) == list(1000 + np.arange(unlabeled_count))
    # One pass over the labels after the other: none is seen twice more often than another.
    passes = np.bincount(seen[seen < 1000], minlength=labeled_count)
    assert passes.max() - passes.min() <= 1


@pytest.mark.slow
@given(sizes, st.integers(1, 5), st.booleans())
def test_an_epoch_of_several_passes_sees_every_image_as_often(
    drawn: tuple[int, int, int, int, int], passes: int, share: bool
) -> None:
    labeled_count, unlabeled_count, batch_size, *_ = drawn
    how = {"labeled_share": 0.5} if share else {}
    steps = batches(*drawn, passes=passes, **how)
    assert len(steps) == steps_per_epoch(labeled_count, unlabeled_count, batch_size, how.get("labeled_share"), passes)
    seen = np.concatenate(steps)
    assert (np.unique(seen[seen >= 1000], return_counts=True)[1] == passes).all()
    times = np.bincount(seen[seen < 1000], minlength=labeled_count)
    assert times.max() - times.min() <= 1
    assert share or times.max() == max(passes, -(-len(steps) // labeled_count))


@given(sizes, st.sampled_from([None, 0.3]))
def test_the_smallest_batch_is_known_before_any_is_drawn(drawn: tuple[int, int, int, int, int], share: float | None) -> None:
    for labeled_count in {0, drawn[0]}:
        unlabeled_count, batch_size = drawn[1] + 1, drawn[2]
        steps = batches(labeled_count, unlabeled_count, *drawn[2:], labeled_share=share)
        assert smallest_batch(labeled_count, unlabeled_count, batch_size, share) == min(map(len, steps))


def test_a_share_of_labels_says_nothing_where_all_are_labeled() -> None:
    assert np.array_equal(np.concatenate(batches(50, 0, 10, 0, 1, labeled_share=0.3)), np.concatenate(batches(50, 0, 10, 0, 1)))


@pytest.mark.parametrize(("balance", "shares"), [(1.0, [0.5, 0.5]), (0.5, [0.75, 0.25]), (1e-9, [0.9, 0.1])])
def test_classes_are_balanced_in_every_slice(balance: float, shares: list[float]) -> None:
    classes = np.repeat([0, 1], [90, 10])
    steps = list(
        epoch_batches(np.arange(100), 1000 + np.arange(700), classes, 70, 0, 1, labeled_share=4 / 7, class_balance=balance)
    )
    for batch in steps:
        assert np.bincount(classes[batch.labeled]) / 40 == pytest.approx(shares, abs=2 / 40)
    seen = np.concatenate([batch.labeled for batch in steps])
    for name in (0, 1):
        counts = np.bincount(seen, minlength=100)[classes == name]
        assert counts.max() - counts.min() <= 1


@given(sizes, st.integers(1, 5), st.floats(0.01, 1))
def test_balance_changes_who_is_drawn_not_how_many(drawn: tuple[int, int, int, int, int], classes: int, balance: float) -> None:
    plain, balanced = batches(*drawn), batches(*drawn, classes=classes, class_balance=balance)
    assert [len(batch) for batch in plain] == [len(batch) for batch in balanced]
    assert all(((a < 1000) == (b < 1000)).all() for a, b in zip(plain, balanced, strict=True))


def test_epochs_differ_and_repeat_by_seed() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return [int(row) for batch in batches(20, 30, 10, seed, epoch, classes=3, class_balance=0.5) for row in batch]

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)


buffers = st.one_of(st.none(), st.builds(Buffer, st.integers(1, 300), st.integers(1, 40)))


@given(sizes, buffers, st.integers(1, 5), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_buffer_changes_the_order_and_nothing_else(
    drawn: tuple[int, int, int, int, int], buffer: Buffer | None, classes: int, balance: float
) -> None:
    how: dict[str, Any] = {"classes": classes, "class_balance": balance}
    plain, blocks = batches(*drawn, **how), batches(*drawn, **how, buffer=buffer)
    assert [len(batch) for batch in plain] == [len(batch) for batch in blocks]
    once = [np.sort(np.concatenate(steps)) for steps in (plain, blocks)]
    unlabeled = [rows[rows >= 1000] for rows in once]
    assert np.array_equal(*unlabeled)
    times = [np.sort(np.bincount(rows[rows < 1000], minlength=drawn[0])) for rows in once]
    assert np.array_equal(*times)
    assert all(map(np.array_equal, blocks, batches(*drawn, **how, buffer=buffer)))


def test_a_buffer_holds_few_blocks_at_a_time() -> None:
    rows, block, held = np.arange(0, 3000, 3), 20, 5
    for seed in range(3):
        order = shuffled(np.random.default_rng(seed), rows, Buffer(block * held, block))
        assert np.array_equal(np.sort(order), rows)
        parts = [np.unique(np.searchsorted(rows, part) // block) for part in np.split(order, 10)]
        assert [len(part) for part in parts] == [held] * 10
        # From all over the file, and mixed: neighbors in the order are of one block about as often as chance has it.
        assert max(np.diff(part).max() for part in parts) > held
        same_block = np.diff(np.searchsorted(rows, order) // block) == 0
        assert 0.1 < same_block.mean() < 0.3


def test_what_a_step_reads_lies_in_a_few_blocks_whatever_the_stream() -> None:
    labeled, unlabeled = np.arange(0, 20_000, 2), np.arange(1, 20_000, 2)
    classes = (labeled // 100) % 3
    buffer = Buffer(2000, 50)
    steps = list(epoch_batches(labeled, unlabeled, classes, 100, 0, 1, class_balance=1.0, buffer=buffer))
    window = np.concatenate([row for step in steps[:20] for row in step])
    assert len(np.unique(window)) == 2000
    # Of 200 pieces of the file, all of which it would touch without a buffer.
    assert len(np.unique(window // 100)) < 100


def test_rows_are_read_alike_where_the_system_takes_no_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (50, 1, 4, 4), dtype=np.uint8)
    whole.tofile(tmp_path / "pixels.raw")
    mapped = np.memmap(tmp_path / "pixels.raw", np.uint8, "r", shape=whole.shape)
    rows = np.array([0, 3, 4, 5, 30, 49])
    for _ in range(2):
        np.testing.assert_array_equal(read_ascending(mapped, rows), whole[rows])
        monkeypatch.delattr(os, "posix_fadvise", raising=False)
