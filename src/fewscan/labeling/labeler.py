"""Scans -> rows of a table of labels, block by block; by this process, or shared out among several."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import Reasons
from fewscan.images.classes import BETWEEN_FINDINGS
from fewscan.images.notes import in_one_field
from fewscan.images.readers import Image, UnreadableImage, read_images
from fewscan.images.sources import ScanFile
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.population import Population
from fewscan.labeling.rule import DecisionRule
from fewscan.labeling.seen import Seen
from fewscan.labeling.side_by_side import at_once, side_by_side
from fewscan.training.batches import Rows
from fewscan.training.plugins import modules_to_import
from fewscan.training.run import Run
from fewscan.training.shares import places_of_shares, shared_out

# Together through the network; whoever does it, the same scans are.
BLOCK_SCANS = 256

Item = TypeVar("Item")
TableRow = dict[str, Any]


class _Scan(NamedTuple):
    """A scan as the run's dataset would hold it, (C, S, S), how the run has seen it already, and its row there.

    Where it is new, None, and -1. in_color: whether it showed color before it became `pixels`. notes: what a user should know
    of how these came about.
    """

    pixels: npt.NDArray[np.uint8]
    seen: str | None
    row: int
    in_color: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labeler:
    """A run that labels scans by a rule."""

    run: Run
    dataset: Snapshot
    rule: DecisionRule

    @classmethod
    def of(cls, run: Run, dataset: Snapshot, asked: Asked, population: Population = "new") -> "Labeler":
        """Find the rule that the run's held-out images support for scans of a population; see `Grounds.rule`.

        Raises FewscanError where a class that is asked about is none of the run's.
        """
        with Reasons("nothing is labeled") as reasons:
            for name in asked.target_missed:
                with reasons.noted():
                    run.require_class(name)
        return cls(run, dataset, Grounds.of(run, dataset, population=population).rule(asked))

    def for_many(self, scans: int) -> "Labeler":
        """Return one that says the same but for rounding, and is quicker where scans are many."""
        predictor = self.rule.predictor
        quick = predictor.for_many(self.dataset.spec, scans, callers=at_once(predictor.device))
        return replace(self, rule=replace(self.rule, predictor=quick))

    def files(self, files: Sequence[ScanFile], seen: Seen) -> Generator[list[TableRow], None, None]:
        """Yield the rows of files in blocks of BLOCK_SCANS, in their order; one that cannot be read has the reason."""

        def labeled(block: list[tuple[ScanFile, Image | UnreadableImage]]) -> list[TableRow]:
            marks = iter(seen.scans([image for _, image in block if isinstance(image, Image)]))
            scans = [(file.relative, self._scan(file, image, marks)) for file, image in block]
            return list(self._labeled(scans))

        with closing(read_images(files, self.dataset.spec)) as images:
            yield from side_by_side(labeled, _blocks(zip(files, images, strict=True), BLOCK_SCANS), self.rule.predictor.device)

    def rows(self, rows: Rows, seen: Seen) -> Generator[list[TableRow], None, None]:
        """Yield the rows of the table for rows of the dataset, which the run may have learned from; in blocks as `files`."""
        names, marks, in_color = self.dataset.file_names, seen.rows(rows), self.dataset.shows_color

        def labeled(start: int) -> list[TableRow]:
            some = rows[start : start + BLOCK_SCANS]
            scans = [
                (names[row], _Scan(image, mark, int(row), bool(in_color[row])))
                for row, image, mark in zip(some, self.dataset.pixels[some], marks[start : start + BLOCK_SCANS], strict=True)
            ]
            return list(self._labeled(scans))

        yield from side_by_side(labeled, range(0, len(rows), BLOCK_SCANS), self.rule.predictor.device)

    def _scan(self, file: ScanFile, image: Image | UnreadableImage, marks: Iterator[str | None]) -> _Scan | UnreadableImage:
        """Return what a file holds as a scan; `marks` has one for each that could be read."""
        if isinstance(image, UnreadableImage):
            return image
        row = self.rule.gate.row_of(image.pixels_sha256)
        return _Scan(image.pixels, next(marks), row, image.color, (*file.notes, *image.notes))

    def _labeled(self, block: Sequence[tuple[str, _Scan | UnreadableImage]]) -> Iterator[TableRow]:
        """Yield the row of every scan of a block."""
        scans = [image for _, image in block if not isinstance(image, UnreadableImage)]
        decided = iter(self._decided(scans) if scans else ())
        for path, image in block:
            if isinstance(image, UnreadableImage):
                yield {"path": path, "decision": "unreadable", "reason": image.reason}
            else:
                note = in_one_field(image.notes)
                yield {"path": path, "seen": image.seen, "note": note} | next(decided)

    def _decided(self, scans: Sequence[_Scan]) -> Iterator[TableRow]:
        classes = self.run.record.classes
        names = np.array(classes)
        pixels, rows = np.stack([scan.pixels for scan in scans]), np.array([scan.row for scan in scans])
        decided = self.rule.decide(pixels, rows, np.array([scan.in_color for scan in scans]))
        for probabilities, score, possible, typicality, decision, reason in zip(*decided, strict=True):
            row: TableRow = {f"probability_{name}": value for name, value in zip(classes, probabilities, strict=True)}
            row |= {"label": classes[int(probabilities.argmax())], "score": score}
            row |= {"typicality": typicality, "decision": decision, "reason": reason}
            # Of a scan that is out of distribution, no set of classes can be promised to hold the right one.
            yield row if decision == "out_of_distribution" else row | {"possible": BETWEEN_FINDINGS.join(names[possible])}


@dataclass(frozen=True)
class Pile:
    """What is to be labeled: files, or rows of the run's dataset; near: see `Seen`; population: what they are decided on as."""

    scans: tuple[ScanFile, ...] | Rows
    near: bool = True
    population: Population = "new"
    whole: int | None = None  # of how many scans these are a part

    def at(self, places: Sequence[int] | Rows) -> "Pile":
        """Return some of the scans."""
        if isinstance(self.scans, np.ndarray):
            return replace(self, scans=self.scans[places], whole=self.count)
        return replace(self, scans=tuple(self.scans[place] for place in places), whole=self.count)

    @property
    def count(self) -> int:
        """How many scans are labeled in all: by that it is decided how, so that each part has the rows that the whole has."""
        return len(self.scans) if self.whole is None else self.whole

    def labeled(self, labeler: Labeler) -> Generator[list[TableRow], None, None]:
        """Yield the rows of the table in blocks of BLOCK_SCANS, in the order of the scans."""
        labeler = labeler.for_many(self.count)
        seen = Seen(labeler.run, labeler.dataset, near=self.near)
        return labeler.rows(self.scans, seen) if isinstance(self.scans, np.ndarray) else labeler.files(self.scans, seen)

    def labeled_by(self, devices: int, labeler: Labeler, asked: Asked) -> Generator[list[TableRow], None, None]:
        """Yield the same, by so many processes, each with a device of its own, that open run and dataset anew."""
        devices = min(devices, -(-len(self.scans) // BLOCK_SCANS))
        if devices <= 1:
            return self.labeled(labeler)
        run = labeler.run
        # How many runs there are to choose from may change meanwhile.
        asked = replace(asked, candidates=labeler.rule.candidates)
        shares = [
            (self.at(places), run.folder, labeler.dataset.folder, asked)
            for places in places_of_shares(len(self.scans), BLOCK_SCANS, devices)
        ]
        return shared_out(_labeled_share, shares, run.settings.device, modules_to_import(run.settings))


def _labeled_share(pile: Pile, run: Path, dataset: Path, asked: Asked) -> Iterator[list[TableRow]]:
    opened = Run.open(run, dataset)
    yield from pile.labeled(Labeler.of(opened, opened.open_dataset(), asked, pile.population))


def _blocks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while block := list(islice(left, size)):
        yield block
