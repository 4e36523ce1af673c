"""Names that say which part of a split something is: train_images, Testing, imagesTs, val."""

import re
from functools import lru_cache

from fewscan.images.formats.image import GivenSplit

SPLIT_WORDS: dict[str, GivenSplit] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "vali", "valid", "validation", "validate", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "tests", "testing", "ts", "holdout"), "test"),
}
# These name a part of a split only behind such a word, as in imagesTr; BraTS is no test set.
ONLY_BEHIND = frozenset(["tr", "ts"])
_LEADING = frozenset(["image", "images", "img", "imgs", "label", "labels"])
# Folders recur with every file in them; so many names are remembered.
NAMES_REMEMBERED = 2**16


def words_of(name: str) -> list[str]:
    """Return the words and numbers in a name, in lower case: imagesTr is images and tr, fold1 is fold and 1."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", name)
    return re.findall(r"[^\W_]+", apart.casefold())


@lru_cache(NAMES_REMEMBERED)
def given_split(name: str) -> GivenSplit | None:
    """Return the part of a split that a name has as a word, or None where it has none, or several."""
    words = words_of(name)
    found = {
        SPLIT_WORDS[word]
        for before, word in zip(("", *words), words, strict=False)
        if word in SPLIT_WORDS and (word not in ONLY_BEHIND or before in _LEADING)
    }
    return found.pop() if len(found) == 1 else None
