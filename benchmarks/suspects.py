"""Which of the pictures that are no scans does the audit name, and how many real scans does it name by mistake?

    python -m benchmarks.suspects DATASET [--images 300] [--csv FILE] [--sheet FILE]

DATASET: the scans of `sartaj` and `nickparvar`, imported. Its own images count as scans, as they are, with noise added, and
dimmed; those that are named are drawn on a sheet, to be looked at. Beside them IMAGES pictures of each kind of
`benchmarks.non_scans` that needs no download, of noise in other sizes, and of a few lines of text, shrunk as import does it; of
photographs also whether import notes color. Blank ones are written as JPEG files and read, since import itself sets them
aside. Every kind is counted, also those that the audit does not look for.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from benchmarks.non_scans import CHOSEN_WITH, NEED_SCIKIT_IMAGE, TESTED_WITH, as_a_dataset_holds_it, of_kind
from benchmarks.non_scans.drawing import WORDS
from fewscan.auditing.suspects import KINDS, Suspect, find_suspects
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot
from fewscan.images.formats.channels import has_color
from fewscan.images.readers import UnreadableImage, read_images

SHEET_COLUMNS = 12
LOOKED_FOR = {
    "noise": "noise",
    "noise of 96 to 700 px": "noise",
    "text page": "text",
    "few lines of text": "text",
    "photograph": "color among gray",
}
SCAN_NOISE_LEVELS = 15
DIMMED = 0.4


def counted(kind: str, images: int, suspects: tuple[Suspect, ...]) -> dict[str, Any]:
    named = [suspect.kind for suspect in suspects]
    about = {"kind": kind, "looked_for_as": LOOKED_FOR.get(kind)}
    return {**about, "images": images, "named": len(named), **{name: named.count(name) for name in KINDS}}


def noise_of_a_size(random: np.random.Generator) -> np.ndarray:
    """White noise, Gaussian noise, salt and pepper, of 96 to 700 px a side."""
    shape = random.integers(96, 701, 2)
    return [
        random.integers(0, 256, shape).astype(np.uint8),
        np.clip(random.normal(random.uniform(40, 200), random.uniform(10, 60), shape), 0, 255).astype(np.uint8),
        (255 * (random.random(shape) < random.uniform(0.02, 0.5))).astype(np.uint8),
    ][random.integers(3)]


def lines_of_text(random: np.random.Generator) -> np.ndarray:
    """One to eight lines of 12 to 30 px on 256 to 600 px, black on white or white on black."""
    side, paper, font_px = int(random.integers(256, 601)), int(random.choice([0, 255])), int(random.integers(12, 31))
    canvas = Image.new("L", (side, side), paper)
    for line in range(random.integers(1, 9)):
        words = " ".join(random.choice(WORDS, int(random.integers(2, 6))))
        place = (random.uniform(5, side / 4), 10 + 1.4 * line * font_px)
        ImageDraw.Draw(canvas).text(place, words, 255 - paper, ImageFont.load_default(font_px))
    return np.asarray(canvas)


def blank(images: int, dataset: Snapshot, seed: int) -> dict[str, Any]:
    """Write one gray, or one color, as JPEG files, and count those that reading sets aside as blank."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(images)]
        for path in paths:
            color = (*random.integers(0, 256, 3).tolist(),) if random.random() < 0.5 else (int(random.integers(0, 256)),) * 3
            Image.new("RGB", (256, 200), color).save(path, quality=int(random.integers(50, 96)))
        results = list(read_images(paths, dataset.spec))
    named = sum(isinstance(one, UnreadableImage) and one.reason.startswith("blank: ") for one in results)
    return {"kind": "blank", "looked_for_as": "set aside by import", "images": images, "named": named}


def changed_scans(dataset: Snapshot, seed: int) -> list[dict[str, Any]]:
    """Ask about the scans with noise added, and dimmed."""
    scans = dataset.whole[dataset.usable]
    noise = np.random.default_rng(seed).normal(0, SCAN_NOISE_LEVELS, scans.shape)
    noisy = np.clip(scans + noise, 0, 255).astype(np.uint8)
    manifest = dataset.manifest.iloc[dataset.usable].reset_index(drop=True)
    rows = np.arange(len(scans))
    return [
        counted(f"real scan + noise of {SCAN_NOISE_LEVELS} levels", len(scans), find_suspects(noisy, manifest, rows)),
        counted(f"real scan x {DIMMED}", len(scans), find_suspects((DIMMED * scans).astype(np.uint8), manifest, rows)),
    ]


def drawn(kind: str, images: int, dataset: Snapshot, seed: int) -> dict[str, Any]:
    """Plant pictures of a kind among five times as many scans, which only color and size are compared with."""
    scans = dataset.whole[dataset.usable[: 5 * images]]
    own = {"noise of 96 to 700 px": noise_of_a_size, "few lines of text": lines_of_text}
    random = np.random.default_rng(seed)
    pictures = [own[kind](random) for _ in range(images)] if kind in own else of_kind(kind, images, scans[:, 0], seed)
    spec = dataset.spec.model_copy(update={"crop": "none"})  # as the audit looks at them
    planted = np.stack([as_a_dataset_holds_it(picture, spec) for picture in pictures])
    manifest = pd.DataFrame(index=range(len(scans) + images), columns=list(MANIFEST_DTYPES))
    manifest["source"] = "mixed"
    manifest["width_px"] = manifest["height_px"] = 256
    manifest["color"] = [False] * len(scans) + [has_color(picture) for picture in pictures]
    rows = np.arange(len(scans), len(manifest))
    found = find_suspects(np.concatenate([scans, planted]), manifest.astype(MANIFEST_DTYPES), np.arange(len(manifest)))
    return counted(kind, images, tuple(suspect for suspect in found if suspect.row in rows))


def sheet(dataset: Snapshot, suspects: tuple[Suspect, ...]) -> Image.Image:
    """Draw all that was named, in the order of their rows."""
    size_px = dataset.spec.size_px
    canvas = Image.new("L", (SHEET_COLUMNS * size_px, max(1, -(-len(suspects) // SHEET_COLUMNS)) * size_px))
    for number, suspect in enumerate(suspects):
        place = (number % SHEET_COLUMNS * size_px, number // SHEET_COLUMNS * size_px)
        canvas.paste(Image.fromarray(dataset.whole[suspect.row][0]), place)
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=300, help="of each kind")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="write the table here")
    parser.add_argument("--sheet", type=Path, help="write a picture of the scans that were named here")
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.dataset).snapshot()
    began = time.process_time()
    found = find_suspects(dataset.whole, dataset.manifest, dataset.usable)
    milliseconds = 1000 * (time.process_time() - began) / len(dataset.usable)
    kinds = [kind for kind in (*CHOSEN_WITH, *TESTED_WITH) if kind not in NEED_SCIKIT_IMAGE]
    kinds += ["noise of 96 to 700 px", "few lines of text"]
    lines = [counted("real scan", len(dataset.usable), found), *changed_scans(dataset, arguments.seed)]
    lines.append(blank(arguments.images, dataset, arguments.seed))
    lines += [drawn(kind, arguments.images, dataset, arguments.seed) for kind in kinds]
    table = pd.DataFrame(lines)
    table[list(KINDS)] = table[list(KINDS)].astype("Int64")
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.sheet:
        sheet(dataset, found).save(arguments.sheet)
    print(table.to_string(index=False))
    print(f"{milliseconds:.2f} ms of CPU an image; named: {[(one.kind, dataset.file_names[one.row]) for one in found]}")


if __name__ == "__main__":
    main()
