"""What people say of the audit's pairs: that two images are copies after all, or are none and so belong apart.

A record beside the label log that only grows; of each pair the newest entry holds. The audit's pairs stay as they were found.
Whatever follows from pairs, groups and sets of copies, leaves out what people have dissolved: now, and after every later audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan import jsonl
from fewscan.datasets.pairs import ends
from fewscan.datasets.records import note
from fewscan.errors import FewscanError
from fewscan.labels.log import person_name

PAIR_DECISIONS_FILE = "pair_decisions.jsonl"
# together: somebody looked, and they are what the audit takes them for. apart: they are not. open: what was said is taken back.
Verdict = Literal["together", "apart", "open"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# The same image twice, as numbers show: there is nothing to judge.
CERTAIN = ("bytes", "pixels")
_KEYS = ("time", "images", "row_a", "row_b", "verdict", "who", "note")

Int64s = npt.NDArray[np.int64]


class PairDecision(NamedTuple):
    """What was said of a pair, `row_a < row_b`, by whom (None: nobody named) and when (UTC, ISO 8601)."""

    row_a: int
    row_b: int
    verdict: Verdict
    who: str | None
    time: str
    note: str


@dataclass(frozen=True)
class PairDecisions:
    """The record of the dataset in `folder`, whose images `identity` tells from all others."""

    folder: Path
    identity: str

    @property
    def path(self) -> Path:
        """The file, which is there once anything was said."""
        return self.folder / PAIR_DECISIONS_FILE

    def enter(self, row_a: int, row_b: int, verdict: Verdict, *, who: str | None = None, note_text: str = "") -> None:
        """Append what a person says of a pair; it is on the disk then. Raises FewscanError where it cannot be written."""
        if verdict not in VERDICTS or row_a == row_b:
            raise FewscanError(f"a pair is two different images and a verdict, one of {', '.join(VERDICTS)}")
        low, high = sorted((int(row_a), int(row_b)))
        said: dict[str, object] = {"images": self.identity, "row_a": low, "row_b": high, "verdict": verdict}
        said |= {"who": person_name(who), "note": note_text}
        note(self.path, said)

    def entries(self) -> list[PairDecision]:
        """Return all that was ever said, in its order.

        Raises FewscanError where the record is damaged, or of another dataset.
        """
        lines = jsonl.read(self.path, _KEYS)
        if any(line["images"] != self.identity for line in lines):
            raise FewscanError(f"{self.path} is about another dataset's images: restore the file that belongs there")
        if any(line["verdict"] not in VERDICTS or not _is_pair(line) for line in lines):
            raise FewscanError(f"{self.path} has a damaged line: remove that line, and remember that there was one")
        return [PairDecision(*(line[name] for name in PairDecision._fields)) for line in lines]


def decided(pairs: pd.DataFrame, entries: Sequence[PairDecision], pixels_sha256: pd.Series) -> list[PairDecision | None]:
    """Return for each pair what was said of it last, None for nothing, or where that was taken back.

    pixels_sha256: of every row's image. What is said of an image goes for every other one with the same pixels, so that it does
    not matter which of them an audit names. A pair that has the same pixels itself is certain, and nothing is said of it.
    """
    same = pd.factorize(pixels_sha256)[0]
    said = {_key(same, one.row_a, one.row_b): one for one in entries}
    found = (said.get(_key(same, a, b)) for a, b in ends(pairs).tolist())
    return [
        None if one is None or one.verdict == "open" or kind in CERTAIN else one
        for one, kind in zip(found, pairs["kind"], strict=True)
    ]


def way_between(pairs: pd.DataFrame, row_a: int, row_b: int, *, count: int) -> list[int] | None:
    """Return the rows of a shortest way from one row to another by pairs, both among them; None where there is none.

    pairs: those that hold, among the rows 0..count-1.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    links = ends(pairs)
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    _, before = breadth_first_order(graph, row_a, directed=False)
    way = [row_b]
    while way[-1] != row_a:
        if before[way[-1]] < 0:
            return None
        way.append(int(before[way[-1]]))
    return way[::-1]


def _key(same: Int64s, row_a: int, row_b: int) -> tuple[int, int]:
    low, high = sorted((int(same[row_a]), int(same[row_b])))
    return low, high


def _is_pair(line: Mapping[str, object]) -> bool:
    rows: Iterable[object] = (line["row_a"], line["row_b"])
    return all(type(row) is int and row >= 0 for row in rows) and line["row_a"] != line["row_b"]
