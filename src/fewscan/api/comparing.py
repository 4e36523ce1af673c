"""The verb compare: several methods, seeds, protocols, and budgets of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import SIZED, opened_snapshot
from fewscan.api.several import listed_names, listed_numbers
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.locks import alone
from fewscan.wording import counted

if TYPE_CHECKING:
    from fewscan.comparison.budgets import LabelEfficiency
    from fewscan.comparison.plan import Comparison, RankedBy
    from fewscan.comparison.results import Results
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.descriptions import Shares
    from fewscan.datasets.snapshot import Snapshot


def compare(
    dataset: str | Path | Dataset | Snapshot,
    *,
    out: str | Path,
    methods: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] = 0,
    protocols: str | Sequence[str] = "leakfree",
    recipe: str = "fewscan",
    labeled: int | None = None,
    test: int | None = None,
    validation: float | None = None,
    shares: Shares | None = None,
    baseline: str | None = None,
    rank_by: RankedBy | None = None,
    jobs: int | None = None,
    train: bool = True,
    **settings: Any,
) -> Results:
    """Train `methods` x `seeds` x `protocols` on a dataset, and write tables, figures and a page that compares them into `out`.

    methods: all by default; "supervised,simclr+propagation" is a list of them, too. baseline: the method that the others are
    compared with, by default `supervised` if it is among them. rank_by: the score by which methods are ranked and tested, by
    default accuracy. labeled, test, validation, shares: by default those of the dataset's split. train: if False, the tables
    have what is finished, and `not run` for the rest. A call with the same `out` continues, and trains only what is not yet
    trained.
    Raises FewscanError if a run failed, after all others were trained and the tables written.
    """
    from fewscan.comparison.plan import Comparison
    from fewscan.comparison.planning import make_plan

    plan = make_plan(
        dataset_for(dataset, jobs, train=train),
        methods=None if methods is None else listed_names(methods),
        seeds=listed_numbers(seeds),
        protocols=listed_names(protocols),
        recipe=recipe,
        changes=settings,
        labeled=labeled,
        test=test,
        validation=validation,
        shares=shares,
        baseline=baseline,
        rank_by=rank_by,
    )
    comparison = Comparison.begin(Path(out), plan)
    results, failures = run_and_write(comparison, jobs, train)
    if train:
        say_candidates(comparison)
    refuse_failures(failures, len(comparison.plan.trials))
    return results


def compare_budgets(
    dataset: str | Path | Dataset | Snapshot,
    *,
    out: str | Path,
    labels_budget: int | Sequence[int],
    methods: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] = 0,
    protocols: str | Sequence[str] = "leakfree",
    recipe: str = "fewscan",
    test: int | None = None,
    validation: float | None = None,
    shares: Shares | None = None,
    baseline: str | None = None,
    rank_by: RankedBy | None = None,
    jobs: int | None = None,
    train: bool = True,
    **settings: Any,
) -> LabelEfficiency:
    """Make a comparison like `compare` for each of several label budgets, and write how scores grow with labels.

    `out` then has a comparison in `labels-N` for every budget of N labels, and one table, figure and page for all. All budgets
    have the same test images, and a smaller budget's labels are within a larger one's. All splits are drawn before the first
    training begins. A call with the same `out` continues where it stopped, and may add budgets.
    Raises FewscanError if the dataset cannot give a budget, and if a run failed, after all others were trained and everything
    was written.
    """
    from fewscan.comparison.budgets import begin_budgets, collect_budgets, distinct_budgets
    from fewscan.comparison.planning import make_plan
    from fewscan.progress import say
    from fewscan.reporting.comparing.efficiency import write_efficiency

    budgets = distinct_budgets(listed_numbers(labels_budget))
    plan = make_plan(
        dataset_for(dataset, jobs, train=train),
        methods=None if methods is None else listed_names(methods),
        seeds=listed_numbers(seeds),
        protocols=listed_names(protocols),
        recipe=recipe,
        changes=settings,
        labeled=budgets[0],
        test=test,
        validation=validation,
        shares=shares,
        baseline=baseline,
        rank_by=rank_by,
        one_of_several=True,
    )
    failures: dict[str, str] = {}
    trials = 0
    for comparison in begin_budgets(Path(out), [plan.with_labels(labels, ()) for labels in budgets]):
        say(counted(comparison.plan.split.labeled, "label"))
        _, failed = run_and_write(comparison, jobs, train)
        failures |= {f"{comparison.folder.name}/{trial}": reason for trial, reason in failed.items()}
        trials += len(comparison.plan.trials)
    efficiency = collect_budgets(Path(out))
    write_efficiency(efficiency)
    if train:
        say_candidates(comparison)
    refuse_failures(failures, trials)
    return efficiency


def dataset_for(dataset: str | Path | Dataset | Snapshot, jobs: int | None, *, train: bool) -> Snapshot:
    """Return the dataset of a comparison, under the split whose sizes it takes where none are given.

    Raises FewscanError where it is said how many runs are trained at once, and none is to be.
    """
    if not train:
        refuse_idle({"--jobs": jobs is not None}, "training", "train, without --no-train")
    return opened_snapshot(dataset, told=SIZED, noted=train)


def run_and_write(comparison: Comparison, jobs: int | None, train: bool) -> tuple[Results, dict[str, str]]:
    """Train what a comparison lacks, write its tables, figures and page, and return why runs failed, by their names."""
    from fewscan.comparison.results import collect
    from fewscan.comparison.trials import run_trials
    from fewscan.reporting.comparing.page import write_comparison

    if train:
        _say_before(comparison)
    with alone(comparison.folder, "compare"):
        failures = run_trials(comparison, jobs) if train else {}
        results = collect(comparison)
        write_comparison(results)
    return results, {str(trial): reason for trial, reason in failures.items()}


def _say_before(comparison: Comparison) -> None:
    """Say where scans take long, and which row would stand for what `train` does by itself on this dataset, if it lacks one."""
    from fewscan.comparison.planning import missing_way
    from fewscan.progress import say
    from fewscan.splits.units import Units
    from fewscan.training.devices import size_lines

    plan = comparison.plan
    dataset = comparison.dataset(plan.protocols[0])
    sizes = {part: len(dataset.rows(part)) for part in ("labeled", "unlabeled")}
    of_each_method = {trial.method: trial for trial in plan.trials}.values()
    slow = (size_lines(comparison.settings(trial), dataset.spec) for trial in of_each_method)
    for line in dict.fromkeys(chain.from_iterable(slow)):
        say(line)
    missing = missing_way(plan, **sizes, size_px=dataset.spec.size_px, units=Units.of(dataset))
    if missing is not None:
        say(
            f"'fewscan train' would choose {missing} here, which is not compared: "
            f"the same command with --methods {missing} adds it"
        )


def say_candidates(comparison: Comparison) -> None:
    """Say how many runs may have been chosen by the dataset's held-out labels, where those of `comparison` are among them."""
    from fewscan.datasets.candidates import candidates
    from fewscan.progress import say

    runs = len(candidates(Path(comparison.plan.dataset)))
    if runs > 1 and comparison.plan.split.validation > 0:
        say(
            f"{runs:,} runs on this dataset now count as runs to choose from, for which 'fewscan label' corrects; "
            "'--candidates 1' is for a run that was settled beforehand"
        )


def refuse_failures(failures: Mapping[str, str], trials: int) -> None:
    """Raise FewscanError where runs failed, naming the first."""
    if failures:
        trial, reason = next(iter(failures.items()))
        raise FewscanError(f"{len(failures)} of {counted(trials, 'run')} failed, such as {trial}: {reason}")
