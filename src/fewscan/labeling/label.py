"""A folder of new scans, or a dataset's unlabeled ones -> a table of labels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fewscan.atomic import writing
from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.shift import Shift, shift
from fewscan.images.classes import BETWEEN_FINDINGS
from fewscan.images.listing import list_place
from fewscan.images.readers import UnreadableImage, read_images
from fewscan.images.sources import stamp
from fewscan.labeling.decisions import BATCHES, wrong_at_most
from fewscan.labeling.rule import Asked, Decision, DecisionRule, Grounds
from fewscan.labeling.seen import Seen
from fewscan.labeling.table import (
    PART_ROWS,
    LabelPlan,
    LabelTable,
    read_table,
    require_table_name,
)
from fewscan.partial import growing, refuse_finished
from fewscan.progress import say, track
from fewscan.training.batches import Rows
from fewscan.training.run import MODEL_FILE, Run
from fewscan.version import __version__
from fewscan.wording import counted

BLOCK_SCANS = 256

_LEARNED_FROM = (
    "these scans were learned from, if without a label, so the run may be surer of them than of new ones: the promise is for "
    "new scans"
)

Item = TypeVar("Item")


class _Scan(NamedTuple):
    """A scan as the run's dataset would hold it, (C, S, S), and how the run has seen it already, None where it is new."""

    pixels: npt.NDArray[np.uint8]
    seen: str | None


class LabelSummary(Settings):
    """What `label` wrote."""

    out: str
    scans: int
    accepted: int
    review: int
    out_of_distribution: int
    unreadable: int
    seen: dict[str, int]  # scans that the run has seen already, by how: see `fewscan.labeling.seen`
    promised: int  # accepted scans that the promise is about: of those in a folder, only new ones
    classes: dict[str, dict[Decision, int]]  # how many scans got each label, by what was decided on them
    target_error: float
    coverage: float
    coverage_per_class: bool
    candidates: int  # among how many runs this one is taken to have been chosen
    wrong_at_most: int  # of the `promised` scans in 95 % of such batches, if the long-run error is the target
    shift: Shift | None = None  # how new scans of a folder, as a whole, compare with those learned from
    threshold: float | None  # lowest score that is accepted; None where the labels cannot support the target error
    reasons: tuple[str, ...]  # where threshold and possible classes come from, or why there are none

    def table(self) -> pd.DataFrame:
        """Return the table that was written, a line a scan."""
        return read_table(Path(self.out))


@dataclass(frozen=True)
class _Scans:
    """What is to be labeled: unique names, and a way to read those at some positions, in their order.

    `version` changes where the scans do. `rows`: theirs in the run's dataset, where it has learned from them.
    """

    described: str
    version: str
    names: Sequence[str]
    read: Callable[[Sequence[int]], Generator[_Scan | UnreadableImage, None, None]]
    rows: Rows | None = None


def label_scans(
    run: Run,
    dataset: Snapshot,
    place: Path,
    out: Path,
    asked: Asked | None = None,
    *,
    near: bool = True,
    follow_links: bool = False,
) -> LabelSummary:
    """Label every scan in a folder, or one file, into a table `out`, CSV or Parquet by its name, one row an image.

    place: the folder, the file, or one image in a file, such as FILE#frame=3. Columns: path, label, probability of every
    class, score, possible classes, decision, reason, and how the run has seen the scan already. `dataset` is the run's: what
    the run learned from says which scans are like it, and which are not new. Those are labeled, and the promise is not about
    them; near-duplicates are looked for unless `near` is False, which is faster. Links out of a folder are set aside, unless
    `follow_links`; a file that is named is read, link or not. Stopped or killed, the same call goes on. A
    file that cannot be read keeps a row, with the reason.
    Raises FewscanError where `place` or a folder in it cannot be read, a format needs a package that is not installed, `out`
    exists, or its table was begun by another call, on other files, or is being written by one.
    """
    require_table_name(out)
    refuse_finished(out, "label")
    files = list_place(place, dataset.spec, follow_links=follow_links)
    seen = Seen(run, dataset, near=near)

    def read(positions: Sequence[int]) -> Generator[_Scan | UnreadableImage, None, None]:
        wanted = [files[position] for position in positions]
        with closing(read_images(wanted, dataset.spec)) as images:
            for block in _blocks(images, BLOCK_SCANS):
                marks = iter(seen.scans([image for image in block if not isinstance(image, UnreadableImage)]))
                for image in block:
                    yield image if isinstance(image, UnreadableImage) else _Scan(image.pixels, next(marks))

    scans = _Scans(str(place.resolve()), f"{stamp(files)}{'' if near else ' exact'}", [file.relative for file in files], read)
    return _label(run, dataset, scans, out, asked or Asked())


def label_unlabeled(run: Run, dataset: Snapshot, out: Path, asked: Asked | None = None) -> LabelSummary:
    """Label the dataset's own unlabeled scans; otherwise as `label_scans`.

    The run may have learned from them, so none of them is asked for as being like itself or its copies.
    """
    require_table_name(out)
    refuse_finished(out, "label")
    rows = dataset.rows("unlabeled")
    names = dataset.file_names

    marks = Seen(run, dataset).rows(rows)

    def read(positions: Sequence[int]) -> Generator[_Scan | UnreadableImage, None, None]:
        for position in positions:
            yield _Scan(dataset.pixels[rows[position]], marks[position])

    version = dataset.require_split().fingerprint
    scans = _Scans("the dataset's unlabeled scans", version, [names[row] for row in rows], read, rows)
    return _label(run, dataset, scans, out, asked or Asked())


def _label(run: Run, dataset: Snapshot, scans: _Scans, out: Path, asked: Asked) -> LabelSummary:
    rule = Grounds.of(run, dataset).rule(asked)
    plan = LabelPlan(
        scans=scans.described,
        version=scans.version,
        model_sha256=hashlib.sha256((run.folder / MODEL_FILE).read_bytes()).hexdigest(),
        temperature=rule.predictor.temperature,
        threshold=rule.threshold,
        inclusion=tuple(rule.inclusion.tolist()),
        fewscan=__version__,
    )
    classes = run.record.classes
    with writing(out), growing(out, "label"):
        table = LabelTable(out, _columns(classes), plan)
        done = table.done()
        left = [position for position, name in enumerate(scans.names) if name not in done]
        if done:
            say(f"going on: {counted(len(done), 'scan')} labeled already, {len(left):,} are left")
        names = [scans.names[position] for position in left]
        with closing(scans.read(left)) as images:
            rows = None if scans.rows is None else scans.rows[left]
            labeled = _labeled(rule, classes, zip(names, track(images, "label", total=len(left)), strict=True), rows)
            for part in _blocks(labeled, PART_ROWS):
                table.add(part)
        shifted = shift(table.numbers("typicality", where_empty="seen"), rule.gate) if scans.rows is None else None
        counts = table.finish(["decision", "label", "seen"])
    decisions, labels, marks = (_summed(counts, *places) for places in ((0,), (0, 1), (0, 2)))
    # The dataset's own scans are labeled on the user's word, with the caveat that comes with it; of a folder, new ones count.
    promised = decisions["accept",] if scans.rows is not None else marks["accept", None]
    return LabelSummary(
        out=str(out),
        scans=counts.total(),
        accepted=decisions["accept",],
        review=decisions["review",],
        out_of_distribution=decisions["out_of_distribution",],
        unreadable=decisions["unreadable",],
        seen={word: number for (word,), number in sorted(_summed(counts, 2).items(), key=str) if word is not None},
        promised=promised,
        classes={name: {decision: labels[decision, name] for decision in get_args(Decision)} for name in classes},
        target_error=asked.target_error,
        coverage=asked.coverage,
        coverage_per_class=asked.coverage_per_class,
        candidates=rule.candidates,
        wrong_at_most=wrong_at_most(promised, asked.target_error),
        shift=shifted,
        threshold=rule.threshold,
        reasons=(*rule.reasons, *_of_this_batch(rule, asked, promised, learned_from=scans.rows is not None), *_others(shifted)),
    )


def _of_this_batch(rule: DecisionRule, asked: Asked, accepted: int, *, learned_from: bool) -> Iterator[str]:
    """Yield what is to be known of the scans that were labeled, where any may be accepted."""
    if rule.threshold is not None:
        wrong = wrong_at_most(accepted, asked.target_error)
        yield (
            f"of a batch of {counted(accepted, 'accepted scan')}, all of different patients, up to {wrong:,} are wrong in "
            f"{100 * BATCHES:g} % of such batches, where the long-run error is {asked.target_error:g}"
        )
        if learned_from:
            yield _LEARNED_FROM


def _others(shifted: Shift | None) -> tuple[str, ...]:
    return (shifted.sentence,) if shifted is not None and shifted.noticed else ()


def _summed(counts: Counter[tuple[str | None, ...]], *places: int) -> Counter[tuple[str | None, ...]]:
    """Return the counts by some of the columns that they were counted by."""
    summed: Counter[tuple[str | None, ...]] = Counter()
    for key, number in counts.items():
        summed[tuple(key[place] for place in places)] += number
    return summed


def _columns(classes: Sequence[str]) -> dict[str, pa.DataType]:
    texts = dict.fromkeys(("possible", "decision", "reason", "seen"), pa.string())
    numbers = dict.fromkeys((*(f"probability_{name}" for name in classes), "score", "typicality"), pa.float32())
    return {"path": pa.string(), "label": pa.string()} | numbers | texts


def _labeled(
    rule: DecisionRule, classes: Sequence[str], scans: Iterator[tuple[str, _Scan | UnreadableImage]], rows: Rows | None
) -> Iterator[dict[str, Any]]:
    """Yield a row of the table for every scan, in order, a block of them at a time through the network.

    rows: of the scans, all of which can be read then; see `DecisionRule.decide`.
    """
    for number, block in enumerate(_blocks(scans, BLOCK_SCANS)):
        pixels = [image.pixels for _, image in block if not isinstance(image, UnreadableImage)]
        theirs = None if rows is None else rows[number * BLOCK_SCANS :][:BLOCK_SCANS]
        decided = iter(_decided(rule, classes, np.stack(pixels), theirs) if pixels else ())
        for path, image in block:
            if isinstance(image, UnreadableImage):
                yield {"path": path, "decision": "unreadable", "reason": image.reason}
            else:
                yield {"path": path, "seen": image.seen} | next(decided)


def _decided(
    rule: DecisionRule, classes: Sequence[str], pixels: npt.NDArray[np.uint8], rows: Rows | None
) -> Iterator[dict[str, Any]]:
    names = np.array(classes)
    for probabilities, score, possible, typicality, decision, reason in zip(*rule.decide(pixels, rows), strict=True):
        row: dict[str, Any] = {f"probability_{name}": value for name, value in zip(classes, probabilities, strict=True)}
        row |= {"label": classes[int(probabilities.argmax())], "score": score}
        row |= {"typicality": typicality, "decision": decision, "reason": reason}
        # Of a scan that is out of distribution, no set of classes can be promised to hold the right one.
        yield row if decision == "out_of_distribution" else row | {"possible": BETWEEN_FINDINGS.join(names[possible])}


def _blocks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while block := list(islice(left, size)):
        yield block
