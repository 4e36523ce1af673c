"""Whether the box that `import --crop foreground` finds stays where it is when a scan is changed, and how long it takes.

    python -m benchmarks.crop SCANS [--scans 600] [--csv FILE] [--sheet FILE.png]

SCANS is a folder of gray pictures. Of every change of `benchmarks/corrupted.py` one line: the overlap (intersection over union)
of the box that is found with the one that was found in the scan as it was, brought to where it lies in the copy, mean and 5th
percentile; the share of scans that stay whole; and how much of the first box is cut away, 95th percentile. Of a turned scan the
box around the turned ellipse in the first box is taken. The first line is of the scans as they are: `kept` is the mean share of
their area. The last lines are of scans that are all tissue, from the middle of the boxes, half as wide and high: of these
nothing should be cut away. The sheet shows 100 of the scans with their boxes, and below the 40 copies whose boxes moved most.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.corrupted import CORRUPTIONS
from fewscan.images.crop import Box, foreground_box
from fewscan.images.readers import read_image
from fewscan.progress import track
from fewscan.stressing.frame import Affine

OF_TISSUE = ("bias_field", "equalized")
TILE_PX = 128
COLUMNS = 20


def box_of(scan: npt.NDArray[np.uint8]) -> Box:
    """Return the box that is found, or the whole scan."""
    height, width = scan.shape
    return foreground_box(scan) or Box(0, 0, width, height)


def brought_along(box: Box, affine: Affine, shape: tuple[int, ...]) -> Box:
    """Return the box around what lies in `box`, or, where the scan was turned, around the ellipse in it, within the copy."""
    angles = np.linspace(0, 2 * np.pi, 360)
    half = np.array([box.right - box.left, box.bottom - box.top]) / 2
    center = np.array([box.left, box.top]) + half
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    moved = (center + half * around) @ affine[:, :2].T + affine[:, 2]
    (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
    height, width = shape
    return Box(round(max(0, left)), round(max(0, top)), round(min(width, right)), round(min(height, bottom)))


def common(first: Box, second: Box) -> int:
    """Return how many pixels are in both."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(0, width) * max(0, height)


def middle(scan: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Return what is in the middle of the box."""
    height, width = box.bottom - box.top, box.right - box.left
    return np.ascontiguousarray(
        scan[box.top + height // 4 : box.bottom - height // 4, box.left + width // 4 : box.right - width // 4]
    )


def of_tissue(scans: list[npt.NDArray[np.uint8]]) -> list[dict[str, object]]:
    """Return a line for scans without a border as they are, and for some changes."""
    random = np.random.default_rng(0)
    lines: list[dict[str, object]] = []
    for name in ("none", *OF_TISSUE):
        copies = scans if name == "none" else [CORRUPTIONS[name](scan, random)[0] for scan in scans]
        kept = np.array([box_of(copy).area / copy.size for copy in copies])
        about = {"change": f"all tissue, {name}", "scans": len(scans), "whole": np.mean(kept == 1), "kept": kept.mean()}
        lines.append(about | {"lose_over_a_tenth": np.mean(kept < 0.9)})
    return lines


def drawn(scan: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Return a tile (TILE_PX, TILE_PX, 3) of the scan with its box."""
    scale = np.array([TILE_PX / scan.shape[1], TILE_PX / scan.shape[0]])
    tile = cv2.cvtColor(cv2.resize(scan, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    ends = [tuple((np.array(end) * scale).astype(int).tolist()) for end in (box[:2], box[2:])]
    cv2.rectangle(tile, ends[0], (ends[1][0] - 1, ends[1][1] - 1), (0, 255, 0), 1)
    return np.asarray(tile, np.uint8)


def sheet(tiles: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return the tiles in rows of COLUMNS."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=600)
    parser.add_argument("--csv", type=Path, help="write the lines here")
    parser.add_argument("--sheet", type=Path, help="write the picture here")
    arguments = parser.parse_args()

    files = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    places = np.unique(np.linspace(0, len(files) - 1, min(arguments.scans, len(files))).astype(int))
    scans = [read_image(files[place]).pixels for place in places]
    began = time.thread_time()
    boxes = [foreground_box(scan) for scan in scans]
    milliseconds = 1000 * (time.thread_time() - began) / len(scans)
    whole = [box_of(scan) for scan in scans]
    kept = np.array([box.area / scan.size for box, scan in zip(whole, scans, strict=True)])
    lines = [{"change": "none", "scans": len(scans), "whole": np.mean([box is None for box in boxes]), "kept": kept.mean()}]
    lines[0] |= {"lose_over_a_tenth": np.mean(kept < 0.9), "cpu_milliseconds": milliseconds}
    moved: list[tuple[float, npt.NDArray[np.uint8]]] = []
    for name, change in track(CORRUPTIONS.items(), "changes", total=len(CORRUPTIONS)):
        random = np.random.default_rng(0)
        overlaps, cuts, stayed = [], [], []
        for scan, box in zip(scans, whole, strict=True):
            copy, affine = change(scan, random)
            wanted, found = brought_along(box, affine, copy.shape), box_of(copy)
            both = common(wanted, found)
            overlaps.append(both / (wanted.area + found.area - both))
            cuts.append(1 - both / wanted.area)
            stayed.append(found.area == copy.size)
            moved.append((overlaps[-1], drawn(copy, found)))
        figures = {"overlap": np.mean(overlaps), "overlap_5th_percentile": np.quantile(overlaps, 0.05)}
        lines.append(
            {"change": name, "scans": len(scans), "whole": np.mean(stayed)}
            | figures
            | {"cut_95th_percentile": np.quantile(cuts, 0.95)}
        )
    lines += of_tissue([middle(scan, box) for scan, box in zip(scans, boxes, strict=True) if box is not None])
    table = pd.DataFrame(lines).round(3)
    print(table.to_string(index=False))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.sheet:
        shown = np.random.default_rng(0).permutation(len(scans))[:100]
        worst = sorted(moved, key=lambda pair: pair[0])[:40]
        cv2.imwrite(
            str(arguments.sheet), sheet([drawn(scans[place], whole[place]) for place in shown] + [tile for _, tile in worst])
        )


if __name__ == "__main__":
    main()
