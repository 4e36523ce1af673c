"""The verb that shows a run scans that look processed differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import opened_classifier, opened_dataset_of, refuse_stored
from fewscan.api.several import listed_names
from fewscan.locks import alone
from fewscan.splits.support import TARGET_ERROR

if TYPE_CHECKING:
    from fewscan.stressing.stress import StressTest
    from fewscan.training.run import Run

FIGURE_FILE = "stress.png"


def stress(
    run: str | Path | Run,
    *,
    only: str | Sequence[str] = (),
    images: int | None = None,
    validation: bool = False,
    stored: bool = False,
    target_error: float = TARGET_ERROR,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> StressTest:
    """Score the run on its test set under corruptions at five strengths each; see `fewscan.stressing.stress`.

    A run without a test set is tested on its labeled images, each predicted by a network that has not learned from it: by as
    many trainings as folds. only: names of corruptions; by default all. images: at most this many images, randomly drawn.
    validation: take the validation set, so that the test set stays closed. stored: change the dataset's own pixels, if the
    original files are gone. target_error: the error at which labels are accepted, as for `label`. data: where the run's dataset
    is now, if it was moved. Writes `stress.json`, `stress.csv` and `stress.png` into the run; overwrite: replace existing ones.
    """
    from fewscan.labeling.asked import Asked
    from fewscan.reporting.stress_figure import write_stress_figure
    from fewscan.stressing import stress as stressing
    from fewscan.stressing.corruptions import chosen

    # An unknown name and an error that cannot be are said before what stands already.
    names = listed_names(only)
    chosen(names)
    Asked(target_error)
    opened = opened_classifier(run, data)
    asking = stressing.Asking(tuple(names), images, validation, stored, target_error)
    with alone(opened.folder, "stress"):
        by = () if validation else ("stress",)
        refuse_stored(opened, stressing.STRESS_FILE, "already has a stress test", overwrite=overwrite, opened_by=by)
        seen = opened_dataset_of(opened)
        result = stressing.stress(opened, seen, opened.dataset_now(seen.folder), asking)
        write_stress_figure(result, opened.folder / FIGURE_FILE)
    return result
