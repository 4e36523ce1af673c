"""Which method is best under a protocol, and whether it beats the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fewscan.comparison.results import LEVEL_DECIMALS, METRICS, Pair, Results, Row
from fewscan.datasets.descriptions import Protocol


@dataclass(frozen=True)
class Standing:
    """A method's row beside the baseline."""

    row: Row
    place: int | None  # 1 for the highest mean of the score that ranks; None where it was not run
    against_baseline: Pair | None  # the method less the baseline; None for the baseline itself, and where either was not run

    def numbers(self) -> dict[str, Any]:
        """Return all of it for programs: percent, minutes and points of percent, None where there is no such number."""
        pair = self.against_baseline
        cells = {metric: self.row.cell(metric) for metric in METRICS}
        return {
            "protocol": self.row.protocol,
            "method": self.row.method,
            "place": self.place,
            "runs": len(self.row.runs),
            **{f"{metric}_percent_mean": cell.mean for metric, cell in cells.items()},
            **{f"{metric}_percent_sd": cell.spread for metric, cell in cells.items()},
            "training_minutes_mean": self.row.training_minutes,
            "less_baseline_points": None if pair is None else pair.difference,
            "corrected_p_value": None if pair is None else pair.corrected_p_value,
            "statistically_significant": None if pair is None else pair.significant,
        }


def standings(results: Results, protocol: Protocol, methods: Sequence[str], baseline: str | None) -> list[Standing]:
    """Return the methods in their order, each with its place and held against `baseline`."""
    rows = [results.row(protocol, method) for method in methods]
    means = [_mean(row, results.ranked_by) for row in rows]
    return [
        Standing(
            row,
            place=None if mean is None else 1 + sum(other > mean for other in means if other is not None),
            against_baseline=None if baseline is None else results.pair(protocol, row.method, baseline),
        )
        for row, mean in zip(rows, means, strict=True)
    ]


def leaderboard(results: Results, protocol: Protocol) -> list[Standing]:
    """Return the planned methods, the best first and those that were not run last."""
    found = standings(results, protocol, results.methods, results.comparison.plan.baseline)
    return sorted(found, key=lambda each: (each.place is None, each.place or 0))


def _mean(row: Row, score: str) -> float | None:
    mean = row.cell(score).mean
    return None if mean is None else round(mean, LEVEL_DECIMALS)


@dataclass(frozen=True)
class Outcome:
    """Which methods have the highest mean of the score that ranks, and what that is worth."""

    leaders: tuple[str, ...]  # none where nothing was run
    alone: bool  # no other method was run
    baseline: str | None
    beats_baseline: bool | None  # with statistical significance; None where it is not known, or where the baseline leads
    of_methods: bool  # not of networks of one seed alone


def outcome(found: Sequence[Standing], baseline: str | None) -> Outcome:
    """Return what came out under one protocol."""
    leaders = [each for each in found if each.place == 1]
    pairs = [each.against_baseline for each in leaders]
    known = [pair.significant and pair.difference > 0 for pair in pairs if pair is not None]
    ran = [each.row.method for each in found if each.row.runs]
    return Outcome(
        leaders=tuple(each.row.method for each in leaders),
        alone=len(ran) == 1,
        baseline=baseline,
        beats_baseline=all(known) if known and len(known) == len(pairs) else None,
        of_methods=all(pair.of_methods for pair in pairs if pair is not None),
    )
