"""The method `propagation`: a probe's guesses pass to the nearest unlabeled scans, and a small classifier learns from all."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import torch
from torch import nn
from torch.nn import functional as F

from fewscan.learning.losses import soft_cross_entropy
from fewscan.learning.method import CHANGED, VIEWS, Dense, LabeledFeatures, Method, MethodSettings, Solution
from fewscan.learning.mixing import mixed, mixing_weights, sharpened, votes
from fewscan.learning.probe import Probe
from fewscan.progress import track
from fewscan.seeds import stream

Floats = npt.NDArray[np.float32]

HIDDEN_UNITS = 256
BATCH_SIZE = 128
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-2
DROPOUT = 0.3
# How often an image is shown as it may come from elsewhere, for each time as it is; once costs a point where labels are many.
CHANGED_ODDS = 0.5
# A feature that varies less than this, as a share of its size, is always the same.
LEAST_VARIATION = 1e-6


class PropagationSettings(MethodSettings):
    """Settings of `propagation`. strength: of the probe that it begins with, as in `probe`."""

    name: Literal["propagation"] = "propagation"
    strength: float | None = pydantic.Field(default=None, gt=0)
    neighbors: int = pydantic.Field(default=10, ge=1, le=1000)
    neighbor_share: float = pydantic.Field(default=0.5, ge=0, le=1)  # how much of a guess is what the nearest images say
    neighbor_temperature: float = pydantic.Field(default=0.1, ge=1e-6, le=1e6)  # of the softmax over cosine similarities
    sharpening: float = pydantic.Field(default=0.5, gt=0, le=1)  # temperature of guesses: 1 leaves them as they are
    mixup_alpha: float = pydantic.Field(default=0.75, gt=0, le=1e6)  # weights of two images are drawn from Beta(alpha, alpha)
    steps: int = pydantic.Field(default=1500, ge=1)  # of the small classifier
    changed_view: bool = True  # whether it is also shown each image as it may come from elsewhere


class Propagation(Method):
    """Label propagation on the features of an encoder that stays as it is; the classifier has one hidden layer.

    Step 1: logistic regression on the labels, as `probe` solves it, guesses every unlabeled image. Step 2: half of a guess
    gives way to what the image's nearest neighbors bear or are guessed to be, and guesses are sharpened. Step 3: a classifier
    with one hidden layer learns from labels and guesses, each image, its mirror image, or the image as it may come from
    elsewhere, mixed with another one. What neighbors say is in its weights then: no features of anybody's scans are kept in the
    network. Sources: Iscen et al. 2019,
    "Label propagation for deep semi-supervised learning"; sharpening and mixing as in `mixmatch`.
    """

    name = "propagation"
    summary = "a probe's guesses, passed on among similar unlabeled scans, train a small classifier; takes seconds"
    settings_type = PropagationSettings
    heads: ClassVar[Mapping[str, Any]] = {"classifier_hidden_units": (HIDDEN_UNITS,)}
    two_views = False
    uses_unlabeled = True
    solves = True

    settings: PropagationSettings

    @property
    def other_views(self) -> tuple[str, ...]:
        """Views of an image, beside VIEWS, on whose features `solve` works, too."""
        return (CHANGED,) if self.settings.changed_view else ()

    def solve(self, labeled: LabeledFeatures, seed: int) -> Solution:
        """Return the classifier; raises FewscanError where the labels are of one class."""
        # Scikit-learn, SciPy and faiss take long to load, and most methods need none of them.
        from scipy.special import softmax

        from fewscan.learning.logistic_regression import regression

        # What it guesses, it guesses of images as they are.
        probe = regression(labeled.first_views(len(VIEWS)), self.settings.strength, seed)
        others = labeled.features[:0] if labeled.unlabeled is None else labeled.unlabeled
        features = np.concatenate([labeled.features, others])
        guesses = softmax(probe.logits(features[:, 0]), axis=1)
        mean, deviation = _units(features[:, : len(VIEWS)])
        features -= mean  # in place: of many scans there need be one copy
        features /= deviation
        known = np.eye(guesses.shape[1], dtype=np.float32)[labeled.labels]
        targets = passed_on(features[:, 0], guesses, known, self.settings)
        first, second = _taught(features, targets, self.settings, seed)
        # What standardizes becomes a part of the first layer.
        weight = first.weight / deviation
        hidden = Dense(weight.astype(np.float32), (first.bias - weight @ mean).astype(np.float32))
        # The probe's numbers are not the classifier's.
        numbers = {f"{Probe.name}_{name}": value for name, value in probe.numbers.items()}
        return Solution(second.weight, second.bias, numbers, probe.lines, (hidden,))


def passed_on(points: Floats, guesses: Floats, known: Floats, settings: PropagationSettings) -> Floats:
    """Return targets (N, K): of the first M what is known, (M, K), of the others their guesses, moved and sharpened.

    points: (N, D), by whose directions neighbors are found. guesses: (N, K).
    """
    known_images, images = len(known), len(points)
    said = torch.from_numpy(np.concatenate([known, guesses[known_images:]]).astype(np.float32))
    guessed = said[known_images:]
    if settings.neighbor_share and images > 1:
        similarity, nearest = _nearest(points, known_images, settings.neighbors)
        passed = votes(similarity, said[nearest], settings.neighbor_temperature)
        guessed = (1 - settings.neighbor_share) * guessed + settings.neighbor_share * passed
    return np.concatenate([known, sharpened(guessed, settings.sharpening).numpy()])


def _nearest(points: Floats, first: int, neighbors: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosine similarity and number (M, neighbors + 1) of the nearest points to each of `points[first:]`.

    A point is no neighbor of itself: where it stands among them its similarity is -inf.
    """
    from fewscan.faiss_library import faiss

    unit = np.ascontiguousarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9), np.float32)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    similarity, nearest = index.search(unit[first:], min(neighbors + 1, len(unit)))
    similarity[nearest == np.arange(first, len(unit))[:, np.newaxis]] = -np.inf
    return torch.from_numpy(similarity), torch.from_numpy(nearest)


def _taught(standardized: Floats, targets: Floats, settings: PropagationSettings, seed: int) -> tuple[Dense, Dense]:
    """Return both layers of a classifier that learns from images (N, V, D), labeled or not, and their targets (N, K)."""
    stream(seed, "propagation").seed_torch()
    features, wanted_of = torch.from_numpy(standardized), torch.from_numpy(targets)
    first, second = nn.Linear(features.shape[2], HIDDEN_UNITS), nn.Linear(HIDDEN_UNITS, targets.shape[1])
    parameters = [*first.parameters(), *second.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    odds = torch.tensor([1.0 if view < len(VIEWS) else CHANGED_ODDS for view in range(features.shape[1])])
    for _ in track(range(settings.steps), "learn from guesses", settings.steps):
        drawn, partner = torch.randint(len(features), (2, BATCH_SIZE))
        view = torch.multinomial(odds, BATCH_SIZE, replacement=True)
        share = mixing_weights(settings.mixup_alpha, 1, features.device)
        shown = mixed(features[drawn, view], features[partner, view], share)
        wanted = mixed(wanted_of[drawn], wanted_of[partner], share)
        logits = second(F.dropout(first(shown).relu(), DROPOUT))
        optimizer.zero_grad()
        torch.autograd.backward(soft_cross_entropy(logits, wanted).mean())
        optimizer.step()
        schedule.step()
    return _dense(first), _dense(second)


def _units(features: Floats) -> tuple[Floats, Any]:
    """Return mean and deviation (D,) of features (N, V, D); of one that is always the same the deviation is infinite."""
    flat = features.reshape(-1, features.shape[2])
    mean, deviation = flat.mean(axis=0), flat.std(axis=0)
    return mean, np.where(deviation > LEAST_VARIATION * np.abs(mean), deviation, np.float32(np.inf))


def _dense(layer: nn.Linear) -> Dense:
    return Dense(layer.weight.detach().numpy(), layer.bias.detach().numpy())
