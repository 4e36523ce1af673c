"""The page of a comparison: one self-contained HTML file, whose first sentence says whether `joint` beats `supervised`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from fewscan.atomic import write_text, writing
from fewscan.comparison.commands import commands
from fewscan.comparison.plan import Trial
from fewscan.comparison.results import SCORES, SIGNIFICANT, EvaluatedRun, Results, Row
from fewscan.comparison.study import TABLE1, TABLE2
from fewscan.config import spelled_out
from fewscan.datasets.descriptions import Protocol
from fewscan.evaluation.intervals import Interval
from fewscan.learning.registry import METHODS, method_type
from fewscan.reporting.comparison_figures import write_figures
from fewscan.reporting.comparison_findings import chance, headline, points, ranking, worth_of_copies
from fewscan.reporting.comparison_tables import NOT_RUN, hundredths, verdict, write_tables
from fewscan.reporting.rendering import png_uri, render
from fewscan.training.settings import RunSettings
from fewscan.wording import counted, listed

PAGE_FILE = "comparison.html"

# What the study calls our methods; it has no name for `supervised`, which it left out.
STUDY_NAMES = {"barlow_twins": "Barlow Twins", "nnclr": "NNCLR", "simclr": "SimCLR", "joint": "proposed model"}

STAND_IN = "Third source: stand-in, drawn from Sartaj's images, since the study's third source could not be fetched."

NUMBER_TITLES = {
    "c_acc": "c_acc, contrastive accuracy",
    "p_acc": "p_acc, accuracy while training",
    "r_acc": "r_acc, correlation accuracy",
    "val_p_acc": "val_p_acc, accuracy on the test images",
}
SCORE_TITLES = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC, macro",
    "calibration_error": "calibration error (ECE)",
    "similarity_accuracy": "similarity read-out: accuracy of soft nearest labeled neighbors, by projections z",
    "nearest_neighbor_accuracy": "accuracy of the nearest labeled neighbor, by features h",
}


@dataclass(frozen=True)
class FigureText:
    """What stands below a figure, and what is said to those who do not see it."""

    caption: str
    alternative: str


FIGURES = {
    "figure2": FigureText(
        "Figure 2. Samples of the scans that training sees: labeled ones by class, and unlabeled ones.",
        "Rows of brain scans: some of each labeled class, and some without a label",
    ),
    "figure7": FigureText(
        "Figure 7. SimCLR beside the proposed model (joint): accuracies and losses over epochs.",
        "Curves of accuracy and of loss over epochs, simclr on one side and joint on the other",
    ),
    "figure8_accuracy": FigureText(
        "Figure 8, accuracy. All methods in one plot: p_acc over epochs, and at the right val_p_acc on the test set.",
        "Curves of training accuracy over epochs, one for each method, and a mark for its accuracy on the test images",
    ),
    "figure8_loss": FigureText(
        "Figure 8, loss. All methods in one plot, each loss divided by its first epoch's: only the shapes can be compared.",
        "Curves of training loss over epochs, one for each method",
    ),
    "figure9": FigureText(
        "Figure 9. Barlow Twins beside NNCLR: accuracies and losses over epochs.",
        "Curves of accuracy and of loss over epochs, barlow_twins on one side and nnclr on the other",
    ),
}


@dataclass(frozen=True)
class PlannedRun:
    """A trial with the settings that it was given, or would be, and what came of it."""

    trial: Trial
    settings: RunSettings
    run: EvaluatedRun | None

    @property
    def minutes(self) -> float | None:
        """How long training took, or None where it was not run."""
        return None if self.run is None else self.run.run.training_seconds / 60


def write_comparison(results: Results) -> Path:
    """Write tables, figures and `comparison.html` into the comparison's folder and return the page's path.

    Older ones are replaced. Raises FewscanError where something cannot be written.
    """
    folder = results.comparison.folder
    write_tables(results, folder)
    path = folder / PAGE_FILE
    with writing(path):
        write_text(path, comparison_page(results, write_figures(results, folder)))
    return path


def comparison_page(results: Results, figures: Sequence[Path]) -> str:
    """Return the page about `results` as HTML that loads nothing; `figures` are what `write_figures` wrote.

    Of the dataset it names the folder, never a file or a patient.
    """
    comparison = results.comparison
    plan = comparison.plan
    splits = {protocol: comparison.dataset(protocol).require_split() for protocol in plan.protocols}
    runs = _planned_runs(results)
    return render(
        "comparison.html",
        name=comparison.folder.resolve().name,
        dataset_name=Path(plan.dataset).name,
        headline=headline(results),
        findings=[
            *(ranking(results, protocol) for protocol in plan.protocols if "joint" in plan.methods),
            worth_of_copies(results),
        ],
        caption=caption(results),
        results=results,
        plan=plan,
        changes=spelled_out(plan.changes),
        commands=commands(plan),
        splits=splits,
        leaks={protocol: _leaking_pairs(results, protocol) for protocol in plan.protocols},
        stands_in=results.stands_in,
        table1=TABLE1,
        table2=TABLE2,
        methods=tuple(METHODS),
        study_names=STUDY_NAMES,
        number_titles=NUMBER_TITLES,
        score_titles=SCORE_TITLES,
        pairs=[(later, earlier) for earlier, later in combinations(METHODS, 2)],
        pairs_run={protocol: sum(pair.protocol == protocol for pair in results.pairs) for protocol in plan.protocols},
        significant_percent=100 * SIGNIFICANT,
        runs=runs,
        two_view_batch_sizes=sorted({run.settings.batch_size for run in runs if method_type(run.trial.method).two_views}),
        machines=sorted({run.run.run.record.machine for run in runs if run.run is not None}),
        figures=[(FIGURES[path.stem], png_uri(path.read_bytes())) for path in figures],
        ours=_ours,
        points=points,
        chance=chance,
        verdict=verdict,
        not_run=NOT_RUN,
    )


def caption(results: Results) -> str:
    """Return in two or three sentences how the runs were made and what differs from the study."""
    plan = results.comparison.plan
    runs = _planned_runs(results)
    size_px = results.comparison.dataset(plan.protocols[0]).spec.size_px
    ours = ", ".join(
        [
            f"Recipe {plan.recipe_as_changed}: {_range([run.settings.epochs for run in runs])} epochs",
            f"{size_px} px",
            counted(plan.split.labeled, "label"),
            f"{plan.split.test:,} test images",
            f"seed{'s' if len(plan.seeds) > 1 else ''} {listed([str(seed) for seed in plan.seeds])}",
        ]
    )
    sentences = [f"{ours}.", "The published study: 100 epochs, 96 px, 1,235 labels, 308 test images, one run of each method."]
    missing = sum(run.run is None for run in runs)
    if missing:
        sentences.append(f"{missing} of {len(runs)} planned runs were {NOT_RUN}.")
    if results.stands_in:
        sentences.append(STAND_IN)
    return " ".join(sentences)


def _planned_runs(results: Results) -> list[PlannedRun]:
    plan = results.comparison.plan
    splits = {protocol: results.comparison.dataset(protocol).require_split() for protocol in plan.protocols}
    evaluated = {run.trial: run for row in results.rows for run in row.runs}
    return [
        PlannedRun(trial, plan.settings(trial, labeled=split.labeled, unlabeled=split.unlabeled), evaluated.get(trial))
        for trial in plan.trials
        for split in [splits[trial.protocol]]
    ]


def _leaking_pairs(results: Results, protocol: Protocol) -> int | None:
    """Return how many pairs the protocol's split leaks, or None where no run says."""
    known = [run.evaluation.leaking_pairs for row in results.rows if row.protocol == protocol for run in row.runs]
    return known[0] if known else None


def _ours(row: Row, name: str) -> str:
    """Return a number of ours in percent: mean ± spread over seeds, or of one seed the value and its interval."""
    if not row.runs:
        return NOT_RUN
    cell = row.cell(name)
    text = hundredths(cell.mean)
    if cell.spread is not None:
        return f"{text} ± {hundredths(cell.spread)}"
    interval = _interval(row, name)
    return text if interval is None else interval.said(100, 2, "")


def _interval(row: Row, name: str) -> Interval | None:
    """Return the interval over test images of a row's one run; the study's other numbers have none."""
    if name == "val_p_acc":
        return row.test_interval
    if name not in SCORES or len(row.runs) != 1:
        return None
    interval: Interval = getattr(row.runs[0].evaluation, name)
    return interval


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
