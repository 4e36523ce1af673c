"""How many scans of a class are accepted as another one: the limit that a user sets, and what is said without one."""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from fewscan.api.labeling import _by_class
from fewscan.cli.labeling import _shares
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.held_out import HeldOut
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import acceptance_threshold, missed_limit, supports
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.missed import Limits, of_each_class, over_all
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.labeling.test_decisions import at_most

NAMES = ("normal", "tumor")


def test_how_many_images_of_a_class_it_takes() -> None:
    scores, missed = np.linspace(0.5, 1, 45, dtype=np.float32), np.zeros(45, dtype=bool)
    # 0.95^45 < 0.1 < 0.95^44
    assert missed_limit(scores, missed, 0.05) == -math.inf
    assert missed_limit(scores[1:], missed[1:], 0.05) is None
    # Of two runs, one is to be wrong once in twenty draws: 0.95^59 < 0.05 < 0.95^58
    assert missed_limit(scores, missed, 0.05, candidates=2) is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=30, max_size=120),
    st.sampled_from([0.05, 0.1, 0.3]),
    st.sampled_from([1, 3]),
)
def test_above_the_limit_the_exact_upper_bound_of_the_missed_share_is_within_it_and_at_the_limit_it_is_not(
    images: list[tuple[int, bool]], share: float, candidates: int
) -> None:
    scores = np.array([score / 20 for score, _ in images], dtype=np.float32)
    missed = np.array([wrong for _, wrong in images])

    def bound(accepted: np.ndarray) -> float:
        hits = int((missed & accepted).sum())
        interval = binomtest(hits, len(images), alternative="less").proportion_ci(1 - 0.1 / candidates, method="exact")
        return float(interval.high)

    limit = missed_limit(scores, missed, share, candidates=candidates)
    if limit is None:
        assert bound(np.zeros(len(images), dtype=bool)) > share
        return
    assert bound(scores > limit) <= share
    assert limit == -math.inf or bound(scores >= limit) > share


def rare(random: np.random.Generator, images: int, tumors: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, whether they are right, and which images are tumors: a share of these that scores cannot tell is missed."""
    is_tumor = random.random(images) < tumors
    scores = random.uniform(0.5, 1, images).astype(np.float32)
    wrong = np.where(is_tumor, random.random(images) < 0.9 * (1.05 - scores), random.random(images) < 0.2 * (1 - scores))
    return scores, ~wrong, is_tumor


def missed_share(random: np.random.Generator, threshold: float) -> float:
    scores, correct, is_tumor = rare(random, 20_000, 1)
    return float((is_tumor & ~correct & (scores >= threshold)).mean())


@pytest.mark.slow
def test_of_a_rare_class_the_limit_holds_however_rare_it_is_and_the_error_alone_says_nothing_of_it() -> None:
    random = np.random.default_rng(0)
    share, draws = 0.1, 150
    alone = limited = accepting = 0
    # The labels are of a collection in which half of the scans are tumors, and the scans to label are not.
    for _ in range(draws):
        scores, correct, _ = rare(random, 600, 0.04)
        at_error = acceptance_threshold(scores, correct, 0.1)
        alone += at_error is not None and missed_share(random, at_error) > share
        collected, right, tumors = rare(random, 150, 0.5)
        limit = missed_limit(collected[tumors], ~right[tumors], share)
        under_limit = None if limit is None else acceptance_threshold(scores, correct, 0.1, above=limit)
        accepting += under_limit is not None
        limited += under_limit is not None and missed_share(random, under_limit) > share
    assert alone > draws / 2
    assert accepting > draws / 2
    assert at_most(limited, draws, 0.1)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1, width=32), st.integers(0, 2**32 - 1))
def test_a_threshold_under_a_limit_keeps_the_error_and_is_that_without_where_this_is_higher(above: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(0, 1, 300).astype(np.float32)
    correct = random.random(300) < 0.8 + 0.2 * scores
    free, limited = (acceptance_threshold(scores, correct, 0.1, above=limit) for limit in (-math.inf, above))
    if limited is None:
        return
    assert free is not None
    assert limited > above
    assert limited >= free
    accepted = scores >= limited
    assert supports(int((~correct & accepted).sum()), int(accepted.sum()), 0.1)
    assert above >= free or limited == free


def images(tumors: int, missed: int, normal: int = 200, *, surest: float = 8, groups: int | None = None) -> HeldOut:
    """Images of two classes, of which the most surely called tumors are called normal."""
    labels = np.repeat([0, 1], [normal, tumors])
    said = labels.copy()
    said[normal : normal + missed] = 0
    sure = np.concatenate([np.linspace(2, 8, normal), np.linspace(surest, 2, tumors)])
    logits = (np.eye(2)[said] * sure[:, None]).astype(np.float32)
    of = np.arange(len(labels)) if groups is None else np.arange(len(labels)) % groups
    return HeldOut(np.arange(len(labels)), of, labels, logits)


def limits(held_out: HeldOut, shares: dict[str, float], candidates: int = 1, names: Sequence[str] = NAMES) -> Limits:
    return Limits.of(held_out, names, Asked(target_missed=shares), candidates)


def test_a_limit_raises_the_threshold_where_the_error_alone_would_let_a_class_be_missed() -> None:
    held_out = images(tumors=60, missed=7, normal=940, surest=5)
    free = limits(held_out, {}).threshold(held_out, 0.05)
    assert free is not None
    assert of_each_class(held_out, NAMES, free)["tumor"].missed == 7
    # Two missed of 60 support a tenth, seven a fifth.
    limited = limits(held_out, {"tumor": 0.1}).threshold(held_out, 0.05)
    assert limited is not None
    assert limited > free
    assert of_each_class(held_out, NAMES, limited)["tumor"].missed == 2
    assert limits(held_out, {"tumor": 0.2}).threshold(held_out, 0.05) == free


def test_where_mistakes_of_a_class_are_the_surest_calls_nothing_is_accepted_and_what_helps_is_named() -> None:
    held_out = images(tumors=60, missed=7, normal=940, surest=9)
    refused = limits(held_out, {"tumor": 0.1})
    assert refused.threshold(held_out, 0.05) is None
    assert not refused.lacking
    assert all("0.1 of 'tumor'" in words for words in refused.refusal(0.05))
    (way,) = refused.helps(held_out, 0.05)
    offered = float(way.partition("--target-missed tumor=")[2].partition(",")[0])
    assert limits(held_out, {"tumor": offered}).threshold(held_out, 0.05) is not None
    assert limits(held_out, {"tumor": offered - 0.01}).threshold(held_out, 0.05) is None


def test_too_few_images_of_a_class_are_said_with_what_helps() -> None:
    held_out = images(tumors=30, missed=0)
    limited = limits(held_out, {"tumor": 0.05, "normal": 0.05})
    assert limited.threshold(held_out, 0.05) is None
    assert len(limited.lacking) == 1
    why, short = limited.refusal(0.05)
    assert "at least 45 held-out images of 'tumor'" in why
    # The short one stands in every row of a table.
    assert len(short) < len(why) / 2
    helps = list(limited.helps(held_out, 0.05))
    assert any("at least 15 more images of 'tumor'" in way for way in helps)
    # 0.93^30 is above one in ten, 0.92^30 below.
    offered = next(way for way in helps if "--target-missed" in way)
    assert "--target-missed tumor=0.08" in offered
    assert limits(held_out, {"tumor": 0.08}).threshold(held_out, 0.05) is not None
    assert limits(held_out, {"tumor": 0.07}).threshold(held_out, 0.05) is None


def test_of_several_limits_that_are_not_supported_one_way_helps_all() -> None:
    held_out, names = images(tumors=30, missed=0, normal=40), ("no tumor", "tumor")
    ways = list(limits(held_out, {"tumor": 0.01, "no tumor": 0.02}, names=names).helps(held_out, 0.1))
    (by_labels,) = (way for way in ways if way.startswith("label"))
    assert "200 more images of 'tumor'" in by_labels
    assert "74 more images of 'no tumor'" in by_labels
    (by_shares,) = (way for way in ways if way.startswith("give"))
    # As the shell takes them.
    offered = _shares(shlex.split(by_shares.partition(", the lowest")[0])[2::2])
    assert set(offered) == set(names)
    assert limits(held_out, offered, names=names).threshold(held_out, 0.1) is not None
    for name, share in offered.items():
        assert limits(held_out, offered | {name: share - 0.01}, names=names).threshold(held_out, 0.1) is None


def test_where_no_share_that_is_worth_offering_is_supported_more_labels_help() -> None:
    held_out = images(tumors=60, missed=40, normal=940, surest=9)
    (way,) = limits(held_out, {"tumor": 0.1}).helps(held_out, 0.05)
    assert way.startswith("label more images of 'tumor'")


def test_of_a_patient_with_images_of_two_classes_one_of_each_counts() -> None:
    held_out = images(tumors=60, missed=0, normal=60, groups=60)
    assert len(held_out.one_a_group().rows) == 60
    both = held_out.one_a_group_and_class()
    assert np.bincount(both.labels).tolist() == [60, 60]
    assert not limits(both, {"tumor": 0.05}).lacking


def test_what_becomes_of_each_class_is_counted_whole() -> None:
    held_out = images(tumors=50, missed=5)
    each = of_each_class(held_out, (*NAMES, "never seen"), 0.95)
    assert list(each) == list(NAMES)
    for name, label in (("normal", 0), ("tumor", 1)):
        own = held_out.take(held_out.labels == label)
        one = each[name]
        assert (one.images, one.accepted + one.missed + one.review) == (len(own.rows), len(own.rows))
        assert one.missed == int(((own.scores >= 0.95) & ~own.correct).sum())
        assert one.missed_share.value == pytest.approx(one.missed / one.images)
        exact = binomtest(one.missed, one.images).proportion_ci(0.95, method="exact")
        assert (one.missed_share.low, one.missed_share.high) == pytest.approx((exact.low, exact.high))


def test_that_the_error_is_over_all_classes_is_said_of_the_class_that_may_be_missed_most_unless_one_is_limited() -> None:
    each = of_each_class(images(tumors=50, missed=5), NAMES, 0.5)
    (said,) = over_all(each, Asked(), 1)
    assert "tumor" in said
    assert "--target-missed tumor=0.05" in said
    # With fewer images, a share that they can support is named, and where none can, none.
    (of_few,) = over_all(of_each_class(images(tumors=30, missed=1), NAMES, 0.5), Asked(), 1)
    assert "--target-missed tumor=0.08" in of_few
    (of_five,) = over_all(of_each_class(images(tumors=5, missed=1), NAMES, 0.5), Asked(), 1)
    assert "--target-missed" not in of_five
    assert not list(over_all(each, Asked(target_missed={"tumor": 0.1}), 1))
    assert not list(over_all({}, Asked(), 1))


def test_shares_are_read_by_class_and_all_that_are_none_are_said_at_once() -> None:
    assert _shares(None) == {}
    assert _shares(["tumor=0.05", "grade=2=.1"]) == {"tumor": 0.05, "grade=2": 0.1}
    with pytest.raises(FewscanError) as refused:
        _shares(["tumor", "=0.1", "normal=few", "a=0.1", "a=0.2"])
    assert len(refused.value.lines) == 5
    for share in (0.0, 1.0, math.nan, 5.0):
        with pytest.raises(FewscanError, match="--target-missed tumor must be between 0 and 1"):
            Asked(target_missed={"tumor": share})
    # No number of images that a share takes is too large to be told.
    least = Asked(1e-6, target_missed={"tumor": 1e-6})
    assert "2,302,584" in Limits.of(images(60, 0), NAMES, least, 1).refusal(0.05)[0]
    for wrong in (1e-320, "0.05", None):
        with pytest.raises(FewscanError, match="--target-missed tumor must be"):
            Asked(target_missed={"tumor": wrong})  # type: ignore[dict-item]
        with pytest.raises(FewscanError, match="--target-error must be"):
            Asked(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["tumor=0.05", ["tumor=0.05"], {1: 0.05}])
def test_from_python_shares_are_given_by_the_names_of_classes(wrong: object) -> None:
    with pytest.raises(FewscanError, match=r"'tumor': 0\.05"):
        _by_class(wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_run_whose_labels_cannot_be_held_out_says_why_and_names_no_command_that_is_refused(
    make_dataset: Callable[..., Snapshot], untrained_run: Callable[[Snapshot], Run]
) -> None:
    drawn = split(make_dataset(60), labeled=60, test=0, validation=0)
    # All images of one class are of one patient.
    single = drawn.manifest["label"] == drawn.classes[0]
    dataset = replace(drawn, manifest=drawn.manifest.assign(group=drawn.manifest["group"].mask(single, 1000)))
    run = untrained_run(dataset)
    with pytest.raises(FewscanError) as refused:
        calibrate(run, dataset)
    reason = Grounds.of(run, dataset).rule(Asked()).reasons[0]
    assert str(refused.value) in reason
    assert "fewscan calibrate" not in reason
