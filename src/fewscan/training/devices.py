"""On which devices a training runs: what the user asks for, or what torchrun or Slurm has started; and which trainings can."""

import copy
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.options import USUAL_PX, ImageSpec
from fewscan.learning.policies import build_views
from fewscan.learning.registry import method_type
from fewscan.learning.views import Views
from fewscan.models.network import Network
from fewscan.processes import require_guard
from fewscan.training.batches import smallest_batch
from fewscan.training.images import usable_device
from fewscan.training.lengths import used
from fewscan.training.settings import RunSettings
from fewscan.wording import counted

if TYPE_CHECKING:
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment


# Names a process that torchrun has started.
BY_TORCHRUN = "TORCHELASTIC_RUN_ID"


@dataclass(frozen=True)
class Devices:
    """The devices of a training: so many on each of so many machines. Each has a process of its own."""

    on_each: int = 1
    machines: int = 1
    # Of processes that something else has started, this one among them; None where this one starts them.
    started: "ClusterEnvironment | None" = None

    @property
    def count(self) -> int:
        """How many there are in all."""
        return self.on_each * self.machines

    @property
    def follows(self) -> bool:
        """Whether another process prepares the training, and this one only takes part."""
        return self.started.global_rank() > 0 if self.started is not None else self.count > 1 and machine_number() > 0

    @classmethod
    def asked(cls, devices: int | None, machines: int | None) -> Self:
        """Return what the user asks for, or what has been started by torchrun or Slurm.

        Raises FewscanError where the two differ, and where nothing says how several machines find each other; and as
        `require_guard` does.
        """
        require_guard()
        started = _started()
        if started is None:
            found = cls(1 if devices is None else devices, 1 if machines is None else machines)
            if min(found.on_each, found.machines) < 1:
                raise FewscanError("--devices and --nodes must be at least 1")
            if found.machines > 1 and not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"} <= os.environ.keys():
                raise FewscanError(
                    f"--nodes {found.machines}: start the command on every machine with torchrun or Slurm, or set MASTER_ADDR "
                    "and MASTER_PORT (of the first machine) and NODE_RANK (counted from 0)"
                )
            return found
        environment, on_each = started
        found = cls(on_each, environment.world_size() // on_each, environment)
        if devices not in (None, found.on_each) or machines not in (None, found.machines):
            who = "torchrun" if BY_TORCHRUN in os.environ else "Slurm"
            raise FewscanError(
                f"{who} started {counted(found.on_each, 'process', 'processes')} per machine on "
                f"{counted(found.machines, 'machine')}: give --devices {found.on_each} --nodes {found.machines}, or neither"
            )
        return found


def machine_number() -> int:
    """Return which of several machines this one is, from 0."""
    return int(os.environ.get("NODE_RANK", "0"))


def _started() -> "tuple[ClusterEnvironment, int] | None":
    """Return what torchrun or Slurm says of the processes that it has started, and how many of them are on a machine."""
    # Lightning Fabric takes a second to load, so only where it is needed.
    if BY_TORCHRUN in os.environ:
        from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

        return TorchElasticEnvironment(), int(os.environ["LOCAL_WORLD_SIZE"])
    # Inside a job of several tasks whatever srun has not started is one process.
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

        try:
            environment = SLURMEnvironment()
        except RuntimeError as error:
            raise FewscanError(f"Slurm: {error}") from None
        return environment, environment.world_size() // int(os.environ.get("SLURM_STEP_NUM_NODES", "1"))
    return None


def require_shareable(devices: Devices, settings: RunSettings, dataset: Snapshot) -> None:
    """Raise FewscanError where several devices cannot do what one would, or where what is asked for is not there."""
    if not settings.solved and settings.device not in ("auto", usable_device(settings.device).type):
        raise FewscanError(f"device={settings.device}: this machine has none; leave it out, or train where there is one")
    if settings.precision == "16-mixed" and on_cpu(settings.device):
        raise FewscanError("precision=16-mixed is for GPUs: on a CPU use 'bf16-mixed' or '32-true'")
    if devices.count == 1:
        return
    if settings.solved:
        raise FewscanError(
            f"{settings.method.name} has no training steps and uses one device: leave out --devices, or choose another method "
            "or recipe"
        )
    require_here(devices.on_each, settings.device)
    labeled, unlabeled = len(dataset.rows("labeled")), used(method_type(settings.method.name), len(dataset.rows("unlabeled")))
    least = smallest_batch(labeled, unlabeled, settings.batch_size, settings.labeled_share, settings.passes)
    _require_images_for_all(devices.count, least, settings.chunk_size)
    if type(build_views(settings.views)).parameters_of is Views.parameters_of:
        raise FewscanError(
            f"the views '{settings.views.name}' do not define parameters_of, which several devices need to share a batch: "
            "train on one device"
        )
    if _draws_itself(settings, dataset):
        raise FewscanError(
            f"encoder {settings.encoder.name} draws random numbers in its forward pass, as dropout does, and several devices "
            "would draw other numbers than one: train on one device"
        )


def _require_images_for_all(devices: int, least: int, chunk_size: int | None) -> None:
    if least < devices:
        raise FewscanError(
            f"{devices} devices cannot share batches of {least} images: use fewer devices or a larger batch_size"
        )
    if chunk_size is None:
        return
    # Batches of an epoch differ by two images at most.
    if any(images // devices < -(-images // chunk_size) for images in range(least, least + 3)):
        raise FewscanError(
            f"chunk_size={chunk_size}, which counts the images of all devices, leaves some of the {devices} devices without "
            "images: use a larger chunk_size or fewer devices"
        )


def on_cpu(device: str) -> bool:
    """Return whether a run that asks for this device is computed on the CPU here."""
    return device == "cpu" or (device == "auto" and not torch.cuda.is_available() and not torch.backends.mps.is_available())


def cpu_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_lines(devices: Devices, settings: RunSettings, spec: ImageSpec) -> tuple[str, ...]:
    """Return for people what a training computes with on a CPU, whether other programs want it, too, and what scans cost it.

    Nothing on GPUs.
    """
    if settings.solved or not on_cpu(settings.device):
        return ()
    slow = size_lines(settings, spec)
    threads, cores, load = devices.on_each * max(1, torch.get_num_threads() // devices.on_each), cpu_cores(), os.getloadavg()[0]
    words = f"CPU: {counted(threads, 'thread')} on {counted(cores, 'core')}"
    if load + threads <= cores + 1:
        return words, *slow
    return f"{words}; the load was {load:.1f} over the last minute: other work on this machine slows training down", *slow


def size_lines(settings: RunSettings, spec: ImageSpec) -> tuple[str, ...]:
    """Return for people how much longer large scans take a CPU from scratch, since an import may have chosen their size.

    Nothing where an encoder begins with weights, for which it has chosen well.
    """
    shown_px = settings.encoder.input_px or spec.size_px
    if settings.solved or settings.encoder.weights is not None or shown_px <= USUAL_PX or not on_cpu(settings.device):
        return ()
    times = f"up to {(shown_px / USUAL_PX) ** 2:.0f} times as long as those of {USUAL_PX} px"
    return (f"from scratch, scans of {shown_px} px take {times}: encoder.input_px={USUAL_PX} shows the network smaller ones",)


def require_here(devices: int, device: str) -> None:
    """Raise FewscanError where this machine has not so many devices of the kind that a run asks for."""
    here = available(device)
    if not 1 <= devices <= here:
        raise FewscanError(f"--devices {devices}: this machine has {counted(here, 'CPU core' if on_cpu(device) else 'device')}")


def available(device: str) -> int:
    """Return how many devices of the kind that a run asks for this machine has."""
    if on_cpu(device):
        return cpu_cores()
    return torch.cuda.device_count() if torch.cuda.is_available() and device != "mps" else 1


def _draws_itself(settings: RunSettings, dataset: Snapshot) -> bool:
    """Return whether a network of these settings takes random numbers when it computes in training."""
    with torch.random.fork_rng(devices=[]):
        network = Network.of(dataset.spec, len(dataset.classes), settings.encoder.untrained, settings.heads)
        before = torch.get_rng_state()
        with torch.no_grad():
            copy.deepcopy(network).train()(torch.zeros(2, dataset.spec.channels, dataset.spec.size_px, dataset.spec.size_px))
        return not torch.equal(before, torch.get_rng_state())
