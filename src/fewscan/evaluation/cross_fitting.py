"""Every labeled image held out once: as many trainings as folds, each without the labels and groups of its fold."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from fewscan.atomic import remove_folder
from fewscan.datasets.learnable import recounted
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError, Reasons
from fewscan.evaluation.course import Course, told_before
from fewscan.evaluation.held_out import HeldOut, group_folds, most_folds, predict_held_out
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.surety import Surety
from fewscan.folders import MODEL_FILE
from fewscan.progress import kept_if_stopped, say
from fewscan.seeds import stream
from fewscan.training.batches import Rows
from fewscan.training.continuing import kept_beginning
from fewscan.training.run import Run
from fewscan.training.train import train_new, train_on

FOLDS_FOLDER = "folds"
# So many images show how sure a network is.
SURETY_IMAGES = 1000


class Fold(NamedTuple):
    """A part of the labeled images, and a finished run that has learned without their labels."""

    rows: Rows
    run: Run


class CrossFit(NamedTuple):
    """Every labeled image as a network said it that has not learned from it, and how sure the networks are."""

    held_out: HeldOut
    folds: int
    surety: Surety | None  # None where there are no unlabeled images to see it on


def cross_fit(run: Run, dataset: Snapshot, folds: int, *, as_pile: bool = False, course: Course | None = None) -> CrossFit:
    """Train the run's settings once for every fold of its labeled and validation images, and predict each fold held out.

    Trains as `trained_folds` does, and raises what that does. The folds' runs stay until who keeps what they said removes them.
    """
    unlabeled = _surety_rows(dataset)
    predictions, sureties = [], []
    with folds_kept(run):
        for fold in trained_folds(run, dataset, folds, as_pile=as_pile, course=course):
            predictor = Predictor.of(fold.run)
            predictions.append(predict_held_out(predictor, dataset, fold.rows))
            if len(unlabeled):
                sureties.append(_mean_score(predictor, dataset, unlabeled))
    held_out_images = HeldOut.joined(predictions)
    if not len(unlabeled):
        return CrossFit(held_out_images, len(predictions), None)
    network = _mean_score(Predictor.of(run), dataset, unlabeled)
    surety = Surety(images=len(unlabeled), network=network, others=tuple(sureties))
    return CrossFit(held_out_images, len(predictions), surety)


def course_of(run: Run, dataset: Snapshot, folds: int, *kinds: bool) -> Course:
    """Say how long it takes to hold the labels of a run out in turn, once for each of `kinds`, and return the course of it.

    kinds: of each time, whether it is done `as_pile`, as for `trained_folds`. Raises FewscanError as `require_folds`.
    """
    parts, course = trainings_of(run, dataset, folds, *kinds)
    say(told_before(course, parts, kinds))
    return course


def trainings_of(run: Run, dataset: Snapshot, folds: int, *kinds: bool) -> tuple[int, Course]:
    """Return in how many parts the labels are held out, and the course of it; otherwise as `course_of`, and nothing is said."""
    require_folds(run, dataset, folds)
    parts = len(_parts(run, dataset, folds))
    return parts, Course([each for kind in kinds for each in _folders(run, parts, kind)], run.training_seconds)


def trained_folds(
    run: Run, dataset: Snapshot, folds: int, *, as_pile: bool = False, course: Course | None = None
) -> Iterator[Fold]:
    """Train the run's settings once for every fold of its labeled and validation images, and yield each when it is trained.

    Labels that measure nothing (`labels.teaching`) are in no fold, and learned from in those that hold out none of their group.

    What is held out is new to who predicts it, or with `as_pile` learned from without its label, as the unlabeled scans are:
    then it speaks for these, of which such a network may be surer than of new ones.
    Takes about as long as `folds` trainings. Called again after a kill it goes on where it stopped. The folds' runs lie in
    the run's folder FOLDS_FOLDER. course: what `course_of` has said of these trainings and others; None where they are all.
    Raises FewscanError where fewer than two folds are asked for, or the labeled images are too few for two.
    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions".
    """
    course = course_of(run, dataset, folds, as_pile) if course is None else course
    parts = _parts(run, dataset, folds)
    for held_out, folder in zip(parts, _folders(run, len(parts), as_pile), strict=True):
        course.begin(folder)
        yield Fold(held_out, _train_without(run, dataset, held_out, folder, as_pile))


def _parts(run: Run, dataset: Snapshot, folds: int) -> list[Rows]:
    """Return the rows of each part of the labels that is held out."""
    rows = dataset.measuring("labeled", "validation")
    labels, groups = dataset.labels[rows], dataset.groups[rows]
    return [rows[positions] for positions in group_folds(labels, groups, folds, run.settings.seed)]


def _folders(run: Run, parts: int, as_pile: bool) -> list[Path]:
    """Return where the trainings lie, or will, that hold so many parts out."""
    name = "pile-{}-of-{}" if as_pile else "{}-of-{}"
    return [run.folder / FOLDS_FOLDER / name.format(number, parts) for number in range(1, parts + 1)]


@contextmanager
def folds_kept(run: Run) -> Iterator[None]:
    """Say, where what asks the folds' networks is stopped, which of their trainings are kept."""

    def kept() -> str | None:
        folders = list((run.folder / FOLDS_FOLDER).glob("[!.]*-of-*"))
        trained = sum((folder / MODEL_FILE).is_file() for folder in folders)
        # Labels may be held out twice: from new scans, and from those that are learned from without them.
        wanted = sum(int(parts) for _, parts in {tuple(re.split(r"\d+-of-", folder.name)) for folder in folders})
        started = " and one has started" if len(folders) > trained else ""
        return f"{trained} of {wanted} trainings are done{started}: they are kept" if folders else None

    with kept_if_stopped(kept):
        yield


def _train_without(run: Run, dataset: Snapshot, rows: Rows, folder: Path, as_pile: bool) -> Run:
    """Train without the labels of `rows`, or go on with it; return the run in `folder`."""
    without = _without_labels_of(dataset, rows, as_pile)
    if folder.exists():
        kept = Run.open(folder)
        if kept.record.split_fingerprint == without.require_split().fingerprint:
            return train_on(kept, without, candidate=False)
        # Of other folds, as an earlier version may have cut them: it may have learned from what it would be asked.
        remove_folder(folder)
    beginning = None if are_taught_before(dataset) else kept_beginning(run)
    settings = run.settings
    if beginning is None:
        settings = settings.model_copy(update={"encoder": settings.encoder.untrained})
    return train_new(without, settings, folder, candidate=False, beginning=beginning)


def are_taught_before(dataset: Snapshot) -> bool:
    """Return whether the weights that a run began with were taught labels that its folds hold out: folds begin without them."""
    return bool(dataset.manifest["taught_before"].to_numpy(bool)[dataset.rows("labeled", "validation")].any())


def require_folds(run: Run, dataset: Snapshot, folds: int) -> None:
    """Raise FewscanError, with all reasons, where the labels of a run cannot be held out in turn, in so many folds."""
    rows = dataset.measuring("labeled", "validation")
    with Reasons("the labels of the run cannot be held out in turn") as reasons:
        if folds < 2:
            reasons.add(f"--folds must be at least 2, not {folds}: with fewer, nothing is held out")
        with reasons.noted():
            _refuse_taught_encoder(run, dataset)
        with reasons.noted():
            most_folds(dataset.labels[rows], dataset.groups[rows], folds, dataset.classes)


def _refuse_taught_encoder(run: Run, dataset: Snapshot) -> None:
    """Raise FewscanError where a run solves on an encoder that was taught what folds hold out, and cannot do without it."""
    if run.settings.solved and are_taught_before(dataset):
        raise FewscanError(
            "the encoder of the run was trained with labels that would be held out, and is not trained again: draw "
            "a split with a larger --validation that it was not trained with, or take another encoder"
        )


def _without_labels_of(dataset: Snapshot, rows: Rows, as_pile: bool) -> Snapshot:
    """Return the dataset with another split: `rows` are its validation set, and as many labels are learned from as by the run.

    What else is in the groups of `rows` is left out: unlabeled copies of a held-out image would be learned from. With `as_pile`
    they are to be, and `rows` are unlabeled, too. Labels of the validation set stand in for held-out ones; more than the run
    learned from would make a network that is right more often than it, and speaks too well of it.
    """
    parts = dataset.manifest["split"].to_numpy(dtype=object).copy()
    together = np.isin(dataset.groups, dataset.groups[rows])
    parts[together & (parts == "labeled")] = "unlabeled"  # labels that measure nothing, and are of a group that is held out
    labeled, validation = np.flatnonzero(parts == "labeled"), np.setdiff1d(dataset.rows("validation"), rows)
    stand_ins = stream(0, "labels that stand in").numpy().permutation(validation)
    parts[validation] = None
    parts[stand_ins[: len(dataset.rows("labeled")) - len(labeled)]] = "labeled"
    if not as_pile:
        parts[together & (parts == "unlabeled")] = None
    parts[rows] = "unlabeled" if as_pile else "validation"
    # What the run began with teaches a fold nothing that is held out: see `_train_without`.
    fresh = replace(dataset, manifest=dataset.manifest.assign(taught_before=False, seen_before=False))
    return recounted(fresh, parts, dataset.require_split())


def _surety_rows(dataset: Snapshot) -> Rows:
    """Return up to SURETY_IMAGES unlabeled rows, one a group, of groups without a label: no fold leaves any of them out."""
    rows = dataset.rows("unlabeled")
    rows = rows[~np.isin(dataset.groups[rows], dataset.groups[dataset.rows("labeled", "validation")])]
    rows = stream(0, "surety images").numpy().permutation(rows)
    _, first = np.unique(dataset.groups[rows], return_index=True)
    chosen: Rows = np.sort(rows[np.sort(first)[:SURETY_IMAGES]])
    return chosen


def _mean_score(predictor: Predictor, dataset: Snapshot, rows: Rows) -> float:
    """Return the mean of the largest probability, before the temperature, over rows of a dataset."""
    return float(softmax(predictor.of_rows(dataset, rows).logits, axis=1).max(axis=1).mean())
