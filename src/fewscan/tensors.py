"""Tensors as the content of a safetensors file."""

from collections.abc import Mapping

from safetensors import TensorSpec, serialize
from torch import Tensor


def safetensors_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what a safetensors file of the tensors holds; what lies in another order in memory is put in order.

    Each tensor is handed to the format's own writer by its address: `safetensors.torch.save` makes an array of each before, and
    compares all with all, which takes twice the time of a small network's checkpoint.
    """
    # Kept until all is written, since an address keeps nothing.
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    specs = {
        name: TensorSpec(
            dtype=str(tensor.dtype).removeprefix("torch."),
            shape=list(tensor.shape),
            data_ptr=tensor.data_ptr(),
            data_len=tensor.nbytes,
        )
        for name, tensor in held.items()
    }
    return bytes(serialize(specs, None if metadata is None else dict(metadata)))
