"""The command line: the verbs of `fewscan.api`, thin."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from fewscan import api
from fewscan.config import parse_overrides
from fewscan.errors import FewscanError
from fewscan.progress import say

if TYPE_CHECKING:
    from fewscan.comparison.budgets import LabelEfficiency
    from fewscan.comparison.results import Results
    from fewscan.explaining.evidence import Evidence
    from fewscan.explaining.evidence_check import EvidenceCheck

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""From a folder of medical scans, few of them labelled, to an audited, honest classifier that labels the rest.

The verbs in their order: import, audit, split, train, calibrate, evaluate, label, explain, report, export. Each ends by naming
the command that comes next. Start with 'fewscan demo'. Research use only: not a medical device.""",
)

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output; progress goes to standard error.")
]
DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset folder, made by 'fewscan import'.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, made by 'fewscan train'.")]
Recipe = Annotated[str, typer.Option(help="fewscan: ours. study: the published study's encoder, views and optimiser.")]
MovedData = Annotated[Path | None, typer.Option("--data", help="Where the run's dataset lies now, if it was moved.")]


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
    color: Annotated[bool, typer.Option("--color", help="Keep colour (three channels) instead of grey.")] = False,
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
    pip install 'fewscan[medical]' also DICOM, NIfTI and the figshare brain-tumour set's .mat. Each frame, page or slice is an
    image. Patients are taken from the headers, or from the CSV, and kept as salted hashes only.

    Example: fewscan import sartaj=scans/sartaj nickparvar=scans/nickparvar --out mri

    Example: fewscan import volumes --plane coronal --labels labels.csv --out mri

    The study's data: fewscan import kaggle:nickparvar kaggle:sartaj kaggle:dubail --out study (needs network access and
    pip install 'fewscan[kaggle]')
    """
    from fewscan.data.importing import summary

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
    if result.set_aside:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.reasons.items())
        lines.append(f"  set aside: {result.set_aside} ({reasons}), such as")
        lines += [f"    {example.source}/{example.path}: {example.reason}" for example in result.examples]
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan audit {out}")


@app.command()
def audit(
    dataset: DatasetFolder,
    similarity: Annotated[
        float | None,
        typer.Option(help="Pairs at or above this similarity, in [0, 1], count as copies. [default: 0.85, see docs/data.md]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find copies, conflicting labels and leaks in a dataset.

    Copies are found through changes of contrast, size, crop, mirror and JPEG quality. They and the images of one patient become
    groups that no leak-free split ever cuts. Writes audit.json and audit.html, a page with the pairs as pictures.
    """
    result = api.audit(dataset, similarity=similarity)
    _finish(
        as_json,
        result.counts(),
        [*result.lines(), f"page: {dataset / 'audit.html'}"],
        f"fewscan split {dataset} --labeled 1235 --test 308",
    )


@app.command()
def split(
    dataset: DatasetFolder,
    labeled: Annotated[int, typer.Option(help="The budget of labels: how many images training may see with their label.")],
    test: Annotated[int, typer.Option(help="How many labelled images are sealed for the final score.")],
    protocol: Annotated[
        Literal["leakfree", "study"],
        typer.Option(help="leakfree: copies and patients never cross. study: at random, as the published study did."),
    ] = "leakfree",
    validation: Annotated[
        float, typer.Option(help="Share of the labels kept for choosing and for thresholds; 0 for a fixed schedule.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed draws another split.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw which scans are labelled, which validate, which are unlabelled and which test."""
    done = api.split(dataset, labeled=labeled, test=test, protocol=protocol, validation=validation, seed=seed)
    result = done.require_split()
    lines = [
        f"{protocol} split, seed {seed}: {result.labeled} labeled, {result.validation} validation, "
        f"{result.unlabeled} unlabeled, {result.test} test, {result.left_out} left out"
    ]
    if result.conflicting_left_out:
        lines.append(f"  left out because copies of them carry another label: {result.conflicting_left_out}")
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan train {dataset}")


@app.command()
def train(
    dataset: DatasetFolder,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings laid over the recipe's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder to make, or with --resume the one to go on with. [default: runs/DATASET]"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="The way of learning; 'fewscan methods' lists them. [default: chosen from the data]"),
    ] = None,
    recipe: Recipe = "fewscan",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, as if nothing had happened.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on a split dataset.

    With nothing else than DATASET it chooses method, size and schedule from the data and the machine, and says what it chose
    and why, and soon how long it will take.

    Settings are KEY=VALUE, groups are dotted: epochs=20 batch_size=128 seed=1 encoder=study_cnn views=study
    optimizer.learning_rate=0.001 method.temperature=0.2. The run's config.yaml holds them all.

    Example: fewscan train mri --method joint --out runs/joint epochs=40

    Large batches in little memory: chunk_size=256 sends 256 images of a batch through the network at once. The losses are still
    those of the whole batch, and every image goes forward twice. Batch normalisation, which resnet_small has, normalises each
    chunk by itself; study_cnn has none.

    encoder=timm:resnet18 takes that model of timm with random weights (pip install 'fewscan[timm]'). With
    encoder.pretrained=true besides, timm fetches its weights from the network; without it nothing is ever fetched.
    """
    from fewscan.training.symptoms import reported_symptoms

    changes = _settings(settings, "train", not_settings=("dataset", "out", "recipe", "resume"))
    method_changes = changes.pop("method", {})
    if method is None and method_changes:
        raise FewscanError("settings of a method need its name: give --method")
    folder = Path("runs") / dataset.resolve().name if out is None else out
    asked = None if method is None else {"name": method, **method_changes}
    run = api.train(dataset, out=folder, method=asked, recipe=recipe, resume=resume, **changes)
    history = run.metrics()
    symptoms = reported_symptoms(history, run.settings)
    lines = [f"trained {run.settings.method.name}, epoch {run.settings.epochs} of {run.settings.epochs}: {run.folder}"]
    _finish(
        as_json,
        {
            "run": str(run.folder),
            "settings": run.settings.model_dump(mode="json"),
            "last_epoch": history[-1],
            "symptoms": [symptom._asdict() for symptom in symptoms],
        },
        [*lines, *(f"warning: {symptom}" for symptom in symptoms)],
        f"fewscan evaluate {folder}",
    )


@app.command()
def calibrate(
    run: RunFolder,
    folds: Annotated[
        int | None,
        typer.Option(help="Hold out all labels in turn, by so many trainings. [default: 5 where validation images are few]"),
    ] = None,
    data: MovedData = None,
    as_json: AsJson = False,
) -> None:
    """Make probabilities mean what they say, and give decisions their ground: labelled images that the run has not learnt from.

    With 50 validation images or more 'fewscan train' has done it already. With fewer, all labels are held out in turn: five
    trainings, each without a fifth of the labels, as long as the run's own each. Stop it at any time: the same command goes on.
    The test part has no share in it.

    Example: fewscan calibrate runs/mri
    """
    result = api.calibrate(run, folds=folds, data=data)
    lines = [
        f"temperature {result.temperature:.3f}, fitted on {result.images} held-out images ({result.source})",
        f"  calibration error (ECE) before  {result.calibration_error_before.percent}",
        f"  calibration error (ECE) after   {result.calibration_error_after.percent}",
    ]
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan evaluate {run}")


@app.command()
def evaluate(run: RunFolder, data: MovedData = None, as_json: AsJson = False) -> None:
    """Open the sealed test part and score a run on it, with 95 % intervals.

    Every opening is noted in the run. Use it once per run, when all choices are made.
    """
    result = api.evaluate(run, data=data)
    before = result.calibration_error_before
    lines = [
        f"{result.protocol} split, {result.test_images} test images of {result.test_groups} groups, "
        f"opened {result.test_openings} time{'s' if result.test_openings != 1 else ''}",
        f"  accuracy                    {result.accuracy.percent}",
        f"  balanced accuracy           {result.balanced_accuracy.percent}",
        f"  macro AUROC                 {result.auroc.percent}",
        f"  calibration error (ECE)     {result.calibration_error.percent}",
        *([] if before is None else [f"    before temperature {result.temperature:<5.2f}  {before.percent}"]),
        f"  nearest labelled neighbour  {result.nearest_neighbor_accuracy.percent}",
        f"  similarity to the labelled  {result.similarity_accuracy.percent}",
    ]
    study = {"c_acc": result.c_acc, "r_acc": result.r_acc, "p_acc": result.p_acc, "val_p_acc": result.val_p_acc}
    lines.append("  " + "  ".join(f"{name} {100 * value:.2f}" for name, value in study.items() if value is not None))
    if result.leaking_pairs:
        lines.append(f"  this split leaks: {result.leaking_pairs} pairs of copies cross its parts, so the score flatters")
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan report {run}")


@app.command()
def label(
    run: RunFolder,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="New scans; without it, the dataset's own unlabelled ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The table to write, CSV or Parquet by its name.")] = Path("labels.csv"),
    target_error: Annotated[
        float, typer.Option(help="Accept labels only where held-out images support at most this error among them.")
    ] = 0.05,
    coverage: Annotated[float, typer.Option(help="How often the right class is to be among a scan's possible classes.")] = 0.9,
    data: MovedData = None,
    as_json: AsJson = False,
) -> None:
    """Label new scans, and say of each whether to accept its label.

    accept: the label may be taken as it is; among all such labels at most --target-error are wrong (90 % sure, for scans drawn
    like the held-out images). review: a person should look. unlike: it is like nothing that the run learnt from (no scan of
    this kind, a photograph, noise), so its label means nothing. unreadable: with the reason.
    Where the labels cannot support the error that you ask for, nothing is accepted, and it says so.

    Stop it at any time: the same command goes on.

    Example: fewscan label runs/mri new_scans --out labels.parquet --target-error 0.05
    """
    result = api.label(run, folder, out=out, target_error=target_error, coverage=coverage, data=data)
    lines = [
        f"{result.scans} scans in {out}: {result.accepted} accept, {result.review} review, {result.unlike} unlike, "
        f"{result.unreadable} unreadable",
        *(f"  {reason}" for reason in result.reasons),
    ]
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan report {run}")


@app.command()
def explain(
    run: RunFolder,
    image: Annotated[
        Path | None, typer.Argument(metavar="[IMAGE]", help="One scan, FILE or FILE#frame=3; leave it out with --check.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG file.")] = Path("explanation.png"),
    class_name: Annotated[
        str | None, typer.Option("--class", help="The class that the heat map is about. [default: the predicted one]")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Instead: check on the sealed test part whether such evidence means something.")
    ] = False,
    data: MovedData = None,
    as_json: AsJson = False,
) -> None:
    """Draw what a prediction rests on: the scan, a heat map over it, and the five labelled scans most alike to the network.

    The heat map says by how much the log-odds of the class fall where the scan is blurred: a place that speaks for the class is
    yellow, one that speaks against it is blue. It says what the network looks at, not what is medically right.

    Example: fewscan explain runs/mydata new_scans/1.png --out explanation.png

    --check opens the sealed test part, notes that, and writes two checks into the run. Does hiding the top tenth of a map lower
    the probability more than hiding a random tenth? And what is left of the score with border and corners in black?

    Example: fewscan explain runs/mydata --check
    """
    if check:
        if image is not None or class_name is not None or out != Path("explanation.png"):
            raise FewscanError("--check takes no IMAGE, --class or --out: it checks the whole test part and draws nothing")
        _finish_evidence_check(api.check_evidence(run, data=data), run, as_json)
    elif image is None:
        raise FewscanError("name the scan to explain, 'fewscan explain RUN IMAGE', or give --check")
    else:
        evidence = api.explain(run, image, out=out, class_name=class_name, data=data)
        _finish_evidence(evidence, run, out, as_json)


def _finish_evidence(evidence: "Evidence", run: Path, out: Path, as_json: bool) -> None:
    lines = [f"predicted {evidence.predicted}; heat map for {evidence.explained}"]
    lines += [f"  {name:20} {value:.3f}" for name, value in zip(evidence.classes, evidence.probabilities, strict=True)]
    lines.append("labelled scans most alike (1 - cosine similarity of features):")
    lines += [f"  row {near.row:<6} {near.label:20} {near.distance:.3f}" for near in evidence.neighbors]
    _finish(as_json, {"out": str(out)} | evidence.summary(), [*lines, f"picture: {out}"], f"fewscan explain {run} --check")


def _finish_evidence_check(result: "EvidenceCheck", run: Path, as_json: bool) -> None:
    hiding, shortcut = result.hiding, result.shortcut
    opened = f"opened {result.test_openings} time{'s' if result.test_openings != 1 else ''}"
    lines = [
        f"{hiding.images} test images of {hiding.groups} groups, {opened}",
        "the predicted class's probability falls, where a tenth of the scan is hidden,",
        f"  by the heat map             {hiding.map_drop.percent}",
        f"  at random                   {hiding.random_drop.percent}",
        f"  difference                  {hiding.difference.percent}",
        f"  scans where the map's fall is larger  {hiding.map_larger.percent}",
        "the score, and with border and corners in black:",
        f"  accuracy                    {shortcut.accuracy.percent}",
        f"    masked                    {shortcut.masked_accuracy.percent}",
        f"    difference                {shortcut.accuracy_difference.percent}",
        f"  balanced accuracy           {shortcut.balanced_accuracy.percent}",
        f"    masked                    {shortcut.masked_balanced_accuracy.percent}",
        f"    difference                {shortcut.balanced_accuracy_difference.percent}",
    ]
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan report {run}")


@app.command()
def report(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The page to write. [default: RUN/report.html]")] = None,
    data: MovedData = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML page about a run: scans, audit, curves, scores, mistakes, settings."""
    page = api.report(run, out=out, data=data)
    _finish(as_json, {"page": str(page)}, [f"page: {page}"], f"fewscan label {run} FOLDER --out labels.csv")


@app.command()
def export(
    run: RunFolder,
    file_format: Annotated[
        Literal["onnx", "safetensors"],
        typer.Option("--format", help="onnx: one file, from pixels to probabilities. safetensors: the weights, for Python."),
    ] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The folder to make. [default: RUN/export-FORMAT]")] = None,
    data: MovedData = None,
    as_json: AsJson = False,
) -> None:
    """Write a run as files that others can use, with a model card, once they say of scans what the run says.

    onnx makes model.onnx: resizing, normalisation, network, temperature and class names in one file that ONNX Runtime opens
    from any language (pip install 'fewscan[onnx]'). Scans go in as an 8-bit file holds them, in any size. safetensors makes
    model.safetensors and model.json. Either has model_card.md beside it: data, protocol, scores with intervals, limits, and
    a few lines of Python that use it.

    The files are asked about up to 256 scans outside the test part, and the largest difference in probability to the run is
    printed. With 0.0001 or more nothing is written.

    Example: fewscan export runs/mri --format onnx --out mri-classifier
    """
    result = api.export(run, format=file_format, out=out, data=data)
    lines = [f"exported to {result.out}: {', '.join(result.files)}, model_card.md", f"  {result.proof}"]
    _finish(as_json, result.model_dump(mode="json"), lines, f"fewscan report {run}")


@app.command()
def compare(
    dataset: DatasetFolder,
    out: Annotated[Path, typer.Option(help="The comparison folder to make, or to go on with.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings laid over the recipe's, for every method.")
    ] = None,
    methods: Annotated[str, typer.Option(help="Names, separated by commas. [default: all]")] = "",
    seeds: Annotated[str, typer.Option(help="Numbers, separated by commas: each trains every method once more.")] = "0",
    protocol: Annotated[str, typer.Option(help="How the test part is drawn; one or both.")] = "study,leakfree",
    recipe: Recipe = "fewscan",
    labeled: Annotated[int | None, typer.Option(help="The budget of labels. [default: as in the dataset's split]")] = None,
    labels_budget: Annotated[
        str | None,
        typer.Option(help="Several budgets of labels, separated by commas: a comparison with each, and scores against labels."),
    ] = None,
    test: Annotated[int | None, typer.Option(help="Images in the test part. [default: as in the dataset's split]")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the labels kept for validation. [default: as in the dataset's split]")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Runs at once, each in its own process. [default: one a GPU, one on a CPU]")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Without training: tables of what is finished so far.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Train several methods on the same images and say which is better, and whether that is more than chance.

    Every method is trained with every seed under both protocols, its score taken once on the sealed test part. Stop it at any
    time: the same command goes on. Writes comparison.csv (one row a run), table1.csv and table2.csv (the published study's
    columns, ours beside its own), pairs.csv (paired tests), five figures, and comparison.html, which holds it all.

    batch_size counts labelled and unlabelled images together: 'supervised' takes the labelled ones of such a batch, so that
    every method makes as many steps.

    Example: fewscan compare mri --methods supervised,simclr,joint --seeds 0,1,2 --recipe study --out comparison epochs=25

    How many labels does it take? With --labels-budget there is such a comparison for every budget, in OUT/labels-N, on the same
    test images, a smaller budget's labels within a larger one's; label_efficiency.csv, .png and .html set them side by side.
    The same command goes on where it stopped, and may add budgets.

    Example: fewscan compare mri --labels-budget 1235,124,40 --seeds 0,1,2,3,4 --protocol leakfree --out efficiency
    """
    options = ("dataset", "out", "methods", "seeds", "protocols", "recipe", "labeled", "labels_budget", "test", "validation")
    changes = _settings(settings, "compare", not_settings=(*options, "jobs", "train"))
    if labels_budget is not None and labeled is not None:
        raise FewscanError("--labeled and --labels-budget exclude each other: name all budgets with --labels-budget")
    asked: dict[str, Any] = {
        "out": out,
        "methods": _listed(methods) or None,
        "seeds": _whole_numbers(seeds, "--seeds"),
        "protocols": _listed(protocol),
        "recipe": recipe,
        "test": test,
        "validation": validation,
        "jobs": jobs,
        "train": train,
    }
    if labels_budget is None:
        results = api.compare(dataset, labeled=labeled, **asked, **changes)
        _finish_comparison(results, as_json)
    else:
        budgets = _whole_numbers(labels_budget, "--labels-budget")
        efficiency = api.compare_budgets(dataset, labels_budget=budgets, **asked, **changes)
        _finish_budgets(efficiency, as_json)


def _finish_comparison(results: "Results", as_json: bool) -> None:
    from fewscan.reporting.comparison_page import PAGE_FILE, headline

    out = results.comparison.folder
    rows: list[dict[str, Any]] = [
        {
            "protocol": row.protocol,
            "method": row.method,
            "runs": len(row.runs),
            "val_p_acc_percent": row.cell("val_p_acc").mean,
            "similarity_accuracy_percent": row.cell("similarity_accuracy").mean,
        }
        for row in results.rows
    ]
    page = out / PAGE_FILE
    lines = [f"{row['protocol']:9} {row['method']:13} {_percent(row['val_p_acc_percent'])}" for row in rows]
    _finish(
        as_json,
        {"page": str(page), "headline": headline(results), "rows": rows},
        [headline(results), "val_p_acc, mean over seeds:", *lines, f"page: {page}"],
        f"fewscan report {results.comparison.run_folder(results.comparison.plan.trials[0])}",
    )


def _finish_budgets(efficiency: "LabelEfficiency", as_json: bool) -> None:
    from fewscan.reporting.efficiency import PAGE_FILE, headline

    rows = [point.numbers() for point in efficiency.points]
    lines = [
        f"{row['protocol']:9} {row['labels']:7,} labels  {row['method']:13} {_percent(row['accuracy_percent_mean'])}"
        for row in rows
    ]
    page = efficiency.folder / PAGE_FILE
    said = headline(efficiency)
    plan = efficiency.plans[0]
    _finish(
        as_json,
        {"page": str(page), "headline": " ".join(said), "rows": rows},
        [*said, "accuracy, mean over seeds:", *lines, f"page: {page}"],
        f"fewscan report {efficiency.results[efficiency.budgets[0]].comparison.run_folder(plan.trials[0])}",
    )


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List the ways of learning."""
    found = api.methods()
    _finish(as_json, found, [f"{name:12} {summary}" for name, summary in found.items()], "fewscan train --help")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to make, for practice scans, dataset and runs.")] = Path("runs/demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute only: fewer scans, hardly any training, a poor score.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go the whole way on built-in practice scans: import, audit, split, train, evaluate, label, report. Takes minutes."""
    from fewscan.demo import FULL, QUICK
    from fewscan.demo import demo as whole_way

    result = whole_way(out, QUICK if quick else FULL)
    _finish(as_json, result.model_dump(mode="json"), result.lines(), "fewscan import YOUR_SCANS --out mydata")


def _settings(pairs: list[str] | None, verb: str, *, not_settings: tuple[str, ...]) -> dict[str, Any]:
    changes = parse_overrides(pairs or [])
    for option in not_settings:
        if option in changes:
            raise FewscanError(f"'{option}' is not a setting: give it as an option, see 'fewscan {verb} --help'")
    method = changes.get("method", {})
    if not isinstance(method, dict) or "name" in method:
        name = method["name"] if isinstance(method, dict) else method
        raise FewscanError(f"choose the method with {'--method' if verb == 'train' else '--methods'} {name}")
    return changes


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole_numbers(text: str, option: str) -> list[int]:
    parts = _listed(text)
    for part in parts:
        if not part.isdecimal():
            raise FewscanError(f"{option} takes whole numbers separated by commas, not '{part}'")
    return [int(part) for part in parts]


def _percent(value: float | None) -> str:
    return "not run" if value is None else f"{value:.1f} %"


def _old_and_new(pair: str) -> tuple[str, str]:
    old, equals, new = pair.partition("=")
    if not equals:
        raise FewscanError(f"--rename takes OLD=NEW, not '{pair}'")
    return old, new


def _finish(as_json: bool, result: dict[str, Any], lines: list[str], next_command: str) -> None:
    """Print the result for people or for programs, and for people the command that comes next."""
    if as_json:
        typer.echo(json.dumps(result))
        return
    for line in lines:
        typer.echo(line)
    typer.echo(f"next: {next_command}")


def main() -> NoReturn:
    """Run the command line; every error is one line on standard error, and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except FewscanError as error:
        code = _refuse(str(error))
    except typer.TyperException as error:
        code = _refuse(error.format_message())
    except OSError as error:
        code = _refuse(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except KeyboardInterrupt:
        say("interrupted")
        code = 130
    except BrokenPipeError:
        # The reader of our output (head, say) has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str) -> int:
    say(f"error: {message}")
    return 2
