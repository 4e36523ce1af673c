"""Which changed copies of real scans the audit finds: `python -m benchmarks.audit_recall [--out FILE.csv]`.

Changed copies of scans are hidden among all of them, of every group one scan at most and of every scan one copy; a copy counts
as found where the audit's search puts it into its original's set. Changes are made to the file, before it is resized.
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
from fewscan.auditing.audit import audit
from fewscan.auditing.copies import CopyPairs, find_copies
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.datasets.pairs import components
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import fit

# Changes that are hidden at once: more would leave too few scans for each.
AT_ONCE = 12


def originals(dataset: Snapshot, tuned: Path | None) -> npt.NDArray[np.int64]:
    """Return one row of every group, in random order, but none of the groups of the paths that `tuned` lists."""
    groups, first = np.unique(dataset.groups[dataset.usable], return_index=True)
    names = (dataset.manifest["source"] + "/" + dataset.manifest["path"]).to_numpy()
    known = np.isin(names, tuned.read_text().splitlines()) if tuned else np.zeros(len(names), bool)
    return np.random.default_rng(0).permutation(dataset.usable[first[~np.isin(groups, dataset.groups[known])]])


def recall(
    dataset: Snapshot, scans: Path, rows: npt.NDArray[np.int64], each: int, names: list[str], others: int
) -> tuple[list[dict[str, Any]], npt.NDArray[np.int64], CopyPairs]:
    """Hide `each` copies of every change; return a line for each, and the sets and pairs of the last search."""
    spec = dataset.spec
    lines: list[dict[str, Any]] = []
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        share = min(each, len(rows) // len(part))
        chosen, hidden = np.roll(rows, -share * list(CHANGES).index(part[0]))[: share * len(part)], []
        random = np.random.default_rng(list(CHANGES).index(part[0]))
        for row, name in zip(chosen, np.repeat(part, share), strict=True):
            image = dataset.manifest.iloc[row]
            scan = CHANGES[name](Image.open(scans / image["source"] / image["path"]).convert("L"), random)
            hidden.append(fit(np.asarray(scan), spec.size_px, spec.resize))
        pixels = np.concatenate([dataset.whole, np.stack(hidden)])
        scans_among = np.union1d(chosen, np.random.default_rng(2).permutation(dataset.usable)[:others])
        found = find_copies(pixels, rows=np.concatenate([scans_among, np.arange(len(dataset.whole), len(pixels))]))
        sets = components(len(pixels), np.column_stack([found.row_a, found.row_b]))
        hits = (sets[chosen] == sets[len(dataset.whole) :]).reshape(len(part), share).sum(axis=1)
        size = {"size_px": spec.size_px, "among": len(scans_among), "scans": share}
        lines += [
            {"change": name, **size, "found": int(hit), "recall": round(hit / share, 3)}
            for name, hit in zip(part, hits, strict=True)
        ]
    return lines, sets, found


def known_pairs(sets: npt.NDArray[np.int64], known: Path, least: float) -> dict[str, Any]:
    """Look up the near copies of an earlier audit.json, of `least` similarity there, in the sets found now."""
    pairs = [pair for pair in json.loads(known.read_text())["pairs"] if pair[2] == "near" and pair[3] >= least]
    return {"known": len(pairs), "found": sum(bool(sets[pair[0]] == sets[pair[1]]) for pair in pairs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--size", type=int, default=96, help="the stored size in px")
    parser.add_argument("--crop", choices=("none", "foreground"), default="none", help="as of `fewscan import`")
    parser.add_argument("--each", type=int, default=100, help="scans for each change")
    parser.add_argument("--tuned", type=Path, help="a file of paths, one a line: their groups take no part")
    parser.add_argument("--known", type=Path, help="audit.json of an earlier version, of the same import")
    parser.add_argument("--known-least", type=float, default=0.93, help="the similarity there from which pairs count")
    parser.add_argument("--first", type=int, default=0, help="number of the first change")
    parser.add_argument("--last", type=int, help="number of the change after the last one")
    parser.add_argument("--others", type=int, default=10**9, help="how many other scans they are hidden among")
    parser.add_argument("--dataset", type=Path, help="these scans, imported and audited already")
    parser.add_argument("--pairs", type=Path, help="write the pairs of the last search as CSV, to look at them")
    parser.add_argument("--out", type=Path, help="write the recall of every change as CSV")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        place = arguments.dataset or Path(folder) / "mri"
        if not arguments.dataset:
            named = [f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")]
            audit(import_scans(named, place, size_px=arguments.size, crop=arguments.crop))
        dataset = Dataset.open(place).snapshot()
        chosen = originals(dataset, arguments.tuned)
        start, start_cpu = time.perf_counter(), time.process_time()
        names = list(CHANGES)[arguments.first : arguments.last]
        lines, sets, found = recall(dataset, arguments.scans, chosen, arguments.each, names, arguments.others)
    figures: dict[str, Any] = {
        "recall": lines,
        "pairs_of_scans": int((found.row_b < len(dataset.whole)).sum()),
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - start_cpu, 1),
        "peak_memory_mb": round(peak_memory_mb()),
    }
    if arguments.known:
        figures["known_pairs"] = known_pairs(sets, arguments.known, arguments.known_least)
    if arguments.pairs:
        columns = {"row_a": found.row_a, "row_b": found.row_b, "similarity": found.similarity, "mirrored": found.mirrored}
        pd.DataFrame(columns).to_csv(arguments.pairs, index=False)
    if arguments.out:
        pd.DataFrame(lines).to_csv(arguments.out, index=False)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
