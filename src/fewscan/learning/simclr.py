"""SimCLR: two views of an image must find each other among all others (Chen et al. 2020)."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import nt_xent
from fewscan.learning.method import LINEAR_PROBE, Method, MethodSettings, with_probe
from fewscan.models.network import Outputs


class SimCLRSettings(MethodSettings):
    """Settings of `simclr`."""

    name: Literal["simclr"] = "simclr"
    temperature: float = pydantic.Field(default=0.1, gt=0)


class SimCLR(Method):
    """The encoder learns from all images without labels; a linear probe on its detached features learns the classes."""

    name = "simclr"
    summary = "contrastive learning on all images; a linear probe learns the classes"
    settings_type = SimCLRSettings
    heads = LINEAR_PROBE
    two_views = True
    uses_unlabeled = True
    needs_labels = False

    settings: SimCLRSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return NT-Xent of the projections and the probe's cross-entropy."""
        return with_probe({"nt_xent": nt_xent(view0.z, view1.z, self.settings.temperature)}, view0, targets)
