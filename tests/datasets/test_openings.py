"""How often a test set was looked at, by whichever run and through whichever folder."""

from collections.abc import Callable

import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import OPENINGS_FILE, note_opening, openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.split import split


@pytest.mark.slow
def test_all_runs_openings_count_and_another_test_set_has_its_own(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = split(make_dataset(), labeled=16, test=24, validation=0.25)
    for run, verb in (("a", "evaluate"), ("b", "evaluate"), ("a", "report")):
        note_opening(dataset, verb, run)
    seen = openings(dataset)
    assert (seen.by_verb, seen.runs, seen.total) == ({"evaluate": 2, "report": 1}, 2, 3)
    # Fewer labels, the same test images: whoever chooses between the two chooses on the same test set.
    fewer = split(Dataset.open(dataset.folder).unsplit(), labeled=8, test=24, validation=0)
    assert openings(fewer) == seen
    other = split(Dataset.open(dataset.folder).unsplit(), labeled=16, test=24, validation=0.25, seed=1)
    assert openings(other).total == 0


def test_the_same_test_images_under_another_splits_name_are_one_test_set(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = split(make_dataset(), labeled=16, test=24, validation=0.25)
    note_opening(dataset, "evaluate", "a")
    again = split(Dataset.open(dataset.folder).unsplit(), labeled=16, test=24, validation=0.25, name="again")
    assert openings(again).total == 1


def test_a_damaged_record_is_one_clear_line_and_is_not_passed_over(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = split(make_dataset(), labeled=16, test=24, validation=0.25)
    note_opening(dataset, "evaluate", "a")
    path = dataset.folder / OPENINGS_FILE
    path.write_text(path.read_text() + path.read_text()[:-20] + "\n")
    with pytest.raises(FewscanError, match=OPENINGS_FILE) as caught:
        openings(dataset)
    assert "\n" not in str(caught.value)
