"""The score on the sealed test set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pydantic
import torch
from scipy.special import softmax

from fewscan.atomic import replaced_file
from fewscan.config import Settings
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import Probabilities, calibration_error, confusion, scores, weights
from fewscan.evaluation.predictor import Prediction, Predictor
from fewscan.evaluation.similarity import soft_nearest_neighbors
from fewscan.evaluation.today import SinceTraining, Today
from fewscan.splits.class_gaps import never_learned
from fewscan.spreadsheet import read_csv, write_csv
from fewscan.training.probes import nearest_neighbors
from fewscan.training.run import Run

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "test_predictions.csv"

FORMER = ("val_p_acc",)  # the accuracy once more


class ClassScore(Settings):
    """How one class fared."""

    name: str
    images: int
    sensitivity: Interval
    specificity: Interval


class Evaluation(Settings):
    """The content of `evaluation.json`."""

    protocol: Protocol
    leaking_pairs: int | None
    test_images: int
    test_groups: int
    test_openings: int  # by this run, this one included
    test_set_openings: int  # of this test set, by all runs on it until then
    accuracy: Interval
    balanced_accuracy: Interval
    auroc: Interval
    calibration_error: Interval  # under the run's temperature
    temperature: float = 1.0  # that the run had when it was evaluated; 1 where it was not calibrated
    calibration_error_before: Interval | None = None  # without the temperature; None where it was not calibrated
    nearest_neighbor_accuracy: Interval  # of the most similar labeled image's label, by features h
    similarity_accuracy: Interval  # of soft nearest labeled neighbors, by projections z
    classes: tuple[ClassScore, ...]
    never_learned: tuple[str, ...] = ()  # classes of which no image was learned from with its label
    confusion: tuple[tuple[int, ...], ...]  # row: true class, column: predicted class
    c_acc: float | None  # of the last epoch of training, as the run's log has them
    r_acc: float | None
    p_acc: float | None
    dataset_fingerprint: str
    since_training: SinceTraining = SinceTraining()  # what became of the test set since the run was made

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_former(cls, values: Any) -> Any:
        """Leave out what evaluations before 2026-11-27 held besides."""
        return {key: value for key, value in values.items() if key not in FORMER} if isinstance(values, dict) else values

    @property
    def temperature_hurt(self) -> bool:
        """Whether the run's temperature made the calibration error on the test set larger than it is without one."""
        before, after = self.calibration_error_before, self.calibration_error
        return before is not None and before.value is not None and after.value is not None and after.value > before.value

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's evaluation, or None where it has not been evaluated."""
        return run.stored(EVALUATION_FILE, cls, f"fewscan evaluate {run.folder}")


def evaluate(run: Run, seen: Snapshot, now: Today | None = None) -> Evaluation:
    """Open the test set once, score `run` on it, and write `evaluation.json` and `test_predictions.csv`.

    seen: the dataset as the run saw it; now: with the test set and labels of today, or None for those that the run saw.
    The opening is noted in run and dataset before anything is computed. Intervals are over groups, so that images which belong
    together do not count as independent.
    """
    now = now or Today(seen, SinceTraining())
    dataset = now.dataset
    predictor = Predictor.of(run)
    rows = dataset.rows("test")
    calibrated = Calibration.load(run) is not None
    openings = run.note_test_opening("evaluate", dataset)
    predicted = predictor.predict(dataset.pixels, rows)
    raw = softmax(predicted.logits, axis=1)
    labels = dataset.labels[rows]
    intervals = _intervals(dataset, predicted, predictor.predict(dataset.pixels, dataset.rows("labeled")))
    last_epoch = run.metrics()[-1]
    counts = confusion(predicted.probabilities, labels)
    evaluation = Evaluation(
        protocol=run.record.protocol,
        leaking_pairs=run.record.leaking_pairs,
        test_images=len(rows),
        test_groups=len(np.unique(dataset.groups[rows])),
        test_openings=openings.by_run,
        test_set_openings=openings.by_all_runs,
        accuracy=intervals["accuracy"],
        balanced_accuracy=intervals["balanced_accuracy"],
        auroc=intervals["auroc"],
        calibration_error=intervals["calibration_error"],
        temperature=predictor.temperature,
        calibration_error_before=intervals["calibration_error_before"] if calibrated else None,
        nearest_neighbor_accuracy=intervals["nearest_neighbor_accuracy"],
        similarity_accuracy=intervals["similarity_accuracy"],
        classes=tuple(
            ClassScore(
                name=name,
                images=int(counts[number].sum()),
                sensitivity=intervals[f"sensitivity/{number}"],
                specificity=intervals[f"specificity/{number}"],
            )
            for number, name in enumerate(dataset.classes)
        ),
        never_learned=never_learned(dataset),
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        c_acc=last_epoch.get("c_acc"),
        r_acc=last_epoch.get("r_acc"),
        p_acc=last_epoch.get("p_acc"),
        dataset_fingerprint=dataset.description.fingerprint,
        since_training=now.since,
    )
    _write_predictions(run.folder / PREDICTIONS_FILE, dataset, rows, predicted.probabilities, raw)
    run.store(EVALUATION_FILE, evaluation, [PREDICTIONS_FILE])
    return evaluation


def _intervals(dataset: Snapshot, tested: Prediction, labeled: Prediction) -> dict[str, Interval]:
    """Return every score of the test set, the read-outs by labeled images among them, with its interval."""
    rows = dataset.rows("test")
    labels, bank_labels = dataset.labels[rows], dataset.labels[dataset.rows("labeled")]
    raw = softmax(tested.logits, axis=1)
    nearest, _ = nearest_neighbors(torch.from_numpy(tested.features), torch.from_numpy(labeled.features))
    neighbor_hits = bank_labels[nearest.numpy()] == labels
    votes = soft_nearest_neighbors(
        torch.from_numpy(tested.projections),
        torch.from_numpy(labeled.projections),
        torch.from_numpy(bank_labels),
        len(dataset.classes),
    )
    similarity_hits = votes.argmax(dim=1).numpy() == labels
    classes = np.unique(labels)

    def score(positions: Rows) -> Mapping[str, float]:
        return scores(tested.probabilities[positions], labels[positions], classes) | {
            "calibration_error_before": calibration_error(raw[positions], labels[positions]),
            "nearest_neighbor_accuracy": float(neighbor_hits[positions].mean()),
            "similarity_accuracy": float(similarity_hits[positions].mean()),
        }

    return bootstrap(
        score,
        dataset.groups[rows],
        weights=weights(labels, len(dataset.classes)),
        raised_by_resampling=("calibration_error", "calibration_error_before"),
    )


def read_predictions(run: Run) -> pd.DataFrame:
    """Return what an evaluation said of each test image: row, label, predicted, one probability a class, score.

    Raises FewscanError where the table is damaged.
    """
    types: dict[str, Any] = {"row": "int64", "label": "str", "predicted": "str"}
    types |= {f"probability_{name}": "float64" for name in run.record.classes} | {"score": "float32"}
    return read_csv(run.folder / PREDICTIONS_FILE, types, f"run 'fewscan evaluate {run.folder} --overwrite'")


def _write_predictions(path: Path, dataset: Snapshot, rows: Rows, probabilities: Probabilities, raw: Probabilities) -> None:
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows]})
    table["label"] = [dataset.classes[label] for label in dataset.labels[rows]]
    table["predicted"] = [dataset.classes[label] for label in probabilities.argmax(axis=1)]
    for number, name in enumerate(dataset.classes):
        table[f"probability_{name}"] = probabilities[:, number]
    # The largest probability before the temperature: what thresholds are held against.
    table["score"] = raw.max(axis=1)
    with replaced_file(path) as temporary:
        write_csv(table, temporary)
