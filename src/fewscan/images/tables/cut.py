"""What a spreadsheet leaves of long numbers, recognized by the numbers that there are: for messages, it means no image."""

import re
from collections.abc import Iterable

# A spreadsheet keeps so many digits of a number, and makes zeros of the others.
_KEPT = 15
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?E\+(\d{1,4})", re.IGNORECASE | re.ASCII)
REMEDY = "what it cut off is lost, so write the table again with that column formatted as text"


def left_of(text: str | None) -> tuple[str, int] | None:
    """Return the first digits of a number that was cut, and how many it had: of `2.02E+11` 202 and 12; None for any other."""
    written = (text or "").strip()
    if found := _SCIENTIFIC.fullmatch(written):
        return f"{found[1]}{found[2] or ''}"[:_KEPT], int(found[3]) + 1
    is_cut = written.isascii() and written.isdecimal() and len(written) > _KEPT and not written[_KEPT:].strip("0")
    return (written[:_KEPT], len(written)) if is_cut else None


def cut_from(texts: Iterable[str | None], numbers: Iterable[str]) -> str | None:
    """Return one of the numbers of which a text is what a spreadsheet left, rounded or not; None where there is none."""
    left = {one for text in texts if (one := left_of(text)) is not None}
    sizes = {len(digits) for digits, _ in left}
    for number in numbers if left else ():
        whole = number.strip().lstrip("0")
        if not (whole.isascii() and whole.isdecimal()):
            continue
        for size in sizes:
            first = whole[:size]
            up = str(int(first) + 1) if whole[size : size + 1] >= "5" else first
            if size < len(whole) and not {(first, len(whole)), (up, len(whole))}.isdisjoint(left):
                return number
    return None
