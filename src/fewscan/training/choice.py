"""Which method and which size suit the data and the machine, where the user names none, and why."""

from dataclasses import dataclass
from typing import Any

import torch

from fewscan.methods.registry import DEFAULT_METHOD
from fewscan.methods.supervised import Supervised

# README's table of label efficiency; to be changed with it.
WORTH = (
    "That was worth 6 points of accuracy with 124 labels, and nothing sure with 40 or with 1,235; 'fewscan compare' tells what "
    "it is on yours"
)


@dataclass(frozen=True)
class Choice:
    """A method, settings to lay over the recipe's, and a line on each of them for people."""

    method: str
    changes: dict[str, Any]
    reasons: tuple[str, ...]


def choose(*, labeled: int, unlabeled: int, recipe: str = "fewscan", cuda: bool | None = None) -> Choice:
    """Return what to train on so many labelled and unlabelled images; `cuda`: whether there is a GPU, by default as it is."""
    if recipe == "study":
        return Choice("joint", {}, ("method joint: what the study proposes",))
    method = DEFAULT_METHOD if unlabeled else Supervised.name
    if unlabeled:
        why = f"method {method}: {labeled:,} labels, and {unlabeled:,} unlabelled scans to learn from besides. {WORTH}"
    else:
        why = f"method {method}: {labeled:,} labels, and no unlabelled scans to learn from besides"
    if torch.cuda.is_available() if cuda is None else cuda:
        return Choice(method, {"encoder": {"width": 32}}, (why, "encoder resnet_small, width 32: there is a GPU"))
    width = "encoder resnet_small, width 16: of the shapes tried it learns most in a given time on a CPU"
    return Choice(method, {}, (why, width))
