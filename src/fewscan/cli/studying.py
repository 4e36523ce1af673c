"""The verb study: a published study on one's own machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.api.several import listed_names
from fewscan.cli.app import AsJson, DatasetFolder, app, finish, parsed_settings
from fewscan.cli.comparing import next_words, percent, whole_numbers
from fewscan.cli.comparison_options import Jobs, Out, Protocols, Seeds, Training
from fewscan.cli.names import METHODS, all_known, require_together

if TYPE_CHECKING:
    from fewscan.comparison.results import Results


@app.command()
def study(
    dataset: DatasetFolder,
    out: Out,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings that replace the study's, for every method.")
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Names, separated by commas. [default: supervised and the study's four]", callback=all_known(METHODS)
        ),
    ] = "",
    seeds: Seeds = "0",
    protocol: Protocols = "study,leakfree",
    labeled: Annotated[int | None, typer.Option(help="The label budget. [default: the study's, 1235]")] = None,
    test: Annotated[int | None, typer.Option(help="Images in the test set. [default: the study's, 308]")] = None,
    validation: Annotated[
        float, typer.Option(help="Share of the labels held out for validation; the study held out none.")
    ] = 0.0,
    jobs: Jobs = None,
    train: Training = True,
    as_json: AsJson = False,
) -> None:
    """Repeat the published study on your own machine.

    The study is "A SimCLR-based model for unlabeled brain-tumor images", doi 10.17798/bitlisfen.1558069. Its methods, recipe
    and split, and the baseline that it left out, make a comparison like that of 'fewscan compare'. In addition, it writes
    table1.csv, table2.csv (the study's columns, ours beside its own), study_runs.csv, figures 2, 7, 8 and 9, and study.html,
    which shows them all. You can stop it at any time: the same command continues. If a source's name contains 'standin', all
    of these say that the third source is a stand-in.

    Example: fewscan study mri --out study epochs=25
    """
    require_together(methods, settings or [])
    results = api.study(
        dataset,
        out=out,
        methods=listed_names(methods) or None,
        seeds=whole_numbers(seeds, "--seeds"),
        protocols=protocol,
        labeled=labeled,
        test=test,
        validation=validation,
        jobs=jobs,
        train=train,
        **parsed_settings(settings, "study", api.study),
    )
    _finish(results, dataset, as_json)


def _finish(results: "Results", dataset: Path, as_json: bool) -> None:
    from fewscan.studies.bitlis.commands import commands
    from fewscan.studies.bitlis.outcome import number
    from fewscan.studies.bitlis.page import PAGE_FILE
    from fewscan.studies.bitlis.published import NUMBERS
    from fewscan.studies.bitlis.sentences import headline

    page = results.comparison.folder / PAGE_FILE
    rows: list[dict[str, Any]] = [
        {"protocol": row.protocol, "method": row.method, "runs": len(row.runs)}
        | {f"{name}_percent": number(row, name).mean for name in NUMBERS}
        for row in results.rows
    ]
    training = commands(results.comparison.plan, dataset=dataset, out=results.comparison.folder)[-1]
    lines = [f"{row['protocol']:9} {row['method']:13} {percent(row['val_p_acc_percent'])}" for row in rows]
    finish(
        as_json,
        {"page": str(page), "headline": headline(results), "rows": rows},
        [headline(results), "val_p_acc, mean over seeds:", *lines, f"page: {page}"],
        *next_words(results.rows, "accuracy", training),
    )
