"""The verb that converts folders of earlier versions: upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import opened_dataset
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.run import Run


def upgrade(folder: str | Path, out: str | Path, *, data: str | Path | Dataset | None = None) -> Dataset | Run:
    """Convert a dataset or run of an earlier version, into the new folder `out`; `folder` stays as it is.

    data: for a run, the dataset that its own was converted to. Raises FewscanError if there is nothing to convert.
    """
    from fewscan.datasets.upgrading import upgrade_dataset
    from fewscan.folders import kind_of
    from fewscan.training.upgrading import upgrade_run

    kind = kind_of(Path(folder))
    if kind == "dataset":
        refuse_idle({"--data": data is not None}, "a run, whose dataset was converted", f"{folder} is a dataset, so name a run")
        return upgrade_dataset(Path(folder), Path(out))
    if kind == "run" and data is not None:
        return upgrade_run(Path(folder), Path(out), opened_dataset(data))
    if kind == "run":
        raise FewscanError(f"{folder} is a run: convert its dataset first, and name that folder with --data DATASET")
    if kind == "comparison":
        raise FewscanError(
            f"{folder} is a comparison, which cannot be converted: compare again, or convert its runs one by one"
        )
    raise FewscanError(f"{folder} is not a dataset or run of fewscan: check the path")
