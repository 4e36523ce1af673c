"""The labels of all images -> the names of the classes: renamed as asked, and each class under one spelling."""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from fewscan.config import nearest
from fewscan.errors import Reasons
from fewscan.images.kaggle import KAGGLE_SETS
from fewscan.images.options import words_for_no_label
from fewscan.images.sources import InPlace, ScanFile
from fewscan.images.spelling import plainly
from fewscan.images.table_rows import Standing, TableRows, in_rows, nowhere, standing
from fewscan.wording import listed

MAX_CLASSES = 100
# Stands between the classes that a scan has or may have, in tables that are read and written.
BETWEEN_FINDINGS = "|"
# Stands before what is said of a scan in place of a class, where labels are told apart: a state, or nothing for no label.
IN_PLACE = "\0"
_STATES: dict[str, InPlace] = {"unsure": "unsure", "notascan": "not a scan"}  # by `spelling_key`

# The study's sources and the stand-in for the third by name, and their spellings of its four classes.
STUDY_SOURCES = frozenset([*KAGGLE_SETS, "dubail_standin"])
STUDY_LABELS = {
    "glioma_tumor": "glioma",
    "meningioma_tumor": "meningioma",
    "pituitary_tumor": "pituitary",
    "notumor": "no_tumor",
    "normal": "no_tumor",
}

# A comma is a decimal one before zeros alone, as spreadsheets write a whole number: 1,2 may as well be two findings.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*|,00?)?|\.[0-9]+)")
# Between two digits a separator tells them apart (T1-2 is not T12); a minus before or after everything is a sign (ER-, -1).
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[-_ ]+(?=[0-9])")
_SEPARATORS = re.compile(r"[_ ]|(?<=\w)-+(?=\w)")


def said_in_place(word: str, classes: Collection[str] = ()) -> InPlace | None:
    """Return what a word says in place of a class, `unsure` or `not a scan`; None where one of `classes` goes by it, too."""
    state = _state(word)
    return None if state is None or any(spelling_key(name) == spelling_key(word) for name in classes) else state


@lru_cache(maxsize=1000)
def _state(word: str) -> InPlace | None:
    return _STATES.get(spelling_key(word))


def settle_classes(scans: Sequence[ScanFile], rename: Mapping[str, str], no_label: Collection[str] = ()) -> list[ScanFile]:
    """Return the images with the names that their classes go by, and those without a class with what is said in its place.

    Labels that are one number (`1`, `1.0`), and such as look alike (`plainly`), are one class, by its shortest name, with a
    note of that. `rename` maps old names to new ones; in the study's sources STUDY_LABELS are renamed unless it says otherwise.
    A new name is read as a cell with that word would be: as a state, or, where it is one of NO_LABEL and `no_label`, as no
    label.

    Raises FewscanError for a renaming of or to nothing, for labels that differ only in spelling (`spelling_key`), for one
    that holds BETWEEN_FINDINGS, and for more than MAX_CLASSES classes.
    """
    shortest = _shortest_names({label for scan in scans for label in _labels(scan)})
    scans = [_with_shortest(scan, shortest) for scan in scans]
    rename = {shortest.get(_seen(old), old): new for old, new in rename.items()}
    _check_rename(rename, {(scan.source, label) for scan in scans for label in _labels(scan)})
    scans = [_named_all(scan, rename, no_label) for scan in scans]
    _check_classes(Counter(label for scan in scans for label in _labels(scan)), where=lambda: rows_of_labels(scans))
    return scans


def rows_of_labels(scans: Sequence[ScanFile]) -> dict[str, list[TableRows]]:
    """Return of each label of the images in which rows of tables it stands."""
    usable = (scan for scan in scans if scan.set_aside is None)
    return standing(pair for scan in usable for pair in zip(_labels(scan), scan.said_in, strict=False))


def fit_classes(
    labels: Collection[tuple[str, str]],
    classes: Collection[str],
    rename: Mapping[str, str],
    no_label: Collection[str] = (),
    where: Standing = nowhere,
) -> dict[tuple[str, str], str]:
    """Return of each label of a source, given as (source, label), its class: one of `classes`, which are there, or a new one.

    Of one that names no class, as in `settle_classes`, what is said in its place, behind IN_PLACE. where: says in which rows of
    tables labels stand.
    Raises FewscanError as `settle_classes` does.
    """
    known = _shortest_names({label for _, label in labels}) | {_seen(name): name for name in sorted(classes)}
    names = {label: label if label in classes else known[_seen(label)] for _, label in labels}
    rename = {known.get(_seen(old), old): new for old, new in rename.items()}
    _check_rename(rename, {(source, names[label]) for source, label in labels})
    fitted = {(source, label): _meant(source, names[label], rename, no_label, classes) for source, label in labels}
    names_in = partial(_where_fitted, fitted, where)
    _check_classes(Counter(name for name in fitted.values() if not name.startswith(IN_PLACE)), classes, names_in)
    return fitted


def _where_fitted(fitted: Mapping[tuple[str, str], str], where: Standing) -> dict[str, list[TableRows]]:
    """Return in which rows each class stands, by those of the labels that it was made of."""
    labels = where()
    pairs = dict.fromkeys((name, label) for (_, label), name in fitted.items())
    return standing((name, rows) for name, label in pairs for rows in labels.get(label, ()))


def number_key(text: str) -> str | None:
    """Return one spelling for all of a decimal number, `1` for `1.0`, `1,0` and `01`; None where the text is no number."""
    if not _NUMBER.fullmatch(text):
        return None
    sign = "-" if text.startswith("-") else ""
    whole, _, decimals = text.lstrip("+-").replace(",", ".").partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    number = f"{whole}.{decimals}" if decimals else whole
    return "0" if number == "0" else sign + number


def spelling_key(label: str) -> str:
    """Return what is equal for two spellings of one class.

    Case does not count, nor do spaces, `_` and `-` between letters: `No-Tumor` and `no_tumor` are one. Between digits they do
    (`T1-2`, `T12`), and a minus at either end is a sign (`ER-`, `-1`). Numbers are compared as numbers, and all as they look.
    """
    label = plainly(label).strip().casefold()
    return number_key(label) or _SEPARATORS.sub("", _BETWEEN_DIGITS.sub("\0", label))


def class_key(source: str, label: str, rename: Mapping[str, str], no_label: Collection[str] = ()) -> str:
    """Return what is equal for all labels that `settle_classes` will make one class or state, or refuse as spellings of one."""
    meant = _meant(source, label, rename, no_label)
    return meant if meant.startswith(IN_PLACE) else spelling_key(meant)


def _seen(label: str) -> str:
    """Return what is equal for labels that are one number, or look alike."""
    seen = " ".join(plainly(label).split())
    return number_key(seen) or seen


def _shortest_names(labels: Collection[str]) -> dict[str, str]:
    """Return the shortest of the labels that are one number or look alike, by `_seen`; of several the one of plainest signs."""
    names: dict[str, list[str]] = {}
    for label in labels:
        names.setdefault(_seen(label), []).append(label)
    return {seen: min(same, key=lambda name: (len(name), name)) for seen, same in names.items()}


def _labels(scan: ScanFile) -> tuple[str, ...]:
    return scan.disputed if scan.label is None else (scan.label,)


def _with_shortest(scan: ScanFile, shortest: Mapping[str, str]) -> ScanFile:
    if scan.disputed:
        return replace(scan, disputed=tuple(shortest[_seen(label)] for label in scan.disputed))
    name = scan.label if scan.label is None else shortest[_seen(scan.label)]
    if name == scan.label:
        return scan
    why = "which looks the same" if number_key(str(name)) is None else "the same number"
    note = f"the label '{scan.label}' is read as '{name}', {why}"
    return replace(scan, label=name, notes=(*scan.notes, note))


def _check_rename(rename: Mapping[str, str], labels: Collection[tuple[str, str]]) -> None:
    named = [(source, label) for source, label in labels if not label.startswith(IN_PLACE)]
    known = {name for source, label in named for name in (label, _study_label(source, label))}
    with Reasons("these labels cannot be renamed") as reasons:
        for old, new in rename.items():
            if old not in known:
                reasons.add(f"no image is labeled '{old}', so it cannot be renamed: {nearest(old, known)}")
            elif not new.strip():
                reasons.add(f"'{old}' cannot be renamed to an empty name: write OLD=NEW")


def _named_all(scan: ScanFile, rename: Mapping[str, str], no_label: Collection[str]) -> ScanFile:
    if scan.label is not None:
        return _named(scan, scan.label, rename, no_label)
    if not scan.disputed:
        return scan
    # None of them is a word for not known: then nothing would be disputed.
    return replace(scan, disputed=tuple(_meant(scan.source, label, rename, no_label) for label in scan.disputed))


def _named(scan: ScanFile, label: str, rename: Mapping[str, str], no_label: Collection[str]) -> ScanFile:
    meant = _meant(scan.source, label, rename, no_label)
    if not meant.startswith(IN_PLACE):
        return replace(scan, label=meant)
    state = said_in_place(meant.removeprefix(IN_PLACE))
    without = "has no label" if state is None else f"is {state}"
    if label.startswith(IN_PLACE):
        note = f"its table says that it {without}"
    elif label in rename:
        note = f"'{label}' was renamed to a word that says that it {without}"
    else:
        note = f"'{label}' is not a class but says that the scan {without}: --rename '{label}=NAME' makes it a class"
    whence = None if state is None else scan.label_from
    return replace(scan, label=None, label_from=whence, label_level=None, state=state, notes=(*scan.notes, note))


def _meant(source: str, label: str, rename: Mapping[str, str], no_label: Collection[str], classes: Collection[str] = ()) -> str:
    """Return the class that a label names, beside `classes` that are there, or, behind IN_PLACE, what it says in its place."""
    name = _new_name(source, label, rename)
    if name.startswith(IN_PLACE) or name in classes:
        return name
    if name != label and name.casefold() in words_for_no_label(no_label):
        return IN_PLACE
    state = said_in_place(name, classes)
    return name if state is None else f"{IN_PLACE}{state}"


def _new_name(source: str, label: str, rename: Mapping[str, str]) -> str:
    if label in rename:
        return rename[label]
    label = _study_label(source, label)
    return rename.get(label, label)


def _study_label(source: str, label: str) -> str:
    return STUDY_LABELS.get(label, label) if source.lower() in STUDY_SOURCES else label


def _check_classes(labels: Counter[str], there: Collection[str] = (), where: Standing = nowhere) -> None:
    """Raise FewscanError where labels, counted, cannot be classes beside those that are `there` and right as they are."""
    with Reasons("the labels cannot be classes") as reasons:
        reasons.add(*_unlike_classes(labels, there, where))


def _unlike_classes(labels: Counter[str], there: Collection[str], where: Standing) -> Iterator[str]:
    """Yield why labels cannot be classes, with the options that help."""
    known = {spelling_key(name): name for name in there}
    spellings: dict[str, list[str]] = {key: [] for key in known}
    new = sorted(set(labels) - set(there))
    if joined := [label for label in new if BETWEEN_FINDINGS in label]:
        names = listed([f"'{label}'" for label in joined])
        ways = " ".join(shlex.join(["--rename", f"{label}=NEW"]) for label in joined)
        yield (
            f"no class can be called {names}, since '{BETWEEN_FINDINGS}' separates classes in tables: rename with {ways}, or "
            f"say which folder names the class with --class-level{or_correct(joined, where)}"
        )
    for label in new:
        spellings.setdefault(spelling_key(label), []).append(label)
    kept = {key: known.get(key) or max(names, key=lambda name: labels[name]) for key, names in spellings.items()}
    others = {name: kept[key] for key, names in spellings.items() for name in names if name != kept[key]}
    if others:
        alike = {name: [other for other, one in others.items() if one == name] for name in sorted(set(others.values()))}
        sets = "; ".join(listed([f"'{name}'" for name in (kept_name, *rest)]) for kept_name, rest in alike.items())
        ways = " ".join(shlex.join(["--rename", f"{label}={name}"]) for label, name in others.items())
        yield f"the labels {sets} differ only in spelling: if they are one class, add {ways}{or_correct(others, where)}"
    if len(spellings) > MAX_CLASSES:
        yield (
            f"{len(spellings)} classes were found, more than the limit of {MAX_CLASSES}: if the folders are not classes, "
            f"give {'--labels-only' if where() else 'the labels with --labels CSV'}, or give the folder with --unlabeled"
        )


def or_correct(names: Collection[str], where: Standing) -> str:
    """Return, for the end of a message, in which rows of tables such labels stand; "" where they do in none."""
    rows = where()
    found = [name for name in names if rows.get(name)]
    return f", or correct {in_rows(found, rows)}" if found else ""
