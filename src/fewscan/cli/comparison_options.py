"""The options of `compare`, some of them `study`'s too, each with what a user should know of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fewscan.cli.names import PROTOCOLS, all_known, ways_known

Out = Annotated[Path, typer.Option(help="The comparison folder to make, or to continue.")]
SettingsForAll = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings that replace the recipe's, for every method.")
]
Methods = Annotated[
    str,
    typer.Option(
        help="Names, separated by commas; FIRST+METHOD if the encoder first learns without labels, METHOD@RECIPE for another "
        "recipe. [default: all methods]",
        callback=ways_known,
    ),
]
Seeds = Annotated[str, typer.Option(help="Numbers, separated by commas; every method is trained once with each.")]
Protocols = Annotated[
    str,
    typer.Option(help="How the test set is drawn: one or several, separated by commas.", callback=all_known(PROTOCOLS)),
]
LabelsBudget = Annotated[
    str | None,
    typer.Option(help="Several label budgets, separated by commas: one comparison for each, and scores against labels."),
]
Validation = Annotated[
    float | None, typer.Option(help="Share of the labels held out for validation. [default: as in the dataset's split]")
]
BudgetShares = Annotated[
    Literal["known", "unknown"] | None,
    typer.Option(help="How the label budget is drawn, see 'fewscan split'. [default: as in the dataset's split]"),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="The method that the others are compared with. [default: supervised, if it is among them]",
        callback=ways_known,
    ),
]
RankBy = Annotated[
    Literal["accuracy", "balanced_accuracy"] | None,
    typer.Option(
        help="The score by which methods are ranked and tested; in balanced_accuracy every class counts alike, however rare. "
        "[default: accuracy]"
    ),
]
Jobs = Annotated[int | None, typer.Option(help="Runs at once, each in its own process. [default: one per GPU, one on a CPU]")]
Training = Annotated[
    bool, typer.Option("--train/--no-train", help="Without training, write tables of what is finished so far.")
]
