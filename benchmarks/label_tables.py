"""How long a table of labels takes: `python -m benchmarks.label_tables --csv FILE`.

100,000 images in 1,000 folders, which need not be there: rows are read and find their images, no file is looked for. Times are
of the processor, in seconds.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

from fewscan.images.options import ImportOptions
from fewscan.images.sources import ScanFile, Source
from fewscan.images.tables import label_from_tables

WAYS = {
    "as they are": "p{folder:04d}/img_{number:06d}.png",
    "name without suffix": "img_{number:06d}",
    "paths of another machine": "/home/x/data/p{folder:04d}/img_{number:06d}.png",
    "backslashes and another case": "pool\\p{folder:04d}\\img_{number:06d}.PNG",
}


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True, help="where the figures go")
    parser.add_argument("--rows", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, asked.csv.open("w", newline="", encoding="utf-8") as file:
        figures = csv.writer(file, lineterminator="\n")
        figures.writerow(["rows", "names", "labeled", "cpu_seconds"])
        root = Path(place) / "pool"
        root.mkdir()
        places = [f"p{number // 100:04d}/img_{number:06d}.png" for number in range(asked.rows)]
        scans = [ScanFile("pool", relative, root / relative) for relative in places]
        for way, path in WAYS.items():
            table = root / "labels.csv"
            rows = (f"{path.format(folder=n // 100, number=n)},{'ab'[n % 2]},{n // 100}\n" for n in range(asked.rows))
            table.write_text("path,label,patient\n" + "".join(rows), encoding="utf-8")
            start = time.process_time()
            found = label_from_tables(scans, [Source("pool", root)], [table], ImportOptions(labels=(table,)), {})
            seconds = time.process_time() - start
            figures.writerow([asked.rows, way, sum(scan.label is not None for scan in found), f"{seconds:.2f}"])


if __name__ == "__main__":
    main()
