"""A run that begins with the weights of another one, and how these come into a network that may know more classes."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fewscan.config import Settings
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.models.network import Network

BEGINNING_FILE = "began_with.safetensors"


class BeganWith(Settings):
    """The run whose weights another one began with."""

    run: str  # its folder, as it was then
    identity: str
    classes: tuple[str, ...]
    sha256: str  # of its weights, which the new run keeps as BEGINNING_FILE


def load_beginning(network: Network, folder: Path, began: BeganWith, classes: tuple[str, ...]) -> Network:
    """Load the weights that the run in `folder` began with into its network, whose classes are `classes`.

    A class that both know keeps its weights; a new one keeps those that the network has. Raises FewscanError where the file is
    missing, damaged or another one.
    """
    path = folder / BEGINNING_FILE
    try:
        if file_sha256(path) != began.sha256:
            raise FewscanError(f"{path} was changed since the run was made: put back what it was, or train again")
        network.load_state_dict(_with_classes(load_file(path), network.state_dict(), began.classes, classes))
    except (OSError, SafetensorError, RuntimeError):
        raise FewscanError(f"{path} is missing or damaged: train again") from None
    return network


def _with_classes(
    before: Mapping[str, Tensor], fresh: Mapping[str, Tensor], old: tuple[str, ...], new: tuple[str, ...]
) -> dict[str, Tensor]:
    """Return the weights `before`, the last layer's arranged for the `new` classes, and `fresh` ones of those not known."""
    weights = dict(before)
    if old == new:
        return weights
    both = [name for name in new if name in old]
    to, of = (torch.tensor([names.index(name) for name in both]) for names in (new, old))
    for name in [name for name in fresh if name.startswith("classifier.")][-2:]:
        weights[name] = fresh[name].clone()
        weights[name][to] = before[name][of]
    return weights
