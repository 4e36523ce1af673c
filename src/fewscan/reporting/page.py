"""The report of a run: one self-contained HTML file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.openings import openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.before_opening import open_test_set, same_look
from fewscan.evaluation.calibrate import can_be_scored, cannot_calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.chance import chance_level
from fewscan.evaluation.evaluate import PREDICTIONS_FILE, Evaluation, read_predictions
from fewscan.evaluation.score_warnings import score_warnings
from fewscan.explaining.attribution import heat_map
from fewscan.explaining.evidence_check import EvidenceCheck
from fewscan.folders import REPORT_FILE
from fewscan.images.labeled_whole import whole_of
from fewscan.images.png import scan_picture
from fewscan.images.stored import Chosen
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import RUN, Grounds
from fewscan.labeling.other_evaluation import NO_PROMISE, other_evaluations
from fewscan.progress import track
from fewscan.reporting.checklist import checklist
from fewscan.reporting.decisions_section import describe_decisions
from fewscan.reporting.evidence_figure import scan_and_map
from fewscan.reporting.rendering import render, write_page
from fewscan.reporting.samples import Naming, Scan, crops, shown, some
from fewscan.reporting.stress_section import describe_stress
from fewscan.reporting.training_section import describe_run, describe_training
from fewscan.splits.support import TARGET_ERROR
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import command_line, scan_number

Rows = npt.NDArray[np.int64]

MISTAKES_SHOWN = 10
SAMPLES_A_CLASS = 8
UNLABELED_SAMPLES = 16
CROPS_SHOWN = 8


@dataclass(frozen=True)
class Mistake:
    """A test image, or one held out, that the network called by another class than its label's.

    The picture of a test image has its heat map beside it, unless the image is out of distribution.
    """

    called: str
    pictures: list[str]
    label: str
    predicted: str
    probability: float
    conflicting: bool  # copies of it carry another label
    out_of_distribution: bool
    given_for: str | None  # a whole study, say, that the label was given for; None for the single image


def write_report(run: Run, dataset: Snapshot, out: Path | None = None, *, names: bool = False) -> Path:
    """Write the page about `run` to `out`, or else `report.html` in its folder, and return its path; what is there is replaced.

    dataset: what the run was trained on, as `Run.open_dataset` returns it. A run that is unfinished, not evaluated or whose
    dataset was never audited gives a page that says so. Of the scans the page holds pixels and their numbers, never patients;
    file names, which may hold names of patients, only with `names`. Of the unlabeled ones it holds no label, so no file name
    either: folders are often called as classes are. Raises FewscanError where the run's evaluation is damaged.

    The heat maps of mistakes are computed on test images, which is said and noted as an opening by `report`: once for each
    score, since the page of the same score shows the same.
    """
    evaluation = Evaluation.load(run)
    calibration = Calibration.load(run)
    called = dataset.file_names.__getitem__ if names else scan_number
    # First, since what it looks at is counted among the openings.
    of_the_images: dict[str, Any] = {"decisions": None, "held_out": None, "mistakes": []}
    if evaluation:
        look = _of_the_test_set if evaluation.on_test_set else _of_held_out_images
        of_the_images = look(run, dataset, evaluation, called)
    page = render(
        "report.html",
        evaluation=evaluation,
        chance=chance_level(evaluation) if evaluation else None,
        leaking_pairs=evaluation.leaking_pairs if evaluation and evaluation.on_test_set else run.record.leaking_pairs,
        score_warnings=score_warnings(evaluation) if evaluation else [],
        calibration=calibration,
        can_be_scored=can_be_scored(run, dataset),
        can_be_calibrated=cannot_calibrate(run, dataset) is None,
        evidence=EvidenceCheck.load(run),
        elsewhere=other_evaluations(run),
        no_promise=NO_PROMISE,
        stress=describe_stress(run, dataset),
        checklist=checklist(run, dataset, evaluation, calibration, names=names),
        names=names,
        mistakes_shown=MISTAKES_SHOWN,
        openings=run.test_openings(),
        of_all_runs=openings(dataset),
        usual_error=TARGET_ERROR,
        **of_the_images,
        labeled_samples=_labeled_samples(dataset, called),
        crops=list(crops(dataset, some(dataset.rows("labeled"), CROPS_SHOWN), called)),
        unlabeled_samples=[shown(dataset, row, scan_number) for row in some(dataset.rows("unlabeled"), UNLABELED_SAMPLES)],
        budget=_budget(dataset),
        **describe_run(run, dataset),
        **describe_training(run),
    )
    return write_page(page, out or run.folder / REPORT_FILE)


def _of_the_test_set(run: Run, dataset: Snapshot, evaluation: Evaluation, called: Naming) -> dict[str, Any]:
    """Return what the page says of the test set beside the scores, from the predictions that the evaluation kept."""
    predictions = read_predictions(run)
    if not np.array_equal(predictions["row"], dataset.rows("test")) or len(predictions) != evaluation.images:
        called_so = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        raise FewscanError(
            f"{run.folder / PREDICTIONS_FILE} is damaged or about other images than the test set: run "
            f"'{command_line('evaluate', *called_so, '--overwrite')}'"
        )
    run.require_openings(dataset)
    grounds = Grounds.of(run, dataset, called=RUN)
    counts = {"test_openings", "test_set_openings"}
    open_test_set(run, dataset, "report", shows=same_look(run, evaluation.model_dump_json(exclude=counts)))
    tested = predictions["row"].to_numpy()
    odd = grounds.gate.out_of_distribution(Chosen(dataset.pixels, tested), in_color=dataset.shows_color[tested])
    checked = predictions.assign(out_of_distribution=odd)

    def explained(row: int, predicted: str, out_of_distribution: bool) -> list[str]:
        pixels = np.array(dataset.pixels[row])
        found = None if out_of_distribution else heat_map(grounds.predictor, pixels, dataset.classes.index(predicted))
        return [scan_picture(one) for one in scan_and_map(pixels, found)]

    return {
        "decisions": describe_decisions(grounds, dataset, evaluation, checked),
        "held_out": None,
        "mistakes": _mistakes(dataset, checked, called, explained),
    }


def _of_held_out_images(run: Run, dataset: Snapshot, evaluation: Evaluation, called: Naming) -> dict[str, Any]:
    """Return what the page says of the images of a cross-validated score: mistakes, which the run's own network never made.

    And what becomes of held-out images where labels are accepted by them.
    """
    predictions = read_predictions(run, evaluation.kind)
    return {
        "decisions": None,
        "held_out": Grounds.of(run, dataset, called=RUN).rule(Asked()),
        "mistakes": _mistakes(dataset, predictions, called, lambda row, *_: [shown(dataset, row, called).picture]),
    }


def _mistakes(
    dataset: Snapshot, predictions: pd.DataFrame, called: Naming, shown: Callable[[int, str, bool], list[str]]
) -> list[Mistake]:
    """Return the wrongly called images of which the network was surest, the surest first.

    shown: of a row, what it was called, and whether it is out of distribution, the pictures that the page has of it.
    """
    probabilities = predictions[[f"probability_{name}" for name in dataset.classes]].max(axis=1)
    known = predictions if "out_of_distribution" in predictions else predictions.assign(out_of_distribution=False)
    wrong = known.assign(probability=probabilities)[predictions["predicted"] != predictions["label"]]
    surest = wrong.sort_values("probability", ascending=False, kind="stable").head(MISTAKES_SHOWN)
    conflicts = dataset.manifest["conflict"].to_numpy()
    origins = dataset.manifest["label_from"]
    return [
        Mistake(
            called(int(mistake.row)),
            shown(int(mistake.row), mistake.predicted, mistake.out_of_distribution),
            mistake.label,
            mistake.predicted,
            mistake.probability,
            bool(conflicts[mistake.row]),
            mistake.out_of_distribution,
            whole_of(str(origins.iloc[mistake.row])),
        )
        for mistake in track(surest.itertuples(index=False), "explain mistakes", total=len(surest))
    ]


def _labeled_samples(dataset: Snapshot, called: Naming) -> dict[str, list[Scan]]:
    rows = dataset.rows("labeled")
    labels = dataset.labels[rows]
    return {
        name: [shown(dataset, row, called) for row in some(rows[labels == number], SAMPLES_A_CLASS)]
        for number, name in enumerate(dataset.classes)
    }


def _budget(dataset: Snapshot) -> dict[str, tuple[int, int]]:
    """Return for every class its images in the labeled and in the validation set."""
    labeled, validation = (
        np.bincount(dataset.labels[dataset.rows(part)], minlength=len(dataset.classes)) for part in ("labeled", "validation")
    )
    return {name: (int(labeled[number]), int(validation[number])) for number, name in enumerate(dataset.classes)}
