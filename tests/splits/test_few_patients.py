"""Few patients and rare classes: what a split promises whatever the groups, checked against every deal that could be made."""

import re
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fewscan.datasets.descriptions import AuditDescription
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot, SnapshotDescription
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.store import ImageStore
from fewscan.splits.class_gaps import gap_warnings, never_learned, never_tested
from fewscan.splits.sizes import suitable_sizes
from fewscan.splits.split import drawn
from fewscan.splits.split import split as written_split
from tests.made import empty_manifest

MakeDataset = Callable[..., Snapshot]
SEEDS = range(30)
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")


def with_patients(patients: list[list[int]], copies: np.ndarray | None = None) -> Snapshot:
    """A dataset, on no disk, of patients, each a list of its images' classes (-1: no label is known)."""
    labels = np.array([label for patient in patients for label in patient])
    manifest = empty_manifest(len(labels))
    manifest["label"] = [CLASSES[label] if label >= 0 else None for label in labels]
    manifest["group"] = np.repeat(np.arange(len(patients)), [len(patient) for patient in patients])
    manifest["copy_set"] = np.arange(len(labels)) if copies is None else copies
    manifest["conflict"] = False
    spec = ImageSpec(size_px=8)
    description = SnapshotDescription(
        identity="",
        images=len(labels),
        chain="",
        spec=spec,
        classes=tuple(CLASSES[label] for label in np.unique(labels[labels >= 0])),
        sources=(),
        audit=AuditDescription(similarity=0.9, rows=len(labels), pairs=0, groups=0, copy_sets=0, conflicting_images=0),
        label_entry=0,
        fingerprint="",
    )
    store = ImageStore(Path("nowhere"), spec, ())
    return Snapshot(Path("nowhere"), description, manifest.astype(MANIFEST_DTYPES), store)


def split(dataset: Snapshot, labeled: int, test: int, validation: float = 0.2, **options: Any) -> Snapshot:
    """The dataset with the split that `fewscan.splits.split.split` would write."""
    parts, description = drawn(dataset, "leakfree", labeled, test, validation, **options)
    return dataset.with_split(parts, description)


def drawn_patients(seed: int) -> tuple[list[list[int]], np.ndarray]:
    """Up to 7 patients of up to 6 images, of one class each or of several; some images are copies, some have no label."""
    random = np.random.default_rng(seed)
    classes, mixed = random.integers(2, 5), random.random() < 0.5
    patients = []
    for _ in range(random.integers(2, 8)):
        size = random.integers(1, 7)
        labels = random.integers(classes, size=size) if mixed else np.full(size, random.integers(classes))
        patients.append(np.where(random.random(size) < 0.1, -1, labels).tolist())
    copies, start = [], 0
    for patient in patients:
        copies += (start + np.arange(len(patient)) // random.integers(1, 3)).tolist()
        start += len(patient)
    return patients, np.array(copies)


def can_be_drawn(dataset: Snapshot, labeled: int, test: int) -> bool:
    """Whether any deal of the groups gives the sizes and leaves every class something to learn from."""
    rows = np.flatnonzero(dataset.labels >= 0)
    copies = dataset.manifest["copy_set"].to_numpy(np.int64)[rows]
    _, groups = np.unique(dataset.groups[rows], return_inverse=True)
    dealt = np.array(list(product([0, 1], repeat=groups.max() + 1)))  # every deal, (2^G, G)
    held = np.zeros((groups.max() + 1, len(dataset.classes)), np.int64)
    np.add.at(held, (groups, dataset.labels[rows]), 1)
    distinct = np.array([len(np.unique(copies[groups == group])) for group in range(len(held))])
    rest = (1 - dealt) @ held
    return bool(((dealt @ distinct >= test) & (rest.sum(axis=1) >= labeled) & (rest > 0).all(axis=1)).any())


def sides(dataset: Snapshot) -> pd.Series:
    places = dataset.manifest["split"].replace({"labeled": "learned from", "unlabeled": "learned from"})
    return pd.Series(places.to_numpy()).groupby(dataset.groups).nunique()


@pytest.mark.slow
@pytest.mark.parametrize("shares", ["known", "unknown"])
def test_whatever_could_be_drawn_is_drawn_and_what_could_not_is_refused_with_sizes_that_work(shares: str) -> None:
    outcomes = {True: 0, False: 0}
    for seed in SEEDS:
        patients, copies = drawn_patients(seed)
        dataset = with_patients(patients, copies)
        if len(dataset.classes) < 2:
            continue
        random = np.random.default_rng(1000 + seed)
        labeled, test = (int(size) for size in random.integers(1, max(2, 2 * len(copies) // 3), size=2))
        options = {"validation": random.choice([0.0, 0.2, 0.5]), "seed": seed, "shares": shares}
        possible = can_be_drawn(dataset, labeled, test)
        outcomes[possible] += 1
        if not possible:
            with pytest.raises(FewscanError) as refused:
                split(dataset, labeled=labeled, test=test, **options)
            sizes = re.search(r"--labeled (\d+) --test (\d+)", str(refused.value))
            assert (sizes is not None) == can_be_drawn(dataset, 1, 1)
            if sizes is None:
                continue
            labeled, test = int(sizes[1]), int(sizes[2])
        done = split(dataset, labeled=labeled, test=test, **options)
        granted, tested = done.rows("labeled", "validation"), done.rows("test")
        assert (len(granted), len(tested)) == (labeled, test)
        assert len(np.unique(copies[tested])) == test
        assert (done.labels[granted] >= 0).all()
        assert sides(done).max() == 1
        # Validation takes no class's only label.
        assert set(done.labels[done.rows("validation")]) <= set(done.labels[done.rows("labeled")])
        if labeled >= len(done.classes) and shares == "known":
            assert never_learned(done) == ()
        assert split(dataset, labeled=labeled, test=test, **options).manifest["split"].equals(done.manifest["split"])
    assert min(outcomes.values()) > len(SEEDS) // 5


@pytest.mark.slow
def test_budgets_drawn_within_larger_ones_nest_whatever_the_patients() -> None:
    for seed in SEEDS[:20]:
        patients, copies = drawn_patients(seed)
        dataset = with_patients(patients, copies)
        if len(dataset.classes) < 2 or not can_be_drawn(dataset, 6, 2):
            continue
        draws = [split(dataset, labeled=size, within=within, test=2, validation=0.4) for size, within in ((6, ()), (3, (6,)))]
        for larger, smaller in pairwise(draws):
            assert set(smaller.rows("labeled", "validation")) < set(larger.rows("labeled", "validation"))
            assert np.array_equal(smaller.rows("test"), larger.rows("test"))
            assert sides(smaller).max() == 1


@pytest.mark.parametrize("mixed", [False, True])
def test_twenty_patients_of_thirty_slices_share_the_labels(mixed: bool) -> None:
    patients = [[(slice_ if mixed else patient) % 2 for slice_ in range(30)] for patient in range(20)]
    dataset = with_patients(patients)
    done = split(dataset, labeled=100, test=100)
    assert [len(done.rows(part)) for part in ("labeled", "validation", "test")] == [80, 20, 100]
    assert sides(done).max() == 1
    groups = {part: len(np.unique(done.groups[done.rows(part)])) for part in ("labeled", "validation", "test")}
    assert groups["test"] == 4
    assert groups["labeled"] >= 12
    assert groups["validation"] >= 3
    few = split(dataset, labeled=40, test=100, validation=0)
    assert len(np.unique(few.groups[few.rows("labeled")])) == 16
    unseen = split(dataset, labeled=40, test=100, validation=0, shares="unknown")
    assert len(np.unique(unseen.groups[unseen.rows("labeled")])) == 16


def test_a_class_of_one_patient_is_learned_and_named_as_never_tested() -> None:
    dataset = with_patients([[0]] + [[1], [2]] * 30)
    for validation in (0.0, 0.2, 0.5):
        done = split(dataset, labeled=20, test=10, validation=validation)
        assert done.manifest["split"][0] == "labeled"
        assert (never_learned(done), never_tested(done)) == ((), (done.classes[0],))
        assert any(f"'{done.classes[0]}'" in warning for warning in gap_warnings(done))


def test_validation_leaves_every_class_its_only_label_and_says_what_it_could_not_take() -> None:
    dataset = with_patients([[label] for label in range(4)] * 8)
    done = split(dataset, labeled=4, test=8, validation=0.5)
    assert (len(done.rows("labeled")), len(done.rows("validation"))) == (4, 0)
    assert done.require_split().validation_asked == 2
    (warning,) = [warning for warning in gap_warnings(done) if "0 of the 2" in warning]
    assert "requested" not in warning, "a share was, or nothing"
    assert gap_warnings(split(dataset, labeled=8, test=8, validation=0.5)) == []


def test_a_budget_smaller_than_the_classes_names_those_it_never_learns() -> None:
    dataset = with_patients([[label] for label in range(4)] * 8)
    done = split(dataset, labeled=3, test=8, validation=0)
    assert len(never_learned(done)) == 1
    assert any(f"'{never_learned(done)[0]}'" in warning for warning in gap_warnings(done))


@pytest.mark.slow
def test_sizes_can_be_drawn_for_few_patients_and_use_every_label_that_the_test_set_leaves() -> None:
    for patients in ([[0] * 30, [1] * 30] * 2, [[0, 1] * 15] * 2, [[0], *[[1]] * 40], [[0] * 100, [0], [1] * 100, [1]]):
        dataset = with_patients(patients)
        done = split(dataset, labeled=None, test=suitable_sizes(dataset, labeled=1).test)
        assert len(done.rows("test"))
        assert len(done.rows("labeled", "validation")) == (~np.isin(done.groups, done.groups[done.rows("test")])).sum()
        assert len(split(dataset, labeled=None, test=0).rows("labeled", "validation")) == len(dataset.usable)


def test_patients_who_each_hold_all_of_a_class_cannot_be_split_and_the_cause_is_named() -> None:
    dataset = with_patients([[0] * 10, [1] * 10])
    for draw in (lambda: split(dataset, labeled=2, test=2), lambda: suitable_sizes(dataset)):
        with pytest.raises(FewscanError, match="none of that class for training"):
            draw()


@pytest.mark.parametrize("large", [10, 25])
def test_a_large_patient_does_not_test_a_rare_class_alone_where_others_can(large: int) -> None:
    dataset = with_patients([[0] * large] + [[0]] * 4 + [[0] * 2] * 4 + [[1] * 5] * 60)
    for seed in range(10):
        done = split(dataset, seed=seed, **suitable_sizes(dataset, seed=seed)._asdict())
        tested = done.rows("test")
        own = tested[done.labels[tested] == 0]
        assert len(np.unique(done.groups[own])) >= 3
        assert abs(len(own) - len(tested) * (large + 12) / (large + 312)) < 1
        assert sides(done).max() == 1


def test_many_small_sets_of_copies_are_drawn_as_they_always_were(make_dataset: MakeDataset) -> None:
    # README's figures are of splits like this one; it was drawn before patients were dealt out first.
    dataset = make_dataset(400, groups=[row // 4 // (1 + row // 4 % 3) * 4 + row % 4 for row in range(400)])
    assert written_split(dataset, labeled=80, test=40).require_split().fingerprint[:16] == "8deaf04c7057ace9"
    assert written_split(dataset, labeled=80, test=40, shares="unknown").require_split().fingerprint[:16] == "ec677b9019977b0d"
