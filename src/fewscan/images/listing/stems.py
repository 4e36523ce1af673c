"""File names that go on from one beginning, as those of one patient's slices do -> the pattern that tells whose they are."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

_TOKENS = re.compile(r"[^\W_]+")
# The share of files that must be named in one way.
_MOST = 0.8


# A head has rarely more. What more files share on average is a class or a hospital.
_SLICES = 300


def patient_pattern(files: Sequence[str]) -> str | None:
    """Return a pattern, as --patient-from takes it, for the first number in files' names that several files share.

    Only where most names are made alike, that number differs among them, and what stands behind it differs among the files that
    share it: OAS1_0007_MR1_100.jpg gives `OAS1_(\\d+)_`. None where there is no such number.
    """
    stems = [file.rpartition("/")[2].rpartition(".")[0] for file in files]
    shapes = Counter(_shape(stem) for stem in stems)
    if not shapes:
        return None
    shape, alike = shapes.most_common(1)[0]
    if alike < _MOST * len(stems):
        return None
    names = [_TOKENS.findall(stem) for stem in stems if _shape(stem) == shape]
    for at in range(len(names[0]) - 1):
        column = [tokens[at] for tokens in names]
        numbered = any(letter.isdigit() for token in column for letter in token)
        if len(set(column)) > 1 and numbered:
            return _pattern(shape, names, at) if _shared(names, at) else None
    return None


def _shape(stem: str) -> tuple[str, ...]:
    """Return what stands before, between and behind the words and numbers of a name."""
    return tuple(_TOKENS.split(stem))


def _shared(names: Sequence[list[str]], at: int) -> bool:
    """Return whether the token at `at` stands in two files or more on average, that differ behind it, no more than slices."""
    rests: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for tokens in names:
        rests[tokens[at]].add(tuple(tokens[at + 1 :]))
    return 2 <= sum(map(len, rests.values())) / len(rests) <= _SLICES


def _pattern(shape: tuple[str, ...], names: Sequence[list[str]], at: int) -> str:
    """Return a pattern whose group is the token at `at`: what all names have before it as it is, then what stands behind it."""
    written = re.escape(shape[0])
    for position in range(at):
        column = {tokens[position] for tokens in names}
        written += (re.escape(next(iter(column))) if len(column) == 1 else r"[^\W_]+") + re.escape(shape[position + 1])
    column = {tokens[at] for tokens in names}
    prefix = min(column).rstrip("0123456789")
    numbers = all(token.startswith(prefix) and token[len(prefix) :].isdigit() for token in column)
    group = rf"{re.escape(prefix)}(\d+)" if numbers else r"([^\W_]+)"
    # Where nothing leads up to it, the number is the first thing in the file's name.
    return (written or ("" if numbers and prefix else "(?:^|/)")) + group + re.escape(shape[at + 1])
