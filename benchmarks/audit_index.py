"""What the audit's search finds and takes, no pixels compared: `python -m benchmarks.audit_index DATASET --images 100000`.

Real scans bent by a random smooth field, one in three of them instead a copy with another gamma, at times mirrored, are
described as the audit does. A sample of them is looked for among all in its 64 views, by each way that `auditing.copies.index`
has. Of what comparing with all finds the share is told that each way finds too, by how alike two are; copies are above 0.8.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.audit import COPIES, bent
from fewscan.auditing.copies import index
from fewscan.auditing.copies.candidates import NEIGHBORS
from fewscan.auditing.copies.describe import fit_projection, histograms
from fewscan.auditing.copies.images import Floats, read_gray
from fewscan.auditing.copies.placing import VIEWS, WHOLE
from fewscan.auditing.copies.search import QUERIES
from fewscan.datasets.dataset import Dataset
from fewscan.faiss_library import faiss

BATCH = 512
ALIKE = (0.55, 0.7, 0.8)

Halves = npt.NDArray[np.float16]


def described(scans: npt.NDArray[np.uint8], images: int, sample: int) -> tuple[Halves, Floats]:
    """Return the vectors (N, D) of so many images, and those (64 * Q, D) of the views of about `sample` of them."""
    random = np.random.default_rng(0)
    projection = fit_projection(scans, np.arange(len(scans)))
    vectors = np.empty((images, projection.directions.shape[1]), np.float16)
    of_batch = max(1, sample * BATCH // images)
    asked: list[Floats] = []
    for start in range(0, images, BATCH):
        drawn = [bent(scans[random.integers(len(scans)), 0], random) for _ in range(min(BATCH, images - start))]
        for place in np.flatnonzero(random.random(len(drawn)) < COPIES)[1:]:
            gamma = 255 * (drawn[random.integers(place)] / 255) ** np.exp(random.uniform(-0.6, 0.6))
            drawn[place] = gamma.astype(np.uint8)[:, :: random.choice([-1, 1])]
        gray = read_gray(np.stack(drawn)[:, np.newaxis], np.arange(len(drawn)))
        vectors[start : start + len(drawn)] = projection(histograms(gray, VIEWS[WHOLE]))
        if len(asked) // len(VIEWS) * of_batch < sample:
            asked += [projection.in_all_symmetries(histograms(gray[-of_batch:], view)) for view in VIEWS]
    return vectors, np.concatenate(asked)


def searched(vectors: Halves, asked: Floats, way: index.Way) -> tuple[dict[str, Any], Floats, npt.NDArray[np.int64]]:
    """Search by that way; return its figures, and the cosines and places that it found."""
    began = time.process_time()
    very_many = len(vectors) + (way != "graph")
    with patch.object(index, "way_among", lambda *_: way), patch.object(index, "VERY_MANY", very_many):
        found_by = index.index_of(vectors, QUERIES * len(vectors))
    built = time.process_time() - began
    held = len(faiss.serialize_index(found_by))
    began = time.process_time()
    cosines, places = found_by.search(asked, NEIGHBORS + 1)
    seconds = time.process_time() - began
    figures = {
        "way": way,
        "build_ms_an_image": round(1000 * built / len(vectors), 3),
        "query_ms": round(1000 * seconds / len(asked), 4),
        "ms_an_image_with_64_queries": round(1000 * built / len(vectors) + QUERIES * 1000 * seconds / len(asked), 2),
        "bytes_an_image": round(held / len(vectors)),
    }
    return figures, cosines, places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="real scans, imported")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=200, help="how many of them are looked for")
    parser.add_argument("--ways", nargs="+", choices=index.WAYS, default=list(index.WAYS))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    dataset = Dataset.open(arguments.dataset).snapshot()
    began = time.process_time()
    vectors, asked = described(dataset.whole[dataset.usable], arguments.images, arguments.sample)
    about = {"images": arguments.images, "queries": len(asked), "drawing_seconds": round(time.process_time() - began, 1)}
    exact, cosines, right = searched(vectors, asked, "all")
    lines = [exact]
    for way in arguments.ways:
        if way == "all":
            continue
        line, _, places = searched(vectors, asked, way)
        hit = (places[:, :, np.newaxis] == right[:, np.newaxis, :]).any(axis=1)
        line |= {f"found_of_{least}": round(float(hit[cosines >= least].mean()), 4) for least in ALIKE}
        lines.append(line)
    about["neighbors_of_0.8"] = int((cosines >= ALIKE[-1]).sum())
    about["peak_mb"] = round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    )
    print(json.dumps(about | {"ways": lines}, indent=1))


if __name__ == "__main__":
    main()
