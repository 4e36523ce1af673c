"""A read-out without a classifier: an image's class from the similarity of its projection to those of the labeled images."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.learning.losses import cosine_similarity

# Of the softmax over similarities.
TEMPERATURE = 0.1


def soft_nearest_neighbors(
    z: Tensor, labeled_z: Tensor, labels: Tensor, classes: int, temperature: float = TEMPERATURE
) -> Tensor:
    """Return probabilities (Q, classes): every labeled image votes for its class with weight softmax(cosine / temperature).

    z: (Q, P) projections; labeled_z: (M, P) those of the labeled images; labels: (M,) int64 in [0, classes).
    Source: Assran et al. 2021, "Semi-supervised learning of visual features by non-parametrically predicting view assignments
    with support samples", equation 1.
    """
    similarity = cosine_similarity(z, labeled_z)
    votes = F.one_hot(labels, classes).float()
    return torch.softmax(similarity / temperature, dim=1) @ votes
