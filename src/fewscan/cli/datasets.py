"""The verbs that make a dataset: import, audit, split."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, Overwrite, app, finish
from fewscan.cli.following import after_audit, after_split
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

    dataset = api.import_scans(
        sources or [],
        out,
        labels=labels or [],
        unlabeled=unlabeled or [],
        rename=dict(_old_and_new(pair) for pair in rename or []),
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        size_px=size,
        resize=resize,
        channels=3 if color else 1,
        plane=plane,
        slices=slices,
    )
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


@app.command()
def audit(
    dataset: DatasetFolder,
    similarity: Annotated[
        float | None,
        typer.Option(help="Pairs at or above this similarity, in [0, 1], count as copies. [default: 0.86, see docs/data.md]"),
    ] = None,
    same_head: Annotated[
        bool,
        typer.Option(
            "--same-head",
            help="Keep slices together that are probably of one head, too, where no patient is known (see docs/data.md).",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find copies, conflicting labels and leaks in a dataset.

    Copies are found through changes of contrast, size, crop and JPEG quality, also where they are mirrored, turned, inverted,
    padded, blurred or captioned. They, and the images of one patient where it is known, become groups that no leak-free split
    ever cuts. Writes audit.json and audit.html, a page with the pairs as
    pictures.
    """
    from fewscan.data.dataset import Dataset

    result = api.audit(dataset, similarity=similarity, same_head=same_head, overwrite=overwrite)
    words, obstacle = after_audit(Dataset.open(dataset))
    lines = [*result.lines(), f"page: {dataset / 'audit.html'}"]
    lines += [] if obstacle is None else [f"no split can be drawn yet: {obstacle}"]
    finish(as_json, result.counts(), lines, *words)


@app.command()
def split(
    dataset: DatasetFolder,
    labeled: Annotated[
        int | None,
        typer.Option(help="The budget of labels: how many images training may see with their label. [default: what suits]"),
    ] = None,
    test: Annotated[
        int | None, typer.Option(help="How many labeled images are sealed for the final score. [default: what suits]")
    ] = None,
    protocol: Annotated[
        Literal["leakfree", "study"],
        typer.Option(
            help="leakfree: copies never cross, nor do patients where they are known. study: at random, as the published study."
        ),
    ] = "leakfree",
    validation: Annotated[
        float | None,
        typer.Option(help="Share of the labels kept for choosing and for thresholds; 0 for a fixed schedule. [default: 0.2]"),
    ] = None,
    shares: Annotated[
        Literal["known", "unknown"],
        typer.Option(
            help="known: the budget holds the classes in proportion, by all labels that are known, also those that it does not "
            "grant. unknown: drawn at random without a look at labels, as for a pile that nobody has labeled yet."
        ),
    ] = "known",
    seed: Annotated[int, typer.Option(help="Another seed draws another split.")] = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw the labeled, validation, unlabeled and test sets."""
    from fewscan.data.splits import ENOUGH_VALIDATION_IMAGES

    done = api.split(
        dataset,
        labeled=labeled,
        test=test,
        protocol=protocol,
        validation=validation,
        seed=seed,
        shares=shares,
        overwrite=overwrite,
    )
    result = done.require_split()
    granted = done.manifest["label"].iloc[done.rows("labeled")].value_counts().reindex(done.classes, fill_value=0)
    lines = [
        f"{protocol} split, seed {seed}: {result.labeled} labeled, {result.validation} validation, "
        f"{result.unlabeled} unlabeled, {result.test} test, {result.left_out} left out",
        f"  labeled: {', '.join(f'{name} {count}' for name, count in granted.items())}",
    ]
    if result.conflicting_left_out:
        lines.append(f"  left out because copies of them carry another label: {result.conflicting_left_out}")
    if result.validation < ENOUGH_VALIDATION_IMAGES:
        lines.append(
            f"  with fewer than {ENOUGH_VALIDATION_IMAGES} validation images 'fewscan calibrate' takes five more trainings; "
            "a larger --validation spares them"
        )
    finish(as_json, result.model_dump(mode="json"), lines, *after_split(dataset))
