"""A dataset, or a run, -> what is known of its scans when some of them are to be labeled next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.choosing.disputed_wholes import DisputedWhole, disputed_wholes
from fewscan.choosing.model import deviation_over, probed
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Bools, Floats, Int64s, Scans, reduced
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.roles import JUDGING
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.taking import moment_of
from fewscan.evaluation.predictor import Predictor
from fewscan.models.encoder import EncoderSettings
from fewscan.training.continuing import asked_encoder
from fewscan.training.embedding import embed_dataset, usual_encoder
from fewscan.training.run import Run


class Parts(NamedTuple):
    """Which scans of a dataset take part in choosing, and why the others do not; (N,) each."""

    learning: Bools  # what a training may learn from, labeled or not
    taught: Int64s  # class of the labels that it would learn from, -1 elsewhere
    open: Bools  # to be labeled
    disputed: Bools  # open, and contradicted
    judging: Bools  # of the test set or validation set, or belonging to a scan that is

    def scans(self, points: Floats, groups: Int64s) -> Scans:
        """Return what choosing needs; points (N, d), groups (N,)."""
        order = random_order(groups, self.learning)
        return Scans(points, groups, self.taught, self.open, self.disputed, order)


@dataclass(frozen=True)
class Pool:
    """What there is to choose from in a dataset, with what an encoder makes of its scans.

    features: (N, D); deviation: (D,) theirs over the scans that take part. probabilities: (N, K), None where no label teaches
    a model. model: where they come from, in words. wholes: what is one dispute over several of the disputed scans.
    """

    dataset: Snapshot
    parts: Parts
    scans: Scans
    features: Floats
    deviation: Floats
    probabilities: npt.NDArray[np.float32] | None
    model: str | None
    wholes: Sequence[DisputedWhole]


def pool_of(place: Dataset | Run, *, encoder: str | None = None, split: str | None = None, data: Path | None = None) -> Pool:
    """Return the scans of a dataset, or of a run's dataset as it is today, with features and, where labels are, probabilities.

    encoder: a name, a run or a file of weights, by default the run's, or EfficientNet-Lite0 as ImageNet taught it. split: which
    of the dataset's, by default the newest. A run's own test set takes no part either. Features are computed where the dataset
    does not keep them yet. Raises FewscanError where the encoder cannot be had.
    """
    run = place if isinstance(place, Run) else None
    dataset = run.dataset_now(data) if run is not None else place
    assert isinstance(dataset, Dataset)
    parts = parts_of(dataset, split)
    snapshot = dataset.snapshot(split)
    if run is not None:
        parts = _without_judges_of(run, run.seen_in(dataset), parts, snapshot.groups)
    settings = _encoder(run, encoder)
    features = embed_dataset(dataset, settings).features
    points = reduced(features, np.flatnonzero(parts.learning))
    scans = parts.scans(points, snapshot.groups)
    deviation = deviation_over(features, np.flatnonzero(parts.learning))
    wholes = disputed_wholes(dataset, snapshot, parts.disputed)
    if run is not None and run.record.classes:
        own = features if encoder is None else embed_dataset(dataset, _encoder(run, None)).features
        said = Predictor.of(run).of_features(own).probabilities
        return Pool(snapshot, parts, scans, features, deviation, said, f"run {run.folder.name}", wholes)
    probabilities = probed(features, scans.labels, scans.groups, snapshot.classes, deviation)
    model = None if probabilities is None else f"logistic regression on {len(scans.labeled):,} labels"
    return Pool(snapshot, parts, scans, features, deviation, probabilities, model, wholes)


def any_open(run: Run, data: Path | None = None) -> bool:
    """Whether there is a scan to suggest in a run's dataset as it is today; no features are looked at."""
    dataset = run.dataset_now(data)
    whole = dataset.unsplit()
    return bool(_without_judges_of(run, run.seen_in(dataset), _parts_in(dataset, whole), whole.groups).open.any())


def parts_of(dataset: Dataset, split: str | None = None) -> Parts:
    """Return which scans take part in choosing under a split, by default the newest; without a split all that can be used.

    What belongs to a scan that judges is left out with it, also where it has no label yet: to choose is to look.
    """
    return _parts_in(dataset, dataset.unsplit(), split)


def _parts_in(dataset: Dataset, whole: Snapshot, split: str | None = None) -> Parts:
    """Return `parts_of` a dataset of which a snapshot under no split is there."""
    count = len(whole.manifest)
    said = dataset.labels.current(count)
    usable = whole.manifest["set_aside"].isna().to_numpy()
    disputed = usable & said["disputed"].to_numpy(bool)
    conflict = usable & whole.manifest["conflict"].to_numpy(bool)
    learning, judging, taught = usable, np.zeros(count, bool), np.where(conflict, -1, whole.labels)
    if dataset.splits:
        roles = dataset.split(split or dataset.splits[-1]).roles_now(moment_of(whole))
        judging = np.isin(whole.groups, whole.groups[np.isin(roles, JUDGING)])
        learning = usable & np.isin(roles, ("labeled", "unlabeled", "open"))
        taught = np.where(np.isin(roles, ("labeled", "unlabeled")), taught, -1)
    learning, taught = learning & ~judging, np.where(judging, -1, taught)
    # `unsure` is an answer; and a copy of an answered scan is the same question.
    answered = (whole.labels >= 0) | (said["state"] == "unsure").to_numpy()
    copies = whole.manifest["copy_set"]
    answered |= (copies.notna() & copies.isin(copies[answered].dropna())).to_numpy()
    contradicted = (disputed | (conflict & (whole.labels >= 0))) & learning
    return Parts(learning, taught, (learning & ~answered) | contradicted, contradicted, judging)


def _encoder(run: Run | None, encoder: str | None) -> EncoderSettings:
    if encoder is not None:
        return asked_encoder(encoder)
    return usual_encoder() if run is None else asked_encoder(str(run.folder))


def _without_judges_of(run: Run, seen: Snapshot, parts: Parts, groups: Int64s) -> Parts:
    """Return the parts without what belongs to a scan that judges the run itself, whatever became of its split."""
    judged = np.zeros(len(groups), bool)
    rows = seen.rows("test", "validation")
    judged[rows] = True
    judging = np.isin(groups, groups[judged]) | parts.judging
    left = ~judging
    return Parts(parts.learning & left, np.where(left, parts.taught, -1), parts.open & left, parts.disputed & left, judging)
