"""One function a verb, name for name the command line's; heavy imports wait for the verb that needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fewscan.errors import FewscanError

if TYPE_CHECKING:
    from fewscan.comparison.budgets import LabelEfficiency
    from fewscan.comparison.plan import Comparison
    from fewscan.comparison.results import Results
    from fewscan.data.audit import AuditResult
    from fewscan.data.dataset import Dataset, Protocol, Resize
    from fewscan.data.formats.slices import Plane
    from fewscan.evaluation.calibration import Calibration
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.explaining.evidence import Evidence
    from fewscan.explaining.evidence_check import EvidenceCheck
    from fewscan.exporting.export import Export, ExportFormat
    from fewscan.labeling.label import LabelSummary
    from fewscan.training.run import Run


def import_scans(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    labels: Sequence[str | Path] = (),
    unlabeled: Sequence[str | Path] = (),
    rename: Mapping[str, str] | None = None,
    path_column: str = "path",
    label_column: str = "label",
    patient_column: str = "patient",
    size_px: int = 96,
    resize: Resize = "stretch",
    channels: Literal[1, 3] = 1,
    plane: Plane = "axial",
    slices: Literal["brain", "all"] = "brain",
) -> Dataset:
    """Read folders of scans into a new dataset folder `out`; see `fewscan.data.importing.import_scans`."""
    from fewscan.data import importing

    listed = [sources] if isinstance(sources, str | Path) else sources
    return importing.import_scans(
        [str(source) for source in listed],
        out,
        labels=labels,
        unlabeled=[str(source) for source in unlabeled],
        rename=rename,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        size_px=size_px,
        resize=resize,
        channels=channels,
        plane=plane,
        slices=slices,
    )


def audit(dataset: str | Path | Dataset, *, similarity: float | None = None) -> AuditResult:
    """Find copies, conflicting labels and leaks; write groups, `audit.json` and `audit.html` into the dataset folder."""
    from fewscan.data import audit as auditing
    from fewscan.reporting.audit_page import write_audit_page

    opened = _dataset(dataset)
    result = auditing.audit(opened) if similarity is None else auditing.audit(opened, similarity=similarity)
    write_audit_page(_dataset(opened.folder), result, opened.folder / "audit.html")
    return result


def split(
    dataset: str | Path | Dataset,
    *,
    labeled: int,
    test: int,
    protocol: Protocol = "leakfree",
    validation: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Draw which images are labeled, validate, stay unlabeled and test; see `fewscan.data.splits.split`."""
    from fewscan.data import splits

    return splits.split(_dataset(dataset), protocol=protocol, labeled=labeled, test=test, validation=validation, seed=seed)


def train(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    method: str | Mapping[str, Any] | None = None,
    recipe: str = "fewscan",
    resume: bool = False,
    **settings: Any,
) -> Run:
    """Train `method` on a split dataset and return the finished run in the folder `out`.

    `method` is a name, or a mapping with the `name` and settings of the method; without it method and size are chosen from the
    data, the length of training and the machine, and said on standard error with their reasons. `settings` are laid over those
    of the recipe: `train("mri", out="runs/a", epochs=20, optimizer={"learning_rate": 1e-3})`.
    With `resume` an interrupted run goes on with the settings that it began with.
    Where the validation part is large enough, the run is calibrated on it at the end; see `calibrate`.
    Raises FewscanError where the split leaks (unless made with protocol `study`, or with `allow_leakage=True`), where a setting
    is unknown, and where a loss stops being finite.
    """
    from fewscan.config import merge
    from fewscan.training.choice import choose
    from fewscan.training.run import Run
    from fewscan.training.settings import RunSettings
    from fewscan.training.train import train_new, train_on

    if resume:
        if settings:
            raise FewscanError(f"a resumed run keeps its settings: leave out {', '.join(settings)}, or start a new run")
        run = Run.open(out)
        split_dataset = run.open_dataset(_dataset(dataset).folder)
        return _calibrated(train_on(run, split_dataset), split_dataset)
    opened = _dataset(dataset)
    opened.require_split()
    sizes = {part: len(opened.rows(part)) for part in ("labeled", "unlabeled")}
    reasons: tuple[str, ...] = ()
    if method is None:
        choice = choose(labeled=sizes["labeled"], unlabeled=sizes["unlabeled"], recipe=recipe, changes=settings)
        method, settings, reasons = choice.method, merge(choice.changes, settings), choice.reasons
    resolved = RunSettings.resolve(method, recipe, settings, **sizes)
    return _calibrated(train_new(opened, resolved, Path(out), notes=(*reasons, resolved.schedule(**sizes))), opened)


def calibrate(run: str | Path | Run, *, folds: int | None = None, data: str | Path | None = None) -> Calibration:
    """Fit the run's temperature on labeled images that it has not learned from; see `fewscan.evaluation.calibrate`."""
    from fewscan.evaluation import calibrate as calibrating

    opened = _run(run)
    return calibrating.calibrate(opened, opened.open_dataset(data), folds=folds)


def evaluate(run: str | Path | Run, *, data: str | Path | None = None) -> Evaluation:
    """Open the sealed test part and score the run on it; `data` is where the run's dataset lies now, if it was moved."""
    from fewscan.evaluation import evaluate as evaluation

    opened = _run(run)
    return evaluation.evaluate(opened, opened.open_dataset(data))


def label(
    run: str | Path | Run,
    folder: str | Path | None = None,
    *,
    out: str | Path,
    target_error: float = 0.05,
    coverage: float = 0.9,
    data: str | Path | None = None,
) -> LabelSummary:
    """Label the scans in `folder`, or without one the dataset's own unlabeled scans, into the table `out`.

    CSV or Parquet by the name of `out`. Called again after a stop or a kill it goes on; see `fewscan.labeling.label`.
    """
    from fewscan.labeling.label import label_folder, label_unlabeled

    opened = _run(run)
    dataset = opened.open_dataset(data)
    if folder is None:
        return label_unlabeled(opened, dataset, Path(out), target_error=target_error, coverage=coverage)
    return label_folder(opened, dataset, Path(folder), Path(out), target_error=target_error, coverage=coverage)


def explain(
    run: str | Path | Run,
    image: str | Path,
    *,
    out: str | Path = "explanation.png",
    class_name: str | None = None,
    data: str | Path | None = None,
) -> Evidence:
    """Draw what a prediction for one scan rests on into the PNG file `out`: a heat map and the nearest labeled scans.

    The map is about the predicted class, or about `class_name`.
    """
    from fewscan.atomic import refuse_existing
    from fewscan.explaining.evidence import explain_scan
    from fewscan.reporting.evidence_figure import write_figure

    refuse_existing(Path(out))
    opened = _run(run)
    evidence = explain_scan(opened, opened.open_dataset(data), Path(image), class_name)
    write_figure(evidence, Path(out))
    return evidence


def check_evidence(run: str | Path | Run, *, data: str | Path | None = None) -> EvidenceCheck:
    """Open the sealed test part, and check on it whether heat maps mean something and whether the score lives on the border.

    Writes `evidence.json` into the run; see `fewscan.explaining.evidence_check`.
    """
    from fewscan.explaining import evidence_check

    opened = _run(run)
    return evidence_check.check_evidence(opened, opened.open_dataset(data))


def report(run: str | Path | Run, *, out: str | Path | None = None, data: str | Path | None = None) -> Path:
    """Write a self-contained HTML page about the run and return its path (`report.html` in the run folder)."""
    from fewscan.reporting.page import write_report

    opened = _run(run)
    return write_report(opened, opened.open_dataset(data), None if out is None else Path(out))


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
    from fewscan.atomic import new_folder, writing
    from fewscan.exporting.export import check_format, export_model
    from fewscan.reporting.model_card import write_model_card

    check_format(format)
    opened = _run(run)
    dataset = opened.open_dataset(data)
    folder = opened.folder / f"export-{format}" if out is None else Path(out)
    with writing(folder), new_folder(folder) as temporary:
        exported = export_model(opened, dataset, temporary, folder, format)
        write_model_card(opened, dataset, exported, temporary)
    return exported


def compare(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    protocols: Sequence[str] = ("study", "leakfree"),
    recipe: str = "fewscan",
    labeled: int | None = None,
    test: int | None = None,
    validation: float | None = None,
    jobs: int | None = None,
    train: bool = True,
    **settings: Any,
) -> Results:
    """Train what is not yet trained of `methods` x `seeds` x `protocols`, and write tables, figures and a page into `out`.

    Without `methods` it is all of them. Called again with the same `out` it goes on where it stopped. Sizes that are not given
    are those of the dataset's split. Without `train` the tables hold what is finished, and `not run` for the rest.
    Raises FewscanError where a run failed, after all others were trained and the tables written.
    """
    from fewscan.comparison.plan import Comparison, make_plan

    plan = make_plan(
        _dataset(dataset),
        methods=methods,
        seeds=seeds,
        protocols=protocols,
        recipe=recipe,
        changes=settings,
        labeled=labeled,
        test=test,
        validation=validation,
    )
    comparison = Comparison.begin(Path(out), plan)
    results, failures = _run_and_write(comparison, jobs, train)
    _refuse_failures(failures, len(comparison.plan.trials))
    return results


def compare_budgets(
    dataset: str | Path | Dataset,
    *,
    out: str | Path,
    labels_budget: Sequence[int],
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    protocols: Sequence[str] = ("study", "leakfree"),
    recipe: str = "fewscan",
    test: int | None = None,
    validation: float | None = None,
    jobs: int | None = None,
    train: bool = True,
    **settings: Any,
) -> LabelEfficiency:
    """Make a comparison like `compare`'s with each of several budgets of labels, and write how scores grow with labels.

    `out` then holds a comparison in `labels-N` for every budget of N labels, and above them one table, figure and page. All
    budgets have the same test images, and a smaller one's labels lie within a larger one's. All splits are drawn before the
    first training begins. Called again with the same `out` it goes on where it stopped, and may add budgets.
    Raises FewscanError where the dataset cannot give a budget, and where a run failed, after all others were trained and all
    was written.
    """
    from fewscan.comparison.budgets import begin_budgets, collect_budgets, distinct_budgets
    from fewscan.comparison.plan import make_plan
    from fewscan.progress import say
    from fewscan.reporting.efficiency import write_efficiency

    budgets = distinct_budgets(labels_budget)
    plan = make_plan(
        _dataset(dataset),
        methods=methods,
        seeds=seeds,
        protocols=protocols,
        recipe=recipe,
        changes=settings,
        labeled=budgets[0],
        test=test,
        validation=validation,
    )
    failures: dict[str, str] = {}
    trials = 0
    for comparison in begin_budgets(Path(out), [plan.with_labels(labels, ()) for labels in budgets]):
        say(f"{comparison.plan.split.labeled} labels")
        _, failed = _run_and_write(comparison, jobs, train)
        failures |= {f"{comparison.folder.name}/{trial}": reason for trial, reason in failed.items()}
        trials += len(comparison.plan.trials)
    efficiency = collect_budgets(Path(out))
    write_efficiency(efficiency)
    _refuse_failures(failures, trials)
    return efficiency


def methods() -> dict[str, str]:
    """Return the methods by name, each with one line on what it does."""
    from fewscan.learning.registry import METHODS

    return {name: method.summary for name, method in METHODS.items()}


def _calibrated(run: Run, dataset: Dataset) -> Run:
    """Calibrate a finished run that is not calibrated yet, where that needs no further training."""
    from fewscan.evaluation.calibrate import calibrate, has_enough_validation
    from fewscan.evaluation.calibration import Calibration

    if Calibration.load(run) is None and has_enough_validation(dataset):
        calibrate(run, dataset)
    return run


def _run_and_write(comparison: Comparison, jobs: int | None, train: bool) -> tuple[Results, dict[str, str]]:
    """Train what a comparison lacks, write its tables, figures and page, and return why runs failed, by their names."""
    from fewscan.comparison.results import collect
    from fewscan.comparison.trials import run_trials
    from fewscan.reporting.comparison_page import write_comparison

    failures = run_trials(comparison, jobs) if train else {}
    results = collect(comparison)
    write_comparison(results)
    return results, {str(trial): reason for trial, reason in failures.items()}


def _refuse_failures(failures: Mapping[str, str], trials: int) -> None:
    if failures:
        trial, reason = next(iter(failures.items()))
        raise FewscanError(f"{len(failures)} of {trials} runs failed, {trial} for one: {reason}")


def _dataset(dataset: str | Path | Dataset) -> Dataset:
    from fewscan.data.dataset import Dataset

    return dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)


def _run(run: str | Path | Run) -> Run:
    from fewscan.training.run import Run

    return run if isinstance(run, Run) else Run.open(run)
