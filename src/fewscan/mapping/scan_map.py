"""A dataset, or a run -> where its scans lie, and what each is: its label, its source, what the run makes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.taking import moment_of
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Prediction, Predictor
from fewscan.evaluation.today import ADDED_SINCE
from fewscan.folders import kind_of
from fewscan.images.stored import Chosen
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.mapping.coordinates import Coordinates, Int64s
from fewscan.mapping.kept import kept_coordinates
from fewscan.models.encoder import EncoderSettings
from fewscan.spreadsheet import write_csv
from fewscan.training.continuing import asked_encoder
from fewscan.training.embedding import Embeddings, embed_dataset, usual_encoder
from fewscan.training.run import Run

NO_LABEL, TEST_SET, HIDDEN = "no label", "test set and what belongs to it: not shown", "hidden by the split"
NO_PART = "in no part"
AS_LEARNED = "as labeled, and learned from"
DECISIONS = {"accept": "accepted", "review": "for review", "out_of_distribution": "out of distribution"}


Flags = npt.NDArray[np.bool_]  # (N,)


class Coloring(NamedTuple):
    """One way to color scans."""

    name: str
    values: list[str]  # of each scan of the map
    plain: tuple[str, ...] = ()  # values that say nothing, and are drawn in gray


@dataclass(frozen=True)
class ScanMap:
    """The usable scans of a dataset in two dimensions; `rows` (M,) are theirs, and what is said of them is in their order."""

    dataset: Snapshot
    of: str  # the dataset or the run, in words
    encoder: str  # whose features these are, in words
    rows: Int64s
    placed: Coordinates
    colorings: tuple[Coloring, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One line per scan: row, x and y, the last two in [0, 1]."""
        x, y = self.placed.xy.T
        return pd.DataFrame({"row": self.rows, "x": x, "y": y})

    def save(self, out: Path) -> None:
        """Write the table as CSV."""
        write_csv(self.table, out, parents=True)

    def summary(self) -> dict[str, Any]:
        """Return what the map shows, for programs."""
        counts = {one.name: pd.Series(one.values).value_counts().to_dict() for one in self.colorings}
        return {"of": self.of, "scans": len(self.rows), "encoder": self.encoder, "placed": self.placed.way, "colors": counts}


def map_of(
    place: Dataset | Run, *, encoder: str | None = None, split: str | None = None, data: Path | None = None, seed: int = 0
) -> ScanMap:
    """Return the map of a dataset, or of a run's dataset as it is today with what the run says of its scans.

    encoder: a name, a run or a file of weights; by default the run's, or EfficientNet-Lite0 as ImageNet taught it. The labels
    of a test set are not shown, nor those that a split hides; of a run neither those of its own test set nor those of `split`.
    Parts are those of the run's own split unless `split` names another. Raises FewscanError where the encoder cannot be had,
    and where no scan can be used.
    """
    run = place if isinstance(place, Run) else None
    dataset = run.dataset_now(data) if run is not None else place
    assert isinstance(dataset, Dataset)
    snapshot = dataset.snapshot(split)
    rows = snapshot.usable
    if not len(rows):
        raise FewscanError(f"{dataset.folder} has no usable scan, so there is nothing to map")
    own = usual_encoder() if run is None else asked_encoder(str(run.folder))
    settings = own if encoder is None else asked_encoder(encoder)
    seen = None if run is None else run.seen_in(dataset)
    embedded = embed_dataset(dataset, settings)  # only now: another dataset is refused before features are put into it
    labels = labels_shown(dataset, seen, split)[rows]
    colorings = [Coloring("label", labels.tolist(), (NO_LABEL, TEST_SET, HIDDEN))]
    if run is not None and seen is not None and run.record.classes:
        features = embedded if encoder is None else embed_dataset(dataset, own)
        colorings += _said_by(run, seen, snapshot, features, rows, labels)
    colorings.append(Coloring("source", snapshot.manifest["source"].iloc[rows].tolist()))
    if seen is not None and split is None:
        colorings.append(_parts("part of the run's split", seen, rows))
    elif dataset.splits:
        colorings.append(_parts("part of the split", snapshot, rows))
    of = f"dataset '{dataset.folder.resolve().name}'" if run is None else f"run '{run.folder.resolve().name}'"
    placed = kept_coordinates(dataset.folder, embedded.features[rows], seed)
    return ScanMap(snapshot, of, _words(settings, embedded), rows, placed, tuple(one for one in colorings if _tells(one)))


def _parts(name: str, split: Snapshot, rows: Int64s) -> Coloring:
    """Return the rows colored by the part that they have in a split, which may be older than some of them."""
    parts = split.manifest["split"].astype(object).fillna(NO_PART).reindex(rows, fill_value=ADDED_SINCE)
    return Coloring(name, parts.tolist(), (NO_PART, ADDED_SINCE))


def labels_shown(dataset: Dataset, seen: Snapshot | None = None, split: str | None = None) -> np.ndarray:
    """Return (N,) the label of every row today as a map shows it; of a test set, and of what would tell it, that it is one.

    seen: what a run saw of it, whose test set is one, too.
    """
    whole = dataset.unsplit()
    shown = whole.manifest["label"].astype(object).fillna(NO_LABEL).to_numpy().copy()
    if dataset.splits:
        roles = dataset.split(split or dataset.splits[-1]).roles_now(moment_of(whole))
        shown[(roles == "hidden") & (whole.labels >= 0)] = HIDDEN
        shown[_telling(whole.groups, roles == "test", roles == "left out")] = TEST_SET
    if seen is not None:
        parts = seen.manifest["split"]
        told = _telling(whole.groups[: len(parts)], (parts == "test").fillna(False).to_numpy(bool), parts.isna().to_numpy())
        shown[: len(parts)][told] = TEST_SET
    return np.asarray(shown)


def _telling(groups: Int64s, tested: Flags, left_out: Flags) -> Flags:
    """Return (N,) which rows tell a test set's labels: its own, and those that are left out since they are of its groups."""
    telling: Flags = tested | (left_out & np.isin(groups, groups[tested]))
    return telling


def _said_by(
    run: Run, seen: Snapshot, dataset: Snapshot, embedded: Embeddings, rows: Int64s, labels: np.ndarray
) -> list[Coloring]:
    """Return what a run that knows classes says of the rows: the class, whether that is the label, and what it decides.

    seen: what the run saw of the dataset.
    """
    predicted = Predictor.of(run).of_features(embedded.features[rows])
    classes = np.array(run.record.classes, dtype=object)
    called = classes[predicted.logits.argmax(axis=1)]
    known = ~np.isin(labels, (NO_LABEL, TEST_SET, HIDDEN))
    right = np.where(known, np.where(called == labels, "as labeled", "not as labeled"), "label not known").astype(object)
    # That it calls them so says little; where it does not, what it learned is to be looked at all the more.
    learned = np.isin(rows, seen.rows("labeled"))
    right[learned & (right == "as labeled")] = AS_LEARNED
    return [
        Coloring("predicted class", called.tolist()),
        Coloring("predicted as labeled", right.tolist(), ("label not known", AS_LEARNED)),
        Coloring("decision", _decided(run, seen, dataset, predicted, rows)),
    ]


def _decided(run: Run, seen: Snapshot, dataset: Snapshot, predicted: Prediction, rows: Int64s) -> list[str]:
    rule = Grounds.of(run, seen).rule(Asked())
    pixels = Chosen(dataset.pixels, rows)
    of_run = np.where(rows < len(seen.manifest), rows, -1)
    decided = rule.decide_predicted(predicted, pixels, of_run, dataset.shows_color[rows])
    return [DECISIONS[one] for one in decided.decisions]


def _words(settings: EncoderSettings, embedded: Embeddings) -> str:
    if settings.weights is not None and kind_of(Path(settings.weights)) == "run":
        return f"run {Path(settings.weights).resolve().name}"
    return f"{settings.name} with {embedded.began_with}"


def _tells(coloring: Coloring) -> bool:
    """Whether a coloring tells any scans apart."""
    return coloring.name == "label" or len(set(coloring.values)) > 1
