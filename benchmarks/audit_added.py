"""What is found of scans that come to those already audited: `python -m benchmarks.audit_added DATASET`.

Pairs: some of the scans come later; are the pairs those of an audit of all at once, and how long does it take? Recall:
originals or changed copies of scans (`benchmarks/audit_changes.py`) come to a dataset that holds the others; how many are put
into one set, by an audit of all and by one of what is new?
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from benchmarks.audit_changes import CHANGES
from benchmarks.measure import SCANS, peak_memory_mb
from fewscan.auditing.copies import CopyPairs, Described, describe_images, find_copies, find_copies_of
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.pairs import components
from fewscan.datasets.snapshot import Snapshot

# Changes that are hidden at once: more would leave too few scans for each.
AT_ONCE = 12

Int64s = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


def ends(pairs: CopyPairs) -> Int64s:
    return np.column_stack([pairs.row_a, pairs.row_b])


def distinct(dataset: Snapshot) -> Int64s:
    """Return the rows that an audit searches: one of all that are the same file or the same pixels."""
    usable = dataset.usable
    _, first = np.unique([row.tobytes() for row in dataset.whole[usable]], return_index=True)
    return usable[np.sort(first)]


def seconds(since: float, since_cpu: float) -> dict[str, float]:
    return {
        "wall_seconds": round(time.perf_counter() - since, 1),
        "cpu_seconds": round(time.process_time() - since_cpu, 1),
    }


def added(pixels: Pixels, old: Int64s, new: Int64s) -> tuple[Int64s, Int64s, dict[str, float]]:
    """Audit `old` rows, then `new` ones against them; return the pairs of both, and how long the second took."""
    with tempfile.TemporaryDirectory() as folder:
        found, known, _ = find_copies_of(pixels, describe_images(pixels, old))
        old_pairs = ends(found)
        known.save(Path(folder) / "known.safetensors")
        start, start_cpu = time.perf_counter(), time.process_time()
        known = Described.load([Path(folder) / "known.safetensors"])
        more = ends(find_copies_of(pixels, describe_images(pixels, new, known), known, old_pairs).pairs)
        return old_pairs, more, seconds(start, start_cpu)


def same_sets(count: int, first: Int64s, second: Int64s) -> bool:
    a, b = components(count, first), components(count, second)
    return bool(len(np.unique(np.column_stack([a, b]), axis=0)) == a.max() + 1 == b.max() + 1)


def pairs(dataset: Snapshot, count: int, draws: int) -> dict[str, Any]:
    """Let `count` scans drawn at random come later, and compare with an audit of all."""
    rows, pixels = distinct(dataset), np.asarray(dataset.whole)
    start, start_cpu = time.perf_counter(), time.process_time()
    at_once = set(map(tuple, ends(find_copies(pixels, rows=rows)).tolist()))
    figures: dict[str, Any] = {"images": len(rows), "new": count, "all_at_once": seconds(start, start_cpu), "draws": []}
    for draw in range(draws):
        new = np.sort(np.random.default_rng(draw).choice(rows, count, replace=False))
        old_pairs, more, took = added(pixels, np.setdiff1d(rows, new), new)
        together = set(map(tuple, np.concatenate([old_pairs, more]).tolist()))
        figures["draws"].append(
            {
                **took,
                "pairs_with_a_new_scan": len(more),
                "pairs_of_all_at_once": len(at_once),
                "pairs_missing": len(at_once - together),
                "pairs_more": len(together - at_once),
                "same_sets": same_sets(len(pixels), np.array(sorted(together)), np.array(sorted(at_once))),
            }
        )
    return figures


def changed_scans(dataset: Snapshot, scans: Path, rows: Int64s, names: list[str]) -> Pixels:
    """Return (R, 1, S, S) the rows' files, each changed in the way named."""
    size_px, random = dataset.whole.shape[-1], np.random.default_rng(list(CHANGES).index(names[0]))
    files = [scans / name for name in np.array(dataset.file_names)[rows]]
    changed = [CHANGES[name](Image.open(file).convert("L"), random) for name, file in zip(names, files, strict=True)]
    return np.stack([np.asarray(scan.resize((size_px, size_px), Image.Resampling.BILINEAR)) for scan in changed])[:, None]


def recall(dataset: Snapshot, scans: Path, each: int, others: int, first_change: int) -> list[dict[str, Any]]:
    """Return a line for every change: found by an audit of all, found where the changed ones are new, or the originals."""
    every = find_sets(dataset)
    _, first = np.unique(every[dataset.usable], return_index=True)
    order = np.random.default_rng(0).permutation(dataset.usable[first])
    lines: list[dict[str, Any]] = []
    for start in range(first_change, len(CHANGES), AT_ONCE):
        part = list(CHANGES)[start : start + AT_ONCE]
        chosen = np.roll(order, -each * start)[: each * len(part)]
        beside = order[~np.isin(order, chosen)][:others]
        changed = changed_scans(dataset, scans, chosen, np.repeat(part, each).tolist())
        pixels = np.concatenate([dataset.whole[chosen], changed, dataset.whole[beside]])
        originals, copies = np.arange(len(chosen)), len(chosen) + np.arange(len(chosen))
        rest = np.arange(2 * len(chosen), len(pixels))
        found = {
            "all_at_once": ends(find_copies(pixels)),
            "changed_ones_new": np.concatenate(added(pixels, np.concatenate([originals, rest]), copies)[:2]),
            "originals_new": np.concatenate(added(pixels, np.concatenate([copies, rest]), originals)[:2]),
        }
        sets = {name: components(len(pixels), links) for name, links in found.items()}
        hits = {
            name: (number[originals] == number[copies]).reshape(len(part), each).sum(axis=1) for name, number in sets.items()
        }
        sizes = {"size_px": pixels.shape[-1], "among": len(pixels), "scans": each}
        lines += [
            {"change": change, **sizes, **{name: int(hit[number]) for name, hit in hits.items()}}
            for number, change in enumerate(part)
        ]
    return lines


def find_sets(dataset: Snapshot) -> Int64s:
    """Return the sets of copies of a dataset (N,)."""
    return components(len(dataset.whole), ends(find_copies(dataset.whole, rows=dataset.usable)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="the scans of sartaj/ and nickparvar/, imported")
    parser.add_argument("--new", type=int, default=200, help="how many scans come later")
    parser.add_argument("--draws", type=int, default=3, help="how often they are drawn")
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--recall", type=int, metavar="EACH", help="measure recall instead, of so many scans a change")
    parser.add_argument("--first", type=int, default=0, help="number of the first change")
    parser.add_argument("--others", type=int, default=700, help="how many other scans they are hidden among")
    parser.add_argument("--out", type=Path, help="write the recall of every change as CSV")
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.dataset).snapshot()
    if arguments.recall:
        lines = recall(dataset, arguments.scans, arguments.recall, arguments.others, arguments.first)
        if arguments.out:
            pd.DataFrame(lines).to_csv(arguments.out, index=False)
        figures: Any = lines
    else:
        figures = pairs(dataset, arguments.new, arguments.draws)
    print(json.dumps({"figures": figures, "peak_memory_mb": round(peak_memory_mb())}, indent=2))


if __name__ == "__main__":
    main()
