"""What became of a table of labels, for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.wording import advised, command_line, counted, listed

if TYPE_CHECKING:
    from fewscan.datasets.labels import LabelsSet
    from fewscan.labels.tables import Repeated

_OF_WHOLES = "of a whole study or the like (--who NAME --reading makes it the label of each image)"
SHOWN = 20  # of a list on the terminal; --json has all


def set_lines(done: "LabelsSet", dataset: Path, who: str | None, *, reading: bool) -> list[str]:
    """Return what was set in a dataset's folder, or would be, what was not taken, and which classes may be slips."""
    from fewscan.images.table_rows import in_rows

    told = done.summary()
    would, become = ("would change", "would become") if done.batch is None else ("changed", "became")
    disputing = done.changes.disputing
    lines = [
        f"{counted(told['table_rows'], 'row')} in {done.said.origin}; {counted(told['changed'] - disputing, 'label')} {would}"
    ]
    lines[0] += f", and {counted(disputing, 'scan')} {become} disputed" if disputing else ""
    lines += change_lines(told["changes"])
    lines += [f"  new classes: {in_rows(done.new_classes, done.said.new_in)}"] if done.new_classes else []
    others = {
        f"unchanged, and {who} agrees": told["agreeing_readings"],
        _as_before(who, reading=reading): told["unchanged"],
        f"of these still a label {_OF_WHOLES}": told["unchanged_of_wholes"],
        "named, and given no label": told["silent"],
        "cannot be used, whatever their label": told["unusable"],
        "keep a label that is not a prediction": told["predictions_not_taken"],
        "were disputed, and are now settled": told["settled"],
        "stay disputed": told["still_disputed"],
        "had a person's label, which this one replaces": told["overruled"],
    }
    lines += [f"  {what}: {counted(count, 'scan')}" for what, count in others.items() if count]
    repeated = done.said.repeated
    lines += [f"  {_repeated_line(repeated, told['table_rows'])}"] if repeated.rows else []
    lines += _examples("differ", told["differing"], told["differing_examples"], "scan")
    lines += _note_lines({note: count for note, count in told["notes"].items() if note != repeated.note})
    lines += _examples("name no scan of the dataset", told["missing"], told["missing_examples"])
    lines += _examples("skipped, since they may mean several scans", told["ambiguous"], told["ambiguous_examples"])
    if done.batch:
        lines.append(f"entered as batch {done.batch}{'' if who is None else f', by {who}'}")
    then = "would be disputed" if done.batch is None else "disputed"
    lines += [f"{then}, and left out of training until settled: {counted(done.disputed, 'scan')}"] if done.disputed else []
    return [*lines, *_slip_lines(done, dataset), *_unknown_lines(done, dataset)]


def _note_lines(notes: Mapping[str, int]) -> list[str]:
    """Return a line for each kind of notes, of how many scans each was made."""
    from fewscan.images.notes import kind_of, of_one_kind  # it loads what reads scans

    kinds: dict[str, dict[str, int]] = {}
    for note, count in notes.items():
        kinds.setdefault(kind_of(note), {})[note] = count
    return [f"  note: {of_one_kind(of, SHOWN)} ({counted(sum(of.values()), 'scan')})" for of in kinds.values()]


def names_hint(*, names: bool) -> list[str]:
    """Return what ends a list of scans that stand there without their names."""
    hint = advised("a scan's number is that in the dataset, and no row of your table; --names gives the files", "")
    return [f"  {hint}"] if hint and not names else []


def change_lines(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return from what to what labels changed, of how many scans."""
    lines = [
        f"  {change['before']} -> {change['after']}: {change['scans']:,}, such as {change['examples'][0]}"
        for change in changes[:SHOWN]
    ]
    more = len(changes) - SHOWN
    return [*lines, f"  and {counted(more, 'other change')}; --json has all"] if more > 0 else lines


def _slip_lines(done: "LabelsSet", dataset: Path) -> list[str]:
    """Return what new classes may be slips, and what helps then."""
    helps = f"{_undoing(done, dataset)} takes all of this back"
    if done.batch is None:
        helps = "correct the table before you enter it"
    return [
        f"warning: '{new}', a new class, and '{other}' are spelled almost alike: if that is a slip, {helps}"
        for new, other in done.slips
    ]


def _unknown_lines(done: "LabelsSet", dataset: Path) -> list[str]:
    """Return what new classes may say that nobody knows, and what helps then."""
    from fewscan.images.not_known import unknown_options  # it loads what reads scans

    if not done.unknown:
        return []
    names = listed([f"'{name}'" for name in done.unknown])
    first = "" if done.batch is None else f"take all of this back with {_undoing(done, dataset)}, and "
    return [
        f"warning: by their names, new classes may say that nobody knows ({names}): if so, {first}give "
        f"{unknown_options(done.unknown)}"
    ]


def _undoing(done: "LabelsSet", dataset: Path) -> str:
    return f"'{command_line('labels', 'undo', dataset, '--batch', str(done.batch))}'"


def _as_before(who: str | None, *, reading: bool) -> str:
    if who is None:
        return "unchanged"
    return f"already said by {who}" if reading else f"unchanged, so that without --reading nothing is entered for {who}"


def _repeated_line(repeated: "Repeated", rows: int) -> str:
    """Return how many rows name what another one names, too, and what comes of them."""
    agree = f"on {counted(repeated.agreeing, 'scan')} they agree, and count once" if repeated.agreeing else ""
    differ = f"of {counted(repeated.differing, 'scan')} {repeated.note}" if repeated.differing else ""
    return f"{repeated.rows:,} of {counted(rows, 'row')} name a scan that another row also names: " + "; ".join(
        words for words in (agree, differ) if words
    )


def _examples(what: str, count: int, examples: Sequence[str], noun: str = "row") -> list[str]:
    return [f"  {what}: {counted(count, noun)}, such as", *(f"    {one}" for one in examples)] if count else []
