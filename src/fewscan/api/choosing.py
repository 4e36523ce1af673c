"""The verb that says what to label next: suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import encoder_asked, opened_place, read_of, require_ready, say_closed
from fewscan.atomic import refuse_replacing, require_place
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle, refuse_idle_overwrite

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
    encoder: str | Path | Run | None = None,
    split: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> Suggested:
    """Suggest which scans to label next, and why: `.suggestions`, `.table`.

    place: a dataset, or a run, whose dataset is taken as it is today. count: how many scans. random_share: the share that is
    randomly drawn (`fewscan.choosing.random_sample`). encoder: its features say which scans are alike; by default the run's, or
    EfficientNet-Lite0 with ImageNet weights. Features that the dataset does not keep are computed. split: scans of its test set
    are never suggested, nor those of a run's own; by default the newest. out: a CSV or a workbook (.xlsx), which `set_labels`
    takes after its column `label` is filled in; overwrite: replace it. data: where a run's dataset is now.
    Raises FewscanError if `count` or `seed` is not in range, the encoder is not available, no scan is left, or `out` exists.
    """
    from fewscan.choosing.pool import pool_of
    from fewscan.choosing.suggest import RANDOM_SHARE
    from fewscan.choosing.suggested import suggest_from
    from fewscan.seeds import require_seed
    from fewscan.spreadsheet import require_spreadsheet

    require_ready(place, ("dataset", "run"), data)
    if count < 1:  # before scans are looked at, which may take long
        raise FewscanError(f"--count is a number of scans, 1 or more, not {count}")
    require_seed(seed)
    if strategy == "random":
        chosen = {"--random-share": random_share != RANDOM_SHARE, "--seed": seed != 0}
        refuse_idle(chosen, "scans that are chosen, beside those drawn at random", "choose another --strategy")
    refuse_idle_overwrite(out, overwrite=overwrite)
    table = None if out is None else Path(out)
    if table is not None:
        require_spreadsheet(table)
        require_place(table, overwrite=overwrite)
    opened = opened_place(place, data)
    if table is not None:
        refuse_replacing(table, *read_of(opened, data))
    say_closed(opened, split, data)
    pool = pool_of(opened, encoder=encoder_asked(encoder), split=split, data=None if data is None else Path(data))
    found = suggest_from(pool, count, strategy=strategy, random_share=random_share, seed=seed)
    if table is not None:
        found.save(table)
    return found
