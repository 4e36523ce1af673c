"""The scans of a dataset to label next, as a table that `labels set` takes once its column of labels is filled in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.choosing.disputed_wholes import DisputedWhole
from fewscan.choosing.model import held_out_accuracy
from fewscan.choosing.pool import Pool
from fewscan.choosing.scans import Scans
from fewscan.choosing.suggest import RANDOM_SHARE, Strategy, Suggestion, choose, honest_rows
from fewscan.errors import FewscanError
from fewscan.evaluation.intervals import Interval
from fewscan.labels.tables import choices_of
from fewscan.splits.units import Units
from fewscan.spreadsheet import write_spreadsheet
from fewscan.wording import counted

COPIES_DIFFER = "copies of it have different labels"
OF_WHOLE = "the label of these {:,} images as a whole is disputed: one answer is for all of them"


@dataclass(frozen=True)
class Suggested:
    """The suggested scans in order, and what they were chosen from."""

    suggestions: tuple[Suggestion, ...]
    table: pd.DataFrame  # a line each: path, label (empty), row, source, reason
    names: tuple[str, ...]  # source and path of each
    classes: tuple[str, ...]  # that the dataset has
    model: str | None  # what the probabilities come from, in words; None where there were none
    labels: int  # that can be learned from
    honest: int  # of these, that nobody chose
    accuracy: Interval | None  # on these, of a model that has not learned from them; None where they are too few
    asked: int  # how many suggestions were asked for
    kept_together: str  # of what one scan at most is suggested, in words
    open: int  # scans that could have been suggested
    judging: int  # scans that never are: of test set or validation set, or belonging to these
    set_aside: int  # likewise, since they cannot be used
    audited: bool

    def save(self, out: Path) -> None:
        """Write the table, as a workbook or as CSV by the name of `out`; raises FewscanError if that fails."""
        write_spreadsheet(self.table, out, choices=choices_of(self.classes))

    def summary(self) -> dict[str, Any]:
        """Return the suggestions, by rows of the dataset, for programs."""
        return {
            "suggestions": [one._asdict() for one in self.suggestions],
            "model": self.model,
            "labels": self.labels,
            "randomly_drawn_labels": self.honest,
            "accuracy": None if self.accuracy is None else self.accuracy.model_dump(),
            "open": self.open,
            "never_suggested_test_or_validation": self.judging,
            "never_suggested_set_aside": self.set_aside,
            "audited": self.audited,
        }

    def lines(self) -> list[str]:
        """Return a few lines for people: what was chosen, and what never is."""
        kinds = pd.Series([one.kind for one in self.suggestions]).value_counts()
        lines = [f"{counted(len(self.suggestions), 'scan')} to label next, out of {self.open:,} without a settled label"]
        lines += [
            f"  {kind}: {counted(int(kinds[kind]), 'scan')}"
            for kind in ("disputed", "random", "typical", "uncertain")
            if kind in kinds
        ]
        lines += [] if self.model is None else [f"uncertain: what {self.model} is unsure of"]
        if self.accuracy is not None:
            lines.append(
                f"logistic regression on the {self.labels:,} labels is right on {self.accuracy.percent} of the scans, measured "
                f"on the {self.honest:,} that were drawn at random"
            )
        if len(self.suggestions) < self.asked:
            lines.append(
                f"{self.asked:,} were asked for, but there are no others: of {self.kept_together} one scan at most is "
                "suggested at a time"
            )
        if self.judging:
            lines.append(f"never suggested: {counted(self.judging, 'scan')} in or belonging to the test or validation set")
        if self.set_aside:
            lines.append(f"never suggested: {counted(self.set_aside, 'file')} set aside")
        if not self.audited:
            lines.append("not audited: copies are unknown, so several copies of one scan may be suggested")
        return lines


def suggest_from(
    pool: Pool, count: int, *, strategy: Strategy = "auto", random_share: float = RANDOM_SHARE, seed: int = 0
) -> Suggested:
    """Return the scans of a pool to label next, `count` of them, 1 or more; raises FewscanError where none is left."""
    scans, manifest = pool.scans, pool.dataset.manifest
    chosen: dict[str, Any] = {"strategy": strategy, "random_share": random_share, "seed": seed}
    found = choose(_asked_once(scans, pool.wholes), count, probabilities=pool.probabilities, **chosen)
    wholes = {int(whole.rows[0]): whole for whole in pool.wholes}
    found = [_with_dispute(one, pool, wholes.get(one.row)) if one.kind == "disputed" else one for one in found]
    aside = int(manifest["set_aside"].notna().sum())
    if not found:
        raise FewscanError(
            f"{pool.dataset.folder} has no scan left to label: {int(pool.parts.judging.sum()):,} of its test or validation set "
            f"are never suggested, nor are {counted(aside, 'file')} that were set aside"
        )
    rows = np.array([one.row for one in found])
    folders = {source.name: str(source.folder).rstrip("/") for source in pool.dataset.description.sources}
    facts = manifest.iloc[rows]
    paths = [
        wholes[one.row].path if one.kind == "disputed" and one.row in wholes else path
        for one, path in zip(found, facts["path"], strict=True)
    ]
    table = pd.DataFrame(
        {
            "path": (facts["source"].map(folders) + "/" + paths).to_numpy(),
            "label": "",
            "row": rows,
            "source": facts["source"].to_numpy(),
            "reason": [one.why for one in found],
        }
    )
    honest = honest_rows(scans)
    names = tuple((facts["source"] + "/" + facts["path"]).tolist())
    return Suggested(
        tuple(found),
        table,
        names,
        pool.dataset.classes,
        pool.model if any(one.kind == "uncertain" for one in found) else None,
        len(scans.labeled),
        len(honest),
        held_out_accuracy(pool.features, scans.labels, scans.groups, pool.dataset.classes, pool.deviation, honest),
        count,
        f"each {Units.of(pool.dataset).noun}",
        int(scans.open.sum()),
        int((pool.parts.judging & manifest["set_aside"].isna().to_numpy()).sum()),
        aside,
        pool.dataset.description.audit is not None,
    )


def _with_dispute(one: Suggestion, pool: Pool, whole: DisputedWhole | None) -> Suggestion:
    """Return a disputed suggestion with what is disputed about it."""
    if whole is not None:
        return one._replace(why=OF_WHOLE.format(len(whole.rows)))
    return one._replace(why=COPIES_DIFFER) if pool.dataset.manifest["conflict"].iloc[one.row] else one


def _asked_once(scans: Scans, wholes: Sequence[DisputedWhole]) -> Scans:
    """Return the scans with one that is disputed, and to be labeled, of each whole."""
    others = [row for whole in wholes for row in whole.rows[1:].tolist()]
    open_, disputed = scans.open.copy(), scans.disputed.copy()
    open_[others] = disputed[others] = False
    return scans._replace(open=open_, disputed=disputed)
