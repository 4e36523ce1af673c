"""What is said of a dataset, its audit and its splits, in files for programs."""

from typing import Literal

import pydantic

from fewscan.config import Settings
from fewscan.datasets.protocols import keeps_groups, may_leak

# How a split was drawn, one of datasets/protocols.py; or given: as the data came, groups across its parts kept; or unsplit.
Protocol = str
Shares = Literal["known", "unknown"]
GivenLeaks = Literal["refuse", "drop", "keep"]  # what becomes of groups across the parts of the split that the data came with
Split = Literal["labeled", "validation", "unlabeled", "test"]
SPLITS: tuple[Split, ...] = ("labeled", "validation", "unlabeled", "test")


class SourceDescription(Settings):
    """Where images came from."""

    name: str
    folder: str
    images: int
    set_aside: int


class ReadingNote(Settings):
    """What a user should know of how some images' pixels came about, and the first of these images."""

    note: str
    images: int
    example: str


class KeptFile(Settings):
    """A file in the dataset's folder, by its name there."""

    name: str
    sha256: str


class AuditDescription(Settings):
    """What the audit found, and the files by which images that come later are compared; these files can be made anew."""

    similarity: float
    same_head: bool = False  # whether groups join slices that are probably of one head
    rows: int  # that it has looked at: the first so many
    copies_described: tuple[KeptFile, ...] = ()
    slices_described: tuple[KeptFile, ...] = ()
    # How near copies were looked for (`auditing.copies.index`); None where an earlier version did so.
    search: Literal["all", "cells", "graph"] | None = pydantic.Field(default=None, exclude_if=lambda search: search is None)
    pairs: int
    groups: int
    copy_sets: int
    conflicting_images: int


class SplitDescription(Settings):
    """How a split was drawn, and how many images each part has; `fingerprint` changes with any row's part."""

    name: str = "main"
    rows: int  # that there were when it was drawn
    drawn_fingerprint: str  # `fingerprint` as it was then
    test_set: str  # what tells the test set from all others, as it was then; a label more makes no other one of it
    protocol: Protocol
    given_leaks: GivenLeaks | None = None  # set where the split that the data came with was kept
    seed: int
    shares: Shares = "known"  # whether the budget of labels was drawn by the classes' shares among all labels
    labeled: int
    validation: int
    validation_asked: int | None = None  # more than `validation` where groups were too few; None where nobody noted it
    unlabeled: int
    test: int
    left_out: int
    conflicting_left_out: int
    test_groups_left_out: int | None = None  # images in groups of the test set, where none of these may be learned from
    # What tells the groups of its rows, as they were then, from all others; None where nobody noted it.
    groups: str | None = pydantic.Field(default=None, exclude_if=lambda groups: groups is None)
    tying_left_out: int = 0  # images added since that would tie the test set to what is learned from
    fingerprint: str

    @property
    def grouped(self) -> bool:
        """Whether groups are kept on one side of its borders."""
        return keeps_groups(self.protocol)

    @property
    def by_image(self) -> bool:
        """Whether it was drawn image by image, wherever copies lie."""
        return may_leak(self.protocol)
