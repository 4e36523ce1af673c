"""What the page's interface takes and gives of a training in the background."""

from typing import Literal

from pydantic import BaseModel

from fewscan.reviewing.asked import Question

# How long a training is that the page begins.
Length = Literal["probe", "propagation", "first", "short", "usual"]


class Begin(Question):
    """A training to begin: how long, or whether to go on with one that was interrupted."""

    length: Length = "probe"
    resume: bool = False


class Training(BaseModel):
    """A training in the background; before, after: accuracy of the page's model and of the run on validation images."""

    phase: str
    command: str
    run: str
    unlabeled: bool  # what runs now is the encoder's training without labels, of two
    epoch: int
    epochs: int
    accuracy: float | None
    words: str
    compared_images: int
    before: float | None
    after: float | None
    used: bool
    unfinished: str | None
