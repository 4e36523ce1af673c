import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fewscan.training.batches import epoch_batches, steps_per_epoch

sizes = st.tuples(st.integers(1, 60), st.integers(0, 200), st.integers(2, 50), st.integers(0, 9), st.integers(1, 9))


@given(sizes)
def test_an_epoch_passes_once_over_all_images_and_every_step_has_a_label(drawn: tuple[int, int, int, int, int]) -> None:
    labeled_count, unlabeled_count, batch_size, seed, epoch = drawn
    labeled, unlabeled = np.arange(labeled_count), 1000 + np.arange(unlabeled_count)
    batches = list(epoch_batches(labeled, unlabeled, batch_size, seed, epoch))
    assert len(batches) == steps_per_epoch(labeled_count + unlabeled_count, batch_size)
    seen = np.concatenate(batches)
    assert sorted(seen[seen >= 1000]) == list(unlabeled)
    assert all((batch < 1000).any() for batch in batches)
    passes = np.unique(seen[seen < 1000], return_counts=True)[1]
    assert set(np.unique(seen[seen < 1000])) == set(labeled)
    assert passes.max() == passes.min() == max(1, -(-len(batches) // labeled_count))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) - min(lengths) <= 2


def test_epochs_differ_and_repeat_by_seed() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return [int(row) for batch in epoch_batches(np.arange(20), 100 + np.arange(30), 10, seed, epoch) for row in batch]

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)
