"""Label efficiency as a table and a page, whose first sentence says which method is best with how many labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fewscan.atomic import replaced_file, write_text, writing
from fewscan.comparison.budgets import BASELINE, SCORES, LabelEfficiency, Point, budget_folder
from fewscan.comparison.commands import commands as plan_commands
from fewscan.comparison.results import SIGNIFICANT
from fewscan.datasets.descriptions import Protocol
from fewscan.reporting.comparison_findings import chance, points
from fewscan.reporting.comparison_page import PAGE_FILE as BUDGET_PAGE_FILE
from fewscan.reporting.comparison_page import STAND_IN
from fewscan.reporting.comparison_tables import NOT_RUN, hundredths, verdict
from fewscan.reporting.efficiency_figure import SCORE_TITLES, write_figure
from fewscan.reporting.rendering import png_uri, render
from fewscan.spreadsheet import write_csv
from fewscan.wording import listed

PAGE_FILE = "label_efficiency.html"
TABLE_FILE = "label_efficiency.csv"


def write_efficiency(efficiency: LabelEfficiency) -> Path:
    """Write table, figure and `label_efficiency.html` into the folder and return the page's path.

    Older ones are replaced. Raises FewscanError where something cannot be written.
    """
    table = efficiency.folder / TABLE_FILE
    third_source = "stand-in" if efficiency.stands_in else "as imported"
    with writing(table), replaced_file(table) as temporary:
        write_csv(pd.DataFrame(_lines(efficiency)).assign(third_source=third_source), temporary)
    path = efficiency.folder / PAGE_FILE
    with writing(path):
        write_text(path, efficiency_page(efficiency, write_figure(efficiency)))
    return path


def headline(efficiency: LabelEfficiency) -> list[str]:
    """Return one sentence a protocol: which method is best with how many labels, and whether it beats `supervised`."""
    return [_best_methods(efficiency, protocol) for protocol in efficiency.protocols]


def efficiency_page(efficiency: LabelEfficiency, figure: Path) -> str:
    """Return the page about `efficiency` as HTML that loads nothing; `figure` is what `write_figure` wrote.

    It links to the pages of its budgets. Of the dataset it names the folder, never a file or a patient.
    """
    plan = efficiency.plans[0]
    return render(
        "efficiency.html",
        name=efficiency.folder.resolve().name,
        dataset_name=Path(plan.dataset).name,
        headline=headline(efficiency),
        caption=caption(efficiency),
        figure=png_uri(figure.read_bytes()),
        efficiency=efficiency,
        baseline=BASELINE,
        scores=SCORE_TITLES,
        pages={labels: f"{budget_folder(Path(), labels).name}/{BUDGET_PAGE_FILE}" for labels in efficiency.budgets},
        commands=commands(efficiency),
        table_file=TABLE_FILE,
        score=_score,
        points=points,
        chance=chance,
        verdict=verdict,
        not_run=NOT_RUN,
        significant_percent=100 * SIGNIFICANT,
    )


def caption(efficiency: LabelEfficiency) -> str:
    """Return in a sentence or two how the runs were made."""
    plan = efficiency.plans[0]
    size_px = efficiency.results[efficiency.budgets[0]].comparison.dataset(plan.protocols[0]).spec.size_px
    seeds = sorted({seed for each in efficiency.plans for seed in each.seeds})
    sentences = [
        f"Recipe {plan.recipe_as_changed}: {size_px} px, the same {plan.split.test:,} test images "
        f"with every budget, seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}."
    ]
    planned = sum(len(each.trials) for each in efficiency.plans)
    missing = planned - sum(len(point.row.runs) for point in efficiency.points)
    if missing:
        sentences.append(f"{missing} of {planned} planned runs were {NOT_RUN}.")
    if efficiency.stands_in:
        sentences.append(STAND_IN)
    return " ".join(sentences)


def commands(efficiency: LabelEfficiency) -> list[str]:
    """Return the commands that make it all again: one, unless budgets were planned with other methods, seeds or protocols."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for labels, plan in zip(efficiency.budgets, efficiency.plans, strict=True):
        alike.setdefault(plan.asked, []).append(labels)
    plans = {budgets[0]: efficiency.results[budgets[0]].comparison.plan for budgets in alike.values()}
    return [command for budgets in alike.values() for command in plan_commands(plans[budgets[0]], budgets)]


@dataclass(frozen=True)
class _Outcome:
    """Which methods have the highest mean accuracy with a budget, and what that is worth."""

    leaders: tuple[str, ...]
    alone: bool  # no other method was run
    beats_baseline: bool | None  # with statistical significance; None where it is not known
    of_methods: bool  # not of networks of one seed alone


def _best_methods(efficiency: LabelEfficiency, protocol: Protocol) -> str:
    """Return the headline's sentence about one protocol; budgets with the same outcome are named together."""
    alike: dict[_Outcome, list[str]] = {}
    for labels in efficiency.budgets:
        outcome = _outcome([point for point in efficiency.points if (point.labels, point.row.protocol) == (labels, protocol)])
        alike.setdefault(outcome, []).append(f"{labels:,}")
    clauses = [_said(outcome, f"with {listed(budgets)} labels") for outcome, budgets in alike.items()]
    return f"Under {protocol} {'; '.join(clauses)}."


def _outcome(points: Sequence[Point]) -> _Outcome:
    """Return what came out of one budget under one protocol."""
    means = {point.row.method: mean for point in points if (mean := point.cell("accuracy").mean) is not None}
    leaders = [point for point in points if point.row.runs and means[point.row.method] == max(means.values())]
    pairs = [point.against_baseline for point in leaders]
    known = [pair.significant and pair.difference > 0 for pair in pairs if pair is not None]
    return _Outcome(
        leaders=tuple(point.row.method for point in leaders),
        alone=len(means) == 1,
        beats_baseline=all(known) if known and len(known) == len(pairs) else None,
        of_methods=all(pair.of_methods for pair in pairs if pair is not None),
    )


def _said(outcome: _Outcome, where: str) -> str:
    """Return the clause about the budgets named in `where`."""
    names, one = outcome.leaders, len(outcome.leaders) == 1
    if not names:
        return f"nothing was run {where}"
    if outcome.alone:
        return f"only {names[0]} was run {where}"
    said = f"{listed(names)} {'has' if one else 'share'} the highest mean accuracy {where}"
    if BASELINE in names:
        return said
    if outcome.beats_baseline is None:
        return f"{said}, and {'was' if one else 'were'} not compared with {BASELINE} on the same seeds"
    whose = "" if outcome.of_methods else ", as far as networks of one seed tell"
    if outcome.beats_baseline:
        return f"{said} and {'beats' if one else 'beat'} {BASELINE} with statistical significance{whose}"
    return f"{said}, but {'does' if one else 'do'} not beat {BASELINE} with statistical significance{whose}"


def _lines(efficiency: LabelEfficiency) -> list[dict[str, str]]:
    """Return the table's lines: percent, minutes and points with two decimals."""
    return [
        {"protocol": point.row.protocol, "labels": str(point.labels), "method": point.row.method}
        | {"runs": str(len(point.row.runs))}
        | _scores(point)
        | _against(point)
        for point in efficiency.points
    ]


def _scores(point: Point) -> dict[str, str]:
    line = {}
    for name in SCORES:
        cell = point.cell(name)
        spread = "" if cell.spread is None else hundredths(cell.spread)
        line[f"{name}_percent_mean"] = hundredths(cell.mean) if point.row.runs else NOT_RUN
        line[f"{name}_percent_sd"] = spread if point.row.runs else NOT_RUN
    return line | {"training_minutes_mean": hundredths(point.training_minutes) if point.row.runs else NOT_RUN}


def _against(point: Point) -> dict[str, str]:
    columns: Sequence[str] = ("less_supervised_points", "corrected_p_value", "verdict")
    if point.row.method == BASELINE and point.row.runs:
        return dict.fromkeys(columns, "")
    pair = point.against_baseline
    if pair is None:
        return dict.fromkeys(columns, NOT_RUN)
    values = (hundredths(pair.difference), f"{pair.corrected_p_value:.4f}", verdict(pair))
    return dict(zip(columns, values, strict=True))


def _score(point: Point, name: str) -> str:
    """Return a score of the page's table in percent: mean ± spread over seeds."""
    cell = point.cell(name)
    text = hundredths(cell.mean)
    return text if cell.spread is None else f"{text} ± {hundredths(cell.spread)}"
