"""The verb that makes a dataset: import."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fewscan import api
from fewscan.atomic import writing
from fewscan.cli import import_options as option
from fewscan.cli.app import AsJson, app, finish
from fewscan.cli.following import after_plan
from fewscan.folders import refuse_existing_dataset
from fewscan.images.options import ImportOptions

if TYPE_CHECKING:
    from fewscan.datasets.importing import ImportSummary
    from fewscan.datasets.snapshot import Snapshot

_HELP = """Make a dataset from folders of scans.

First it says what it understood: classes, patients, what is set aside, what looks odd. --plan says all of that and writes
nothing.

A scan's label is the name of a folder above it, at any depth (Training/glioma/1.jpg), or comes from a table. Folders that
name a part of a split, a patient or a series are not classes; --class-level and --class-from say where the class is. Patients
come from a table, from file headers, or from names of folders and files. They are kept only as salted hashes. A table is a CSV
or, with pip install 'fewscan[excel]', an Excel workbook (.xlsx). A row of it names a file; or, by its AccessionNumber,
PatientID or UID, all DICOM files of a study, patient or series; or a patient whom names of files tell (--patient-from).

It reads JPEG, JPEG 2000, PNG, TIFF, BMP, GIF, WebP, PGM, .npy and .npz. With pip install 'fewscan[medical]' it also reads
DICOM, NIfTI, NRRD, MetaImage, Analyze, .mgz and the .mat files of the figshare brain-tumor set. Each frame, page or slice is
an image. Files that cannot be read are counted and set aside with the reason.

Example: fewscan import sartaj=scans/sartaj nickparvar=scans/nickparvar --out mri

Example: fewscan import volumes --plane coronal --labels labels.csv --out mri

The published study's data: fewscan import kaggle:nickparvar kaggle:sartaj kaggle:dubail --size 96 --crop none --negatives keep
--out study (needs network access and pip install 'fewscan[kaggle]')
"""


@app.command("import", help=_HELP)
@option.taking(option.OF_SOURCES, option.OF_IMAGES)
def import_(
    context: typer.Context,
    sources: option.Sources = None,
    out: option.Out = Path("dataset"),
    plan: option.Plan = False,
    as_json: AsJson = False,
) -> None:
    """Make a dataset, or with `plan` say what would be made; the parameters are passed on as the context holds them."""
    options = option.import_options(context.params)
    if not plan:
        ImportOptions.parse(options)  # what is wrong with them is said before what stands already
        with writing(out):
            refuse_existing_dataset(out, sources or [])
    from fewscan.datasets.importing import summary

    if plan:
        understood = api.plan_import(sources or [], **options)
        words = after_plan(sys.argv[1:], out) if understood.images else ["import", "--help"]
        finish(as_json, understood.model_dump(mode="json"), understood.lines, *words)
        return
    dataset = api.import_scans(sources or [], out, **options)
    snapshot = dataset.snapshot()
    result = summary(snapshot)
    finish(as_json, result.model_dump(mode="json"), _lines(snapshot, result), "audit", out)


def _lines(dataset: "Snapshot", result: "ImportSummary") -> list[str]:
    from fewscan.images.patients import known_patients
    from fewscan.wording import and_patients, counted

    lines = [f"{counted(result.images, 'image')} in {result.folder}"]
    lines += [f"  {dataset.spec.shown_sentence}"] if dataset.spec.shown_sentence else []
    lines += [
        f"  {name}: {counted(count, 'image')}{and_patients(result.class_patients.get(name, 0))}"
        for name, count in result.classes.items()
    ]
    if result.unlabeled:
        lines.append(f"  without a label: {result.unlabeled:,}")
    if result.in_color:
        kept = "kept" if dataset.spec.channels == 3 else "stored as gray; --color keeps it"
        lines.append(f"  in color: {result.in_color:,} of {result.images:,}, {kept}")
    lines.append(f"  {known_patients(dataset.manifest).sentence}")
    if result.set_aside:
        reasons = ", ".join(f"{reason} {count}" for reason, count in result.reasons.items())
        lines.append(f"  set aside: {result.set_aside:,} ({reasons}), such as")
        lines += [f"    {example.source}/{example.path}: {example.reason}" for example in result.examples]
    lines += [f"  note: {one.note} ({counted(one.images, 'image')}, such as {one.example})" for one in result.notes]
    return lines
