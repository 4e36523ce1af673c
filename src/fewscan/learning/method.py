"""What a method is: settings, and one function from the outputs of views and the labels to losses."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from fewscan.config import ChosenSettings
from fewscan.learning.losses import labeled_cross_entropy
from fewscan.models.network import Outputs

# Heads of a method whose classifier is only a linear probe on detached features, trained alongside.
LINEAR_PROBE: Mapping[str, Any] = {
    "classifier_input": "features",
    "classifier_hidden_units": (),
    "classifier_detached": True,
}


# What an encoder that learns no more is shown of every image; the mirrored one changes left and right. A method that solves may
# ask to be shown it also as it may come from elsewhere, see `changed_view`: its number counts the ways in which that was drawn,
# so that features which are kept of an earlier one are not taken for those of this one.
VIEWS = ("plain", "mirrored")
CHANGED = "changed-2"


def said_of_view(view: str) -> str:
    """Return what people call a view: by its name, without the number."""
    return view.partition("-")[0]


class MethodSettings(ChosenSettings):
    """Settings of a method; a subclass fixes `name` and adds its own."""

    name: str


class LabeledFeatures(NamedTuple):
    """Features of images that bear a label: what a method solves on."""

    features: npt.NDArray[
        np.float32
    ]  # (M, V, D), of each image as it is, then of its other views: VIEWS, and the method's `other_views`
    labels: npt.NDArray[np.int64]  # (M,)
    groups: npt.NDArray[np.int64]  # (M,); images of one group stay together
    weights: npt.NDArray[np.float64]  # (M,), how much the label of each counts; over all labels their sum is how many there are
    shares: npt.NDArray[np.float64]  # (M,), of the label, that an image bears: less than 1 where copies bear it, too
    own: npt.NDArray[np.bool_]  # (M,), whether it is the labeled image itself, not a copy of it
    classes: tuple[str, ...]
    # (D,) of each feature over all scans that may be learned from, labeled or not; None where these are not at hand.
    deviation: npt.NDArray[np.float32] | None = None
    # (U, V, D) of images that bear none, or of so many of them as tell enough, where the method uses unlabeled ones.
    unlabeled: npt.NDArray[np.float32] | None = None

    def first_views(self, count: int) -> Self:
        """Return the labeled images with so many of their views."""
        return self._replace(features=self.features[:, :count])

    def take(self, positions: npt.NDArray[np.int64]) -> Self:
        """Return the images at these positions."""
        images = self._replace(features=self.features[positions], labels=self.labels[positions], groups=self.groups[positions])
        return images._replace(weights=self.weights[positions], shares=self.shares[positions], own=self.own[positions])


class Dense(NamedTuple):
    """A dense layer, (B, D) -> (B, H)."""

    weight: npt.NDArray[np.float32]  # (H, D)
    bias: npt.NDArray[np.float32]  # (H,)


class Solution(NamedTuple):
    """A classifier of features (B, D), and what is to be told of it: linear, or behind hidden layers.

    Those are the method's `heads["classifier_hidden_units"]`, in the order of a pass, with a ReLU after each.
    """

    weight: npt.NDArray[np.float32]  # (K, D), or of what the last hidden layer gives
    bias: npt.NDArray[np.float32]  # (K,)
    numbers: dict[str, float]  # for the log
    lines: tuple[str, ...] = ()  # for people
    hidden: tuple[Dense, ...] = ()

    def logits(self, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what it says of features (B, D): (B, K)."""
        for layer in self.hidden:
            features = np.maximum(features @ layer.weight.T + layer.bias, 0)
        return np.asarray(features @ self.weight.T + self.bias)


class Method(nn.Module):
    """A way of learning. A subclass sets the attributes below and defines `losses`; the training loop does the rest.

    One that `solves` defines `solve` instead: the encoder is frozen, and there is no loop.

    It is a module so that state of its own (a support queue, say) lives in buffers and is part of every checkpoint.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    settings_type: ClassVar[type[MethodSettings]]
    heads: ClassVar[Mapping[str, Any]] = {}  # where this method's heads differ from the recipe's
    two_views: ClassVar[bool]  # whether `losses` gets a second view
    uses_unlabeled: ClassVar[bool]  # whether an epoch also passes over the unlabeled images
    needs_labels: ClassVar[bool] = True  # whether it learns nothing if no image has a label and the network has no class
    guesses: ClassVar[bool] = False  # whether `mixed` gets the averaged network's outputs for weak views
    solves: ClassVar[bool] = False  # whether `solve` finds the classifier, on features of a frozen encoder

    def __init__(self, settings: Any, feature_dim: int, projection_dim: int, class_shares: Tensor) -> None:
        """Make the method for a network with features h (B, feature_dim) and projections z (B, projection_dim).

        class_shares: (K,), the classes' shares of the labels.
        """
        super().__init__()
        self.settings = settings

    def mixed(self, views: Tensor, labels: Tensor, averaged: Outputs | None) -> tuple[Tensor, Tensor]:
        """Return what goes through the network, and the targets that `losses` gets; by default the views and the labels.

        views: (V * B, C, S, S), V views of each image, one batch after the other. labels: (B,) int64, -1 for an image without a
        label; these come last. averaged: where `guesses` is set, what the averaged network puts out for a weak view of each of
        the B images, else None.
        """
        return views, labels

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        """Return named scalar losses; their sum is minimized.

        view0, view1: outputs for two views of the same B images; the same object twice unless `two_views`.
        targets: as `mixed` returned them: labels (B,) int64, -1 for an image without one, unless a method makes its own.
        """
        raise NotImplementedError

    @property
    def other_views(self) -> tuple[str, ...]:
        """Views of an image, beside VIEWS, on whose features `solve` works, too: none, or CHANGED."""
        return ()

    def solve(self, labeled: LabeledFeatures, seed: int) -> Solution:
        """Return the classifier for these labels; anything random in it depends only on `seed`."""
        raise NotImplementedError

    def epoch_numbers(self) -> dict[str, float]:
        """Return the method's own numbers for the epoch that has ended, by name; called once per epoch."""
        return {}


def with_probe(losses: dict[str, Tensor], view: Outputs, labels: Tensor) -> dict[str, Tensor]:
    """Return the losses of a method that learns without labels and, where there are classes to know, its probe's cross-entropy.

    view: outputs of B images; labels: (B,) int64, -1 for an image without one.
    """
    if not view.logits.shape[1]:
        return losses
    return losses | {"cross_entropy": labeled_cross_entropy(view.logits, labels)}
