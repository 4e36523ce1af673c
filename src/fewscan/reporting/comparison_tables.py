"""The tables of a comparison as CSV files: every run, the study's two tables, and every pair of methods."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from fewscan.atomic import replaced_file, writing
from fewscan.comparison.plan import Trial
from fewscan.comparison.results import SCORES, EvaluatedRun, Pair, Results, Row
from fewscan.comparison.study import NUMBERS, TABLE1, TABLE2
from fewscan.datasets.descriptions import Protocol
from fewscan.evaluation.intervals import TOO_FEW_GROUPS
from fewscan.learning.registry import METHODS
from fewscan.spreadsheet import write_csv

NOT_RUN = "not run"
NOT_DEFINED = "not defined"

RUN_COLUMNS = (
    "epochs",
    "batch_size",
    "image_size_px",
    "encoder",
    "views",
    "precision",
    "labels",
    "test_images",
    "test_groups",
    "leaking_pairs",
    "test_openings",
    "training_seconds",
    "c_acc_percent",
    "p_acc_percent",
    "r_acc_percent",
    "r_acc_features_left_out",
    "val_p_acc_percent",
    "val_p_acc_low_percent",
    "val_p_acc_high_percent",
    *(f"{name}_percent" for name in SCORES),
)
PAIR_COLUMNS = ("seeds", "test_images", "difference_points", "p_value", "corrected_p_value", "verdict")

Line = dict[str, str]


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write `comparison.csv`, `table1.csv`, `table2.csv` and `pairs.csv` into `folder`, each replacing an older one.

    Accuracies are in percent, differences in points of percent, both with two decimals. What was planned, or stands in the
    study's tables, and was not run is a line whose numbers read `not run`. Returns the paths; raises FewscanError where one
    cannot be written.
    """
    tables = {
        "comparison.csv": _runs(results),
        "table1.csv": _means(results, TABLE1),
        "table2.csv": _means(results, TABLE2),
        "pairs.csv": _pairs(results),
    }
    third_source = "stand-in" if results.stands_in else "as imported"
    for name, lines in tables.items():
        with writing(folder / name), replaced_file(folder / name) as temporary:
            write_csv(pd.DataFrame(lines).assign(third_source=third_source), temporary)
    return [folder / name for name in tables]


def hundredths(value: float | None) -> str:
    """Return a number with the study's two decimals, `-0.00` never; `not defined` for None."""
    return NOT_DEFINED if value is None else f"{value:z.2f}"


def verdict(pair: Pair) -> str:
    """Return in words whether a difference is significant, and of one seed that this is said of two networks alone."""
    said = "statistically significant" if pair.significant else "not statistically significant"
    return said if pair.of_methods else f"{said} for these two networks"


def _runs(results: Results) -> list[Line]:
    """Return one line a planned trial."""
    plan = results.comparison.plan
    splits = {protocol: results.comparison.dataset(protocol).require_split() for protocol in plan.protocols}
    labels = {protocol: split.labeled + split.validation for protocol, split in splits.items()}
    evaluated = {run.trial: run for row in results.rows for run in row.runs}
    return [
        _of_trial(trial) | (_of_run(evaluated[trial], labels[trial.protocol]) if trial in evaluated else _not_run(RUN_COLUMNS))
        for trial in plan.trials
    ]


def _of_trial(trial: Trial) -> Line:
    return {"protocol": trial.protocol, "method": trial.method, "seed": str(trial.seed)}


def _of_run(evaluated: EvaluatedRun, labels: int) -> Line:
    settings, record, evaluation = evaluated.run.settings, evaluated.run.record, evaluated.evaluation
    percentages = {name: hundredths(value) for name, value in evaluated.percentages().items()}
    low, high = (
        TOO_FEW_GROUPS if bound is None else hundredths(100 * bound)
        for bound in (evaluation.accuracy.low, evaluation.accuracy.high)
    )
    values = (
        settings.epochs,
        settings.batch_size,
        record.spec.size_px,
        settings.encoder.name,
        settings.views.name,
        settings.precision,
        labels,
        evaluation.test_images,
        evaluation.test_groups,
        "not looked for" if evaluation.leaking_pairs is None else evaluation.leaking_pairs,
        evaluation.test_openings,
        hundredths(evaluated.run.training_seconds),
        percentages["c_acc"],
        percentages["p_acc"],
        percentages["r_acc"],
        hundredths(evaluated.left_out_features),
        percentages["val_p_acc"],
        low,
        high,
        *(percentages[name] for name in SCORES),
    )
    return {name: str(value) for name, value in zip(RUN_COLUMNS, values, strict=True)}


def _means(results: Results, methods: Sequence[str]) -> list[Line]:
    """Return one of the study's tables: a line for each method under each protocol."""
    return [
        {"protocol": protocol, "method": method, "runs": str(len(row.runs))}
        | _of_row(row)
        | {"study_less_leakfree_points": NOT_RUN if worth is None else hundredths(worth)}
        for protocol in results.comparison.plan.protocols
        for method in methods
        for row, worth in [(results.row(protocol, method), results.worth_of_copies(method))]
    ]


def _of_row(row: Row) -> Line:
    line: Line = {}
    for name in (*NUMBERS, "similarity_accuracy"):
        cell = row.cell(name)
        line[f"{name}_percent_mean"] = hundredths(cell.mean) if row.runs else NOT_RUN
        spread = "" if cell.spread is None else hundredths(cell.spread)
        line[f"{name}_percent_sd"] = spread if row.runs else NOT_RUN
        if name not in NUMBERS:
            continue
        line[f"{name}_percent_study"] = "" if cell.published is None else hundredths(cell.published)
        difference = hundredths(cell.difference) if row.runs else NOT_RUN
        line[f"{name}_percent_difference"] = "" if cell.published is None else difference
    return line


def _pairs(results: Results) -> list[Line]:
    """Return one line for each pair of methods under each protocol; the difference is the first less the second."""
    return [
        {"protocol": protocol, "first": first, "second": second} | _of_pair(results, protocol, first, second)
        for protocol in results.comparison.plan.protocols
        for first, second in combinations(METHODS, 2)
    ]


def _of_pair(results: Results, protocol: Protocol, first: str, second: str) -> Line:
    pair = results.pair(protocol, first, second)
    if pair is None:
        return _not_run(PAIR_COLUMNS)
    values = (
        pair.seeds,
        pair.test_images,
        hundredths(pair.difference),
        f"{pair.p_value:.4f}",
        f"{pair.corrected_p_value:.4f}",
        verdict(pair),
    )
    return {name: str(value) for name, value in zip(PAIR_COLUMNS, values, strict=True)}


def _not_run(columns: Sequence[str]) -> Line:
    return dict.fromkeys(columns, NOT_RUN)
