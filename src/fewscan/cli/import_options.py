"""The options of `import` and `add`, each with what a user should know of it, and how they become ImportOptions."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fewscan.cli.places import sources_there, tables_there
from fewscan.errors import FewscanError
from fewscan.images.options import USUAL_PX
from fewscan.images.size import FINER_PX, LEAST_PX, MOST_SCANS

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE...",
        help="Folders of scans, each FOLDER or NAME=FOLDER; a URL of such a folder, such as s3://bucket/scans; or the "
        "published study's sources, kaggle:nickparvar kaggle:sartaj kaggle:dubail, which kagglehub downloads.",
        callback=sources_there,
    ),
]
Out = Annotated[Path, typer.Option(help="The dataset folder to make.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what fewscan understood of the sources, and write nothing.")]

# Labels.
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        help="A CSV or an Excel workbook: a column of paths or of numbers in DICOM headers, and columns of labels, patients or "
        "parts of a split. May be repeated.",
        callback=tables_there,
    ),
]
Unlabeled = Annotated[
    list[str] | None,
    typer.Option(help="A folder whose scans have no label: FOLDER or NAME=FOLDER. May be repeated.", callback=sources_there),
]
Rename = Annotated[list[str] | None, typer.Option(help="Rename a label: OLD=NEW, or OLD=unsure. May be repeated.")]
PathColumn = Annotated[
    str | None,
    typer.Option(
        help="The table's column of paths. It may hold a number of DICOM headers instead, such as the accession number: "
        "NAME, or NAME=AccessionNumber. [default: one with a common name, such as path or file]"
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="The table's column of labels, or NAME,NAME for columns of 0 and 1. [default: one named label, class, diagnosis "
        "or the like]"
    ),
]
PatientColumn = Annotated[
    str | None, typer.Option(help="The table's column of patients. [default: one named patient, subject or the like]")
]
SplitColumn = Annotated[
    str | None,
    typer.Option(
        help="The table's column that says train, validation or test. [default: one named split, subset or partition]"
    ),
]
Several = Annotated[
    Literal["none", "first", "whole"],
    typer.Option(
        help="What a cell with several findings, a|b, becomes: no label (none), the first one (first), or a class named a|b "
        "(whole)."
    ),
]
NoLabel = Annotated[
    list[str] | None,
    typer.Option(help="A word that means no label, besides NA, N/A, nan, None, null and ? in tables. May be repeated."),
]
Encoding = Annotated[
    str | None, typer.Option(help="A CSV's encoding, such as cp1252. [default: UTF-8, or UTF-16 where recognized]")
]
Separator = Annotated[
    Literal["comma", "semicolon", "tab"] | None,
    typer.Option(help="What separates a CSV's cells. [default: recognized by the first line]"),
]
LabelsOnly = Annotated[
    bool | None,
    typer.Option(
        "--labels-only/--labels-and-folders",
        help="Take labels only from tables, or from folders where tables give none. "
        "[default: both, if they name the same classes]",
    ),
]
TrustPredictions = Annotated[
    bool, typer.Option("--trust-predictions", help="Use the accepted labels of a table that 'fewscan label' wrote.")
]
ClassLevel = Annotated[
    int | None,
    typer.Option(
        help="Which folder names the class: 1 is the one right below the source, which is COVID in COVID/P007/axial/3.png. "
        "[default: the lowest one that does not name a part of a split, a patient or a series]"
    ),
]
ClassFrom = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="Take the class from a file's path below its source: a regular expression with one group (...) around the class, "
        "such as '^(normal|tumor)_' or 'grade([0-4])/'.",
    ),
]
KeepMasks = Annotated[
    bool, typer.Option("--keep-masks", help="Also take masks (masks/3.png, 3_mask.png beside 3.png, labelsTr/) as scans.")
]

FollowLinks = Annotated[
    bool,
    typer.Option("--follow-links", help="Follow symbolic links that lead out of the folder; otherwise they are set aside."),
]

# Patients.
PatientLevel = Annotated[
    int | None,
    typer.Option(
        help="Which folder names the patient: 1 is the one right below the source; 0: none. "
        "[default: one whose names look like patient numbers]"
    ),
]
PatientFrom = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="Take the patient from a file's path below its source: a regular expression with one group (...) around the "
        "patient, such as 'OAS1_(\\d+)_' for OAS1_0007_MR1_100.jpg.",
    ),
]
PatientTag = Annotated[
    Literal["patient", "study", "series", "none"],
    typer.Option(
        help="What identifies the patient in a file's header: the patient's number; or, if anonymization gave everybody the "
        "same number, the study or the series; none: headers are not used."
    ),
]


def _size(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a number of pixels nor auto") from None


# How images are stored.
Size = Annotated[
    Any,
    typer.Option(
        parser=_size,
        metavar="[auto|PX]",
        help=f"Side length of the stored images, in pixels. auto: look at 200 scans, and take {FINER_PX} if most are of "
        f"{LEAST_PX} or more, there are at most {MOST_SCANS:,}, and ImageNet's weights are installed ('fewscan[pretrained]'); "
        f"else {USUAL_PX}.",
    ),
]
Resize = Annotated[
    Literal["stretch", "pad"], typer.Option(help="Scans that are not square: stretched to a square, or padded with black.")
]
Crop = Annotated[
    Literal["none", "foreground", "auto"],
    typer.Option(
        help="foreground: cut away the empty border around what a scan shows, so that a head fills the image; a scan without "
        "a certain border stays whole. none: keep all scans whole. auto: look at the same 200 scans, and cut if at least half "
        "have a border of over a tenth of their area and borders differ; import and --plan say what it chose."
    ),
]
Negatives = Annotated[
    Literal["keep", "undo", "auto"],
    typer.Option(
        help="undo: invert gray scans that certainly show black on white, as some viewers export them. keep: leave them as "
        "they are. auto: look at the same 200 scans, and undo if at most one in ten is on white."
    ),
]
Color = Annotated[bool, typer.Option("--color", help="Keep color (three channels) instead of gray.")]

# Which images of a file are read, and how.
Plane = Annotated[
    Literal["axial", "coronal", "sagittal"], typer.Option(help="For volumes: the plane whose slices become images.")
]
Slices = Annotated[Literal["brain", "all"], typer.Option(help="For volumes: the slices that show brain, or all.")]
Volume = Annotated[
    int | None, typer.Option(help="For files with several volumes: which one, counted from 0. Without it they are set aside.")
]
Window = Annotated[
    str | None,
    typer.Option(
        help="The gray values to show: CENTER,WIDTH or brain, subdural, bone, lung, abdomen (CT, in Hounsfield units). "
        "[default: the file's own window, or one computed from its values]"
    ),
]
KeepLocalizers = Annotated[
    bool, typer.Option("--keep-localizers", help="For DICOM: also take localizers, screen saves and the like as scans.")
]

Options = Mapping[str, tuple[Any, Any]]  # parameter of a verb -> its annotation and its default

# What `import` and `add` are told of sources.
OF_SOURCES: Options = {
    "labels": (Labels, None),
    "unlabeled": (Unlabeled, None),
    "rename": (Rename, None),
    "path_column": (PathColumn, None),
    "label_column": (LabelColumn, None),
    "patient_column": (PatientColumn, None),
    "split_column": (SplitColumn, None),
    "several": (Several, "none"),
    "no_label": (NoLabel, None),
    "encoding": (Encoding, None),
    "separator": (Separator, None),
    "labels_only": (LabelsOnly, None),
    "trust_predictions": (TrustPredictions, False),
    "class_level": (ClassLevel, None),
    "class_from": (ClassFrom, None),
    "keep_masks": (KeepMasks, False),
    "follow_links": (FollowLinks, False),
    "patient_level": (PatientLevel, None),
    "patient_from": (PatientFrom, None),
    "patient_tag": (PatientTag, "patient"),
}
# What a dataset settles once, when it is imported.
OF_IMAGES: Options = {
    "size": (Size, "auto"),
    "resize": (Resize, "stretch"),
    "crop": (Crop, "auto"),
    "negatives": (Negatives, "auto"),
    "color": (Color, False),
    "plane": (Plane, "axial"),
    "slices": (Slices, "brain"),
    "volume": (Volume, None),
    "window": (Window, None),
    "keep_localizers": (KeepLocalizers, False),
}


def taking(*groups: Options) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a verb take these options, before its own ones from `plan` on; it finds them in its context's `params`."""

    def widened(verb: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(verb)
        more = [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)
            for group in groups
            for name, (annotation, default) in group.items()
        ]
        parameters = list(own.parameters.values())
        place = list(own.parameters).index("plan")

        @functools.wraps(verb)
        def called(**given: Any) -> None:
            verb(**{name: given[name] for name in own.parameters})

        called.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*parameters[:place], *more, *parameters[place:]]
        )
        return called

    return widened


def import_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verb's parameters, as its context holds them, as `fewscan.images.options.ImportOptions` takes them."""
    options = {name: given[name] for name in (*OF_SOURCES, *OF_IMAGES) if name in given}
    options["labels"] = options["labels"] or []
    options["unlabeled"] = options["unlabeled"] or []
    options["rename"] = renames(options["rename"])
    options["no_label"] = options["no_label"] or []
    if "size" in options:
        options["size_px"] = options.pop("size")
        options["channels"] = 3 if options.pop("color") else 1
    return options


def renames(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return OLD=NEW pairs as old names and new ones; raises FewscanError for what is no pair."""
    return dict(_old_and_new(pair) for pair in pairs or ())


def _old_and_new(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not equals:
        raise FewscanError(f"--rename takes OLD=NEW, not '{pair}'")
    return old, new
