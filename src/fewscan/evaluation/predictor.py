"""From a finished run to probabilities and features, for rows of a dataset or for arrays of pixels."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import Calibration
from fewscan.images.options import ImageSpec
from fewscan.images.stored import StoredImages
from fewscan.models.network import Network, Outputs
from fewscan.models.passes import Passes, passes_of
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.batches import Rows
from fewscan.training.images import ImageRows, usable_device
from fewscan.training.kept_features import Features
from fewscan.training.predict import predict
from fewscan.training.run import Run
from fewscan.training.solve import kept_features_of, read_features


class Prediction(NamedTuple):
    """What a run says of N images."""

    probabilities: npt.NDArray[np.float32]  # (N, K), rows sum to 1; of the logits divided by the run's temperature
    logits: npt.NDArray[np.float32]  # (N, K), as the network gives them
    features: npt.NDArray[np.float32]  # (N, D)
    projections: npt.NDArray[np.float32]  # (N, P)


class Predictor:
    """The trained network of a run, in evaluation mode, and the temperature that its logits are divided by.

    kept: of a run whose dataset keeps the features that its encoder gives, how these are had.
    passes: how features of pixels are had, where not by the network's encoder itself.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        temperature: float = 1.0,
        kept: Callable[[Network, Snapshot], Features] | None = None,
        passes: Passes | None = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.device = device
        self.temperature = temperature
        self._kept = kept
        self._passes = passes

    @classmethod
    def of(cls, run: Run, temperature: float | None = None) -> Self:
        """Load a finished run, with its own temperature, 1 where it is not calibrated, or with the one that is given.

        It predicts on the kind of device that the run was trained on, or on the CPU where this machine has none of it.
        Raises FewscanError where it is unfinished or damaged.
        """
        keep_freed_memory()
        if temperature is None:
            calibration = Calibration.load(run)
            temperature = 1.0 if calibration is None else calibration.temperature
        kept = partial(kept_features_of, run) if run.settings.solved else None
        return cls(run.load_network(), usable_device(run.settings.device), temperature, kept)

    def for_many(self, spec: ImageSpec, images: int, callers: int = 1) -> "Predictor":
        """Return one that says the same of images of `spec` but for rounding, and is quicker where they are many.

        callers: how many threads ask it at once.
        """
        passes = passes_of(self.network.encoder, spec, self.device, images, callers)
        return Predictor(self.network, self.device, self.temperature, self._kept, passes)

    def predict(
        self, pixels: StoredImages, rows: Rows | None = None, change: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> Prediction:
        """Return what the run says of images (N, C, S, S) uint8, or of the given rows of them; `change` changes each batch."""
        batches = ImageRows(pixels, self.device, keep=False).batches(np.arange(len(pixels)) if rows is None else rows)
        if change is not None:
            batches = map(change, batches)
        return self._said(predict(self.network, batches, self._passes))

    def of_rows(self, dataset: Snapshot, rows: Rows) -> Prediction:
        """Return what the run says of rows of its dataset, by kept features where there are some: the same but for rounding."""
        if self._kept is None:
            return self.predict(dataset.pixels, rows)
        return self._said(read_features(self.network, self._kept(self.network, dataset), rows))

    def of_features(self, features: npt.NDArray[np.float32]) -> Prediction:
        """Return what the run says of features (N, D) that its encoder gave."""
        with torch.no_grad():
            outputs = self.network.read(torch.from_numpy(features).to(self.device))
        return self._said(Outputs(*(tensor.float().cpu() for tensor in outputs)))

    def _said(self, outputs: Outputs) -> Prediction:
        probabilities = (outputs.logits / self.temperature).softmax(dim=1)
        return Prediction(probabilities.numpy(), outputs.logits.numpy(), outputs.h.numpy(), outputs.z.numpy())
