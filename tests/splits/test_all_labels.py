"""Where all labels are used, none is lost to a validation set that groups of many images do not fit."""

from collections.abc import Callable

import numpy as np
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.draw import Draw
from tests.made import remade

MakeDataset = Callable[..., Snapshot]


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
