"""The split that the data came with, kept: its test images test, its validation images validate, its other images teach."""

import numpy as np
import numpy.typing as npt

from fewscan.datasets.dataset import DEFAULT_SPLIT
from fewscan.datasets.descriptions import GivenLeaks, Shares
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.dealing import Int64s
from fewscan.splits.draw import Draw
from fewscan.splits.sizes import VALIDATION_SHARE, require_labels
from fewscan.splits.split import describe, freeze
from fewscan.wording import command_line, counted

# How many leaking groups an error names.
GROUPS_NAMED = 3


def keep_given(
    dataset: Snapshot,
    *,
    labeled: int | None = None,
    validation: float | None = None,
    leaks: GivenLeaks = "refuse",
    seed: int = 0,
    shares: Shares = "known",
    name: str = DEFAULT_SPLIT,
) -> Snapshot:
    """Keep the split that the data came with, write it into the dataset's folder, and return the dataset under this split.

    The labeled images of its test part become the test set, those of its validation part the validation set, and those of its
    training part are labeled: all of them, or a budget of `labeled` drawn from them. If it has no validation part, the share
    `validation` of that budget becomes the validation set. Training images whose label is not granted, and images without a
    part, are unlabeled; they are left out if their group is in the test or the validation set.
    leaks: what happens to groups (copies, patients) on both sides of a border of the given split. `refuse`: FewscanError names
    some. `drop`: their images for training, and for validation beside test images, are left out. `keep`: they stay, and no run
    on the split supports a decision.
    Raises FewscanError also if no split was given, if it has no labeled test or training image, and if it has fewer labels than
    `labeled`.
    """
    require_labels(dataset, "given" if leaks == "keep" else "leakfree")
    parts = _given_parts(dataset)
    grouped = leaks != "keep"
    sides = {name: np.flatnonzero(parts == name) for name in ("train", "validation", "test")}
    if grouped:
        conflicting = dataset.manifest["conflict"].to_numpy()
        left_out = _crossing(dataset, sides)
        if leaks == "refuse":
            _refuse_leaks(dataset, sides, left_out)
        sides = {name: np.setdiff1d(rows, left_out) for name, rows in sides.items()}
        sides |= {name: sides[name][~conflicting[sides[name]]] for name in ("train", "validation")}
    budget = _budget(dataset, sides, labeled, validation, grouped=grouped, seed=seed, shares=shares)

    split = np.full(len(dataset.manifest), None, dtype=object)
    sealed = np.isin(dataset.groups, dataset.groups[np.concatenate([sides["test"], budget["validation"]])])
    free = np.setdiff1d(np.union1d(sides["train"], np.flatnonzero(parts == "")), [] if not grouped else np.flatnonzero(sealed))
    split[np.intersect1d(free, dataset.usable)] = "unlabeled"
    for name, rows in (*budget.items(), ("test", sides["test"])):
        split[rows] = name
    description = describe(
        dataset, split, protocol="leakfree" if grouped else "given", given_leaks=leaks, seed=seed, shares=shares, name=name
    )
    return freeze(dataset, split, description, dataset.manifest["given_split"].fillna("").to_numpy(object))


def _given_parts(dataset: Snapshot) -> npt.NDArray[np.object_]:
    """Return (N,) the given part of every usable row that can be used so: to test or validate it takes a label that may."""
    given = dataset.manifest["given_split"]
    if given.isna().all():
        raise FewscanError(
            f"{dataset.folder} came without a split: it had no folders or sources named train, validation and test, and no "
            f"such column in a table. Draw one with '{command_line('split', dataset.folder)}'"
        )
    parts: npt.NDArray[np.object_] = given.fillna("").to_numpy(object)
    judges = (dataset.labels >= 0) & ~dataset.manifest["only_teaches"].to_numpy(bool)
    parts[~judges & (parts != "train") & (parts != "")] = "without a label that judges"
    parts[np.setdiff1d(np.arange(len(parts)), dataset.usable)] = "set aside"
    for name, for_what in (("test", "test on"), ("train", "learn from")):
        if not ((parts == name) & (dataset.labels >= 0)).any():
            raise FewscanError(
                f"the split that {dataset.folder} came with has no labeled image to {for_what}: draw one with "
                f"'{command_line('split', dataset.folder)}', or import it again with the labels of its {name} images"
            )
    return parts


def _crossing(dataset: Snapshot, sides: dict[str, Int64s]) -> Int64s:
    """Return the rows to learn from or to validate by that share a group with what is to be judged by."""
    groups = dataset.groups
    beside_test = {name: sides[name][np.isin(groups[sides[name]], groups[sides["test"]])] for name in ("train", "validation")}
    validating = np.setdiff1d(sides["validation"], beside_test["validation"])
    beside_validation = sides["train"][np.isin(groups[sides["train"]], groups[validating])]
    return np.unique(np.concatenate([*beside_test.values(), beside_validation]))


def _refuse_leaks(dataset: Snapshot, sides: dict[str, Int64s], crossing: Int64s) -> None:
    """Raise FewscanError naming some of the leaking groups, where there are any."""
    if not len(crossing):
        return
    groups, names = dataset.groups, dataset.file_names
    judged = np.concatenate([sides["test"], sides["validation"]])
    _, first = np.unique(groups[crossing], return_index=True)
    examples = []
    for row in crossing[first][:GROUPS_NAMED]:
        others = judged[(groups[judged] == groups[row]) & (judged != row)]
        examples.append(f"{names[row]} and {names[others[0]]}")
    raise FewscanError(
        f"the split that the data came with leaks: in {counted(len(first), 'group')} of copies or of one patient, "
        f"{counted(len(crossing), 'image')} for training or validation are together with images to score on, such as "
        f"{'; '.join(examples)}. Leave them out with --leaks drop, or keep the split as it is with --leaks keep; then no "
        "run on it supports a decision"
    )


def _budget(
    dataset: Snapshot,
    sides: dict[str, Int64s],
    labeled: int | None,
    validation: float | None,
    *,
    grouped: bool,
    seed: int,
    shares: Shares,
) -> dict[str, Int64s]:
    """Return the rows of the labeled and of the validation set."""
    if len(sides["validation"]) and validation is not None:
        raise FewscanError(
            "the split that the data came with has a validation set, which --keep-given keeps: leave out --validation"
        )
    train = sides["train"][dataset.labels[sides["train"]] >= 0]
    if not len(train):
        raise FewscanError(
            "the split that the data came with has no labeled image to learn from, without those that share a copy or a "
            "patient with images to score on and those with contradicting labels: draw one with "
            f"'{command_line('split', dataset.folder)}', or keep it as it is with --leaks keep; then no run on it supports a "
            "decision"
        )
    images = len(train) if labeled is None else labeled
    if not 1 <= images <= len(train):
        raise FewscanError(
            f"{images:,} labels were requested, but the split that the data came with has {len(train):,} usable images with a "
            f"label to learn from: sizes that work are --labeled 1 to {len(train)}"
        )
    share = 0.0 if len(sides["validation"]) else VALIDATION_SHARE if validation is None else validation
    if not 0 <= share < 1:
        raise FewscanError(f"--validation is a share of the labels, from 0 to below 1, not {share:g}")
    draw = Draw(dataset, grouped=grouped, shares=shares, seed=seed)
    granted = draw.granted(images, round(images * share), train)
    return {"labeled": granted.labeled, "validation": np.concatenate([sides["validation"], granted.validation])}
