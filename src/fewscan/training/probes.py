"""What an epoch is judged by, from the labels of the budget at most: validation, nearest labeled neighbor, signs of faults."""

import numpy as np
import torch
from torch import Tensor

from fewscan.learning.losses import cosine_similarity
from fewscan.models.network import Network, Outputs
from fewscan.seeds import stream
from fewscan.training.batches import Rows
from fewscan.training.budget import BudgetRows
from fewscan.training.images import ImageRows
from fewscan.training.predict import predict
from fewscan.training.ranks import Ranks
from fewscan.training.signs import chance_limit, signs


def probe(
    network: Network, images: ImageRows, rows: BudgetRows, ranks: Ranks, *, probe_images: int, seed: int
) -> dict[str, float | None]:
    """Return the accuracy on the validation set, that of the probe, what guessing reaches in each, and the `signs`, in [0, 1].

    What belongs to the validation set is None where there is none. The probe and the signs look at `probe_images` of the
    labeled images at most, always the same ones, or of the unlabeled ones where none is labeled; then `probe_accuracy` is None
    and signs of calls are missing, and without any image all signs are.
    """

    def looked_at(some: Rows) -> Outputs:
        return predict(network, images.batches(some))

    numbers: dict[str, float | None] = {"validation_accuracy": None, "val_chance_limit": None, "probe_accuracy": None}
    if len(rows.validation):
        labels = rows.labels[rows.validation]
        calls = ranks.each_own(rows.validation, looked_at).logits.argmax(dim=1)
        numbers["validation_accuracy"] = float((calls == labels).float().mean())
        numbers["val_chance_limit"] = chance_limit(calls, labels)
    chosen = np.sort(stream(seed, "probe").numpy().permutation(rows.looked_at)[:probe_images])
    if not len(chosen):
        return numbers
    outputs = ranks.each_own(chosen, looked_at)
    if not len(rows.labeled):
        return numbers | signs(outputs, None)
    labels, groups = rows.labels[chosen], rows.groups[chosen]
    calls, found, same_class_found = leave_group_out_calls(outputs.h, labels, groups)
    if found.any():
        numbers["probe_accuracy"] = float((calls == labels)[found].float().mean())
    # An image whose class has no other group is called wrongly by any features: nothing is to be read from that.
    numbers["probe_chance_limit"] = chance_limit(calls, labels) if same_class_found.all() else None
    return numbers | signs(outputs, labels)


def leave_group_out_calls(features: Tensor, labels: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the label of each image's nearest neighbor from another group, and whether there is one, in all and of its class.

    features: (N, D); labels, groups: (N,) int64. The call (N,) is meaningless where there is none; the others: (N,) bool.
    """
    own_group = groups[:, None] == groups[None, :]
    index, _ = nearest_neighbors(features, features, own_group)
    same_class = labels[:, None] == labels[None, :]
    return labels[index], (~own_group).any(dim=1), (same_class & ~own_group).any(dim=1)


def nearest_neighbors(queries: Tensor, bank: Tensor, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return for each query the index of the most similar row of the bank (Q,), and the cosine similarity (Q,).

    queries: (Q, D); bank: (M, D); excluded: (Q, M) bool, pairs that must not be found (an image and its own copies).
    Where everything is excluded the similarity is -inf.
    """
    similarity = cosine_similarity(queries, bank)
    if excluded is not None:
        similarity = similarity.masked_fill(excluded, -torch.inf)
    best, index = similarity.max(dim=1)
    return index, best
