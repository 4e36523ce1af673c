"""A run with what one asks of it in Python: its history as a table, and what it says of images.

What it takes to predict and to score is loaded when it is asked for: `train` returns such a run, and needs none of it.
"""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from fewscan.datasets.snapshot import Snapshot
from fewscan.training.run import Run

if TYPE_CHECKING:
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.evaluation.predicting import Images, Predicted

EPOCHS_SHOWN = 3


class TrainedRun(Run):
    """A run folder, opened for work in Python or a notebook."""

    @cached_property
    def dataset(self) -> Snapshot:
        """The dataset as the run saw it."""
        return self.open_dataset()

    @property
    def evaluation(self) -> Evaluation | None:
        """The score that `evaluate` has made, None where it has made none; no test set is opened for it."""
        from fewscan.evaluation.evaluate import Evaluation

        return Evaluation.load(self)

    def history(self) -> pd.DataFrame:
        """Return the logged numbers, one row per epoch."""
        return pd.DataFrame(self.metrics())

    def predict(self, images: Images) -> Predicted:
        """Return probabilities, features and typicality of files or arrays; see `predict_images`."""
        from fewscan.evaluation.predicting import predict_images

        return predict_images(self, self.dataset, images)

    @property
    def _summary(self) -> str:
        state = "finished" if self.finished else "not finished"
        known = f"{len(self.record.classes)} classes" if self.record.classes else "without labels"
        return f"{self.settings.method.name}, {state}, {known}, {self.record.spec.size_px} px"

    def __repr__(self) -> str:
        """Return where it lies, and what it is."""
        return f"<Run {self.folder}: {self._summary}>"

    def _repr_html_(self) -> str:
        evaluation = self.evaluation if self.finished else None
        accuracy = f"accuracy {evaluation.accuracy.percent}" if evaluation else "not evaluated"
        score = accuracy if self.record.classes else ""
        history = self.history().tail(EPOCHS_SHOWN)
        table = history.to_html(index=False) if len(history) else ""
        return f"<div><p><b>{escape(self.folder.name)}</b>: {escape(self._summary + (score and f'; {score}'))}</p>{table}</div>"
