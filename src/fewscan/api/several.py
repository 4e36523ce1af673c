"""Arguments that are several names or numbers, given as such, as one, or in a text as the command line takes them."""

from collections.abc import Sequence


def listed_names(given: str | Sequence[str]) -> list[str]:
    """Return names; of a text those between its commas."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else list(given)


def listed_numbers(given: int | Sequence[int]) -> list[int]:
    """Return numbers, or the one."""
    return [given] if isinstance(given, int) else list(given)
