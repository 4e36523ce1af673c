"""What a comparison came to: every run's numbers, means and spread over seeds, and which differences are significant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from fewscan.comparison.plan import Comparison, RankedBy, Trial
from fewscan.comparison.significance import class_weights, holm, seeds_p_value
from fewscan.datasets.descriptions import Protocol, SplitDescription
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.spreadsheet import read_csv
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.wording import command_line

# Every score on the test images that an evaluation has, each with its interval.
METRICS = tuple(name for name, field in Evaluation.model_fields.items() if field.annotation is Interval)

SIGNIFICANT = 0.05
LEVEL_DECIMALS = 9  # of percent: scores that agree so far are level


@dataclass(frozen=True)
class EvaluatedRun:
    """A trained and evaluated trial."""

    trial: Trial
    run: Run
    evaluation: Evaluation

    @property
    def anew(self) -> str:
        """The command that evaluates the run again."""
        return command_line("evaluate", *self.run.called, "--overwrite")

    def interval(self, metric: str) -> Interval:
        """Return one of METRICS with its interval over the test images."""
        interval: Interval = getattr(self.evaluation, metric)
        return interval

    def percent(self, number: str) -> float | None:
        """Return one of METRICS, or another share that the evaluation holds, in percent; None where it is not defined."""
        share = getattr(self.evaluation, number)
        value: float | None = share.value if isinstance(share, Interval) else share
        return None if value is None else 100 * value

    def tested(self) -> pd.DataFrame:
        """Return of each test image, by its row number, its `label`, and whether it was called `right`."""
        path = self.run.folder / PREDICTIONS_FILE
        table = read_csv(path, {"row": "int64", "label": "str", "predicted": "str"}, f"run '{self.anew}'")
        return table.set_index("row").assign(right=table["label"].eq(table["predicted"]).to_numpy())[["label", "right"]]


@dataclass(frozen=True)
class Cell:
    """One score of a method over its runs, in percent."""

    mean: float | None  # None where no run defined it
    spread: float | None  # standard deviation over seeds; None for fewer than two


@dataclass(frozen=True)
class Row:
    """A method under a protocol, over all its seeds; without runs it was not run."""

    protocol: Protocol
    method: str
    runs: tuple[EvaluatedRun, ...]

    def cell(self, number: str) -> Cell:
        """Return one of METRICS, or another share that evaluations hold, over the runs."""
        known = [value for run in self.runs if (value := run.percent(number)) is not None]
        return Cell(
            mean=float(np.mean(known)) if known else None,
            spread=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        )

    def interval(self, metric: str) -> Interval | None:
        """Return the 95 % interval over the test images of one of METRICS, of the one run if there is one only; else None."""
        return self.runs[0].interval(metric) if len(self.runs) == 1 and metric in METRICS else None

    @property
    def training_minutes(self) -> float | None:
        """Mean training time of a run, in minutes; None if none was run."""
        return float(np.mean([each.run.training_seconds for each in self.runs])) / 60 if self.runs else None


@dataclass(frozen=True)
class Pair:
    """Two methods on the same test images, over the seeds that both were run with; of one seed, their two networks alone."""

    protocol: Protocol
    first: str
    second: str
    seeds: int
    test_images: int
    difference: float  # of the score that ranks, the first's less the second's, in points of percent
    p_value: float
    corrected_p_value: float  # for all pairs of the protocol

    @property
    def significant(self) -> bool:
        """Whether the difference is statistically significant, at the level SIGNIFICANT after the correction."""
        return self.corrected_p_value < SIGNIFICANT

    @property
    def of_methods(self) -> bool:
        """Whether the test is about the methods, including other seeds; with one seed it is about two networks."""
        return self.seeds > 1


@dataclass(frozen=True)
class Results:
    """All that a comparison came to. `rows` holds every planned method under every planned protocol, run or not."""

    comparison: Comparison
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """The planned methods."""
        return self.comparison.plan.methods

    @property
    def ranked_by(self) -> RankedBy:
        """The score whose mean ranks the methods, and whose differences `pairs` are."""
        return self.comparison.plan.ranked_by

    @property
    def metrics(self) -> tuple[str, ...]:
        """METRICS, the one that ranks first."""
        return tuple(sorted(METRICS, key=lambda name: name != self.ranked_by))

    @cached_property
    def trials(self) -> dict[Trial, EvaluatedRun | None]:
        """Every planned training, and what came of it; None where it was not run."""
        evaluated = {run.trial: run for row in self.rows for run in row.runs}
        return {trial: evaluated.get(trial) for trial in self.comparison.plan.trials}

    @cached_property
    def splits(self) -> dict[Protocol, SplitDescription]:
        """The split of each planned protocol."""
        return {protocol: self.comparison.dataset(protocol).require_split() for protocol in self.comparison.plan.protocols}

    @cached_property
    def settings(self) -> dict[Trial, RunSettings]:
        """The settings that every planned training was given, or would be."""
        return {trial: self.comparison.settings(trial) for trial in self.comparison.plan.trials}

    @cached_property
    def image_size_px(self) -> int:
        """The images' size."""
        return self.comparison.dataset(self.comparison.plan.protocols[0]).spec.size_px

    @cached_property
    def leaking_pairs(self) -> dict[Protocol, int | None]:
        """How many pairs each protocol's split leaks; None where no run says."""
        known = {row.protocol: run.evaluation.leaking_pairs for row in self.rows for run in row.runs}
        return {protocol: known.get(protocol) for protocol in self.comparison.plan.protocols}

    def row(self, protocol: Protocol, method: str) -> Row:
        """Return the row of a method under a protocol, without runs where it was not planned."""
        found = (row for row in self.rows if (row.protocol, row.method) == (protocol, method))
        return next(found, Row(protocol, method, ()))

    def pair(self, protocol: Protocol, first: str, second: str) -> Pair | None:
        """Return the comparison of two methods, `first` less `second`, or None where either was not run."""
        found = [pair for pair in self.pairs if pair.protocol == protocol and {pair.first, pair.second} == {first, second}]
        if not found or found[0].first == first:
            return found[0] if found else None
        return replace(found[0], first=first, second=second, difference=-found[0].difference)

    def shared_mean(self, pair: Pair, method: str) -> float:
        """Return the mean score in percent of a method of `pair`, over the seeds that both were run with."""
        seeds = [{run.trial.seed for run in self.row(pair.protocol, name).runs} for name in (pair.first, pair.second)]
        shared = [run for run in self.row(pair.protocol, method).runs if run.trial.seed in set.intersection(*seeds)]
        return float(np.mean([run.percent(self.ranked_by) for run in shared]))


def collect(comparison: Comparison) -> Results:
    """Read all that is trained and evaluated in a comparison's folder; nothing is trained, and no test set is opened."""
    rows = []
    pairs = []
    for protocol in comparison.plan.protocols:
        of_protocol = [_row(comparison, protocol, method) for method in comparison.plan.methods]
        rows += of_protocol
        pairs += _pairs(comparison, protocol, [row for row in of_protocol if row.runs])
    return Results(comparison, tuple(rows), tuple(pairs))


def _row(comparison: Comparison, protocol: Protocol, method: str) -> Row:
    found = []
    for seed in comparison.plan.seeds_of(protocol, method):
        trial = Trial(protocol, method, seed)
        run = comparison.finished_run(trial)
        evaluation = None if run is None else Evaluation.load(run)
        if run is not None and evaluation is not None:
            found.append(EvaluatedRun(trial, run, evaluation))
    return Row(protocol, method, tuple(found))


def _pairs(comparison: Comparison, protocol: Protocol, rows: Sequence[Row]) -> list[Pair]:
    groups = comparison.dataset(protocol).groups
    tested = {row.method: {run.trial.seed: run.tested() for run in row.runs} for row in rows}
    _require_same_images([(run, tested[row.method][run.trial.seed]) for row in rows for run in row.runs])
    found = []
    for first, second in combinations(tested, 2):
        seeds = sorted(tested[first].keys() & tested[second].keys())
        if not seeds:
            continue
        hits_a, hits_b = (
            np.stack([tested[method][seed]["right"].to_numpy(dtype=np.float64) for seed in seeds]) for method in (first, second)
        )
        images = tested[first][seeds[0]]
        weights = None if comparison.plan.ranked_by == "accuracy" else class_weights(images["label"].to_numpy(dtype=np.str_))
        p_value = seeds_p_value(hits_a, hits_b, groups[images.index.to_numpy()], weights)
        # Methods that are level differ by nothing, whatever the fractions were that their scores are sums of.
        points = round(100 * float(np.average((hits_a - hits_b).mean(axis=0), weights=weights)), LEVEL_DECIMALS)
        found.append(Pair(protocol, first, second, len(seeds), len(images), points, p_value, p_value))
    corrected = holm([pair.p_value for pair in found])
    return [replace(pair, corrected_p_value=p_value) for pair, p_value in zip(found, corrected, strict=True)]


def _require_same_images(tested: Sequence[tuple[EvaluatedRun, pd.DataFrame]]) -> None:
    """Refuse runs of one protocol that were scored on different test images, or by different labels."""
    if not tested:
        return
    (first, images), *others = tested
    for run, table in others:
        if not table["label"].equals(images["label"]):
            raise FewscanError(
                f"{first.trial} and {run.trial} were evaluated on different test images or labels: evaluate each run of the "
                f"comparison again, the first with '{first.anew}'"
            )
