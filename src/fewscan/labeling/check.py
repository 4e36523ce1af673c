"""A table of labels, and answers of a reader to some of them, drawn at random -> at most how many of the labels are wrong.

Which scans are drawn, and in which order, follows from the labels alone: who asks again gets the same ones, and cannot draw
until the answers please. They are answered without a look at the label, in the order of the draw.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import hypergeom

from fewscan.config import Settings
from fewscan.errors import FewscanError, Reasons
from fewscan.images.slips import likely_meant
from fewscan.images.table_rows import TableRows, in_rows, standing
from fewscan.labeling.answers import Answers, write_answers
from fewscan.labeling.table import read_table, write_table
from fewscan.labeling.worth_checking import Choice, choice_of, chosen_score, rows_from, worth_scores
from fewscan.labeling.wrong_share import CONFIDENCE, checks_needed, most_wrong
from fewscan.partial import growing
from fewscan.seeds import stream
from fewscan.wording import counted

# Where more checks than that would be needed, fewer labels should be checked, those that the run is surer of.
MOST_CHECKS = 300
_TWICE_SHOWN = 3


class ClassCheck(Settings):
    """How many labels of a class there are, were checked, and were wrong."""

    labels: int
    checked: int
    wrong: int


class Checked(Settings):
    """What a check shows about the labels of a table."""

    table: str
    answers: str
    scans: int  # rows of the table
    labels: int  # those that are checked: of a scan that the run is at least so sure of, and that is in distribution
    accepted: int  # those of them that the run accepted
    least_score: float
    expected_wrong: float  # the share of them that the run expects to be wrong
    seen: int  # those of scans that the run has seen, which are easier than new ones
    others: tuple[Choice, ...]  # labels that could be checked instead
    at_most: float  # the share that may be wrong
    checked: int
    wrong: int  # another label, `unsure` or `not a scan`
    most_wrong: int  # of `labels`, the reader's own corrections not counted
    shown: bool  # whether that is within `at_most`
    more: int | None  # checks that would show it, were they all right; None where more are wrong already
    asked: int  # rows of the answers that wait for a label
    classes: dict[str, ClassCheck]

    @property
    def too_many(self) -> bool:
        """Whether so many are wrong that more answers will hardly show it: more than chance brings where `at_most` are wrong.

        Were just so many wrong as may be, at least this many among those checked would come in less than 5 of 100 draws.
        """
        allowed = allowed_of(self.at_most, self.labels)
        return self.wrong > 0 and float(hypergeom.sf(self.wrong - 1, self.labels, allowed, self.checked)) < 1 - CONFIDENCE

    @property
    def most_wrong_share(self) -> float:
        """The greatest share of wrong labels that the answers do not rule out, in [0, 1]."""
        return self.most_wrong / self.labels


@dataclass(frozen=True)
class LabelCheck:
    """The labels of a table that are to be checked, in the order of the draw, and the answers so far."""

    path: Path
    answers_path: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    least_score: float
    drawn: npt.NDArray[np.int64]  # rows of the table, all that are checked, in the order of the draw
    answers: Answers  # of the first of them
    at_most: float

    @classmethod
    def of(cls, path: Path, answers: Path, *, at_most: float, least_score: float | None = None) -> "LabelCheck":
        """Read a table that `label` wrote, and the answers, where there are any.

        at_most: the share of wrong labels that is to be shown, in (0, 1). least_score: labels from it on are checked, else
        those that were accepted, or where none was, those of which two thirds of that share are expected to be wrong.
        Raises FewscanError where no label is left, a table cannot be read, or the answers are of another draw or name no class.
        """
        require_share(at_most)
        table = read_labels(path)
        return cls.of_labels(
            table, path, answers, at_most, chosen_score(table, at_most) if least_score is None else least_score
        )

    @classmethod
    def of_labels(cls, table: pd.DataFrame, path: Path, answers: Path, at_most: float, least_score: float) -> "LabelCheck":
        """Return the check of the labels from a score on in a table that `read_labels` read; otherwise as `of`."""
        classes = _classes_of(table)
        rows = rows_from(table, least_score)
        if not len(rows):
            raise FewscanError(f"{path} has no label with a score of {least_score:g} or more: give a lower --least-score")
        drawn = rows[_random(table, rows).permutation(len(rows))]
        found = Answers.read(answers, table["path"].iloc[drawn].tolist(), classes)
        return cls(path, answers, table, classes, float(least_score), drawn, found, at_most)

    @contextmanager
    def alone(self) -> Iterator["LabelCheck"]:
        """Yield the check with the answers as they are now, which no other process changes meanwhile.

        Raises FewscanError as `of` does, and where another process changes them.
        """
        with growing(self.answers_path, "check"):
            now = Answers.read(self.answers_path, self.table["path"].iloc[self.drawn].tolist(), self.classes)
            yield replace(self, answers=now)

    @property
    def answered(self) -> dict[str, str]:
        """What was said of each scan, by its path, in the order of the draw."""
        return dict(zip(self.table["path"].iloc[self.drawn], self.answers.given, strict=False))

    def waiting(self, start: int, count: int) -> list[str]:
        """Return paths of scans that wait for an answer, in the order of the draw, from the `start`-th of them."""
        first = len(self.answers.given) + start
        paths: list[str] = self.table["path"].iloc[self.drawn[first : first + count]].tolist()
        return paths

    @property
    def wrong(self) -> list[bool]:
        """Of each label that was checked, whether the reader said otherwise."""
        said = self.table["label"].iloc[self.drawn[: len(self.answers.given)]]
        return [answer != label for answer, label in zip(self.answers.given, said, strict=True)]

    def ask(self) -> int:
        """Write the file for the answers with as many empty rows as are needed; return how many rows wait for an answer.

        What stands in it stays. Its columns, path, label and origin, are those that `labels set` takes; the run's are left out.
        """
        standing = len(self.answers.cells.rows)
        if standing < self._needed:
            write_answers(self._rows(self._needed), self.answers_path, self.classes)
        return max(standing, self._needed) - len(self.answers.given)

    def answer(self, said: str) -> None:
        """Write what is said of the scan that waits first, a class or one of NO_LABELS, into the file.

        The file is begun with the rows that `ask` writes: by a single one labels from another score on could be meant.
        """
        place = len(self.answers.given)
        rows = self._rows(place + 1 if self.answers.cells.rows else self._needed)
        rows.loc[place, "label"] = said
        write_answers(rows, self.answers_path, self.classes)

    def take_back(self) -> None:
        """Take the last answer out of the file: its scan waits again."""
        rows = self._rows(0)
        rows.loc[len(self.answers.given) - 1, "label"] = ""
        write_answers(rows, self.answers_path, self.classes)

    def _rows(self, least: int) -> pd.DataFrame:
        """Return the rows of the file, and as many more that there are at least so many."""
        return self.answers.rows(self.table["path"].iloc[self.drawn[len(self.answers.cells.rows) : least]].tolist())

    @property
    def _needed(self) -> int:
        """How many rows the file needs for the answers that there are, and those that would show what is asked for."""
        return len(self.answers.given) + min(checks_needed(self.wrong, len(self.drawn), self._allowed) or 0, MOST_CHECKS)

    @property
    def _allowed(self) -> int:
        return allowed_of(self.at_most, len(self.drawn))

    def result(self, asked: int) -> Checked:
        """Return what the answers say; asked: how many more rows wait for one."""
        most = most_wrong(self.wrong, len(self.drawn))
        choices = [choice_of(self.table, least) for least in worth_scores(self.table, self.at_most)]
        said, wrong = self.table["label"].iloc[self.drawn].to_numpy(), np.array(self.wrong, bool)
        checked = said[: len(wrong)]
        return Checked(
            table=str(self.path),
            answers=str(self.answers_path),
            scans=len(self.table),
            labels=len(self.drawn),
            accepted=int((self.table["decision"].iloc[self.drawn] == "accept").sum()),
            least_score=self.least_score,
            expected_wrong=choice_of(self.table, self.least_score).expected_wrong,
            seen=int(self.table["seen"].iloc[self.drawn].notna().sum()) if "seen" in self.table.columns else 0,
            others=tuple(one for one in choices if one.labels != len(self.drawn)),
            at_most=self.at_most,
            checked=len(wrong),
            wrong=int(wrong.sum()),
            most_wrong=most,
            shown=most <= self._allowed,
            more=checks_needed(self.wrong, len(self.drawn), self._allowed),
            asked=asked,
            classes={
                name: ClassCheck(
                    labels=int((said == name).sum()),
                    checked=int((checked == name).sum()),
                    wrong=int((checked[wrong] == name).sum()),
                )
                for name in self.classes
            },
        )

    def write(self, out: Path, result: Checked) -> None:
        """Write the table as it stands after the check, of the kind that the name of `out` says.

        The labels that were checked have the reader's word. Of the others those that the check is about are accepted where it
        showed what was asked for. All others keep their decision.
        """
        table = self.table.copy()
        label, decision, reason = (table.columns.get_loc(name) for name in ("label", "decision", "reason"))
        if result.shown:
            table.iloc[self.drawn, decision] = "accept"
            wrong, others = result.most_wrong - result.wrong, result.labels - result.checked
            table.iloc[self.drawn, reason] = f"checked: at most {wrong:,} of {others:,} such labels are wrong"
        for row, answer in zip(self.drawn, self.answers.given, strict=False):
            known = answer in self.classes
            table.iloc[row, label] = answer if known else None
            table.iloc[row, decision] = "accept" if known else "review"
            table.iloc[row, reason] = "a reader's label" if known else f"a reader: {answer}"
        write_table(table, out)


def require_share(at_most: float) -> None:
    """Raise FewscanError for a share of wrong labels outside (0, 1)."""
    if not 0 < at_most < 1:
        raise FewscanError(f"the share of wrong labels must be between 0 and 1, such as 0.05, not {at_most:g}")


def allowed_of(at_most: float, labels: int) -> int:
    """Return how many of so many labels may be wrong."""
    return int(at_most * labels + 1e-9)


def read_labels(path: Path) -> pd.DataFrame:
    """Read a table that `label` wrote, whose scans and labels may have been changed since.

    Raises FewscanError where it is none, and, with the rows, where it names a scan twice or a label is none of its classes.
    """
    table = read_table(path)
    lacking = [name for name in ("path", "label", "score", "decision", "reason") if name not in table.columns]
    if lacking:
        raise FewscanError(f"{path} is not a table that 'fewscan label' wrote: it has no column '{lacking[0]}'")
    classes, labels = _classes_of(table), table["label"]
    other = _rows_where(labels.notna() & ~labels.isin(classes), labels)
    twice = _rows_where(table["path"].duplicated(keep=False), table["path"])
    with Reasons(f"{path} cannot be checked") as reasons:
        if other:
            told = in_rows(other, other, lambda label: likely_meant(label, classes))
            reasons.add(f"{path} has labels that are no class of its run: {told}: give them back as the run gave them")
        if twice:
            # A path is for no terminal: folders are often called as patients or classes are.
            told = "; ".join(str(rows) for of in list(twice.values())[:_TWICE_SHOWN] for rows in of)
            reasons.add(f"{path} names {counted(len(twice), 'scan')} more than once: {told}: keep one row of each")
    return table


def _classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name.removeprefix("probability_") for name in table.columns if name.startswith("probability_"))


def _rows_where(chosen: pd.Series, names: pd.Series) -> dict[str, list[TableRows]]:
    """Return in which rows the names stand that are chosen; the first row of the table is row 2, below the columns' names."""
    return standing((names.iloc[at], TableRows("", (at + 2,))) for at in np.flatnonzero(chosen.to_numpy()).tolist())


def _random(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> np.random.Generator:
    """Return random numbers that follow from the labels that are checked."""
    digest = hashlib.sha256()
    for path, label in zip(table["path"].iloc[rows], table["label"].iloc[rows], strict=True):
        digest.update(f"{path}\0{label}\0".encode())
    return stream(int.from_bytes(digest.digest()), "labels to check").numpy()
