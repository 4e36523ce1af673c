"""MixMatch: averaged network and neighbors guess the unknown labels, all is learned mixed in pairs (Berthelot et al. 2019)."""

from typing import Literal, Self

import pydantic
import pydantic_core
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.learning import mixing
from fewscan.learning.losses import cosine_similarity, soft_cross_entropy
from fewscan.learning.method import Method, MethodSettings
from fewscan.models.network import Outputs

# Decay of the running class shares: they follow the last hundred steps or so.
SHARE_DECAY = 0.99


class MixMatchSettings(MethodSettings):
    """Settings of `mixmatch`."""

    name: Literal["mixmatch"] = "mixmatch"
    sharpening: float = pydantic.Field(default=0.5, gt=0, le=1)  # temperature of guesses: 1 leaves them as they are
    mixup_alpha: float = pydantic.Field(default=0.75, gt=0, le=1e6)  # weights of two images are drawn from Beta(alpha, alpha)
    unlabeled_weight: float = pydantic.Field(default=1.0, ge=0)
    # How much of a guess is what its nearest neighbors among earlier images say; 0 for none.
    neighbor_share: float = pydantic.Field(default=0.5, ge=0, le=1)
    neighbors: int = pydantic.Field(default=10, ge=1)
    neighbor_temperature: float = pydantic.Field(default=0.1, ge=1e-6, le=1e6)  # of the softmax over cosine similarities
    queue_size: int = pydantic.Field(default=8192, ge=1)  # earlier images that neighbors are sought among
    # Steps over which both weights grow from nothing: first guesses and first features are worth little.
    ramp_steps: int = pydantic.Field(default=300, ge=1)

    @pydantic.model_validator(mode="after")
    def _enough_to_seek_among(self) -> Self:
        if self.neighbors > self.queue_size:
            raise pydantic_core.PydanticCustomError(
                "too_many_neighbors", "neighbors ({neighbors}) must not exceed queue_size ({queue_size})", self.model_dump()
            )
        return self


class MixMatch(Method):
    """Cross-entropy on labeled and unlabeled images, each mixed with another one of the batch, and so their targets.

    An unlabeled image's target is what the averaged network says of a weak view, moved so that on average classes are guessed
    as often as they are labeled (distribution alignment), mixed with what is known or guessed of its nearest neighbors among
    the images of earlier steps, then sharpened. Neighboring slices of a patient lie close to each other before the classifier
    calls them alike, and labels spread along them. Source: Berthelot et al. 2019, "MixMatch: a holistic approach to
    semi-supervised learning", with the alignment of Berthelot et al. 2020, "ReMixMatch", and cross-entropy for guesses, too;
    the teacher is averaged as in Tarvainen and Valpola 2017, "Mean teachers are better role models"; neighbors as in Li et al.
    2021, "CoMatch: semi-supervised learning with contrastive graph regularization", equation 5, but found by features h.
    """

    name = "mixmatch"
    summary = "an averaged network and nearest neighbors guess unlabeled scans' classes; it trains on mixed pairs of images"
    settings_type = MixMatchSettings
    two_views = False
    uses_unlabeled = True
    guesses = True

    settings: MixMatchSettings
    labeled_shares: Tensor  # (K,) shares of the classes among the labels, however they are drawn
    guessed_shares: Tensor  # (K,) and running ones among guesses
    guess_counts: Tensor  # (K,) guesses of this epoch by their likeliest class
    queue_features: Tensor  # (queue_size, D) of the averaged network for the latest images, the newest first; zeros where empty
    queue_targets: Tensor  # (queue_size, K) their labels and guesses, before sharpening
    steps: Tensor  # () int64

    def __init__(self, settings: MixMatchSettings, feature_dim: int, projection_dim: int, class_shares: Tensor) -> None:
        super().__init__(settings, feature_dim, projection_dim, class_shares)
        self.register_buffer("labeled_shares", class_shares)
        self.register_buffer("guessed_shares", torch.full_like(class_shares, 1 / len(class_shares)))
        self.register_buffer("guess_counts", torch.zeros_like(class_shares))
        self.register_buffer("queue_features", torch.zeros(settings.queue_size, feature_dim))
        # An empty place that is taken for a neighbor, since too few others are there, says nothing.
        self.register_buffer("queue_targets", class_shares.repeat(settings.queue_size, 1))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def mixed(self, views: Tensor, labels: Tensor, averaged: Outputs | None) -> tuple[Tensor, Tensor]:
        """Return mixed images (B, C, S, S) and their targets (B, K + 1): class shares, then whether the image was labeled."""
        assert averaged is not None
        self.steps += 1
        targets = self._targets(labels, averaged)
        weights, partner = self.pairs(len(views), views.device)
        images = mixing.mixed(views, views[partner], weights).contiguous(memory_format=torch.channels_last)
        mixed_targets = mixing.mixed(targets, targets[partner], weights)
        return images, torch.cat([mixed_targets, (labels >= 0).float().view(-1, 1)], dim=1)

    def pairs(self, images: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw how much of each of B images stays, (B,) in [0.5, 1], and which image it is mixed with, (B,) int64."""
        return mixing.mixing_weights(self.settings.mixup_alpha, images, device), torch.randperm(images, device=device)

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy of the labeled images, and that of the unlabeled ones with its weight."""
        labeled = targets[:, -1]
        losses = soft_cross_entropy(view0.logits, targets[:, :-1])
        weight = self.settings.unlabeled_weight * self._ramp
        return {
            "cross_entropy": (losses * labeled).sum() / labeled.sum().clamp(min=1),
            "guess_cross_entropy": weight * (losses * (1 - labeled)).sum() / (1 - labeled).sum().clamp(min=1),
        }

    def epoch_numbers(self) -> dict[str, float]:
        """Return how the epoch's guesses were spread over the classes, and begin anew."""
        total = float(self.guess_counts.sum())
        commonest = float(self.guess_counts.max()) / total if total else 0.0
        self.guess_counts.zero_()
        return {"pseudo_label_commonest": commonest, "pseudo_labels_used": 1.0 if total else 0.0}

    @property
    def _ramp(self) -> Tensor:
        return (self.steps / self.settings.ramp_steps).clamp(max=1)

    @torch.no_grad()
    def _targets(self, labels: Tensor, averaged: Outputs) -> Tensor:
        """Return targets (B, K), and take the images into queue and running shares."""
        # Masked, not indexed: the number of labeled images would have to be waited for on a GPU.
        labeled = (labels >= 0).unsqueeze(1)
        known = F.one_hot(labels.clamp(min=0), len(self.labeled_shares)).float()
        guesses = self._aligned(averaged.logits.float().softmax(dim=1), ~labeled)
        if self.settings.neighbor_share:
            features = averaged.h.float()
            guesses = torch.lerp(guesses, self._votes(features), self.settings.neighbor_share * self._ramp)
            self._queue(features, torch.where(labeled, known, guesses))
        sharpened = mixing.sharpened(guesses, self.settings.sharpening)
        self.guess_counts += (F.one_hot(sharpened.argmax(dim=1), sharpened.shape[1]) * ~labeled).sum(dim=0)
        return torch.where(labeled, known, sharpened)

    def _aligned(self, probabilities: Tensor, unlabeled: Tensor) -> Tensor:
        """Return probabilities (B, K) moved towards the shares of the labels.

        Those of images that are `unlabeled`, (B, 1) bool, are taken into the running shares.
        """
        mean = (probabilities * unlabeled).sum(dim=0) / unlabeled.sum().clamp(min=1)
        self.guessed_shares.lerp_(mean, (1 - SHARE_DECAY) * unlabeled.any())
        # A class that is never guessed must not be divided by nothing.
        aligned = probabilities * self.labeled_shares / self.guessed_shares.clamp(min=1e-6)
        return aligned / aligned.sum(dim=1, keepdim=True)

    def _queue(self, features: Tensor, targets: Tensor) -> None:
        """Put features (B, D) and targets (B, K) before those of earlier images, and drop the oldest."""
        self.queue_features = torch.cat([features, self.queue_features])[: self.settings.queue_size]
        self.queue_targets = torch.cat([targets, self.queue_targets])[: self.settings.queue_size]

    def _votes(self, features: Tensor) -> Tensor:
        """Return the targets (B, K) of the nearest neighbors in the queue of features (B, D), nearer ones weighing more."""
        taken = self.queue_features.any(dim=1)
        # Features are nowhere negative: all are alike unless their common part is taken away.
        mean = self.queue_features.sum(dim=0) / taken.sum().clamp(min=1)
        similarity = cosine_similarity(features - mean, self.queue_features - mean)
        nearest = similarity.masked_fill(~taken, -1.0).topk(self.settings.neighbors, dim=1)
        return mixing.votes(nearest.values, self.queue_targets[nearest.indices], self.settings.neighbor_temperature)
