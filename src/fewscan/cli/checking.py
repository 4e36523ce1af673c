"""The verb that says at most how many labels of a table are wrong: check."""

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fewscan import api
from fewscan.atomic import free_path
from fewscan.cli.app import AsJson, Overwrite, app, finish
from fewscan.cli.following import Words, more_labels, run_around
from fewscan.errors import FewscanError
from fewscan.splits.support import TARGET_ERROR
from fewscan.wording import RUN, command_line, counted

if TYPE_CHECKING:
    from fewscan.labeling.checked import Checked
    from fewscan.labeling.worth_checking import Choice

_HELP = """Find out at most how many labels of a table are wrong.

You check some of the labels that 'fewscan label' gave, drawn at random. The first call writes TABLE.check.csv, or .xlsx if the
table is a workbook: scans in the order of the draw, and an empty column 'label'. Start at the top, look at each scan but not at
its label in TABLE, and fill in a class, 'unsure' or 'not a scan'. Then call again: it says at most how many of all these labels
are wrong, and how many more answers would show what you ask for (--at-most). To show 5 %, it takes some 70 answers if none is
wrong, some 130 if one is; to show 1 %, some 340 and 640, and of a few hundred labels fewer. You are told before you begin.

The result is about the labels in this very table and rests on the draw alone: it needs no calibration, assumes nothing about
the scans, and also holds if the labels that the run learned from were chosen. It is true in at least 95 of 100 draws, whenever
you stop. Your answers are taken as the truth; 'unsure' counts as wrong.

Under check are the labels that were accepted. If none was, they are those of which the run expects two thirds of --at-most to
be wrong; to check others, give --least-score before you begin. The same labels always give the same draw. To change --at-most
later and keep your answers, also give the least score that was printed.

That is about all these labels together. If a class is rare, all its labels may be among the few that are wrong. --class checks
the labels of one class alone, with a draw and a file of their own (TABLE.check-class1.csv for the first class). --class normal
shows how many scans labeled normal are at most something else, such as a tumor, and --class tumor how many labeled tumor are no
tumor. Who answers should not know which class it is: otherwise they know the label of each scan.

With --out it writes the table as it then stands: your answers, and all other labels under check as accepted. All others, such
as those of other classes, keep their decision.

Example: fewscan check labels.csv --at-most 0.05

Example: fewscan check labels.csv --class normal --at-most 0.01
"""


@app.command(help=_HELP)
def check(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table that 'fewscan label' wrote.")],
    at_most: Annotated[float, typer.Option(help="Show that at most this share of the labels is wrong.")] = TARGET_ERROR,
    least_score: Annotated[float | None, typer.Option(help="Check the labels with at least this score.")] = None,
    class_names: Annotated[
        list[str] | None, typer.Option("--class", help="Check the labels of this class alone. May be repeated.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="The file to fill in. [default: TABLE.check.csv or .xlsx, beside the table]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The checked table to write: .csv, .xlsx or .parquet.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write what is to be answered, and say what the answers show."""
    named = class_names or []
    result = api.check(
        table, at_most=at_most, least_score=least_score, class_name=named, answers=answers, out=out, overwrite=overwrite
    )
    told = result.model_dump(mode="json") | {"out": None if out is None else str(out)}
    asked = _Asked(table, at_most, least_score, named, answers)
    following = [] if out is not None else _after(result, asked)
    finish(as_json, told, [*_lines(result, asked), *([] if out is None else [f"table: {out}"])], *following)


class _Asked(NamedTuple):
    """What a check was called with."""

    table: Path
    at_most: float
    least_score: float | None
    class_names: Sequence[str]
    answers: Path | None

    @property
    def words(self) -> Words:
        """The call, as a command."""
        words: Words = ["check", self.table, *(word for name in self.class_names for word in ("--class", name))]
        words += [] if self.at_most == TARGET_ERROR else ["--at-most", f"{self.at_most:g}"]
        words += [] if self.least_score is None else ["--least-score", str(self.least_score)]
        return words if self.answers is None else [*words, "--answers", self.answers]


def _lines(result: "Checked", asked: _Asked) -> list[str]:
    """Return what is checked, what came out, and what is still to be done."""
    lines = [f"{_labels(result.what, result)}, in {result.table} with {counted(result.scans, 'scan')}"]
    if result.class_names is not None and result.left_out:
        lines.append(f"  not under check: {result.left_out:,} more, less sure, out of distribution or a reader's answer")
    if result.seen:
        lines.append(f"  {result.seen:,} of them are of scans or patients that the run knows, which are easier (column 'seen')")
    if not result.checked:
        lines += [f"  could be checked instead: {_labels(result.called(one.labels), one)}" for one in result.others]
        lines += [*_together(result, asked), *_to_answer(result)]
    if result.checked:
        lines.append(f"checked: {result.checked:,}, wrong: {result.wrong:,}")
        lines += [
            f"  {name}: {one.wrong:,} of {one.checked:,} wrong, {one.labels:,} in all" for name, one in result.classes.items()
        ]
        lines.append(
            f"at most {result.most_wrong:,} of these labels are wrong, {100 * result.most_wrong_share:.1f} % (95 % confidence)"
        )
        lines += _together(result, asked)
    return [*lines, *_left(result, asked)]


def _labels(what: str, some: "Checked | Choice") -> str:
    """Return which labels are checked, or could be."""
    labels = f"{what} with a score of at least {some.least_score}"
    return f"{labels}, of which the run expects {100 * some.expected_wrong:.1f} % to be wrong"


def _left(result: "Checked", asked: _Asked) -> list[str]:
    """Return what is to be done where the answers do not show yet what is asked for."""
    if result.shown:
        return []
    goal = f"that at most {100 * result.at_most:g} % are wrong"
    if result.more is None:
        return [f"too many are wrong to show {goal}", *_instead(result, asked)]
    doubt = "so far more than that are wrong, so more answers are unlikely to show it"
    then = "" if result.more <= result.asked else f" (the next {result.more - result.asked:,} come then)"
    return [
        f"{counted(result.more, 'more answer')} would show {goal}, if all those labels are right{_if_one(result)}",
        *([doubt, *_instead(result, asked)] if result.too_many else []),
        f"fill in the column 'label' of {counted(min(result.more, result.asked), 'row')} of {result.answers}, the topmost that "
        f"are empty, then go on{then}:",
    ]


def _if_one(result: "Checked") -> str:
    """Return, before anything is checked, what a single wrong label changes."""
    if result.checked:
        return ""
    if result.more_if_one_wrong is None:
        return "; not one may be wrong"
    return f", at most {result.more_if_one_wrong:,} if one of them is wrong"


def _to_answer(result: "Checked") -> Iterator[str]:
    """Yield what is to be known before the first answer."""
    from fewscan.labeling.check import MOST_CHECKS

    if result.class_names is not None and len(result.class_names) == 1:
        yield "  let somebody answer who does not know which class it is about: otherwise they know the label of each scan"
    if (result.more or 0) > MOST_CHECKS:
        yield "  a larger --at-most takes fewer answers: twice the share some half of them"


def _together(result: "Checked", asked: _Asked) -> list[str]:
    """Return, where a class is rare, how little is said of its labels, and how those of one class are checked.

    That is said before the first answer, since it is then that somebody decides, and with what is shown.
    """
    most = result.most_wrong if result.checked else result.allowed
    if not result.rare or not most or (result.checked and not result.shown):
        return []
    number = {name: one.labels for name, one in result.classes.items()}
    rare, common = result.rare[0], max(number, key=lambda name: number[name])
    labels, common_labels = number[rare], number[common]
    own = f"{result.most_wrong_of(rare):,} of the {counted(labels, 'label')} '{rare}' may be wrong, or "
    about = "that is" if result.checked else "the result will be"
    words = [asked._replace(class_names=[name], least_score=None, answers=None) for name in (rare, common)]
    few = words[1]._replace(at_most=min(asked.at_most, _part_of(labels / result.labels)))
    lines = [
        f"  {about} over all classes together: up to {own if labels else ''}{most:,} scans of '{rare}' may have another label",
        f"  '{command_line(*words[0].words)}' shows at most how many labels '{rare}' are wrong",
        f"  '{command_line(*few.words)}' shows at most how many scans labeled '{common}' are of another class",
    ]
    return [lines[0], *(lines[1:] if labels else lines[2:] if common_labels < result.labels else [])]


def _part_of(share: float) -> float:
    """Return a fifth of a share as a number of one digit, and not less than some hundreds of answers can show; 1 of none."""
    return max(0.01, float(f"{share / 5:.0e}")) if share else 1.0


def _instead(result: "Checked", asked: _Asked) -> Iterator[str]:
    """Yield what helps where too many are wrong; last the share that is shown already, which nobody asked for before."""
    if surer := _surer(result, asked):
        yield (
            f"  check labels that the run is more confident about, and label the others yourself: '{command_line(*surer)}'. "
            "The best of several checks of a table is right in fewer than 95 of 100 draws"
        )
    run = run_around(asked.table) or RUN
    answers = command_line("labels", "set", "DATASET", result.answers)
    yield (
        f"  train again with more labels: '{command_line('suggest', run)}' says of which scans, and your answers are labels, "
        f"too: '{answers}'"
    )
    yield f"  correct labels that the run has learned from: '{command_line('labels', 'suspects', run)}' lists those in doubt"
    if result.accepted:
        yield "  label again with a lower --target-error, so that fewer labels are accepted, and check these"
    if more := _allowing_more(result, asked):
        yield (
            "  which share may be wrong depends on what the labels are for, so decide that before you check. If "
            f"{100 * more.at_most:g} % may be, these answers show it: '{command_line(*more.words)}'"
        )


def _allowing_more(result: "Checked", asked: _Asked) -> _Asked | None:
    """Return what is to be asked for what the answers show already; None where all labels may be wrong."""
    percent = ceil(100 * result.most_wrong_share)
    return asked._replace(at_most=percent / 100, least_score=result.least_score) if percent < 100 else None


def _surer(result: "Checked", asked: _Asked) -> Words:
    """Return the command for the most labels that the run is surer of and expects to be good enough, with a file of its own."""
    better = [one for one in result.others if one.labels < result.labels and one.expected_wrong <= result.at_most]
    scores = [one.least_score for one in better]
    if not scores:
        return []
    return asked._replace(least_score=min(scores), answers=free_path(Path(result.answers))).words


def _after(result: "Checked", asked: _Asked) -> Words:
    """Return the next command: the same once it is filled in, what writes the checked table, or what helps instead.

    It is never the same at a larger share: whoever takes that has looked first.
    """
    if result.shown:
        return [*asked.words, "--out", free_path(Path(result.checked_table))]
    if result.more is not None:
        return asked.words
    try:
        return _surer(result, asked) or more_labels(run_around(asked.table))
    except FewscanError:
        return more_labels(None)  # the run's dataset is not where it was
