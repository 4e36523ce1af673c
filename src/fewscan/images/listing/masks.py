"""Masks among scans: drawn over a scan, in a folder of their own or beside it, and to be taken for no scan."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from fewscan.images.listing.folder_names import is_part, may_hold_masks, surely_holds_masks
from fewscan.images.sources import ScanFile

MASK = "mask or annotation: import --keep-masks takes it as a scan"

_WORD = r"(?:mask|seg|segm|segmentation|label|gt|groundtruth|ground[-_ ]truth|roi|annotation|contour)s?"
_BEHIND = re.compile(rf"(?P<name>.+?)[-_. ]+{_WORD}(?:[-_. ]?\(?\d+\)?)?", re.I)
_BEFORE = re.compile(rf"{_WORD}[-_. ]+(?P<name>.+)", re.I)
_CUT = re.compile(r"[-_. ]+")

_Folders = tuple[str, ...]


def set_masks_aside(scans: Sequence[ScanFile]) -> list[ScanFile]:
    """Set aside what is a mask by its folder, or by its name beside the scan it was drawn over.

    Folders: masks, labelsTr and the like, where the source holds other files as well; label, mask and the like, which may name
    a class, where beside them stands a folder such as images, or a file. Names: `name_mask`, `name_seg`, `mask_name` and the
    like, where `name`, or one that goes on from it (`name_flair`), lies in the same folder.
    """
    aside = {id(scan) for one in _by_source(scans) for scan in (*_in_mask_folders(one), *_beside_scans(one))}
    return [replace(scan, set_aside=MASK) if id(scan) in aside and scan.set_aside is None else scan for scan in scans]


def _by_source(scans: Sequence[ScanFile]) -> list[list[ScanFile]]:
    found: dict[str, list[ScanFile]] = {}
    for scan in scans:
        found.setdefault(scan.source, []).append(scan)
    return list(found.values())


def _in_mask_folders(scans: Sequence[ScanFile]) -> list[ScanFile]:
    heads = {folders[:depth] for folders in {scan.folders for scan in scans} for depth in range(len(folders) + 1)}
    beside: dict[_Folders, set[str]] = defaultdict(set)
    for head in heads - {()}:
        beside[head[:-1]].add(head[-1])
    suffixes: dict[_Folders, set[str]] = defaultdict(set)
    for scan in scans:
        suffixes[scan.folders].add(scan.path.suffix.lower())

    def has_scans_beside(head: _Folders) -> bool:
        above = head[:-1]
        return any(is_part(name) for name in beside[above]) or not suffixes[above].isdisjoint(suffixes[head])

    mask_heads = {
        head for head in heads - {()} if surely_holds_masks(head[-1]) or (may_hold_masks(head[-1]) and has_scans_beside(head))
    }
    masks = [scan for scan in scans if any(scan.folders[: depth + 1] in mask_heads for depth in range(len(scan.folders)))]
    # Where nothing else is there, masks are what the user wants to import.
    return masks if len(masks) < len(scans) else []


def _beside_scans(scans: Sequence[ScanFile]) -> list[ScanFile]:
    named: list[tuple[ScanFile, str]] = []
    others: dict[_Folders, set[str]] = defaultdict(set)
    for scan in scans:
        stem = _stem(scan.file.rpartition("/")[2]).casefold()
        if match := _BEHIND.fullmatch(stem) or _BEFORE.fullmatch(stem):
            named.append((scan, match["name"]))
        else:
            ends = [stem, *(stem[: cut.start()] for cut in _CUT.finditer(stem))]
            others[scan.folders].update(ends)
    return [scan for scan, name in named if name in others[scan.folders]]


def _stem(name: str) -> str:
    """Return a file's name without its suffix, of `.nii.gz` without both."""
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else name.rpartition(".")[0] or name
