"""Copies: pixels -> pairs of images that show the same slice, however re-processed (describe, search, align)."""

from fewscan.auditing.copies.checkpoint import NOT_KEPT, Checkpoint
from fewscan.auditing.copies.described import Described
from fewscan.auditing.copies.find import (
    DEFAULT_SIMILARITY,
    LEAST_SIMILARITY,
    are_copies,
    describe_images,
    find_copies,
    find_copies_of,
)
from fewscan.auditing.copies.pairs import CopyPairs

__all__ = [
    "DEFAULT_SIMILARITY",
    "LEAST_SIMILARITY",
    "NOT_KEPT",
    "Checkpoint",
    "CopyPairs",
    "Described",
    "are_copies",
    "describe_images",
    "find_copies",
    "find_copies_of",
]
