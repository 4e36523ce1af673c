"""A folder of new scans, or a dataset's unlabeled ones -> a table of labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from fewscan.atomic import writing
from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.evaluation.class_decisions import ClassDecisions
from fewscan.evaluation.shift import Shift, shift
from fewscan.folders import MODEL_FILE
from fewscan.images.listing import list_place
from fewscan.images.notes import BETWEEN_NOTES, by_kind
from fewscan.images.options import PatientTag
from fewscan.images.sources import stamp
from fewscan.labeling.asked import Asked
from fewscan.labeling.by_patient import PatientLabels, is_patient_table, patient_table
from fewscan.labeling.caveats import learned_from, of_batch, of_none, others
from fewscan.labeling.decisions import wrong_at_most
from fewscan.labeling.labeler import Labeler, Pile
from fewscan.labeling.population import Population, beside_pile, speaks_for_pile
from fewscan.labeling.remedies import Remedies
from fewscan.labeling.rule import Decision, DecisionRule
from fewscan.labeling.seen import KNOWN_PATIENT
from fewscan.labeling.table import PART_ROWS, LabelPlan, LabelTable, read_table, require_table_place, table_beside
from fewscan.labeling.whose import Whose
from fewscan.partial import growing
from fewscan.progress import kept_if_stopped, say, track
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.training.shares import require_devices
from fewscan.version import __version__
from fewscan.wording import HOST, advised, command_line, counted
from fewscan.workbooks import require_rows

# So many take minutes: what would make them useless is said before, too.
MANY_SCANS = 5_000


class LabelSummary(Settings):
    """What `label` wrote."""

    out: str
    scans: int
    accepted: int
    review: int
    out_of_distribution: int
    unreadable: int
    unreadable_because: dict[str, int]  # why scans cannot be used, in short -> how many
    seen: dict[str, int]  # scans that the run has seen already, by how: see `fewscan.labeling.seen`
    notes: dict[str, int]  # what is to be known of how the pixels of files came about -> of how many scans
    promised: int  # accepted scans that the promise is about: of those in a folder, only new ones
    classes: dict[str, dict[Decision, int]]  # how many scans got each label, by what was decided on them
    target_error: float
    target_missed: dict[str, float]  # by class: the share of its scans that may be accepted as another class
    held_out: dict[str, ClassDecisions]  # what becomes of held-out images of each class at the threshold
    coverage: float
    coverage_per_class: bool
    candidates: int  # among how many runs this one is taken to have been chosen
    wrong_at_most: int  # of the `promised` scans in 95 % of such batches, if the long-run error is the target
    patients: PatientLabels | None = None  # where patients are known, and some have several scans
    shift: Shift | None = None  # how new scans of a folder, as a whole, compare with those learned from
    threshold: float | None  # lowest score that is accepted; None where the labels cannot support the target error
    reasons: tuple[str, ...]  # where threshold and possible classes come from, or why there are none
    helps: Remedies | None = None  # where there is no threshold, and more or other held-out images would give one

    @property
    def none_readable(self) -> bool:
        """Whether there were scans, and none of them could be read."""
        return 0 < self.scans == self.unreadable

    def table(self) -> pd.DataFrame:
        """Return the table that was written, one row per scan."""
        return read_table(Path(self.out))


@dataclass(frozen=True)
class _Scans:
    """What is to be labeled, and its unique names; `version` changes where the scans do."""

    described: str
    version: str
    names: Sequence[str]
    pile: Pile
    whose: Whose

    @property
    def of_dataset(self) -> bool:
        """Whether they are the dataset's own, from which the run has learned."""
        return isinstance(self.pile.scans, np.ndarray)


def label_scans(
    run: Run,
    dataset: Snapshot,
    place: Path,
    out: Path,
    asked: Asked | None = None,
    *,
    near: bool = True,
    follow_links: bool = False,
    patient_tag: PatientTag = "patient",
    devices: int = 1,
    overwrite: bool = False,
) -> LabelSummary:
    """Label every scan in a folder, or one file, into a table `out`, CSV, workbook or Parquet by its name, one row an image.

    place: the folder, the file, or one image in a file, such as FILE#frame=3. Columns: path, label, probability of every
    class, score, possible classes, decision, reason, how the run has seen the scan already, and its patient's number in this
    table. Where some patients have several scans, a table `OUT.patients` beside it has one answer for each. `dataset` is the
    run's: what the run learned from says which scans are like it, and which are not new. Those are labeled, and the promise is
    not about them, nor about new scans of its patients; near-duplicates are looked for unless `near` is False, which is faster.
    Links out of a folder are set aside, unless `follow_links`; a file that is named is read, link or not. patient_tag: what
    tells patients apart in files' headers, as for an import. Stopped or killed, the same call goes on. A file that cannot be
    read keeps a row, with the reason. devices: how many processes do it, each with a GPU or a share of the
    CPU's cores; the table is the same. overwrite: replace a table that is there, once the new one is whole.
    Raises FewscanError where `place` or a folder in it cannot be read, a format needs a package that is not installed, `out`
    exists, or its table was begun by another call, on other files, or is being written by one.
    """
    require_table_place(out, overwrite=overwrite)
    files = list_place(place, dataset.spec, follow_links=follow_links, patient_tag=patient_tag)
    version = f"{stamp(files)} {patient_tag}{'' if near else ' exact'}"
    names, whose = [file.relative for file in files], Whose.of_files(run, dataset, files)
    scans = _Scans(str(place.resolve()), version, names, Pile(tuple(files), near=near), whose)
    return _label(run, dataset, scans, out, asked or Asked(), devices, overwrite=overwrite)


def label_unlabeled(
    run: Run, dataset: Snapshot, out: Path, asked: Asked | None = None, *, devices: int = 1, overwrite: bool = False
) -> LabelSummary:
    """Label the dataset's own unlabeled scans; otherwise as `label_scans`.

    They are those that the run saw: of others without a label, as of scans that were added since, it says how many there are.
    The run may have learned from them, so none of them is asked for as being like itself or its copies, and the threshold is
    of labels that were held out so, where there are any (`speaks_for_pile`): else nothing is promised of them.
    Raises FewscanError where there are none, besides what `label_scans` raises.
    """
    require_table_place(out, overwrite=overwrite)
    rows = dataset.rows("unlabeled")
    if not len(rows):
        called, *moved = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        by_command = f"name scans to label, '{command_line('label', called, 'SCANS', *moved)}'"
        how = advised(by_command, f"{HOST} can label scans in files")
        raise FewscanError(f"{run.folder} saw no unlabeled scans when it was trained: {how}")
    files = dataset.file_names
    names = [files[row] for row in rows]
    version = dataset.require_split().fingerprint
    population: Population = "pile" if speaks_for_pile(run, dataset) else "new"
    pile, whose = Pile(rows, population=population), Whose.of_rows(dataset, rows)
    scans = _Scans("the dataset's unlabeled scans", version, names, pile, whose)
    summary = _label(run, dataset, scans, out, asked or Asked(), devices, overwrite=overwrite)
    besides = beside_pile(run, dataset, run.dataset_now(dataset.folder).unsplit())
    return summary.model_copy(update={"reasons": (*summary.reasons, *besides)})


def _label(
    run: Run, dataset: Snapshot, scans: _Scans, out: Path, asked: Asked, devices: int, *, overwrite: bool
) -> LabelSummary:
    require_rows(out, len(scans.names))
    require_devices(devices, run.settings.device)
    labeler = Labeler.of(run, dataset, asked, scans.pile.population)
    rule = labeler.rule
    classes = run.record.classes
    columns = _columns(classes)
    beside = table_beside(out, "patients")
    patients = PatientLabels.of(run, scans.whose, beside) if scans.whose.several else None
    with writing(out), growing(out, "label"):
        table = LabelTable(out, columns, _plan(run, scans, rule, columns), overwrite=overwrite)
        table.require_beside(beside, needed=patients is not None, is_own=is_patient_table)
        done = table.done()
        left = [position for position, name in enumerate(scans.names) if name not in done]
        if done:
            say(f"continuing: {counted(len(done), 'scan')} already labeled, {len(left):,} left")
        if rule.threshold is None and len(left) >= MANY_SCANS:
            say(rule.reasons[0])
        with (
            kept_if_stopped(lambda: _kept(table, len(scans.names))),
            closing(scans.pile.at(left).labeled_by(devices, labeler, asked)) as blocks,
            closing(track(chain.from_iterable(blocks), "label", total=len(left))) as labeled,
        ):
            told = (scans.whose.told(place, row) for place, row in zip(left, labeled, strict=True))
            while part := list(islice(told, PART_ROWS)):
                table.add(part)
        shifted = shift(table.numbers("typicality", where_empty="seen"), rule.gate) if not scans.of_dataset else None
        unreadable = table.counted("reason", where="decision", holds="unreadable")
        of_patients = None if patients is None else patient_table(table.parts(), scans.whose, scans.names, classes)
        table.write_beside(beside, of_patients, is_patient_table)
        counts = table.finish(["decision", "label", "seen", "note"])
    return _summary(run, dataset, scans, out, asked, rule, _Found(counts, unreadable, shifted, patients))


class _Found(NamedTuple):
    """What a finished table comes to."""

    counts: Counter[tuple[str | None, ...]]  # of decision, label, how it was seen, and notes
    unreadable: Counter[str]  # by why
    shifted: Shift | None
    patients: PatientLabels | None


def _summary(
    run: Run, dataset: Snapshot, scans: _Scans, out: Path, asked: Asked, rule: DecisionRule, found: _Found
) -> LabelSummary:
    counts, unreadable, shifted, patients = found
    decisions, labels, marks = (_summed(counts, *places) for places in ((0,), (0, 1), (0, 2)))
    # The dataset's own scans are labeled on the user's word, with the caveat that comes with it; of a folder, new ones count.
    promised = decisions["accept",] - marks["accept", KNOWN_PATIENT] if scans.of_dataset else marks["accept", None]
    return LabelSummary(
        out=str(out),
        scans=counts.total(),
        accepted=decisions["accept",],
        review=decisions["review",],
        out_of_distribution=decisions["out_of_distribution",],
        unreadable=decisions["unreadable",],
        unreadable_because=dict(by_kind(unreadable).most_common()),
        seen={word: number for (word,), number in sorted(_summed(counts, 2).items(), key=str) if word is not None},
        notes=_noted(counts),
        promised=promised,
        classes={name: {decision: labels[decision, name] for decision in get_args(Decision)} for name in run.record.classes},
        target_error=asked.target_error,
        target_missed=dict(asked.target_missed),
        held_out=dict(rule.held_out),
        coverage=asked.coverage,
        coverage_per_class=asked.coverage_per_class,
        candidates=rule.candidates,
        wrong_at_most=wrong_at_most(promised, asked.target_error),
        patients=patients,
        shift=shifted,
        threshold=rule.threshold,
        reasons=(
            *(rule.reasons if promised or not decisions["accept",] else of_none(rule, marks)),
            *of_batch(rule, asked, promised),
            *(learned_from(run, dataset) if scans.of_dataset and scans.pile.population == "new" and rule.promises else ()),
            *others(shifted, promised),
            *scans.whose.notes,
        ),
        helps=rule.helps,
    )


def _plan(run: Run, scans: _Scans, rule: DecisionRule, columns: Iterable[str]) -> LabelPlan:
    return LabelPlan(
        scans=scans.described,
        version=f"{scans.version} {scans.whose.version}",
        model_sha256=file_sha256(run.folder / MODEL_FILE),
        temperature=rule.predictor.temperature,
        threshold=rule.threshold,
        refusal=rule.refusal,
        inclusion=tuple(rule.inclusion.tolist()),
        columns=tuple(columns),
        fewscan=__version__,
    )


def _kept(table: LabelTable, scans: int) -> str | None:
    """Return what a table that is stopped keeps of so many scans, None for nothing."""
    labeled = len(table.done())
    return f"{labeled:,} of {counted(scans, 'scan')} are labeled and kept in {table.folder}" if labeled else None


def _summed(counts: Counter[tuple[str | None, ...]], *places: int) -> Counter[tuple[str | None, ...]]:
    """Return the counts by some of the columns that they were counted by."""
    summed: Counter[tuple[str | None, ...]] = Counter()
    for key, number in counts.items():
        summed[tuple(key[place] for place in places)] += number
    return summed


def _noted(counts: Counter[tuple[str | None, ...]]) -> dict[str, int]:
    """Return of how many scans each note was made, by the last of the columns that were counted."""
    noted: Counter[str] = Counter()
    for (*_, notes), number in counts.items():
        for note in notes.split(BETWEEN_NOTES) if notes else ():
            noted[note] += number
    return dict(sorted(noted.items()))


def _columns(classes: Sequence[str]) -> dict[str, pa.DataType]:
    texts = dict.fromkeys(("possible", "decision", "reason", "seen", "note"), pa.string())
    numbers = dict.fromkeys((*(f"probability_{name}" for name in classes), "score", "typicality"), pa.float32())
    return {"path": pa.string(), "label": pa.string()} | numbers | texts | {"patient": pa.int64()}
