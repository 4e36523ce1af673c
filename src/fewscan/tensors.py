"""Tensors as the content of a safetensors file."""

from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor


def safetensors_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what a safetensors file of the tensors holds; what lies in another order in memory is put in order."""
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, None if metadata is None else dict(metadata))
