"""The weights that a run begins with: what its record says of them, and how they come into its network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pydantic
import torch
from safetensors.torch import load
from torch import Tensor

from fewscan.config import Settings
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.models.encoder import EncoderSettings
from fewscan.models.network import Network
from fewscan.models.origin import Origin
from fewscan.models.weights import PREFIX

BEGINNING_FILE = "began_with.safetensors"


class BeganWith(Settings):
    """What a run remembers of the weights that it began with."""

    origin: Origin
    sha256: str  # of the weights as the run keeps them in BEGINNING_FILE
    classes: tuple[str, ...] | None = None  # of a whole network; None where they are those of an encoder alone

    @pydantic.model_validator(mode="before")
    @classmethod
    def _former(cls, values: Any) -> Any:
        """Read what runs before 2026-11-27 remembered: the run, its identity, its classes."""
        if not isinstance(values, Mapping) or "run" not in values:
            return values
        run = str(values["run"])
        origin = {"kind": "run", "source": Path(run).name, "run": run, "identity": values.get("identity")}
        return {key: value for key, value in values.items() if key not in ("run", "identity")} | {"origin": origin}


def begun_from(began: BeganWith | None, encoder: EncoderSettings) -> str:
    """Return in words what a run with this encoder began with."""
    if began is not None:
        return began.origin.words
    return "random weights" if encoder.weights is None else f"the weights '{encoder.weights}'"


class Beginning(NamedTuple):
    """The weights that a run begins with, as a safetensors file, and what it remembers of them."""

    record: BeganWith
    content: bytes


def load_beginning(network: Network, folder: Path, began: BeganWith, classes: tuple[str, ...]) -> Network:
    """Load the weights that the run in `folder` began with into its network, whose classes are `classes`.

    As `begun_with`; raises FewscanError besides where the file is missing, damaged or another one.
    """
    path = folder / BEGINNING_FILE
    try:
        if file_sha256(path) != began.sha256:
            raise FewscanError(f"{path} was changed since the run was made: restore the original file, or train again")
        content = path.read_bytes()
    except OSError:
        raise FewscanError(f"{path} is missing or damaged: train again") from None
    return begun_with(network, Beginning(began, content), classes)


def begun_with(network: Network, beginning: Beginning, classes: tuple[str, ...]) -> Network:
    """Give a network, whose classes are `classes`, the weights of a beginning, and return it.

    Of an encoder alone: the heads keep the weights that the network has. Of a whole network: a class that both know keeps its
    weights; a new one keeps those that the network has. Raises FewscanError where they are of a network of another shape.
    """
    record, fresh = beginning.record, network.state_dict()
    try:
        weights = load(beginning.content)
        if record.classes is None:
            weights = {name: value for name, value in fresh.items() if not name.startswith(PREFIX)} | weights
        else:
            weights = _with_classes(weights, fresh, record.classes, classes)
        network.load_state_dict(weights)
    except (RuntimeError, LookupError):
        raise FewscanError(
            f"the {record.origin.words} do not fit a network with these settings: leave out those of encoder and heads"
        ) from None
    return network


def _with_classes(
    before: Mapping[str, Tensor], fresh: Mapping[str, Tensor], old: tuple[str, ...], new: tuple[str, ...]
) -> dict[str, Tensor]:
    """Return the weights `before`, the last layer's arranged for the `new` classes, and `fresh` ones of those not known."""
    weights = dict(before)
    if old == new:
        return weights
    both = [name for name in new if name in old]
    to, of = (torch.tensor([names.index(name) for name in both], dtype=torch.int64) for names in (new, old))
    for name in [name for name in fresh if name.startswith("classifier.")][-2:]:
        weights[name] = fresh[name].clone()
        weights[name][to] = before[name][of]
    return weights
