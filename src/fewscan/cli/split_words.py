"""What a split holds, and why it was drawn so, for people."""

from math import ceil
from typing import TYPE_CHECKING

from fewscan.wording import counted, each_counted

if TYPE_CHECKING:
    from fewscan.datasets.snapshot import Snapshot

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
    from fewscan.images.patients import patients_by_class

    result = done.require_split()
    labeled_images = done.manifest.iloc[done.rows("labeled")]
    granted = labeled_images["label"].value_counts().reindex(done.classes, fill_value=0).to_dict()
    lines = [
        f"split {titled(result.protocol)}, seed {result.seed}: {result.labeled:,} labeled, {result.validation:,} validation, "
        f"{result.unlabeled:,} unlabeled, {result.test:,} test, {result.left_out:,} left out",
        f"  labeled: {each_counted(granted, patients=patients_by_class(labeled_images))}",
        *_why(done, labeled=labeled, test=test),
    ]
    if teaching := teaching_labels(done):
        lines.append(f"  {teaching:,} of the labeled are only for training, and nothing is measured on them: {TEACHING}")
    if result.given_leaks is not None:
        lines.append("  the split that the data came with was kept" + GIVEN_LEAKS[result.given_leaks])
    if not result.by_image:
        groups = ", ".join(f"{part} {len(set(done.groups[done.rows(part)])):,}" for part in ("labeled", "validation", "test"))
        lines.append(f"  groups that stay together, each a patient, a set of copies or one image: {groups}")
    if result.conflicting_left_out:
        lines.append(f"  left out because their copies have another label: {result.conflicting_left_out:,}")
    beside = result.left_out - result.conflicting_left_out
    if beside and result.given_leaks is None:
        lines.append(f"  left out as {_belonging(done)}: {beside:,}")
    if unused := _labels_left_out(done):
        lines.append(f"  labels of images that are left out, used for neither training nor scores: {unused:,}")
    return [*lines, *_trainings_to_come(done)]


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
    from fewscan.splits.sizes import ENOUGH_TO_TEST, TEST_SHARE

    lines, result = [], done.require_split()
    if labeled:
        but = " that the test set leaves" if result.test else ""
        lines.append(f"  all {result.labeled + result.validation:,} labels{but} are used; --labeled N sets a budget")
    if test and result.test:
        lines.append(
            f"  {result.test:,} labeled images are sealed for testing: about a fifth, in whole groups; --test N takes others"
        )
        groups, others = (len(set(done.groups[rows])) for rows in (done.rows("test"), done.rows("labeled", "validation")))
        # So many has the smallest test set of images that each are a group.
        if not result.by_image and groups < TEST_SHARE * ENOUGH_TO_TEST:
            lines.append(
                f"  their score will be of only {counted(groups, 'group')}: --test 0 seals none, and then 'fewscan evaluate' "
                f"scores all {groups + others:,} by cross-validation, with five more trainings"
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
    from fewscan.splits.support import images_to_keep
    from fewscan.splits.units import Units, independent

    needed, units = images_to_keep(candidates=runs_to_choose_from(done)), Units.of(done)
    few, labels = independent(done, "validation") < needed, units.to_hold_out
    if not done.require_split().test:
        together = ", which also serve 'fewscan calibrate'" if few else ""
        return [f"  without a test set 'fewscan evaluate' gives a cross-validated score, by five more trainings{together}"]
    if not few or labels <= needed:
        return []
    share = ceil(100 * needed / labels) / 100
    return [
        f"  --validation {share:g}, some {units.count(needed)}{units.counting}, saves the trainings that 'fewscan calibrate' "
        f"needs, and leaves {labels - needed} to learn from"
    ]
