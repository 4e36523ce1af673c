"""Batch normalization of a batch that several processes hold parts of."""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F


def joint_batch_norm(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return what `torch.nn.functional.batch_norm` makes of this process's part of a batch, as a part of the whole.

    It is `torch.nn.SyncBatchNorm`, on any device and in any layer. Every process must hold an image. Source: Ioffe and Szegedy
    2015, "Batch normalization", with means and variances put together as by Chan et al. 1979, "Updating formulae and a pairwise
    algorithm for computing sample variances".
    """
    if not training:
        return F.batch_norm(images, running_mean, running_var, weight, bias, False, momentum, eps)
    normalized, mean, variance, count = _JointlyNormalized.apply(images, weight, bias, eps)  # type: ignore[no-untyped-call]
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * (count / (count - 1)), momentum)
    return normalized  # type: ignore[no-any-return]


class _JointlyNormalized(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, images: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        variance, mean = torch.var_mean(images.float(), _all_but_channels(images), correction=0)
        own = torch.stack([mean, variance, torch.full_like(mean, images.numel() / images.shape[1])])
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own)
        means, variances, counts = torch.stack(parts).unbind(1)
        count = counts.sum(dim=0)
        mean = (counts * means).sum(dim=0) / count
        variance = (counts * (variances + (means - mean).square())).sum(dim=0) / count
        context.save_for_backward(images, weight, mean, (variance + eps).rsqrt(), count)
        context.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(images, mean, variance, weight, bias, training=False, eps=eps), mean, variance, count

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        images, weight, mean, scale, count = context.saved_tensors
        shape = (1, -1, *(1 for _ in range(images.ndim - 2)))
        gradient = gradients[0].float()
        standardized = (images.float() - mean.view(shape)) * scale.view(shape)
        places = _all_but_channels(images)
        own = torch.stack([gradient.sum(dim=places), (gradient * standardized).sum(dim=places)])
        whole = own.clone()
        distributed.all_reduce(whole)
        by_mean, by_variance = (whole / count).view(2, *shape).unbind()
        back = (gradient - by_mean - standardized * by_variance) * (scale if weight is None else scale * weight).view(shape)
        learns = weight is not None
        return back.to(images.dtype), own[1] if learns else None, own[0] if learns else None, None


def _all_but_channels(images: Tensor) -> list[int]:
    return [0, *range(2, images.ndim)]
