"""What the page's interface takes and gives, typed: what is none of this is refused with a reason."""

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fewscan.labels.log import State
from fewscan.reviewing.beside import Lying
from fewscan.reviewing.board import Said
from fewscan.reviewing.queue import Reading

MAX_NAME_LETTERS = 80
MAX_ROWS = 1000


def _printable(name: str) -> str:
    """Return a name as the label log writes it; raises ValueError where it is none."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or not name.isprintable():
        raise ValueError("use printable characters")
    return name


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LETTERS), AfterValidator(_printable)]
Row = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Start = Annotated[int, Field(ge=0, lt=2**31)]  # how many of a list are left out before those that are asked for
RunName = Annotated[str, Field(min_length=1, max_length=255)]  # the name of a run's folder


class Question(BaseModel):
    """What is sent to the page's server."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Person(Question):
    """Who asks."""

    reviewer: Name


class Answer(Person):
    """What a person says of scans: one of the classes, or a state without a label.

    answer_id: of who sends it again because no reply came; it counts once then.
    """

    answer_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    rows: Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS)]
    state: State
    label: Name | None = None

    @model_validator(mode="after")
    def _label_belongs_to_state(self) -> Self:
        if (self.state == "label") != (self.label is not None):
            raise ValueError("the state 'label' needs a label, and no other state takes one")
        return self

    @property
    def said(self) -> Said:
        """What is said."""
        return Said(self.state, self.label)


class Decision(Answer):
    """What a person says of scans, in which reading."""

    reading: Reading | Literal["grid"] = "first"
    settles: bool = False


class Skip(Person):
    """A scan to be asked for later."""

    row: Row


class NewClass(Question):
    """The name of a class to give from now on."""

    name: Name


class Nothing(Question):
    """A wish without particulars."""


class Token(Question):
    """What `fewscan review` printed."""

    token: Annotated[str, Field(max_length=200)]


class Saved(BaseModel):
    """What is on the disk now: the number of the entries' batch, 0 where the same had been said before."""

    batch: int
    rows: list[int]
    state: str
    label: str | None


class Undone(Saved):
    """What was taken back; `again`: what was said before holds once more, since its being taken back was taken back."""

    again: bool


class Waiting(BaseModel):
    """A scan to look at next; `random`: it was drawn at random, so that its label says how good the model is."""

    row: int
    why: str
    random: bool


class Upcoming(BaseModel):
    """The next scans."""

    scans: list[Waiting]


class Related(BaseModel):
    """Another scan beside the one that is looked at; `said` is its label, where the reviewer may know it."""

    row: int
    name: str
    said: str | None
    lying: Lying


class Share(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class Scan(BaseModel):
    """What is known of a scan, and what of it the reviewer may know: `blind` says that labels and model are kept back."""

    row: int
    name: str
    width_px: int
    height_px: int
    blind: bool
    own: str | None
    holds: str | None
    others: dict[str, str]
    disputed: bool
    model: list[Share] | None
    slices: list[int]
    copies: list[Related]
    same_head: list[Related]
    nearest: list[Related]


class Called(BaseModel):
    """A scan of a grid, and the probability of the grid's class; None without a model."""

    row: int
    name: str
    probability: float | None


class Grid(BaseModel):
    """Scans of one class, surest last, and how many there are in all."""

    scans: list[Called]
    total: int


class Pair(BaseModel):
    """Two readers: of how many scans both said something, how often the same, and Cohen's kappa with its 95 % interval."""

    one: str
    other: str
    both: int
    same: int
    kappa: float | None
    low: float | None
    high: float | None


class Agreement(BaseModel):
    """How readers agree, and the scans on which they differ now. least_scans: kappa of fewer says nothing, and is None."""

    pairs: list[Pair]
    least_scans: int
    disputed: list[int]


class Predicted(BaseModel):
    """What the model, from so many labels, says of an uploaded scan; likeliest first."""

    width_px: int
    height_px: int
    labels: int
    out_of_distribution: bool  # unlike the dataset's scans, so that what the model says of it means nothing
    shares: list[Share]
    notes: list[str]  # what is to be known of how its pixels came about


class Accuracy(BaseModel):
    """How often the model was right on scans drawn at random that it had not learned from, with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    scans: int


class Gain(BaseModel):
    """By how much accuracy is likely to grow with so many more `labels`, with the interval in which that is likely to lie."""

    labels: int
    value: float
    low: float
    high: float


class Model(BaseModel):
    """How far the model is: `looking` at scans, `learning`, or `failed`."""

    phase: str
    looked_at: int
    words: str
    labels: int | None
    seconds: float | None
    accuracy: Accuracy | None
    gain: Gain | None


class Status(BaseModel):
    """Where the labeling stands; `revision`: how often there was news of the dataset on disk, `news`: the last of it."""

    dataset: str
    scans: int
    answered: int
    disputed: int
    to_read_again: int
    classes: list[str]
    counts: dict[str, int]
    own: int
    audited: bool
    model: Model
    revision: int
    news: str


class Reason(BaseModel):
    """Why a request was refused."""

    detail: str


_REASON = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Reason.__name__}"}}}
_REFUSED = {
    400: "not possible",
    401: "no token",
    403: "another site asks",
    404: "not found",
    409: "not possible at the moment",
    413: "too large",
    415: "wrong content type",
    421: "wrong address",
    422: "not a valid request",
    503: "could not be written to the label log: try again",
}
_TOLD: dict[int | str, dict[str, Any]] = {code: {"content": _REASON, "description": why} for code, why in _REFUSED.items()}
# Of a route that answers with something else than JSON.
CANNOT_BE: dict[int | str, dict[str, Any]] = {400: _TOLD[400]}
# One of them brings the schema along: FastAPI builds a model anew for each refusal that names it, of each route.
REFUSALS = _TOLD | {400: {"model": Reason, "description": _REFUSED[400]}}
