"""How long a run of `probe` and its cross-fitted calibration take, once the dataset keeps the features.

python -m benchmarks.probe_speed DATASET FOLDER --csv FILE.csv
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fewscan import api


def timed(what: str, call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what a call gives, and a line: what, seconds on the clock, seconds of processor time."""
    began, computed = time.perf_counter(), time.process_time()
    result = call()
    return result, [what, f"{time.perf_counter() - began:.2f}", f"{time.process_time() - computed:.2f}"]


def main() -> None:
    """Train twice, the first time to import everything, and calibrate the second run by five folds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("folder", type=Path, help="where the runs go")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--split")
    arguments = parser.parse_args()

    def train(name: str) -> Any:
        return api.train(arguments.dataset, split=arguments.split, method="probe", out=arguments.folder / name)

    train("first")
    run, trained = timed("train", lambda: train("second"))
    _, calibrated = timed("calibrate, 5 folds", lambda: api.calibrate(run, folds=5, overwrite=True))
    with arguments.csv.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["what", "clock_seconds", "processor_seconds"], trained, calibrated])


if __name__ == "__main__":
    main()
