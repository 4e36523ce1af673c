"""SimCLR and the classifier learn together, in one network."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import labeled_cross_entropy, nt_xent
from fewscan.learning.method import Method, MethodSettings
from fewscan.models.network import Outputs


class JointSettings(MethodSettings):
    """Settings of `joint`. Whether cross-entropy reaches the encoder is `heads.classifier_detached`."""

    name: Literal["joint"] = "joint"
    temperature: float = pydantic.Field(default=0.1, gt=0)
    contrastive_weight: float = pydantic.Field(default=1.0, ge=0)
    label_smoothing: float = pydantic.Field(default=0.0, ge=0, lt=1)


class Joint(Method):
    """NT-Xent on all images plus cross-entropy on the labeled ones, both teaching the encoder.

    Source: doi 10.17798/bitlisfen.1558069, section 2.2.4 and figure 6.
    """

    name = "joint"
    summary = "SimCLR and the classifier learn together"
    settings_type = JointSettings
    two_views = True
    uses_unlabeled = True

    settings: JointSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the weighted NT-Xent of the projections and the classifier's cross-entropy."""
        contrastive = nt_xent(view0.z, view1.z, self.settings.temperature)
        return {
            "nt_xent": self.settings.contrastive_weight * contrastive,
            "cross_entropy": labeled_cross_entropy(view0.logits, targets, self.settings.label_smoothing),
        }
