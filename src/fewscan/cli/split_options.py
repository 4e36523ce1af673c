"""The options of `split`, each with what a user should know of it."""

from typing import Annotated, Literal

import typer

from fewscan.cli.names import PROTOCOLS, known
from fewscan.splits.support import ENOUGH_VALIDATION, TARGET_ERROR

SplitName = Annotated[
    str, typer.Option("--name", help="The split's name. A dataset can have many; 'train' takes the newest by default.")
]
LabelBudget = Annotated[
    int | None,
    typer.Option(
        "--labeled",
        help="The label budget of an experiment: how many images training may see with their labels. [default: all]",
    ),
]
TestImages = Annotated[
    int | None,
    typer.Option(
        "--test",
        help="How many labeled images are sealed for the final score; 0 for none. [default: a fifth; none if there are fewer "
        "than 200 labels and no --labeled]",
    ),
]
SplitProtocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="leakfree: copies stay on one side, and so do known patients. random: images are drawn one by one.",
        callback=known(PROTOCOLS),
    ),
]
ValidationShare = Annotated[
    float | None,
    typer.Option(
        "--validation",
        help="Share of the labels held out for choices and thresholds; 0 for a fixed schedule. [default: 0.2, or up to 0.3 if "
        f"that makes {ENOUGH_VALIDATION} independent images, which 'fewscan label' needs for an error of {TARGET_ERROR:g} "
        "without further trainings; 0 without a test set]",
    ),
]
SharesKnown = Annotated[
    Literal["known", "unknown"],
    typer.Option(
        "--shares",
        help="known: the budget has the classes in proportion, by all known labels, even those that it does not grant. "
        "unknown: it is drawn at random without looking at labels, as for scans that nobody has labeled yet.",
    ),
]
KeepGiven = Annotated[
    bool,
    typer.Option(
        "--keep-given",
        help="Keep the split that the data came with (folders or sources named train, validation, test, or a column of a "
        "table). --labeled then grants that many of its training labels. [default: all of them]",
    ),
]
Leaks = Annotated[
    Literal["refuse", "drop", "keep"] | None,
    typer.Option(
        "--leaks",
        help="With --keep-given, if copies or patients are in several parts: refuse the split; drop their images from training "
        "and validation; or keep them, so that no run on it supports a decision. [default: refuse]",
    ),
]
SplitSeed = Annotated[int, typer.Option("--seed", help="Another seed draws another split.")]
