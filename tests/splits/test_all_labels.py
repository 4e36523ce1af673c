"""Where all labels are used, none is lost to a validation set that groups of many images do not fit."""

from collections.abc import Callable

import numpy as np
import pytest

from fewscan.cli.following import after_run
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.class_gaps import gap_warnings
from fewscan.splits.draw import Draw
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.made import remade

MakeDataset = Callable[..., Snapshot]


@pytest.mark.slow
@pytest.mark.parametrize(("images_of_a_patient", "wanted", "validating"), [(1, 48, 48), (5, 48, 40), (15, 48, 60), (15, 24, 0)])
def test_patients_validate_as_a_whole_where_half_of_their_images_are_wanted(
    images_of_a_patient: int, wanted: int, validating: int, make_dataset: MakeDataset
) -> None:
    # 240 images of four classes; all of a patient are of one class.
    groups = [row % 4 + 4 * (row // (4 * images_of_a_patient)) for row in range(240)]
    dataset = make_dataset(240, groups=groups)
    dataset = remade(dataset, dataset.manifest.assign(copy_set=np.arange(240)))
    granted = Draw(dataset, grouped=True, shares="known", seed=0).granted(240, wanted, dataset.usable)
    assert len(granted.validation) == validating
    assert sorted(granted.rows) == list(range(240))
    assert not set(dataset.groups[granted.labeled]) & set(dataset.groups[granted.validation])
    assert set(dataset.labels[granted.labeled]) == {0, 1, 2, 3}


@pytest.mark.slow
def test_labels_of_one_patient_alone_give_no_score_which_is_said_and_no_verb_asks_for_one(
    make_dataset: MakeDataset, untrained_run: Callable[[Snapshot], Run]
) -> None:
    made = make_dataset(24)
    assert not gap_warnings(split(made, labeled=None, test=0, validation=0))
    lone = remade(made, made.manifest.assign(group=[0 if row % 4 == 0 else row for row in range(24)], copy_set=range(24)))
    dataset = split(lone, labeled=None, test=0, validation=0)
    (warning,) = gap_warnings(dataset)
    assert "'glioma'" in warning
    run = untrained_run(dataset)
    assert after_run(run, dataset) == ["report", run.folder]
