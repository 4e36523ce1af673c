"""The audit's pairs and sets of copies as the page shows them, each time as they are on the disk now."""

import numpy as np
import pandas as pd

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.judging import judged_pairs
from fewscan.datasets.pair_decisions import CERTAIN
from fewscan.datasets.pairs import as_told, members_of
from fewscan.reviewing.beside import Lying
from fewscan.reviewing.board import Said
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.looking import Look
from fewscan.reviewing.quality_asked import ConflictSet, Copy, JudgedPair, Pairs, Side, WhichPairs
from fewscan.reviewing.scans import Scans
from fewscan.wording import HOST

MOST_OF_A_SET = 24
_VERDICTS = {"together": "confirmed", "apart": "dissolved"}


def require_audit(dataset: Dataset) -> None:
    """Raise CannotNowError where the dataset is not audited."""
    if dataset.description.audit is None:
        raise CannotNowError(
            f"this dataset is not audited: the first training on the Model page does that, or {HOST}; this page then notices"
        )


def pairs_by_kind(desk: Desk) -> pd.DataFrame:
    """Return the pairs of usable images with what was said of them, the least similar first, and `which` kind each is."""
    require_audit(desk.dataset)
    pairs = judged_pairs(desk.dataset)
    pairs = pairs[desk.usable[pairs["row_a"]] & desk.usable[pairs["row_b"]]]
    which = pairs["verdict"].map(_VERDICTS).fillna("open").where(~pairs["kind"].isin(CERTAIN), "certain")
    # Copies come before slices of one head, which have no similarity.
    order = np.lexsort((pairs["similarity"].to_numpy(), (pairs["kind"] == "head").to_numpy()))
    return pairs.assign(which=which).iloc[order]


def counts_of(pairs: pd.DataFrame) -> dict[str, int]:
    """Return how many pairs there are of each kind."""
    found = pairs["which"].value_counts()
    return {name: int(found.get(name, 0)) for name in ("open", "confirmed", "dissolved", "certain")}


def shown_pairs(desk: Desk, scans: Scans, look: Look, which: WhichPairs, of: int | None, start: int, count: int) -> Pairs:
    """Return pairs of one kind, or all that join a set of copies: that of the row `of`."""
    pairs = pairs_by_kind(desk)
    counts = counts_of(pairs)
    copy_sets = desk.dataset.unsplit().copy_sets
    chosen = pairs[pairs["which"] == which]
    if of is not None:
        members = np.flatnonzero((copy_sets == copy_sets[of]) & (copy_sets >= 0))
        chosen = pairs[(pairs["row_a"].isin(members) | pairs["row_b"].isin(members)) & (pairs["which"] != "certain")]
    part = chosen.iloc[start : start + count]
    shown = [
        JudgedPair(
            first=side(desk, scans, int(one.row_a), look.shown(int(one.row_a))),
            second=side(desk, scans, int(one.row_b), look.shown(int(one.row_b)), beside=int(one.row_a)),
            kind=str(one.kind),
            similarity=float(one.similarity),
            verdict=one.verdict,
            who=one.who,
            time=one.time,
            copies=[
                Copy(row=row, lying=Lying.of(desk.turns.between(int(one.row_a), row)))
                for row in np.flatnonzero((copy_sets == copy_sets[one.row_a]) & (copy_sets >= 0))[:MOST_OF_A_SET].tolist()
            ],
        )
        for one in as_told(part).itertuples(index=False)
    ]
    return Pairs(pairs=shown, total=len(chosen), counts=counts)


def side(desk: Desk, scans: Scans, row: int, said: Said | None, *, beside: int | None = None) -> Side:
    """Return an image of a pair or set, with what is said of it, as far as the reviewer may know that.

    beside: the row of the first image, as which a copy is shown.
    """
    facts = desk.facts.iloc[row]
    return Side(
        row=row,
        name=scans.names[row],
        width_px=int(facts["width_px"]),
        height_px=int(facts["height_px"]),
        said=None if said is None else said.words,
        lying=Lying.of(None if beside is None else desk.turns.between(beside, row)),
    )


def conflicting_sets(desk: Desk) -> list[list[int]]:
    """Return the rows of every set of copies whose labels contradict each other now, the largest set first."""
    require_audit(desk.dataset)
    now = desk.dataset.unsplit()
    rows = np.flatnonzero(now.manifest["conflict"].to_numpy(bool))
    found = [members.tolist() for members in members_of(now.copy_sets, rows)]
    return sorted(found, key=lambda members: (-len(members), members))


def conflict_set(desk: Desk, scans: Scans, rows: list[int]) -> ConflictSet:
    """Return a set of copies with what holds of each: whoever settles a difference knows it."""
    board = desk.board()
    said = {row: board.holds(row) for row in rows}
    return ConflictSet(
        scans=[side(desk, scans, row, None if of.state == "none" else of, beside=rows[0]) for row, of in said.items()]
    )


def require_conflict(desk: Desk, rows: list[int]) -> None:
    """Raise CannotNowError unless all rows are of one set of copies that contradict each other."""
    if not any(set(rows) <= set(members) for members in conflicting_sets(desk)):
        raise CannotNowError("these copies no longer contradict each other: look at them again")
