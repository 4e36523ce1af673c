"""What a comparison found, in sentences; the first says whether `joint` beats `supervised`."""

import numpy as np

from fewscan.comparison.plan import PROTOCOLS
from fewscan.comparison.results import Pair, Results
from fewscan.comparison.study import PUBLISHED
from fewscan.datasets.descriptions import Protocol
from fewscan.learning.registry import METHODS
from fewscan.reporting.comparison_tables import NOT_RUN, verdict
from fewscan.wording import counted, listed


def headline(results: Results) -> str:
    """Return one sentence: under each protocol, whether `joint`, or without it every other method, beats `supervised`."""
    plan = results.comparison.plan
    others = [method for method in plan.methods if method != "supervised"] or ["joint"]
    told = ["joint"] if "joint" in others else others
    sentence = "; ".join(_against_supervised(results, protocol, method) for protocol in plan.protocols for method in told)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _against_supervised(results: Results, protocol: Protocol, method: str) -> str:
    """Return the headline's clause about one protocol and method."""
    pair = results.pair(protocol, method, "supervised")
    if pair is None:
        why = _why_unpaired(results, protocol, method)
        return f"under {protocol} it is not known whether {method} beats supervised, since {why}"
    first, second = (method, "supervised") if pair.of_methods else (f"the one network of {method}", "that of supervised")
    if pair.difference > 0 and pair.significant:
        said = f"{first} beats {second} with statistical significance"
    elif pair.difference > 0:
        said = f"{first} does not beat {second} with statistical significance"
    elif pair.difference == 0:
        said = f"{first} does not beat {second}: they are level"
    elif pair.significant:
        said = f"{first} does not beat {second}: it is worse with statistical significance"
    else:
        said = f"{first} does not beat {second}: it is lower, though not with statistical significance"
    return f"under {protocol} {said} ({_evidence(results, pair)})"


def _why_unpaired(results: Results, protocol: Protocol, method: str) -> str:
    missing = [name for name in (method, "supervised") if not results.row(protocol, name).runs]
    if not missing:
        return "they were not run with a seed in common"
    return f"{listed(missing)} {'were' if len(missing) > 1 else 'was'} {NOT_RUN}"


def _evidence(results: Results, pair: Pair) -> str:
    """Return the two accuracies, their difference, its p-value and the number of seeds of a pair."""
    first, second = (_shared_accuracy(results, pair, method) for method in (pair.first, pair.second))
    seeds = counted(pair.seeds, "seed")
    p_value = chance(pair)
    return f"val_p_acc {first:.2f} % against {second:.2f} %, {points(pair.difference)} points, corrected {p_value}, {seeds}"


def _shared_accuracy(results: Results, pair: Pair, method: str) -> float:
    """Return the mean accuracy in percent of a method of `pair`, over the seeds that both were run with."""
    seeds = [{run.trial.seed for run in results.row(pair.protocol, name).runs} for name in (pair.first, pair.second)]
    shared = [run for run in results.row(pair.protocol, method).runs if run.trial.seed in set.intersection(*seeds)]
    return float(np.mean([run.percentages()["val_p_acc"] for run in shared]))


def ranking(results: Results, protocol: Protocol) -> str:
    """Return a sentence on whether `joint` is the best of the study's four rows in val_p_acc."""
    if not results.row(protocol, "joint").runs:
        return f"Under {protocol} the place of joint among the study's four rows is not known, since it was {NOT_RUN}."
    pairs = {other: results.pair(protocol, "joint", other) for other in PUBLISHED if other != "joint"}
    known = [pair for pair in pairs.values() if pair is not None]
    missing = [other for other, pair in pairs.items() if pair is None]
    rest = f" {listed(missing)} {'were' if len(missing) > 1 else 'was'} {NOT_RUN} with its seeds." if missing else ""
    if not known:
        return f"Under {protocol} joint has no other of the study's four rows to be compared with.{rest}"
    closest = min(known, key=lambda pair: pair.difference)
    rows = "those of the study's four rows that were run" if missing else "the study's four rows"
    if closest.difference > 0:
        said = f"joint is the best of {rows}, {closest.second} the next"
    elif closest.difference == 0:
        said = f"joint shares the first place among {rows} with {closest.second}"
    else:
        said = f"joint is not the best of {rows}: {closest.second} is better"
    return f"Under {protocol} {said} ({_evidence(results, closest)}: {verdict(closest)}).{rest}"


def worth_of_copies(results: Results) -> str:
    """Return a sentence with val_p_acc under `study` less that under `leakfree`, method by method."""
    plan = results.comparison.plan
    missing = [protocol for protocol in PROTOCOLS if protocol not in plan.protocols]
    if missing:
        return f"What copies in the test set are worth is not known, since protocol {missing[0]} was not planned."
    differences = {method: results.worth_of_copies(method) for method in METHODS}
    worth = {method: NOT_RUN if value is None else f"{points(value)} points" for method, value in differences.items()}
    if set(worth.values()) == {NOT_RUN}:
        return "What copies in the test set are worth is not known yet, since no method was run under both protocols."
    said = ", ".join(f"{method} {value}" for method, value in worth.items())
    return f"What copies in the test set are worth, val_p_acc under study less that under leakfree: {said}."


def points(difference: float) -> str:
    """Return a difference in points of percent, with its sign."""
    return f"{difference:+z.2f}"


def chance(pair: Pair) -> str:
    """Return a pair's corrected p-value."""
    return "p < 0.001" if pair.corrected_p_value < 0.001 else f"p = {pair.corrected_p_value:.3f}"
