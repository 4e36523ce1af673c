"""A training by several processes, a rank each: how they begin, and how they end together."""

import importlib
import multiprocessing.connection
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import distributed, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # in its documentation

from fewscan.errors import FewscanError
from fewscan.processes import Helper, belong_to_parent, helpers, how_it_failed
from fewscan.progress import console
from fewscan.training.devices import Devices, machine_number
from fewscan.training.fit import fit
from fewscan.training.ranks import Ranks, fabric_of
from fewscan.training.run import Run
from fewscan.wording import command_line

# After one process has failed the others fail, too, for want of it: so long is waited for what they say.
GRACE_SECONDS = 3.0
_LOCAL_HOST = "127.0.0.1"


class Job(NamedTuple):
    """What the ranks train."""

    run: Path
    dataset: Path
    resume: bool
    modules: frozenset[str] = frozenset()  # which register what the run needs


class _SharedBatch(DDPStrategy):
    """Fabric's for several processes, but for its wrapper of networks.

    That takes every output for learned from, and waits for gradients of a head that no loss looks at; `Ranks` sums gradients.
    """

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]  # no wrapper
        """Return the network as it is."""
        return module


def train_together(job: Job | None, devices: Devices) -> Path:
    """Train by all ranks, of which this process is one or starts those of its machine; return the run's folder.

    job: what to train; None for what another process says. Raises FewscanError where a rank does, or is killed.
    """
    if devices.started is not None:
        return _take_part(job, devices)
    if devices.machines > 1:
        place = {name: os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT")}
    else:
        held = meeting()
        place = met_at(held)
    threads = max(1, torch.get_num_threads() // devices.on_each)
    parts = ((job, devices, number, place, threads) for number in range(devices.on_each))
    killed = "a process of this training was killed before it started: run the same command again"
    with helpers(_be_rank, parts, killed) as ranks:
        return _ended(ranks, job)


def meeting() -> TCPStore:
    """Return where ranks of this machine meet while it is held.

    It has its port from the first moment on: one that is looked for and let go may be taken meanwhile.
    """
    return TCPStore(_LOCAL_HOST, 0, is_master=True, wait_for_workers=False)


def met_at(held: TCPStore) -> dict[str, str]:
    """Return the variables by which ranks meet where another process waits for them, as torchrun's does."""
    return {"MASTER_ADDR": _LOCAL_HOST, "MASTER_PORT": str(held.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}


def _said(rank: Helper) -> tuple[str, str]:
    """Return how a process that has ended says that it did, and in which words."""
    with suppress(EOFError, OSError):
        if rank.hears.poll():
            return rank.hears.recv()  # type: ignore[no-any-return]
    code = rank.process.exitcode
    return ("killed", signal.Signals(-code).name) if code is not None and code < 0 else ("fault", f"exit code {code}")


def _ended(ranks: list[Helper], job: Job | None) -> Path:
    """Wait until all have ended, and return the run's folder; or until one has failed."""
    running = {rank.process.sentinel: rank for rank in ranks}
    failed: list[tuple[str, str]] = []
    folder, deadline = Path(), None
    while running and (deadline is None or time.monotonic() < deadline):
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        for sentinel in multiprocessing.connection.wait(list(running), left):
            rank = running.pop(sentinel)  # type: ignore[arg-type]
            rank.process.join()
            how, words = _said(rank)
            if how == "trained":
                folder = Path(words)
            else:
                failed.append((how, words))
                deadline = deadline or time.monotonic() + GRACE_SECONDS
    if failed:
        _raise(dict(reversed(failed)), job)
    return folder


def _raise(failed: dict[str, str], job: Job | None) -> NoReturn:
    """Raise what is told of a training of which processes failed: in which ways, and the first words of each."""
    go_on = "" if job is None else f": continue with '{command_line('train', job.dataset, '--out', job.run, '--resume')}'"
    if "refused" in failed:
        raise FewscanError(failed["refused"])
    if "memory" in failed:
        raise MemoryError(failed["memory"])
    if "killed" in failed:
        raise FewscanError(f"a process of this training was ended by {failed['killed']}, so the others stopped, too{go_on}")
    if "fault" in failed:
        raise RuntimeError(f"a process of this training failed:\n{failed['fault']}")
    raise FewscanError(f"{failed['deserted']}{go_on}")


def _be_rank(job: Job | None, devices: Devices, number: int, place: dict[str, str], threads: int, tells: Connection) -> None:
    """Be the process of a device of this machine, and tell how it ended."""
    belong_to_parent()
    torch.set_num_threads(threads)
    os.environ |= {"LOCAL_RANK": str(number), "NODE_RANK": str(machine_number())} | place
    try:
        for module in () if job is None else job.modules:
            importlib.import_module(module)
        tells.send(("trained", str(_take_part(job, devices))))
    except Exception as error:
        tells.send(_told(error))
        os._exit(1)


def _told(error: Exception) -> tuple[str, str]:
    """Return how an error ends the process of a rank, and in which words."""
    return ("deserted", str(error)) if isinstance(error, DesertedError) else how_it_failed(error)


class DesertedError(FewscanError):
    """Another process of the training is gone."""


def _take_part(job: Job | None, devices: Devices) -> Path:
    """Be one of the ranks of a training, and return the folder of its run once all are done."""
    environment = devices.started or LightningEnvironment()
    environment.set_world_size(devices.count)
    environment.set_global_rank(environment.node_rank() * devices.on_each + environment.local_rank())
    console.quiet = environment.global_rank() > 0
    os.environ |= {"MASTER_ADDR": environment.main_address, "MASTER_PORT": str(environment.main_port)}
    with _deserted():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, rank=environment.global_rank(), world_size=devices.count)
        told = [job]
        distributed.broadcast_object_list(told, 0)
        job = told[0]
        assert job is not None
        run = Run.open(job.run)
        fabric = fabric_of(
            run.settings,
            devices=devices.on_each,
            num_nodes=devices.machines,
            strategy=_SharedBatch(),
            plugins=[environment],
        )
        fabric.launch()
        fit(run, run.open_dataset(job.dataset), resume=job.resume, ranks=Ranks(fabric))
        # Nobody goes before the run is written.
        distributed.all_reduce(torch.zeros(1))
    distributed.destroy_process_group()
    return job.run


@contextmanager
def _deserted() -> Iterator[None]:
    """Raise DesertedError where what the other processes are waited for fails."""
    try:
        yield
    except RuntimeError as error:
        # Gloo has no error of a type of its own.
        if isinstance(error, distributed.DistError) or "gloo" in str(error):
            raise DesertedError("another process of this training has ended") from error
        raise
