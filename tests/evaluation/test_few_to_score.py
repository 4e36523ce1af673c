"""What a split can say at best of rare classes and few patients is said before a training, and what helps helps."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from math import floor

import numpy as np
import pytest
from scipy.stats import binomtest

from fewscan.cli.split_words import parts_of_split
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.few_to_score import few_warnings
from fewscan.evaluation.intervals import least_if_all_right
from fewscan.evaluation.metrics import score_intervals
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.splits.class_gaps import gap_warnings
from fewscan.splits.sizes import suitable_sizes
from tests.splits.test_few_patients import split, with_patients


def by_default(dataset: Snapshot, **asked: int) -> Snapshot:
    return split(dataset, **suitable_sizes(dataset, **asked)._asdict())


def rare(images: int, others: int = 250) -> Snapshot:
    """So many images of one class, and others of another one, each of its own patient."""
    return with_patients([[0]] * images + [[1]] * others)


@pytest.mark.parametrize("sizes", [[1] * 5, [1] * 30, [10] * 5, [1, 1, 1, 9], [3, 3], [1]])
def test_what_images_show_at_best_is_where_the_interval_of_a_perfect_score_begins(sizes: list[int]) -> None:
    own, others = np.repeat(np.arange(len(sizes)), sizes), np.arange(100, 140)
    labels = np.repeat([0, 1], [len(own), len(others)])
    right = np.eye(2, dtype=np.float32)[labels]
    scored = score_intervals(right, right, labels, np.concatenate([own, others]))["sensitivity/0"]
    assert least_if_all_right(own) == (None if scored.low is None else pytest.approx(scored.low))


def test_a_class_of_few_test_images_is_named_with_what_they_show_and_what_helps_shows_more() -> None:
    dataset = rare(25)
    (warning,) = few_warnings(by_default(dataset))
    assert f"above {floor(100 * binomtest(5, 5).proportion_ci().low)} % for 'glioma' (5 " in warning
    assert "meningioma" not in warning
    commands = [shlex.split(command) for command in re.findall(r"'(fewscan split [^']*)'", warning)]
    tests = [int(words[words.index("--test") + 1]) for words in commands]
    assert len(tests) == 2
    assert tests[1] == 0
    for test, shown in zip(tests, re.findall(r"then above (\d+) %", warning), strict=True):
        again = by_default(dataset, test=test)
        own = again.groups[again.rows(*(["test"] if test else ["labeled"]))]
        own = own[own < 25]
        assert floor(100 * binomtest(len(own), len(own)).proportion_ci().low) == int(shown)
        assert few_warnings(again) == []


def test_nothing_is_said_where_all_classes_have_enough() -> None:
    assert few_warnings(by_default(rare(60))) == []
    assert few_warnings(by_default(rare(60), test=0)) == []


@pytest.mark.parametrize("images", [2, 8])
def test_without_a_test_set_more_labels_help_and_no_other_split(images: int) -> None:
    dataset = by_default(rare(images, 60))
    (warning,) = few_warnings(dataset)
    assert "'glioma'" in warning
    assert "fewscan split" not in warning
    # Each part holds a patient of each class out.
    parts = min(5, images)
    assert ("learn from 1/2 of the labels" in warning) == (parts == images)
    assert any(f"by {parts} more trainings" in line for line in parts_of_split(dataset))
    assert f"at least {parts} more trainings" in acceptance_warnings(dataset, "run", runs=1)[0]


def test_no_split_is_named_that_would_leave_a_run_without_a_score() -> None:
    (warning,) = few_warnings(by_default(rare(1)))
    assert "'glioma' (0)" in warning
    assert "fewscan split" not in warning
    alone = by_default(rare(1), test=0)
    assert few_warnings(alone) == []
    assert not any("fewscan evaluate" in line for line in parts_of_split(alone))
    assert all("fewscan calibrate" not in warning for warning in acceptance_warnings(alone, "run", runs=1))
    assert any("--no-label=glioma" in warning for warning in gap_warnings(alone))


def test_few_patients_of_all_classes_are_said_for_the_accuracy_too() -> None:
    (warning,) = few_warnings(by_default(with_patients([[0, 1] * 10] * 20)))
    assert "accuracy above" in warning
    (shown,) = re.findall(r"accuracy above (\d+) % \(4 ", warning)
    assert int(shown) < floor(100 * binomtest(4, 4).proportion_ci().low), "images of one patient count less than patients do"


def test_of_many_classes_few_are_named(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = with_patients([[label] for label in range(4)] * 80)
    names = np.array([f"kind {number % 40}" for number in range(320)])
    renamed = dataset.manifest.assign(label=names)
    classes = tuple(dict.fromkeys(names))
    dataset = replace(dataset, manifest=renamed, description=dataset.description.model_copy(update={"classes": classes}))
    (warning,) = few_warnings(by_default(dataset))
    assert warning.count("kind") < 10
