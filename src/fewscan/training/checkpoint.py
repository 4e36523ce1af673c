"""The complete state of a run between two epochs, in one safetensors file that is replaced atomically and never unpickled."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fewscan.atomic import replaced_file
from fewscan.errors import FewscanError

CHECKPOINT_FILE = "state.safetensors"


class Checkpoints:
    """The saved state of a run in training. Where epochs are short it is not written after each, but every few seconds."""

    def __init__(
        self, folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, every_seconds: float
    ) -> None:
        self.folder = folder
        self.modules = modules
        self.optimizer = optimizer
        self.every_seconds = every_seconds
        self.epoch = 0  # that the saved state is of

    def begin(self, *, resume: bool) -> int:
        """Load the saved state, or save the first one; return the number of finished epochs, as `load_checkpoint` does."""
        if resume:
            self.epoch = load_checkpoint(self.folder, modules=self.modules, optimizer=self.optimizer)
            self._saved = time.monotonic()
        else:
            self._save(0)
        return self.epoch

    def after(self, epoch: int, *, last: bool) -> None:
        """Save the state after `epoch` where the saved one is old enough, or training is over."""
        if last or time.monotonic() - self._saved >= self.every_seconds:
            self._save(epoch)

    def _save(self, epoch: int) -> None:
        save_checkpoint(self.folder, epoch=epoch, modules=self.modules, optimizer=self.optimizer)
        self.epoch = epoch
        self._saved = time.monotonic()


def save_checkpoint(folder: Path, *, epoch: int, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
    """Write modules, optimizer and the number of finished epochs; a kill leaves the old state or the new one, whole.

    Random state is not part of it: everything random in an epoch is drawn from the run's seed and the epoch's number.
    """
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    state = optimizer.state_dict()
    for index, entries in state["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in entries.items()}
    metadata = {"epoch": str(epoch), "param_groups": json.dumps(state["param_groups"])}
    folder.mkdir(exist_ok=True)
    with replaced_file(folder / CHECKPOINT_FILE) as temporary:
        # Written by Python, so that a full disk is an OSError like any other.
        temporary.write_bytes(save({key: value.contiguous() for key, value in tensors.items()}, metadata))


def has_checkpoint(folder: Path) -> bool:
    """Return whether there is a saved state: a run that was killed before its first one begins anew."""
    return (folder / CHECKPOINT_FILE).is_file()


def load_checkpoint(folder: Path, *, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> int:
    """Put the saved state into modules and optimizer and return the number of finished epochs.

    Raises FewscanError where the file is missing, cut short, or from another network.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise FewscanError(f"{path} is missing, so there is nothing to resume: start a new run")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError):
        raise FewscanError(f"{path} is damaged or cut short: start a new run") from None
    grouped: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        owner, _, key = name.partition("/")
        grouped.setdefault(owner, {})[key] = value
    try:
        for owner, module in modules.items():
            module.load_state_dict(grouped.get(owner, {}))
        optimizer.load_state_dict(_optimizer_state(grouped.get("optimizer", {}), json.loads(metadata["param_groups"])))
    except (RuntimeError, ValueError, KeyError):
        raise FewscanError(f"{path} does not fit this run's settings: start a new run") from None
    return int(metadata["epoch"])


def _optimizer_state(tensors: Mapping[str, Tensor], param_groups: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": param_groups}
