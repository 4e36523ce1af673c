"""Labels of a run that readers check on the page: which scans are asked for, and answers in a file beside the label log.

The file is that of `fewscan check`: page and command line go on with each other's work. An answer of the page's is entered in
the log first and taken back there last, so that the file never holds one that the log does not.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd

from fewscan.atomic import writing
from fewscan.errors import FewscanError
from fewscan.images.classes import spelling_key
from fewscan.labeling.answers import AnotherDrawError, write_answers
from fewscan.labeling.check import LabelCheck
from fewscan.labeling.under_check import read_labels
from fewscan.labeling.worth_checking import NothingToCheckError, chosen_score, worth_scores
from fewscan.labels.teaching import CHECK_READING
from fewscan.reviewing.board import Said
from fewscan.reviewing.desk import Beside, CannotNowError, Desk, NoSuchThingError, NotSavedError
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.taking import ERRORS, FinishedRuns, answers_of, path_of
from fewscan.wording import HOST


class OtherLabelsError(CannotNowError):
    """The answers that there are are about other labels."""


@dataclass(frozen=True)
class Checks:
    """The checks of the labels of finished runs, a file of answers each."""

    desk: Desk
    scans: Scans
    runs: FinishedRuns

    def of(self, name: str, at_most: float, least_score: float | None = None) -> LabelCheck:
        """Return the check of a run's labels: the one that was begun, whatever is asked for now.

        at_most: the share of wrong labels that is to be shown. least_score: labels from this score on are checked where none
        was begun, by default those that `fewscan check` takes. Raises NoSuchThingError where the run has no labels, or labels
        of other scans than the dataset's, OtherLabelsError where the answers are not about them, FewscanError where none can
        be checked.
        """
        run = self.runs.require(self.desk.dataset, name)
        labels = path_of(run.folder, "labels")
        if not labels.is_file():
            raise NoSuchThingError("the scans are not labeled yet: label them on the Results page")
        check = _begun(labels, answers_of(run.folder), at_most, least_score)
        if not self.scans.rows.keys() >= set(check.table["path"].iloc[check.drawn]):
            raise NoSuchThingError(f"some of these labels are of scans outside this dataset: {HOST} can check them")
        return check

    def waiting(self, check: LabelCheck, start: int, count: int) -> list[int]:
        """Return the rows that wait for an answer, in the order of the draw, from the `start`-th of them."""
        return [self.scans.rows[path] for path in check.waiting(start, count)]

    def beside(self, check: LabelCheck, row: int, said: Said) -> Beside:
        """Return what keeps an answer in the check's file once the log has it; see `Desk.decide`.

        It raises CannotNowError where another scan is to be answered next.
        """

        @contextmanager
        def kept() -> Iterator[Callable[[], None]]:
            with _alone(check) as now:
                if self.waiting(now, 0, 1) != [row]:
                    raise CannotNowError(f"scan {row} is not the next one to check: perhaps someone else answered it meanwhile")
                yield lambda: now.answer(said.words)

        return kept

    @contextmanager
    def beside_undone(self, entries: pd.DataFrame) -> Iterator[None]:
        """Take an answer out of its check's file, where these entries of the log are one that is there; see `Desk.undo`.

        Raises CannotNowError where a later one is there: answers are given in the order of the draw, and taken back so.
        """
        entry = entries.iloc[0]
        check = self._answered_by(str(entry["note"]))
        if check is None:
            yield
            return
        said = entry["state"] if pd.isna(entry["label"]) else entry["label"]
        path = self.scans.names[int(entry["row"])]
        with _alone(check) as now:
            answered = now.answered
            if spelling_key(answered.get(path, "")) != spelling_key(said):
                yield  # begun anew since, or corrected in the file
                return
            if path != list(answered)[-1]:
                raise CannotNowError("a later scan of this check has an answer: change the label of this one on the Label page")
            now.take_back()
            try:
                yield
            except NotSavedError:
                write_answers(now.answers.rows(), now.answers_path, now.classes)
                raise

    def _answered_by(self, note: str) -> LabelCheck | None:
        """Return the check that an entry with this note was an answer to; None for none, or where its labels are others now."""
        try:
            told = json.loads(note)
        except ValueError:
            return None
        if not isinstance(told, dict) or told.get("reading") != CHECK_READING:
            return None
        try:
            return self.of(told["run"], told["at_most"], told.get("least_score"))
        except (NoSuchThingError, OtherLabelsError):
            return None

    def begin_anew(self, name: str, at_most: float) -> None:
        """Lay answers about other labels aside, beside the file; raises CannotNowError where they are about these."""
        try:
            self.of(name, at_most)
        except OtherLabelsError:
            answers = answers_of(self.runs.require(self.desk.dataset, name).folder)
        else:
            raise CannotNowError("the answers are about these labels: continue that check")
        names = (answers.with_stem(f"{answers.stem}-{number}") for number in range(1, 100_000))
        with writing(answers):
            answers.rename(next(free for free in names if not free.exists()))


def _begun(labels: Path, answers: Path, at_most: float, least_score: float | None) -> LabelCheck:
    """Return the check that the answers are of, which may have been begun with another share or score than is asked for now."""
    table = read_labels(labels)
    try:
        wanted = [chosen_score(table, at_most) if least_score is None else least_score]
    except NothingToCheckError:
        if not answers.exists():
            raise FewscanError(
                f"the run is not sure enough of any of its labels to show that at most {100 * at_most:g} % are wrong: label "
                "more scans and train again, or allow a larger share"
            ) from None
        wanted = []
    offered = chain.from_iterable(worth_scores(table, share) for share in (at_most, *ERRORS))
    accepted = table.loc[table["decision"] == "accept", "score"]
    for least in dict.fromkeys([*wanted, *offered, *([accepted.min()] if len(accepted) else [])]):
        try:
            return LabelCheck.of_labels(table, labels, answers, at_most, least)
        except AnotherDrawError:
            continue
    raise OtherLabelsError(
        f"the answers in {answers.name} are about other labels: the table was made again since, or the check was started "
        "outside this page with other options and can only continue with those"
    )


@contextmanager
def _alone(check: LabelCheck) -> Iterator[LabelCheck]:
    try:
        with check.alone() as now:
            yield now
    except FewscanError as error:
        raise NotSavedError(str(error)) from None
