"""How fast copies are found, in how much memory, and how many: `python -m benchmarks.audit [--json] [--growth]`."""

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from benchmarks.measure import SCANS, in_own_process, peak_memory_mb
from fewscan.data.audit import audit
from fewscan.data.copies import components, find_copies
from fewscan.data.dataset import Dataset
from fewscan.data.importing import import_scans
from fewscan.data.phantoms import CLASSES, draw_phantom

SIZE_PX = 96
CHANGED_SCANS = 400
GROWTH = (1_000, 10_000, 100_000)

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def contrast_and_brightness(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    gray = np.asarray(scan, np.float32)
    changed = (gray - gray.mean()) * random.uniform(0.6, 1.6) + gray.mean() + random.uniform(-40, 40)
    return Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8))


def gamma(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    changed = (np.asarray(scan, np.float32) / 255) ** np.exp(random.uniform(-0.6, 0.6))
    return Image.fromarray((255 * changed).astype(np.uint8))


def sharpen(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.filter(ImageFilter.UnsharpMask(random.uniform(1, 3), int(random.uniform(80, 250)), 0))


def resize(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    factor = random.uniform(0.5, 2)
    return scan.resize((max(8, int(scan.width * factor)), max(8, int(scan.height * factor))), Image.Resampling.BICUBIC)


def crop(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    left, top, right, bottom = random.uniform(0, 0.12, 4)
    wide, high = scan.size
    return scan.crop((int(left * wide), int(top * high), int(wide - right * wide), int(high - bottom * high)))


def mirror(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    return scan.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def jpeg(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    scan.save(file, "JPEG", quality=int(random.integers(30, 96)))
    return Image.open(file).convert("L")


CHANGES: tuple[Change, ...] = (contrast_and_brightness, gamma, sharpen, resize, crop, mirror, jpeg)


def three_at_once(scan: Image.Image, random: np.random.Generator) -> Image.Image:
    for number in random.permutation(len(CHANGES))[:3]:
        scan = CHANGES[number](scan, random)
    return scan


def speed(dataset: Dataset) -> dict[str, Any]:
    """Audit the real scans."""
    start, start_cpu = time.perf_counter(), time.process_time()
    result = audit(dataset)
    return {
        "images": result.images,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - start_cpu, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "pairs": len(result.pairs),
        "copy_sets": result.copy_sets,
        "largest_group": max(result.group_sizes),
    }


def recall(dataset: Dataset, scans: Path) -> dict[str, Any]:
    """Hide changed copies of real scans among all of them; a copy counts as found where it joins its original's set."""
    random = np.random.default_rng(0)
    originals = random.choice(dataset.usable, CHANGED_SCANS, replace=False)
    figures = {}
    for change in (*CHANGES, three_at_once):
        hidden = []
        for row in originals:
            image = dataset.manifest.iloc[row]
            scan = Image.open(scans / image["source"] / image["path"]).convert("L")
            hidden.append(np.asarray(change(scan, random).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)))
        pixels = np.concatenate([dataset.pixels, np.stack(hidden)[:, None]])
        found = find_copies(pixels)
        sets = components(len(pixels), np.column_stack([found.row_a, found.row_b]))
        figures[change.__name__] = round(float((sets[originals] == sets[len(dataset.pixels) :]).mean()), 4)
    return figures


def phantoms(images: int, file: Path) -> npt.NDArray[np.uint8]:
    """Draw practice scans into a file, as a dataset has them, and return it memory-mapped."""
    random = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(images, 1, SIZE_PX, SIZE_PX))
    for number in range(images):
        pixels[number, 0] = draw_phantom(random, CLASSES[number % len(CLASSES)], size_px=SIZE_PX).pixels
    return pixels


def growth_at(images: int) -> dict[str, Any]:
    """Search among practice scans, no two of one head. The images' own file counts as memory wherever it has been read."""
    with tempfile.TemporaryDirectory() as folder:
        pixels = phantoms(images, Path(folder) / "pixels.npy")
        start, start_cpu = time.perf_counter(), time.process_time()
        found = find_copies(pixels)
    return {
        "images": images,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_ms_an_image": round(1000 * (time.process_time() - start_cpu) / images, 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "images_mb": round(pixels.nbytes / 1e6),
        "false_pairs": len(found),
    }


def growth() -> list[dict[str, Any]]:
    """Run every size in a process of its own, so that each has its own peak memory."""
    return [in_own_process("benchmarks.audit", "--json", "--growth-at", images) for images in GROWTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--dataset", type=Path, help="these scans, imported already; a copy of it is audited")
    parser.add_argument("--growth", action="store_true", help=f"also search among {GROWTH} practice scans; takes minutes")
    parser.add_argument("--growth-at", type=int, metavar="IMAGES", help="only search among so many practice scans")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    if arguments.growth_at:
        figures = growth_at(arguments.growth_at)
    else:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "mri"
            if arguments.dataset:
                shutil.copytree(arguments.dataset, copy)
            else:
                import_scans([f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")], copy, size_px=SIZE_PX)
            dataset = Dataset.open(copy)
            figures = {"cores": os.cpu_count(), "speed": speed(dataset), "recall": recall(dataset, arguments.scans)}
        if arguments.growth:
            figures["growth"] = growth()
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
