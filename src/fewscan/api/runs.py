"""The verbs that take a run: calibrate, evaluate, explain, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import (
    folder_of,
    opened_classifier,
    opened_dataset,
    opened_dataset_of,
    opened_run,
    read_of,
    refuse_stored,
    require_ready,
)
from fewscan.errors import FewscanError
from fewscan.folders import OTHER_DATASET, REPORT_FILE, require_kind
from fewscan.idle import refuse_idle
from fewscan.locks import alone
from fewscan.splits.support import TARGET_ERROR
from fewscan.wording import command_line

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.evaluation.calibration import Calibration
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.explaining.evidence import Evidence
    from fewscan.explaining.evidence_check import EvidenceCheck
    from fewscan.exporting.export import Export, ExportFormat
    from fewscan.training.run import Run


def calibrate(
    run: str | Path | Run,
    *,
    folds: int | None = None,
    pile: bool | None = None,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Calibration:
    """Fit the run's temperature on labeled images that it has not learned from; see `fewscan.evaluation.calibrate`.

    folds: hold out all labels in turn, in this many trainings. pile: hold labels out once more for the dataset's own unlabeled
    scans, by default if that takes seconds; a calibration without it stays, and this is added. data: where the run's dataset is
    now, if it was moved. overwrite: replace an existing calibration.
    """
    from fewscan.evaluation import calibrate as calibrating
    from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration

    opened = opened_classifier(run, data)
    with alone(opened.folder, "calibrate"):
        known = Calibration.load(opened) if pile and not overwrite else None
        added = known is not None and calibrating.adds_pile(known, folds=folds, pile=pile, anew=overwrite)
        refuse_stored(opened, CALIBRATION_FILE, "is already calibrated", overwrite=overwrite or added)
        return calibrating.calibrate(opened, opened_dataset_of(opened), folds=folds, pile=pile, anew=overwrite)


def evaluate(
    run: str | Path | Run,
    *,
    on: str | Path | Dataset | Snapshot | None = None,
    target_error: float | None = None,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Evaluation:
    """Open the sealed test set and score the run on it.

    A run whose split has no test set gets a cross-validated score, by five more trainings unless `calibrate` has made them
    (`fewscan.evaluation.cross_validate`); `Evaluation.kind` says which it is. The labels are today's: corrected ones count, and
    so do images of the split's test groups that were labeled or added since. on: another labeled dataset to score the run on
    instead, such as one of another scanner; see `fewscan.labeling.other_dataset`. target_error: the error at which labels are
    accepted there, by default that of `label`. data: where the run's dataset is now, if it was moved. overwrite: replace an
    existing evaluation, which `open_run(run).evaluation` shows, and open the test set once more.
    """
    from fewscan.evaluation import evaluate as evaluation
    from fewscan.evaluation.cross_validate import cross_validate
    from fewscan.evaluation.today import today

    if on is None:
        refuse_idle({"--target-error": target_error is not None}, "a score on another dataset", "name that with --on")
    opened = opened_classifier(run, data)
    if on is not None:
        require_kind(folder_of(on), ("dataset",), OTHER_DATASET)
        target = TARGET_ERROR if target_error is None else target_error
        return _evaluate_on(opened, opened_dataset(on), target, overwrite=overwrite)
    with alone(opened.folder, "evaluate"):
        _require_own(opened)
        by = ("evaluate", "compare")
        refuse_stored(opened, evaluation.EVALUATION_FILE, "is already evaluated", overwrite=overwrite, opened_by=by)
        seen = opened_dataset_of(opened)
        now = opened.dataset_now(seen.folder)
        if not len(seen.rows("test")):
            return cross_validate(opened, seen, now)
        return evaluation.evaluate(opened, seen, today(seen, now))


def _evaluate_on(run: Run, other: Dataset, target_error: float, *, overwrite: bool) -> Evaluation:
    from fewscan.evaluation.calibration import Calibration
    from fewscan.labeling.asked import Asked
    from fewscan.labeling.other_dataset import evaluate_on
    from fewscan.labeling.other_evaluation import OtherEvaluation, evaluation_file

    Asked(target_error)  # an error that cannot be is said before what stands already
    name = other.folder.resolve().name
    with alone(run.folder, "evaluate"):
        known = None if overwrite else OtherEvaluation.load_of(run, name)
        if known is not None and known.dataset_identity != other.images.identity:
            raise FewscanError(
                f"{run.folder} is already evaluated on another dataset whose folder was called {name} too "
                f"({evaluation_file(name)}): rename {other.folder}, or give --overwrite to replace that"
            )
        otherwise = known is not None and not known.is_under(Calibration.load(run))
        of_others = ", by other probabilities than its calibration gives now" if otherwise else ""
        refuse_stored(run, evaluation_file(name), f"is already evaluated on {name}{of_others}", overwrite=overwrite)
        return evaluate_on(run, opened_dataset_of(run), other.unsplit(), target_error)


def _require_own(run: Run) -> None:
    """Raise FewscanError where the dataset that was named as the run's own is another one, which a user may have meant."""
    if run.data is not None and run.dataset_now().images.identity != run.record.dataset_identity:
        other = command_line("evaluate", run.folder, "--on", run.data)
        raise FewscanError(
            f"{run.data} is not the dataset that {run.folder} was made from, and --data says where that is now: to score the "
            f"run on {run.data}, use '{other}'"
        )


def explain(
    run: str | Path | Run,
    image: str | Path,
    *,
    out: str | Path = "explanation.png",
    class_name: str | None = None,
    names: bool = False,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Evidence:
    """Draw what a prediction for one scan rests on into the PNG file `out`: a heat map and the nearest labeled scans.

    The map is for the predicted class, or for `class_name`. A scan that is out of distribution gets no map unless you name a
    class. The nearest scans are called by their rows, or with `names` by their files, which may contain names of patients.
    data: where the run's dataset is now, if it was moved. overwrite: replace an existing picture.
    """
    from fewscan.atomic import refuse_replacing, require_place, require_suffix
    from fewscan.folders import require_one_scan

    require_one_scan(Path(image))
    require_ready(run, ("run",), data)
    if class_name is not None:
        opened_run(run, data).require_class(class_name)
    require_suffix(Path(out), ".png")
    require_place(Path(out), overwrite=overwrite)
    # Only now, since it takes seconds.
    from fewscan.explaining.evidence import explain_scan
    from fewscan.images.readers import locate
    from fewscan.reporting.evidence_figure import write_figure

    opened = opened_classifier(run, data)
    refuse_replacing(Path(out), locate(Path(image))[0], *read_of(opened, data))
    evidence = explain_scan(opened, opened_dataset_of(opened), Path(image), class_name)
    write_figure(evidence, Path(out), names=names)
    return evidence


def check_evidence(run: str | Path | Run, *, data: str | Path | None = None, overwrite: bool = False) -> EvidenceCheck:
    """Open the sealed test set, and check on it whether heat maps mean anything and whether the score rests on the border.

    The labels are today's, as for `evaluate`. Writes `evidence.json` into the run; see `fewscan.explaining.evidence_check`.
    data: where the run's dataset is now, if it was moved. overwrite: replace an existing check.
    """
    from fewscan.evaluation.today import today
    from fewscan.explaining import evidence_check

    opened = opened_classifier(run, data)
    with alone(opened.folder, "explain --check"):
        name, done = evidence_check.EVIDENCE_FILE, "already has its evidence checked"
        refuse_stored(opened, name, done, overwrite=overwrite, opened_by=("explain",))
        seen = opened_dataset_of(opened)
        return evidence_check.check_evidence(opened, today(seen, opened.dataset_now(seen.folder)))


def report(
    run: str | Path | Run,
    *,
    out: str | Path | None = None,
    names: bool = False,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a self-contained HTML page about the run and return its path, by default `report.html` in the run's folder.

    Labeled and test scans are called by their rows, or with `names` by their files, which may contain names of patients. For an
    evaluated run it opens the test set once more, which is counted once for each score: the same page again shows the same.
    data: where the run's dataset is now, if it was moved. overwrite: replace an existing page.
    """
    from fewscan.atomic import refuse_replacing, require_place, require_suffix
    from fewscan.evaluation.evaluate import Evaluation, read_predictions
    from fewscan.evaluation.today import as_evaluated
    from fewscan.reporting.features_page import write_features_report
    from fewscan.reporting.page import write_report

    opened = opened_run(run, data)
    page = opened.folder / REPORT_FILE if out is None else Path(out)
    require_suffix(page, ".html")
    require_place(page, overwrite=overwrite)
    if out is not None:
        refuse_replacing(page, *read_of(opened, data))
    dataset = opened_dataset_of(opened)
    if not opened.record.classes:
        return write_features_report(opened, dataset, page, names=names)
    evaluation = Evaluation.load(opened)
    if evaluation is not None and evaluation.on_test_set:
        dataset = as_evaluated(dataset, opened.dataset_now(dataset.folder), read_predictions(opened))
    return write_report(opened, dataset, page, names=names)


def export(
    run: str | Path | Run,
    *,
    format: ExportFormat = "onnx",
    out: str | Path | None = None,
    data: str | Path | None = None,
) -> Export:
    """Write a finished run as files that others can use, with a model card, into a new folder.

    out: by default `export-FORMAT` in the run's folder. It is written only if the files give the same answers about scans as
    the run; see `fewscan.exporting.proof.prove`. data: where the run's dataset is now, if it was moved.
    """
    from fewscan.atomic import new_folder, require_place, writing

    require_ready(run, ("run",), data)
    if out is not None:
        require_place(Path(out), instead="remove it first")
    # Only now, since it takes seconds.
    from fewscan.exporting.export import check_format, export_model
    from fewscan.reporting.model_card import write_model_card

    check_format(format)
    opened = opened_classifier(run, data)
    dataset = opened_dataset_of(opened)
    folder = opened.folder / f"export-{format}" if out is None else Path(out)
    with writing(folder), new_folder(folder) as temporary:
        exported = export_model(opened, dataset, temporary, folder, format)
        write_model_card(opened, dataset, exported, temporary)
    return exported
