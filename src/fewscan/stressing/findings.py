"""What a stress test found, in words."""

from collections.abc import Iterator, Sequence

from fewscan.images.options import ImageSpec
from fewscan.learning.views import ViewSettings
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.helping import helping
from fewscan.stressing.stress import Condition, StressTest
from fewscan.wording import counted, listed

# Of the accuracy on unchanged scans: what keeps less is hurt, what keeps more is hardly touched.
HURT = 0.85
UNTOUCHED = 0.95


def findings(test: StressTest, views: ViewSettings | None, spec: ImageSpec) -> list[str]:
    """Return at the middle strength what hurts, what does not, and what became of accepted labels, a sentence each.

    views, spec: what the run's training showed, None without steps, and how its scans were read. What helps, and it lacks, is
    said, too.
    """
    hurt = [each.corruption for each in _hurt(test)]
    return [*_of_accuracy(test), *helping(hurt, views, spec), *_of_decisions(test)]


def share(value: float | None) -> str:
    """Return a share in [0, 1] in percent."""
    return "not defined" if value is None else f"{100 * value:.1f} %"


def round_share(value: float) -> str:
    """Return a share that somebody has set, in percent."""
    return f"{100 * value:g} %"


def _of_accuracy(test: StressTest) -> Iterator[str]:
    middle, mean = test.at(MIDDLE), test.mean_accuracy[MIDDLE - 1]
    where = f"under {middle[0].corruption}" if len(middle) == 1 else f"on average over {len(middle)} corruptions"
    yield (
        f"unchanged, {test.unchanged.accuracy.percent} of {counted(test.images, test.image_word)} are classified "
        f"correctly; at the middle strength, {mean.percent} {where}, "
        f"which is {share(test.share_kept(mean))} of that accuracy"
    )
    kept = {condition.corruption: test.share_kept(condition.accuracy) or 0.0 for condition in middle}
    hurt = _hurt(test)
    untouched = [name for name, part in kept.items() if part >= UNTOUCHED]
    if hurt:
        yield f"less than {round_share(HURT)} of that accuracy is left under {_with(hurt, 'accuracy')}"
    else:
        yield f"at least {round_share(HURT)} of that accuracy is left under each corruption"
    if untouched:
        yield f"{round_share(UNTOUCHED)} or more is left under {listed(untouched)}"


def _hurt(test: StressTest) -> list[Condition]:
    """Return what leaves too little of the accuracy at the middle strength, the worst first."""
    return [condition for condition in test.at(MIDDLE) if (test.share_kept(condition.accuracy) or 0.0) < HURT]


def _of_decisions(test: StressTest) -> Iterator[str]:
    target = round_share(test.target_error)
    if test.threshold is None:
        yield f"at an error of {target}, {test.threshold_reason}"
        return
    middle, plain = test.at(MIDDLE), test.unchanged
    yield (
        f"accepted at an error of {target}: {share(plain.accepted.value)} of the unchanged images, of which "
        f"{share(plain.wrong_accepted.value)} are wrong"
    )
    worse = [each for each in middle if (each.wrong_accepted.value or 0) > test.target_error]
    worse.sort(key=lambda each: -(each.wrong_accepted.value or 0))
    if worse:
        found = _with(worse, "wrong_accepted")
        yield f"more than {target} of the accepted images are wrong under {found}: nothing is promised there"
    else:
        yield f"no more than {target} of the accepted images are wrong under any corruption"
    out = [each.corruption for each in middle if (each.out_of_distribution.value or 0) >= 0.5]
    if out:
        yield f"most scans are called out of distribution under {listed(out)}"
    missed = [each.corruption for each in worse if each.shift is None or not each.shift.noticed]
    if worse and missed:
        yield f"'fewscan label' would not notice that so many scans look different as a whole under {listed(missed)}"
    elif worse:
        yield "'fewscan label' would notice and say that so many scans look different as a whole under each of these"


def _with(conditions: Sequence[Condition], score: str) -> str:
    return listed([f"{each.corruption} ({share(getattr(each, score).value)})" for each in conditions])
