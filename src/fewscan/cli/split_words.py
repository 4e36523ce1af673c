"""What a split holds, and why it was drawn so, for people."""

from math import ceil
from typing import TYPE_CHECKING, Any

from fewscan.wording import and_patients, counted, listed

if TYPE_CHECKING:
    from fewscan.datasets.descriptions import Split
    from fewscan.datasets.snapshot import Snapshot

_JUDGED: "tuple[Split, ...]" = ("labeled", "validation", "test")  # parts with labels
_LEAST_PARTS = 2  # in which labels are held out in turn
# With more classes, those of the fewest images.
_CLASSES_NAMED = 12

GIVEN_LEAKS = {
    "refuse": "; no copy or known patient is in two of its parts",
    "drop": "; copies and patients of its test and validation images were left out of training",
    "keep": ", copies and patients across its parts, too: no run on it supports a decision",
}


def parts_of_split(done: "Snapshot", *, labeled: bool = False, test: bool = False) -> list[str]:
    """Return how many images each part of a split holds, of which classes and groups, and why others are in none.

    labeled, test: whether these sizes were left to fewscan, which then says what it chose, and why.
    """
    from fewscan.datasets.asked_labels import TEACHING, teaching_labels
    from fewscan.datasets.protocols import titled

    result = done.require_split()
    lines = [
        f"split {titled(result.protocol)}, seed {result.seed}: {result.labeled:,} labeled, {result.validation:,} validation, "
        f"{result.unlabeled:,} unlabeled, {result.test:,} test, {result.left_out:,} left out",
        *(f"  {part}: {_classes_of(done, part)}" for part in _JUDGED if part == "labeled" or len(done.rows(part))),
        *_why(done, labeled=labeled, test=test),
    ]
    if teaching := teaching_labels(done):
        lines.append(f"  {teaching:,} of the labeled are only for training, and nothing is measured on them: {TEACHING}")
    if result.given_leaks is not None:
        lines.append("  the split that the data came with was kept" + GIVEN_LEAKS[result.given_leaks])
    if not result.by_image:
        groups = ", ".join(f"{part} {len(set(done.groups[done.rows(part)])):,}" for part in _JUDGED)
        lines.append(f"  groups that stay together, each a patient, a set of copies or one image: {groups}")
    if result.conflicting_left_out:
        lines.append(f"  left out because their copies have another label: {result.conflicting_left_out:,}")
    beside = result.left_out - result.conflicting_left_out
    if beside and result.given_leaks is None:
        lines.append(f"  left out as {_belonging(done)}: {beside:,}")
    if unused := _labels_left_out(done):
        lines.append(f"  labels of images that are left out, used for neither training nor scores: {unused:,}")
    return [*lines, *_trainings_to_come(done)]


def classes_of_parts(done: "Snapshot") -> dict[str, Any]:
    """Return how many images, groups and known patients each class has in each part with labels, for programs."""
    return {part: done.by_class(part).to_dict("index") for part in _JUDGED}


def _classes_of(done: "Snapshot", part: "Split") -> str:
    """Return how many images each class has in a part, and how many patients or groups they are of, where that differs."""
    counts = done.by_class(part)
    few = len(counts) > _CLASSES_NAMED
    counts = counts.sort_values("images", kind="stable") if few else counts
    named = []
    for name, images, groups, patients in counts.itertuples():
        groups_said = f", {counted(groups, 'group')}" if groups < images else ""
        named.append(f"{name} ({images:,}{and_patients(patients) or groups_said})")
    return f"{len(named):,} classes, those of the fewest first: {listed(named, _CLASSES_NAMED)}" if few else listed(named)


def _belonging(done: "Snapshot") -> str:
    """Return what images are that belong to test and validation images: no more than is known of these."""
    from fewscan.images.patients import known_patients

    ways = ["copies of test or validation images"]
    if known_patients(done.manifest).with_patient:
        ways.append("of the same patient")
    if done.description.audit is not None and done.description.audit.same_head:
        ways.append("of the same head")
    return ", or ".join(ways)


def _labels_left_out(done: "Snapshot") -> int:
    usable = done.manifest.iloc[done.usable]
    return int((usable["label"].notna() & usable["split"].isna()).sum())


def _why(done: "Snapshot", *, labeled: bool, test: bool) -> list[str]:
    """Return what was chosen of the sizes, and why."""
    from fewscan.splits.sizes import ENOUGH_TO_TEST

    lines, result = [], done.require_split()
    if labeled:
        but = " that the test set leaves" if result.test else ""
        lines.append(f"  all {result.labeled + result.validation:,} labels{but} are used; --labeled N sets a budget")
    if test and result.test:
        lines.append(
            f"  {result.test:,} labeled images are sealed for testing: about a fifth, in whole groups; --test N takes others"
        )
    if test and not result.test:
        lines.append(
            f"  no test set and no validation set: with fewer than {ENOUGH_TO_TEST} labels (a set of copies counts once), each "
            "is worth more for training; --test N draws one"
        )
    return lines


def _trainings_to_come(done: "Snapshot") -> list[str]:
    """Return which further trainings a split asks for."""
    from fewscan.splits.acceptance import runs_to_choose_from
    from fewscan.splits.class_gaps import parts_in_turn
    from fewscan.splits.support import images_to_keep
    from fewscan.splits.units import Units, independent

    needed, units = images_to_keep(candidates=runs_to_choose_from(done)), Units.of(done)
    few, labels = independent(done, "validation") < needed, units.to_hold_out
    if not done.require_split().test:
        parts = parts_in_turn(done)
        if parts < _LEAST_PARTS:
            return []  # nothing can be held out, which is said
        together = ", which also serve 'fewscan calibrate'" if few else ""
        return [f"  without a test set 'fewscan evaluate' gives a cross-validated score, by {parts} more trainings{together}"]
    if not few or labels <= needed:
        return []
    share = ceil(100 * needed / labels) / 100
    return [
        f"  --validation {share:g}, some {units.count(needed)}{units.counting}, saves the trainings that 'fewscan calibrate' "
        f"needs, and leaves {labels - needed} to learn from"
    ]
