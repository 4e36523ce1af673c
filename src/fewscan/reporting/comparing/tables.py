"""The tables of a comparison as CSV files: the leaderboard, every run, and every pair of methods."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from fewscan.comparison.plan import Trial
from fewscan.comparison.ranking import Standing, leaderboard
from fewscan.comparison.results import METRICS, EvaluatedRun, Pair, Results
from fewscan.evaluation.intervals import TOO_FEW_GROUPS, Interval
from fewscan.reporting.comparing.sentences import NOT_RUN, hundredths, verdict
from fewscan.spreadsheet import write_csv

SETTINGS_COLUMNS = ("epochs", "batch_size", "image_size_px", "encoder", "views", "precision")
COUNT_COLUMNS = ("labels", "test_images", "test_groups", "leaking_pairs", "test_openings", "training_seconds")
# Of the last epoch of training, as the run's log calls them.
TRAINING_NUMBERS = ("c_acc", "p_acc", "r_acc")
RUN_COLUMNS = (
    *SETTINGS_COLUMNS,
    *COUNT_COLUMNS,
    *(f"{metric}_{part}" for metric in METRICS for part in ("percent", "low_percent", "high_percent")),
    *(f"{name}_percent" for name in TRAINING_NUMBERS),
)
PAIR_COLUMNS = ("seeds", "test_images", "difference_points", "p_value", "corrected_p_value", "verdict")
BASELINE_COLUMNS = ("ranked_by", "baseline", "less_baseline_points", "corrected_p_value", "verdict")

Line = dict[str, str]


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write `leaderboard.csv`, `comparison.csv` and `pairs.csv` into `folder`, each replacing an older one.

    Scores are in percent, differences in points of percent, both with two decimals. What was planned and was not run is a line
    whose numbers read `not run`. Returns the paths; raises FewscanError where one cannot be written.
    """
    protocols = results.comparison.plan.protocols
    tables = {
        "leaderboard.csv": [
            {"protocol": protocol} | of_standing(each, results.ranked_by, results.comparison.plan.baseline)
            for protocol in protocols
            for each in leaderboard(results, protocol)
        ],
        "comparison.csv": [
            _of_trial(results, trial) | (_not_run(RUN_COLUMNS) if run is None else _of_run(results, run))
            for trial, run in results.trials.items()
        ],
        "pairs.csv": [
            {"protocol": protocol, "first": first, "second": second, "score": results.ranked_by}
            | _of_pair(results.pair(protocol, first, second))
            for protocol in protocols
            for first, second in combinations(results.methods, 2)
        ],
    }
    return [write_table(lines, folder / name) for name, lines in tables.items()]


def write_table(lines: Sequence[Line], path: Path) -> Path:
    """Write lines with the same columns as CSV, replacing an older file; raises FewscanError where it cannot be written."""
    write_csv(pd.DataFrame(lines), path)
    return path


def of_standing(standing: Standing, ranked_by: str, baseline: str | None) -> Line:
    """Return a method's line: its place, means and spreads over its runs, and the ranking score less the baseline's."""
    row = standing.row
    line = {"place": NOT_RUN if standing.place is None else str(standing.place), "method": row.method}
    line["runs"] = str(len(row.runs))
    for metric in METRICS:
        cell = row.cell(metric)
        line[f"{metric}_percent_mean"] = hundredths(cell.mean) if row.runs else NOT_RUN
        line[f"{metric}_percent_sd"] = ("" if cell.spread is None else hundredths(cell.spread)) if row.runs else NOT_RUN
    line["training_minutes_mean"] = hundredths(row.training_minutes) if row.runs else NOT_RUN
    return line | _against(standing, ranked_by, baseline)


def _against(standing: Standing, ranked_by: str, baseline: str | None) -> Line:
    pair = standing.against_baseline
    values: Sequence[str] = [NOT_RUN] * 3
    if pair is not None:
        values = (hundredths(pair.difference), f"{pair.corrected_p_value:.4f}", verdict(pair))
    elif baseline is None or (standing.row.method == baseline and standing.row.runs):
        values = [""] * 3
    return dict(zip(BASELINE_COLUMNS, (ranked_by, baseline or "", *values), strict=True))


def _of_trial(results: Results, trial: Trial) -> Line:
    run = results.comparison.run_folder(trial).relative_to(results.comparison.folder).as_posix()
    return {"protocol": trial.protocol, "method": trial.method, "seed": str(trial.seed), "run": run}


def _of_run(results: Results, evaluated: EvaluatedRun) -> Line:
    values = [*settings_of_run(evaluated), *counts_of_run(results, evaluated)]
    for metric in METRICS:
        interval = evaluated.interval(metric)
        values += [hundredths(evaluated.percent(metric)), *bounds(interval)]
    values += [hundredths(evaluated.percent(name)) for name in TRAINING_NUMBERS]
    return dict(zip(RUN_COLUMNS, values, strict=True))


def settings_of_run(evaluated: EvaluatedRun) -> list[str]:
    """Return what SETTINGS_COLUMNS hold of a run."""
    settings = evaluated.run.settings
    size_px = evaluated.run.record.spec.size_px
    of_steps = (settings.epochs, settings.batch_size, settings.views.name, settings.precision)
    epochs, batch_size, views, precision = ("",) * 4 if settings.solved else of_steps
    return [str(value) for value in (epochs, batch_size, size_px, settings.encoder.name, views, precision)]


def counts_of_run(results: Results, evaluated: EvaluatedRun) -> list[str]:
    """Return what COUNT_COLUMNS hold of a run."""
    evaluation, split = evaluated.evaluation, results.splits[evaluated.trial.protocol]
    values = (
        split.labeled + split.validation,
        evaluation.images,
        evaluation.groups,
        "not looked for" if evaluation.leaking_pairs is None else evaluation.leaking_pairs,
        evaluation.test_openings,
        hundredths(evaluated.run.training_seconds),
    )
    return [str(value) for value in values]


def bounds(interval: Interval) -> list[str]:
    """Return the ends of a score's interval in percent; where there is no score, there are none either."""
    if interval.value is None:
        return [hundredths(None)] * 2
    return [TOO_FEW_GROUPS if bound is None else hundredths(100 * bound) for bound in (interval.low, interval.high)]


def _of_pair(pair: Pair | None) -> Line:
    """Return the comparison of two methods; the difference is the first less the second."""
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
