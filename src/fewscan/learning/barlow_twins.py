"""Barlow Twins: two views agree feature by feature, and no two features say the same (Zbontar et al. 2021)."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import barlow_twins
from fewscan.learning.method import LINEAR_PROBE, Method, MethodSettings, with_probe
from fewscan.models.network import Outputs


class BarlowTwinsSettings(MethodSettings):
    """Settings of `barlow_twins`."""

    name: Literal["barlow_twins"] = "barlow_twins"
    # Lambda in the paper, whose 0.005 is for 8,192 features: the fewer they are, the fewer entries off the diagonal each has.
    # With the 64 of our heads 0.005 let training run away; 10 / (64 - 1) weights the mean entry off the diagonal ten times.
    redundancy_weight: float = pydantic.Field(default=0.16, ge=0)


class BarlowTwins(Method):
    """The encoder learns from all images without labels; a linear probe on its detached features learns the classes."""

    name = "barlow_twins"
    summary = "each feature correlates only with itself in another view; a linear probe learns the classes"
    settings_type = BarlowTwinsSettings
    heads = LINEAR_PROBE
    two_views = True
    uses_unlabeled = True
    needs_labels = False

    settings: BarlowTwinsSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the cross-correlation loss of the projections and the probe's cross-entropy."""
        loss = barlow_twins(view0.z, view1.z, self.settings.redundancy_weight)
        return with_probe({"barlow_twins": loss}, view0, targets)
