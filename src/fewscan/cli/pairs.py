"""The verbs about the audit's pairs: list, dissolve, confirm, undo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, finish, group_of_verbs
from fewscan.cli.following import after_dataset
from fewscan.cli.label_words import SHOWN
from fewscan.cli.labels import Who
from fewscan.wording import counted

if TYPE_CHECKING:
    from fewscan.datasets.pair_decisions import Verdict

verbs = group_of_verbs(
    "pairs",
    """List, dissolve or confirm the audit's pairs of copies.

A dissolved pair stays dissolved in every later audit. Existing splits stay as they are: only new ones use the new groups. In a
large set of copies, other pairs may still hold the two images together; if so, 'dissolve' says which. Images with the same
pixels are one image twice, and cannot be dissolved.""",
)

Scan = Annotated[str, typer.Argument(metavar="SCAN", help="One scan: its path, or its number.")]
Other = Annotated[
    str | None, typer.Argument(metavar="[OTHER]", help="The other image of the pair. [default: every pair of the scan]")
]
Note = Annotated[str, typer.Option(help="A note to keep with the record.")]


@verbs.command("list")
def list_(
    dataset: DatasetFolder,
    dissolved: Annotated[bool, typer.Option("--dissolved", help="Only pairs that people have dissolved.")] = False,
    every: Annotated[bool, typer.Option("--all", help=f"All pairs, not only the first {SHOWN}.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the pairs, the least similar first.

    Each is shown with its files, how the second image is mirrored, turned or inverted, and what people said about it.
    """
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.pairs import as_told

    pairs = api.audited_pairs(dataset).sort_values("similarity", kind="stable")
    told = as_told(pairs[pairs["verdict"] == "apart"] if dissolved else pairs).to_dict("records")
    shown = told if every else told[:SHOWN]
    lines = [counted(len(told), "dissolved pair" if dissolved else "pair"), *(line for one in shown for line in _lines(one))]
    lines += [f"  and {len(told) - len(shown):,} more; --all and --json have all"] if len(told) > len(shown) else []
    finish(as_json, {"pairs": told}, lines, *after_dataset(Dataset.open(dataset)))


def _lines(pair: dict[str, Any]) -> list[str]:
    """Return a pair as people read it: one line about it, and one for each of its files."""
    from fewscan.datasets.judging import SAID
    from fewscan.datasets.turned import turn_noted

    alike = {"near": f"similarity {pair['similarity']:.3f}", "head": "probably slices of one head"}
    turn = turn_noted(pair["mirrored"], pair["turned"], pair["inverted"])
    words = [
        alike.get(pair["kind"], f"same {pair['kind']}"),
        *(turn.words if turn else ["mirrored"] if pair["mirrored"] else []),
    ]
    if pair["verdict"] is not None:
        words += [f"{SAID[pair['verdict']]} by {pair['who'] or 'nobody named'}", pair["time"]]
    return [
        f"  scans {pair['row_a']} and {pair['row_b']}: {', '.join(words)}",
        *(f"      {pair[name]}" for name in ("name_a", "name_b")),
    ]


@verbs.command()
def dissolve(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Say that two images are not copies.

    Example: fewscan pairs dissolve mri 12 408 --who "A. Lovelace"
    """
    _judge(dataset, scan, other, "apart", who, note, as_json=as_json)


@verbs.command()
def confirm(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Say that somebody looked, and that two images are copies."""
    _judge(dataset, scan, other, "together", who, note, as_json=as_json)


@verbs.command()
def undo(
    dataset: DatasetFolder, scan: Scan, other: Other = None, who: Who = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Take back what was said about a pair.

    The pair then holds again, as the audit found it.
    """
    _judge(dataset, scan, other, "open", who, note, as_json=as_json)


def _judge(
    dataset: Path, scan: str, other: str | None, verdict: "Verdict", who: str | None, note: str, *, as_json: bool
) -> None:
    from fewscan.auditing.leaks import regrouped_sentence
    from fewscan.datasets.dataset import Dataset

    result, words = api.judge_pair(dataset, scan, other, verdict, who=who, note=note)
    numbers = {"verdict": verdict, "words": words, "pairs_dissolved": len(result.dissolved), "groups": result.groups}
    lines = [*words, f"{counted(len(result.dissolved), 'pair')} dissolved in all, {counted(result.groups, 'group')}"]
    regrouped = regrouped_sentence(Dataset.open(dataset).snapshot())
    finish(as_json, numbers, [*lines, *([regrouped] if regrouped else [])], "pairs", "list", dataset)
