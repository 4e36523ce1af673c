"""What a frozen split makes of rows that it had not dealt with: they never teach what judges, whatever becomes of them."""

from collections.abc import Callable

import numpy as np
import pytest

from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from tests.made import remade

PAIRS = [row % 4 + 4 * (row // 8) for row in range(80)]  # each image and the fourth after it are copies


@pytest.mark.slow
@pytest.mark.parametrize("part", ["test", "validation", "labeled"])
def test_what_was_no_scan_when_the_split_was_drawn_is_for_what_its_copies_are(
    part: str, make_dataset: Callable[..., Snapshot]
) -> None:
    dataset = make_dataset(groups=PAIRS)
    log = Dataset.open(dataset.folder).labels
    aside = [row for row in range(80) if row % 8 >= 4]
    log.enter(aside, [None] * len(aside), states=["not a scan"] * len(aside), origin="audit")
    drawn = split(Dataset.open(dataset.folder).unsplit(), labeled=16, test=12, validation=0.25)
    Dataset.open(dataset.folder).labels.undo()
    now = Dataset.open(dataset.folder).snapshot()
    copies = np.setdiff1d(np.flatnonzero(np.isin(now.groups, now.groups[drawn.rows(part)])), drawn.rows(part))
    assert len(copies) == len(drawn.rows(part))
    expected = {"test": {None}, "validation": {None}, "labeled": {"labeled"}}[part]
    assert set(now.manifest["split"].iloc[copies].astype(object).where(lambda each: each.notna(), None)) == expected
    assert leaking_pairs(now) == []


@pytest.mark.slow
def test_a_scan_that_ties_two_sides_once_it_can_be_used_is_left_out(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = make_dataset(81, groups=[row // 3 for row in range(81)])
    label = [dataset.classes[row // 3 % 4] for row in range(81)]
    dataset = remade(dataset, dataset.manifest.assign(label=label, patient=None))
    # Of every three only the one in the middle is a copy of both others, and it is no scan at first.
    opened = Dataset.open(dataset.folder)
    pairs = opened.pairs.assign(row_a=opened.pairs["row_b"].map(lambda row: row - 1))
    assert opened.description.audit is not None
    opened = opened.with_pairs(pairs, opened.description.audit)
    middle = np.arange(1, 81, 3)
    opened.labels.enter(middle, [None] * 27, states=["not a scan"] * 27, origin="audit")
    manifest = opened.unsplit().manifest
    assert manifest["group"].nunique() == 54
    drawn = split(opened.unsplit(), labeled=20, test=12, validation=0)
    Dataset.open(dataset.folder).labels.undo()
    now = Dataset.open(dataset.folder).snapshot()
    sides = {row: {drawn.manifest["split"].iloc[row - 1], drawn.manifest["split"].iloc[row + 1]} for row in middle.tolist()}
    tying = [row for row, parts in sides.items() if "test" in parts and len(parts) > 1]
    assert tying
    assert now.manifest["split"].iloc[tying].isna().all()
    assert now.require_split().tying_left_out == len(tying)
    assert leaking_pairs(now) == []
