"""The verbs that take a run: calibrate, evaluate, label, explain, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import opened_classifier, opened_dataset_of, opened_run, read_of, refuse_stored, require_ready
from fewscan.locks import alone
from fewscan.splits.support import TARGET_ERROR

if TYPE_CHECKING:
    from fewscan.evaluation.calibration import Calibration
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.explaining.evidence import Evidence
    from fewscan.explaining.evidence_check import EvidenceCheck
    from fewscan.exporting.export import Export, ExportFormat
    from fewscan.labeling.label import LabelSummary
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

    With `pile` labels are held out once more for the dataset's own unlabeled scans, by default where that takes seconds; a
    calibration without it stays, and gets it. With `overwrite` a calibration that stands there is replaced.
    """
    from fewscan.evaluation import calibrate as calibrating
    from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration

    opened = opened_classifier(run, data)
    with alone(opened.folder, "calibrate"):
        known = Calibration.load(opened) if pile and not overwrite else None
        added = known is not None and calibrating.adds_pile(known, folds=folds, pile=pile, anew=overwrite)
        refuse_stored(opened, CALIBRATION_FILE, "is calibrated", overwrite=overwrite or added)
        return calibrating.calibrate(opened, opened_dataset_of(opened), folds=folds, pile=pile, anew=overwrite)


def evaluate(run: str | Path | Run, *, data: str | Path | None = None, overwrite: bool = False) -> Evaluation:
    """Open the sealed test set and score the run on it; `data` is where the run's dataset lies now, if it was moved.

    A run whose split has no test set gets a cross-validated score, by five more trainings unless `calibrate` has made them
    (`fewscan.evaluation.cross_validate`); `Evaluation.kind` says which it is. The labels are those of today: corrected ones
    count, and images of the split's test groups that were labeled or added since. With `overwrite` an evaluation that stands
    there is replaced, and the test set opened once more.
    """
    from fewscan.evaluation import evaluate as evaluation
    from fewscan.evaluation.cross_validate import cross_validate
    from fewscan.evaluation.today import today

    opened = opened_classifier(run, data)
    with alone(opened.folder, "evaluate"):
        refuse_stored(opened, evaluation.EVALUATION_FILE, "is evaluated", overwrite=overwrite)
        seen = opened_dataset_of(opened)
        now = opened.dataset_now(seen.folder)
        if not len(seen.rows("test")):
            return cross_validate(opened, seen, now)
        return evaluation.evaluate(opened, seen, today(seen, now))


def label(
    run: str | Path | Run,
    scans: str | Path | None = None,
    *,
    out: str | Path,
    target_error: float = TARGET_ERROR,
    coverage: float = 0.9,
    coverage_per_class: bool = False,
    candidates: int | None = None,
    exact_copies_only: bool = False,
    follow_links: bool = False,
    devices: int = 1,
    data: str | Path | None = None,
) -> LabelSummary:
    """Label `scans`, a folder or one file, or without them the dataset's own unlabeled scans, into the table `out`.

    CSV or Parquet by the name of `out`. candidates: among how many runs, this one counted, the run was chosen by labels that
    it had not learned from; by default as many as were trained on the dataset with such labels. Scans that the run has seen
    already are marked, and the promise is not about them; with `exact_copies_only` by file and pixels alone. Links out of the
    folder are set aside without `follow_links`. devices: how many processes share the scans, each with a GPU or a part of the
    CPU's cores. Called again after a stop or a kill it goes on; see `fewscan.labeling.label`.
    """
    from fewscan.partial import refuse_finished

    require_ready(run, ("run",), data)
    refuse_finished(Path(out), "label")
    # Only now, since it takes seconds.
    from fewscan.labeling.grounds import Asked
    from fewscan.labeling.label import label_scans, label_unlabeled

    asked = Asked(target_error, coverage, coverage_per_class, candidates)
    opened = opened_classifier(run, data)
    dataset = opened_dataset_of(opened)
    if scans is None:
        return label_unlabeled(opened, dataset, Path(out), asked, devices=devices)
    near = not exact_copies_only
    return label_scans(opened, dataset, Path(scans), Path(out), asked, near=near, follow_links=follow_links, devices=devices)


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

    The map is about the predicted class, or about `class_name`. A scan that is out of distribution has none unless a class
    is asked about. With `names` the nearest scans carry the names of their files, which may hold names of patients; else their
    rows. With `overwrite` a picture that stands there is replaced.
    """
    from fewscan.atomic import refuse_replacing, require_place, require_suffix

    require_ready(run, ("run",), data)
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
    """Open the sealed test set, and check on it whether heat maps mean something and whether the score lives on the border.

    The labels are those of today, as for `evaluate`. Writes `evidence.json` into the run; see
    `fewscan.explaining.evidence_check`. With `overwrite` one that stands there is replaced.
    """
    from fewscan.evaluation.today import today
    from fewscan.explaining import evidence_check

    opened = opened_classifier(run, data)
    with alone(opened.folder, "explain --check"):
        refuse_stored(opened, evidence_check.EVIDENCE_FILE, "has its evidence checked", overwrite=overwrite)
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
    """Write a self-contained HTML page about the run and return its path (`report.html` in the run folder).

    With `names` labeled and test scans carry the names of their files, which may hold names of patients; else their rows.
    With `overwrite` a page that stands there is replaced.
    """
    from fewscan.atomic import refuse_replacing, require_place, require_suffix
    from fewscan.evaluation.evaluate import Evaluation, read_predictions
    from fewscan.evaluation.today import as_evaluated
    from fewscan.reporting.features_page import write_features_report
    from fewscan.reporting.page import REPORT_FILE, write_report

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
    """Write a finished run as files that others can use, with a model card, into a new folder (`export-FORMAT` in the run's).

    The folder appears only where the files say of scans what the run says; see `fewscan.exporting.proof.prove`.
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
