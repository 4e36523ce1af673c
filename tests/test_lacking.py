"""Encoders, views, recipes and protocols of one's own that lack something: each is refused with what it lacks."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch

import fewscan
from fewscan.datasets.protocols import PROTOCOLS, SplitProtocol, protocol_flaw
from fewscan.errors import FewscanError
from fewscan.learning.method import Method
from fewscan.learning.views import Views, ViewSettings
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.training.recipe import Recipe


class ShapelessSettings(EncoderSettings):
    name: Literal["shapeless"] = "shapeless"


class Shapeless(Encoder):
    name = "shapeless"
    summary = "a network that computes nothing"
    settings_type = ShapelessSettings


class BlindSettings(ViewSettings):
    name: Literal["blind"] = "blind"


class Blind(Views):
    name = "blind"
    summary = "views that are drawn and not made"
    settings_type = BlindSettings

    def sample(self, count: int, image_size_px: int, generator: torch.Generator) -> Any:
        return None


class Bare(Recipe):
    name = "bare"
    summary = "says nothing"


class Slow(Recipe):
    name = "slow and steady"
    summary = "a recipe whose name is none"

    def settings(self, method: type[Method], *, labeled: int, unlabeled: int) -> dict[str, Any]:
        return {"epochs": 1}


@pytest.mark.parametrize(
    ("register", "own", "said"),
    [
        (fewscan.register_encoder, Shapeless, "does not define forward"),
        (fewscan.register_views, Blind, "does not define apply"),
        (fewscan.register_views, int, "subclass"),
        (fewscan.register_recipe, Bare, "settings"),
        (fewscan.register_recipe, int, "subclass"),
        (fewscan.register_recipe, Slow, "slow and steady"),
    ],
)
def test_what_lacks_something_is_not_registered(register: Callable[[Any], Any], own: type, said: str) -> None:
    with pytest.raises(FewscanError, match=said):
        register(own)


def test_a_protocol_must_be_one_and_say_whether_it_keeps_groups() -> None:
    assert "subclass" in (protocol_flaw(int) or "")
    assert "keeps_groups" in (protocol_flaw(type("Torn", (SplitProtocol,), {"keeps_groups": None})) or "")
    assert protocol_flaw(PROTOCOLS["leakfree"]) is None


def test_views_that_cannot_be_shared_out_say_so_by_name() -> None:
    with pytest.raises(FewscanError, match="blind"):
        Blind(BlindSettings()).parameters_of(torch.arange(2), None)
