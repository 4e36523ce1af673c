"""The verb that draws all scans: map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import encoder_asked, opened_place, read_of, require_ready, say_closed
from fewscan.atomic import refuse_replacing, require_place, require_suffix
from fewscan.idle import refuse_idle_overwrite

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.mapping.scan_map import ScanMap
    from fewscan.training.run import Run


def map_scans(
    place: str | Path | Dataset | Run,
    *,
    out: str | Path | None = None,
    encoder: str | Path | Run | None = None,
    split: str | None = None,
    names: bool = False,
    seed: int = 0,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> ScanMap:
    """Place all scans in two dimensions, similar ones side by side, and return the map: `.table`, `.colorings`.

    place: a dataset, or a run, whose dataset is taken as it is today. encoder: its features say which scans are alike; by
    default the run's, or EfficientNet-Lite0 with ImageNet weights. Features that the dataset does not keep are computed. out: a
    page to write; the table is written beside it, with the suffix `.csv`. The page calls scans by their rows, or with `names`
    by their files, which may contain names of patients. split: no labels of its test set are shown; by default the newest.
    data: where a run's dataset is now. Raises FewscanError if the encoder is not available, or `out` exists.
    """
    from fewscan.mapping.scan_map import map_of
    from fewscan.reporting.map_page import table_beside, write_map
    from fewscan.seeds import require_seed

    require_ready(place, ("dataset", "run"), data)
    require_seed(seed)
    refuse_idle_overwrite(out, overwrite=overwrite)
    page = None if out is None else Path(out)
    written = () if page is None else (page, table_beside(page))
    if page is not None:
        require_suffix(page, ".html")
        require_place(*written, overwrite=overwrite)
    opened = opened_place(place, data)
    read = read_of(opened, data) if written else []
    for path in written:
        refuse_replacing(path, *read)
    say_closed(opened, split, data)
    found = map_of(opened, encoder=encoder_asked(encoder), split=split, data=None if data is None else Path(data), seed=seed)
    if page is not None:
        write_map(found, page, names=names)
        found.save(table_beside(page))
    return found
