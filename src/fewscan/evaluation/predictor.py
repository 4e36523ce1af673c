"""From a finished run to probabilities and features, for rows of a dataset or for arrays of pixels."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch

from fewscan.evaluation.calibration import Calibration
from fewscan.models.network import Network
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.batches import Rows
from fewscan.training.images import ImageRows, usable_device
from fewscan.training.predict import predict
from fewscan.training.run import Run


class Prediction(NamedTuple):
    """What a run says of N images."""

    probabilities: npt.NDArray[np.float32]  # (N, K), rows sum to 1; of the logits divided by the run's temperature
    logits: npt.NDArray[np.float32]  # (N, K), as the network gives them
    features: npt.NDArray[np.float32]  # (N, D)
    projections: npt.NDArray[np.float32]  # (N, P)


class Predictor:
    """The trained network of a run, in evaluation mode, and the temperature that its logits are divided by."""

    def __init__(self, network: Network, device: torch.device, temperature: float = 1.0) -> None:
        self.network = network.to(device).eval()
        self.device = device
        self.temperature = temperature

    @classmethod
    def of(cls, run: Run) -> Self:
        """Load a finished run, with temperature 1 where it is not calibrated.

        It predicts on the kind of device that the run was trained on, or on the CPU where this machine has none of it.
        Raises FewscanError where it is unfinished or damaged.
        """
        keep_freed_memory()
        calibration = Calibration.load(run)
        temperature = 1.0 if calibration is None else calibration.temperature
        return cls(run.load_network(), usable_device(run.settings.device), temperature)

    def predict(self, pixels: npt.NDArray[np.uint8], rows: Rows | None = None) -> Prediction:
        """Return what the run says of images (N, C, S, S) uint8, or of the given rows of them."""
        images = ImageRows(pixels, self.device, keep=False)
        outputs = predict(self.network, images.batches(np.arange(len(pixels)) if rows is None else rows))
        probabilities = (outputs.logits / self.temperature).softmax(dim=1)
        return Prediction(probabilities.numpy(), outputs.logits.numpy(), outputs.h.numpy(), outputs.z.numpy())
