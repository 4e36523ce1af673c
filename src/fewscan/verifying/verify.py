"""A folder of fewscan's -> what was checked of it, and what does not hold.

What is cheap every verb checks anyway, when it opens a folder; here every byte is read.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from fewscan.comparison.plan import Comparison
from fewscan.config import Settings
from fewscan.datasets.candidates import candidates
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import TestSetOpenings, openings
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.evaluation.evaluate import EVALUATION_FILE, Evaluation
from fewscan.evaluation.held_out import HELD_OUT_FILE, PILE_FILE, HeldOut
from fewscan.explaining.evidence_check import EVIDENCE_FILE, EvidenceCheck
from fewscan.folders import Kind, require_kind
from fewscan.images.patient_keys import KEYS_FILE, PatientKeys
from fewscan.labeling.other_evaluation import OtherEvaluation, evaluated_on
from fewscan.stressing.stress import STRESS_FILE, StressTest
from fewscan.training.checkpoint import has_checkpoint, read_checkpoint
from fewscan.training.kept_features import FOLDER, verify_features
from fewscan.training.run import Run

Opened = TypeVar("Opened")


class Check(Settings):
    """One thing that was checked; `fault` says what is wrong with it, None if nothing is."""

    what: str
    fault: str | None = None


class Verification(Settings):
    """What `verify` found in a folder."""

    folder: str
    kind: Kind
    checks: tuple[Check, ...]

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words."""
        return [check.fault for check in self.checks if check.fault is not None]


def verify(folder: Path) -> Verification:
    """Check every file of a dataset, a run with its dataset, or a comparison with its runs; nothing is changed.

    Raises FewscanError where `folder` is none of these.
    """
    checks: dict[Kind, Callable[[Path], Iterator[Check]]] = {
        "dataset": _dataset_checks,
        "run": _run_checks,
        "comparison": _comparison_checks,
    }
    kind = require_kind(folder)
    return Verification(folder=str(folder), kind=kind, checks=tuple(checks[kind](folder)))


def _opened(what: str, look: Callable[[], Opened]) -> tuple[Check, Opened | None]:
    """Return whether a look finds no fault, and what it opened, None where it finds one."""
    try:
        return Check(what=what), look()
    except FewscanError as fault:
        return Check(what=what, fault=str(fault)), None


def _check(what: str, look: Callable[[], object]) -> Check:
    check, _ = _opened(what, look)
    return check


def _dataset_checks(folder: Path) -> Iterator[Check]:
    check, dataset = _opened("its files belong together", lambda: Dataset.open(folder))
    yield check
    if dataset is not None:
        yield from _checks_of(dataset)


def _checks_of(dataset: Dataset) -> Iterator[Check]:
    yield _check("the images are those that were imported", dataset.images.verify)
    yield _check("no entry of the label log was changed or removed", lambda: dataset.labels.verify())
    # It is for its owner's eyes, and others who share the dataset can do without it.
    if os.access(dataset.folder / KEYS_FILE, os.R_OK):
        yield _check("what patients are recognized by", lambda: PatientKeys.load(dataset.folder, needed=False))
    if dataset.description.audit is not None:
        yield _check("the pairs are those that the audit found", lambda: dataset.pairs)
        yield _check("people's decisions on pairs", dataset.pair_decisions.entries)
    for name in dataset.splits:
        check, _ = _opened(f"the split '{name}' is the one that was drawn", partial(dataset.split, name))
        yield check
        if check.fault is None:
            yield _check("the record of test set openings", partial(_openings, dataset, name))
    if (dataset.folder / FOLDER).exists():
        yield _check("the stored features are those that were computed", lambda: verify_features(dataset.folder))
    yield _check("the record of runs that may have been chosen", lambda: candidates(dataset.folder))


def _openings(dataset: Dataset, split: str) -> TestSetOpenings:
    return openings(dataset.snapshot(split))


def _run_checks(folder: Path) -> Iterator[Check]:
    check, run = _opened("the settings and the record can be read", lambda: Run.open(folder))
    yield check
    if run is None:
        return
    yield _check("the log of epochs", run.metrics)
    if has_checkpoint(run):
        yield _check("the checkpoint belongs to this training", lambda: read_checkpoint(run))
    if run.finished:
        yield _check("the weights belong to this training and are numbers", run.load_network)
    made: dict[str, tuple[str, Callable[[Run], object]]] = {
        "calibration": (CALIBRATION_FILE, Calibration.load),
        "evaluation": (EVALUATION_FILE, Evaluation.load),
        "check of evidence": (EVIDENCE_FILE, EvidenceCheck.load),
        "stress test": (STRESS_FILE, StressTest.load),
    }
    for what, (file, load) in made.items():
        # What was never made is not said to be whole.
        if (run.folder / file).exists():
            yield _check(f"the {what} belongs to these weights", partial(load, run))
    for name in evaluated_on(run):
        yield _check(f"the evaluation on {name} belongs to these weights", partial(OtherEvaluation.load_of, run, name))
    yield _check("the record of test set openings", run.test_openings)
    check, dataset = _opened("its dataset has the images that it learned from", run.open_dataset)
    yield check
    if dataset is not None:
        for name in (HELD_OUT_FILE, PILE_FILE):
            yield _check(f"the predictions for held-out images, {name}", partial(HeldOut.load, run, dataset, name))
        yield from _checks_of(run.dataset_now(dataset.folder))


def _comparison_checks(folder: Path) -> Iterator[Check]:
    check, comparison = _opened("the plan can be read", lambda: Comparison.open(folder))
    yield check
    if comparison is None:
        return
    for trial in comparison.plan.trials:
        run_folder = comparison.run_folder(trial)
        if run_folder.exists():
            yield from (check.model_copy(update={"what": f"{trial}: {check.what}"}) for check in _run_checks(run_folder))
