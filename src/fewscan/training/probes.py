"""What an epoch is judged by, from the labels of the budget alone: validation accuracy and the nearest labelled neighbour."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.data.dataset import Dataset
from fewscan.models.network import Network
from fewscan.training.batches import Rows
from fewscan.training.images import ImageRows
from fewscan.training.predict import predict


@dataclass(frozen=True)
class BudgetRows:
    """The rows that a run may learn from, and the labels that the budget grants it: no others reach the loop."""

    labeled: Rows
    unlabeled: Rows
    validation: Rows
    labels: Tensor  # (N,) int64, -1 for every row outside `labeled` and `validation`
    groups: Tensor  # (N,) int64

    @classmethod
    def of(cls, dataset: Dataset, *, uses_unlabeled: bool) -> Self:
        """Return the rows of `dataset`'s split."""
        labeled, validation = dataset.rows("labeled"), dataset.rows("validation")
        granted = np.full(len(dataset.labels), -1, dtype=np.int64)
        for rows in (labeled, validation):
            granted[rows] = dataset.labels[rows]
        unlabeled = dataset.rows("unlabeled") if uses_unlabeled else np.empty(0, dtype=np.int64)
        return cls(labeled, unlabeled, validation, torch.from_numpy(granted), torch.from_numpy(dataset.groups))


def probe(network: Network, images: ImageRows, rows: BudgetRows, *, probe_images: int, seed: int) -> dict[str, float | None]:
    """Return `val_p_acc` (None without a validation part) and `probe_accuracy`, in [0, 1].

    The probe looks at `probe_images` of the labelled images at most, always the same ones.
    """
    numbers: dict[str, float | None] = {"val_p_acc": None, "probe_accuracy": None}
    if len(rows.validation):
        hits = predict(network, images.batches(rows.validation)).logits.argmax(dim=1) == rows.labels[rows.validation]
        numbers["val_p_acc"] = float(hits.float().mean())
    chosen = np.sort(np.random.default_rng(seed).permutation(rows.labeled)[:probe_images])
    if len(chosen):
        features = predict(network, images.batches(chosen)).h
        accuracy = leave_group_out_accuracy(features, rows.labels[chosen], rows.groups[chosen])
        numbers["probe_accuracy"] = accuracy if math.isfinite(accuracy) else None
    return numbers


def leave_group_out_accuracy(features: Tensor, labels: Tensor, groups: Tensor) -> float:
    """Return the share of images whose nearest neighbour from another group has their label, in [0, 1].

    features: (N, D); labels, groups: (N,) int64. NaN where there is one group only.
    """
    index, similarity = nearest_neighbors(features, features, groups[:, None] == groups[None, :])
    found = torch.isfinite(similarity)
    return float((labels[index] == labels)[found].float().mean())


def nearest_neighbors(queries: Tensor, bank: Tensor, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return for each query the index of the most similar row of the bank (Q,), and the cosine similarity (Q,).

    queries: (Q, D); bank: (M, D); excluded: (Q, M) bool, pairs that must not be found (an image and its own copies).
    Where everything is excluded the similarity is -inf.
    """
    similarity = F.normalize(queries.float(), dim=1) @ F.normalize(bank.float(), dim=1).T
    if excluded is not None:
        similarity = similarity.masked_fill(excluded, -torch.inf)
    best, index = similarity.max(dim=1)
    return index, best
