from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from fewscan.training.budget import BudgetRows, LabelBearers

IMAGES = 120
# The last forty are copies of the first forty, and of the same class: classes come in turn, four of them.
SETS = [row % 80 for row in range(IMAGES)]


@pytest.fixture
def copied(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    return split(make_dataset(images=IMAGES, groups=SETS), labeled=24, test=16, validation=0.25)


def test_an_unlabeled_copy_bears_the_label_of_its_set_and_nothing_else_bears_any(copied: Snapshot) -> None:
    sets = copied.manifest["copy_set"].to_numpy()
    labeled, unlabeled = copied.rows("labeled"), copied.rows("unlabeled")
    wanted = unlabeled[np.isin(sets[unlabeled], sets[labeled])]
    assert len(wanted)
    bearers = LabelBearers.of(copied)
    assert bearers.copies.tolist() == wanted.tolist()
    drawn = bearers.drawn(np.random.default_rng(0), np.repeat(labeled, 200))
    assert set(drawn) == {*labeled, *wanted}
    assert (sets[drawn] == np.repeat(sets[labeled], 200)).all()
    # A set counts as often as it was labeled, however many its images are; each of them comes up as often as the others.
    for row in labeled:
        mine = np.count_nonzero(drawn == row) / 200
        assert mine == pytest.approx(1 / np.count_nonzero(np.isin(sets[[row, *wanted]], sets[row])), abs=0.15)


def test_labels_that_the_budget_does_not_grant_are_not_looked_at(copied: Snapshot) -> None:
    manifest = copied.manifest.copy()
    hidden = ~manifest["split"].isin(["labeled"])
    manifest.loc[hidden, "label"] = copied.classes[0]
    blinded = replace(copied, manifest=manifest)
    assert LabelBearers.of(blinded).copies.tolist() == LabelBearers.of(copied).copies.tolist()
    rows = BudgetRows.of(blinded, uses_unlabeled=True, copies_share_labels=True)
    assert (rows.labels.numpy() >= 0).nonzero()[0].tolist() == blinded.rows("labeled", "validation").tolist()


def test_copies_of_images_that_carry_several_labels_bear_none(copied: Snapshot) -> None:
    manifest = copied.manifest.copy()
    sets = manifest["copy_set"]
    torn = sets[LabelBearers.of(copied).copies[0]]
    another = manifest.index[(manifest["split"] == "labeled") & (sets != torn)][0]
    label = manifest.loc[(manifest["split"] == "labeled") & (sets == torn), "label"].iloc[0]
    manifest.loc[another, "copy_set"] = torn
    manifest.loc[another, "label"] = next(name for name in copied.classes if name != label)
    bearers = LabelBearers.of(replace(copied, manifest=manifest))
    assert not np.isin(sets[bearers.copies], torn).any()
    assert len(bearers.copies) < len(LabelBearers.of(copied).copies)


def test_images_that_no_audit_has_grouped_are_nobodys_copies(copied: Snapshot) -> None:
    manifest = copied.manifest.copy()
    manifest["copy_set"] = None
    assert not len(LabelBearers.of(replace(copied, manifest=manifest)).copies)


def test_alone_every_label_has_its_own_image(copied: Snapshot) -> None:
    rows = BudgetRows.of(copied, uses_unlabeled=False, copies_share_labels=False)
    assert not len(rows.unlabeled)
    assert not len(rows.bearers.copies)
    again = np.repeat(rows.labeled, 3)
    assert rows.bearers.drawn(np.random.default_rng(0), again).tolist() == again.tolist()
