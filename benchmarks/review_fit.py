"""How long the review page's model takes after a decision, by scans and labels.

    python -m benchmarks.review_fit [--scans 5000 100000] [--labels 40 200 1000] [--csv FILE]

Features are made up: four classes as Gaussian clouds in 1,280 directions, as many as `efficientnet_lite0` gives. Timed, on one
core, is what follows each answer before the model says something else (`learned`: the fit, what it says of all scans, and its
accuracy on scans drawn at random), and what follows every 15th one or so behind it (`planned`: what to ask for
next). Seconds of the processor, which other work on the machine does not lengthen, and on the clock.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fewscan.choosing.model import deviation_over
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.progress import say
from fewscan.reviewing.opinion import Lesson, learned
from fewscan.reviewing.suggestions import planned

FEATURES, CLASSES = 1280, ("a", "b", "c", "d")
RANDOM_SHARE = 0.2


def made_up(scans: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (N, D) and classes (N,)."""
    random = np.random.default_rng(0)
    truth = random.integers(len(CLASSES), size=scans)
    features = random.standard_normal((scans, FEATURES), np.float32)
    features += random.normal(scale=0.15, size=(len(CLASSES), FEATURES)).astype(np.float32)[truth]
    return features, truth


def timed(lesson: Lesson, scans: Scans) -> dict[str, Any]:
    """Return what learning and planning take."""
    found: dict[str, Any] = {}
    opinion = None
    for name in ("learned", "planned"):
        began, cpu = time.perf_counter(), time.process_time()
        if name == "learned":
            opinion = learned(lesson)
        else:
            assert opinion is not None
            planned(scans, np.zeros(len(scans.labels), bool), opinion.probabilities)
        found[f"{name}_cpu_seconds"] = round(time.process_time() - cpu, 2)
        found[f"{name}_seconds"] = round(time.perf_counter() - began, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="+", default=[5000, 100_000])
    parser.add_argument("--labels", type=int, nargs="+", default=[40, 200, 1000])
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    lines = []
    for count in arguments.scans:
        features, truth = made_up(count)
        everything, groups = np.arange(count), np.arange(count)
        points, deviation = reduced(features, everything), deviation_over(features, everything)
        order = random_order(groups, np.ones(count, bool))
        for given in arguments.labels:
            labels = np.full(count, -1)
            labels[order[:given]] = truth[order[:given]]
            scored = np.sort(order[: round(RANDOM_SHARE * given)])
            scans = Scans(points, groups, labels, labels < 0, np.zeros(count, bool), order)
            with threadpool_limits(1):
                took = timed(Lesson(given, features, labels, CLASSES, groups, scored, deviation), scans)
            lines.append({"scans": count, "labels": given, **took, "load": round(os.getloadavg()[0], 1)})
            say(str(lines[-1]))
    if arguments.csv:
        pd.DataFrame(lines).to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
