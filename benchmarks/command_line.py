"""What benchmarks are told alike: those that train on a dataset, and the parts of the GPU's."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewscan.config import parse_overrides


def training_parser(description: str | None, *, seeds: Sequence[int], csv_line: str) -> argparse.ArgumentParser:
    """Return a parser of DATASET, --seeds, --csv, with a line for every `csv_line`, and settings KEY=VALUE."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--csv", type=Path, help=f"write a line for every {csv_line} here")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of every method, as for `fewscan train`")
    return parser


def gpu_part_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what every part of benchmarks/gpu.sh is told: SCRATCH, OUT and --tiny."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path, help="where the carried datasets lie")
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    return parser


def parsed(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Return the arguments and the settings, which may stand after options."""
    arguments = parser.parse_intermixed_args()
    return arguments, parse_overrides(arguments.settings)


def keep(lines: list[dict[str, Any]], line: dict[str, Any], csv: Path | None) -> None:
    """Tell a line, add it to the others, and write all that there are: a benchmark that is stopped leaves what it has done."""
    print(line, flush=True)
    lines.append(line)
    if csv:
        pd.DataFrame(lines).to_csv(csv, index=False)
