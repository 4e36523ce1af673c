"""How labels scale: `python -m benchmarks.labels --out docs/results/labels_scale.json [--rows N]`.

A dataset of a million rows of tiny images, all labeled by their folders, and what people do with it, each as a command in a
process of its own: its seconds on the wall and of CPU, those of the quickest of three, and its peak of memory. Each `set` has a
table of its own, which changes three labels of four.
"""

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fewscan.atomic import write_json, write_text
from fewscan.datasets.dataset import DATASET_FILE, Dataset, DatasetDescription
from fewscan.datasets.descriptions import SourceDescription
from fewscan.images.options import ImageSpec
from fewscan.images.store import IMAGES_FOLDER, ImageStore
from fewscan.images.stored import Pixels
from fewscan.images.table import IMAGE_DTYPES
from fewscan.labels.log import LABELS_FILE, LabelLog

SIZE_PX = 8
IN_A_FOLDER = 1000
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
SET = 10_000
WAYS = {"as they are": "p{folder:04d}/img_{row:07d}.png", "other case and suffix": "P{folder:04d}/IMG_{row:07d}.JPG"}
OPEN = "import sys; from fewscan.datasets.dataset import Dataset; Dataset.open(sys.argv[1]).pixels"
ENTER = (
    "import sys; from fewscan.datasets.dataset import Dataset; "
    "Dataset.open(sys.argv[1]).labels.enter(range(10_000), ['glioma'] * 10_000, origin='review', who='Ada')"
)
NOTHING = "import fewscan.datasets.dataset"
TIMES = 3
# A process's peak begins with that of the one which started it, so a small one does.
_WATCH = (
    "import json, os, sys, time; began = time.monotonic(); "
    "process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, "
    "file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]); "
    "_, status, used = os.wait4(process, 0); wall = time.monotonic() - began; "
    "print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss])); sys.exit(os.waitstatus_to_exitcode(status))"
)
_SMALL = [sys.executable, "-I", "-S", "-c", _WATCH]


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where the figures go")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        dataset = Path(place) / "dataset"
        make_dataset(dataset, asked.rows)
        figures = measured(dataset, asked.rows)
        sizes = {"labels_db_mb": round((dataset / LABELS_FILE).stat().st_size / 1e6, 1)}
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    about = {
        "command": f"python -m benchmarks.labels --rows {asked.rows}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "times": TIMES,
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }
    write_json(asked.out, about | {"rows": asked.rows, "rows_set": SET} | sizes | {"measured": figures})
    print(json.dumps(figures, indent=1))


def measured(dataset: Path, rows: int) -> list[dict[str, object]]:
    """Run everything, and return a line for each."""
    fewscan = [sys.executable, "-m", "fewscan", "labels"]
    out = dataset.parent / "out.csv"
    lines = [
        command("load the code alone", lambda _: [sys.executable, "-c", NOTHING]),
        command("load the code and open the dataset", lambda _: [sys.executable, "-c", OPEN, str(dataset)]),
        {"what": "open the dataset, the code being loaded", "wall_seconds": opening(dataset)},
        command(f"enter {SET:,} labels by rows", lambda _: [sys.executable, "-c", ENTER, str(dataset)]),
    ]
    for number, (way, who) in enumerate(itertools.product(WAYS, ([], ["--who", "Ada"]))):

        def setting(again: int, number: int = number, way: str = way, who: list[str] = who) -> list[str]:
            table = dataset.parent / "table.csv"
            write_table(table, WAYS[way], rows, TIMES * number + again)
            return [*fewscan, "set", str(dataset), str(table), *who]

        lines.append(command(f"labels set of {SET:,}, names {way}{', by a person' if who else ''}", setting))
    for words in (["history", dataset, "p0000/img_0000007.png"], ["undo", dataset], ["conflicts", dataset]):
        called = [*fewscan, *map(str, words)]
        lines.append(command(f"labels {words[0]}", partial(_again, called)))
    lines.append(command("labels export", lambda _: [*fewscan, "export", str(dataset), "--out", str(out), "--overwrite"]))
    return lines


def _again(called: list[str], again: int) -> list[str]:
    return called


def opening(dataset: Path) -> float:
    """Return the seconds that opening a dataset takes within this process, those of the quickest of TIMES."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        _ = Dataset.open(dataset).pixels
        seconds.append(time.monotonic() - began)
    return round(min(seconds), 3)


def command(name: str, words_of: Callable[[int], list[str]], times: int = TIMES) -> dict[str, object]:
    """Run a command so many times, and return its seconds, the quickest time's, and its peak of resident memory."""
    ended = []
    for again in range(times):
        words = [*_SMALL, *words_of(again)]
        ended.append(json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout))
    wall, cpu, peak = min(ended)
    peak_mb = peak * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"what": name, "wall_seconds": round(wall, 2), "cpu_seconds": round(cpu, 2), "peak_mb": round(peak_mb)}


def make_dataset(folder: Path, rows: int, size_px: int = SIZE_PX, images: Iterable[Pixels] | None = None) -> None:
    """Write a dataset of so many rows, labeled by their folders; images: (1, S, S) each, by default blank ones."""
    folder.mkdir(parents=True)
    store = ImageStore(folder / IMAGES_FOLDER, ImageSpec(size_px=size_px, channels=1), ())
    images = itertools.repeat(np.zeros(store.spec.shape, np.uint8)) if images is None else images
    facts = pd.DataFrame({"path": [WAYS["as they are"].format(folder=row // IN_A_FOLDER, row=row) for row in range(rows)]})
    facts = facts.assign(source="pool", sha256=[f"{row:064x}" for row in range(rows)], width_px=size_px, height_px=size_px)
    facts = facts.assign(pixels_sha256=facts["sha256"]).reindex(columns=list(IMAGE_DTYPES)).astype(IMAGE_DTYPES)
    with store.appending() as shard:
        for image in itertools.islice(images, rows):
            shard.write(image, {})
    shards = store.sealed(shard, facts).shards
    log = LabelLog.create(folder / LABELS_FILE, shards[0].chain)
    log.enter(range(rows), [CLASSES[row % len(CLASSES)] for row in range(rows)], origin="folder")
    source = SourceDescription(name="pool", folder=str(folder.parent / "pool"), images=rows, set_aside=0)
    described = DatasetDescription(spec=store.spec, sources=(source,), shards=shards)
    write_text(folder / DATASET_FILE, described.model_dump_json(indent=2))


def write_table(table: Path, path: str, rows: int, seed: int) -> None:
    """Write a table of SET of the rows, three in four of them with another label than their folder's."""
    draw = np.random.default_rng(seed)
    chosen = draw.choice(rows, SET, replace=False)
    labels = draw.choice(CLASSES, SET)
    lines = [f"{path.format(folder=row // IN_A_FOLDER, row=row)},{label}" for row, label in zip(chosen, labels, strict=True)]
    table.write_text("\n".join(["path,label", *lines]) + "\n")


if __name__ == "__main__":
    main()
