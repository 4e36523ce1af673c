"""Tensors in safetensors files."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor


def safetensors_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what a safetensors file of the tensors holds; what lies in another order in memory is put in order."""
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, None if metadata is None else dict(metadata))


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, and what it says of itself; raises SafetensorError or OSError where it cannot be read."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 (not a dict)
