"""The page about an audit: what was found in plain words, then conflicts, leaks and copies as pictures side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from fewscan.atomic import write_text
from fewscan.auditing.result import AuditResult, Pair
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.turned import Turns
from fewscan.images.png import SMALL_SCAN_PX, pictures_of_a_page, scan_picture
from fewscan.images.turns import Turn
from fewscan.reporting.rendering import render

CONFLICTS_SHOWN = 15
IMAGES_OF_A_CONFLICT = 6
LEAKS_LISTED = 50  # of each kind of border
LEAKS_SHOWN = 6
EXAMPLES_OF_A_LEAK = 3
HEADS_SHOWN = 40
DISSOLVED_SHOWN = 20
SUSPECTS_SHOWN = 12  # of each kind

Found = TypeVar("Found")


@dataclass(frozen=True)
class Scan:
    """An image as the page shows it; `undone`: what made it of the image beside it, and is taken back in the picture."""

    row: int
    picture: str
    source: str
    path: str
    label: str
    undone: tuple[str, ...]


@dataclass(frozen=True)
class ShownPair:
    """Two images side by side, the second as the first lies; `pair` is None where they belong together through others only."""

    first: Scan
    second: Scan
    pair: Pair | None


def write_audit_page(dataset: Snapshot, result: AuditResult, out: Path) -> Path:
    """Write one self-contained HTML page about `result` to `out` and return `out`.

    Shows relative file names, sources and labels, never a patient. Of many pairs a sample is shown, densest at the weakest
    similarities. A copy that is mirrored, turned or inverted is shown as the image beside it lies. Raises FewscanError where
    `out` cannot be written.
    """
    known = {(pair.row_a, pair.row_b): pair for pair in result.pairs}
    turns = Turns((pair.row_a, pair.row_b, pair.turn) for pair in result.pairs)

    def shown(row_a: int, row_b: int) -> ShownPair:
        pair = known.get((min(row_a, row_b), max(row_a, row_b)))
        return ShownPair(_scan(dataset, row_a), _scan(dataset, row_b, turns.between(row_a, row_b)), pair)

    conflicts = [
        ([_scan(dataset, row, turns.between(rows[0], row)) for row in rows], conflict)
        for conflict in result.conflicts[:CONFLICTS_SHOWN]
        for rows in [_of_every_label(conflict.rows, conflict.labels)]
    ]
    leaks = [
        (leak, [shown(*rows) for rows in leak.examples[:EXAMPLES_OF_A_LEAK]] if number < LEAKS_SHOWN else [])
        for number, leak in enumerate(chain(*(leaks[:LEAKS_LISTED] for leaks in result.leaks_by_border.values())))
    ]
    pictures = pictures_of_a_page(dataset.spec.channels, dataset.spec.size_px)
    used = sum(len(scans) for scans, _ in conflicts) + sum(2 * len(examples) for _, examples in leaks)
    suspects = [
        (kind, _suspects(dataset, result, kind), counted) for kind, counted in result.counts()["suspects"].items() if counted
    ]
    used += sum(len(scans) for _, scans, _ in suspects)
    used += 2 * min(HEADS_SHOWN, len(result.same_head or ())) + 2 * min(DISSOLVED_SHOWN, len(result.dissolved))
    near = sorted((pair for pair in result.pairs if pair.kind == "near"), key=lambda pair: pair.similarity)
    sample = _weakest_densest(near, max(10, (pictures - used) // 2))
    page = render(
        "audit.html",
        dataset_name=dataset.folder.resolve().name,
        result=result,
        counts=result.counts(),
        conflicts=conflicts,
        leaks=leaks,
        leaks_beyond=len(result.leaks) - len(leaks),
        suspects=suspects,
        near_pairs=len(near),
        pairs=[shown(pair.row_a, pair.row_b) for pair in sample],
        dissolved=[
            (one, _scan(dataset, one.row_a), _scan(dataset, one.row_b, one.turn))
            for one in _spread(result.dissolved, DISSOLVED_SHOWN)
        ],
        turns_unknown=any(pair.turn is None for pair in result.pairs),
        heads=[shown(*rows) for rows in _spread(result.same_head or (), HEADS_SHOWN)],
    )
    write_text(out, page)
    return out


def _scan(dataset: Snapshot, row: int, turn: Turn | None = None) -> Scan:
    """Return an image as it lies, or, with how it lies beside another one, as that one does."""
    image, label = dataset.manifest.iloc[row], dataset.labels[row]
    name = dataset.classes[label] if label >= 0 else "no label"
    undone = Turn() if turn is None else turn
    picture = scan_picture(undone.back.of(dataset.whole[row]), SMALL_SCAN_PX)
    return Scan(row, picture, image["source"], image["path"], name, tuple(undone.words))


def _suspects(dataset: Snapshot, result: AuditResult, kind: str) -> list[Scan]:
    rows = [suspect.row for suspect in result.suspects if suspect.kind == kind]
    return [_scan(dataset, rows[place]) for place in _places(len(rows), SUSPECTS_SHOWN)]


def _of_every_label(rows: Sequence[int], labels: Sequence[str | None]) -> list[int]:
    """Return up to IMAGES_OF_A_CONFLICT rows, one of every label first."""
    first = {label: row for row, label in reversed(list(zip(rows, labels, strict=True)))}
    chosen = [row for row in rows if row in first.values()] + [row for row in rows if row not in first.values()]
    return chosen[:IMAGES_OF_A_CONFLICT]


def _spread(found: Sequence[Found], count: int) -> list[Found]:
    """Return up to `count` of what was found, evenly from the first to the last."""
    return [found[place] for place in _places(len(found), count)]


def _places(count: int, most: int) -> list[int]:
    """Return up to `most` places of `count`, evenly spread from the first to the last."""
    places: list[int] = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int)).tolist()
    return places


def _weakest_densest(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Return up to `count` of the sorted pairs, from the first to the last and closest together at the first."""
    if len(pairs) <= count:
        return list(pairs)
    places = np.unique(np.rint(np.linspace(0, 1, count) ** 2 * (len(pairs) - 1)).astype(int))
    return [pairs[place] for place in places]
