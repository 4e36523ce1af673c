"""Disputes over labels that were given once for several images, as of a whole study: one question each, not one an image."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pandas as pd

from fewscan.choosing.scans import Bools, Int64s
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.labeled_whole import whole_of


class DisputedWhole(NamedTuple):
    """Images that are disputed together, and what a row of a table names to answer for all of them at once."""

    rows: Int64s  # ascending, two or more
    path: str  # below the source: a folder, or a file with several images, that holds no other image that can be used


def disputed_wholes(dataset: Dataset, snapshot: Snapshot, disputed: Bools) -> list[DisputedWhole]:
    """Return what is one dispute among the disputed rows (N,): the same was said of all images of a folder or file as a whole.

    Images whose folder also holds others are disputed one by one: an answer for the folder would be one for those, too.
    """
    if not disputed.any():
        return []
    voices = dataset.labels.voices(len(disputed))
    voices = voices[disputed[voices["row"].to_numpy()]]
    asked: dict[Hashable, list[int]] = defaultdict(list)
    for row, said in voices.groupby("row"):
        if all(whole_of(origin) for origin in said["origin"]):
            what = frozenset(said[["state", "label", "who", "origin"]].fillna("").itertuples(index=False, name=None))
            asked[snapshot.groups[int(str(row))], what].append(int(str(row)))
    paths = snapshot.manifest["source"] + "/" + snapshot.manifest["path"]
    mine = {place for rows in asked.values() for row in rows for place in _places(paths[row])}
    held = Counter(place for path in paths.iloc[snapshot.usable] for place in _places(path) if place in mine)
    return [whole for rows in asked.values() for whole in _wholes(rows, paths, held)]


def _wholes(rows: Iterable[int], paths: pd.Series, held: Counter[str]) -> list[DisputedWhole]:
    """Return the outermost places that hold some of the rows and no other image; held: how many images each place holds."""
    own = Counter(place for row in rows for place in _places(paths[row]))
    together: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        outermost = next((place for place in _places(paths[row]) if own[place] == held[place]), None)
        if outermost is not None:
            together[outermost].append(row)
    return [
        DisputedWhole(np.array(sorted(same), np.int64), place.partition("/")[2])
        for place, same in together.items()
        if len(same) > 1
    ]


def _places(path: str) -> list[str]:
    """Return the places that an image is in, the outermost first: folders below its source, and a file that holds several."""
    file, several, _ = path.partition("#")
    parts = list(accumulate(file.split("/"), "{}/{}".format))
    return parts[1:] if several else parts[1:-1]
