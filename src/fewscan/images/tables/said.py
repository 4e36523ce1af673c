"""Rows of tables, by the places that they mean -> what is said of each place, and of the images in it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from fewscan.errors import FewscanError, Reasons
from fewscan.images.classes import class_key
from fewscan.images.notes import SPELLED_OTHERWISE
from fewscan.images.options import Several
from fewscan.images.patients import patient_key
from fewscan.images.sources import Source
from fewscan.images.tables.column_names import names_headers
from fewscan.images.tables.columns import HEADERS, NoFileNamedError, names_paths
from fewscan.images.tables.cut import REMEDY
from fewscan.images.tables.finding import Found, Places
from fewscan.images.tables.rows import Row, with_finding

# Source and label -> what is equal for all spellings of the class that it will be.
Naming = Callable[[str, str], str]


@dataclass(slots=True)
class Said:
    """Which row says what of one place; a row of a lower rank, or a later one that says the same, changes nothing.

    `rows` counts those that name it; `differ` where their labels do.
    """

    place: str  # of the label, where several say something of an image
    label: Row | None = None
    patient: Row | None = None
    split: Row | None = None
    about_labels: bool = False
    notes: tuple[str, ...] = ()
    rows: int = 0
    differ: bool = False


def naming_of(rename: Mapping[str, str], no_label: Collection[str] = ()) -> Naming:
    """Return what tells the classes of labels apart, once they are renamed."""
    return cache(partial(class_key, rename=rename, no_label=no_label))


def require_found(
    rows: Sequence[Row], found: Sequence[Found | FewscanError | None], places: Places, sources: Sequence[Source]
) -> None:
    """Raise NoFileNamedError where no row of a table names an image that is not set aside."""
    hits = [one.place for one in found if isinstance(one, Found)]
    if not all(map(places.is_set_aside, hits)):
        return
    row = rows[-1]
    column = row.path_column if names_paths(row.path_column) else None
    if hits:
        raise NoFileNamedError(f"{row.table} names only files that are set aside, such as {hits[0]}", column)
    looked = ", ".join(dict.fromkeys(str(folder) for folder in [row.table.parent, *(source.folder for source in sources)]))
    like = places.like(row)
    hint = f"; an image of that name is {like}: give the folder that the paths start from as the source" if like else ""
    if not like and (like := places.but_for_zeros(row)):
        hint = f"; there is {like}: a spreadsheet drops leading zeros, so keep that column as text"
    if not like and (like := places.but_for_cut(rows)):
        hint = f"; there is {like}, whose number a spreadsheet has cut: {REMEDY}"
    # A patient's or a study's number is for no terminal or log.
    one = "nothing that it names is" if names_headers(row.path_column) else f"'{row.path}' ({row.where}), for example, is not"
    if row.path_column != "path" and not hint:
        hint = f"; its column '{row.path_column}' was taken as the paths: --path-column chooses another one"
        hint += f"; {HEADERS}" if names_headers(row.path_column) else ""
    raise NoFileNamedError(f"{row.table} names no file of the sources: {one} in {looked}{hint}", column)


def add_rows(
    said: dict[str, Said],
    rows: Iterable[Row],
    found: Iterable[Found | None],
    places: Places,
    naming: Naming,
    several: Several,
) -> None:
    """Add the rows of a table to what is said of each place; raises FewscanError with all rows that contradict others."""
    with Reasons("rows of tables contradict each other") as reasons:
        for row, hit in zip(rows, found, strict=True):
            if hit is None:
                continue
            one = said.setdefault(hit.place, Said(hit.place))
            one.rows += 1
            with reasons.noted():
                _merge(one, row, partial(naming, places.source(hit.place)), several)
            if not hit.closely:
                one.notes = (*one.notes, f"its row in {row.table.name} {SPELLED_OTHERWISE}")


def said_of(places: Sequence[str], said: Mapping[str, Said]) -> Said | None:
    """Return what is said of an image at the closest of its places that says it."""
    found = [said[place] for place in places if place in said]
    if len(found) < 2:
        return found[0] if found else None
    labeling = next((one for one in found if one.label is not None), found[0])
    return Said(
        labeling.place,
        label=labeling.label,
        patient=next((one.patient for one in found if one.patient is not None), None),
        split=next((one.split for one in found if one.split is not None), None),
        about_labels=any(one.about_labels for one in found),
        notes=tuple(note for one in found for note in one.notes),
        rows=labeling.rows,
        differ=labeling.differ,
    )


def whole_said(one: Said, wholes: Mapping[str, str]) -> str | None:
    """Return of which whole, a study say, a label is said, given the places that are one (`Places.wholes`); None: of an image.

    Labels that only teach are of images that a network chose.
    """
    only_teaches = one.label is None or one.label.chosen is not None or one.label.predicted
    return None if only_teaches else wholes.get(one.place)


def _merge(one: Said, row: Row, key: Callable[[str], str], several: Several) -> None:
    """Add a row to what is said of its image; raises FewscanError where rows contradict each other."""
    if row.label is not None or row.several:
        _merge_label(one, row, key, several)
    if row.patient is not None:
        if one.patient is None:
            one.patient = row
        elif patient_key(one.patient.patient or "") != patient_key(row.patient):
            # A patient's number is for no terminal or log.
            raise FewscanError(
                f"'{row.path}' has two values for its patient ({one.patient.where} and {row.where}); keep one of them"
            )
    if row.split is not None:
        one.split = one.split or row
        if one.split.split != row.split:
            raise FewscanError(
                f"'{row.path}' has two values for its part of the split: '{one.split.split}' ({one.split.where}) and "
                f"'{row.split}' ({row.where}); keep one of them"
            )
    one.about_labels |= row.about_labels
    one.notes = (*one.notes, *row.notes)


def _merge_label(one: Said, row: Row, key: Callable[[str], str], several: Several) -> None:
    """As `_merge`; rows of one table with different labels are several findings, and no contradiction."""
    first = one.label
    if first is None or (first.predicted and not row.predicted):
        one.label = row
    elif first.predicted != row.predicted or _class(first, key) == _class(row, key):
        return
    elif first.table == row.table:
        one.label = with_finding(first, row, several, key)
        one.differ = True
        one.notes = (*one.notes, one.label.notes[-1])
    else:
        raise FewscanError(
            f"'{row.path}' has two values for its label: '{first.label or 'several'}' ({first.where}) and "
            f"'{row.label or 'several'}' ({row.where}); keep one of them"
        )


def _class(row: Row, key: Callable[[str], str]) -> str | None:
    return None if row.label is None else key(row.label)
