"""The options of `compare`, some of them `study`'s too, each with what a user should know of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fewscan.cli.names import PROTOCOLS, all_known, ways_known

Out = Annotated[Path, typer.Option(help="The comparison folder to make, or to go on with.")]
SettingsForAll = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings laid over the recipe's, for every method.")
]
Methods = Annotated[
    str,
    typer.Option(
        help="Names, separated by commas; FIRST+METHOD for an encoder that learns without labels first, METHOD@RECIPE for "
        "another recipe. [default: all methods]",
        callback=ways_known,
    ),
]
Seeds = Annotated[str, typer.Option(help="Numbers, separated by commas: each trains every method once more.")]
Protocols = Annotated[str, typer.Option(help="How the test set is drawn; one or several.", callback=all_known(PROTOCOLS))]
LabelsBudget = Annotated[
    str | None,
    typer.Option(help="Several budgets of labels, separated by commas: a comparison with each, and scores against labels."),
]
Validation = Annotated[
    float | None, typer.Option(help="Share of the labels kept for validation. [default: as in the dataset's split]")
]
BudgetShares = Annotated[
    Literal["known", "unknown"] | None,
    typer.Option(help="How the budget of labels is drawn, see 'fewscan split'. [default: as in the dataset's split]"),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="The method that the others are held against. [default: supervised, where it is among them]",
        callback=ways_known,
    ),
]
RankBy = Annotated[
    Literal["accuracy", "balanced_accuracy"] | None,
    typer.Option(
        help="The score that methods are ranked and tested by; in balanced_accuracy every class counts alike, however rare. "
        "[default: accuracy]"
    ),
]
Jobs = Annotated[int | None, typer.Option(help="Runs at once, each in its own process. [default: one a GPU, one on a CPU]")]
Training = Annotated[bool, typer.Option("--train/--no-train", help="Without training: tables of what is finished so far.")]
