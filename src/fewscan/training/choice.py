"""Which method and which size suit the data and the machine, where the user names none, and why."""

from dataclasses import dataclass
from typing import Any

import torch

from fewscan.methods.registry import DEFAULT_METHOD

# In the same time 30 unlabelled scans for a label helped and two did not: docs/search.md. Where it turns was not measured.
UNLABELED_FOR_A_LABEL = 5


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
    if unlabeled >= UNLABELED_FOR_A_LABEL * labeled:
        method = DEFAULT_METHOD
        why = f"method {method}: {unlabeled:,} unlabelled scans to learn from beside {labeled:,} labelled ones"
    else:
        method = "supervised"
        why = f"method {method}: only {unlabeled:,} unlabelled scans beside {labeled:,} labelled ones"
    if torch.cuda.is_available() if cuda is None else cuda:
        return Choice(method, {"encoder": {"width": 32}}, (why, "encoder resnet_small, width 32: there is a GPU"))
    return Choice(
        method, {}, (why, "encoder resnet_small, width 16: of the shapes tried it learns most in a given time on a CPU")
    )
