"""The verb that says what to label next: suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import opened_place, read_of, require_ready, say_closed
from fewscan.atomic import refuse_replacing, require_place, require_suffix
from fewscan.errors import FewscanError

if TYPE_CHECKING:
    from fewscan.choosing.suggest import Strategy
    from fewscan.choosing.suggested import Suggested
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.run import Run


def suggest(
    place: str | Path | Dataset | Run,
    count: int = 40,
    *,
    strategy: Strategy = "auto",
    random_share: float = 0.2,
    encoder: str | Path | None = None,
    split: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Suggested:
    """Return which scans of a dataset, or of a run's dataset as it is today, to label next, and why: `.suggestions`, `.table`.

    A `random_share` of them nobody chooses, see `fewscan.choosing.random_sample`. encoder: whose features say which scans are
    alike, by default the run's, or EfficientNet-Lite0 as ImageNet taught it; features that the dataset does not keep are
    computed. Scans of the test set are never suggested. out: a CSV that `set_labels` takes once its column `label` is filled
    in. data: where a run's dataset lies now.
    Raises FewscanError where `count` is no number of scans, the encoder cannot be had, no scan is left, or `out` exists.
    """
    from fewscan.choosing.pool import pool_of
    from fewscan.choosing.suggested import suggest_from

    require_ready(place, ("dataset", "run"), data)
    if count < 1:  # before scans are looked at, which may take long
        raise FewscanError(f"--count is a number of scans, 1 or more, not {count}")
    table = None if out is None else Path(out)
    if table is not None:
        require_suffix(table, ".csv")
        require_place(table, overwrite=overwrite)
    opened = opened_place(place, data)
    if table is not None:
        refuse_replacing(table, *read_of(opened, data))
    say_closed(opened, split, data)
    asked = None if encoder is None else str(encoder)
    pool = pool_of(opened, encoder=asked, split=split, data=None if data is None else Path(data))
    found = suggest_from(pool, count, strategy=strategy, random_share=random_share, seed=seed)
    if table is not None:
        found.save(table)
    return found
