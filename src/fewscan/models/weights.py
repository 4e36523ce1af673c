"""Files of weights -> tensors -> an encoder that begins with them; what does not fit is said tensor by tensor."""

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.models.encoder import Encoder
from fewscan.models.origin import Origin, Weights

# How many tensors an error names of each kind.
NAMED = 3

# Under which entry training scripts store the weights beside other things.
_ENTRIES = ("state_dict", "model", "model_state_dict")
_PICKLED = (".pth", ".pt", ".bin", ".ckpt")
# A network's part that is the encoder, in runs and exports.
PREFIX = "encoder."


def read_weights(path: Path) -> Weights:
    """Return the encoder's tensors in a file, `.safetensors` or one that torch.save wrote, and the file as their origin.

    Of a whole network of fewscan's, those of its encoder, without the prefix. Raises FewscanError where the file cannot be
    read, or holds anything but tensors.
    """
    if not path.is_file():
        raise FewscanError(f"there is no file or run {path}: check encoder.weights")
    try:
        sha256 = file_sha256(path)
        tensors = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except (OSError, SafetensorError):
        raise FewscanError(f"{path} cannot be read: it is not a complete weights file") from None
    own = {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
    return Weights(own or tensors, Origin(kind="file", source=path.name, sha256=sha256))


def pickled_line(path: Path) -> str | None:
    """Return what is to be said where a user names a file that torch.save wrote, which could hold code; None of any other."""
    if path.suffix not in _PICKLED:
        return None
    return f"{path.name}: opened with torch.load(weights_only=True), which reads tensors and runs no code in the file"


def _unpickled(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a file that torch.save wrote: the one place where anything is unpickled.

    `weights_only` makes tensors and plain containers of them and nothing else, so no code of the file runs.
    """
    convert = (
        "convert it where it comes from: from safetensors.torch import save_file; save_file(model.state_dict(), "
        "'weights.safetensors')"
    )
    if path.suffix not in _PICKLED:
        raise FewscanError(f"{path} is not a weights file: give a .safetensors file, or one of {', '.join(_PICKLED)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's, about ways to store tensors that it is giving up
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError):
        raise FewscanError(f"{path} is damaged or contains more than weights, so it is not opened: {convert}") from None
    for entry in _ENTRIES:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise FewscanError(f"{path} does not contain weights by name, as a state_dict does: {convert}")
    return {str(name): value for name, value in content.items()}


def load_weights(encoder: Encoder, weights: Weights) -> None:
    """Give `encoder` the weights, in place.

    Where it reads gray scans and the weights read colors, the first layer's are summed over the colors: what they would compute
    were the scan in all three channels. Raises FewscanError naming the tensors that are missing, unexpected or of other shapes,
    and where some are no numbers.
    """
    wanted = encoder.state_dict()
    found = _for_channels(dict(encoder.own_names(weights.tensors)), wanted)
    # How many batches a normalization has seen says nothing to it; older files lack it.
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in wanted]
    shapes = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    by_kind = {"missing": missing, "unexpected": unexpected, "shapes": shapes}
    flaws = [_few(what, names) for what, names in by_kind.items() if names]
    where = f"{weights.origin.kind} {weights.origin.source}"
    if flaws:
        raise FewscanError(f"the weights of {where} do not fit encoder '{encoder.settings.name}': {'; '.join(flaws)}")
    if not all(torch.isfinite(value).all() for value in found.values() if value.is_floating_point()):
        raise FewscanError(f"the weights of {where} contain values that are not numbers")
    encoder.load_state_dict(wanted | found)


def _for_channels(found: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `found` with the layer that reads three colors, where the encoder's own reads gray, summed over them."""
    for name, value in found.items():
        gray = wanted.get(name)
        if gray is not None and gray.ndim == 4 and gray.shape == (len(value), 1, *value.shape[2:]) and value.shape[1:2] == (3,):
            return found | {name: value.sum(dim=1, keepdim=True)}
    return found


def _few(what: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}: {', '.join(names[:NAMED])}{more}"


def weights_identity(module: nn.Module) -> str:
    """Return a SHA-256 over the names, shapes and values of all tensors of a module: equal where it computes the same."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
