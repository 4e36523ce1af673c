"""Named streams of random numbers: who draws says from which seed and what for, and two names never draw the same numbers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fewscan.errors import FewscanError

# Streams that were drawn from before they had names, by whose seed they come from: what follows seed and numbers in the key,
# or None where the seed itself is handed to torch. Their draws stay what they were, so that recorded results can be got again.
# Two of one seed must differ; those of different seeds (a run's, a split's) may not, as two runs of one seed may not.
FORMER: Mapping[str, Mapping[str, tuple[int, ...] | None]] = {
    "run": {
        "first weights": None,  # torch
        "probe": (),
        "batches": (),  # epoch
        "label bearers": (1,),  # epoch
        "epoch": (),  # epoch; torch
        "views": (),  # epoch, step; torch
        "weak views": (1,),  # epoch, step; torch
    },
    "untrained network": {"untrained weights": None},
    "split": {"split": ()},
    "practice scans": {"practice order": (), "practice head": ()},  # -, head
    "audit": {"description": ()},
    "typicality": {"reference images": ()},
    "intervals": {"bootstrap": ()},
    "paired test": {"permutations": ()},
    "held-out images": {"one a group": ()},
    "surety": {"surety images": ()},
    "heat maps": {"hiding": ()},
    "export": {"proof scans": ()},
    "page": {"page samples": ()},
    "figure": {"figure samples": ()},
}

# The largest that scikit-learn takes.
LARGEST_SEED = 2**32 - 1

_SUFFIXES = {name: suffix for names in FORMER.values() for name, suffix in names.items()}


@dataclass(frozen=True)
class Stream:
    """Random numbers of one seed, for one purpose."""

    seed: int
    name: str
    numbers: tuple[int, ...]  # such as epoch and step; 0 or more

    @property
    def key(self) -> tuple[int, ...]:
        """What the numbers are drawn from."""
        suffix = _SUFFIXES.get(self.name)
        # To NumPy a key that ends in 0 is the same one without it: such a one would be another stream's.
        if self.name in _SUFFIXES and self.numbers[-1:] != (0,):
            return (self.seed, *self.numbers, *(suffix or ()))
        text = "\0".join(map(str, (self.name, self.seed, *self.numbers)))
        return (int.from_bytes(hashlib.sha256(text.encode()).digest()),)

    def numpy(self) -> np.random.Generator:
        """Return the generator of the stream, at its beginning."""
        return np.random.default_rng(self.key)

    @property
    def number(self) -> int:
        """What torch's generators take, in [0, 2**63)."""
        if self.name in _SUFFIXES and _SUFFIXES[self.name] is None:
            return self.seed
        return int(np.random.SeedSequence(self.key).generate_state(1, np.uint64)[0] >> 1)

    def seed_torch(self) -> None:
        """Let torch draw from the stream, at its beginning, wherever it is not handed a generator."""
        import torch

        if torch.accelerator.is_available():
            torch.manual_seed(self.number)
        else:
            # The same, but for kinds of devices that are not there: for each torch would write down who called, and keep it.
            torch.default_generator.manual_seed(self.number)


def require_seed(seed: int) -> None:
    """Raise FewscanError where a seed is not one that all can draw from."""
    if not 0 <= seed <= LARGEST_SEED:
        raise FewscanError(f"--seed is a whole number from 0 to {LARGEST_SEED:,}, not {seed}")


def stream(seed: int, name: str, *numbers: int) -> Stream:
    """Return the stream `name` of a seed, and of numbers such as epoch and step.

    The same arguments give the same draws, whatever else is drawn; any other name gives others.
    """
    return Stream(seed, name, numbers)
