"""Whether a training learns from labels, or from all scans without them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fewscan.datasets.learnable import without_labels, without_test_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.registry import method_type, methods_without_labels
from fewscan.training.choice import LEAST_UNLABELED
from fewscan.wording import command_line, counted, listed

LEAST_IMAGES = 2


def learned_from(
    dataset: Snapshot, method: str | Mapping[str, Any] | None, *, leave_out_test: bool = False
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return what of `dataset` a training by `method` learns from, None for one that is chosen, and lines on it for people.

    Where the split labels something to learn from, that is `dataset` as it is, with `leave_out_test` without whatever belongs
    to its test set. Else it is all of it without labels, whichever there are. Raises FewscanError, with what helps, where the
    method needs labels, or where labels wait for a split and nobody asked to learn without them.
    """
    lines: tuple[str, ...] = ()
    if leave_out_test:
        dataset, line = without_test_groups(dataset)
        lines = (line,)
    split = dataset.description.split
    name = method.get("name") if isinstance(method, Mapping) else method
    if split is not None and len(dataset.rows("labeled")):
        return dataset, (*lines, *labels_alone(dataset, [] if name is None else [str(name)]))
    waiting = split is None and bool(dataset.classes)
    if name is None and waiting:
        dataset.require_split()
    if name is not None and method_type(str(name)).needs_labels:
        lacks, then = "no labels to learn from", f"enter some with '{command_line('labels', 'set', dataset.folder, 'TABLE')}'"
        if waiting:
            lacks, then = "no split yet", f"run '{command_line('split', dataset.folder)}' first"
        free = ", ".join(methods_without_labels())
        raise FewscanError(f"{dataset.folder} has {lacks}, and {name} needs labels: {then}, or use --method with one of {free}")
    unlabeled = without_labels(dataset)
    images = len(unlabeled.rows("unlabeled"))
    if images < LEAST_IMAGES:
        adding = command_line("add", dataset.folder, "SOURCE")
        raise FewscanError(f"{dataset.folder} has only {counted(images, 'scan')} to learn from: add more with '{adding}'")
    why = f"{len(dataset.classes)} classes are labeled, but there is no split" if waiting else "none is labeled"
    line = f"learning from {counted(images, 'scan')} without labels ({why}): the run will give features but know no classes"
    return unlabeled, (*lines, line, *([] if dataset.classes else _few(dataset, images)))


def _few(dataset: Snapshot, images: int) -> list[str]:
    """Return what is to be said where so few scans may teach nothing that is worth the time; nothing where they are many."""
    if images >= LEAST_UNLABELED:
        return []
    choosing, labeling = (command_line(verb, dataset.folder) for verb in ("suggest", "review"))
    return [
        f"warning: {counted(images, 'scan')} without labels may teach too little to be worth the time: fewer than "
        f"{LEAST_UNLABELED:,} were not measured. If you label some of them, a run can predict classes: '{choosing}' says which "
        f"to label, and '{labeling}' opens a page to label them on"
    ]


def labels_alone(dataset: Snapshot, methods: Sequence[str]) -> list[str]:
    """Return a line on those of `methods` that would learn from unlabeled images, too, where a dataset has none; or nothing."""
    learning = [name for name in methods if method_type(name).uses_unlabeled]
    if not learning or len(dataset.rows("unlabeled")):
        return []
    verb = "learns" if len(learning) == 1 else "learn"
    return [f"there are no unlabeled scans to learn from: {listed(learning)} {verb} from the labeled ones alone"]
