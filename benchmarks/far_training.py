"""How long training, labels and verifying take where pixels lie in object storage, and whether the result is the same.

`python -m benchmarks.far_training --server-python PYTHON --out docs/results/far_training.json`, PYTHON being one that has
`moto[server]`; this one needs `s3fs`. Practice scans are imported, their pixels copied to a local S3 server that answers each
request late, and removed here. Then the same is done on both.
"""

import argparse
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import fewscan
from fewscan.atomic import write_json
from fewscan.datasets.dataset import Dataset
from fewscan.images import stored
from fewscan.images.elsewhere import FarImages
from fewscan.images.stored import Rows
from fewscan.phantoms import write_practice_scans
from fewscan.training import held
from fewscan.training.images import ImageRows

PORT = 5555
URL = "s3://pixels/practice"
ROWS_ASKED = 1000


@contextmanager
def served(python: str, delay: float) -> Iterator[None]:
    """Run the server, with one bucket, and let s3fs find it."""
    import fsspec

    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    fsspec.config.conf.setdefault("s3", {})["endpoint_url"] = f"http://127.0.0.1:{PORT}"
    # Without this process's paths of packages, of which the server has its own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [python, Path(__file__).with_name("delayed_s3.py"), str(PORT), str(delay)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                fsspec.filesystem("s3").mkdir("pixels")
                break
            except Exception:
                time.sleep(0.3)
        yield
    finally:
        server.terminate()
        server.wait()


def each_by_itself(pixels: FarImages, rows: Rows) -> None:
    """Read rows, each by a request of its own, as where they lie far apart."""
    usual, stored.READ_THROUGH_BYTES = stored.READ_THROUGH_BYTES, 0
    _ = pixels[rows]
    stored.READ_THROUGH_BYTES = usual


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = work()
    return round(time.perf_counter() - began, 2), done


def trained(dataset: Path, out: Path, method: str, share: float, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Train, and say how long it took; share: of the memory that may keep pixels from elsewhere."""
    usual, held.HELD_SHARE = held.HELD_SHARE, share
    try:
        cpu = time.process_time()
        seconds, run = timed(lambda: fewscan.train(dataset, out=out, method=method, **asked))
        cpu = time.process_time() - cpu
    finally:
        held.HELD_SHARE = usual
    epochs = [line["seconds"] for line in run.metrics()]
    return {"seconds": seconds, "cpu_seconds": round(cpu, 1), "seconds_an_epoch": epochs}, (
        run.folder / "model.safetensors"
    ).read_bytes()


def readings(pixels: FarImages) -> dict[str, Any]:
    """Read the pixels in several ways, without computing anything."""
    rows = np.random.default_rng(0).permutation(len(pixels))[:ROWS_ASKED]
    image = pixels.nbytes // len(pixels)
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "all, one after the other": (len(pixels), lambda: np.asarray(pixels)),
        "rows from all over, together": (ROWS_ASKED, lambda: pixels[rows]),
        "the same rows, 64 at a time, read ahead": (
            ROWS_ASKED,
            lambda: list(ImageRows(pixels, torch.device("cpu"), keep=False).batches(rows, 64)),
        ),
        "the same rows, each by a request of its own, side by side": (ROWS_ASKED, lambda: each_by_itself(pixels, rows)),
        "50 rows one by one": (50, lambda: [pixels[row] for row in rows[:50]]),
    }
    found = {}
    for name, (count, read) in ways.items():
        seconds, _ = timed(read)
        found[name] = {
            "seconds": seconds,
            "images_per_second": round(count / seconds),
            "mb_used": round(count * image / 1e6, 1),
        }
    return found


def trainings(here: Path, away: Path, out: Path, method: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Train on pixels here and elsewhere, kept and not, shuffled among all and in blocks."""
    settings = {"epochs": asked.epochs, "device": "cpu"}
    buffered = settings | {"shuffle_buffer": asked.images // 4}
    ways = {
        "here": (here, 1.0, settings),
        "elsewhere, kept": (away, held.HELD_SHARE, settings),
        "here, in blocks": (here, 1.0, buffered),
        "elsewhere, in blocks, nothing kept": (away, 0.0, buffered),
        "elsewhere, nothing kept, no blocks": (away, 0.0, settings),
    }
    found = {
        name: trained(folder, out / str(number), method, share, chosen)
        for number, (name, (folder, share, chosen)) in enumerate(ways.items())
    }
    told: dict[str, Any] = {name: numbers for name, (numbers, _) in found.items()}
    weights = {name: content for name, (_, content) in found.items()}
    told["same weights, bit for bit"] = (
        weights["here"] == weights["elsewhere, kept"] == weights["elsewhere, nothing kept, no blocks"]
        and weights["here, in blocks"] == weights["elsewhere, in blocks, nothing kept"]
    )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server-python", required=True, help="a Python that has moto[server]")
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--delay", type=float, default=0.03, help="seconds that the server waits before each answer")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, served(asked.server_python, asked.delay):
        here, away = Path(place) / "here", Path(place) / "away"
        write_practice_scans(Path(place) / "scans", images=asked.images, size_px=asked.size_px)
        fewscan.import_scans(Path(place) / "scans", here, size_px=asked.size_px, crop="none")
        fewscan.audit(here)
        fewscan.split(here, labeled=asked.images // 6, test=asked.images // 6)
        shutil.copytree(here, away)
        result: dict[str, Any] = {
            "copied, read back and removed here": timed(lambda: fewscan.move_pixels(away, to=URL, remove=True))[0]
        }
        pixels = Dataset.open(away).pixels
        assert isinstance(pixels, FarImages)
        result["readings"] = readings(pixels)
        for method in ("supervised", "mixmatch"):
            result[f"train {method}"] = trainings(here, away, Path(place) / method, method, asked)
        run = Path(place) / "supervised" / "0"
        for name, data in (("here", here), ("elsewhere", away)):
            table = Path(place) / f"{name}.csv"
            result[f"label, pixels {name}"] = timed(partial(fewscan.label, run, out=table, data=data))[0]
            result[f"verify, pixels {name}"] = timed(partial(fewscan.verify, data))[0]
        # What is accepted depends on how many runs of a dataset there are to choose from, and these are two.
        columns = ["path", "label", "score", "typicality"]
        tables = [pd.read_csv(Path(place) / f"{name}.csv")[columns] for name in ("here", "elsewhere")]
        result["same labels, scores and typicality"] = tables[0].equals(tables[1])
    about = {
        "command": (
            f"python -m benchmarks.far_training --server-python PYTHON --images {asked.images} --size-px {asked.size_px} "
            f"--epochs {asked.epochs} --delay {asked.delay}"
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, beside other work",
        "load": round(os.getloadavg()[0], 1),
    }
    write_json(asked.out, about | result)
    print(result)


if __name__ == "__main__":
    main()
