"""What the interface for data quality takes and gives, typed; see `asked`."""

from typing import Literal

from pydantic import BaseModel

from fewscan.reviewing.asked import Answer, Person, Row
from fewscan.reviewing.beside import Lying

WhichPairs = Literal["open", "confirmed", "dissolved", "certain"]


class Side(BaseModel):
    """One image of a pair; `said` is its label, where the reviewer may know it."""

    row: int
    name: str
    width_px: int
    height_px: int
    said: str | None
    lying: Lying


class Copy(BaseModel):
    """A row of a set of copies, and how it lies beside the first one of the pair."""

    row: int
    lying: Lying


class JudgedPair(BaseModel):
    """A pair of the audit's, and what was said of it last; `copies`: all of its set of copies, some of a large one."""

    first: Side
    second: Side
    kind: str
    similarity: float
    verdict: str | None
    who: str | None
    time: str | None
    copies: list[Copy]


class Pairs(BaseModel):
    """Pairs of one kind, how many there are in all, and how many of each kind."""

    pairs: list[JudgedPair]
    total: int
    counts: dict[str, int]


class PairLook(BaseModel):
    """How the images of a pair differ: what was done to one, and what is left, in gray levels of 255; None if too unlike."""

    words: list[str]
    difference: float | None


class PairVerdict(Person):
    """What a person says of a pair: copies after all, apart, or what was said is taken back."""

    row_a: Row
    row_b: Row
    verdict: Literal["together", "apart", "open"]


class ScanVerdict(Person):
    """That a scan is no copy of any other of its set, or that this is taken back."""

    row: Row
    verdict: Literal["apart", "open"]


class PairSaved(BaseModel):
    """What is on the disk now, of which pairs, and what still holds their images together."""

    pairs: list[tuple[int, int]]
    verdict: str
    words: str


class ConflictSet(BaseModel):
    """Copies with different labels."""

    scans: list[Side]


class Conflicts(BaseModel):
    """All sets of copies with different labels, the largest first."""

    sets: list[ConflictSet]
    total: int


class Settle(Answer):
    """What goes for the dataset, whoever said something else."""

    state: Literal["label", "unsure", "not a scan"]


class LeftOut(BaseModel):
    """An image that was set aside, or that the audit takes for no scan; `can_return`: by an entry of the label log."""

    row: int
    name: str
    reason: str
    who: str | None
    time: str | None
    can_return: bool


class Aside(BaseModel):
    """Images set aside, or that probably are no scans, and how many there are of each."""

    scans: list[LeftOut]
    total: int
    counts: dict[str, int]


class TakeBack(Person):
    """A scan to be taken back among the others."""

    row: Row


class TakenBack(BaseModel):
    """The scan that takes part again, and what holds of it now."""

    row: int
    holds: str


class AuditedAs(BaseModel):
    """Whether the dataset is audited, and how much there is to look at."""

    audited: bool
    pairs: dict[str, int]
    conflicts: int
    aside: dict[str, int]
