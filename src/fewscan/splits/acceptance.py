"""Whether a split holds enough labels for `label` to accept anything by them: said before hours of training, not after."""

from pathlib import Path

from fewscan.datasets.candidates import candidates
from fewscan.datasets.dataset import DEFAULT_SPLIT
from fewscan.datasets.protocols import may_leak, titled
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.class_gaps import classes_of_one_group, leaving_out, parts_in_turn, quoted
from fewscan.splits.support import (
    ENOUGH_VALIDATION,
    OUT_OF_DISTRIBUTION,
    TARGET_ERROR,
    among,
    images_needed,
    images_to_keep,
    least_target,
)
from fewscan.splits.units import Units, independent
from fewscan.wording import command_line


def runs_to_choose_from(dataset: Snapshot) -> int:
    """Return among how many runs the next one may be chosen by held-out labels: as many as are on record, and this one."""
    return len(candidates(dataset.folder)) + 1


def in_turn_helps(dataset: Snapshot, runs: int) -> bool:
    """Return whether validation images are too few for `label`, among so many runs, and all labels held out in turn are not."""
    if may_leak(dataset.require_split().protocol) or classes_of_one_group(dataset):
        return False
    kept = images_to_keep(candidates=runs)
    return independent(dataset, "validation") < kept <= independent(dataset, "labeled", "validation")


def split_again(dataset: Snapshot, *sizes: str) -> str:
    """Return the command that draws the split of `dataset` again, with other sizes."""
    drawn = dataset.require_split()
    options = {"--name": (drawn.name, DEFAULT_SPLIT), "--seed": (drawn.seed, 0), "--shares": (drawn.shares, "known")}
    asked = [word for option, (given, usual) in options.items() if given != usual for word in (option, str(given))]
    return command_line("split", dataset.folder, *asked, *sizes, "--overwrite")


def acceptance_warnings(dataset: Snapshot, run: str | Path, runs: int | None = None) -> list[str]:
    """Return in plain words why `label` will accept nothing by the split of `dataset` as it stands, and what helps; or nothing.

    run: the folder of the next run. runs: among how many it may be chosen by held-out labels; None: as many as are on record,
    and this one.
    """
    runs = runs_to_choose_from(dataset) if runs is None else runs
    protocol = dataset.require_split().protocol
    if may_leak(protocol):
        return [
            f"'fewscan label' accepts nothing with a run on this split: it was {titled(protocol)}, so copies of held-out "
            "images may have been learned from; --protocol leakfree keeps them apart"
        ]
    held_out, units = independent(dataset, "validation"), Units.of(dataset)
    labels, kept = units.to_hold_out, images_to_keep(candidates=runs)
    if held_out >= kept:
        return []
    needed = images_needed(TARGET_ERROR, candidates=runs)
    nothing = f"nothing at its default --target-error of {TARGET_ERROR:g}{among(runs)}"
    takes = (
        f"That takes labels of at least {units.count(kept)}{units.counting} to hold out: {needed} if the network is right on "
        f"all, and some to spare, because about one in {1 / OUT_OF_DISTRIBUTION:.0f} is out of distribution."
    )
    needs = f"'fewscan label' would accept {nothing}. {takes}"
    settled = _if_settled(units, runs)
    # By so many a run is calibrated at its end, which is then to be replaced.
    again = ["--folds", "5", "--overwrite"] if held_out >= ENOUGH_VALIDATION else []
    lone = classes_of_one_group(dataset)
    in_turn = (
        f"'{command_line('calibrate', run, *again)}' holds out all labels in turn, with at least {parts_in_turn(dataset)} more "
        "trainings"
    )
    there = f"The validation set has {held_out:,}." if held_out else "There is no validation set."
    if in_turn_helps(dataset, runs):
        return [
            f"after training, 'fewscan label' accepts {nothing}, until {in_turn}. {takes} {there} "
            f"All labels in turn are {labels:,}.{settled}"
        ]
    if lone:
        lacking = there if labels >= kept else _more_labels(dataset, units, kept)
        return [
            f"{needs} {lacking} Labels cannot be held out in turn, because those of {quoted(lone)} come from only one patient "
            f"or set of copies: label others, or {leaving_out(lone)}.{settled}"
        ]
    reachable = least_target(labels, candidates=runs)
    larger = "" if reachable is None else f" These labels can support --target-error {reachable:g} at best."
    return [
        f"{needs} {_more_labels(dataset, units, kept)}{settled} After training, {in_turn}; 'fewscan label' then estimates from "
        f"the network's mistakes how many more it takes.{larger}"
    ]


def _more_labels(dataset: Snapshot, units: Units, kept: int) -> str:
    """Return how many lack for `kept` to hold out, what a split without a test set changes, and how many can be labeled."""
    lacking = kept - units.to_hold_out
    sentences = [f"Of these this split has {units.to_hold_out:,}, so label {units.count(lacking, 'more ')}."]
    if units.labeled > units.to_hold_out:
        command = split_again(dataset, "--test", "0")
        lacking = max(0, kept - units.labeled)
        then = f"label {lacking:,} more" if lacking else "that is enough"
        sentences.append(f"Or seal no test set: with '{command}' it has {units.labeled:,}, and {then}.")
    if units.unlabeled < lacking:
        only = f"only {units.count(units.unlabeled)}" if units.unlabeled else f"no {units.noun}"
        sentences.append(f"The dataset has {only} without a label: 'fewscan add' adds scans of others.")
    else:
        have = "has" if units.unlabeled == 1 else "have"
        sentences.append(f"{units.count(units.unlabeled)} in the dataset {have} no label.")
    return " ".join(sentences)


def _if_settled(units: Units, runs: int) -> str:
    """Return what fewer labels suffice for where the next of several runs is not chosen among them."""
    if runs == 1:
        return ""
    kept = images_to_keep()
    lacking = kept - units.to_hold_out
    beyond = f", {lacking:,} more than this split has" if lacking > 0 else ""
    return (
        f" The next run counts as the best of {runs:,}: itself, and those on record. If you settle on it beforehand, whatever "
        f"its score, 'fewscan label --candidates 1' takes {units.count(kept)}{beyond}."
    )
