"""NNCLR: SimCLR, with the nearest neighbor from a queue of earlier projections in a view's place (Dwibedi et al. 2021)."""

from typing import Literal

import pydantic
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.learning.losses import nnclr
from fewscan.learning.method import LINEAR_PROBE, Method, MethodSettings, with_probe
from fewscan.models.network import Outputs


class NNCLRSettings(MethodSettings):
    """Settings of `nnclr`."""

    name: Literal["nnclr"] = "nnclr"
    temperature: float = pydantic.Field(default=0.1, gt=0)
    queue_size: int = pydantic.Field(default=4096, ge=1)  # projections that the support queue holds


class NNCLR(Method):
    """The encoder learns from all images without labels; a linear probe on its detached features learns the classes.

    The support queue holds the latest projections of first views, newest first, as unit vectors. It begins empty, not random as
    in the paper: where all projections are still alike they share one random neighbor, and training collapses onto it.
    """

    name = "nnclr"
    summary = "SimCLR with the nearest earlier projection as the positive; a linear probe learns the classes"
    settings_type = NNCLRSettings
    heads = LINEAR_PROBE
    two_views = True
    uses_unlabeled = True
    needs_labels = False

    settings: NNCLRSettings
    queue: Tensor  # (queue_size, P)

    def __init__(self, settings: NNCLRSettings, feature_dim: int, projection_dim: int, class_shares: Tensor) -> None:
        super().__init__(settings, feature_dim, projection_dim, class_shares)
        self.register_buffer("queue", torch.zeros(settings.queue_size, projection_dim))

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the neighbors' contrastive loss and the probe's cross-entropy, and take view0.z into the queue."""
        loss = nnclr(view0.z, view1.z, self.queue, self.settings.temperature)
        latest = torch.cat([F.normalize(view0.z.detach().float(), dim=1), self.queue])
        # A new tensor, since the loss's backward pass still reads the old one.
        self.queue = latest[: self.settings.queue_size]
        return with_probe({"nnclr": loss}, view0, targets)
