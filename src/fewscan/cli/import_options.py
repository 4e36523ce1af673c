"""The options of `import` and `add`, each with what a user should know of it, and how they become ImportOptions."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fewscan.cli.places import sources_there, tables_there
from fewscan.errors import FewscanError

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE...",
        help="Folders of scans, each FOLDER or NAME=FOLDER; a URL of such a folder, as s3://bucket/scans; or the study's "
        "sources, kaggle:nickparvar kaggle:sartaj kaggle:dubail, which are downloaded with kagglehub.",
        callback=sources_there,
    ),
]
Out = Annotated[Path, typer.Option(help="The dataset folder to make.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say all that was understood of the sources, and write nothing.")]

# Labels.
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        help="A CSV with columns of paths and of labels, patients or parts of a split. May be repeated.", callback=tables_there
    ),
]
Unlabeled = Annotated[
    list[str] | None,
    typer.Option(help="A folder whose scans have no label, FOLDER or NAME=FOLDER. May be repeated.", callback=sources_there),
]
Rename = Annotated[list[str] | None, typer.Option(help="Rename a label: OLD=NEW, or OLD=unsure. May be repeated.")]
PathColumn = Annotated[
    str | None, typer.Option(help="The table's column of paths. [default: the one that goes by a common name, as path or file]")
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="The table's column of labels, or NAME,NAME of columns of 0 and 1. [default: the one called label, class, "
        "diagnosis or the like]"
    ),
]
PatientColumn = Annotated[
    str | None, typer.Option(help="The table's column of patients. [default: the one called patient, subject or the like]")
]
SplitColumn = Annotated[
    str | None, typer.Option(help="The table's column of train, validation and test. [default: split, subset or partition]")
]
Several = Annotated[
    Literal["none", "first", "whole"],
    typer.Option(help="Of a cell with several findings, a|b: no label, the first, or a class of the whole name."),
]
NoLabel = Annotated[
    list[str] | None,
    typer.Option(help="A word that stands for no label, besides NA, N/A, nan, None, null and ? in tables. May be repeated."),
]
Encoding = Annotated[
    str | None, typer.Option(help="The table's encoding, such as cp1252. [default: UTF-8, or UTF-16 where it shows]")
]
Separator = Annotated[
    Literal["comma", "semicolon", "tab"] | None, typer.Option(help="What separates cells. [default: what the first line shows]")
]
LabelsOnly = Annotated[
    bool | None,
    typer.Option(
        "--labels-only/--labels-and-folders",
        help="Labels come from tables alone, or from folders where tables say none. "
        "[default: from both where they name the same classes]",
    ),
]
TrustPredictions = Annotated[
    bool, typer.Option("--trust-predictions", help="Take the accepted labels of a table that 'fewscan label' wrote.")
]
ClassLevel = Annotated[
    int | None,
    typer.Option(
        help="Which folder names the class: 1 is the one right below the source, so of COVID/P007/axial/3.png 1 is COVID. "
        "[default: the lowest that names no part of a split, no patient and no series]"
    ),
]
ClassFrom = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="The class from a file's path below its source: a regular expression with one group (...) around the class, such "
        "as '^(normal|tumor)_' or 'grade([0-4])/'.",
    ),
]
KeepMasks = Annotated[
    bool, typer.Option("--keep-masks", help="Take masks (masks/3.png, 3_mask.png beside 3.png, labelsTr/) as scans, too.")
]

FollowLinks = Annotated[
    bool,
    typer.Option("--follow-links", help="Read what symbolic links lead to outside of the folder; else they are set aside."),
]

# Patients.
PatientLevel = Annotated[
    int | None,
    typer.Option(
        help="Which folder names the patient: 1 is the one right below the source; 0: none does. "
        "[default: one whose names look like patients' numbers]"
    ),
]
PatientFrom = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="The patient from a file's path below its source: a regular expression with one group (...) around the patient, "
        "such as 'OAS1_(\\d+)_' for OAS1_0007_MR1_100.jpg.",
    ),
]
PatientTag = Annotated[
    Literal["patient", "study", "series", "none"],
    typer.Option(
        help="What a file's header is asked for whose it is: the patient's number, or where anonymizing gave all one number, "
        "the study or the series; none: headers are not asked."
    ),
]

# How images are stored.
Size = Annotated[int, typer.Option(help="Side of the stored images, in pixels.")]
Resize = Annotated[Literal["stretch", "pad"], typer.Option(help="Odd shapes: stretched to a square, or padded with black.")]
Crop = Annotated[
    Literal["none", "foreground", "auto"],
    typer.Option(
        help="What is cut away before a scan is made small: nothing, or (foreground) the empty border around what it shows, so "
        "that a head fills the image; where no border is told for certain, the scan stays whole. auto: by a look at 200 scans, "
        "foreground where at least half have a border of over a tenth and borders differ; the import and --plan say what it "
        "chose."
    ),
]
Negatives = Annotated[
    Literal["keep", "undo", "auto"],
    typer.Option(
        help="What becomes of scans that are black for white, as some viewers export them: they stay so, or (undo) are "
        "inverted, where a scan lies on white for certain; gray scans only. auto: by the same look, undo where at most one in "
        "ten lies on white."
    ),
]
Color = Annotated[bool, typer.Option("--color", help="Keep color (three channels) instead of gray.")]

# Which images of a file are read, and how.
Plane = Annotated[Literal["axial", "coronal", "sagittal"], typer.Option(help="Of volumes: the plane whose slices are images.")]
Slices = Annotated[Literal["brain", "all"], typer.Option(help="Of volumes: the slices that hold brain, or all.")]
Volume = Annotated[
    int | None, typer.Option(help="Of files that hold several volumes: which one, from 0. Without it they are set aside.")
]
Window = Annotated[
    str | None,
    typer.Option(
        help="The gray values to show: CENTER,WIDTH or brain, subdural, bone, lung, abdomen (CT, in Hounsfield units). "
        "[default: the file's own window, or one from its values]"
    ),
]
KeepLocalizers = Annotated[
    bool, typer.Option("--keep-localizers", help="Of DICOM: take localizers, screen saves and the like as scans, too.")
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
    "size": (Size, 96),
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
