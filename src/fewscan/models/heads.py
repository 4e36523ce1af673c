"""Heads: features h (B, D) -> projections z and class logits."""

import warnings
from itertools import pairwise
from typing import Annotated, Literal

import pydantic
from torch import nn

from fewscan.config import Settings

# Of each dense layer.
Units = tuple[Annotated[int, pydantic.Field(ge=1)], ...]


class HeadSettings(Settings):
    """The shape of the two heads, and what the classifier reads.

    `projection`: encoder, projection head and classifier stand in a row. `features`: the classifier reads h, so that what the
    contrastive loss does to z leaves it alone. A detached classifier reads the encoder and never teaches it: a probe.
    """

    projection_units: Units = pydantic.Field(default=(256, 128, 64), min_length=1)
    projection_last_relu: bool = False
    classifier_input: Literal["features", "projection"] = "features"
    classifier_hidden_units: Units = ()
    classifier_detached: bool = False


def projection_head(inputs: int, settings: HeadSettings) -> nn.Sequential:
    """Return dense layers h (B, inputs) -> z (B, last of projection_units), ReLU between and, if asked, after the last."""
    return _dense([inputs, *settings.projection_units], last_relu=settings.projection_last_relu)


def classifier(inputs: int, classes: int, settings: HeadSettings) -> nn.Sequential:
    """Return dense layers (B, inputs) -> logits (B, classes), ReLU after each hidden one; linear where there is none.

    A network that learns without labels has a last layer of no classes.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        return _dense([inputs, *settings.classifier_hidden_units, classes], last_relu=False)


def _dense(units: list[int], *, last_relu: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(units):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*(layers if last_relu else layers[:-1]))
