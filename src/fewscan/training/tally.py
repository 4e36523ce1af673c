"""The numbers of an epoch: losses, accuracies, how features lie, summed on the device so that no step waits for them."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.learning.losses import alignment, contrastive_accuracy, correlation_accuracy, uniformity
from fewscan.models.network import Outputs

# How a line of progress names the accuracies of an epoch.
SPOKEN = {
    "c_acc": "contrastive",
    "r_acc": "correlation",
    "p_acc": "training",
    "validation_accuracy": "validation",
    "probe_accuracy": "nearest",
}

# And what these words mean, where a training begins.
EXPLAINED = {
    "c_acc": "how often a view of a scan is more like the other view of that scan than like any other",
    "r_acc": "how often a feature correlates most with itself in the other view",
    "p_acc": "labeled scans classified correctly, as augmented for training",
    "validation_accuracy": "validation scans classified correctly",
    "probe_accuracy": "labeled scans whose nearest neighbor by features, of another patient or set of copies, has their class",
}


class Tally:
    """Means over the images of an epoch."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.loss_names: list[str] = []  # of the parts that `loss` is the sum of
        self.sums: dict[str, Tensor | float] = {}
        self.weights: dict[str, Tensor | float] = {}

    @torch.no_grad()
    def add(self, losses: dict[str, Tensor], view0: Outputs, view1: Outputs, labels: Tensor) -> None:
        """Take in a step: its losses and the outputs that they came from."""
        total = torch.stack([value.detach() for value in losses.values()]).sum()
        self.losses.append(total)
        self.loss_names = list(losses)
        images = float(len(labels))
        for name, value in {"loss": total, **losses}.items():
            self._add(name, value.detach(), images)
        # A network that knows no class calls no image.
        hits = (F.pad(view0.logits, (0, 1), value=-torch.inf).argmax(dim=1) == labels).sum()
        labeled = (labels >= 0).sum()
        self._add("p_acc", hits / labeled.clamp(min=1), labeled)
        if view1 is not view0:
            for name, value in view_numbers(view0.h, view1.h).items():
                self._add(name, value, images)

    def first_bad_step(self) -> tuple[int, float] | None:
        """Return the number (from 1) and the loss of the first step whose loss is not finite, or None."""
        bad = (~torch.isfinite(torch.stack(self.losses))).nonzero()
        return (int(bad[0]) + 1, float(self.losses[int(bad[0])])) if len(bad) else None

    def means(self) -> dict[str, float | None]:
        """Return the mean of every number; None where it was never defined."""
        means = {name: float(total / self.weights[name]) for name, total in self.sums.items()}
        return {name: value if math.isfinite(value) else None for name, value in means.items()}

    def _add(self, name: str, value: Tensor, weight: Tensor | float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value * weight
        self.weights[name] = self.weights.get(name, 0.0) + weight


def view_numbers(h0: Tensor, h1: Tensor) -> dict[str, Tensor]:
    """Return what the features (B, D) of two views say: c_acc, r_acc, how many constant ones that leaves out, and their lie."""
    r_acc, left_out = correlation_accuracy(h0, h1)
    return {
        "c_acc": contrastive_accuracy(h0, h1),
        "r_acc": r_acc,
        "r_acc_left_out": left_out.float(),
        "alignment": alignment(h0, h1),
        "uniformity": uniformity(h0, h1),
    }


def spoken(numbers: dict[str, Any]) -> str:
    """Return an epoch's numbers as people read them beside a progress bar: the loss, and accuracies in percent."""
    parts = [f"loss {numbers['loss']:.3f}"]
    parts += [f"{word} {100 * numbers[name]:.1f}" for name, word in SPOKEN.items() if numbers.get(name) is not None]
    return "  ".join(parts)


def legend(numbers: dict[str, Any]) -> str:
    """Return what the words of `spoken` mean, for some numbers of an epoch; nothing where it says none of them."""
    parts = [f"{word}: {EXPLAINED[name]}" for name, word in SPOKEN.items() if numbers.get(name) is not None]
    loss = ["loss: what training minimizes"] if "loss" in numbers else []
    return "; ".join([*loss, *parts]) + (" (percent)" if parts else "")
