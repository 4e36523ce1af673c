"""How fast a folder of new scans is labeled, how near that is to the network alone, and in how much memory as folders grow.

    python -m benchmarks.label [--scans 1000 10000] [--encoder resnet_small] [--exact-copies-only] [--json]

The folder holds practice scans as JPEG files of 256 x 256 pixels, 500 drawn ones linked over and over. Each size is labeled in
a process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

import fewscan
from benchmarks.measure import draw_scans, in_own_process, link_scans, peak_memory_mb
from fewscan.evaluation.predictor import Predictor
from fewscan.training.run import Run

NETWORK_SCANS = 4096


def network_alone(run: Run) -> float:
    """Return scans per second of the network on pixels that are ready."""
    size_px = run.record.spec.size_px
    pixels = np.random.default_rng(0).integers(0, 256, (NETWORK_SCANS, 1, size_px, size_px), dtype=np.uint8)
    predictor = Predictor.of(run)
    predictor.predict(pixels[:512])
    began = time.perf_counter()
    predictor.predict(pixels)
    return NETWORK_SCANS / (time.perf_counter() - began)


def labeled(run: Path, folder: Path, out: Path, *, exact_copies_only: bool) -> dict[str, float]:
    began, began_cpu = time.perf_counter(), time.process_time()
    summary = fewscan.label(run, folder, out=out, exact_copies_only=exact_copies_only)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "scans": summary.scans,
        "unreadable": summary.unreadable,
        "seconds": round(seconds, 2),
        "scans_per_second": round(summary.scans / seconds, 1),
        "cpu_ms_a_scan": round(1e3 * cpu_seconds / summary.scans, 2),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--encoder", choices=["resnet_small", "study_cnn"], default="resnet_small")
    parser.add_argument("--exact-copies-only", action="store_true", help="as of `fewscan label`")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=Path, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(labeled(*arguments.one, exact_copies_only=arguments.exact_copies_only)))
        return

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = folder / "drawn"
        draw_scans(drawn)
        fewscan.import_scans(drawn, folder / "dataset", size_px=96, crop="none")
        fewscan.split(folder / "dataset", labeled=200, test=20, protocol="study")
        run = fewscan.train(folder / "dataset", out=folder / "run", method="supervised", encoder=arguments.encoder, epochs=1)
        growth = []
        for count in arguments.scans:
            link_scans(drawn, folder / str(count), count)
            places = (run.folder, folder / str(count), folder / f"{count}.csv")
            how = ["--exact-copies-only"] if arguments.exact_copies_only else []
            growth.append(in_own_process("benchmarks.label", *how, "--one", *places))
        figures = {"encoder": arguments.encoder, "network_alone_per_second": round(network_alone(run), 1), "folders": growth}
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{arguments.encoder}: the network alone {figures['network_alone_per_second']} scans/s")
    for folder_figures in growth:
        print("  ".join(f"{key} {value}" for key, value in folder_figures.items()))


if __name__ == "__main__":
    main()
