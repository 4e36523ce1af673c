"""Whether sources hold color, gray or both: a look at some of their files, before anything is imported."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.recognition import read_in_known_time, shows_color, silenced
from fewscan.images.guarded import guarded
from fewscan.images.parallel import in_order
from fewscan.images.sources import ScanFile, Source

# So many files of a source are looked at, evenly spaced.
FILES_LOOKED_AT = 200


class ColorCount(NamedTuple):
    """How many of the pictures of a source that were looked at show color."""

    source: str
    in_color: int
    looked_at: int


def count_colors(scans: Sequence[ScanFile], sources: Sequence[Source], workers: int | None = None) -> list[ColorCount]:
    """Look at up to FILES_LOOKED_AT files of each source; other formats, and what cannot be read, do not count."""
    paths: dict[str, dict[Path, None]] = {source.name: {} for source in sources}
    for scan in scans:
        if scan.set_aside is None:
            paths[scan.source][scan.path] = None
    counts = []
    with silenced():
        for name, of_source in paths.items():
            files = list(of_source)
            places = np.unique(np.linspace(0, len(files) - 1, min(FILES_LOOKED_AT, len(files))).astype(int))
            with closing(in_order(_look, [files[place] for place in places], workers=workers)) as looks:
                seen = [look for look in looks if look is not None]
            counts.append(ColorCount(name, sum(seen), len(seen)))
    return counts


def _look(path: Path) -> bool | None:
    if read_in_known_time(path):
        return shows_color(path)
    try:
        return guarded(shows_color, path.absolute())
    except UnreadableImage:
        return None


def color_warnings(counts: Sequence[ColorCount], channels: Literal[1, 3]) -> list[str]:
    """Return what to say before an import: of color that becomes gray, and of color and gray that are mixed."""
    in_color, looked_at = sum(one.in_color for one in counts), sum(one.looked_at for one in counts)
    if not in_color:
        return []
    shown = ", ".join(f"{one.source}: {one.in_color:,} of {one.looked_at:,}" for one in counts if one.looked_at)
    if in_color == looked_at:
        return (
            []
            if channels == 3
            else [f"the files are in color and become gray ({shown} files examined); --color keeps the color"]
        )
    advice = (
        "color becomes gray; --color keeps it"
        if channels == 1
        else "a network can recognize the gray ones by that; without --color all become gray"
    )
    return [f"color and gray are mixed ({shown} files examined are in color): {advice}"]
