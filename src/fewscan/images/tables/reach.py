"""Of a million images, those that the rows of a table may mean: the few whose places are then worth knowing."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fewscan.images.sources import Source
from fewscan.images.tables.finding import caseless, folders_and_stem, slashes, stem_of
from fewscan.images.tables.rows import Row


def within_reach(rows: Sequence[Row], sources: Sequence[Source], images: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the numbers, ascending, of the images that a row may mean: `Places` of these find what those of all would find.

    images: the columns source and path, as `ScanFile.relative` has it. A row means a place only if the last names of both are
    one, but for case and suffix.
    """
    # A name may hold backslashes, and a path may be written with them.
    wanted = {folders_and_stem(path)[-1] for row in rows for path in (row.path, slashes(row.path))}
    # In front of every path, so that each has a folder.
    split = pc.split_pattern(pa.array("/" + images["path"]), "/", max_splits=1, reverse=True)
    folders, names = pc.list_element(split, 0), pc.list_element(split, 1)
    reached = _in_wanted_folders(images["source"], folders, sources, wanted)
    # Most names are told by their beginnings, far faster than by their stems.
    for number in np.flatnonzero(_may_be_wanted(names, wanted) & ~reached).tolist():
        reached[number] = _is_named(caseless(names[number].as_py()), wanted)
    return np.flatnonzero(reached)


def _in_wanted_folders(
    source_of: pd.Series, folders: pa.Array, sources: Sequence[Source], wanted: set[str]
) -> npt.NDArray[np.bool_]:
    """Return of each image whether a row may mean its folder, or one above it in its source."""
    roots = {source.name: str(source.folder) for source in sources}

    @cache
    def is_wanted(source: str, folder: str) -> bool:
        place = os.path.realpath(Path(roots[source], folder.lstrip("/")))
        if stem_of(caseless(place.rpartition("/")[2])) in wanted:
            return True
        return folder != "" and is_wanted(source, folder.rpartition("/")[0])

    in_folder, every_folder = pd.factorize(pd.array(folders, dtype="str"))
    in_source, every_source = pd.factorize(source_of)
    pairs, of_each = np.unique(in_source * len(every_folder) + in_folder, return_inverse=True)
    places = zip(*np.divmod(pairs, len(every_folder)), strict=True)
    return np.array([is_wanted(every_source[source], every_folder[folder]) for source, folder in places], dtype=bool)[of_each]


def _may_be_wanted(names: pa.Array, wanted: set[str]) -> npt.NDArray[np.bool_]:
    """Return of each name whether it begins as a wanted one does; letters beyond ASCII have cases of their own."""
    beginnings = pc.utf8_lower(names)
    for end in (".", "#"):
        beginnings = pc.list_element(pc.split_pattern(beginnings, end, max_splits=1), 0)
    alike = pc.is_in(beginnings, pa.array({_beginning(name) for name in wanted}, type=beginnings.type))
    return np.asarray(pc.or_(alike, pc.invert(pc.string_is_ascii(names))))


def _beginning(name: str) -> str:
    """Return a name up to its first dot or #: names of one stem have one beginning."""
    return name.partition(".")[0].partition("#")[0]


def _is_named(name: str, wanted: set[str]) -> bool:
    return stem_of(name) in wanted or ("#" in name and stem_of(name.rpartition("#")[0]) in wanted)
