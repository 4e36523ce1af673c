"""The baseline that every other method must beat: cross-entropy on the labeled images alone."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import labeled_cross_entropy
from fewscan.learning.method import Method, MethodSettings
from fewscan.models.network import Outputs


class SupervisedSettings(MethodSettings):
    """Settings of `supervised`."""

    name: Literal["supervised"] = "supervised"
    label_smoothing: float = pydantic.Field(default=0.0, ge=0, lt=1)


class Supervised(Method):
    """Encoder and classifier learn from the labeled images; the unlabeled ones are not looked at."""

    name = "supervised"
    summary = "cross-entropy on the labeled images only: the baseline"
    settings_type = SupervisedSettings
    two_views = False
    uses_unlabeled = False

    settings: SupervisedSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy of the labeled images."""
        return {"cross_entropy": labeled_cross_entropy(view0.logits, targets, self.settings.label_smoothing)}
