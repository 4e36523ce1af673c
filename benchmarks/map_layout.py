"""How long the places of a map take, by scans: what `fewscan map` and the review page's map compute from kept features.

    python -m benchmarks.map_layout [--scans 10000 100000] [--features 64] [--csv FILE]

Features are made up: 40 Gaussian clouds. Timed, on one core, is `coordinates`, and `clusters` of what it gives. Seconds of the
processor, which other work on the machine does not lengthen, and on the clock; memory is the process's most so far.
"""

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fewscan.mapping.clusters import clusters
from fewscan.mapping.coordinates import coordinates
from fewscan.progress import say

CLOUDS = 40


def made_up(scans: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (N, D) and which cloud each is of (N,)."""
    random = np.random.default_rng(0)
    cloud = random.integers(CLOUDS, size=scans)
    middles = random.normal(scale=1.5, size=(CLOUDS, features)).astype(np.float32)
    return middles[cloud] + random.standard_normal((scans, features), np.float32), cloud


def kept_together(xy: np.ndarray, cloud: np.ndarray) -> float:
    """Return of how many scans, of 2,000 drawn at random, the nearest other one on the map is of the same cloud."""
    drawn = np.random.default_rng(1).permutation(len(xy))[:2000]
    distances = np.linalg.norm(xy[drawn, np.newaxis] - xy[np.newaxis, drawn], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((cloud[drawn[distances.argmin(axis=1)]] == cloud[drawn]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    lines = []
    for count in arguments.scans:
        features, cloud = made_up(count, arguments.features)
        line: dict[str, float] = {"scans": count, "features": arguments.features}
        with threadpool_limits(1):
            began, cpu = time.perf_counter(), time.process_time()
            xy = coordinates(features).xy
            line |= {
                "places_cpu_seconds": round(time.process_time() - cpu, 1),
                "places_seconds": round(time.perf_counter() - began, 1),
            }
            cpu = time.process_time()
            clusters(xy)
            line["clusters_cpu_seconds"] = round(time.process_time() - cpu, 1)
        line["neighbor_of_the_same_cloud"] = round(kept_together(xy, cloud), 3)
        line["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        line["load"] = round(os.getloadavg()[0], 1)
        lines.append(line)
        say(str(line))
        if arguments.csv:
            pd.DataFrame(lines).to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
