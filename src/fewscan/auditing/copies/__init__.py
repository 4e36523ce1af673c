"""Copies: pixels -> pairs of images that show the same slice, however re-processed (describe, search, align)."""

from fewscan.auditing.copies.described import Described
from fewscan.auditing.copies.find import (
    DEFAULT_SIMILARITY,
    LEAST_SIMILARITY,
    CopyPairs,
    describe_images,
    find_copies,
    find_copies_of,
    similarity_of,
)

__all__ = [
    "DEFAULT_SIMILARITY",
    "LEAST_SIMILARITY",
    "CopyPairs",
    "Described",
    "describe_images",
    "find_copies",
    "find_copies_of",
    "similarity_of",
]
