from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.in_memory import split_in_memory
from fewscan.datasets.candidates import note_candidate
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.splits.sizes import ENOUGH_TO_TEST, suitable_sizes
from fewscan.splits.split import split
from fewscan.splits.support import TARGET_ERROR, images_needed, images_to_keep
from fewscan.splits.units import independent
from tests.made import remade

MakeDataset = Callable[..., Snapshot]


def sides_of_groups(dataset: Snapshot) -> pd.Series:
    """For every group, on how many sides its images lie: learned from (with a label or without), chosen by, tested on."""
    sides = dataset.manifest["split"].replace({"labeled": "learned from", "unlabeled": "learned from"})
    return pd.Series(sides.to_numpy()).groupby(dataset.groups).nunique()


@pytest.fixture(scope="module")
def copies_of(make_dataset: MakeDataset) -> Callable[..., Snapshot]:
    """A function that makes a dataset whose images lie in groups; only to be read."""
    written = cache(make_dataset)

    def make(groups: tuple[int, ...], *, as_copies: bool) -> Snapshot:
        dataset = written(len(groups))
        copies = groups if as_copies else range(len(groups))
        numbers = {"group": pd.array(groups, dtype="Int64"), "copy_set": pd.array(copies, dtype="Int64")}
        return replace(dataset, manifest=dataset.manifest.assign(**numbers))

    return make


def test_sizes_are_exact_and_classes_in_proportion(make_dataset: MakeDataset) -> None:
    done = split(make_dataset(200), labeled=60, test=40, validation=0.2)
    sizes = done.manifest["split"].value_counts()
    assert sizes.to_dict() == {"labeled": 48, "validation": 12, "test": 40, "unlabeled": 100}
    for part in ("labeled", "validation", "test"):
        counts = done.manifest.loc[done.rows(part), "label"].value_counts()
        assert counts.max() - counts.min() <= 1


def test_without_sizes_a_fifth_tests_and_a_set_of_copies_counts_once(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(400)
    assert suitable_sizes(dataset)[:2] == (None, 80)
    copies = pd.array([0] * 101 + [None] * 299, dtype="Int64")
    assert suitable_sizes(remade(dataset, dataset.manifest.assign(copy_set=copies))).test == 60


@pytest.mark.slow
@pytest.mark.parametrize(("distinct", "tested"), [(ENOUGH_TO_TEST - 1, 0), (ENOUGH_TO_TEST, ENOUGH_TO_TEST // 5)])
def test_fewer_than_two_hundred_labels_are_all_learned_from_unless_a_budget_makes_an_experiment(
    distinct: int, tested: int, make_dataset: MakeDataset
) -> None:
    # Copies make no further label.
    dataset = make_dataset(distinct + 10)
    copies = pd.array([0] * 11 + list(range(1, distinct)), dtype="Int64")
    dataset = remade(dataset, dataset.manifest.assign(copy_set=copies, group=copies))
    sizes = suitable_sizes(dataset)
    assert (sizes.test, sizes.validation > 0) == (tested, bool(tested))
    assert suitable_sizes(dataset, labeled=40) == (40, distinct // 5, 0.2)
    assert suitable_sizes(dataset, test=30).test == 30
    assert suitable_sizes(dataset, test=0) == (None, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("images", [120, 400])
@pytest.mark.parametrize("group_size", [1, 5])
def test_without_a_budget_no_label_is_hidden(images: int, group_size: int, make_dataset: MakeDataset) -> None:
    groups = [row % 4 + 4 * (row // (4 * group_size)) for row in range(images)]
    dataset = make_dataset(images, groups=groups)
    label = dataset.manifest["label"].astype(object).copy()
    label[::10] = None
    dataset = remade(dataset, dataset.manifest.assign(label=pd.array(label, dtype="str"), copy_set=np.arange(images)))
    done = split(dataset, **suitable_sizes(dataset)._asdict())
    assert (done.labels[done.rows("unlabeled")] < 0).all()
    left = dataset.groups[~np.isin(dataset.groups, done.groups[done.rows("test")])]
    assert set(done.groups[done.rows("labeled", "validation", "unlabeled")]) == set(left)
    assert (sides_of_groups(done) <= 1).all()
    # Every label is in a part, but for what test groups hold beyond the test set.
    beyond = np.setdiff1d(np.flatnonzero(done.labels >= 0), done.rows("labeled", "validation", "test"))
    assert set(done.groups[beyond]) <= set(done.groups[done.rows("test")])


def test_without_a_test_set_a_later_label_and_a_later_scan_are_learned_from(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(40)
    dataset = remade(dataset, dataset.manifest.assign(label=dataset.manifest["label"].where(dataset.manifest.index >= 4)))
    done = split(dataset, test=0, validation=0)
    assert len(done.rows("labeled")) == 36
    assert done.rows("unlabeled").tolist() == [0, 1, 2, 3]
    Dataset.open(done.folder).labels.enter([2], ["glioma"], origin="review")
    later = Dataset.open(done.folder).snapshot()
    assert 2 in later.rows("labeled")
    assert later.require_split().labeled == 37


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "group_size", "enough"), [(300, 1, True), (450, 1, True), (700, 2, True), (204, 1, False), (305, 5, False)]
)
def test_sizes_leave_enough_for_the_usual_target_error_where_three_tenths_of_the_labels_are_enough(
    images: int, group_size: int, enough: bool, make_dataset: MakeDataset
) -> None:
    # Images of one group are of one class: that of their place among four.
    groups = [row % 4 + 4 * (row // (4 * group_size)) for row in range(images)]
    dataset = make_dataset(images, groups=groups)
    dataset = remade(dataset, dataset.manifest.assign(copy_set=np.arange(images)))
    sizes = suitable_sizes(dataset)
    drawn = split(dataset, **sizes._asdict())
    # Some of them may be out of distribution, and support nothing.
    assert (independent(drawn, "validation") > images_needed(TARGET_ERROR)) == enough
    assert (acceptance_warnings(drawn, "run") == []) == enough
    assert enough or sizes.validation == 0.2
    (among_many,) = acceptance_warnings(drawn, "run", runs=1000)
    # A run that train has calibrated by its validation set is calibrated anew.
    assert ("--folds 5 --overwrite" in among_many) == (enough and "calibrate" in among_many)


@pytest.mark.slow
@pytest.mark.parametrize(("images", "helps"), [(120, "fewscan calibrate"), (40, "--target-error")])
def test_a_split_by_which_nothing_will_be_accepted_says_what_helps(images: int, helps: str, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(images)
    drawn = split(dataset, **suitable_sizes(dataset)._asdict())
    (warning,) = acceptance_warnings(drawn, "runs/my scans")
    # The command as a shell takes it.
    assert "fewscan calibrate 'runs/my scans'" in warning
    assert helps in warning
    lacking = images_to_keep() - independent(drawn, "labeled", "validation")
    assert lacking <= 0 or f" {lacking} " in warning
    assert f" {images_needed(TARGET_ERROR)} " in warning
    # Whoever keeps the best of several runs has chosen it by held-out labels.
    for run in ("one", "another"):
        note_candidate(drawn, run)
    assert acceptance_warnings(drawn, "runs/my scans") == acceptance_warnings(drawn, "runs/my scans", runs=3) != [warning]
    (leaks,) = acceptance_warnings(split(dataset, protocol="random", test=0, validation=0.2), "run")
    assert "--protocol leakfree" in leaks


@pytest.mark.slow
def test_a_patient_who_has_most_images_does_not_test(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(400, groups=[0] * 200 + list(range(1, 201)))
    dataset = remade(dataset, dataset.manifest.assign(copy_set=np.arange(400)))
    done = split(dataset, **suitable_sizes(dataset)._asdict())
    assert 0 in done.groups[done.rows("labeled")]
    assert len(done.rows("test")) == 80


def test_the_description_says_what_was_drawn(make_dataset: MakeDataset) -> None:
    done = split(make_dataset(200), labeled=60, test=40, seed=3)
    description = Dataset.open(done.folder).snapshot().require_split()
    assert description == done.description.split
    assert (description.labeled, description.validation, description.test) == (48, 12, 40)
    assert description.seed == 3
    assert description.protocol == "leakfree"


def test_a_seed_draws_the_same_split_and_another_seed_another(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(200)
    first = split(dataset, labeled=60, test=40).manifest["split"]
    assert split(dataset, labeled=60, test=40).manifest["split"].equals(first)
    assert not split(dataset, labeled=60, test=40, seed=1).manifest["split"].equals(first)


@pytest.mark.slow
@given(largest=st.integers(1, 6), seed=st.integers(0, 5), validation=st.sampled_from([0.0, 0.2]))
@settings(max_examples=25, deadline=None)
def test_groups_never_cross(copies_of: Callable[..., Snapshot], largest: int, seed: int, validation: float) -> None:
    # Groups of up to `largest` images of one class, as copies are: image i has class i % 4.
    sizes = np.random.default_rng(seed).integers(1, largest + 1, size=60)
    numbers = np.repeat(np.arange(60), sizes)[:60]
    dataset = copies_of(tuple(int(4 * numbers[row // 4] + row % 4) for row in range(160)), as_copies=True)
    done = split_in_memory(dataset, labeled=20, test=12, validation=validation, seed=seed)
    assert sides_of_groups(done).max() == 1
    tested = done.rows("test")
    assert len(tested) == 12
    assert len(np.unique(done.manifest["copy_set"].to_numpy()[tested])) == 12  # a set of copies counts once
    assert len(done.rows("labeled", "validation")) == 20


def test_what_the_groups_cannot_give_is_refused(make_dataset: MakeDataset) -> None:
    with pytest.raises(FewscanError, match="would leave none"):
        split(make_dataset(160, groups=[row % 4 for row in range(160)]), labeled=20, test=12)


def test_a_patients_images_may_all_test_but_a_copy_counts_once(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(80)
    patient = np.arange(80) // 8  # 10 patients with images of every class
    copies = np.arange(80)
    copies[4::8] = copies[0::8]  # of each patient, one image is there twice
    manifest = dataset.manifest.assign(group=patient, copy_set=copies)
    done = split(remade(dataset, manifest), labeled=16, test=14, validation=0)
    assert sides_of_groups(done).max() == 1
    tested = done.rows("test")
    assert len(np.unique(patient[tested])) < 14
    assert len(np.unique(copies[tested])) == 14


def test_a_set_of_copies_costs_one_label_while_there_are_others(make_dataset: MakeDataset) -> None:
    # 160 images, every one there twice: row i and row i + 80.
    dataset = make_dataset(160, groups=[row % 80 for row in range(160)])
    few = split(dataset, labeled=40, test=20, validation=0)
    assert len(np.unique(few.groups[few.rows("labeled")])) == 40
    # 20 of the 80 sets test, so that 60 are left for 100 labels.
    many = split(dataset, labeled=100, test=20, validation=0.2)
    assert len(many.rows("labeled", "validation")) == 100
    assert len(np.unique(many.groups[many.rows("labeled", "validation")])) == 60
    assert sides_of_groups(many).max() == 1


def test_conflicting_images_are_left_out_of_a_leak_free_split_only(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(80)
    conflict = np.zeros(80, dtype=bool)
    conflict[:10] = True
    dataset = remade(dataset, dataset.manifest.assign(conflict=conflict))
    leakfree = split(dataset, labeled=20, test=20)
    assert leakfree.manifest["split"][conflict].isna().all()
    assert leakfree.require_split().conflicting_left_out == 10
    study = split(dataset, labeled=20, test=20, protocol="study")
    assert study.manifest["split"].notna().all()
    assert study.require_split().left_out == 0


def test_a_smaller_budget_is_part_of_a_larger_one_and_the_test_set_stays(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(200)
    small = split(dataset, labeled=12, test=40)
    large = split(dataset, labeled=80, test=40)
    assert np.array_equal(small.rows("test"), large.rows("test"))
    assert set(small.rows("labeled", "validation")) < set(large.rows("labeled", "validation"))


def test_one_pair_more_moves_no_other_image(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(200)
    before = split(dataset, labeled=60, test=40, validation=0)
    first, second = (int(row) for row in before.rows("unlabeled")[:2])
    group = dataset.manifest["group"].copy()
    group[second] = group[first]
    after = split(remade(dataset, dataset.manifest.assign(group=group, copy_set=group)), labeled=60, test=40, validation=0)
    assert after.manifest["split"].equals(before.manifest["split"])


def test_rows_that_were_set_aside_or_have_no_label(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(80)
    label, aside = dataset.manifest["label"].copy(), dataset.manifest["set_aside"].copy()
    label[:20] = None
    aside[20:24] = "empty file"
    done = split(remade(dataset, dataset.manifest.assign(label=label, set_aside=aside)), labeled=20, test=20)
    assert (done.manifest["split"][:20] == "unlabeled").all()
    assert done.manifest["split"][20:24].isna().all()


def test_an_unlabeled_copy_of_a_test_image_is_left_out(make_dataset: MakeDataset) -> None:
    groups = [row if row < 40 else row - 40 for row in range(80)]
    dataset = make_dataset(80, groups=groups)
    label = dataset.manifest["label"].copy()
    label[40:] = None
    done = split(remade(dataset, dataset.manifest.assign(label=label)), labeled=12, test=12)
    assert done.manifest["split"].iloc[done.rows("test") + 40].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_what_belongs_to_a_labeled_image_is_there_to_learn_from_and_what_belongs_to_others_is_left_out(
    known: bool, make_dataset: MakeDataset
) -> None:
    # Every image is there twice: row i and row i + 80, whose label may not be known.
    dataset = make_dataset(160, groups=[row % 80 for row in range(160)])
    label = dataset.manifest["label"].copy()
    if not known:
        label[80:] = None
    done = split(remade(dataset, dataset.manifest.assign(label=label)), labeled=20, test=20, validation=0.5)
    parts = done.manifest["split"]
    labeled, tested = done.rows("labeled"), done.rows("test")
    assert (parts.iloc[(labeled + 80) % 160] == "unlabeled").all()
    assert parts.iloc[(tested + 80) % 160].isna().all()
    validation = done.rows("validation")
    assert not parts.iloc[(validation + 80) % 160].isin(["labeled", "unlabeled"]).any()
    assert done.require_split().left_out == parts.isna().sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"labeled": 100, "test": 10}, "(?!.*requested)100 labeled and 10 test images.* only 80"),
        ({"test": 90}, "(?!.*requested).* 90 test images.* only 80"),
        ({"labeled": 0, "test": 10}, "at least 1"),
        ({"test": -1}, "or more"),
        ({"test": 4000}, "4,?000"),
        ({"labeled": 10, "test": 10, "validation": 1.0}, r"--validation is a share"),
    ],
)
def test_what_cannot_be_given_is_refused_with_numbers(asked: dict[str, float], message: str, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    with pytest.raises(FewscanError, match=message):
        split(dataset, **asked)  # type: ignore[arg-type]
    assert Dataset.open(dataset.folder).snapshot().description.split is None


def relabel(dataset: Snapshot, labels: list[str | None]) -> Snapshot:
    return remade(dataset, dataset.manifest.assign(label=pd.array(labels, dtype="str")))


@pytest.mark.slow
def test_labels_that_tell_nothing_apart_are_refused(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(20)
    with pytest.raises(FewscanError, match="has no labels"):
        split(relabel(dataset, [None] * 20), labeled=4, test=4)
    with pytest.raises(FewscanError, match="only one class"):
        split(relabel(dataset, ["glioma"] * 20), labeled=4, test=4)
    conflicting = dataset.manifest["label"] != "glioma"
    with pytest.raises(FewscanError, match="copies with another label"):
        split(remade(dataset, dataset.manifest.assign(conflict=conflicting)), labeled=4, test=4)


def test_a_leak_free_split_needs_an_audit(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    unaudited = remade(dataset, dataset.manifest, audited=False)
    with pytest.raises(FewscanError, match="fewscan audit"):
        split(unaudited, labeled=10, test=10)
    assert split(unaudited, labeled=10, test=10, protocol="study").require_split().test == 10


@pytest.mark.slow
@given(size=st.integers(1, 8), seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_a_budget_drawn_within_larger_ones_holds_their_labels_alone(
    copies_of: Callable[..., Snapshot], size: int, seed: int
) -> None:
    dataset = copies_of(tuple(row // 4 // size * 4 + row % 4 for row in range(160)), as_copies=False)
    draws = [
        split_in_memory(dataset, labeled=labeled, within=within, test=24, validation=0.0, seed=seed)
        for labeled, within in ((60, ()), (20, (60,)), (8, (60, 20)))
    ]
    for larger, smaller in pairwise(draws):
        assert set(smaller.rows("labeled")) < set(larger.rows("labeled"))
        assert np.array_equal(smaller.rows("test"), larger.rows("test"))
        assert sides_of_groups(smaller).max() == 1
        # What the smaller budget leaves, group by group, is there to learn from without its label.
        assert set(larger.rows("unlabeled")) <= set(smaller.rows("unlabeled"))


@pytest.mark.slow
def test_with_unknown_shares_the_budget_does_not_depend_on_any_label(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(200, groups=[row // 3 for row in range(200)])
    drawn = split(dataset, labeled=40, test=24, shares="unknown")
    assert drawn.require_split().shares == "unknown"
    assert len(drawn.rows("labeled", "validation")) == 40
    assert sides_of_groups(drawn).max() == 1
    # The test set is drawn by its labels, as ever; all others may change places, and the same images are drawn.
    tested = drawn.rows("test")
    labels = dataset.manifest["label"].to_numpy(dtype=object).copy()
    rest = np.setdiff1d(np.arange(200), np.flatnonzero(np.isin(dataset.groups, dataset.groups[tested])))
    labels[rest] = np.random.default_rng(1).permutation(labels[rest])
    shuffled = remade(dataset, dataset.manifest.assign(label=pd.array(labels, dtype="str")))
    for shares, same in (("unknown", True), ("known", False)):
        first = split(dataset, labeled=40, test=24, shares=shares).manifest["split"]
        again = split(shuffled, labeled=40, test=24, shares=shares)
        assert np.array_equal(again.rows("test"), tested)
        assert again.manifest["split"].equals(first) == same


@pytest.mark.slow
def test_with_unknown_shares_every_image_is_as_likely_to_be_labeled(make_dataset: MakeDataset) -> None:
    # A class of 8 % in groups of three, beside single images of the other classes.
    labels = np.array([0] * 12 + [1 + row % 3 for row in range(138)])
    groups = [row // 3 for row in range(12)] + list(range(4, 142))
    dataset = make_dataset(150, groups=groups)
    named = pd.array([dataset.classes[label] for label in labels], dtype="str")
    dataset = remade(dataset, dataset.manifest.assign(label=named, copy_set=pd.array(range(150), dtype="Int64")))
    counts = []
    for seed in range(25):
        labeled = split_in_memory(dataset, labeled=30, test=8, validation=0.0, seed=seed, shares="unknown").rows("labeled")
        counts.append((dataset.labels[labeled] == 0).sum())
    # The test set takes one group of the class; single draws differ, as draws do.
    assert np.mean(counts) == pytest.approx(30 * 9 / 140, abs=3 * np.std(counts) / np.sqrt(25))
    assert np.std(counts) > 0.5


def test_labels_that_only_one_patient_has_cannot_be_held_out_in_turn_and_that_is_said(make_dataset: MakeDataset) -> None:
    groups = [row if row % 4 else 0 for row in range(480)]
    made = make_dataset(480, groups=groups)
    drawn = split(remade(made, made.manifest.assign(copy_set=np.arange(480))), labeled=400, test=0, validation=0.05)
    (warning,) = acceptance_warnings(drawn, "run")
    assert made.classes[0] in warning
    assert "fewscan calibrate" not in warning
