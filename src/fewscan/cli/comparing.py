"""The verb compare: several methods, seeds, protocols, and budgets of labels."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.api.several import listed_names
from fewscan.cli.app import AsJson, DatasetFolder, Recipe, app, finish, parsed_settings
from fewscan.cli.comparison_options import (
    Baseline,
    BudgetShares,
    Jobs,
    LabelsBudget,
    Methods,
    Out,
    Protocols,
    RankBy,
    Seeds,
    SettingsForAll,
    Training,
    Validation,
)
from fewscan.cli.following import Words, report_words
from fewscan.cli.names import require_together
from fewscan.errors import FewscanError

if TYPE_CHECKING:
    from fewscan.comparison.budgets import LabelEfficiency
    from fewscan.comparison.results import Results, Row


_HELP = """Train several methods on the same images and compare them.

Every method is trained with every seed and scored once on the sealed test set. The first sentence of the result says which
method is best, and whether it beats the baseline with statistical significance, for other test images and other seeds. In
OUT, comparison.html has everything, leaderboard.csv every score, comparison.csv one row per run, pairs.csv the paired
tests. You can stop it at any time: the same command continues.

Example: fewscan compare mri --methods supervised,mixmatch,simclr+propagation --seeds 0,1,2 --out comparison

simclr+propagation is 'propagation' after an encoder has learned by 'simclr', without labels, from all scans except the test
set's: once, in OUT/encoders, for all seeds and budgets. supervised@finetune is 'supervised' with the recipe 'finetune'.

--protocol random,leakfree also shows how much copies in the test set raise the score. training_images=300000 gives every
method a third of the usual time. batch_size counts labeled and unlabeled images together; with epochs= 'supervised' takes
the labeled ones of such a batch, to make as many steps.

How many labels does it take? --labels-budget makes such a comparison for every budget, in OUT/labels-N, on the same test
images, with a smaller budget's labels within a larger one's. label_efficiency.csv, .png and .html set them side by side.
The same command continues, and may add budgets.

Example: fewscan compare mri --labels-budget 1235,124,40 --seeds 0,1,2,3,4 --out efficiency
"""


@app.command(help=_HELP)
def compare(
    dataset: DatasetFolder,
    out: Out,
    settings: SettingsForAll = None,
    methods: Methods = "",
    seeds: Seeds = "0",
    protocol: Protocols = "leakfree",
    recipe: Recipe = None,
    labeled: Annotated[int | None, typer.Option(help="The label budget. [default: as in the dataset's split]")] = None,
    labels_budget: LabelsBudget = None,
    test: Annotated[int | None, typer.Option(help="Images in the test set. [default: as in the dataset's split]")] = None,
    validation: Validation = None,
    shares: BudgetShares = None,
    baseline: Baseline = None,
    rank_by: RankBy = None,
    jobs: Jobs = None,
    train: Training = True,
    as_json: AsJson = False,
) -> None:
    """Train and compare, and say which method is best."""
    require_together(methods, settings or [])
    changes = parsed_settings(settings, "compare", api.compare, api.compare_budgets)
    if labels_budget is not None and labeled is not None:
        raise FewscanError("give either --labeled or --labels-budget: the latter takes all budgets")
    asked: dict[str, Any] = {
        "out": out,
        "methods": listed_names(methods) or None,
        "seeds": whole_numbers(seeds, "--seeds"),
        "protocols": protocol,
        "test": test,
        "validation": validation,
        "shares": shares,
        "baseline": baseline,
        "rank_by": rank_by,
        "jobs": jobs,
        "train": train,
    } | ({} if recipe is None else {"recipe": recipe})
    if labels_budget is None:
        _finish_comparison(api.compare(dataset, labeled=labeled, **asked, **changes), dataset, as_json)
    else:
        budgets = whole_numbers(labels_budget, "--labels-budget")
        _finish_budgets(api.compare_budgets(dataset, labels_budget=budgets, **asked, **changes), dataset, as_json)


def _finish_comparison(results: "Results", dataset: Path, as_json: bool) -> None:
    from fewscan.comparison.commands import commands
    from fewscan.comparison.ranking import leaderboard
    from fewscan.reporting.comparing.doubts import doubts
    from fewscan.reporting.comparing.page import PAGE_FILE
    from fewscan.reporting.comparing.sentences import headline, title

    out = results.comparison.folder
    training = commands(results.comparison.plan, dataset=dataset, out=out)[-1]
    rows = [standing.numbers() for protocol in results.comparison.plan.protocols for standing in leaderboard(results, protocol)]
    page = out / PAGE_FILE
    said, doubted = headline(results), doubts([results])
    score = results.ranked_by
    width = width_of_names(rows)
    lines = [f"{row['protocol']:9} {row['method']:{width}} {percent(row[f'{score}_percent_mean'])}" for row in rows]
    finish(
        as_json,
        {"page": str(page), "headline": " ".join(said), "warnings": doubted, "ranked_by": score, "rows": rows},
        [*said, *(f"warning: {each}" for each in doubted), f"{title(score)}, mean over seeds:", *lines, f"page: {page}"],
        *next_words(results.rows, score, training),
    )


def _finish_budgets(efficiency: "LabelEfficiency", dataset: Path, as_json: bool) -> None:
    from fewscan.comparison.commands import commands
    from fewscan.reporting.comparing.doubts import doubts
    from fewscan.reporting.comparing.efficiency import PAGE_FILE
    from fewscan.reporting.comparing.sentences import efficiency_headline, title

    rows = [point.numbers() for point in efficiency.points]
    score = efficiency.ranked_by
    width = width_of_names(rows)
    lines = [
        f"{row['protocol']:9} {row['labels']:7,} labels  {row['method']:{width}} {percent(row[f'{score}_percent_mean'])}"
        for row in rows
    ]
    page = efficiency.folder / PAGE_FILE
    said, doubted = efficiency_headline(efficiency), doubts(list(efficiency.results.values()))
    training = commands(efficiency.plans[0], efficiency.budgets, dataset=dataset, out=efficiency.folder)[-1]
    finish(
        as_json,
        {"page": str(page), "headline": " ".join(said), "warnings": doubted, "ranked_by": score, "rows": rows},
        [*said, *(f"warning: {each}" for each in doubted), f"{title(score)}, mean over seeds:", *lines, f"page: {page}"],
        *next_words([point.row for point in efficiency.points], score, training),
    )


def next_words(rows: Sequence["Row"], score: str, training: str) -> Words:
    """Return the words of the command that comes next: a report of the first run of the row with the highest `score`.

    A row of a protocol that may leak is taken only where there is no other: its scores are higher for that alone. Where none
    is finished it is `training`.
    """
    from fewscan.datasets.protocols import keeps_groups

    finished = [row for row in rows if row.runs]
    best = max(finished, key=lambda row: (keeps_groups(row.protocol), row.cell(score).mean or 0.0), default=None)
    return list(shlex.split(training)[1:]) if best is None else report_words(best.runs[0].run)


def whole_numbers(text: str, option: str) -> list[int]:
    """Return the whole numbers in an option, separated by commas; raises FewscanError for anything else."""
    parts = listed_names(text)
    for part in parts:
        if not part.isdecimal():
            raise FewscanError(f"{option} takes whole numbers separated by commas, not '{part}'")
    return [int(part) for part in parts]


def width_of_names(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how many characters the longest name of a method has, so that scores stand below one another."""
    return max(len(row["method"]) for row in rows)


def percent(value: float | None) -> str:
    """Return a score as the terminal shows it."""
    return "not run" if value is None else f"{value:.1f} %"
