"""Of a million images, those that the rows of a table may mean: the few whose places are then worth knowing."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.images.sources import Source
from fewscan.images.tables.finding import folders_and_stem, slashes, stem_of
from fewscan.images.tables.rows import Row


def within_reach(rows: Sequence[Row], sources: Sequence[Source], images: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the numbers, ascending, of the images that a row may mean: `Places` of these find what those of all would find.

    images: the columns source and path, as `ScanFile.relative` has it. A row means a place only if the last names of both are
    one, but for case and suffix.
    """
    # A name may hold backslashes, and a path may be written with them.
    wanted = {folders_and_stem(path)[-1] for row in rows for path in (row.path, slashes(row.path))}
    beginnings = {_beginning(name) for name in wanted}
    roots = {source.name: str(source.folder) for source in sources}

    @cache
    def is_wanted(source: str, folder: str) -> bool:
        """Whether a row may mean a folder, or one above it in its source."""
        place = os.path.realpath(Path(roots[source], folder))
        if stem_of(place.rpartition("/")[2].casefold()) in wanted:
            return True
        return folder != "" and is_wanted(source, folder.rpartition("/")[0])

    reached = []
    # Most names are told by their beginnings, for a third of what their stems take.
    for number, (source, path) in enumerate(zip(images["source"].to_numpy(), images["path"].to_numpy(), strict=True)):
        folder, _, name = path.rpartition("/")
        if is_wanted(source, folder) or (_beginning(name := name.casefold()) in beginnings and _is_named(name, wanted)):
            reached.append(number)
    return np.array(reached, dtype=np.int64)


def _beginning(name: str) -> str:
    """Return a name up to its first dot or #: names of one stem have one beginning."""
    return name.partition(".")[0].partition("#")[0]


def _is_named(name: str, wanted: set[str]) -> bool:
    return stem_of(name) in wanted or ("#" in name and stem_of(name.rpartition("#")[0]) in wanted)
