"""The verb study: a published study on one's own machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.comparing import dataset_for, refuse_failures, run_and_write, say_candidates
from fewscan.api.several import listed_names, listed_numbers

if TYPE_CHECKING:
    from fewscan.comparison.results import Results
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot


def study(
    dataset: str | Path | Dataset | Snapshot,
    *,
    out: str | Path,
    methods: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] = 0,
    protocols: str | Sequence[str] | None = None,
    labeled: int | None = None,
    test: int | None = None,
    validation: float = 0.0,
    jobs: int | None = None,
    train: bool = True,
    **settings: Any,
) -> Results:
    """Train the published study's methods with its recipe, under its own kind of split and `leakfree`, and write the results.

    `out` is a comparison like that of `compare`. Its tables, figures and page are joined by the study's Tables 1 and 2, its
    figures 2, 7, 8 and 9, and `study.html`. By default, sizes are the study's: 1,235 labels, 308 test images, no validation
    set. A call with the same `out` continues where it stopped. train: if False, write what is finished.
    Raises FewscanError if the dataset cannot give the sizes, and if a run failed, after all others were trained and the tables
    written.
    """
    from fewscan.comparison.plan import Comparison
    from fewscan.comparison.planning import make_plan
    from fewscan.comparison.results import collect
    from fewscan.locks import alone
    from fewscan.studies.bitlis.page import write_study
    from fewscan.studies.bitlis.published import LABELS, PROTOCOLS, RECIPE, TABLE2, TEST_IMAGES

    plan = make_plan(
        dataset_for(dataset, jobs, train=train),
        methods=listed_names(TABLE2 if methods is None else methods),
        seeds=listed_numbers(seeds),
        protocols=listed_names(PROTOCOLS if protocols is None else protocols),
        recipe=RECIPE,
        changes=settings,
        labeled=LABELS if labeled is None else labeled,
        test=TEST_IMAGES if test is None else test,
        validation=validation,
    )
    comparison = Comparison.begin(Path(out), plan)
    results, failures = run_and_write(comparison, jobs, train)
    if results.ranked_by != "accuracy":
        # The study knows accuracy alone, whatever `compare` on the same folder ranks by.
        results = collect(comparison.ranking_by(None))
    with alone(comparison.folder, "study"):
        write_study(results)
    if train:
        say_candidates(comparison)
    refuse_failures(failures, len(comparison.plan.trials))
    return results
