"""Scores of a classifier's probabilities; the formulas are torchmetrics'."""

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import (
    multiclass_auroc,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

Probabilities = npt.NDArray[np.float32]  # (N, K), rows sum to 1
Labels = npt.NDArray[np.int64]  # (N,)

CALIBRATION_BINS = 15


def scores(probabilities: Probabilities, labels: Labels) -> dict[str, float]:
    """Return accuracy, balanced accuracy, macro AUROC and expected calibration error, and every class's two rates.

    All in [0, 1]. A class's keys are `sensitivity/k` (of its images, the share called so) and `specificity/k` (of the others,
    the share not called so). NaN where a score is not defined: a class without images has no sensitivity.
    """
    counts = confusion(probabilities, labels).astype(np.float64)
    total, own = counts.sum(), counts.diagonal()
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = own / counts.sum(axis=1)
        others = total - counts.sum(axis=1)
        specificity = (others - (counts.sum(axis=0) - own)) / others
    present = counts.sum(axis=1) > 0
    classes = probabilities.shape[1]
    chances, targets = torch.from_numpy(probabilities), torch.from_numpy(labels)
    per_class_auroc = multiclass_auroc(chances, targets, num_classes=classes, average="none").numpy()
    result = {
        "accuracy": own.sum() / total,
        "balanced_accuracy": sensitivity[present].mean(),
        "auroc": per_class_auroc[present].mean() if present.sum() > 1 else np.nan,
        "calibration_error": float(multiclass_calibration_error(chances, targets, classes, n_bins=CALIBRATION_BINS)),
    }
    result |= {f"sensitivity/{k}": value for k, value in enumerate(sensitivity)}
    result |= {f"specificity/{k}": value for k, value in enumerate(specificity)}
    return {name: float(value) for name, value in result.items()}


def confusion(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.int64]:
    """Return (K, K) counts: row = true class, column = class of the largest probability."""
    predicted, targets = torch.from_numpy(probabilities).argmax(dim=1), torch.from_numpy(labels)
    counts: npt.NDArray[np.int64] = multiclass_confusion_matrix(predicted, targets, probabilities.shape[1]).numpy()
    return counts
