"""The command line: the verbs of `fewscan.api`, thin. Each module adds its verbs to the application in the order of --help."""

from fewscan.cli import importing, adding, datasets, labels, pairs, embedding, choosing, reviewing, mapping  # isort: skip
from fewscan.cli import training, runs, labeling, checking, stressing, showing  # isort: skip
from fewscan.cli import comparing, studying, verifying, label_suspects, moving, upgrading  # isort: skip
from fewscan.cli import demonstration  # isort: skip
from fewscan.cli.app import main

__all__ = [
    "adding",
    "checking",
    "choosing",
    "comparing",
    "datasets",
    "demonstration",
    "embedding",
    "importing",
    "label_suspects",
    "labeling",
    "labels",
    "main",
    "mapping",
    "moving",
    "pairs",
    "reviewing",
    "runs",
    "showing",
    "stressing",
    "studying",
    "training",
    "upgrading",
    "verifying",
]
