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
from fewscan.partial import refuse_finished

if TYPE_CHECKING:
    from fewscan.datasets.importing import ImportSummary
    from fewscan.datasets.snapshot import Snapshot

_HELP = """Read folders of scans into a dataset folder.

First it says what it understood: classes, patients, what is set aside, what looks odd. --plan says all of that and writes
nothing.

The label of a scan is the name of a folder that it lies in, at any depth (Training/glioma/1.jpg), or comes from a CSV.
Folders that name a part of a split, a patient or a series name no class; --class-level and --class-from say which folder or
name is the class. Patients come from a CSV, from headers, or from names of folders and files, and are kept as salted hashes
only.

It reads JPEG, JPEG 2000, PNG, TIFF, BMP, GIF, WebP, PGM, .npy and .npz; with pip install 'fewscan[medical]' also DICOM, NIfTI,
NRRD, MetaImage, Analyze, .mgz and the figshare brain-tumor set's .mat. Each frame, page or slice is an image. Files that cannot
be read are set aside with the reason, and counted.

Example: fewscan import sartaj=scans/sartaj nickparvar=scans/nickparvar --out mri

Example: fewscan import volumes --plane coronal --labels labels.csv --out mri

The study's data: fewscan import kaggle:nickparvar kaggle:sartaj kaggle:dubail --crop none --negatives keep --out study
(needs network access and pip install 'fewscan[kaggle]')
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
        with writing(out):
            refuse_finished(out, "import")
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
    from fewscan.wording import counted

    lines = [f"{counted(result.images, 'image')} in {result.folder}"]
    lines += [f"  {dataset.spec.shown_sentence}"] if dataset.spec.shown_sentence else []
    lines += [f"  {name}: {counted(count, 'image')}" for name, count in result.classes.items()]
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
