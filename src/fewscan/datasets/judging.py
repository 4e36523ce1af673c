"""Pairs of the audit's, judged by people: what may be said of which, and what still holds two images together afterwards."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.pair_decisions import CERTAIN, PairDecision, Verdict, way_between
from fewscan.datasets.pairs import ends
from fewscan.errors import FewscanError
from fewscan.wording import command_line

SAID: dict[Verdict, str] = {"together": "confirmed", "apart": "dissolved", "open": "as the audit found them"}


class Ties(NamedTuple):
    """What holds two images together now.

    copies: the rows of a shortest way from one to the other by pairs of copies, both among them; None where they are in no set.
    group: whether they are in one group, by these, by slices of one head, or by their patient. already: what was said of them
    before, where the same was to be entered once more, and was not.
    """

    copies: list[int] | None
    group: bool
    already: PairDecision | None = None

    def words(self, row_a: int, row_b: int) -> str:
        """Return it in a sentence."""
        if self.already is not None:
            said = f"{SAID[self.already.verdict]}, by {self.already.who or 'nobody named'}, {self.already.time}"
            return f"scans {row_a} and {row_b} were already {said}: nothing was entered"
        if self.copies is not None and len(self.copies) > 2:
            through = ", ".join(str(row) for row in self.copies[1:-1])
            return (
                f"scans {row_a} and {row_b} are still in one set of copies, through {through}: if they are not copies, "
                "dissolve a pair on that path, too"
            )
        if self.copies is not None:
            return f"scans {row_a} and {row_b} are copies"
        if self.group:
            return f"scans {row_a} and {row_b} are not copies but in one group, through their patient or slices of one head"
        return f"scans {row_a} and {row_b} are in two groups now"


def judge(dataset: Dataset, row_a: int, row_b: int, verdict: Verdict, *, who: str | None = None, note: str = "") -> Ties:
    """Enter what a person says of a pair, unless that holds of it already; return what holds its images together then.

    Raises FewscanError where the audit names no such pair, and where its images have the same pixels.
    """
    low, high = sorted((row_a, row_b))
    pairs = dataset.pairs
    named = pairs[(pairs["row_a"] == low) & (pairs["row_b"] == high)]
    if _same_pixels(dataset, low, high):
        raise FewscanError(f"scans {low} and {high} have the same pixels, so they remain copies whatever anybody says")
    if named.empty:
        ties = ties_of(dataset, low, high)
        why = f": {ties.words(low, high)}" if ties.copies is not None else ""
        them = f"'{command_line('pairs', 'list', dataset.folder)}' lists the pairs that it found"
        raise FewscanError(f"the audit did not find scans {low} and {high} as a pair{why}; {them}")
    before = dataset.decided(named)[0]
    if before is not None and before.verdict == verdict:
        return ties_of(dataset, low, high)._replace(already=before)
    if before is None and verdict == "open":
        raise FewscanError(f"nobody has judged scans {low} and {high}, so there is nothing to take back")
    dataset.pair_decisions.enter(low, high, verdict, who=who, note_text=note)
    return ties_of(dataset, low, high)


def judge_scan(
    dataset: Dataset, row: int, verdict: Verdict, *, who: str | None = None, note: str = ""
) -> list[tuple[int, int]]:
    """Enter the same of every pair that holds a row, or another with its pixels, and of which it does not hold already.

    Returns these pairs, none of which has the same pixels.
    """
    pixels = dataset.images.table(["pixels_sha256"])["pixels_sha256"]
    same = np.flatnonzero((pixels == pixels.iloc[row]).to_numpy(bool))
    pairs = dataset.pairs if verdict == "open" else dataset.holding(dataset.pairs)
    of_row = pairs[(pairs["row_a"].isin(same) | pairs["row_b"].isin(same)) & ~pairs["kind"].isin(CERTAIN)]
    holds: list[Verdict] = ["open" if one is None else one.verdict for one in dataset.decided(of_row)]
    found = [(a, b) for (a, b), already in zip(ends(of_row).tolist(), holds, strict=True) if already != verdict]
    for a, b in found:
        dataset.pair_decisions.enter(a, b, verdict, who=who, note_text=note)
    return found


def ties_of(dataset: Dataset, row_a: int, row_b: int) -> Ties:
    """Return what holds two images together now; raises FewscanError before an audit."""
    holding = dataset.holding(dataset.pairs)
    way = way_between(holding[holding["kind"] != "head"], row_a, row_b, count=dataset.images.rows)
    groups = dataset.unsplit().groups
    return Ties(way, bool(groups[row_a] == groups[row_b]))


def judged_pairs(dataset: Dataset) -> pd.DataFrame:
    """Return the audit's pairs as PAIR_DTYPES, and what people said last of each: verdict, who and time, null for nothing.

    name_a, name_b: `source/path` of each image.
    """
    pairs = dataset.pairs
    table = dataset.images.table(["source", "path"])
    names = {f"name_{side}": (table["source"] + "/" + table["path"]).to_numpy(object)[pairs[f"row_{side}"]] for side in "ab"}
    said: list[PairDecision | None] = dataset.decided(pairs)
    columns = {name: [None if one is None else getattr(one, name) for one in said] for name in ("verdict", "who", "time")}
    return pairs.assign(**names, **{name: pd.Series(of, dtype="str").to_numpy(object) for name, of in columns.items()})


def _same_pixels(dataset: Dataset, row_a: int, row_b: int) -> bool:
    pixels = dataset.images.table(["pixels_sha256"])["pixels_sha256"]
    if not (0 <= row_a < row_b < len(pixels)):
        raise FewscanError(f"a pair takes two different scans from 0 to {len(pixels) - 1}")
    return bool(pixels.iloc[row_a] == pixels.iloc[row_b])
