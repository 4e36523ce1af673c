"""A run whose method solves for the classifier: features, which the dataset keeps, and labels -> the finished network."""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.method import Dense, LabeledFeatures, Solution
from fewscan.learning.registry import method_type
from fewscan.models.network import Network, Outputs
from fewscan.progress import say
from fewscan.seeds import stream
from fewscan.training.batches import Rows
from fewscan.training.budget import BudgetRows
from fewscan.training.continuing import made_ready
from fewscan.training.features import Embedded, dataset_features
from fewscan.training.images import usable_device
from fewscan.training.kept_features import Features
from fewscan.training.run import Run
from fewscan.training.signs import chance_limit
from fewscan.training.tally import spoken

# Rows from which the deviation of a feature is taken, and unlabeled ones that a method which uses them is given.
TELLING_ROWS = 10_000


def solve(run: Run, dataset: Snapshot) -> None:
    """Solve for the classifier of the run, log it as one epoch and write the network.

    Features that the dataset does not keep yet are computed first, and kept. There is nothing between that a kill could leave
    half-done but these, of which whole parts count. Raises FewscanError where the labels do not suffice.
    """
    settings = run.settings
    stream(settings.seed, "first weights").seed_torch()
    network = run.first_network().eval().requires_grad_(False)
    kind = method_type(settings.method.name)
    rows = BudgetRows.of(dataset, uses_unlabeled=kind.uses_unlabeled, copies_share_labels=settings.copies_share_labels)
    class_shares = rows.labels[rows.labeled].bincount(minlength=len(dataset.classes)) / len(rows.labeled)
    method = kind(settings.method, network.encoder.feature_dim, settings.heads.projection_units[-1], class_shares)
    shown = _embedded(run, network, dataset, method.other_views).kept
    features = shown[0]
    began = time.perf_counter()
    labeled = labeled_features(shown, rows, dataset.classes, settings.class_balance)
    labeled = labeled._replace(deviation=deviation(features, dataset.rows("labeled", "unlabeled")))
    if kind.uses_unlabeled:
        without_label = np.setdiff1d(rows.unlabeled, rows.bearers.copies)
        # As many of all scans, whichever of them have labels: what a fold holds out takes part as often as unlabeled scans do.
        some = telling(without_label, len(without_label) + len(rows.labeled))
        labeled = labeled._replace(unlabeled=views_of(shown, some))
    solution = method.solve(labeled, settings.seed)
    _require_finite(run, solution)
    _take_over(network, solution)
    taught = int(dataset.manifest["taught_before"].to_numpy(bool)[rows.labeled].sum())
    if taught:
        say(f"warning: the encoder has learned from {taught:,} of these labels, so they cannot show which strength is best")
    for line in solution.lines:
        say(line)
    numbers = _numbers(network, features, rows, solution)
    numbers["seconds"] = round(time.perf_counter() - began, 3)
    run.forget_epochs_after(0)
    run.log(numbers)
    say(f"solved in {numbers['seconds']:.1f} s  {spoken(numbers)}")
    run.save_network(network)


def kept_features_of(run: Run, network: Network, dataset: Snapshot) -> Features:
    """Return what the run's encoder, which it left as it was, makes of its dataset's images; missing ones are computed."""
    return _embedded(run, network, dataset, ()).features


def _embedded(run: Run, network: Network, dataset: Snapshot, other_views: tuple[str, ...]) -> Embedded:
    device = usable_device(run.settings.device)
    origin = None if run.record.began_with is None else run.record.began_with.origin
    ready = made_ready(network.to(device).encoder, run.settings.encoder, origin)
    folder, images, usable = dataset.folder, dataset.store, dataset.usable
    return dataset_features(folder, images, ready, device, counted_rows=usable, other_views=other_views)


def views_of(shown: Sequence[Features], rows: Rows) -> npt.NDArray[np.float32]:
    """Return (len(rows), V, D), the views of all that is kept, one behind the other."""
    return np.concatenate([features.of(rows) for features in shown], axis=1)


def labeled_features(shown: Sequence[Features], rows: BudgetRows, classes: tuple[str, ...], balance: float) -> LabeledFeatures:
    """Return the features of all rows that bear a label of the labeled part; shown: of other views of the same images each.

    A label counts n ** -balance where its class has n; copies that bear the same one share what it counts.
    """
    bearers, labeled, shares = rows.bearers.shares
    labels, groups = rows.labels[labeled].numpy(), rows.groups[labeled].numpy()
    counts = np.bincount(rows.labels[rows.labeled].numpy(), minlength=len(classes))
    weights = counts[labels] ** -balance
    weights *= len(rows.labeled) / (weights @ shares)
    return LabeledFeatures(views_of(shown, bearers), labels, groups, weights, shares, bearers == labeled, classes)


def deviation(features: Features, rows: Rows) -> npt.NDArray[np.float32]:
    """Return (D,) the deviation of each feature over rows of a dataset, or over so many of them, evenly spread, as tell it."""
    return np.asarray(features.of(telling(rows))[:, 0].std(axis=0))


def telling(rows: Rows, among: int | None = None) -> Rows:
    """Return so many of the rows, evenly spread, as tell how features vary: TELLING_ROWS at most of `among`, or of these."""
    return rows[:: max(1, math.ceil((len(rows) if among is None else among) / TELLING_ROWS))]


def _require_finite(run: Run, solution: Solution) -> None:
    """Raise FewscanError where a classifier holds what is no number."""
    layers = (*solution.hidden, Dense(solution.weight, solution.bias))
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        raise FewscanError(
            f"{run.settings.method.name} found no classifier: its result is not a number; start a new run with other method "
            "settings (method.KEY=VALUE) or another encoder"
        )


def _take_over(network: Network, solution: Solution) -> None:
    """Make the solution the network's classifier."""
    linear = [layer for layer in network.classifier if isinstance(layer, torch.nn.Linear)]
    for layer, found in zip(linear, (*solution.hidden, Dense(solution.weight, solution.bias)), strict=True):
        layer.weight.copy_(torch.from_numpy(found.weight))
        layer.bias.copy_(torch.from_numpy(found.bias))


@torch.no_grad()
def _numbers(network: Network, features: Features, rows: BudgetRows, solution: Solution) -> dict[str, Any]:
    """Return what is logged: the loss and accuracies of labeled and of validation images as they are."""

    def said(of: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        return read_features(network, features, of).logits, rows.labels[of]

    logits, labels = said(rows.labeled)
    numbers: dict[str, Any] = {"epoch": 1, "step": 1, "loss": float(F.cross_entropy(logits, labels)), "losses": ["loss"]}
    numbers["p_acc"] = _accuracy(logits, labels)
    if len(rows.validation):
        logits, labels = said(rows.validation)
        numbers["validation_accuracy"] = _accuracy(logits, labels)
        numbers["val_chance_limit"] = chance_limit(logits.argmax(dim=1), labels)
    return numbers | solution.numbers


@torch.no_grad()
def read_features(network: Network, features: Features, rows: Rows) -> Outputs:
    """Return what a network says of rows of a dataset by the features that its encoder gave, on the CPU."""
    h = torch.from_numpy(features.of(rows)[:, 0]).to(next(network.parameters()).device)
    return Outputs(*(tensor.float().cpu() for tensor in network.read(h)))


def _accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return float((logits.argmax(dim=1) == labels).float().mean())
