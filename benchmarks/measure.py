"""What the benchmarks share: memory of a process, a process of its own for every figure, and large folders of scans."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from fewscan.phantoms import write_practice_scans

SCANS = Path(os.environ.get("FEWSCAN_DATA", Path(__file__).parents[2] / "shared/data"))

DRAWN = 500
SIZE_PX = 256


def peak_memory_mb(*, with_children: bool = False) -> float:
    """Return the peak resident memory of this process, if asked together with that of its largest child, in MB."""
    whose = [resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN][: 1 + with_children]
    return sum(resource.getrusage(who).ru_maxrss for who in whose) * (1 if sys.platform == "darwin" else 1024) / 1e6


def in_own_process(module: str, *words: object) -> dict[str, Any]:
    """Run `python -m module words`, which prints one JSON object, and return that: its peak of memory is its own."""
    command = [sys.executable, "-m", module, *(str(word) for word in words)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def draw_scans(folder: Path) -> None:
    """Write DRAWN practice scans, JPEG files of SIZE_PX x SIZE_PX pixels in a folder a class, into a new folder."""
    write_practice_scans(folder, images=DRAWN, size_px=SIZE_PX)
    for file in sorted(folder.rglob("*.png")):
        Image.open(file).save(file.with_suffix(".jpg"), quality=90)
        file.unlink()


def link_scans(drawn: Path, folder: Path, count: int) -> None:
    """Make a folder of `count` scans out of drawn ones, linked over and over, in their folders."""
    files = sorted(path for path in drawn.rglob("*") if path.is_file())
    for number in range(count):
        file = files[number % len(files)]
        place = folder / file.relative_to(drawn).parent / f"{number:06}{file.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place)
