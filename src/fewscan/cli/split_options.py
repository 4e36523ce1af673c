"""The options of `split`, each with what a user should know of it."""

from typing import Annotated, Literal

import typer

from fewscan.cli.names import PROTOCOLS, known
from fewscan.splits.support import ENOUGH_VALIDATION, TARGET_ERROR

SplitName = Annotated[str, typer.Option("--name", help="A dataset can have many splits; 'train' takes the newest unless told.")]
LabelBudget = Annotated[
    int | None,
    typer.Option(
        "--labeled",
        help="The budget of labels of an experiment: how many images training may see with their label. [default: all]",
    ),
]
TestImages = Annotated[
    int | None,
    typer.Option(
        "--test",
        help="How many labeled images are sealed for the final score; 0 for none. [default: a fifth; none where there are "
        "fewer than 200 labels and no --labeled]",
    ),
]
SplitProtocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="leakfree: copies never cross, nor do patients where they are known. random: wherever copies lie.",
        callback=known(PROTOCOLS),
    ),
]
ValidationShare = Annotated[
    float | None,
    typer.Option(
        "--validation",
        help="Share of the labels kept for choosing and for thresholds; 0 for a fixed schedule. [default: 0.2, up to 0.3 where "
        f"that makes {ENOUGH_VALIDATION} independent images, so that 'fewscan label' can keep to an error of {TARGET_ERROR:g} "
        "without further trainings; 0 without a test set]",
    ),
]
SharesKnown = Annotated[
    Literal["known", "unknown"],
    typer.Option(
        "--shares",
        help="known: the budget holds the classes in proportion, by all labels that are known, also those that it does not "
        "grant. unknown: drawn at random without a look at labels, as for a pile that nobody has labeled yet.",
    ),
]
KeepGiven = Annotated[
    bool,
    typer.Option(
        "--keep-given",
        help="Keep the split that the data came with (folders or sources named train, validation, test, or a column of a "
        "table). --labeled then grants so many of its training labels. [default: all of them]",
    ),
]
Leaks = Annotated[
    Literal["refuse", "drop", "keep"] | None,
    typer.Option(
        "--leaks",
        help="With --keep-given, of copies and patients across its parts: refuse the split, drop their images from "
        "training and validation, or keep them, so that no run on it supports a decision. [default: refuse]",
    ),
]
SplitSeed = Annotated[int, typer.Option("--seed", help="Another seed draws another split.")]
