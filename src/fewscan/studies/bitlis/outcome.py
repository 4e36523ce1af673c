"""What a comparison came to, as the study counts: its four numbers beside ours."""

from dataclasses import dataclass

import numpy as np

from fewscan.comparison.results import Cell, EvaluatedRun, Results, Row
from fewscan.reporting.comparing import sentences
from fewscan.studies.bitlis.published import PUBLISHED

# What fewscan calls the accuracy on the test images.
OURS = {"val_p_acc": "accuracy"}
STAND_IN = "Third source: stand-in, drawn from Sartaj's images, since the study's third source could not be fetched."


@dataclass(frozen=True)
class Number(Cell):
    """One of the study's numbers, or of our scores: ours over the runs, in percent, and what the study has."""

    published: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the study's, in points of percent."""
        return None if self.mean is None or self.published is None else self.mean - self.published


def number(row: Row, name: str) -> Number:
    """Return one of the study's four numbers, or another share that evaluations hold."""
    cell = row.cell(OURS.get(name, name))
    return Number(cell.mean, cell.spread, PUBLISHED.get(row.method, {}).get(name))


def ours(row: Row, name: str) -> str:
    """Return a number of ours in percent: mean ± spread over seeds, or of one seed the value and its interval."""
    return sentences.ours(row, OURS.get(name, name))


def left_out_features(run: EvaluatedRun) -> float | None:
    """Return how many features `r_acc` leaves out because they are constant, a mean over the last epoch's batches."""
    left_out: float | None = run.run.metrics()[-1].get("r_acc_left_out")
    return left_out


def mean_left_out(row: Row) -> float | None:
    """Return the same, the mean over runs."""
    known = [value for run in row.runs if (value := left_out_features(run)) is not None]
    return float(np.mean(known)) if known else None


def stands_in(results: Results) -> bool:
    """Return whether a source is a stand-in for the study's third one, which could not be fetched: its name says so."""
    sources = results.comparison.dataset(results.comparison.plan.protocols[0]).description.sources
    return any("standin" in source.name.lower().replace("-", "").replace("_", "") for source in sources)
