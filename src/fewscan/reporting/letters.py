"""Letters in pictures: classes and files have names in every script, and the usual font has not all of them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from fewscan.progress import say

# It comes with Matplotlib, and has a box for every letter.
_BOXES = "Last Resort"


@contextmanager
def letters_of(text: str) -> Iterator[None]:
    """Draw with the usual font, and where that lacks a letter of `text`, with one of this machine that has it.

    A letter that none has is said, and is drawn as a box.
    """
    families = list(mpl.rcParams["font.family"])
    lacking = {letter for letter in text if not letter.isspace()}
    lacking -= _had_by(findfont(FontProperties(family=families)), lacking)
    for font in fontManager.ttflist if lacking else ():
        if _BOXES not in font.name and (had := _had_by(font.fname, lacking)):
            families.append(font.name)
            lacking -= had
    if lacking:
        say(f"no font of this machine has the letters {' '.join(sorted(lacking))}: in the picture, boxes stand for them")
    with mpl.rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def _had_by(font: str, letters: set[str]) -> set[str]:
    """Return those of the letters that a font has, by its file."""
    found = get_font(font)
    return {letter for letter in letters if found.get_char_index(ord(letter))}
