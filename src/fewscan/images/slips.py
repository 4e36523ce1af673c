"""Names of classes that are spelled almost alike, as by a slip."""

import re
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches
from itertools import combinations, takewhile

from fewscan.images.classes import spelling_key

# In shorter words one letter tells more often than it slips: stage_a, stage_b.
SHORTEST_MISSPELLED = 5
# As people write a letter whose key they lack, or which they have in its place.
_AS_TWO_LETTERS = str.maketrans({"ä": "ae", "æ": "ae", "å": "aa", "ö": "oe", "ø": "oe", "œ": "oe", "ü": "ue"})


def likely_meant(name: str, classes: Collection[str]) -> str | None:
    """Return the class that a name is most likely a slip or the beginning of; None where it is like none."""
    keys = {spelling_key(one): one for one in classes}
    key = spelling_key(name)
    longer = [one for one in keys if one.startswith(key)]
    close = longer if len(longer) == 1 else get_close_matches(key, keys, n=1)
    return keys[close[0]] if close else None


def misspelled(names: Collection[str], known: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return pairs of classes, one of `names` and another or one `known`, that a slip of a letter or accents alone tell apart.

    A pair stands once, and none is of two that are `known`. Numbers and last letters tell classes apart on purpose.
    """
    new = sorted(set(names) - set(known))
    pairs = [(name, other) for name in new for other in sorted(known)] + list(combinations(new, 2))
    return [pair for pair in pairs if _accents_apart(*pair) or _one_slip(*pair)]


def _accents_apart(one: str, other: str) -> bool:
    """Whether two names are one where accents are left out, or a letter is written as two: ä as ae."""
    return not _without_accents(one).isdisjoint(_without_accents(other))


def _without_accents(name: str) -> set[str]:
    key = spelling_key(name)
    return {
        "".join(sign for sign in unicodedata.normalize("NFD", spelled) if not unicodedata.combining(sign))
        for spelled in (key, key.translate(_AS_TWO_LETTERS))
    }


def _one_slip(one: str, other: str) -> bool:
    """Whether two names differ in one long word, and there in one letter that is not its last or in a plural's s."""
    words = [re.findall(r"\d+|[^\W\d_]+", name.casefold()) for name in (one, other)]
    differ = [pair for pair in zip(*words, strict=False) if pair[0] != pair[1]]
    if len(words[0]) != len(words[1]) or len(differ) != 1:
        return False
    a, b = sorted(differ[0], key=len)
    if len(a) < SHORTEST_MISSPELLED or a.isdigit() or b.isdigit():
        return False
    before = _begins_alike(a, b)
    behind = _begins_alike(a[before:][::-1], b[before:][::-1])
    left, right = a[before : len(a) - behind], b[before : len(b) - behind]
    within = len(right) <= 1 or (len(left) == 2 and left == right[::-1])
    return b == f"{a}s" or (within and a[-1] == b[-1])


def _begins_alike(one: str, other: str) -> int:
    """Return how many letters two words begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
