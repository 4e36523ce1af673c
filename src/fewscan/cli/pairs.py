"""The verbs about the audit's pairs: list, dissolve, confirm, undo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import REFUSED, AsJson, DatasetFolder, app, finish
from fewscan.cli.labels import SHOWN, Who
from fewscan.wording import counted

if TYPE_CHECKING:
    from fewscan.datasets.pair_decisions import Verdict

verbs = typer.Typer(
    rich_markup_mode=None,
    help="""List, dissolve, confirm the audit's pairs of copies.

A dissolved pair stays dissolved after every later audit. Splits that were drawn stay as they are: only new ones go by the new
groups. In a set of many one pair may not be all that holds two images together; what still does is said. Images with the same
pixels are one image twice, and cannot be dissolved.""",
)
app.add_typer(verbs, name="pairs")

Scan = Annotated[str, typer.Argument(metavar="SCAN", help="One scan: its path, or the number of its row.")]
Other = Annotated[
    str | None, typer.Argument(metavar="[OTHER]", help="The other one of the pair. [default: every pair of the scan]")
]
Note = Annotated[str, typer.Option(help="A note that the record keeps.")]


@verbs.callback(invoke_without_command=True)
def no_verb(context: typer.Context) -> None:
    """Answer `fewscan pairs` without a verb."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(REFUSED)


@verbs.command("list")
def list_(
    dataset: DatasetFolder,
    dissolved: Annotated[bool, typer.Option("--dissolved", help="Only those that people have dissolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the pairs, the least similar first.

    Each with what people said of it.
    """
    pairs = api.audited_pairs(dataset).sort_values("similarity", kind="stable")
    shown = pairs[pairs["verdict"] == "apart"] if dissolved else pairs
    said = {"together": "confirmed", "apart": "dissolved"}
    told = shown.astype(object).where(shown.notna(), None).to_dict("records")
    lines = [counted(len(told), "dissolved pair" if dissolved else "pair")]
    for one in told[:SHOWN]:
        by = "" if one["verdict"] is None else f", {said[one['verdict']]} by {one['who'] or 'nobody named'}, {one['time']}"
        alike = f"similarity {one['similarity']:.3f}" if one["kind"] == "near" else f"same {one['kind']}"
        lines.append(f"  {one['row_a']} and {one['row_b']}: {alike}{', mirrored' if one['mirrored'] else ''}{by}")
    lines += [f"  and {len(told) - SHOWN:,} more; --json has all"] if len(told) > SHOWN else []
    finish(as_json, {"pairs": told}, lines)


@verbs.command()
def dissolve(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Say that two images are no copies.

    Example: fewscan pairs dissolve mri 12 408 --who "A. Lovelace"
    """
    _judge(dataset, scan, other, "apart", who, note, as_json=as_json)


@verbs.command()
def confirm(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Say that somebody looked, and that they are copies."""
    _judge(dataset, scan, other, "together", who, note, as_json=as_json)


@verbs.command()
def undo(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Take back what was said of a pair.

    It holds again, as the audit found it.
    """
    _judge(dataset, scan, other, "open", who, note, as_json=as_json)


def _judge(
    dataset: Path, scan: str, other: str | None, verdict: "Verdict", who: str | None, note: str, *, as_json: bool
) -> None:
    result, words = api.judge_pair(dataset, scan, other, verdict, who=who, note=note)
    numbers = {"verdict": verdict, "words": words, "pairs_dissolved": len(result.dissolved), "groups": result.groups}
    lines = [*words, f"{counted(len(result.dissolved), 'pair')} dissolved in all, {counted(result.groups, 'group')}"]
    finish(as_json, numbers, lines, "pairs", "list", dataset)
