"""A table of labels, and answers of a reader to some of them, drawn at random -> at most how many of the labels are wrong.

Which scans are drawn, and in which order, follows from the labels alone: who asks again gets the same ones, and cannot draw
until the answers please. They are answered without a look at the label, in the order of the draw.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.atomic import replaced_file
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.images.classes import spelling_key
from fewscan.images.tables.reading import Cells, read_cells
from fewscan.labeling.table import read_table, write_table
from fewscan.labeling.wrong_share import checks_needed, most_wrong
from fewscan.labels.content import State
from fewscan.spreadsheet import write_csv

NO_LABELS: tuple[State, ...] = ("unsure", "not a scan")
# What share of the error that is to be shown the run expects, by the probabilities in the table, of labels that are worth a
# check: where none is named the second. By the first it is shown sooner, by the last of more labels (docs/decisions.md).
EXPECTED_SHARES = (1 / 3, 2 / 3, 1.0)
EXPECTED_SHARE = EXPECTED_SHARES[1]
# Where more checks than that would be needed, fewer labels should be checked, those that the run is surer of.
MOST_CHECKS = 300


class ClassCheck(Settings):
    """How many labels of a class there are, were checked, and were wrong."""

    labels: int
    checked: int
    wrong: int


class Choice(Settings):
    """Labels that may be checked: those from a score on, and what share of them the run expects to be wrong, in [0, 1]."""

    least_score: float
    labels: int
    expected_wrong: float


class Checked(Settings):
    """What a check says of the labels of a table."""

    table: str
    answers: str
    scans: int  # rows of the table
    labels: int  # those that are checked: of a scan that the run is at least so sure of, and that is in distribution
    least_score: float
    expected_wrong: float  # the share of them that the run expects to be wrong
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
    def most_wrong_share(self) -> float:
        """The greatest share of wrong labels that the answers do not speak against, in [0, 1]."""
        return self.most_wrong / self.labels


class _Answers(NamedTuple):
    """The file that a reader fills in, as it stands, and the answers of its first rows, up to one without."""

    cells: Cells
    given: tuple[str, ...]


@dataclass(frozen=True)
class LabelCheck:
    """The labels of a table that are to be checked, in the order of the draw, and the answers so far."""

    path: Path
    answers_path: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    least_score: float
    drawn: npt.NDArray[np.int64]  # rows of the table, all that are checked, in the order of the draw
    answers: _Answers  # of the first of them
    at_most: float

    @classmethod
    def of(cls, path: Path, answers: Path, *, at_most: float, least_score: float | None = None) -> "LabelCheck":
        """Read a table that `label` wrote, and the answers, where there are any.

        at_most: the share of wrong labels that is to be shown, in (0, 1). least_score: labels from it on are checked, else
        those that were accepted, or where none was, those of which two thirds of that share are expected to be wrong.
        Raises FewscanError where no label is left, a table cannot be read, or the answers are of another draw or name no class.
        """
        if not 0 < at_most < 1:
            raise FewscanError(f"a share of wrong labels lies between 0 and 1, such as 0.05, not {at_most:g}")
        table = read_table(path)
        _require_labels(path, table)
        classes = tuple(name.removeprefix("probability_") for name in table.columns if name.startswith("probability_"))
        chosen = _chosen(table, at_most) if least_score is None else least_score
        rows = _from(table, chosen)
        if not len(rows):
            raise FewscanError(f"{path} has no label with a score of {chosen:g} and more: give a lower --least-score")
        drawn = rows[_random(table, rows).permutation(len(rows))]
        found = _answers(answers, table["path"].iloc[drawn].tolist(), classes) if answers.exists() else _NOTHING_ASKED
        return cls(path, answers, table, classes, float(chosen), drawn, found, at_most)

    @property
    def wrong(self) -> list[bool]:
        """Of each label that was checked, whether the reader said otherwise."""
        said = self.table["label"].iloc[self.drawn[: len(self.answers.given)]]
        return [answer != label for answer, label in zip(self.answers.given, said, strict=True)]

    def ask(self) -> int:
        """Write the file for the answers with as many empty rows as are needed; return how many rows wait for an answer.

        What stands in it stays. Its columns are path and label, as `labels set` takes them; what the run says is left out.
        """
        (columns, standing), answered = self.answers.cells, len(self.answers.given)
        needed = answered + min(checks_needed(self.wrong, len(self.drawn), self._allowed) or 0, MOST_CHECKS)
        more = self.table["path"].iloc[self.drawn[len(standing) : needed]]
        if len(more):
            rows = pd.DataFrame([row for _, row in standing], columns=list(columns), dtype="str")
            new = pd.DataFrame({"path": more.to_numpy()}).reindex(columns=list(columns), fill_value="")
            with replaced_file(self.answers_path) as temporary:
                write_csv(pd.concat([rows, new], ignore_index=True), temporary)
        return len(standing) + len(more) - answered

    def _choices(self) -> list[Choice]:
        found = [_probably_right(self.table, self.at_most * share) for share in EXPECTED_SHARES]
        return [_choice(self.table, least) for least in found if least is not None]

    @property
    def _allowed(self) -> int:
        return int(self.at_most * len(self.drawn) + 1e-9)

    def result(self, asked: int) -> Checked:
        """Return what the answers say; asked: how many more rows wait for one."""
        most = most_wrong(self.wrong, len(self.drawn))
        said, wrong = self.table["label"].iloc[self.drawn].to_numpy(), np.array(self.wrong, bool)
        checked = said[: len(wrong)]
        return Checked(
            table=str(self.path),
            answers=str(self.answers_path),
            scans=len(self.table),
            labels=len(self.drawn),
            least_score=self.least_score,
            expected_wrong=_choice(self.table, self.least_score).expected_wrong,
            others=tuple(one for one in self._choices() if one.labels != len(self.drawn)),
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
        """Write the table as it stands after the check, by the name of `out` CSV or Parquet.

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


def _require_labels(path: Path, table: pd.DataFrame) -> None:
    lacking = [name for name in ("path", "label", "score", "decision", "reason") if name not in table.columns]
    if lacking:
        raise FewscanError(f"{path} is no table that 'fewscan label' wrote: it has no column '{lacking[0]}'")


def worth_checking(probabilities: npt.NDArray[np.floating], share: float) -> float | None:
    """Return the score from which on at most a `share` of labels is expected to be wrong; None where it is more from any on.

    probabilities: (N, K), calibrated; a label's score grows with the largest of them, of which this is the least.
    """
    ranked = -np.sort(-probabilities.max(axis=1))
    within = np.flatnonzero(np.cumsum(1 - ranked) <= share * np.arange(1, len(ranked) + 1))
    return float(ranked[within[-1]]) if len(within) else None


def _chosen(table: pd.DataFrame, at_most: float) -> float:
    """Return the score from which on labels are checked: of those accepted, or else of those that are probably right."""
    accepted = table.loc[table["decision"] == "accept", "score"]
    if len(accepted):
        return float(accepted.min())
    least = _probably_right(table, at_most * EXPECTED_SHARE)
    if least is None:
        raise FewscanError(
            f"the run expects more than {100 * at_most * EXPECTED_SHARE:.1f} % of its labels to be wrong, also of those that "
            "it is surest of: say with --least-score which labels are to be checked, or label more scans and train again"
        )
    return least


def _from(table: pd.DataFrame, least_score: float) -> npt.NDArray[np.int64]:
    """Return the rows of scans in distribution from a score on."""
    usable = table["decision"].isin(("accept", "review"))
    return np.flatnonzero((usable & (table["score"] >= least_score)).to_numpy())


def _probabilities(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = table.iloc[rows].filter(regex="^probability_").to_numpy(np.float64)
    return found


def _probably_right(table: pd.DataFrame, share: float) -> float | None:
    """Return the score from which on at most a share of labels is expected to be wrong; None where there is none."""
    rows = _from(table, -np.inf)
    probabilities = _probabilities(table, rows)
    least = worth_checking(probabilities, share) if len(rows) else None
    return None if least is None else float(table["score"].iloc[rows[probabilities.max(axis=1) >= least]].min())


def _choice(table: pd.DataFrame, least_score: float) -> Choice:
    rows = _from(table, least_score)
    expected = 1 - _probabilities(table, rows).max(axis=1).mean()
    return Choice(least_score=least_score, labels=len(rows), expected_wrong=round(float(expected), 4))


def _random(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> np.random.Generator:
    """Return random numbers that follow from the labels that are checked."""
    digest = hashlib.sha256()
    for path, label in zip(table["path"].iloc[rows], table["label"].iloc[rows], strict=True):
        digest.update(f"{path}\0{label}\0".encode())
    return np.random.default_rng(int.from_bytes(digest.digest()[:16]))


def _answers(file: Path, paths: Sequence[str], classes: Sequence[str]) -> _Answers:
    """Read the answers in a file, whose rows are the first of `paths`.

    Raises FewscanError where they are not, where an answer is no class and none of NO_LABELS, and where one was passed over.
    """
    cells = read_cells(file)
    if lacking := [name for name in ("path", "label") if name not in cells.columns]:
        raise FewscanError(f"{file} has no column '{lacking[0]}': it is not what 'fewscan check' wrote")
    path, label = (cells.columns.index(name) for name in ("path", "label"))
    # A program that writes tables may leave out what is empty at the end of a row.
    width = len(cells.columns)
    cells = Cells(cells.columns, [(line, [*row, *[""] * width][:width]) for line, row in cells.rows])
    if [row[path] for _, row in cells.rows] != list(paths[: len(cells.rows)]):
        raise FewscanError(
            f"{file} holds other scans than are drawn first of these labels, or in another order: leave its rows as they are "
            "and give the same options again, or name another file with --answers"
        )
    words = {spelling_key(word): word for word in (*NO_LABELS, *classes)}
    given = [words.get(spelling_key(row[label])) if row[label].strip() else "" for _, row in cells.rows]
    for answer, (line, row) in zip(given, cells.rows, strict=True):
        if answer is None:
            raise FewscanError(f"{file}, line {line}: '{row[label]}' is none of {', '.join((*classes, *NO_LABELS))}")
    answered = given.index("") if "" in given else len(given)
    if any(given[answered:]):
        raise FewscanError(
            f"{file}, line {cells.rows[answered][0]} has no label, but a later one has: answer the scans in their order, with "
            "'unsure' where you are"
        )
    return _Answers(cells, tuple(word for word in given[:answered] if word is not None))


_NOTHING_ASKED = _Answers(Cells(("path", "label"), []), ())
