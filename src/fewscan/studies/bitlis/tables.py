"""The study's tables as CSV files, ours beside its own, and every run with the study's four numbers."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.comparison.results import EvaluatedRun, Results, Row
from fewscan.reporting.comparing.sentences import NOT_RUN, copies_worth, hundredths
from fewscan.reporting.comparing.tables import (
    COUNT_COLUMNS,
    SETTINGS_COLUMNS,
    Line,
    bounds,
    counts_of_run,
    settings_of_run,
    write_table,
)
from fewscan.studies.bitlis.outcome import left_out_features, number, stands_in
from fewscan.studies.bitlis.published import NUMBERS, PROTOCOLS, TABLE1, TABLE2

FILES = ("table1.csv", "table2.csv", "study_runs.csv")

OTHER_SCORES = ("balanced_accuracy", "auroc", "calibration_error", "similarity_accuracy", "nearest_neighbor_accuracy")
RUN_COLUMNS = (
    *SETTINGS_COLUMNS,
    *COUNT_COLUMNS,
    "c_acc_percent",
    "p_acc_percent",
    "r_acc_percent",
    "r_acc_features_left_out",
    "val_p_acc_percent",
    "val_p_acc_low_percent",
    "val_p_acc_high_percent",
    *(f"{name}_percent" for name in OTHER_SCORES),
)


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write FILES into `folder`, each replacing an older one.

    Accuracies are in percent, differences in points of percent, both with two decimals. What was planned, or stands in the
    study's tables, and was not run is a line whose numbers read `not run`. Returns the paths; raises FewscanError where one
    cannot be written.
    """
    tables = (_means(results, TABLE1), _means(results, TABLE2), _runs(results))
    source = {"third_source": "stand-in" if stands_in(results) else "as imported"}
    return [write_table([line | source for line in lines], folder / name) for name, lines in zip(FILES, tables, strict=True)]


def _runs(results: Results) -> list[Line]:
    """Return one line a planned trial."""
    return [
        {"protocol": trial.protocol, "method": trial.method, "seed": str(trial.seed)}
        | (dict.fromkeys(RUN_COLUMNS, NOT_RUN) if run is None else _of_run(results, run))
        for trial, run in results.trials.items()
    ]


def _of_run(results: Results, run: EvaluatedRun) -> Line:
    values = (
        *settings_of_run(run),
        *counts_of_run(results, run),
        hundredths(run.percent("c_acc")),
        hundredths(run.percent("p_acc")),
        hundredths(run.percent("r_acc")),
        hundredths(left_out_features(run)),
        hundredths(run.percent("accuracy")),
        *bounds(run.interval("accuracy")),
        *(hundredths(run.percent(name)) for name in OTHER_SCORES),
    )
    return dict(zip(RUN_COLUMNS, values, strict=True))


def _means(results: Results, methods: Sequence[str]) -> list[Line]:
    """Return one of the study's tables: a line for each method under each protocol."""
    return [
        {"protocol": protocol, "method": method, "runs": str(len(row.runs))}
        | _of_row(row)
        | {"study_less_leakfree_points": NOT_RUN if worth is None else hundredths(worth)}
        for protocol in results.comparison.plan.protocols
        for method in methods
        for row, worth in [(results.row(protocol, method), copies_worth(results, method, *PROTOCOLS))]
    ]


def _of_row(row: Row) -> Line:
    line: Line = {}
    for name in (*NUMBERS, "similarity_accuracy"):
        found = number(row, name)
        line[f"{name}_percent_mean"] = hundredths(found.mean) if row.runs else NOT_RUN
        spread = "" if found.spread is None else hundredths(found.spread)
        line[f"{name}_percent_sd"] = spread if row.runs else NOT_RUN
        if name not in NUMBERS:
            continue
        line[f"{name}_percent_study"] = "" if found.published is None else hundredths(found.published)
        difference = hundredths(found.difference) if row.runs else NOT_RUN
        line[f"{name}_percent_difference"] = "" if found.published is None else difference
    return line
