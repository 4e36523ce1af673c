"""The verb `labels suspects`: labels that a run's held-out predictions contradict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Names, Overwrite, RunFolder, finish
from fewscan.cli.following import after_run_in
from fewscan.cli.label_words import SHOWN, names_hint
from fewscan.cli.labels import records, verbs
from fewscan.wording import advised, counted, listed, scan_number

if TYPE_CHECKING:
    from fewscan.evaluation.label_suspects import LabelSuspects


@verbs.command()
def suspects(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option(help="The table to write: .csv or .xlsx (for Excel). A page of pictures, .html, is written beside it."),
    ] = Path("labels_to_check.csv"),
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Hold out all labels in turn, in this many trainings. [default: 5 if the run was not cross-fitted]"
        ),
    ] = None,
    names: Names = False,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """List labels that held-out predictions contradict.

    The worst come first. Each labeled and validation image is predicted by a training without it, its copies and other scans
    of its patient: one of those of 'fewscan calibrate --folds', or else of five trainings, each as long as the run's own. You
    can stop it at any time: the same command continues. It takes today's labels. Those of the test set are not checked, and
    those that somebody confirmed on the review page are not listed again. Labels that were given for a whole study, patient or
    file come after those of single scans, since an image that does not show the finding contradicts a right label. The first of
    them also contradict the mean prediction for the patient, so the study's label may be wrong.

    The table names files. Correct its column 'label' where it is wrong, and give it to 'fewscan labels set'. Copies with one
    label are asked about once: their other lines are empty and follow the first one. Look at the scan, not at the prediction:
    networks make mistakes, and labels that follow them make every later score look better than it is.

    Example: fewscan labels suspects runs/mri
    """
    from fewscan.reporting.label_suspects_page import page_beside
    from fewscan.training.run import Run

    found = api.label_suspects(run, out=out, folds=folds, names=names, data=data, overwrite=overwrite)
    lines = found.table if names else found.table.drop(columns="path")
    told = {**found.summary(), "out": str(out), "page": str(page_beside(out)), "suspects": records(lines)}
    places = [f"table: {out}; pictures: {page_beside(out)}"]
    dataset = Run.open(run).dataset_now(data).folder
    words = ["review", dataset] if found.in_doubt_as_wholes else after_run_in(run, data)
    if found.wholes.given < len(found.copies):
        words = ["labels", "set", dataset, out, "--dry-run"]
        alone = " for the one scan" if found.wholes.given else ""
        by_table = f"first correct the table's column 'label' where it is wrong{alone}; leave the other lines as they are"
        places += [step for step in (advised(by_table, ""),) if step]
    finish(as_json, told, [*_lines(found, names=names), *places], *words)


def _lines(found: "LabelSuspects", *, names: bool) -> list[str]:
    scans = found.copies
    without = f"; without copies these are {counted(len(scans), 'scan')}" if len(scans) < len(found.table) else ""
    lines = [
        f"{counted(len(found.table), 'label')} of {found.checked:,} that were checked contradict a held-out prediction{without}"
    ]
    lines += [found.whole_said] if found.whole_said else []
    asked = found.table[found.table["copy_of"].isna()]
    paths = dict(zip(found.table["row"], found.table["path"], strict=True))
    for line in asked.head(SHOWN).to_dict("records"):
        called = [paths[row] if names else scan_number(row) for row in (line["row"], *scans[line["row"]])]
        lines.append(_line(line, listed(called)))
    if len(asked) > SHOWN:
        lines.append(f"  and {len(asked) - SHOWN:,} more")
    lines += names_hint(names=names) if len(asked) else []
    if found.warning:
        lines.append(f"warning: {found.warning}")
    if found.confirmed:
        lines.append(f"not listed: {counted(found.confirmed, 'label')} that somebody confirmed in an earlier check")
    if found.test:
        lines.append(f"not checked: {counted(found.test, 'label')} of the test set, which stays sealed")
    if found.others:
        lines.append(f"not checked: {counted(found.others, 'label')} that the run did not learn from")
    return lines


def _line(line: dict[str, Any], called: str) -> str:
    from fewscan.evaluation.label_suspects import given_words

    label, predicted = (f"{line[name]} ({100 * line[f'{name}_probability']:.1f} %)" for name in ("label", "predicted"))
    return f"  {called}: labeled {label}{given_words(line)}, predicted {predicted}"
