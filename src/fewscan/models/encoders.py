"""The encoders by name: the one place that lists fewscan's own, and the door for others."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import pydantic
import torch
from torch.nn import functional as F

from fewscan.errors import FewscanError
from fewscan.models.depthwise import with_fast_depthwise
from fewscan.models.efficientnet_lite import (
    EfficientNetLite0,
    EfficientNetLite0Middle,
    EfficientNetLite2,
    EfficientNetLite2Middle,
)
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.resnet_small import ResNetSmall
from fewscan.models.timm_encoder import FETCHED, TimmEncoder
from fewscan.registry import Registry, parsed, settings_flaw

LITE = (EfficientNetLite0, EfficientNetLite0Middle, EfficientNetLite2, EfficientNetLite2Middle)
# Fewscan's own. After a colon a name may say which model of several: timm:resnet18.
ENCODERS: dict[str, type[Encoder]] = {encoder.name: encoder for encoder in (ResNetSmall, *LITE, TimmEncoder)}
DEFAULT_ENCODER = ResNetSmall.name

# What the settings of every encoder held before 2026-11-27.
_FORMER_KEYS = frozenset({"name", "pretrained", "width", "dense_units"})


def encoder_flaw(own: Any) -> str | None:
    """Return what a class lacks to be an encoder, None where it is one."""
    flaw = settings_flaw(own, Encoder, EncoderSettings)
    if flaw is None and own.forward is Encoder.forward:
        flaw = "it does not define forward"
    return flaw


REGISTRY: Registry[type[Encoder]] = Registry("encoder", "fewscan.encoders", ENCODERS, encoder_flaw)


def encoder_type(name: str) -> type[Encoder]:
    """Return the encoder called `name`, `timm:NAME` for one; raises FewscanError naming the nearest where there is none."""
    return REGISTRY.find(name.partition(":")[0])


def encoder_settings(name: str = DEFAULT_ENCODER, **changes: Any) -> EncoderSettings:
    """Return the settings of the encoder called `name`; raises FewscanError naming what is unknown or wrong."""
    settings: EncoderSettings = _parsed({"name": name, **changes})
    return settings


def _parsed(value: Any) -> Any:
    # What said before 2026-11-27 whether timm fetches weights.
    if isinstance(value, Mapping) and isinstance(value.get("pretrained"), bool) and str(value.get("name")).startswith("timm:"):
        former = _FORMER_KEYS - {"name"} if value.keys() == _FORMER_KEYS else {"pretrained"}
        weights = {"weights": FETCHED} if value["pretrained"] else {}
        value = {key: each for key, each in value.items() if key not in former} | weights
    return parsed(REGISTRY, value, "encoder", DEFAULT_ENCODER, _FORMER_KEYS)


# A field that holds the settings of whichever encoder is named.
AnyEncoderSettings = Annotated[pydantic.SerializeAsAny[EncoderSettings], pydantic.BeforeValidator(_parsed)]


def build_encoder(settings: EncoderSettings, channels: int, image_size_px: int) -> Encoder:
    """Return a new encoder for images (B, channels, image_size_px, image_size_px); its `feature_dim` is D.

    Raises FewscanError where a model of timm cannot be had, or does not take such images, and where an encoder of somebody
    else's gives no features (B, feature_dim).
    """
    side_px = settings.input_px or image_size_px
    encoder = encoder_type(settings.name)(settings, channels, side_px)
    with_fast_depthwise(encoder)
    if side_px != image_size_px:
        encoder.register_forward_pre_hook(partial(_resized, side_px=side_px))
    if encoder.name not in REGISTRY.own_names():
        _require_parts(encoder)
        _require_features(encoder, torch.zeros(2, channels, image_size_px, image_size_px))
    return encoder


def _resized(encoder: Encoder, images: tuple[torch.Tensor], side_px: int) -> tuple[torch.Tensor]:
    """Return images (B, C, S, S), as `forward` is about to get them, as (B, C, side_px, side_px)."""
    smaller = side_px < images[0].shape[-1]
    # In float32: on a CPU PyTorch does not resize bfloat16 with antialiasing.
    resized = F.interpolate(images[0].float(), size=(side_px, side_px), mode="bilinear", antialias=smaller)
    return (resized.to(images[0].dtype),)


def _require_parts(encoder: Encoder) -> None:
    own, named = list(encoder.parameters()), [each for part in encoder.parts() for each in part.parameters()]
    if len(named) != len(own) or {id(each) for each in named} != {id(each) for each in own}:
        raise FewscanError(
            f"encoder '{encoder.name}' of {REGISTRY.source(encoder.name)}: its parts must have each of its {len(own)} "
            f"parameters once, and have {len(named)}"
        )


def _require_features(encoder: Encoder, images: torch.Tensor) -> None:
    with torch.no_grad():
        features = encoder.eval()(images)
    encoder.train()
    promised = (len(images), getattr(encoder, "feature_dim", None))
    given = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
    if given != promised:
        raise FewscanError(
            f"encoder '{encoder.name}' of {REGISTRY.source(encoder.name)} gives {given} for {len(images)} images, not "
            f"(images, feature_dim) = {promised}"
        )
