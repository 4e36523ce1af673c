"""Names of classes that may say that nobody knows the class, in the languages that tables are often written in."""

import shlex
import unicodedata
from collections.abc import Iterable

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
_STROKES = frozenset("-‐‑–—_.…?¿/\\*")


def may_say_unknown(names: Iterable[str]) -> list[str]:
    """Return those of the names that may say `not known`, however spelled: `k.A.`, `Not known`, `n/a`, `-`, `??`."""
    return [name for name in names if _letters(name) in _WORDS or set("".join(name.split())) <= _STROKES]


def no_label_words(names: Iterable[str]) -> str:
    """Return the options that take such classes out. With `=`, since a word may be a stroke or two."""
    return " ".join(f"--no-label={shlex.quote(name)}" for name in names)


def _letters(name: str) -> str:
    """Return the letters and digits of a name, without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if sign.isalnum())
