"""The gradients of a step, of a whole batch at once or chunk by chunk: the same loss with the memory that one chunk takes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fewscan.learning.method import Method
from fewscan.models.network import Outputs
from fewscan.training.ranks import Ranks


class Step(NamedTuple):
    """What came out of a batch."""

    losses: dict[str, Tensor]
    view0: Outputs
    view1: Outputs  # view0 itself where a method has one view


def add_gradients(
    ranks: Ranks, network: nn.Module, method: Method, views: Tensor, targets: Tensor, chunk_size: int | None
) -> Step:
    """Add to the gradients of network and method those of the sum of the method's losses on a batch; return losses and outputs.

    views: (V * b, C, S, S), V views of each of this rank's images, one batch after the other. targets: (B, ...), of all ranks'
    images, for the method's losses. What is returned is of all ranks' images, too.
    chunk_size: how many images of all ranks, with all their views, go through the network at once; None for all of them.

    In chunks, pass 1 takes the outputs of all chunks without keeping what a backward pass needs; the method sees them whole,
    once, and says how its losses change with them. Pass 2 takes every chunk again and goes back from there. Every image goes
    forward twice, and batch normalization normalizes a chunk by the chunk's own statistics; without it the gradients are those
    of the whole batch. Source: Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup",
    section 3.2.
    """
    images = len(targets)
    count = 1 if chunk_size is None else -(-images // chunk_size)
    if count == 1:
        view0, view1 = _separate(ranks.whole_outputs(ranks.forward(network, views), images), images)
        losses = method.losses(view0, view1, targets)
        ranks.fabric.backward(_total(losses))
        ranks.sum_gradients(network)
        return Step(losses, view0, view1)

    # What pass 1 changes, running statistics and the random state of dropout, is put back: pass 2 finds what pass 1 found.
    span = ranks.span(images)
    before = [buffer.clone() for buffer in network.buffers()]
    with torch.random.fork_rng([views.device] if views.device.type == "cuda" else []):
        with torch.no_grad():
            parts = [ranks.forward(network, chunk) for chunk in _view_chunks(views, span, count)]
        own = Outputs(*(_joined(tensors, span) for tensors in zip(*parts, strict=True)))
        outputs = Outputs(*(tensor.requires_grad_() for tensor in ranks.whole_outputs(own, images)))
        view0, view1 = _separate(outputs, images)
        losses = method.losses(view0, view1, targets)
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
    own_parameters = [each for each in method.parameters() if each.requires_grad]
    gradients = torch.autograd.grad(_total(losses), [*outputs, *own_parameters], allow_unused=True)

    of_outputs, of_method = gradients[: len(outputs)], gradients[len(outputs) :]
    own_gradients = [None if gradient is None else ranks.own(gradient, images) for gradient in of_outputs]
    for number, chunk in enumerate(_view_chunks(views, span, count)):
        own_chunks = [None if each is None else _chunk(each, span, number, count).flatten(0, 1) for each in own_gradients]
        ranks.fabric.backward(_with_gradients(ranks.forward(network, chunk), own_chunks))
    if any(gradient is not None for gradient in of_method):
        ranks.fabric.backward(_with_gradients(own_parameters, of_method))
    ranks.sum_gradients(network)
    return Step(losses, view0, view1)


def _with_gradients(tensors: Iterable[Tensor], gradients: Iterable[Tensor | None]) -> Tensor:
    """Return a scalar whose gradients with respect to the tensors are these; what no loss depends on has none."""
    products = [(each * gradient).sum() for each, gradient in zip(tensors, gradients, strict=True) if gradient is not None]
    return torch.stack(products).sum()


def _total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _separate(outputs: Outputs, images: int) -> tuple[Outputs, Outputs]:
    view0 = Outputs(*(tensor[:images] for tensor in outputs))
    return view0, Outputs(*(tensor[images:] for tensor in outputs)) if len(outputs.h) > images else view0


def _chunk(tensor: Tensor, span: range, number: int, count: int) -> Tensor:
    """Return a chunk of (V * b, ...) as (V, c, ...), without a copy; `span` says which of the batch's images these b are.

    It takes every `count`-th image of the batch: labeled images lead one, and so every chunk has its share of them.
    """
    # Not `view`, which cannot tell V where there is no class: outputs are (V * b, 0) then.
    return torch.unflatten(tensor, 0, (-1, len(span)))[:, (number - span.start) % count :: count]


def _view_chunks(views: Tensor, span: range, count: int) -> Iterator[Tensor]:
    for number in range(count):
        yield _chunk(views, span, number, count).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _joined(parts: Sequence[Tensor], span: range) -> Tensor:
    """Return the outputs (V * b, D) of the chunks in the order of the batch."""
    whole = parts[0].new_empty(sum(len(part) for part in parts), *parts[0].shape[1:])
    for number, part in enumerate(parts):
        place = _chunk(whole, span, number, len(parts))
        place.copy_(part.view_as(place))
    return whole
