"""The command line: the verbs of `fewscan.api`, thin. Each module adds its verbs to the application in the order of --help."""

from fewscan.cli import datasets, training, runs, comparing, demonstration  # isort: skip
from fewscan.cli.app import app, main

__all__ = ["app", "comparing", "datasets", "demonstration", "main", "runs", "training"]
