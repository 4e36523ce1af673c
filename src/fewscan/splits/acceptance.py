"""Whether a split holds enough labels for `label` to accept anything by them: said before hours of training, not after."""

from pathlib import Path

import numpy as np

from fewscan.datasets.candidates import candidates
from fewscan.datasets.descriptions import Split
from fewscan.datasets.protocols import may_leak
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.class_gaps import classes_of_one_group, quoted
from fewscan.splits.support import (
    ENOUGH_VALIDATION,
    OUT_OF_DISTRIBUTION,
    TARGET_ERROR,
    among,
    images_needed,
    images_to_keep,
    least_target,
)
from fewscan.wording import command_line


def independent(dataset: Snapshot, *parts: Split) -> int:
    """Return how many images of some parts can be held out that are independent: one of each patient or set of copies.

    Labels that measure nothing are none of them.
    """
    return len(np.unique(dataset.groups[dataset.measuring(*parts)]))


def runs_to_choose_from(dataset: Snapshot) -> int:
    """Return among how many runs the next one may be chosen by held-out labels: as many as are on record, and this one."""
    return len(candidates(dataset.folder)) + 1


def in_turn_helps(dataset: Snapshot, runs: int) -> bool:
    """Return whether validation images are too few for `label`, among so many runs, and all labels held out in turn are not."""
    if may_leak(dataset.require_split().protocol) or classes_of_one_group(dataset):
        return False
    kept = images_to_keep(candidates=runs)
    return independent(dataset, "validation") < kept <= independent(dataset, "labeled", "validation")


def acceptance_warnings(dataset: Snapshot, run: str | Path, runs: int | None = None) -> list[str]:
    """Return in plain words why `label` will accept nothing by the split of `dataset` as it stands, and what helps; or nothing.

    run: the folder of the next run. runs: among how many it may be chosen by held-out labels; None: as many as are on record,
    and this one.
    """
    runs = runs_to_choose_from(dataset) if runs is None else runs
    protocol = dataset.require_split().protocol
    if may_leak(protocol):
        return [
            f"'fewscan label' accepts nothing with a run on this split: under protocol {protocol}, copies of held-out images "
            "may have been learned from; --protocol leakfree keeps them apart"
        ]
    held_out, labels = independent(dataset, "validation"), independent(dataset, "labeled", "validation")
    kept = images_to_keep(candidates=runs)
    if held_out >= kept:
        return []
    needed = images_needed(TARGET_ERROR, candidates=runs)
    nothing = f"nothing at its default --target-error of {TARGET_ERROR:g}{among(runs)}"
    takes = (
        f"That takes at least {kept} labels that can be held out, each of a different patient or set of copies: {needed} if "
        f"the network is right on all, and some to spare, because about one in {1 / OUT_OF_DISTRIBUTION:.0f} is out of "
        "distribution."
    )
    needs = f"'fewscan label' would accept {nothing}. {takes}"
    # By so many a run is calibrated at its end, which is then to be replaced.
    again = ["--folds", "5", "--overwrite"] if held_out >= ENOUGH_VALIDATION else []
    in_turn = f"'{command_line('calibrate', run, *again)}' holds out all labels in turn, with five more trainings"
    lone = classes_of_one_group(dataset)
    there = f"The validation set has {held_out:,}." if held_out else "There is no validation set."
    if in_turn_helps(dataset, runs):
        return [
            f"after training, 'fewscan label' accepts {nothing}, until {in_turn}. {takes} {there} In turn it is {labels:,}."
        ]
    if labels >= kept:
        return [
            f"{needs} {there} Labels cannot be held out in turn, because those of {quoted(lone)} come from only one patient or "
            "set of copies: label others, or leave the class out."
        ]
    reachable = least_target(labels, candidates=runs)
    larger = "" if reachable is None else f" These labels can support --target-error {reachable:g} at best."
    return [
        f"{needs} All labels together come to {labels:,}, so label at least {kept - labels:,} more. After training, {in_turn}; "
        f"'fewscan label' then estimates from the network's mistakes how many more it takes.{larger}"
    ]
