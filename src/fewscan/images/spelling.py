"""Texts that look alike are one: names are typed, copied from pages and word processors, and written by a Mac."""

import unicodedata

# A dash by its category, or the minus sign, which is none.
_DASH, _MINUS = "Pd", "\N{MINUS SIGN}"
_UNSEEN = "Cf"
# What Unicode calls another form of the same signs, to look at: not as that which is raised, lowered, or in a circle.
_ALIKE = ("<compat>", "<narrow>", "<noBreak>", "<wide>")


def plainly(text: str) -> str:
    """Return what all texts that look like this one have in common.

    Letters have one width, an accent is in one piece with its letter, there is one dash and one blank, and nothing that nobody
    sees, such as a soft hyphen or a mark of a direction.
    """
    if text.isascii():
        return text
    return "".join(_plain(sign) for sign in unicodedata.normalize("NFC", text))


def _plain(sign: str) -> str:
    category = unicodedata.category(sign)
    if category == _UNSEEN:
        return ""
    if category == _DASH or sign == _MINUS:
        return "-"
    return unicodedata.normalize("NFKC", sign) if unicodedata.decomposition(sign).startswith(_ALIKE) else sign
