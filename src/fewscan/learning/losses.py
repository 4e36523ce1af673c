"""Losses, accuracies and measures of features: pure functions of tensors, computed in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(z0: Tensor, z1: Tensor, temperature: float) -> Tensor:
    """Return the normalized-temperature cross-entropy of SimCLR, a scalar >= 0.

    z0, z1: (B, P), the projections of two views of the same B images. For every one of the 2B views i with its partner j:
    -log exp(sim(i, j) / t) / sum over k != i of exp(sim(i, k) / t), sim being the cosine; the mean over all i.
    Source: Chen et al. 2020, "A simple framework for contrastive learning of visual representations", equation 1.
    """
    count = len(z0)
    z = F.normalize(torch.cat([z0, z1]).float(), dim=1)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(-torch.inf)  # a view is not its own negative
    partner = torch.arange(2 * count, device=z.device).roll(count)
    return F.cross_entropy(similarity, partner)


def barlow_twins(z0: Tensor, z1: Tensor, redundancy_weight: float) -> Tensor:
    """Return the redundancy-reduction loss of Barlow Twins, a scalar >= 0.

    z0, z1: (B, P), the projections of two views of the same B images. With every column standardized over its batch and
    C = z0^T z1 / B, (P, P): sum over i of (1 - C_ii)^2 + redundancy_weight * sum over i != j of C_ij^2. A constant column
    correlates with nothing. Source: Zbontar et al. 2021, "Barlow Twins: self-supervised learning via redundancy reduction",
    equations 1 and 2.
    """
    standardized0, standardized1 = (F.batch_norm(z.float(), None, None, training=True) for z in (z0, z1))
    correlation = standardized0.T @ standardized1 / len(z0)
    own = correlation.diagonal()
    others = correlation - torch.diag(own)
    return (1 - own).square().sum() + redundancy_weight * others.square().sum()


def nnclr(z0: Tensor, z1: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Return the contrastive loss of NNCLR, a scalar >= 0.

    z0, z1: (B, P), the projections of two views of the same B images. queue: (Q, P) unit vectors, earlier projections; rows of
    zeros are empty places. Where all are empty the loss is log(B), without a gradient.
    With n_i the member of the queue that is most similar to z_i: -log exp(n_i . z+_i / t) / sum over k of exp(n_i . z+_k / t),
    and the same with the sum over the n_k; the mean over all i, either view standing for z and the other for z+.
    Source: Dwibedi et al. 2021, "With a little help from my friends: nearest-neighbor contrastive learning of visual
    representations", equations 3 and 4.
    """
    views = F.normalize(z0.float(), dim=1), F.normalize(z1.float(), dim=1)
    own = torch.arange(len(z0), device=z0.device)
    losses = []
    for anchor, positive in (views, views[::-1]):
        nearness = (anchor @ queue.T).masked_fill(~queue.any(dim=1), -torch.inf)
        neighbor = queue[nearness.argmax(dim=1)]
        similarity = neighbor @ positive.T / temperature
        losses += [F.cross_entropy(similarity, own), F.cross_entropy(similarity.T, own)]
    return torch.stack(losses).mean()


def vicreg(z0: Tensor, z1: Tensor, *, invariance_weight: float, variance_weight: float, covariance_weight: float) -> Tensor:
    """Return the variance-invariance-covariance loss, a scalar >= 0.

    z0, z1: (B, P), B >= 2, the projections of two views of the same B images. The sum, by the weights, of the mean squared
    difference of the two; of what the deviation of a column lacks to 1, the mean over columns, for either view; and of the
    squared covariances of a column with all others, the mean over columns, for either view. No image is held against another.
    Source: Bardes et al. 2022, "VICReg: variance-invariance-covariance regularization for self-supervised learning",
    equations 1 to 6; the squared difference is taken by column as in the authors' experiments, not summed as in equation 5.
    """
    views = z0.float(), z1.float()
    variance, covariance = torch.stack([_variance_and_covariance(z) for z in views]).sum(dim=0)
    invariance = (views[0] - views[1]).square().mean()
    loss: Tensor = invariance_weight * invariance + variance_weight * variance + covariance_weight * covariance
    return loss


def _variance_and_covariance(z: Tensor) -> Tensor:
    """Return (2,) what the deviations of the columns of (B, P) lack to 1, and how much the columns say of each other."""
    images, columns = z.shape
    centered = z - z.mean(dim=0)
    covariance = centered.T @ centered / (images - 1)
    own = covariance.diagonal()
    # The small number keeps the slope of the root finite where all are alike.
    lacking = F.relu(1 - (own + 1e-4).sqrt()).mean()
    return torch.stack([lacking, (covariance.square().sum() - own.square().sum()) / columns])


def labeled_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy of the images that have a label, a scalar >= 0; zero where none has.

    logits: (B, K). labels: (B,) int64, -1 for an image without a label.
    """
    labeled = labels >= 0
    total = F.cross_entropy(logits.float(), labels, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing)
    return total / labeled.sum().clamp(min=1)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of every image, (B,) >= 0.

    logits: (B, K). targets: (B, K), each image's shares of the classes, which sum to 1.
    """
    return F.cross_entropy(logits.float(), targets.float(), reduction="none")


def alignment(h0: Tensor, h1: Tensor) -> Tensor:
    """Return how far two views of an image lie from each other, a scalar in [0, 4]; 0 where they are the same.

    h0, h1: (B, D) features of two views. The mean squared distance of their directions. Source: Wang and Isola 2020,
    "Understanding contrastive representation learning through alignment and uniformity on the hypersphere", section 4.1.
    """
    return (F.normalize(h0.float(), dim=1) - F.normalize(h1.float(), dim=1)).square().sum(dim=1).mean()


def uniformity(h0: Tensor, h1: Tensor) -> Tensor:
    """Return how evenly images spread over all directions, a scalar in [-8, 0]; 0 where all are alike, lower is more even.

    h0, h1: (B, D) features of two views, B >= 2. The logarithm of the mean of exp(-2 d^2) over all pairs of images, d being the
    distance of their directions; the mean of the two views. In many dimensions an even spread reaches about -4. Source: as
    `alignment`, section 4.1.2.
    """
    return torch.stack([_spread(h) for h in (h0, h1)]).mean()


def _spread(h: Tensor) -> Tensor:
    images = len(h)
    directions = F.normalize(h.float(), dim=1)
    # Of dead features, all of them zero, this is 1 and not 0.
    lengths = directions.square().sum(dim=1)
    squared = lengths[:, None] + lengths[None, :] - 2 * directions @ directions.T
    closeness = (-2 * squared).exp().fill_diagonal_(0.0)  # an image is no pair with itself
    return (closeness.sum() / (images * (images - 1))).log()


def cosine_similarity(queries: Tensor, bank: Tensor) -> Tensor:
    """Return (Q, M), in [-1, 1], of each query (Q, D) with each row of the bank (M, D)."""
    return F.normalize(queries.float(), dim=1) @ F.normalize(bank.float(), dim=1).T


def contrastive_accuracy(h0: Tensor, h1: Tensor) -> Tensor:
    """Return `c_acc`: the share of views whose most similar counterpart is the other view of their own image, in [0, 1].

    h0, h1: (B, D) features of two views. Cosine similarity; the mean over both directions.
    """
    return _diagonal_hits(cosine_similarity(h0, h1)).mean()


def correlation_accuracy(h0: Tensor, h1: Tensor) -> tuple[Tensor, Tensor]:
    """Return `r_acc`, in [0, 1], and the number of features left out of it because they are constant in a view.

    h0, h1: (B, D) features of two views. Columns are standardized over the batch; C = h0^T h1 / B; the share of features
    that correlate most with themselves in the other view, the mean over both directions. NaN where every feature is constant.
    """
    deviation0, mean0 = torch.std_mean(h0.float(), dim=0, correction=0)
    deviation1, mean1 = torch.std_mean(h1.float(), dim=0, correction=0)
    varies = (deviation0 > 1e-6) & (deviation1 > 1e-6)
    standardized0 = (h0.float() - mean0) / deviation0.clamp(min=1e-6)
    standardized1 = (h1.float() - mean1) / deviation1.clamp(min=1e-6)
    correlation = standardized0.T @ standardized1 / len(h0)
    # Masked, not indexed: the number of varying features would have to be waited for on a GPU.
    correlation = correlation.masked_fill(~(varies[:, None] & varies[None, :]), -torch.inf)
    hits = _diagonal_hits(correlation).view(2, -1) * varies
    return hits.sum() / (2 * varies.sum()), (~varies).sum()


def _diagonal_hits(square: Tensor) -> Tensor:
    """Return (2N,) float: 1 where the largest entry of a row, then of a column, is the diagonal one."""
    own = torch.arange(len(square), device=square.device)
    return torch.cat([square.argmax(dim=1) == own, square.argmax(dim=0) == own]).float()
