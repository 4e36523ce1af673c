"""The score of a run without a test set: of every labeled image, as a network said it that has not learned from it."""

import numpy as np

from fewscan.atomic import remove_folder
from fewscan.datasets.asked_labels import asked_by_review, teaching_labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import FOLDS, calibrate, cross_calibrated, has_enough_validation
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, are_taught_before, cross_fit
from fewscan.evaluation.evaluate import (
    EVALUATION_FILE,
    HELD_OUT_PREDICTIONS_FILE,
    Evaluation,
    described,
    write_predictions,
)
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.intervals import NOT_DEFINED
from fewscan.evaluation.metrics import score_intervals
from fewscan.evaluation.today import SinceTraining, labels_of_today
from fewscan.splits.class_gaps import never_learned
from fewscan.training.run import Run
from fewscan.training.seen import seen_among
from fewscan.wording import command_line


def cross_validate(run: Run, seen: Snapshot, now: Dataset | None = None) -> Evaluation:
    """Score `run` on its labeled images, each held out once with its group, and write `evaluation.json` and its predictions.

    seen: the dataset as the run saw it; now: as it is today, by whose labels it is scored, or None for those that the run saw.
    What a cross-fitting said when the run was calibrated is used; a run that is not calibrated is calibrated so, and where the
    validation set did that, the trainings are made for the score. Stopped or killed, the same call goes on. No test set is
    opened. Probabilities are under a temperature that was fitted without the image's group. Intervals are over groups; that the
    folds' networks learned from one another's images is not in them.
    Raises FewscanError where the run is unfinished, or the labeled images are too few for two folds.
    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions".
    """
    held_out, folds, trained = _held_out(run, seen)
    labels, since = (held_out.labels, SinceTraining()) if now is None else labels_of_today(seen, now, held_out.rows)
    probabilities, raw = cross_calibrated(held_out), held_out.probabilities
    kept = labels >= 0
    if not kept.any():
        entering = command_line("labels", "set", seen.folder, "TABLE")
        raise FewscanError(f"none of the labeled images of {run.folder} has a label now: enter labels with '{entering}'")
    labels, probabilities, raw, rows = labels[kept], probabilities[kept], raw[kept], held_out.rows[kept]
    groups = held_out.groups[kept]
    intervals = score_intervals(probabilities, raw, labels, groups)
    calibration = Calibration.load(run)
    evaluation = Evaluation(
        kind="cross-validated",
        folds=folds,
        # No fold cuts a group, whatever the split does.
        leaking_pairs=None if seen.description.audit is None else 0,
        groups=len(np.unique(groups)),
        test_openings=0,
        test_set_openings=0,
        temperature=1.0 if calibration is None else calibration.temperature,
        calibration_error_before=intervals["calibration_error_before"],
        nearest_neighbor_accuracy=NOT_DEFINED,
        similarity_accuracy=NOT_DEFINED,
        never_learned=never_learned(seen),
        since_training=since,
        seen_without_labels=0 if are_taught_before(seen) else seen_among(seen, rows),
        asked_for=asked_by_review(seen, rows),
        only_teaching=teaching_labels(seen),
        **described(run, seen, rows, probabilities, labels, intervals, run.metrics()[-1]),
    )
    write_predictions(run.folder / HELD_OUT_PREDICTIONS_FILE, seen, rows, labels, probabilities, raw)
    run.store(EVALUATION_FILE, evaluation, [HELD_OUT_PREDICTIONS_FILE])
    if trained:
        # Only now, when what the folds said is written: hours of training lie in them.
        remove_folder(run.folder / FOLDS_FOLDER)
    return evaluation


def _held_out(run: Run, dataset: Snapshot) -> tuple[HeldOut, int, bool]:
    """Return every labeled image as a network said it that has not learned from it, how many networks there were, and whether
    they were trained for this alone.
    """
    run.load_network()  # an unfinished run is refused before hours of training
    calibration = Calibration.load(run)
    if calibration is None and not has_enough_validation(dataset):
        calibration = calibrate(run, dataset)
    if calibration is not None and calibration.folds is not None:
        held_out = HeldOut.load(run, dataset)
        if held_out is not None:
            return held_out, calibration.folds, False
    fitted = cross_fit(run, dataset, FOLDS)
    return fitted.held_out, fitted.folds, True
