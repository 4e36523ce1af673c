"""The split that the data came with is kept when asked for, and leaks in it are named, left out or kept in the open."""

from collections.abc import Callable
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.given import keep_given
from fewscan.training.leakage import check_leakage, doubt
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.made import remade

MakeDataset = Callable[..., Snapshot]
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def given(make_dataset: MakeDataset) -> Snapshot:
    """80 images: 40 given for training, 12 for validation, 20 for testing, 8 for nothing."""
    dataset = make_dataset()
    parts = np.repeat(np.array(["train", "validation", "test", None], dtype=object), [40, 12, 20, 8])
    return remade(dataset, dataset.manifest.assign(given_split=pd.array(parts, dtype="str")))


@pytest.fixture
def leaking(given: Snapshot) -> Snapshot:
    """The same with copies of a test image in training, of another in validation, and of a validation image in training."""
    group = given.manifest["group"].copy()
    group[52], group[53], group[51] = group[0], group[40], group[1]
    return remade(given, given.manifest.assign(group=group, copy_set=group))


def parts_of(dataset: Snapshot, *rows: int) -> list[str | None]:
    return [None if pd.isna(part) else part for part in dataset.manifest["split"].iloc[list(rows)]]


@pytest.mark.slow
def test_the_given_parts_become_the_split(given: Snapshot) -> None:
    done = keep_given(given)
    assert np.array_equal(done.rows("labeled"), np.arange(40))
    assert np.array_equal(done.rows("validation"), np.arange(40, 52))
    assert np.array_equal(done.rows("test"), np.arange(52, 72))
    assert np.array_equal(done.rows("unlabeled"), np.arange(72, 80))
    description = Dataset.open(done.folder).snapshot().require_split()
    assert (description.protocol, description.given_leaks, description.left_out) == ("leakfree", "refuse", 0)


def test_a_budget_is_drawn_among_the_given_training_images(given: Snapshot) -> None:
    done = keep_given(given, labeled=8)
    assert set(done.rows("labeled")) < set(range(40))
    assert done.manifest["label"].iloc[done.rows("labeled")].value_counts().to_dict() == dict.fromkeys(done.classes, 2)
    assert len(done.rows("unlabeled")) == 32 + 8
    with pytest.raises(FewscanError, match="--labeled 1 to 40"):
        keep_given(given, labeled=41)
    with pytest.raises(FewscanError, match="has a validation set"):
        keep_given(given, validation=0.2)


@pytest.mark.slow
def test_without_a_given_validation_set_a_share_of_the_labels_validates(given: Snapshot) -> None:
    parts = given.manifest["given_split"].replace("validation", "train")
    done = keep_given(remade(given, given.manifest.assign(given_split=parts)), labeled=20, validation=0.25)
    assert (len(done.rows("labeled")), len(done.rows("validation"))) == (15, 5)
    assert max(done.rows("labeled", "validation")) < 52


def test_leaks_are_refused_by_default_and_named_with_the_ways_out(leaking: Snapshot) -> None:
    with pytest.raises(FewscanError, match="--leaks drop") as refused:
        keep_given(leaking)
    assert leaking.file_names[0] in str(refused.value)
    assert leaking.file_names[52] in str(refused.value)


@pytest.mark.slow
def test_dropped_leaks_leave_the_test_set_whole_and_a_split_that_does_not_leak(leaking: Snapshot) -> None:
    done = keep_given(leaking, leaks="drop")
    assert parts_of(done, 0, 40, 1) == [None, None, None]
    assert np.array_equal(done.rows("test"), np.arange(52, 72))
    assert np.array_equal(done.rows("validation"), np.arange(41, 52))
    assert len(done.rows("labeled")) == 38
    assert leaking_pairs(done) == []


@pytest.mark.slow
def test_kept_leaks_stay_and_no_run_supports_a_decision(leaking: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> None:
    done = keep_given(leaking, leaks="keep")
    assert [len(done.rows(part)) for part in ("labeled", "validation", "test")] == [40, 12, 20]
    assert done.require_split().protocol == "given"
    settings = RunSettings.resolve("supervised", "fewscan", {}, labeled=40, unlabeled=8)
    assert check_leakage(done, settings) == len(leaking_pairs(done)) == 3
    assert "leaks" in (doubt(untrained_run(done), done) or "")


@pytest.mark.slow
def test_images_without_a_part_are_left_out_where_their_group_is_judged_by(given: Snapshot) -> None:
    group = given.manifest["group"].copy()
    group[72], group[73], group[74] = group[52], group[40], group[0]
    done = keep_given(remade(given, given.manifest.assign(group=group, copy_set=group)))
    assert parts_of(done, 72, 73, 74) == [None, None, "unlabeled"]


def test_conflicting_and_unlabeled_images_are_not_learned_from_with_a_label(given: Snapshot) -> None:
    label, conflict = given.manifest["label"].copy(), given.manifest["conflict"].copy()
    label[[0, 52, 40]], conflict[[1, 2]] = None, True
    done = keep_given(remade(given, given.manifest.assign(label=label, conflict=conflict)))
    assert parts_of(done, 0, 1, 2, 52, 40) == ["unlabeled", None, None, None, None]


@pytest.mark.slow
def test_an_unlabeled_image_given_for_testing_never_judges_beside_its_copies_on_another_side(given: Snapshot) -> None:
    manifest = given.manifest.copy()
    # 52: a copy of a training image. 53, 40: one group on both sides, all without labels. 54: by itself.
    manifest.loc[[52, 53, 54, 40], "label"] = None
    manifest.loc[52, "group"], manifest.loc[53, "group"] = manifest.loc[0, "group"], manifest.loc[40, "group"]
    done = keep_given(remade(given, manifest.assign(copy_set=manifest["group"])))
    Dataset.open(done.folder).labels.set([52, 53, 54, 40], given.classes[0], who="A. Lovelace")
    later = Dataset.open(done.folder).snapshot()
    assert parts_of(later, 0, 52, 53, 54, 40) == ["labeled", None, None, "test", None]
    assert leaking_pairs(later) == []


def test_data_without_a_split_or_without_test_labels_is_refused(given: Snapshot, make_dataset: MakeDataset) -> None:
    with pytest.raises(FewscanError, match="came without a split"):
        keep_given(make_dataset())
    unlabeled = given.manifest["label"].where(given.manifest["given_split"] != "test")
    with pytest.raises(FewscanError, match="no labeled image to test"):
        keep_given(remade(given, given.manifest.assign(label=unlabeled)))
    with pytest.raises(FewscanError, match="fewscan audit"):
        keep_given(remade(given, given.manifest, audited=False))


def test_a_split_whose_leaks_leave_nothing_to_learn_from_says_so(given: Snapshot) -> None:
    group = given.manifest["group"].copy()
    group[:40] = group[52]
    all_leak = remade(given, given.manifest.assign(group=group, copy_set=group))
    with pytest.raises(FewscanError, match=r"no labeled image to learn from.*--leaks keep"):
        keep_given(all_leak, leaks="drop")
    assert len(keep_given(all_leak, leaks="keep").rows("labeled")) == 40


@pytest.mark.slow
def test_the_verb_keeps_the_given_split_and_asks_for_no_sizes(leaking: Snapshot, fewscan: Command) -> None:
    for words in (["--keep-given"], ["--keep-given", "--test", "4"], ["--leaks", "drop"]):
        assert fewscan("split", leaking.folder, *words).returncode == 2
    done = fewscan("split", leaking.folder, "--keep-given", "--leaks", "drop")
    assert done.returncode == 0, done.stderr
    assert "20 test" in done.stdout
    assert Dataset.open(leaking.folder).snapshot().require_split().given_leaks == "drop"


def test_a_share_of_the_labels_is_below_all_of_them(given: Snapshot) -> None:
    unvalidated = given.manifest["given_split"].where(given.manifest["given_split"] != "validation")
    with pytest.raises(FewscanError, match="--validation"):
        keep_given(remade(given, given.manifest.assign(given_split=unvalidated)), validation=1.0)
