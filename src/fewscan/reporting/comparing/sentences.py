"""What a comparison found, in words: the one place for its sentences."""

from collections.abc import Sequence

from fewscan.comparison.budgets import LabelEfficiency
from fewscan.comparison.plan import Plan
from fewscan.comparison.ranking import Outcome, Standing, leaderboard, outcome
from fewscan.comparison.results import Pair, Results, Row
from fewscan.comparison.ways import Way
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.protocols import keeps_groups, titled
from fewscan.training.settings import RunSettings
from fewscan.wording import counted, listed

NOT_RUN = "not run"
NOT_DEFINED = "not defined"

# Scores as people call them; one that is not here goes by its own name.
TITLES = {
    "auroc": "AUROC, mean of classes",
    "calibration_error": "calibration error (ECE)",
    "similarity_accuracy": "similarity read-out",
    "nearest_neighbor_accuracy": "nearest labeled neighbor",
}


def title(metric: str) -> str:
    """Return what a metric is called."""
    return TITLES.get(metric, metric.replace("_", " "))


def hundredths(value: float | None) -> str:
    """Return a number with two decimals, `-0.00` never; `not defined` for None."""
    return NOT_DEFINED if value is None else f"{value:z.2f}"


def ours(row: Row, metric: str) -> str:
    """Return a score in percent: mean ± spread over seeds, or of one seed the value and its interval."""
    if not row.runs:
        return NOT_RUN
    cell = row.cell(metric)
    if cell.spread is not None:
        return f"{hundredths(cell.mean)} ± {hundredths(cell.spread)}"
    interval = row.interval(metric)
    return hundredths(cell.mean) if interval is None else interval.said(100, 2, "")


def points(difference: float) -> str:
    """Return a difference in points of percent, with its sign."""
    return f"{difference:+z.2f}"


def chance(pair: Pair) -> str:
    """Return a pair's corrected p-value."""
    return "p < 0.001" if pair.corrected_p_value < 0.001 else f"p = {pair.corrected_p_value:.3f}"


def verdict(pair: Pair) -> str:
    """Return in words whether a difference is significant, and of one seed that this is said of two networks alone."""
    return _for_whom(pair, "statistically significant" if pair.significant else "not statistically significant")


def direction(pair: Pair) -> str:
    """Return the verdict as beside its numbers: where it is significant, which way; `significantly lower`."""
    if not pair.significant:
        return verdict(pair)
    return _for_whom(pair, f"significantly {'higher' if pair.difference > 0 else 'lower'}")


def _for_whom(pair: Pair, said: str) -> str:
    return said if pair.of_methods else f"{said} for these two networks"


def place(protocols: Sequence[Protocol], protocol: Protocol) -> str:
    """Return where a sentence about one of `protocols` holds; one that keeps copies together is named beside others only."""
    return "On the test set," if len(protocols) == 1 and keeps_groups(protocol) else f"On the split {titled(protocol)},"


def headline(results: Results) -> list[str]:
    """Return one sentence a protocol: which method is best, and whether it beats the baseline."""
    return [_best(results, protocol) for protocol in results.comparison.plan.protocols]


def efficiency_headline(efficiency: LabelEfficiency) -> list[str]:
    """Return one sentence a protocol: which method is best with how many labels, and whether it beats the baseline."""
    return [_best_by_budget(efficiency, protocol) for protocol in efficiency.protocols]


def _best(results: Results, protocol: Protocol) -> str:
    found = leaderboard(results, protocol)
    baseline = results.comparison.plan.baseline
    came_out = outcome(found, baseline)
    where = place(results.comparison.plan.protocols, protocol)
    said = f"{where} {_said(came_out, results.ranked_by)}"
    pair = _told_pair(results, protocol, found, came_out)
    if pair is None:
        return f"{said}{_why_unpaired(results, protocol, came_out)}."
    if pair.first in came_out.leaders and pair.second == baseline:
        return f"{said}: {evidence(results, pair)}."
    return f"{said}; {pair.second}, the next, is {_below(pair)}: {evidence(results, pair)}."


def _told_pair(results: Results, protocol: Protocol, found: Sequence[Standing], came_out: Outcome) -> Pair | None:
    """Return the pair whose numbers the headline gives: the best method and the baseline, or without one the next."""
    if not came_out.leaders:
        return None
    best, baseline = came_out.leaders[0], came_out.baseline
    if baseline is not None and baseline not in came_out.leaders:
        return results.pair(protocol, best, baseline)
    if baseline is None or came_out.leaders == (baseline,):
        following = [each.row.method for each in found if each.place is not None and each.place > 1]
        return results.pair(protocol, best, following[0]) if following else None
    return results.pair(protocol, next(name for name in came_out.leaders if name != baseline), baseline)


def _below(pair: Pair) -> str:
    """Return how the second of a pair stands to the first."""
    if pair.difference > 0:
        return f"lower {_significance(pair)}"
    return "equal" if pair.difference == 0 else "not lower on the seeds that both were run with"


def _significance(pair: Pair) -> str:
    return "with statistical significance" if pair.significant else "though not with statistical significance"


def evidence(results: Results, pair: Pair, score: str = "") -> str:
    """Return the two scores of a pair, their difference, its p-value, and what that p-value is about.

    score: what the score that ranks is called, if not by its own name.
    """
    first, second = (results.shared_mean(pair, method) for method in (pair.first, pair.second))
    against = f"{first:.2f} % against {second:.2f} %"
    numbers = f"{score or title(results.ranked_by)} {against}, {points(pair.difference)} points, corrected {chance(pair)}"
    images = counted(pair.test_images, "test image")
    if pair.of_methods:
        return f"{numbers}, allowing for chance in {images} and in {pair.seeds} seeds"
    return f"{numbers}, allowing for chance in {images} and not in seeds, so for these two networks alone"


def _why_unpaired(results: Results, protocol: Protocol, came_out: Outcome) -> str:
    """Return what the headline says where the best method was not held against another."""
    if not came_out.leaders or came_out.alone or came_out.baseline in came_out.leaders or came_out.baseline is None:
        return ""
    if not results.row(protocol, came_out.baseline).runs:
        return f", since {came_out.baseline} was {NOT_RUN}"
    return ", since they were not run with a seed in common"


def _best_by_budget(efficiency: LabelEfficiency, protocol: Protocol) -> str:
    """Return the headline's sentence about one protocol; budgets with the same outcome are named together."""
    alike: dict[Outcome, list[str]] = {}
    for labels in efficiency.budgets:
        found = [point.standing for point in efficiency.points_of(labels, protocol)]
        alike.setdefault(outcome(found, efficiency.baseline), []).append(f"{labels:,}")
    score = efficiency.ranked_by
    clauses = [_said(came_out, score, f" with {listed(budgets)} labels") for came_out, budgets in alike.items()]
    return f"{place(efficiency.protocols, protocol)} {'; '.join(clauses)}."


def _said(came_out: Outcome, score: str, where: str = "") -> str:
    """Return the clause about what came out; `where` says with which labels."""
    names, one = came_out.leaders, len(came_out.leaders) == 1
    if not names:
        return f"nothing was run{where}"
    if came_out.alone:
        return f"only {names[0]} was run{where}"
    said = f"{listed(names)} {'has' if one else 'share'} the highest mean {title(score)}{where}"
    baseline = came_out.baseline
    if baseline is None:
        return f"{said}, with no baseline to compare {'it' if one else 'them'} with"
    if baseline in names:
        return f"{said}: no method beats the baseline" if one else f"{said}, the baseline among them"
    if came_out.beats_baseline is None:
        return f"{said}, and whether {'it beats' if one else 'they beat'} the baseline {baseline} is not known"
    whose = "" if came_out.of_methods else ", as far as networks of one seed tell"
    if came_out.beats_baseline:
        return f"{said} and {'beats' if one else 'beat'} the baseline {baseline} with statistical significance{whose}"
    return f"{said}, but {'does' if one else 'do'} not beat the baseline {baseline} with statistical significance{whose}"


def worth_of_copies(results: Results) -> str | None:
    """Return a sentence with the accuracy where copies may cross less that where they may not, method by method.

    None where the comparison has not both kinds of protocol.
    """
    protocols = results.comparison.plan.protocols
    kept = [protocol for protocol in protocols if keeps_groups(protocol)]
    crossing = [protocol for protocol in protocols if not keeps_groups(protocol)]
    if not kept or not crossing:
        return None
    differences = {method: copies_worth(results, method, crossing[0], kept[0]) for method in results.methods}
    if all(value is None for value in differences.values()):
        return "The effect of copies in the test set is not known yet, since no method was run on both kinds of split."
    worth = [f"{method} {NOT_RUN if value is None else f'{points(value)} points'}" for method, value in differences.items()]
    said = ", ".join(worth)
    return (
        f"Effect of copies in the test set, accuracy on the split {titled(crossing[0])} minus that {titled(kept[0])}: {said}."
    )


def copies_worth(results: Results, method: str, crossing: Protocol, kept: Protocol) -> float | None:
    """Return the accuracy under one protocol less that under the other, in points; None where either was not run."""
    high, low = (results.row(protocol, method).cell("accuracy").mean for protocol in (crossing, kept))
    return None if high is None or low is None else high - low


def caption(results: Results) -> str:
    """Return in a sentence or two how the runs were made."""
    plan = results.comparison.plan
    parts = [
        *filter(None, [epochs_said(list(results.settings.values()))]),
        f"{results.image_size_px} px",
        counted(plan.split.labeled, "label"),
        counted(plan.split.test, "test image"),
        _seeds(plan.seeds),
    ]
    missing = sum(run is None for run in results.trials.values())
    said = f" {missing} of {len(plan.trials)} planned runs were {NOT_RUN}." if missing else ""
    return f"Recipe {plan.recipe_as_changed}: {', '.join(parts)}.{said}"


def epochs_said(settings: Sequence[RunSettings]) -> str:
    """Return how many epochs the methods had that were not solved at once, `1 to 25 epochs`; nothing where all were."""
    epochs = [one.epochs for one in settings if not one.solved]
    return f"{ranging(epochs)} {'epoch' if max(epochs) == 1 else 'epochs'}" if epochs else ""


def on_ways(methods: Sequence[str], recipe: str) -> list[str]:
    """Return a sentence on each of `methods` that is more than a method by the comparison's recipe."""
    return [said for name in methods if (said := _on_way(name, recipe))]


def _on_way(name: str, recipe: str) -> str:
    way = Way.read(name)
    said = []
    if way.first is not None:
        said.append(
            f"an encoder first learns by {way.first}, without labels, from all scans but the test set and what belongs to it; "
            f"then {way.method} learns from the labels. The encoder learns once, and all runs begin with it: neither the "
            "spread over seeds nor p covers other such encoders, and minutes leave out its training"
        )
    if way.recipe is not None:
        said.append(f"by recipe {way.recipe}, not {recipe}" if way.recipe != recipe else f"by recipe {recipe}")
    return f"{name}: {'; '.join(said)}." if said else ""


def on_encoders(results: Results) -> str | None:
    """Return a sentence on which encoder each method has, where they have not all the same one; else None."""
    methods: dict[str, list[str]] = {}
    for trial, settings in results.settings.items():
        encoder = settings.encoder.without_folders
        weights = f"weights {encoder.weights}" if encoder.weights else "random weights"
        named = methods.setdefault(f"{encoder.name} ({weights} at first)", [])
        if trial.method not in named:
            named.append(trial.method)
    if len(methods) < 2:
        return None
    said = "; ".join(f"{listed(names)}: {encoder}" for encoder, names in methods.items())
    return f"Not all methods have the same encoder, so differences in scores also come from encoders. {said}."


def efficiency_caption(efficiency: LabelEfficiency) -> str:
    """Return in a sentence or two how the runs with every budget were made."""
    plan = efficiency.plans[0]
    size_px = efficiency.results[efficiency.budgets[0]].image_size_px
    said = (
        f"Recipe {plan.recipe_as_changed}: {size_px} px, the same {counted(plan.split.test, 'test image')} "
        f"with every budget, {_seeds(all_seeds(efficiency.plans))}."
    )
    planned = sum(len(each.trials) for each in efficiency.plans)
    missing = planned - sum(len(point.row.runs) for point in efficiency.points)
    return f"{said} {missing} of {planned} planned runs were {NOT_RUN}." if missing else said


def all_seeds(plans: Sequence[Plan]) -> list[int]:
    """Return the seeds of any plan, the lowest first."""
    return sorted({seed for plan in plans for seed in plan.seeds})


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}"


def ranging(numbers: Sequence[int]) -> str:
    """Return numbers by their lowest and highest, `1 to 25`."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
