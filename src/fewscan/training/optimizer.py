"""The optimizer, and the learning rate as a function of the step alone: a resumed run needs no scheduler's state."""

import math

import torch
from torch import nn

from fewscan.training.settings import OptimizerSettings


def build_optimizer(settings: OptimizerSettings, module: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a module's parameters, which are on their device already."""
    # Decay shrinks weights only; biases and batch normalization have nothing to gain from it.
    decayed = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in module.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    # On a GPU one kernel instead of a dozen: in a step of few images the launches are what takes time.
    fused = all(parameter.is_cuda for parameter in module.parameters())
    return kind(groups, lr=settings.learning_rate, fused=fused or None)


def learning_rate(settings: OptimizerSettings, done: int, steps: int, epochs: int) -> float:
    """Return the learning rate of the step after `done` steps; a linear warm-up, then constant or half a cosine to zero."""
    warmup = round(min(settings.warmup_epochs, epochs / 10) * steps)
    if done < warmup:
        return settings.learning_rate * (done + 1) / warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    share = (done - warmup) / max(1, epochs * steps - warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
