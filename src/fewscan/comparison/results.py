"""What a comparison came to: every run's numbers, means and spread over seeds, and which differences are significant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.significance import holm, seeds_p_value
from fewscan.comparison.study import NUMBERS, PUBLISHED
from fewscan.datasets.descriptions import Protocol
from fewscan.evaluation.evaluate import PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.learning.registry import METHODS
from fewscan.spreadsheet import read_csv
from fewscan.training.run import Run

# Besides the study's four: what an evaluation says, each with its interval over the test images.
SCORES = ("balanced_accuracy", "auroc", "calibration_error", "similarity_accuracy", "nearest_neighbor_accuracy")

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class EvaluatedRun:
    """A trial that is trained and evaluated."""

    trial: Trial
    run: Run
    evaluation: Evaluation

    def percentages(self) -> dict[str, float | None]:
        """Return the study's four numbers and our scores, in percent; None where one is not defined."""
        values: dict[str, float | None] = {name: getattr(self.evaluation, name) for name in NUMBERS}
        values |= {name: getattr(self.evaluation, name).value for name in SCORES}
        return {name: None if value is None else 100 * value for name, value in values.items()}

    @property
    def left_out_features(self) -> float | None:
        """How many features `r_acc` leaves out because they are constant, a mean over the last epoch's batches."""
        left_out: float | None = self.run.metrics()[-1].get("r_acc_left_out")
        return left_out

    def hits(self) -> pd.Series:
        """Return whether each test image was called right, True or False by its row number."""
        path = self.run.folder / PREDICTIONS_FILE
        anew = f"run 'fewscan evaluate {self.run.folder} --overwrite'"
        table = read_csv(path, {"row": "int64", "label": "str", "predicted": "str"}, anew)
        return pd.Series((table["label"] == table["predicted"]).to_numpy(), index=table["row"])


@dataclass(frozen=True)
class Cell:
    """A number of a method: its mean over the seeds that were run, in percent, and what the study has."""

    mean: float | None  # None where no run defined it
    spread: float | None  # standard deviation over seeds; None for fewer than two
    published: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the study's, in points of percent."""
        return None if self.mean is None or self.published is None else self.mean - self.published


@dataclass(frozen=True)
class Row:
    """A method under a protocol, over all its seeds; without runs it was not run."""

    protocol: Protocol
    method: str
    runs: tuple[EvaluatedRun, ...]

    def cell(self, name: str) -> Cell:
        """Return one of the study's four numbers or of SCORES."""
        known = [value for run in self.runs if (value := run.percentages()[name]) is not None]
        return Cell(
            mean=float(np.mean(known)) if known else None,
            spread=float(np.std(known, ddof=1)) if len(known) > 1 else None,
            published=PUBLISHED.get(self.method, {}).get(name),
        )

    @property
    def left_out_features(self) -> float | None:
        """How many features `r_acc` leaves out because they are constant, the mean over runs."""
        known = [run.left_out_features for run in self.runs if run.left_out_features is not None]
        return float(np.mean(known)) if known else None

    @property
    def test_interval(self) -> Interval | None:
        """The 95 % interval over the test images, of the one run where there is one only."""
        return self.runs[0].evaluation.accuracy if len(self.runs) == 1 else None


@dataclass(frozen=True)
class Pair:
    """Two methods on the same test images, over the seeds that both were run with; of one seed, their two networks alone."""

    protocol: Protocol
    first: str
    second: str
    seeds: int
    test_images: int
    difference: float  # accuracy of the first less that of the second, in points of percent
    p_value: float
    corrected_p_value: float  # for all pairs of the protocol

    @property
    def significant(self) -> bool:
        """Whether the difference is statistically significant, at the level SIGNIFICANT after the correction."""
        return self.corrected_p_value < SIGNIFICANT

    @property
    def of_methods(self) -> bool:
        """Whether the test speaks of the methods, other seeds included; of one seed it speaks of two networks."""
        return self.seeds > 1


@dataclass(frozen=True)
class Results:
    """All that a comparison came to. `rows` holds every method under every planned protocol, run or not."""

    comparison: Comparison
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    def row(self, protocol: Protocol, method: str) -> Row:
        """Return the row of a method under a protocol."""
        return next(row for row in self.rows if (row.protocol, row.method) == (protocol, method))

    def pair(self, protocol: Protocol, first: str, second: str) -> Pair | None:
        """Return the comparison of two methods, `first` less `second`, or None where either was not run."""
        found = [pair for pair in self.pairs if pair.protocol == protocol and {pair.first, pair.second} == {first, second}]
        if not found or found[0].first == first:
            return found[0] if found else None
        return replace(found[0], first=first, second=second, difference=-found[0].difference)

    def worth_of_copies(self, method: str) -> float | None:
        """Return val_p_acc under `study` less that under `leakfree`, in points; None where a protocol was not run."""
        means = {row.protocol: row.cell("val_p_acc").mean for row in self.rows if row.method == method}
        study, leakfree = means.get("study"), means.get("leakfree")
        return None if study is None or leakfree is None else study - leakfree

    @property
    def stands_in(self) -> bool:
        """Whether a source is a stand-in for the study's third one, which could not be fetched."""
        sources = self.comparison.dataset(self.comparison.plan.protocols[0]).description.sources
        return any("standin" in source.name.lower().replace("-", "").replace("_", "") for source in sources)


def collect(comparison: Comparison) -> Results:
    """Read all that is trained and evaluated in a comparison's folder; nothing is trained, and no test set is opened."""
    rows = []
    pairs = []
    for protocol in comparison.plan.protocols:
        of_protocol = [_row(comparison, protocol, method) for method in METHODS]
        rows += of_protocol
        pairs += _pairs(comparison, protocol, [row for row in of_protocol if row.runs])
    return Results(comparison, tuple(rows), tuple(pairs))


def _row(comparison: Comparison, protocol: Protocol, method: str) -> Row:
    found = []
    for seed in comparison.plan.seeds:
        trial = Trial(protocol, method, seed)
        run = comparison.finished_run(trial) if trial in comparison.plan.trials else None
        evaluation = None if run is None else Evaluation.load(run)
        if run is not None and evaluation is not None:
            found.append(EvaluatedRun(trial, run, evaluation))
    return Row(protocol, method, tuple(found))


def _pairs(comparison: Comparison, protocol: Protocol, rows: Sequence[Row]) -> list[Pair]:
    groups = comparison.dataset(protocol).groups
    hits = {row.method: {run.trial.seed: run.hits() for run in row.runs} for row in rows}
    found = []
    for first, second in combinations(hits, 2):
        seeds = sorted(hits[first].keys() & hits[second].keys())
        if not seeds:
            continue
        hits_a, hits_b = (
            np.stack([hits[method][seed].to_numpy(dtype=np.float64) for seed in seeds]) for method in (first, second)
        )
        p_value = seeds_p_value(hits_a, hits_b, groups[hits[first][seeds[0]].index.to_numpy()])
        difference = 100 * float(hits_a.mean() - hits_b.mean())
        found.append(Pair(protocol, first, second, len(seeds), hits_a.shape[1], difference, p_value, p_value))
    corrected = holm([pair.p_value for pair in found])
    return [replace(pair, corrected_p_value=p_value) for pair, p_value in zip(found, corrected, strict=True)]
