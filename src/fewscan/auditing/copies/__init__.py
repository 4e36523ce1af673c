"""Copies: pixels -> pairs of images that show the same slice, however re-processed (describe, search, align)."""

from fewscan.auditing.copies.find import DEFAULT_SIMILARITY, LEAST_SIMILARITY, CopyPairs, components, find_copies, similarity_of

__all__ = ["DEFAULT_SIMILARITY", "LEAST_SIMILARITY", "CopyPairs", "components", "find_copies", "similarity_of"]
