"""The gate before training: a split that leaks stops here unless the user wants it so; and why a run may promise nothing."""

from dataclasses import replace

from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.protocols import may_leak, titled
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot
from fewscan.errors import Reasons
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.wording import command_line, counted

# How many leaking pairs an error names.
PAIRS_NAMED = 3


def check_leakage(dataset: Snapshot, settings: RunSettings) -> int | None:
    """Return how many pairs of images that the audit holds together cross the parts of the split; None where nobody has looked.

    Raises FewscanError where the weights that training is to begin with have learned from images that are to judge it, unless
    the run allows it. Raises it naming some of the pairs where there are any, unless the split was drawn image by image, or
    came with the data and was kept with its leaks, or the run allows it.
    """
    held_out = dataset.rows("test", "validation")
    taught = int(dataset.manifest["taught_before"].to_numpy(bool)[held_out].sum())
    pairs = None if dataset.description.audit is None else leaking_pairs(dataset)
    with Reasons("training would judge itself by images that it learned from") as reasons:
        if taught and not settings.allow_leakage:
            reasons.add(
                f"the split leaks: the weights that training would start from have learned from {taught} of its "
                f"{len(held_out)} test and validation images. Use the split that they were trained on, start from other "
                "weights, or give allow_leakage=true"
            )
        if pairs and dataset.require_split().grouped and not settings.allow_leakage:
            names = dataset.file_names
            named = "; ".join(f"{names[first]} and {names[second]}" for first, second in pairs[:PAIRS_NAMED])
            reasons.add(
                f"the split leaks: {counted(len(pairs), 'pair')} of images that belong together, in different parts: {named}. "
                f"Run '{command_line('split', dataset.folder, '--overwrite')}', or give allow_leakage=true"
            )
    return None if pairs is None else len(pairs)


def leaking_now(run: Run, seen: Snapshot) -> int | None:
    """Return how many pairs cross the parts of a run's split by what is known today, no fewer than when training began.

    An audit since may have found pairs that nobody knew of then. What only images tie that the split leaves out for it, as
    those of an addition, is no such pair. None where nobody has looked, then or since. seen: the run's dataset, as it was.
    """
    now = Dataset.open(seen.folder)
    if now.description.audit is None:
        return run.record.leaking_pairs
    groups = _under_split_of(seen, now).manifest["group"].iloc[: len(seen.manifest)]
    today = replace(seen, manifest=seen.manifest.assign(group=groups.to_numpy()).astype({"group": MANIFEST_DTYPES["group"]}))
    return max(run.record.leaking_pairs or 0, len(leaking_pairs(today)))


def _under_split_of(seen: Snapshot, now: Dataset) -> Snapshot:
    """Return the dataset as it is now, under the split that it was seen under; under none where that is no longer there."""
    split = seen.description.split
    if split is not None and split.name in now.splits:
        under = now.snapshot(split.name)
        if under.require_split().drawn_fingerprint == split.drawn_fingerprint:
            return under
    return now.unsplit()


def doubt(run: Run, dataset: Snapshot) -> str | None:
    """Return why `run` may have learned from what it is judged by, or None where nothing is known to speak for it.

    dataset: the run's, as it was; an audit since counts, too.
    """
    if may_leak(run.record.protocol):
        return f"the split was {titled(run.record.protocol)}: the run may have learned from copies of the held-out images"
    if run.record.leaking_pairs is None:
        return "nobody had looked for copies before training, so the run may have learned from copies of the held-out images"
    leaking = leaking_now(run, dataset)
    if leaking:
        return f"the split leaks ({leaking} pairs across its parts), so the run may have learned from the held-out images"
    return None
