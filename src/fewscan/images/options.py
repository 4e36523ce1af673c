"""What a user may say of an import, as one object: where labels and patients come from, and how images are stored."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pydantic

from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.images.formats.reading import Reading

Resize = Literal["stretch", "pad"]
Crop = Literal["none", "foreground"]
Negatives = Literal["keep", "undo"]
PatientTag = Literal["patient", "study", "series", "none"]


def _several(paths: Any) -> Any:
    """Return the paths that were written, as texts; one may be written without a list."""
    return tuple(str(path) for path in ([paths] if isinstance(paths, str | Path) else paths))


Several = Literal["none", "first", "whole"]
Separator = Literal["comma", "semicolon", "tab"]
# In tables, besides an empty cell.
NO_LABEL = ("NA", "N/A", "#N/A", "<NA>", "nan", "None", "null", "?")


def words_for_no_label(given: Iterable[str] = ()) -> frozenset[str]:
    """Return NO_LABEL and the words that a user gave besides, in lower case."""
    return frozenset(word.casefold() for word in (*NO_LABEL, *given))


class TableOptions(Settings):
    """How tables with labels, patients and splits are read, and how they combine with the labels of folders.

    path_column, label_column, patient_column, split_column: names of columns; None looks for a common name (`tables.columns`).
    path_column may be NAME=NUMBER, for a column of numbers that stand in headers (`tables.headers`).
    several: what a cell with several findings, `a|b`, becomes: "none" gives no label, "first" the first finding, "whole" a
    class of that whole name. no_label: words that mean no label, in any case, also as names of folders; in tables, those of
    NO_LABEL do, too. encoding, separator: None recognizes them from the file. labels_only: whether only labels of tables count
    (True), or those of folders and files as well (False); None counts both only where they name the same classes.
    trust_predictions: whether labels that a network predicted and accepted count as labels.
    """

    path_column: str | None = None
    label_column: str | None = None
    patient_column: str | None = None
    split_column: str | None = None
    several: Several = "none"
    no_label: Annotated[tuple[str, ...], pydantic.BeforeValidator(_several)] = ()
    encoding: str | None = None
    separator: Separator | None = None
    labels_only: bool | None = None
    trust_predictions: bool = False


def _pattern(written: str | None) -> str | None:
    """Return the pattern as it is; raises ValueError unless it is a regular expression with one group."""
    if written is None:
        return None
    try:
        groups = re.compile(written).groups
    except re.error as error:
        raise ValueError(f"'{written}' is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"'{written}' has {groups} groups (...) but needs exactly one, around the name to be taken")
    return written


Pattern = Annotated[str | None, pydantic.AfterValidator(_pattern)]


class Layout(Settings):
    """Where classes and patients come from that no table gives; None follows the names of folders and the files' headers.

    class_level, patient_level: which folder names the class or the patient, where 1 is the one directly below the source;
    with patient_level=0, no folder names a patient. class_from, patient_from: the same by a regular expression with one group,
    which is searched for in a file's path below the source. patient_tag: what is taken from a file's header as the patient:
    "patient", "study", "series" or "none". keep_masks: whether masks are taken as scans, too.
    """

    class_level: int | None = pydantic.Field(default=None, ge=1)
    class_from: Pattern = None
    patient_level: int | None = pydantic.Field(default=None, ge=0)
    patient_from: Pattern = None
    patient_tag: PatientTag = "patient"
    keep_masks: bool = False

    @pydantic.field_validator("class_from", "patient_from")
    @classmethod
    def _one_way(cls, pattern: str | None, given: pydantic.ValidationInfo) -> str | None:
        what = str(given.field_name).removesuffix("_from")
        if pattern is not None and given.data.get(f"{what}_level") is not None:
            raise ValueError(f"give only one of {what}_from and {what}_level")
        return pattern


# What is not written down of a spec.
LEFT_OUT = {"crop": "none", "negatives": "keep"}
# Of stored images, unless an import chooses a finer size.
USUAL_PX = 96
# What an import chooses after a look at some scans, and what it has until then.
BY_LOOK = {"size_px": USUAL_PX, **LEFT_OUT}


class ImageSpec(Reading):
    """How a file becomes stored pixels: which of its images are read and how, and the size that they are resized to.

    size_px, resize, channels: images are stored as size_px x size_px, stretched or padded, in gray (1 channel) or color (3).
    negatives: "undo" first inverts scans that show black on white (gray ones only); see `negatives.is_negative`. crop:
    "foreground" then cuts empty borders away; see `crop.foreground_box`. Where size, crop or negatives are not given, an import
    examines some scans and chooses (`size`, `borders`). A dataset, its runs and their exports share these values, so that a new
    scan is read in the same way as those learned from.
    """

    size_px: int = pydantic.Field(default=USUAL_PX, ge=8, le=2048)
    resize: Resize = "stretch"
    channels: Literal[1, 3] = 1
    crop: Crop = "none"
    negatives: Negatives = "keep"

    @pydantic.field_validator("negatives")
    @classmethod
    def _of_gray(cls, negatives: Negatives, given: pydantic.ValidationInfo) -> Negatives:
        if negatives == "undo" and given.data.get("channels") == 3:
            raise ValueError(
                "only gray scans can be inverted, and these are kept in color: keep negatives as they are, or use gray"
            )
        return negatives

    @property
    def shown_sentence(self) -> str:
        """What was undone and cut away, for a report; empty where nothing was to be."""
        undone = ["negatives inverted"] if self.negatives == "undo" else []
        cut = ["scans cropped to what they show"] if self.crop == "foreground" else []
        return f"{' and '.join(undone + cut)}, where this was certain" if undone or cut else ""

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, handler: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a crop that is none, and negatives that are kept: datasets from before are known by what this gives."""
        said: dict[str, Any] = handler(self)
        return {name: value for name, value in said.items() if (name, value) not in LEFT_OUT.items()}

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, S, S) of a stored image."""
        return self.channels, self.size_px, self.size_px

    @property
    def words(self) -> list[str]:
        """The options of a command that imports scans in this way; what an import does anyway is left out."""
        usual = ImageSpec()
        named = [
            name for name in ("resize", "plane", "slices", "volume", "window") if getattr(self, name) != getattr(usual, name)
        ]
        # What an import would choose after a look at some scans is always said.
        given = {"size": self.size_px, "crop": self.crop, "negatives": self.negatives}
        given |= {name: getattr(self, name) for name in named}
        flags = {"--color": self.channels == 3, "--keep-localizers": self.keep_localizers}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        return [*words, *(flag for flag, raised in flags.items() if raised)]

    @property
    def image_bytes(self) -> int:
        """How many bytes a stored image takes."""
        return self.channels * self.size_px**2


class SourceOptions(TableOptions, Layout):
    """Options of sources, except how their pixels are stored; see also TableOptions and Layout.

    labels: tables with labels and patients. unlabeled: folders, FOLDER or NAME=FOLDER, whose scans get no label. rename: old
    name of a class -> new name. follow_links: whether symbolic links that lead out of a source are followed.
    """

    labels: Annotated[tuple[Path, ...], pydantic.BeforeValidator(_several)] = ()
    unlabeled: Annotated[tuple[str, ...], pydantic.BeforeValidator(_several)] = ()
    rename: dict[str, str] = pydantic.Field(default_factory=dict)
    follow_links: bool = False

    @property
    def unless_folders(self) -> str:
        """What to give where folders are no classes."""
        return "--labels-only" if self.labels else "the labels with --labels CSV"

    @pydantic.field_validator("labels_only")
    @classmethod
    def _of_tables(cls, labels_only: bool | None, given: pydantic.ValidationInfo) -> bool | None:
        if labels_only:
            level, pattern = (given.data.get(name) is not None for name in ("class_level", "class_from"))
            of_names = {"--class-level": level, "--class-from": pattern}
            refuse_idle(of_names, "classes from names of folders and files", "take these, too, without --labels-only")
        return labels_only


def _require_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise FewscanError(f"setting '{name}': give one of {', '.join(choices)} (got {value!r})")


class ImportOptions(SourceOptions, ImageSpec):
    """All options of `import`: those of SourceOptions and of ImageSpec.

    by_look: which of size, crop and negatives are chosen after examining some scans: those that are "auto" or not given.
    """

    by_look: frozenset[str] = frozenset()

    @pydantic.model_validator(mode="before")
    @classmethod
    def _auto(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        auto = [name for name in BY_LOOK if given.get(name, "auto") == "auto"]
        for name in LEFT_OUT.keys() & given.keys():
            _require_choice(name, given[name], (*get_args(cls.model_fields[name].annotation), "auto"))
        return given | {name: BY_LOOK[name] for name in auto} | {"by_look": frozenset(auto)}

    @property
    def spec(self) -> ImageSpec:
        """How files become stored pixels."""
        return ImageSpec(**{name: getattr(self, name) for name in ImageSpec.model_fields})
