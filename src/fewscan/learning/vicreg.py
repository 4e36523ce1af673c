"""VICReg: two views agree, every feature varies, and no two features say the same (Bardes et al. 2022)."""

from typing import Literal

import pydantic
from torch import Tensor

from fewscan.learning.losses import vicreg
from fewscan.learning.method import LINEAR_PROBE, Method, MethodSettings, with_probe
from fewscan.models.network import Outputs


class VICRegSettings(MethodSettings):
    """Settings of `vicreg`."""

    name: Literal["vicreg"] = "vicreg"
    invariance_weight: float = pydantic.Field(default=25.0, ge=0)
    variance_weight: float = pydantic.Field(default=25.0, ge=0)
    # The paper's 1 is for 8,192 columns: a column of our 64 has few others to say the same as. docs/search.md, 12.
    covariance_weight: float = pydantic.Field(default=25.0, ge=0)


class VICReg(Method):
    """The encoder learns from all images without labels; a linear probe on its detached features learns the classes.

    No image is pushed away from another, so that a neighboring slice of the same head is not taken for a different one.
    """

    name = "vicreg"
    summary = "two views agree, every feature varies, no two are redundant; a linear probe learns the classes"
    settings_type = VICRegSettings
    heads = LINEAR_PROBE
    two_views = True
    uses_unlabeled = True
    needs_labels = False

    settings: VICRegSettings

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss of the projections and the probe's cross-entropy."""
        weights = self.settings.model_dump(exclude={"name"})
        return with_probe({"vicreg": vicreg(view0.z, view1.z, **weights)}, view0, targets)
