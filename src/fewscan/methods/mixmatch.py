"""MixMatch: the averaged network guesses what nobody labelled, and all is learnt mixed in pairs (Berthelot et al. 2019)."""

from typing import Literal

import pydantic
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.methods.losses import soft_cross_entropy
from fewscan.methods.method import Method, MethodSettings
from fewscan.models.network import Outputs

# Decay of the running class shares: they follow the last hundred steps or so.
SHARE_DECAY = 0.99


class MixMatchSettings(MethodSettings):
    """Settings of `mixmatch`."""

    name: Literal["mixmatch"] = "mixmatch"
    sharpening: float = pydantic.Field(default=0.5, gt=0, le=1)  # temperature of guesses: 1 leaves them as they are
    mixup_alpha: float = pydantic.Field(default=0.75, gt=0)  # weights of the two images are drawn from Beta(alpha, alpha)
    unlabeled_weight: float = pydantic.Field(default=1.0, ge=0)
    # Steps over which that weight grows from nothing: first guesses are worth little.
    ramp_steps: int = pydantic.Field(default=300, ge=1)


class MixMatch(Method):
    """Cross-entropy on labelled and unlabelled images, each mixed with another one of the batch, and so their targets.

    An unlabelled image's target is what the averaged network says of a weak view, moved so that on average classes are guessed
    as often as they are labelled (distribution alignment), then sharpened. Source: Berthelot et al. 2019, "MixMatch: a holistic
    approach to semi-supervised learning", with the alignment of Berthelot et al. 2020, "ReMixMatch", and cross-entropy for
    guesses, too; the teacher is averaged as in Tarvainen and Valpola 2017, "Mean teachers are better role models".
    """

    name = "mixmatch"
    summary = "the averaged network guesses the unlabelled scans' classes; all images are learnt mixed in pairs"
    settings_type = MixMatchSettings
    two_views = False
    uses_unlabeled = True
    guesses = True

    settings: MixMatchSettings
    labeled_shares: Tensor  # (K,) shares of the classes among the labels, however they are drawn
    guessed_shares: Tensor  # (K,) and running ones among guesses
    guess_counts: Tensor  # (K,) guesses of this epoch by their likeliest class
    steps: Tensor  # () int64

    def __init__(self, settings: MixMatchSettings, projection_dim: int, class_shares: Tensor) -> None:
        super().__init__(settings, projection_dim, class_shares)
        self.register_buffer("labeled_shares", class_shares)
        self.register_buffer("guessed_shares", torch.full_like(class_shares, 1 / len(class_shares)))
        self.register_buffer("guess_counts", torch.zeros_like(class_shares))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def mixed(self, views: Tensor, labels: Tensor, guesses: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mixed images (B, C, S, S) and their targets (B, K + 1): class shares, then whether the image was labelled."""
        assert guesses is not None
        self.steps += 1
        classes = len(self.labeled_shares)
        known = F.one_hot(labels[: len(labels) - len(guesses)], classes).float()
        targets = torch.cat([known, self._targets(guesses)])
        shape = (len(views),)
        drawn = torch.distributions.Beta(*torch.full((2,), self.settings.mixup_alpha, device=views.device)).sample(shape)
        # At least half of an image is itself, so that a labelled one stays one.
        weight = torch.maximum(drawn, 1 - drawn)
        partner = torch.randperm(len(views), device=views.device)
        images = torch.lerp(views[partner], views, weight.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
        mixed_targets = torch.lerp(targets[partner], targets, weight.view(-1, 1))
        return images, torch.cat([mixed_targets, (labels >= 0).float().view(-1, 1)], dim=1)

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy of the labelled images, and that of the unlabelled ones with its weight."""
        labeled = targets[:, -1]
        losses = soft_cross_entropy(view0.logits, targets[:, :-1])
        weight = self.settings.unlabeled_weight * (self.steps / self.settings.ramp_steps).clamp(max=1)
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

    @torch.no_grad()
    def _targets(self, guesses: Tensor) -> Tensor:
        """Return targets (U, K) for logits (U, K) of unlabelled images, and take them into the running shares."""
        probabilities = guesses.float().softmax(dim=1)
        if len(guesses):
            self.guessed_shares.lerp_(probabilities.mean(dim=0), 1 - SHARE_DECAY)
        # A class that is never guessed must not be divided by nothing.
        aligned = probabilities * self.labeled_shares / self.guessed_shares.clamp(min=1e-6)
        sharpened = (aligned / aligned.sum(dim=1, keepdim=True)) ** (1 / self.settings.sharpening)
        targets = sharpened / sharpened.sum(dim=1, keepdim=True)
        self.guess_counts += F.one_hot(targets.argmax(dim=1), targets.shape[1]).sum(dim=0)
        return targets
