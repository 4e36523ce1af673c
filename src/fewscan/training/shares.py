"""Work that is shared out among processes, each with a device of its own; what they make comes in the order of the work."""

import importlib
import itertools
import os
import pickle
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from fewscan.errors import FewscanError
from fewscan.processes import Failure, belong_to_parent, helpers, how_it_failed, require_guard
from fewscan.progress import console
from fewscan.training.batches import Rows
from fewscan.training.devices import on_cpu, require_here

_KILLED = "one of the processes that share this work was killed, or failed as shown above: run the same command again"
_END_SECONDS = 10  # within which a process whose work is done has ended

Result = TypeVar("Result")
How = Literal["made", "done"] | Failure


def require_devices(devices: int, device: str) -> None:
    """Raise FewscanError where this machine has not so many devices of the kind that a run's setting asks for.

    Several of them ask for a guard besides (`require_guard`).
    """
    require_guard()
    require_here(devices, device)


def places_of_shares(items: int, block: int, devices: int) -> list[Rows]:
    """Return which of so many items are each device's: blocks of consecutive ones, dealt out in turn, as `shared_out` asks."""
    numbers = np.arange(items)
    return [numbers[numbers // block % devices == device] for device in range(devices)]


def shared_out(
    work: Callable[..., Iterator[Result]], shares: Sequence[tuple[Any, ...]], device: str, modules: Collection[str] = ()
) -> Generator[Result, None, None]:
    """Yield what `work(*share)` yields in a process for each share: the first of each, then the second of each, and so on.

    device: the setting of that name, so that each process has a device of its own of that kind. modules: which these import
    first. Close the generator to stop early. Raises FewscanError where a process does, or is killed.
    """
    devices = 0 if on_cpu(device) else torch.cuda.device_count()
    # Not as `Process` would send it: a file descriptor for each tensor, of which no more than 256 can be sent.
    parts = ((work, pickle.dumps(share), (place, len(shares), devices), modules) for place, share in enumerate(shares))
    with helpers(_be_share, parts, _KILLED) as started:
        for _, hears in itertools.cycle(started):
            how, said = _heard(hears)
            if how == "done":
                # And so the others are, too: they end by themselves, and take away what their libraries have left.
                for process, _ in started:
                    process.join(_END_SECONDS)
                return
            yield said


def take_place(place: int, at_once: int, devices: int) -> None:
    """Give a new process, one of so many at once, its share of the machine: one CUDA device, or its part of the CPU's cores."""
    belong_to_parent()
    console.quiet = True  # bars of several processes would draw over one another
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = device_name(place, devices, os.environ.get("CUDA_VISIBLE_DEVICES"))
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // at_once))


def device_name(place: int, devices: int, visible: str | None) -> str:
    """Return what CUDA calls the device of a place; `visible` is the list that the user was given, by a cluster say, if any."""
    names = visible.split(",") if visible else [str(number) for number in range(devices)]
    return names[place % devices]


def _heard(hears: Connection) -> tuple[How, Any]:
    """Return what a process says next; raises what it failed by."""
    try:
        how, said = hears.recv()
    except (EOFError, ConnectionError):
        raise FewscanError(_KILLED) from None
    if how == "refused":
        raise FewscanError(said)
    if how == "memory":
        raise MemoryError(said)
    if how == "fault":
        raise RuntimeError(f"one of the processes that share this work failed:\n{said}")
    return how, said


def _be_share(
    work: Callable[..., Iterator[Any]],
    share: bytes,
    place: tuple[int, int, int],
    modules: Collection[str],
    tells: Connection,
) -> None:
    """Be the process of a share, and tell what it makes."""
    take_place(*place)
    # Who reads no more has failed or was stopped, and ends this process.
    with suppress(BrokenPipeError):
        try:
            for module in modules:
                importlib.import_module(module)
            for made in work(*pickle.loads(share)):  # noqa: S301 - of the process that began this one
                tells.send(("made", made))
            tells.send(("done", None))
        except BrokenPipeError:
            raise
        except Exception as error:
            tells.send(how_it_failed(error))
