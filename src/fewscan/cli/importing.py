"""The verb that makes a dataset: import."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, app, finish
from fewscan.errors import FewscanError


@app.command("import")
def import_(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Folders of scans, each FOLDER or NAME=FOLDER; or the study's sources, kaggle:nickparvar kaggle:sartaj "
            "kaggle:dubail, which are downloaded with kagglehub.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The dataset folder to make.")] = Path("dataset"),
    labels: Annotated[
        list[Path] | None, typer.Option(help="A CSV with the columns path, label and, if known, patient. May be repeated.")
    ] = None,
    unlabeled: Annotated[
        list[str] | None, typer.Option(help="A folder whose scans have no label, FOLDER or NAME=FOLDER. May be repeated.")
    ] = None,
    rename: Annotated[list[str] | None, typer.Option(help="Rename a label: OLD=NEW. May be repeated.")] = None,
    path_column: Annotated[str, typer.Option(help="The CSV's column of paths.")] = "path",
    label_column: Annotated[str, typer.Option(help="The CSV's column of labels.")] = "label",
    patient_column: Annotated[str, typer.Option(help="The CSV's column of patients.")] = "patient",
    size: Annotated[int, typer.Option(help="Side of the stored images, in pixels.")] = 96,
    resize: Annotated[
        Literal["stretch", "pad"], typer.Option(help="Odd shapes: stretched to a square, or padded with black.")
    ] = "stretch",
    color: Annotated[bool, typer.Option("--color", help="Keep color (three channels) instead of gray.")] = False,
    plane: Annotated[
        Literal["axial", "coronal", "sagittal"], typer.Option(help="Of NIfTI volumes: the plane whose slices are images.")
    ] = "axial",
    slices: Annotated[
        Literal["brain", "all"], typer.Option(help="Of NIfTI volumes: the slices that hold brain, or all.")
    ] = "brain",
    volume: Annotated[
        int | None, typer.Option(help="Of files that hold several volumes: which one, from 0. Without it they are set aside.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="The gray values to show: CENTER,WIDTH or brain, subdural, bone, lung, abdomen (CT, in Hounsfield units). "
            "[default: the file's own window, or one from its values]"
        ),
    ] = None,
    keep_localizers: Annotated[
        bool, typer.Option("--keep-localizers", help="Of DICOM: take localizers, screen saves and the like as scans, too.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be imported, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read folders of scans into a dataset folder.

    The label of a scan is the name of the folder that it lies in, at any depth (Training/glioma/1.jpg), or comes from a CSV.
    Files that cannot be read are set aside with the reason, and counted. JPEG, PNG, TIFF, BMP, GIF, WebP, .npy and .npz; with
    pip install 'fewscan[medical]' also DICOM, NIfTI and the figshare brain-tumor set's .mat. Each frame, page or slice is an
    image. Patients are taken from the headers, or from the CSV, and kept as salted hashes only.

    Example: fewscan import sartaj=scans/sartaj nickparvar=scans/nickparvar --out mri

    Example: fewscan import volumes --plane coronal --labels labels.csv --out mri

    The study's data: fewscan import kaggle:nickparvar kaggle:sartaj kaggle:dubail --out study (needs network access and
    pip install 'fewscan[kaggle]')
    """
    from fewscan.data.importing import summary
    from fewscan.data.patients import known_patients

    options: dict[str, Any] = {
        "labels": labels or [],
        "unlabeled": unlabeled or [],
        "rename": dict(_old_and_new(pair) for pair in rename or []),
        "path_column": path_column,
        "label_column": label_column,
        "patient_column": patient_column,
        "size_px": size,
        "resize": resize,
        "channels": 3 if color else 1,
        "plane": plane,
        "slices": slices,
        "volume": volume,
        "window": window,
        "keep_localizers": keep_localizers,
    }
    if plan:
        understood = api.plan_import(sources or [], **options)
        finish(as_json, understood.model_dump(mode="json"), understood.lines)
        return
    dataset = api.import_scans(sources or [], out, **options)
    result = summary(dataset)
    lines = [f"{result.images} images in {result.folder}"]
    lines += [f"  {name}: {count}" for name, count in result.classes.items()]
    if result.unlabeled:
        lines.append(f"  without a label: {result.unlabeled}")
    lines.append(f"  {known_patients(dataset.manifest).sentence}")
    if result.set_aside:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.reasons.items())
        lines.append(f"  set aside: {result.set_aside} ({reasons}), such as")
        lines += [f"    {example.source}/{example.path}: {example.reason}" for example in result.examples]
    finish(as_json, result.model_dump(mode="json"), lines, "audit", out)


def _old_and_new(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not equals:
        raise FewscanError(f"--rename takes OLD=NEW, not '{pair}'")
    return old, new
