"""Names of classes that may say that nobody knows the class, in the languages that tables are often written in."""

import re
import shlex
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence

from fewscan.images.classes import IN_PLACE, spelling_key

# As `_letters` leaves them. Words that also name a finding, as "indeterminate" and "equivocal" do, are none of them.
_WORDS_IN = {
    "English": "unknown unk notknown unsure notsure uncertain unclear undetermined undecided undefined unspecified "
    "notspecified unclassified unassigned unlabeled unlabelled unannotated nolabel notlabeled notlabelled notavailable "
    "notapplicable notstated notreported missing noinformation nodata dontknow idk tbd na nan nil null notascan noscan",
    "German": "unbekannt nichtbekannt unsicher nichtsicher unklar ungewiss unbestimmt weissnicht keineangabe keineangaben "
    "ohneangabe ka nichtangegeben nichtverfugbar ohnelabel keinlabel nichtbeurteilbar keinscan",
    "French": "inconnu inconnue incertain incertaine nonconnu nonconnue nonrenseigne nonrenseignee nonspecifie nonspecifiee "
    "nonprecise indisponible nonclasse nsp",
    "Spanish": "desconocido desconocida incierto incierta nosabe sindatos sinespecificar noespecificado nodisponible nd",
    "Italian": "sconosciuto sconosciuta ignoto incerto incerta nonnoto nonspecificato nondisponibile",
    "Portuguese": "desconhecido desconhecida ignorado naosei naoinformado naodisponivel semdados",
    "others": "onbekend nietbekend onzeker onduidelijk nvt ukjent ukendt usikker okand osaker bilinmiyor belirsiz nieznany "
    "nieznana nieznane brakdanych neznamy neznama neznamo неизвестно 未知 不明 不详",
}
_WORDS = frozenset(word for words in _WORDS_IN.values() for word in words.split())
# A cell of these alone names nothing; a plus would.
_PARTS = re.compile(r"[,;:/()\[\]+&]")  # between parts of a name
_SHORTEST_PART = 5
_STROKES = frozenset("-‐‑–—_.…?¿/\\*")


def may_say_unknown(names: Iterable[str]) -> list[str]:
    """Return those of the names that may say `not known`, however spelled: `k.A.`, `Not known`, `n/a`, `-`, `glioma?`."""
    return [name for name in names if _says_it(name) or name.endswith("?") or any(map(_says_it_plainly, _PARTS.split(name)))]


def _says_it(name: str) -> bool:
    return _letters(name) in _WORDS or set("".join(name.split())) <= _STROKES


def _says_it_plainly(part: str) -> bool:
    """Return whether a part of a name says it, as in `glioma (unsure)`; words as short as `na` and `nd` may be others."""
    return len(_letters(part)) >= _SHORTEST_PART and _letters(part) in _WORDS


def unsettled(labels: Sequence[str], key: Callable[[str], str], nothing: Collection[str] = ()) -> tuple[str, bool] | None:
    """Return which of a scan's labels says that nobody knows its class, and whether it says `unsure`; None where none does.

    key: as `classes.class_key` has it. nothing: words for no label, in lower case.
    """
    unknown = [label for label in labels if _says_unknown(label, key(label), nothing)]
    for label in unknown:
        if key(label) == f"{IN_PLACE}unsure" and label.casefold() not in nothing:
            return label, True
    return (unknown[0], False) if unknown else None


def _says_unknown(label: str, key: str, nothing: Collection[str]) -> bool:
    renamed = key != spelling_key(label)
    return key.startswith(IN_PLACE) or (not renamed and (label.casefold() in nothing or bool(may_say_unknown([label]))))


def unknown_options(names: Collection[str]) -> str:
    """Return the options that make no classes of such names. With `=`, since a word may be a stroke or two."""
    unsure = " ".join(f"--rename={shlex.quote(f'{name}=unsure')}" for name in names)
    no_label = " ".join(f"--no-label={shlex.quote(name)}" for name in names)
    return f"{unsure}, or, where it means no label, {no_label}"


def _letters(name: str) -> str:
    """Return the letters and digits of a name, without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if sign.isalnum())
