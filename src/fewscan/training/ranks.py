"""What a rank is: one of the processes that train a run together, each on a device of its own with its part of every batch.

What is random is drawn by every rank alike, for the whole batch. Only what is costly is shared out: reading scans, making
views, the network's passes. Outputs are then gathered, and every rank computes the losses of the whole batch from them. So
many ranks compute what one does, but for rounding.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from fewscan.learning.views import Part
from fewscan.models.network import Outputs
from fewscan.training.batches import Rows
from fewscan.training.joint_norm import joint_batch_norm
from fewscan.training.settings import RunSettings

if TYPE_CHECKING:
    import lightning_fabric


def fabric_of(settings: RunSettings, **of_devices: Any) -> "lightning_fabric.Fabric":
    """Return what moves a training to its devices, with its precision; of_devices: which ones, as Fabric takes them."""
    import lightning_fabric

    # It announces the precision, which a run says by itself. Loading it has set the level, so this can stand nowhere before.
    logging.getLogger(lightning_fabric.__name__).setLevel(logging.WARNING)
    return lightning_fabric.Fabric(accelerator=settings.device, precision=settings.precision, **of_devices)


@dataclass(frozen=True)
class Ranks:
    """The ranks of a training, as one of them sees them. Of one rank everything is its own, and nothing is changed."""

    fabric: "lightning_fabric.Fabric"

    @classmethod
    def alone(cls, settings: RunSettings) -> "Ranks":
        """Return the one rank of a training on one device, whatever cluster this process runs on."""
        # It takes a second to load, which who trains nothing need not wait for.
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment

        return cls(fabric_of(settings, devices=1, plugins=[LightningEnvironment()]))

    @property
    def count(self) -> int:
        """How many ranks there are."""
        return self.fabric.world_size

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes."""
        return self.fabric.global_rank == 0

    def span(self, images: int) -> range:
        """Return which of a batch's images are this rank's: consecutive ones, as many as any other's or one more."""
        return _span(images, self.count, self.fabric.global_rank)

    def places(self, images: int, views: int = 1) -> Rows:
        """Return where this rank's views stand in (views * images, ...), one batch of views after the other."""
        span = np.asarray(self.span(images), dtype=np.int64)
        return np.concatenate([span + number * images for number in range(views)])

    def part(self, images: int, views: int) -> Part | None:
        """Return which views of a batch are this rank's; None for all."""
        if self.count == 1:
            return None
        return Part(torch.from_numpy(self.places(images, views)).to(self.fabric.device), views * images)

    def own(self, batch: Tensor, images: int) -> Tensor:
        """Return this rank's part of (V * images, ...)."""
        part = self.part(images, len(batch) // images)
        return batch if part is None else batch[part.places]

    def whole(self, own: Tensor, images: int) -> Tensor:
        """Return (V * images, ...) of what each rank has its part of, (V * b, ...): the same on all.

        Going back every rank follows its own part, so a loss that all compute from the whole counts once.
        """
        if self.count == 1:
            return own
        whole: Tensor = _Gathered.apply(own, images, self)  # type: ignore[no-untyped-call]  # torch's
        return whole

    def whole_outputs(self, own: Outputs, images: int) -> Outputs:
        """Return the outputs of a whole batch."""
        return Outputs(*(self.whole(tensor, images) for tensor in own))

    def forward(self, network: nn.Module, images: Tensor) -> Outputs:
        """Return the outputs of this rank's images; batch normalization takes those of all ranks for its batch."""
        if self.count == 1:
            return network(images)  # type: ignore[no-any-return]
        with _JointNorm():
            return network(images)  # type: ignore[no-any-return]

    def sum_gradients(self, network: nn.Module) -> None:
        """Add up what all ranks have found for the network's weights. One that no loss has reached keeps none."""
        if self.count == 1:
            return
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        flat = torch.cat([each.flatten() for each in gradients])
        distributed.all_reduce(flat)
        parts = torch.split(flat, [each.numel() for each in gradients])
        torch._foreach_copy_(gradients, [part.view_as(each) for part, each in zip(parts, gradients, strict=True)])

    def begin_alike(self, module: nn.Module) -> None:
        """Give a module the tensors that the leading rank's has."""
        if self.count > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, 0)

    def each_own(self, rows: Rows, work: Callable[[Rows], Outputs]) -> Outputs:
        """Return what `work` makes of `rows`, of which each rank does its part."""
        if self.count == 1 or len(rows) < self.count:
            return work(rows)
        return self.whole_outputs(work(rows[self.places(len(rows))]), len(rows))


def _span(images: int, ranks: int, rank: int) -> range:
    size, larger = divmod(images, ranks)
    start = rank * size + min(rank, larger)
    return range(start, start + size + (rank < larger))


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, own: Tensor, images: int, ranks: Ranks) -> Tensor:
        context.images, context.ranks = images, ranks
        spans = [_span(images, ranks.count, rank) for rank in range(ranks.count)]
        by_image = torch.unflatten(own, 0, (-1, len(ranks.span(images)))).transpose(0, 1)
        # The first rank's part is the longest; what is sent must be as long everywhere.
        padded = F.pad(by_image, (0, 0) * (by_image.ndim - 1) + (0, len(spans[0]) - len(by_image))).contiguous()
        parts = [torch.empty_like(padded) for _ in spans]
        distributed.all_gather(parts, padded)
        whole = torch.cat([part[: len(span)] for part, span in zip(parts, spans, strict=True)])
        return whole.transpose(0, 1).flatten(0, 1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return context.ranks.own(gradients[0], context.images), None, None


class _JointNorm(TorchFunctionMode):
    """Batch normalization over all ranks, in whatever layer it is."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        work = joint_batch_norm if function is F.batch_norm else function
        return work(*arguments, **(named or {}))
