"""SimCLR: two views of an image must find each other among all others (Chen et al. 2020)."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import labeled_cross_entropy, nt_xent
from fewscan.learning.method import LINEAR_PROBE, Method, MethodSettings
from fewscan.models.network import Outputs


class SimCLRSettings(MethodSettings):
    """Settings of `simclr`."""

    name: Literal["simclr"] = "simclr"
    temperature: float = pydantic.Field(default=0.1, gt=0)


class SimCLR(Method):
    """The encoder learns from all images without labels; a linear probe on its detached features learns the classes."""

    name = "simclr"
    summary = "contrastive learning on all images, a linear probe for the classes"
    settings_type = SimCLRSettings
    heads = LINEAR_PROBE
    two_views = True
    uses_unlabeled = True

    settings: SimCLRSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return NT-Xent of the projections and the probe's cross-entropy."""
        return {
            "nt_xent": nt_xent(view0.z, view1.z, self.settings.temperature),
            "cross_entropy": labeled_cross_entropy(view0.logits, targets),
        }
