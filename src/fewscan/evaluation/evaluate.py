"""The score on the sealed test set, and what every score of a run holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic
import torch
from scipy.special import softmax

from fewscan.config import Settings
from fewscan.datasets.asked_labels import asked_by_review, asked_sentence, teaching_sentence
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.whole_labels import WholeLabels, whole_labels
from fewscan.errors import FewscanError
from fewscan.evaluation.before_opening import open_test_set
from fewscan.evaluation.by_class import ClassScore, class_scores
from fewscan.evaluation.by_patient import PatientScore, patient_score
from fewscan.evaluation.by_source import SourceScore, source_scores
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.intervals import Interval, Rows
from fewscan.evaluation.metrics import Labels, Probabilities, confusion, score_intervals
from fewscan.evaluation.predictor import Prediction, Predictor
from fewscan.evaluation.similarity import soft_nearest_neighbors
from fewscan.evaluation.today import SinceTraining, Today
from fewscan.splits.class_gaps import never_learned
from fewscan.spreadsheet import read_csv, write_csv
from fewscan.training.leakage import leaking_now
from fewscan.training.probes import nearest_neighbors
from fewscan.training.run import Run
from fewscan.training.seen import seen_among, seen_sentence
from fewscan.wording import command_line, counted

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "test_predictions.csv"
HELD_OUT_PREDICTIONS_FILE = "cross_validated_predictions.csv"

ScoreKind = Literal["test set", "cross-validated", "another dataset"]

# What evaluations before 2026-11-27 held besides, or called otherwise.
FORMER = ("val_p_acc",)  # the accuracy once more
RENAMED = {"test_images": "images", "test_groups": "groups"}


class Evaluation(Settings):
    """The content of `evaluation.json`."""

    kind: ScoreKind = "test set"  # cross-validated: of every labeled image, by a network trained without its fold of the labels
    folds: int | None = None  # of a cross-validated score
    protocol: Protocol
    leaking_pairs: int | None
    images: int  # that the scores are of
    groups: int
    test_openings: int  # by this run, this one included
    test_set_openings: int  # of this test set, by all runs on it until then
    accuracy: Interval
    balanced_accuracy: Interval
    auroc: Interval
    calibration_error: Interval  # under the run's temperature
    temperature: float = 1.0  # that the run had when it was evaluated; 1 where it was not calibrated
    calibration_error_before: Interval | None = None  # without the temperature; None where it was not calibrated
    # Not defined of a cross-validated score, both: the features of its networks are not kept.
    nearest_neighbor_accuracy: Interval  # of the most similar labeled image's label, by features h
    similarity_accuracy: Interval  # of soft nearest labeled neighbors, by projections z
    classes: tuple[ClassScore, ...]
    never_learned: tuple[str, ...] = ()  # classes of which no image was learned from with its label
    sources: tuple[SourceScore, ...] = ()  # where the images are from several
    patients: PatientScore | None = None  # where patients are known, and some of them have several of the images
    confusion: tuple[tuple[int, ...], ...]  # row: true class, column: predicted class
    c_acc: float | None  # of the last epoch of training, as the run's log has them
    r_acc: float | None
    p_acc: float | None
    dataset_fingerprint: str
    since_training: SinceTraining = SinceTraining()  # what became of the test set since the run was made
    seen_without_labels: int = 0  # of its images: known to the first weights, or scans that belong to them
    asked_for: int = 0  # of its images: labeled on the review page, which chooses what it asks for
    only_teaching: int = 0  # labels that are held out of none, since a network chose their scans
    whole_labels: WholeLabels = WholeLabels()  # of its images: labeled with their whole study, say

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_former(cls, values: Any) -> Any:
        """Leave out what earlier evaluations held besides, and call the rest by its name."""
        if not isinstance(values, dict):
            return values
        return {RENAMED.get(key, key): value for key, value in values.items() if key not in FORMER}

    def table(self) -> pd.DataFrame:
        """Return the scores, one a row: score, class (null for all), images, value, low and high, shares in [0, 1]."""
        overall = ("accuracy", "balanced_accuracy", "auroc", "calibration_error")
        scores: list[tuple[str, str | None, int, Interval]] = [
            (name, None, self.images, getattr(self, name)) for name in overall
        ]
        for number, one in enumerate(self.classes):
            scores.append(("sensitivity", one.name, one.images, one.sensitivity))
            scores.append(("specificity", one.name, self.images - one.images, one.specificity))
            if one.predictive_value is not None:
                predicted = sum(row[number] for row in self.confusion)
                scores.append(("predictive_value", one.name, predicted, one.predictive_value))
        rows = [(score, of, images, found.value, found.low, found.high) for score, of, images, found in scores]
        return pd.DataFrame(rows, columns=["score", "class", "images", "value", "low", "high"])

    @property
    def on_test_set(self) -> bool:
        """Whether the score is on a sealed test set."""
        return self.kind == "test set"

    @property
    def title(self) -> str:
        """What to call the score."""
        return "score on the test set" if self.on_test_set else "cross-validated score"

    @property
    def image_word(self) -> str:
        """What to call one of its images."""
        return "test image" if self.on_test_set else "held-out image"

    @property
    def place(self) -> str:
        """Where its images are from, in words."""
        return "on the test set" if self.on_test_set else "on held-out images"

    @property
    def changes(self) -> list[str]:
        """What changed in its images since the run was made, and whether pretraining saw them, in words."""
        said = self.since_training.sentences("test set" if self.on_test_set else "labeled images")
        known = [seen_sentence(seen, self.images, self.image_word)] if (seen := self.seen_without_labels) else []
        chosen = [asked_sentence(self.asked_for, f"all {counted(self.images, self.image_word)}")] if self.asked_for else []
        teaching = [teaching_sentence(self.only_teaching)] if self.only_teaching else []
        return [*said, *known, *chosen, *teaching]

    @property
    def meaning(self) -> str | None:
        """What a cross-validated score means, in words; None for a score on a test set."""
        if self.folds is None:
            return None
        return (
            f"no test set: each labeled image is classified by one of {self.folds} networks that learned neither from it nor "
            f"from its group; this scores the method with about {self.folds - 1}/{self.folds} of the labels, not this run's "
            "own network, which learned from all of them; if you choose a run among several by this score, the run is probably "
            "worse than its score says"
        )

    @property
    def temperature_hurt(self) -> bool:
        """Whether the temperature made the calibration error larger than it is without one, by as much as is shown of it."""
        before, after = self.calibration_error_before, self.calibration_error
        if before is None or before.value is None or after.value is None:
            return False
        return round(100 * after.value, 1) > round(100 * before.value, 1)

    def is_under(self, calibration: Calibration | None) -> bool:
        """Whether the probabilities that were scored are those that the run gives by its `calibration`.

        Those of a cross-validated score are under temperatures of their own.
        """
        if calibration is None or self.kind == "cross-validated":
            return True
        return self.calibration_error_before is not None and self.temperature == calibration.temperature

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's evaluation, or None if it has not been evaluated."""
        return run.stored(EVALUATION_FILE, cls, "evaluate")


def evaluate(run: Run, seen: Snapshot, now: Today | None = None, *, verb: str = "evaluate") -> Evaluation:
    """Open the test set once, score `run` on it, and write `evaluation.json` and `test_predictions.csv`.

    seen: the dataset as the run saw it; now: with the test set and labels of today, or None for those that the run saw; verb:
    by which the test set is opened. That is said, and noted in run and dataset, before anything of the test set is computed.
    Intervals are over groups, so that images which belong together do not count as independent. Raises FewscanError where no
    image of the test set has a label.
    """
    now = now or Today(seen, SinceTraining())
    dataset = now.dataset
    rows = dataset.rows("test")
    if not len(rows):
        entering = command_line("labels", "set", dataset.folder, "TABLE")
        raise FewscanError(f"no test image of {run.folder} has a label: enter labels with '{entering}'")
    run.require_openings(dataset)
    predictor = Predictor.of(run)
    calibrated = Calibration.load(run) is not None
    # What may be refused comes before the opening: files of run and dataset that are damaged.
    last_epoch, leaking = run.metrics()[-1], leaking_now(run, seen)
    known = predictor.of_rows(dataset, dataset.rows("labeled"))
    openings = open_test_set(run, dataset, verb)
    predicted = predictor.of_rows(dataset, rows)
    raw = softmax(predicted.logits, axis=1)
    labels = dataset.labels[rows]
    hits = _hits_by_labeled(dataset, predicted, known)

    def by_labeled(positions: Rows) -> Mapping[str, float]:
        return {name: float(each[positions].mean()) for name, each in hits.items()}

    intervals = score_intervals(predicted.probabilities, raw, labels, dataset.groups[rows], by_labeled)
    evaluation = Evaluation(
        leaking_pairs=leaking,
        groups=len(np.unique(dataset.groups[rows])),
        test_openings=openings.by_run,
        test_set_openings=openings.by_all_runs,
        temperature=predictor.temperature,
        calibration_error_before=intervals["calibration_error_before"] if calibrated else None,
        nearest_neighbor_accuracy=intervals["nearest_neighbor_accuracy"],
        similarity_accuracy=intervals["similarity_accuracy"],
        never_learned=never_learned(dataset),
        since_training=now.since,
        seen_without_labels=seen_among(dataset, rows),
        asked_for=asked_by_review(dataset, rows),
        **described(run, dataset, rows, predicted.probabilities, labels, intervals, last_epoch),
    )
    write_predictions(run.folder / PREDICTIONS_FILE, dataset, rows, labels, predicted.probabilities, raw)
    run.store(EVALUATION_FILE, evaluation, [PREDICTIONS_FILE])
    return evaluation


def described(
    run: Run,
    dataset: Snapshot,
    rows: Rows,
    probabilities: Probabilities,
    labels: Labels,
    intervals: Mapping[str, Interval],
    last_epoch: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the fields of an evaluation that every kind of score has, of what was said of the rows (N,).

    probabilities: (N, K); labels: (N,); last_epoch: the last of the run's logged numbers.
    """
    counts = confusion(probabilities, labels)
    return {
        "protocol": run.record.protocol,
        "images": int(counts.sum()),
        **{name: intervals[name] for name in ("accuracy", "balanced_accuracy", "auroc", "calibration_error")},
        "classes": class_scores(dataset, rows, labels, intervals),
        "sources": source_scores(dataset, rows, probabilities, labels),
        "patients": patient_score(dataset, rows, probabilities, labels),
        "confusion": tuple(tuple(int(count) for count in row) for row in counts),
        **{name: last_epoch.get(name) for name in ("c_acc", "r_acc", "p_acc")},
        "dataset_fingerprint": dataset.description.fingerprint,
        "whole_labels": whole_labels(dataset, rows),
    }


def _hits_by_labeled(dataset: Snapshot, tested: Prediction, labeled: Prediction) -> dict[str, npt.NDArray[np.bool_]]:
    """Return (N,) whether the read-outs by labeled images call each test image rightly."""
    labels, bank_labels = dataset.labels[dataset.rows("test")], dataset.labels[dataset.rows("labeled")]
    nearest, _ = nearest_neighbors(torch.from_numpy(tested.features), torch.from_numpy(labeled.features))
    votes = soft_nearest_neighbors(
        torch.from_numpy(tested.projections),
        torch.from_numpy(labeled.projections),
        torch.from_numpy(bank_labels),
        len(dataset.classes),
    )
    return {
        "nearest_neighbor_accuracy": bank_labels[nearest.numpy()] == labels,
        "similarity_accuracy": votes.argmax(dim=1).numpy() == labels,
    }


def read_predictions(run: Run, kind: ScoreKind = "test set") -> pd.DataFrame:
    """Return what an evaluation said of each image: row, label, predicted, one probability a class, score.

    Raises FewscanError where the table is damaged.
    """
    types: dict[str, Any] = {"row": "int64", "label": "str", "predicted": "str"}
    types |= {f"probability_{name}": "float64" for name in run.record.classes} | {"score": "float32"}
    name = PREDICTIONS_FILE if kind == "test set" else HELD_OUT_PREDICTIONS_FILE
    return read_csv(run.folder / name, types, f"run '{command_line('evaluate', *run.called, '--overwrite')}'")


def write_predictions(
    path: Path, dataset: Snapshot, rows: Rows, labels: Labels, probabilities: Probabilities, raw: Probabilities
) -> None:
    """Write what was said of each of the rows (N,), with and without temperature (N, K), beside their labels (N,)."""
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows]})
    table["label"] = [dataset.classes[label] for label in labels]
    table["predicted"] = [dataset.classes[label] for label in probabilities.argmax(axis=1)]
    for number, name in enumerate(dataset.classes):
        table[f"probability_{name}"] = probabilities[:, number]
    # The largest probability before the temperature: what thresholds are held against.
    table["score"] = raw.max(axis=1)
    write_csv(table, path)
