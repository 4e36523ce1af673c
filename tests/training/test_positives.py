"""What second views are of: copies and groups of an image, and never what tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fewscan import api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.split import split
from fewscan.training.budget import BudgetRows
from fewscan.training.positives import Partners
from fewscan.training.run import Run
from tests.made import remade

MakeDataset = Callable[..., Snapshot]
PAIRS = [row % 40 for row in range(80)]


def drawn(partners: Partners, rows: np.ndarray, times: int) -> np.ndarray:
    """(times, R) what is drawn for the rows, so many times."""
    random = np.random.default_rng(0)
    return np.stack([partners.drawn(random, rows) for _ in range(times)])


def test_views_are_of_the_image_itself_unless_asked_otherwise(make_dataset: MakeDataset) -> None:
    rows = np.arange(80)
    assert (drawn(Partners.of(make_dataset(groups=PAIRS), rows, "views"), rows, 3) == rows).all()


def test_each_of_a_set_is_drawn_equally_often_and_no_other(make_dataset: MakeDataset) -> None:
    rows = np.arange(80)
    partners = Partners.of(make_dataset(groups=PAIRS), rows, "copies")
    found = drawn(partners, rows, 400)
    assert (found % 40 == rows % 40).all()
    # Of 32,000 draws 0.5 comes with a deviation of 0.003.
    assert (found == rows).mean() == pytest.approx(0.5, abs=0.015)
    assert partners.accompanied == 80


def test_groups_hold_more_than_copies(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(images=8)
    manifest = dataset.manifest.assign(copy_set=[0, 0, 1, 2, 3, 4, 5, 6], group=[0, 0, 0, 1, 2, 3, 4, 5])
    dataset = remade(dataset, manifest)
    rows = np.arange(8)
    copies, groups = (drawn(Partners.of(dataset, rows, which), rows, 50) for which in ("copies", "groups"))
    assert set(copies[:, 2]) == {2}
    assert set(groups[:, 2]) == {0, 1, 2}
    assert set(groups[:, 5]) == {5}


@pytest.mark.parametrize("protocol", ["leakfree", "random"])
@pytest.mark.parametrize("method_uses_unlabeled", [True, False])
def test_an_image_that_tests_or_validates_is_never_drawn(
    protocol: str, method_uses_unlabeled: bool, make_dataset: MakeDataset
) -> None:
    dataset = split(make_dataset(groups=PAIRS), protocol=protocol, labeled=24, test=20, validation=0.25)
    rows = BudgetRows.of(dataset, uses_unlabeled=method_uses_unlabeled, copies_share_labels=True)
    found = drawn(Partners.of(dataset, rows.shown, "groups"), rows.shown, 50)
    assert not np.isin(found, dataset.rows("test", "validation")).any()
    assert np.isin(found, rows.shown).all()


@pytest.mark.slow
def test_copies_change_what_is_learned(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(groups=PAIRS)
    quick = {"epochs": 1, "batch_size": 16, "encoder": {"width": 16}, "device": "cpu"}
    alone, copies = (
        api.train(dataset, out=tmp_path / positives, method="vicreg", positives=positives, **quick)
        for positives in ("views", "copies")
    )
    assert alone.metrics()[0]["loss"] != copies.metrics()[0]["loss"]
    assert Run.open(tmp_path / "copies").settings.positives == "copies"


def test_an_audit_and_a_second_view_are_needed(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(images=40)
    parted = split(dataset, labeled=16, test=12)
    with pytest.raises(FewscanError, match="two views"):
        api.train(parted, out=tmp_path / "run", method="supervised", positives="copies")
    with pytest.raises(FewscanError, match="fewscan audit"):
        api.train(remade(dataset, audited=False), out=tmp_path / "run", method="simclr", positives="copies")
    assert not (tmp_path / "run").exists()
