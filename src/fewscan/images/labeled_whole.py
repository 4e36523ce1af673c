"""Labels that were given once for several images, as of a study or a patient: where such a label comes from says so.

Nobody said of each of these images that it shows the finding. The origin `befunde.xlsx (whole study)` is of such labels.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from fewscan.images.sources import ScanFile

Whole = Literal["file", "series", "study", "patient", "folder"]

_AT_END = re.compile(rf" \(whole ({'|'.join(get_args(Whole))})\)$")


def for_whole(origin: str, whole: str | None) -> str:
    """Return where labels come from that were given for a whole study, say; whole: one of Whole, None for one image."""
    return origin if whole is None else f"{origin} (whole {whole})"


def whole_of(origin: str) -> str | None:
    """Return of what labels of this origin were given, one of Whole; None where each is of one image."""
    found = _AT_END.search(origin)
    return None if found is None else found[1]


def origin_alone(origin: str) -> str:
    """Return an origin without what `for_whole` adds."""
    return _AT_END.sub("", origin)


def with_wholes(scans: Sequence[ScanFile]) -> list[ScanFile]:
    """Return images labeled by folders or names of files with what such a label was given for, where that is several images.

    That is a file with several, and a study by its header that lies in a folder, or folders, below those of one class. What
    lies in a folder of its class may have been put there image by image.
    """
    together: dict[tuple[str, ...], list[ScanFile]] = defaultdict(list)
    for scan in scans:
        for key in _keys(scan):
            together[key].append(scan)
    of_several = {key: len(same) > 1 and len({scan.label for scan in same}) == 1 for key, same in together.items()}

    def with_whole(scan: ScanFile) -> ScanFile:
        whole = next((key[0] for key in _keys(scan) if of_several[key]), None)
        return scan if whole is None else replace(scan, label_whole=whole)

    return [with_whole(scan) for scan in scans]


def _keys(scan: ScanFile) -> list[tuple[str, ...]]:
    """Return by what images of one whole are known, the least whole first."""
    if scan.set_aside is not None or scan.label is None or scan.label_from not in ("folder", "name"):
        return []
    in_file = [("file", scan.source, scan.file)] if scan.part is not None else []
    below = scan.label_level is not None and scan.label_level < len(scan.folders)
    return [*in_file, ("study", scan.study)] if scan.study is not None and below else list(in_file)
