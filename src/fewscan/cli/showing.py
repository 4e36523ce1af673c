"""The verbs that show a run or hand it on: explain, report, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Names, Overwrite, RunFolder, app, finish
from fewscan.cli.following import after_run_in
from fewscan.cli.label_words import names_hint
from fewscan.cli.places import scans_there
from fewscan.errors import FewscanError
from fewscan.wording import command_line, counted, opened_times, scan_number

if TYPE_CHECKING:
    from fewscan.explaining.evidence import Evidence
    from fewscan.explaining.evidence_check import EvidenceCheck


@app.command()
def explain(
    run: RunFolder,
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]", help="One scan, FILE or FILE#frame=3; leave it out with --check.", callback=scans_there
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The PNG file to write.")] = Path("explanation.png"),
    class_name: Annotated[
        str | None, typer.Option("--class", help="The class to draw the heat map for. [default: the predicted one]")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Instead, check on the sealed test set whether such heat maps mean anything.")
    ] = False,
    names: Names = False,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Show what a prediction rests on.

    The picture shows the scan, a heat map over it, and the five labeled scans that are most alike to the network.

    The heat map shows how much less sure of the class the network gets if a place in the scan is blurred: places that speak for
    the class are yellow, places that speak against it are blue. It shows what the network looks at, not what is medically
    right. A scan that is out of distribution, as 'fewscan label' decides it, gets no map, since its prediction means nothing;
    --class NAME draws one anyway.

    Example: fewscan explain runs/mydata new_scans/1.png --out explanation.png

    --check opens the sealed test set, records that, and writes two checks into the run. Does hiding the top tenth of a map cost
    the right class more than hiding the same shape at the worst of as many other places as the map tried, and more so than with
    an untrained network? What is left of the score if border and corners are black? It takes some six seconds per test image of
    96 px on one core.

    Example: fewscan explain runs/mydata --check
    """
    if check:
        if image is not None or class_name is not None or names or out != Path("explanation.png"):
            raise FewscanError(
                "--check takes no IMAGE, --class, --names or --out: it checks the whole test set and draws nothing"
            )
        _finish_evidence_check(api.check_evidence(run, data=data, overwrite=overwrite), run, data, as_json)
    elif image is None:
        moved: list[str | Path] = [] if data is None else ["--data", data]
        raise FewscanError(
            f"name the scan to explain, '{command_line('explain', run, 'IMAGE', *moved)}', or check all with "
            f"'{command_line('explain', run, '--check', *moved)}'"
        )
    else:
        evidence = api.explain(run, image, out=out, class_name=class_name, names=names, data=data, overwrite=overwrite)
        _finish_evidence(evidence, run, data, out, as_json, names=names)


def _finish_evidence(
    evidence: "Evidence", run: Path, data: Path | None, out: Path, as_json: bool, *, names: bool = False
) -> None:
    lines = [f"predicted {evidence.predicted}; heat map for {evidence.explained}"]
    if evidence.out_of_distribution:
        lines = [
            f"out of distribution: typicality {evidence.typicality:.2f} is below the limit {evidence.typicality_limit:.2f}; "
            "the scan is like nothing that the run learned from",
            "its probabilities mean nothing, so there is no heat map unless you ask for one with --class"
            if evidence.heat_map is None
            else f"its probabilities mean nothing; heat map for {evidence.explained}, as you asked",
        ]
    lines += [f"  {name:20} {value:.3f}" for name, value in zip(evidence.classes, evidence.probabilities, strict=True)]
    lines.append("labeled scans most alike (distance: 1 - cosine similarity of features):")
    called = [near.name if names else scan_number(near.row) for near in evidence.neighbors]
    lines += [f"  {near.label:20} {near.distance:.3f}  {name}" for near, name in zip(evidence.neighbors, called, strict=True)]
    lines += names_hint(names=names)
    lines += [f"note: {note}" for note in evidence.notes]
    told = {"out": str(out)} | evidence.summary(names=names)
    finish(as_json, told, [*lines, f"picture: {out}"], *after_run_in(run, data, "report"))


def _finish_evidence_check(result: "EvidenceCheck", run: Path, data: Path | None, as_json: bool) -> None:
    hiding, shortcut = result.hiding, result.shortcut
    lines = [
        f"{counted(shortcut.images, 'test image')} of {counted(shortcut.groups, 'group')}, "
        f"{opened_times(result.test_openings, result.test_set_openings)}",
        hiding.verdict,
        f"how far the labeled class's probability falls, over {hiding.images} of them, if a tenth of a scan is hidden:",
        f"  where the heat map points   {hiding.network.map_drop.points}",
        f"  worst of as many elsewhere  {hiding.network.searched_drop.points}",
        f"  difference                  {hiding.network.difference.points}",
        "the same for an untrained network on the same scans",
        f"  where the heat map points   {hiding.untrained.map_drop.points}",
        f"  worst of as many elsewhere  {hiding.untrained.searched_drop.points}",
        f"  difference                  {hiding.untrained.difference.points}",
        f"difference above the untrained network's  {hiding.above_untrained.points}",
        "the score, and the score with border and corners in black:",
        f"  accuracy                    {shortcut.accuracy.percent}",
        f"    in black                  {shortcut.masked_accuracy.percent}",
        f"    difference                {shortcut.accuracy_difference.points}",
        f"  balanced accuracy           {shortcut.balanced_accuracy.percent}",
        f"    in black                  {shortcut.masked_balanced_accuracy.percent}",
        f"    difference                {shortcut.balanced_accuracy_difference.points}",
        *result.since_training.sentences(),
    ]
    finish(as_json, result.model_dump(mode="json"), lines, *after_run_in(run, data))


@app.command()
def report(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option(help="The page to write. [default: RUN/report.html]")] = None,
    names: Names = False,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a report about a run, as one HTML page.

    The page shows scans, audit, curves, scores, mistakes and settings. It needs no other file, so you can send or print it. For
    an evaluated run it shows the most confident mistakes, for which it opens the test set once more. That is said before, and
    counted once for each score: the page of the same score shows the same.

    Example: fewscan report runs/mri
    """
    page = api.report(run, out=out, names=names, data=data, overwrite=overwrite)
    finish(
        as_json,
        {"page": str(page)},
        [f"page: {page}"],
        *after_run_in(run, data, *(() if out is None else ("report",))),
    )


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
    """Write a run as ONNX or safetensors files, with a model card.

    onnx makes model.onnx: resizing, normalization, network, temperature and class names in one file that ONNX Runtime opens
    from any language (pip install 'fewscan[onnx]'). It takes scans as an 8-bit file holds them, in any size. safetensors makes
    model.safetensors and model.json. Either comes with model_card.md: data, protocol, scores with intervals, limits, and a few
    lines of Python that use it.

    Before anything is written, the files are compared with the run on up to 256 scans outside the test set, and the largest
    differences are printed. If a probability differs by 0.0001 or more, or a typicality by 0.001 or more, nothing is written.

    Example: fewscan export runs/mri --format onnx --out mri-classifier
    """
    result = api.export(run, format=file_format, out=out, data=data)
    lines = [f"exported to {result.out}: {', '.join(result.files)}, model_card.md", f"  {result.proof}"]
    finish(as_json, result.model_dump(mode="json"), lines, *after_run_in(run, data, "export"))
