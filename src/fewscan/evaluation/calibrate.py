"""A finished run gets its temperature, from images that it has not learned from."""

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax
from sklearn.model_selection import GroupKFold

from fewscan.atomic import remove_folder
from fewscan.datasets.asked_labels import teaching_labels
from fewscan.datasets.candidates import candidates, note_candidate, require_candidate
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration, Logits, PileCalibration, fit_temperature
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, CrossFit, course_of, cross_fit, require_folds, trainings_of
from fewscan.evaluation.held_out import HELD_OUT_FILE, PILE_FILE, HeldOut, predict_held_out
from fewscan.evaluation.intervals import Rows, bootstrap
from fewscan.evaluation.metrics import calibration_error
from fewscan.evaluation.predictor import Predictor
from fewscan.learning.registry import method_type
from fewscan.progress import say
from fewscan.splits.acceptance import in_turn_helps
from fewscan.splits.support import ENOUGH_VALIDATION, PARTS_IN_TURN
from fewscan.splits.units import independent
from fewscan.training.run import Run
from fewscan.wording import counted

FOLDS = PARTS_IN_TURN


def calibrate(
    run: Run, dataset: Snapshot, *, folds: int | None = None, pile: bool | None = None, anew: bool = False
) -> Calibration:
    """Fit the run's temperature on held-out labeled images, and write `calibration.json` and `held_out.csv`.

    Held out are the images of the validation set where they are of ENOUGH_VALIDATION groups. Otherwise, or with `folds` given,
    all labeled images are, in turn, by as many trainings (see `cross_fitting.cross_fit`). The test set has no share in it.
    With `pile` the labels are held out once more, in turn, from images that are learned from without them, into
    `held_out_pile.csv`: what that says holds for the dataset's own unlabeled scans, from which the run has learned, too. By
    default where it takes seconds and can be done. A calibration that lacks it gets it, and stays, unless all is to be done
    `anew`.
    Raises FewscanError where the run is unfinished, the labels are too few for two folds, or where the validation set would
    replace what a cross-fitting gave; for `pile`, where nothing was learned from unlabeled scans.
    """
    wanted = _wants_pile(run, dataset, pile)
    known = _known(run, anew)
    if known is not None and adds_pile(known, folds=folds, pile=pile, anew=anew):
        return _with_pile(run, dataset, known)
    if folds is None and known is not None and known.source == "cross-fitting":
        raise FewscanError(
            f"{run.folder} is already calibrated on all labels, held out in turn: to repeat that, give --folds {FOLDS}"
        )
    parts = FOLDS if folds is None else folds
    run.load_network()  # an unfinished run is refused before hours of training
    require_candidate(dataset, run.identity)
    in_turn = folds is not None or not has_enough_validation(dataset)
    fitted = None
    # Told as one: who waits wants to know how long all of it takes.
    kinds = [*([False] if in_turn else []), *([True] if wanted else [])]
    course = course_of(run, dataset, parts, *kinds) if kinds else None
    if in_turn:
        fitted = cross_fit(run, dataset, parts, course=course)
        held_out = fitted.held_out
    else:
        held_out = predict_held_out(Predictor.of(run), dataset, dataset.measuring("validation"))
    of_pile = cross_fit(run, dataset, parts, as_pile=True, course=course) if wanted else None
    calibration = _calibrate(run, dataset, held_out, fitted, of_pile)
    if fitted is not None or of_pile is not None:
        # Only now, when what the folds said is written: hours of training lie in them.
        remove_folder(run.folder / FOLDS_FOLDER)
    return calibration


def trainings_to_calibrate(run: Run, dataset: Snapshot, folds: int = FOLDS) -> str:
    """Return by how many trainings `calibrate` holds the labels of a finished run out, and how long they take, in words.

    Raises FewscanError where they cannot be held out in turn.
    """
    kinds = [False, True] if run.settings.solved and _learns_from_unlabeled(run, dataset) else [False]
    parts, course = trainings_of(run, dataset, folds, *kinds)
    return f"{counted(parts * len(kinds), 'training')}, {course.left}"


def adds_pile(known: Calibration, *, folds: int | None, pile: bool | None, anew: bool) -> bool:
    """Return whether `calibrate` so asked leaves a calibration as it is, and only adds what it lacks for unlabeled scans."""
    return bool(pile) and folds is None and not anew and known.pile is None


def _wants_pile(run: Run, dataset: Snapshot, asked: bool | None) -> bool:
    learns = _learns_from_unlabeled(run, dataset)
    if asked is None and learns and run.settings.solved and (why := cannot_cross_fit(run, dataset)) is not None:
        if has_enough_validation(dataset):  # otherwise it is why nothing is calibrated
            say(f"no labels are held out for decisions on the dataset's own unlabeled scans: {why}")
        return False
    if asked and not learns:
        raise FewscanError(
            f"the classifier of {run.folder} has learned nothing from unlabeled scans, so what its held-out labels show for "
            "new scans also holds for those: leave out --pile"
        )
    return learns and run.settings.solved if asked is None else asked


def _learns_from_unlabeled(run: Run, dataset: Snapshot) -> bool:
    return method_type(run.settings.method.name).uses_unlabeled and len(dataset.rows("unlabeled")) > 0


def _known(run: Run, anew: bool) -> Calibration | None:
    try:
        return Calibration.load(run)
    except FewscanError:
        if not anew:
            raise
        # Who predicts reads it, too.
        (run.folder / CALIBRATION_FILE).unlink()
        return None


def _with_pile(run: Run, dataset: Snapshot, known: Calibration) -> Calibration:
    """Hold labels out for the unlabeled scans alone; what is known of new ones stays as it is."""
    fitted = cross_fit(run, dataset, known.folds or FOLDS, as_pile=True)
    fitted.held_out.save(run.folder, dataset.classes, PILE_FILE)
    calibration = known.model_copy(update={"pile": _of_pile(fitted)})
    calibration.save(run, [HELD_OUT_FILE, PILE_FILE])
    remove_folder(run.folder / FOLDS_FOLDER)
    return calibration


def _of_pile(fitted: CrossFit) -> PileCalibration:
    images, groups = len(fitted.held_out.rows), len(np.unique(fitted.held_out.groups))
    return PileCalibration(folds=fitted.folds, images=images, groups=groups, surety=fitted.surety)


def cannot_calibrate(run: Run, dataset: Snapshot) -> str | None:
    """Return why a finished run cannot be calibrated on the labels that its dataset grants, or None where it can."""
    return None if has_enough_validation(dataset) else cannot_cross_fit(run, dataset)


def cannot_cross_fit(run: Run, dataset: Snapshot) -> str | None:
    """Return why the labels of a run cannot be held out in turn, or None where they can."""
    try:
        require_folds(run, dataset, FOLDS)
    except FewscanError as error:
        return str(error)
    return None


def can_be_scored(run: Run, dataset: Snapshot) -> bool:
    """Return whether there are images that a run has not learned from: a test set, or labels that can be held out in turn."""
    return len(dataset.rows("test")) > 0 or cannot_cross_fit(run, dataset) is None


def lacks_calibration(run: Run, dataset: Snapshot) -> bool:
    """Return whether a run is not calibrated, and can be."""
    return not (run.folder / CALIBRATION_FILE).exists() and cannot_calibrate(run, dataset) is None


def lacks_cross_fitting(run: Run, dataset: Snapshot, known: Calibration | None) -> bool:
    """Return whether `label` accepts nothing by a run's validation set, and all labels held out in turn would suffice."""
    if known is None or known.source == "cross-fitting" or cannot_cross_fit(run, dataset) is not None:
        return False
    return in_turn_helps(dataset, len(candidates(dataset.folder) | {run.identity}))


def has_enough_validation(dataset: Snapshot) -> bool:
    """Return whether the validation set suffices to calibrate a run, and to accept labels, without further training."""
    return independent(dataset, "validation") >= ENOUGH_VALIDATION


def _calibrate(
    run: Run, dataset: Snapshot, held_out: HeldOut, fitted: CrossFit | None = None, of_pile: CrossFit | None = None
) -> Calibration:
    before, after = held_out.probabilities, cross_calibrated(held_out)
    note_candidate(dataset, run.identity)

    def score(positions: Rows) -> Mapping[str, float]:
        labels = held_out.labels[positions]
        return {
            "before": calibration_error(before[positions], labels),
            "after": calibration_error(after[positions], labels),
        }

    errors = bootstrap(score, held_out.groups, raised_by_resampling=("before", "after"))
    calibration = Calibration.parse(
        {
            "temperature": fit_temperature(held_out.logits, held_out.labels),
            "source": "validation" if fitted is None else "cross-fitting",
            "folds": None if fitted is None else fitted.folds,
            "images": len(held_out.rows),
            "groups": len(np.unique(held_out.groups)),
            "calibration_error_before": errors["before"],
            "calibration_error_after": errors["after"],
            "surety": None if fitted is None else fitted.surety,
            "pile": None if of_pile is None else _of_pile(of_pile),
            "only_teaching": 0 if fitted is None else teaching_labels(dataset),
            "dataset_fingerprint": dataset.description.fingerprint,
        }
    )
    # The temperature last: its being there says that both are.
    held_out.save(run.folder, dataset.classes)
    beside = [HELD_OUT_FILE]
    if of_pile is None:
        (run.folder / PILE_FILE).unlink(missing_ok=True)
    else:
        of_pile.held_out.save(run.folder, dataset.classes, PILE_FILE)
        beside.append(PILE_FILE)
    calibration.save(run, beside)
    return calibration


def cross_calibrated(held_out: HeldOut) -> Logits:
    """Return probabilities (N, K), each image's under a temperature that was fitted without its group."""
    groups = len(np.unique(held_out.groups))
    if groups < 2:
        raise FewscanError(
            "all held-out images are of one patient or set of copies: draw a split with a larger "
            "--validation and train on it, or calibrate with --folds"
        )
    probabilities = np.empty_like(held_out.logits)
    for rest, fold in GroupKFold(min(FOLDS, groups)).split(held_out.logits, groups=held_out.groups):
        others = held_out.take(rest)
        probabilities[fold] = softmax(held_out.logits[fold] / fit_temperature(others.logits, others.labels), axis=1)
    return probabilities
