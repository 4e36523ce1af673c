"""The complete state of a run between two epochs, in one safetensors file that is replaced atomically and never unpickled."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from fewscan.atomic import write_bytes
from fewscan.errors import FewscanError
from fewscan.tensors import read_safetensors, safetensors_of
from fewscan.training.run import CHECKPOINT_FOLDER, Run

CHECKPOINT_FILE = "state.safetensors"
_ANEW = "start a new run"
_FORMER_GROUP = {"scale": 1.0, "frozen": False}


class Stateful(Protocol):
    """What has a state of numbers, such as a precision: that of float16 scales losses, by more or less as it goes."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state; nothing where there is none."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state."""


class Checkpoints:
    """The saved state of a run in training. Where epochs are short it is not written after each, but every few seconds.

    Random state is not part of it: everything random in an epoch is drawn from the run's seed and the epoch's number.
    """

    def __init__(
        self,
        run: Run,
        modules: Mapping[str, nn.Module],
        optimizer: torch.optim.Optimizer,
        precision: Stateful,
        every_seconds: float,
        *,
        writes: bool = True,
    ) -> None:
        """writes: whether this process saves; of several that train one run only one does."""
        self.run = run
        self.path = _path(run)
        self.modules = modules
        self.optimizer = optimizer
        self.precision = precision
        self.every_seconds = every_seconds
        self.writes = writes
        self.epoch = 0  # that the saved state is of

    def begin(self, *, resume: bool) -> int:
        """Load the saved state, or save the first one; return the number of finished epochs."""
        if resume:
            self.epoch = self._load()
            self._saved = time.monotonic()
        elif self.writes:
            self._save(0)
        return self.epoch

    def after(self, epoch: int, *, last: bool) -> None:
        """Save the state after `epoch` where the saved one is old enough, or training is over."""
        if self.writes and (last or time.monotonic() - self._saved >= self.every_seconds):
            self._save(epoch)

    def _save(self, epoch: int) -> None:
        """Write the state after `epoch`; a kill leaves the old state or the new one, whole."""
        tensors = {f"{name}/{key}": value for name, part in self.modules.items() for key, value in part.state_dict().items()}
        state = self.optimizer.state_dict()
        for index, entries in state["state"].items():
            tensors |= {f"optimizer/{index}/{key}": value for key, value in entries.items()}
        numbers = {"param_groups": state["param_groups"], "precision": self.precision.state_dict()}
        texts = {name: json.dumps(value) for name, value in numbers.items()}
        metadata = {"epoch": str(epoch), **texts, **self.run.metadata()}
        self.path.parent.mkdir(exist_ok=True)
        # Written by Python, so that a full disk is an OSError like any other.
        write_bytes(self.path, safetensors_of(tensors, metadata))
        self.epoch = epoch
        self._saved = time.monotonic()

    def _load(self) -> int:
        """Put the saved state into modules and optimizer and return the number of finished epochs.

        Raises FewscanError where the file is cut short, of another training, or does not fit the run's settings.
        """
        metadata, tensors = read_checkpoint(self.run)
        grouped: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, _, key = name.partition("/")
            grouped.setdefault(owner, {})[key] = value
        try:
            for owner, module in self.modules.items():
                module.load_state_dict(grouped.get(owner, {}))
            # What groups did not say before 2026-11-27.
            param_groups = [_FORMER_GROUP | group for group in json.loads(metadata["param_groups"])]
            self.optimizer.load_state_dict(_optimizer_state(grouped.get("optimizer", {}), param_groups))
            # Before 2026-11-30 it was not written.
            if scale := json.loads(metadata.get("precision", "{}")):
                self.precision.load_state_dict(scale)
            epoch = int(metadata["epoch"])
            if not 0 <= epoch <= self.run.settings.epochs:
                raise ValueError("no epoch of this run")
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise FewscanError(f"{self.path} does not match this run's settings: {_ANEW}") from None
        return epoch


def has_checkpoint(run: Run) -> bool:
    """Return whether there is a saved state: a run that was killed before its first one begins anew."""
    return _path(run).is_file()


def read_checkpoint(run: Run) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return what a saved state says of itself, and its tensors; raises FewscanError where it is cut short or another run's."""
    path = _path(run)
    try:
        tensors, metadata = read_safetensors(path)
    except (SafetensorError, OSError):
        raise FewscanError(f"{path} is damaged or incomplete: {_ANEW}") from None
    run.require_ties(metadata, path)
    return metadata, tensors


def _path(run: Run) -> Path:
    return run.folder / CHECKPOINT_FOLDER / CHECKPOINT_FILE


def _optimizer_state(tensors: Mapping[str, Tensor], param_groups: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": param_groups}
