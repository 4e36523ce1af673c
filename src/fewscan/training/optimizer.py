"""The optimizer, and its learning rates as functions of the step alone: a resumed run needs no scheduler's state."""

import math
from typing import Any

import torch
from torch import nn

from fewscan.models.network import Network
from fewscan.training.settings import OptimizerSettings


def build_optimizer(settings: OptimizerSettings, network: Network, method: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a network's and a method's parameters, which are on their device already.

    Each of its groups says besides what torch wants: `scale`, the share of the learning rate that it learns at; `frozen`,
    whether it waits for `settings.frozen_epochs`; `shrinks`, whether weight decay is for it. The encoder's first
    `settings.frozen_parts` are in none, and no gradient is computed for them.
    """
    groups: list[dict[str, Any]] = []
    parts = network.encoder.parts()
    for part in parts[: settings.frozen_parts]:
        part.requires_grad_(False)
    # The last part learns at the whole rate. Source: Howard and Ruder 2018, "Universal language model fine-tuning for text
    # classification", section 3.2.
    for number, part in list(enumerate(parts, start=1))[settings.frozen_parts :]:
        _add(groups, settings, part, scale=settings.layer_decay ** (len(parts) - number), frozen=settings.frozen_epochs > 0)
    for head in (network.projection_head, network.classifier, method):
        _add(groups, settings, head, scale=settings.head_rate, frozen=False)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    # On a GPU one kernel instead of a dozen: in a step of few images the launches are what takes time.
    fused = all(parameter.is_cuda for group in groups for parameter in group["params"])
    return kind(groups, lr=settings.learning_rate, fused=fused or None)


def _add(groups: list[dict[str, Any]], settings: OptimizerSettings, part: nn.Module, *, scale: float, frozen: bool) -> None:
    """Add a part's parameters to the groups that learn like it, made where there are none yet."""
    # Decay shrinks weights only; biases and batch normalization have nothing to gain from it.
    for decay, decayed in ((settings.weight_decay, True), (0.0, False)):
        parameters = [parameter for parameter in part.parameters() if (parameter.ndim > 1) == decayed]
        kind = {"weight_decay": decay, "scale": scale, "frozen": frozen, "shrinks": decayed}
        group = next((each for each in groups if each.items() >= kind.items()), None)
        if group is not None:
            group["params"] += parameters
        elif parameters:
            groups.append({"params": parameters, **kind})


def set_learning_rates(
    optimizer: torch.optim.Optimizer, settings: OptimizerSettings, done: int, steps: int, epochs: int
) -> None:
    """Set what every group learns at in the step after `done` steps."""
    rate = learning_rate(settings, done, steps, epochs)
    for group in optimizer.param_groups:
        waits = group["frozen"] and done < settings.frozen_epochs * steps
        group["lr"] = 0.0 if waits else rate * group["scale"]


def learning_rate(settings: OptimizerSettings, done: int, steps: int, epochs: int) -> float:
    """Return the learning rate of the step after `done` steps; a linear warm-up, then constant or half a cosine to zero."""
    warmup = round(min(settings.warmup_epochs, epochs / 10) * steps)
    if done < warmup:
        return settings.learning_rate * (done + 1) / warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    share = (done - warmup) / max(1, epochs * steps - warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
