import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional as F

from fewscan.methods.losses import labeled_cross_entropy, soft_cross_entropy
from fewscan.methods.mixmatch import MixMatch, MixMatchSettings
from fewscan.models.network import Outputs

CLASSES = 3


def method(class_shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3), **settings: float) -> MixMatch:
    return MixMatch(MixMatchSettings.parse({"name": "mixmatch", **settings}), 8, torch.tensor(class_shares))


def labels_of(labeled: list[int], unlabeled: int) -> Tensor:
    return torch.tensor([*labeled, *[-1] * unlabeled])


def outputs(logits: Tensor) -> Outputs:
    return Outputs(torch.zeros(len(logits), 4), torch.zeros(len(logits), 8), logits)


@given(
    arrays(np.float64, (4, CLASSES), elements=st.floats(-30, 30)), arrays(np.float64, (4, CLASSES), elements=st.floats(0.01, 1))
)
def test_soft_cross_entropy_is_what_a_plain_loop_gives(logits: np.ndarray, weights: np.ndarray) -> None:
    targets = weights / weights.sum(axis=1, keepdims=True)
    expected = []
    for row, target in zip(logits, targets, strict=True):
        largest = max(row)
        normalizer = largest + math.log(sum(math.exp(value - largest) for value in row))
        expected.append(-sum(share * (value - normalizer) for share, value in zip(target, row, strict=True)))
    got = soft_cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets))
    assert got.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_certain_targets_give_the_labelled_cross_entropy() -> None:
    logits, labels = torch.randn(6, CLASSES), torch.tensor([0, 1, 2, 2, 1, 0])
    soft = soft_cross_entropy(logits, F.one_hot(labels, CLASSES)).mean()
    assert float(soft) == pytest.approx(float(labeled_cross_entropy(logits, labels)), rel=1e-6)


@given(seed=st.integers(0, 99), alpha=st.floats(0.1, 5))
def test_images_and_targets_are_mixed_alike_and_stay_mostly_themselves(seed: int, alpha: float) -> None:
    torch.manual_seed(seed)
    mixing = method(mixup_alpha=alpha, sharpening=1)
    labels, guesses = labels_of([0, 1, 2, 1], 5), torch.randn(5, CLASSES)
    unmixed = torch.cat([F.one_hot(labels[:4], CLASSES).float(), guesses.softmax(dim=1)])
    # Image i shows its own target, one class a row, so that what was mixed into it can be read from it.
    images = unmixed.view(9, 1, CLASSES, 1).expand(9, 1, CLASSES, CLASSES)
    views, targets = mixing.mixed(images, labels, guesses)
    assert views.shape == images.shape
    shown = views[:, 0, :, 0]
    labeled_part, shares = targets[:, -1], targets[:, :-1]
    assert labeled_part.tolist() == [1.0] * 4 + [0.0] * 5
    assert shares.sum(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    # Alignment has moved guesses by about a hundredth.
    assert float((shares - shown).abs().max()) < 0.05
    assert bool((shares[range(4), labels[:4]] >= 0.5 - 1e-6).all())


def test_the_same_seed_mixes_the_same() -> None:
    def once(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return method().mixed(torch.arange(6.0).view(6, 1, 1, 1), labels_of([0, 1], 4), torch.zeros(4, CLASSES))[0]

    assert torch.equal(once(0), once(0))
    assert not torch.equal(once(0), once(1))


def test_guesses_are_sharpened() -> None:
    torch.manual_seed(0)
    guesses = torch.tensor([[2.0, 1.0, 0.0]])
    alone = method(sharpening=0.5)
    # Every class has as many labels: what is aligned stays where it is, but for a hundredth.
    targets = alone._targets(guesses)
    expected = guesses.softmax(dim=1) ** 2 / (guesses.softmax(dim=1) ** 2).sum()
    assert targets.numpy() == pytest.approx(expected.numpy(), abs=0.01)


def test_classes_come_to_be_guessed_nearer_to_how_often_they_are_labelled() -> None:
    torch.manual_seed(0)
    wanted = torch.tensor([0.2, 0.3, 0.5])
    aligning = method((0.2, 0.3, 0.5), sharpening=1)
    for _ in range(600):
        # The network is taken with class 0, whatever it sees.
        guesses = torch.randn(200, CLASSES) + torch.tensor([3.0, 0.0, 0.0])
        targets = aligning._targets(guesses)
    away, away_before = (float((shares.mean(dim=0) - wanted).abs().sum()) for shares in (targets, guesses.softmax(1)))
    assert away < away_before / 4


def test_unlabelled_images_count_for_more_as_training_goes_on() -> None:
    torch.manual_seed(0)
    ramping = method(ramp_steps=10, unlabeled_weight=3)
    images, labels, guesses = torch.zeros(6, 1, 2, 2), labels_of([0, 1], 4), torch.zeros(4, CLASSES)
    weights = []
    for _ in range(15):
        _, targets = ramping.mixed(images, labels, guesses)
        losses = ramping.losses(outputs(torch.zeros(6, CLASSES)), outputs(torch.zeros(6, CLASSES)), targets)
        # Of logits that are all alike the cross-entropy is log K, whatever the targets.
        assert float(losses["cross_entropy"]) == pytest.approx(math.log(CLASSES), rel=1e-5)
        weights.append(float(losses["guess_cross_entropy"]) / math.log(CLASSES))
    assert weights == pytest.approx([3 * min(step / 10, 1) for step in range(1, 16)], rel=1e-4)


def test_nothing_unlabelled_leaves_mixup_of_the_labelled() -> None:
    torch.manual_seed(0)
    mixing = method()
    _, targets = mixing.mixed(torch.rand(4, 1, 2, 2), labels_of([0, 1, 2, 0], 0), torch.zeros(0, CLASSES))
    losses = mixing.losses(outputs(torch.randn(4, CLASSES)), outputs(torch.randn(4, CLASSES)), targets)
    assert float(losses["cross_entropy"]) > 0
    assert float(losses["guess_cross_entropy"]) == 0
    assert mixing.epoch_numbers()["pseudo_labels_used"] == 0


def test_an_epochs_guesses_are_counted_once() -> None:
    counting = method()
    for _ in range(50):
        counting.mixed(torch.zeros(5, 1, 2, 2), labels_of([0, 1, 2], 2), torch.tensor([[9.0, 0, 0], [0, 9.0, 0]]))
    numbers = counting.epoch_numbers()
    assert numbers == {"pseudo_label_commonest": 0.5, "pseudo_labels_used": 1.0}
    assert counting.epoch_numbers()["pseudo_labels_used"] == 0
