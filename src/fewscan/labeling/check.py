"""A table of labels, and answers of a reader to some of them, drawn at random -> at most how many of the labels are wrong.

Which scans are drawn, and in which order, follows from the labels alone: who asks again gets the same ones, and cannot draw
until the answers please. They are answered without a look at the label, in the order of the draw.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.errors import FewscanError
from fewscan.labeling.answers import Answers, answers_beside, write_answers
from fewscan.labeling.checked import Checked, ClassCheck, allowed_of
from fewscan.labeling.table import table_beside, write_table
from fewscan.labeling.under_check import chosen_classes, classes_of, file_word, is_of, of_classes, quoted, read_labels
from fewscan.labeling.worth_checking import READERS_WORD, choice_of, chosen_score, rows_from, worth_scores
from fewscan.labeling.wrong_share import checks_needed, most_wrong
from fewscan.partial import growing
from fewscan.seeds import stream

# So many rows are asked for at a time. Where more checks would be needed, fewer labels or a larger share should be checked.
MOST_CHECKS = 300


@dataclass(frozen=True)
class LabelCheck:
    """The labels of a table that are to be checked, in the order of the draw, and the answers so far."""

    path: Path
    answers_path: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    about: tuple[str, ...] | None  # those of them whose labels are checked; None for all
    least_score: float
    drawn: npt.NDArray[np.int64]  # rows of the table, all that are checked, in the order of the draw
    answers: Answers  # of the first of them
    at_most: float

    @classmethod
    def of(
        cls,
        path: Path,
        answers: Path | None = None,
        *,
        at_most: float,
        least_score: float | None = None,
        class_names: Sequence[str] = (),
    ) -> "LabelCheck":
        """Read a table that `label` wrote, and the answers, where there are any; by default beside it.

        at_most: the share of wrong labels that is to be shown, in (0, 1). least_score: labels from it on are checked, else
        those that were accepted, or where none was, those of which two thirds of that share are expected to be wrong.
        class_names: only labels of these classes are checked, if any is named, by a draw and answers of their own.
        Raises FewscanError where no label is left, a table cannot be read, or the answers are of another draw or name no class.
        """
        require_share(at_most)
        table = read_labels(path)
        about = chosen_classes(table, path, class_names)
        kept = answers_beside(path, file_word("check", classes_of(table), about)) if answers is None else answers
        least = chosen_score(of_classes(table, about), at_most) if least_score is None else least_score
        return cls.of_labels(table, path, kept, at_most, least, about)

    @classmethod
    def of_labels(
        cls,
        table: pd.DataFrame,
        path: Path,
        answers: Path,
        at_most: float,
        least_score: float,
        about: tuple[str, ...] | None = None,
    ) -> "LabelCheck":
        """Return the check of the labels from a score on in a table that `read_labels` read; otherwise as `of`.

        about: those of these classes, as `chosen_classes` returns them.
        """
        classes = classes_of(table)
        rows = np.flatnonzero(is_of(table, about))[rows_from(of_classes(table, about), least_score)]
        if not len(rows):
            which = "label" if about is None else f"label {quoted(about)}"
            raise FewscanError(f"{path} has no {which} with a score of {least_score:g} or more: give a lower --least-score")
        drawn = rows[_random(table, rows).permutation(len(rows))]
        found = Answers.read(answers, table["path"].iloc[drawn].tolist(), classes)
        return cls(path, answers, table, classes, about, float(least_score), drawn, found, at_most)

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
        some, names = of_classes(self.table, self.about), self.about or self.classes
        choices = [choice_of(some, least) for least in worth_scores(some, self.at_most)]
        left = len(self.drawn) > len(self.wrong)
        if_one = checks_needed([*self.wrong, True], len(self.drawn), self._allowed) if left else None
        said, wrong = self.table["label"].iloc[self.drawn].to_numpy(), np.array(self.wrong, bool)
        checked = said[: len(wrong)]
        return Checked(
            table=str(self.path),
            answers=str(self.answers_path),
            checked_table=str(table_beside(self.path, file_word("checked", self.classes, self.about))),
            scans=len(self.table),
            class_names=self.about,
            left_out=int(some["label"].notna().sum()) - len(self.drawn),
            labels=len(self.drawn),
            accepted=int((self.table["decision"].iloc[self.drawn] == "accept").sum()),
            least_score=self.least_score,
            expected_wrong=choice_of(some, self.least_score).expected_wrong,
            seen=int(self.table["seen"].iloc[self.drawn].notna().sum()) if "seen" in self.table.columns else 0,
            others=tuple(one for one in choices if one.labels != len(self.drawn)),
            at_most=self.at_most,
            checked=len(wrong),
            wrong=int(wrong.sum()),
            most_wrong=most,
            shown=most <= self._allowed,
            more=checks_needed(self.wrong, len(self.drawn), self._allowed),
            more_if_one_wrong=None if if_one is None else if_one + 1,
            asked=asked,
            classes={
                name: ClassCheck(
                    labels=int((said == name).sum()),
                    checked=int((checked == name).sum()),
                    wrong=int((checked[wrong] == name).sum()),
                )
                for name in names
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
            such = "such labels" if self.about is None else f"such labels {quoted(self.about)}"
            table.iloc[self.drawn, reason] = f"checked: at most {wrong:,} of {others:,} {such} are wrong"
        for row, answer in zip(self.drawn, self.answers.given, strict=False):
            known = answer in self.classes
            table.iloc[row, label] = answer if known else None
            table.iloc[row, decision] = "accept" if known else "review"
            table.iloc[row, reason] = f"{READERS_WORD}'s label" if known else f"{READERS_WORD}: {answer}"
        write_table(table, out)


def require_share(at_most: float) -> None:
    """Raise FewscanError for a share of wrong labels outside (0, 1)."""
    if not 0 < at_most < 1:
        raise FewscanError(f"the share of wrong labels must be between 0 and 1, such as 0.05, not {at_most:g}")


def _random(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> np.random.Generator:
    """Return random numbers that follow from the labels that are checked."""
    digest = hashlib.sha256()
    for path, label in zip(table["path"].iloc[rows], table["label"].iloc[rows], strict=True):
        digest.update(f"{path}\0{label}\0".encode())
    return stream(int.from_bytes(digest.digest()), "labels to check").numpy()
