"""What words of the field mean, for a reader who knows medicine and no statistics: each page explains those that it uses.

A page's first use of a word leads to its meaning, which stands at the end of the page, so that it is there on paper, too.
"""

import re
from collections.abc import Collection
from html import escape
from typing import NamedTuple


class Word(NamedTuple):
    """A word with what it means; pattern: all forms that it is used in, as a regular expression."""

    name: str
    pattern: str
    meaning: str

    @property
    def anchor(self) -> str:
        """What the place of its meaning is called in a page."""
        return f"word-{re.sub(r'[^a-z0-9]+', '-', self.name.lower())}"


# A longer word goes before one that is within it.
WORDS = (
    Word(
        "AUROC",
        r"AUROC",
        "area under the ROC curve: how well the probabilities put the scans of a class above all others. 0.5 is "
        "chance, 1 is perfect. Of several classes the mean is given (macro average)",
    ),
    Word("alignment", r"alignment", "how alike two randomly changed copies of one scan are to the network; 0: the same"),
    Word(
        "augmented",
        r"augmented",
        "randomly changed while training (moved, mirrored, darker), so that a network sees more than the scans that there are",
    ),
    Word(
        "balanced accuracy",
        r"balanced accuracy",
        "mean of the classes' sensitivities, so that a rare class counts as much as a frequent one",
    ),
    Word("baseline", r"baseline", "the method that all others are compared with"),
    Word(
        "batch",
        r"batch(?:es)?",
        "images that go together: those of one step of a training, or the scans that are labeled by one command",
    ),
    Word("budget", r"budgets?", "how many labels a training may use"),
    Word(
        "calibration",
        r"calibration error|calibrat(?:ed|ion|e)",
        "making probabilities mean what they say: of scans that get 80 %, 80 in 100 should be right. The "
        "calibration error says how far they are from that; 0 is best",
    ),
    Word(
        "corrected p",
        r"corrected p|p is corrected",
        "how often chance alone would make a difference so large if the methods were equally good, made stricter "
        "because several pairs are compared (Holm's method). Below 5 % a difference is called statistically "
        "significant",
    ),
    Word(
        "contrastive accuracy",
        r"contrastive accuracy",
        "how often two randomly changed copies of one scan look more alike to the network than any other scan of the same step",
    ),
    Word(
        "correlation accuracy",
        r"correlation accuracy",
        "how often each number by which the network describes a scan agrees best with itself in another copy of that scan",
    ),
    Word("corruption", r"corruptions?", "a change that makes a scan look as if it came from another scanner, program or file"),
    Word(
        "cross-validated",
        r"cross-validat(?:ed|ion)|folds?",
        "the labels are divided into parts (folds); for each part a network is trained on the others, and asked "
        "about the scans of this one",
    ),
    Word("encoder", r"encoder", "the part of the network that describes a scan by numbers, from which a class is predicted"),
    Word("epoch", r"epochs?", "one pass of a training over its images"),
    Word(
        "feature",
        r"features?",
        "one of the numbers by which the network describes a scan; similar scans have similar numbers",
    ),
    Word("fingerprint", r"fingerprint", "a checksum: if two datasets, or two splits, have the same one, they are the same"),
    Word(
        "group",
        r"groups?",
        "images that belong together: copies of one scan, scans of one patient where known. An image that belongs "
        "to no other is a group by itself",
    ),
    Word(
        "held-out image",
        r"held[- ]out (?:images?|labels?|scans?)",
        "labeled, but not learned from: kept apart to see whether predictions are right",
    ),
    Word("ImageNet", r"ImageNet", "a public collection of everyday photographs, from which many networks learn to see first"),
    Word("95 % interval", r"95 % intervals?", "the range that is meant to hold the true value in 95 of 100 such measurements"),
    Word(
        "leak",
        r"leak-free|leaks?|leaking",
        "images that belong together lie on both sides of a split, so that a network is tested on what it has, in "
        "effect, already seen",
    ),
    Word(
        "live features",
        r"live features",
        "the share of the numbers that still differ from scan to scan; few of them mean that the network can "
        "no longer tell scans apart",
    ),
    Word("loss", r"loss(?:es)?", "what training makes smaller: how wrong the network is on its training images"),
    Word(
        "near-duplicate",
        r"near-duplicates?",
        "an image that shows the same as another one, saved, cropped or scaled otherwise, or a neighboring slice",
    ),
    Word(
        "nearest labeled neighbor",
        r"nearest labeled neighbor",
        "the labeled image that looks most alike to the network; its label is taken as the prediction",
    ),
    Word(
        "out of distribution",
        r"out of distribution",
        "unlike everything that the network learned from, so that its prediction means nothing",
    ),
    Word("probe", r"(?:linear )?probe", "a simple classifier on top of a network that does not change"),
    Word("recipe", r"recipe", "a named set of settings that a training starts from"),
    Word(
        "seed",
        r"seeds?",
        "the number that fixes everything random in a training. Another seed gives the same training with other random draws",
    ),
    Word("set of copies", r"sets? of copies", "all images that show one and the same scan"),
    Word("similarity", r"similarity", "how alike two images are, from 0 to 1: 1 is the same"),
    Word(
        "similarity read-out",
        r"similarity read-out",
        "a prediction without the classifier: all labeled images vote for their class, those that look more alike "
        "to the network with more weight",
    ),
    Word("standard deviation", r"standard deviations?", "how far values typically lie from their mean"),
    Word(
        "temperature",
        r"temperature",
        "one number by which all probabilities are made more or less sure, so that they mean what they say; above "
        "1 they become less sure. It changes no predicted class",
    ),
    Word("test set", r"test set|test images?", "labeled images that nothing was learned or chosen from, kept for the score"),
    Word("threshold", r"thresholds?", "the probability from which on a label may be accepted as it is"),
    Word(
        "typicality",
        r"typicality",
        "how much an image resembles those that the network learned from; below a limit it is out of distribution",
    ),
    Word("uniformity", r"uniformity", "how evenly scans are spread by the numbers that describe them; 0: all alike"),
    Word("validation", r"validation", "labeled images that are kept out of training to choose settings and thresholds by"),
    Word("weights", r"weights", "all the numbers that a network learns"),
)

MARK = "<!-- words -->"  # where a page has their meanings
# What no word leads to its meaning in: a script, a heading, a cell of a table, what is copied or clicked, and tags themselves.
_PASSED = re.compile(
    r"<(script|style|code|pre|h[1-3]|a|button|select|option|summary|label|title|th|td)\b.*?</\1>|<!--.*?-->|<[^>]*>",
    re.DOTALL,
)
_TAG = re.compile(r"<[^>]*>")
_BY_LENGTH = sorted(WORDS, key=lambda word: -len(word.pattern))
_FORMS = "|".join(f"(?P<w{WORDS.index(word)}>{word.pattern})" for word in _BY_LENGTH)
_ANY = re.compile(rf"(?<![\w-])(?:{_FORMS})(?![\w-]|[=.]\w)", re.IGNORECASE)


def explained(page: str) -> str:
    """Return a page of HTML in which the first use of each word leads to its meaning, at the place MARK; others as they are.

    Words that stand in tables alone have their meaning there, too.
    """
    body, mark, end = page.partition(MARK)
    if not mark:
        return page
    _, tag, inside = body.partition("<body>")
    used: list[Word] = []
    in_cells: set[Word] = set()
    pieces, at = [], 0
    for passed in _PASSED.finditer(inside):
        pieces += [_linked(inside[at : passed.start()], used), passed[0]]
        if passed[1] in ("th", "td"):
            in_cells |= {_word(found) for found in _ANY.finditer(_TAG.sub(" ", passed[0]))}
        at = passed.end()
    pieces.append(_linked(inside[at:], used))
    return "".join([body[: len(body) - len(inside)] if tag else "", *pieces, _meanings({*used} | in_cells), end])


def explained_markdown(page: str) -> str:
    """Return a page of Markdown with the meanings of its words at its end."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
    used = sorted({_word(found) for found in _ANY.finditer(text)}, key=lambda word: word.name.lower())
    lines = [f"- {word.name}: {word.meaning}" for word in used]
    return "\n".join([page.rstrip("\n"), "", "## Words on this card", "", *lines, ""]) if lines else page


def _word(found: re.Match[str]) -> Word:
    return WORDS[int(str(found.lastgroup)[1:])]


def _linked(text: str, used: list[Word]) -> str:
    """Return a text between tags in which each word that is not `used` yet leads to its meaning; these are used then."""

    def link(found: re.Match[str]) -> str:
        word = _word(found)
        if word in used:
            return found[0]
        used.append(word)
        return f'<a class="word" href="#{word.anchor}" title="{escape(word.meaning)}">{found[0]}</a>'

    return _ANY.sub(link, text)


def _meanings(used: Collection[Word]) -> str:
    if not used:
        return ""
    each = [
        f'<dt id="{word.anchor}">{escape(word.name)}</dt><dd>{escape(word.meaning)}.</dd>\n'
        for word in sorted(used, key=lambda word: word.name.lower())
    ]
    return f'<h2 id="words">Words on this page</h2>\n<dl class="words">\n{"".join(each)}</dl>\n'
