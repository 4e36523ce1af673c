"""Which of the folders above a file names its class, and which its patient, as far as their names tell."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from fewscan.errors import FewscanError
from fewscan.images.listing.folder_names import are_numbered, are_patients, are_series, is_part, surely_holds_masks
from fewscan.wording import listed

Folders = tuple[str, ...]
_Role = Literal["class", "number", "patient", "series"]

# Of each place so many names are shown.
_NAMES_SHOWN = 4


class Levels(NamedTuple):
    """Which folder names the class, and which the patient, 1 being the one right below the source; None: none does."""

    of_class: int | None = None
    of_patient: int | None = None


def levels_of(places: Mapping[Folders, int], source: str, *, classes: bool) -> dict[Folders, Levels]:
    """Say of each place, the folders above so many images, which of them names the class and which the patient.

    Folders that hold a part of the images, or masks, name neither; all that have as many others above them are judged together.
    The class is the lowest that looks neither like a patient's number nor like a series; folders that are only numbered (1, 2,
    3) are classes too, but patients where each stands under one class only. Series are classes where nothing else is there. The
    patient is the highest that looks like a patient's number. Without `classes` only patients are looked for. Of classes that
    lie in classes those count that hold more images of the source, the inner ones where it is a draw.

    Raises FewscanError, naming the choices, for numbered folders that recur under several classes, and where nearly each class
    would be one patient's.
    """
    alike: dict[int, list[Folders]] = defaultdict(list)
    for folders in places:
        alike[len(naming_levels(folders))].append(folders)
    found: dict[Folders, Levels] = {}
    for depth, same in alike.items():
        of_class, of_patient = _levels_alike(same, depth, source, classes=classes)
        for folders in same:
            levels = naming_levels(folders)
            found[folders] = Levels(
                None if of_class is None else levels[of_class], None if of_patient is None else levels[of_patient]
            )
    return _outermost_classes(found) if _mostly_outer(found, places) else found


def classes_around(found: Mapping[Folders, Levels]) -> dict[Folders, list[int]]:
    """Return for each place whose class lies in other classes the levels of these, the outermost first."""
    classes = {folders[: levels.of_class] for folders, levels in found.items() if levels.of_class is not None}
    around = {
        folders: [depth for depth in range(1, levels.of_class or 0) if folders[:depth] in classes]
        for folders, levels in found.items()
    }
    return {folders: depths for folders, depths in around.items() if depths}


def _mostly_outer(found: Mapping[Folders, Levels], images: Mapping[Folders, int]) -> bool:
    """Return whether more images lie in classes that hold classes than in these."""
    inner = classes_around(found)
    holding = {folders[:depth] for folders, depths in inner.items() for depth in depths}
    outer = [
        folders
        for folders, levels in found.items()
        if levels.of_class is not None and folders not in inner and folders[: levels.of_class] in holding
    ]
    return sum(images[folders] for folders in outer) > sum(images[folders] for folders in inner)


def _outermost_classes(found: Mapping[Folders, Levels]) -> dict[Folders, Levels]:
    around = classes_around(found)
    return {
        folders: levels._replace(of_class=around[folders][0]) if folders in around else levels
        for folders, levels in found.items()
    }


def naming_levels(folders: Folders) -> list[int]:
    """Return the levels, from 1, of the folders that may name a class or a patient: all but parts and masks."""
    return [level for level, name in enumerate(folders, start=1) if not is_part(name) and not surely_holds_masks(name)]


def described_levels(places: Collection[Folders]) -> str:
    """Say which names the folders have, level by level: folder 1: COVID, Normal; folder 2: P000, P001 and 6 more."""
    deepest = max(map(len, places), default=0)
    names = [sorted({folders[level] for folders in places if len(folders) > level}) for level in range(deepest)]
    return "; ".join(f"folder {level}: {listed(some, _NAMES_SHOWN)}" for level, some in enumerate(names, start=1))


def _levels_alike(places: Sequence[Folders], depth: int, source: str, *, classes: bool) -> tuple[int | None, int | None]:
    """Return which of the `depth` folders that may name something name class and patient, from 0."""
    named = [tuple(folders[level - 1] for level in naming_levels(folders)) for folders in places]
    columns = [sorted({names[at] for names in named}) for at in range(depth)]
    roles = [_role(column) for column in columns]
    for at in range(1, depth):
        above = [before for before in range(at) if roles[before] == "class" and len(columns[before]) > 1]
        if roles[at] == "number" and above:
            if classes and _recur(named, at):
                raise FewscanError(
                    f"source '{source}': the folders {listed(columns[at], _NAMES_SHOWN)} are found under several of "
                    f"{listed(columns[above[-1]], _NAMES_SHOWN)}, so either may be the classes: "
                    f"say which with --class-level ({described_levels(places)})"
                )
            roles[at] = "patient"
    of_patient = next((at for at in range(depth) if roles[at] == "patient"), None)
    lowest_first = range(depth - 1, -1, -1)
    of_class = next((at for at in lowest_first if roles[at] in ("class", "number")), None)
    if of_class is None and depth == 1 and roles == ["series"]:
        of_class = 0
    if classes and of_class is not None and of_patient is not None and of_patient < of_class:
        _require_shared_classes(named, of_patient, of_class, source, places)
    return of_class, of_patient


def _role(names: Collection[str]) -> _Role:
    if are_series(names):
        return "series"
    if are_patients(names):
        return "patient"
    return "number" if are_numbered(names) else "class"


def _recur(named: Iterable[tuple[str, ...]], at: int) -> bool:
    """Return whether most of the names in one place stand under several others right above."""
    above: dict[str, set[str]] = defaultdict(set)
    for names in named:
        above[names[at]].add(names[at - 1])
    return sum(len(parents) > 1 for parents in above.values()) > len(above) / 2


def _require_shared_classes(
    named: Iterable[tuple[str, ...]], of_patient: int, of_class: int, source: str, places: Sequence[Folders]
) -> None:
    """Raise FewscanError where most classes, three or more, would be one patient's: series below patients, named freely."""
    patients: dict[str, set[str]] = defaultdict(set)
    for names in named:
        patients[names[of_class]].add(names[of_patient])
    alone = sum(len(whose) == 1 for whose in patients.values())
    if len(patients) > 2 and alone > len(patients) / 2:
        raise FewscanError(
            f"source '{source}': of {len(patients)} folders that may be classes, {alone} are in only one patient's folder "
            f"({described_levels(places)}): say which folder names the class with --class-level, give the labels with --labels "
            "CSV, or give the folder with --unlabeled"
        )
