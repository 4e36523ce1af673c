import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional as F

from fewscan.errors import FewscanError
from fewscan.learning.losses import labeled_cross_entropy, soft_cross_entropy
from fewscan.learning.mixmatch import MixMatch, MixMatchSettings
from fewscan.models.network import Outputs

CLASSES = 3
FEATURES = 4


def method(class_shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3), neighbor_share: float = 0, **settings: float) -> MixMatch:
    """MixMatch whose neighbors say nothing, unless a test asks for them."""
    parsed = MixMatchSettings.parse({"name": "mixmatch", "neighbor_share": neighbor_share, **settings})
    return MixMatch(parsed, FEATURES, 8, torch.tensor(class_shares))


def labels_of(labeled: list[int], unlabeled: int) -> Tensor:
    return torch.tensor([*labeled, *[-1] * unlabeled])


def outputs(logits: Tensor, features: Tensor | None = None) -> Outputs:
    return Outputs(torch.ones(len(logits), FEATURES) if features is None else features, torch.zeros(len(logits), 8), logits)


def said(labeled: int, guesses: Tensor) -> Outputs:
    """What the averaged network makes of a batch: of its labeled images anything, of the others these guesses."""
    return outputs(torch.cat([torch.randn(labeled, CLASSES), guesses]))


@pytest.mark.slow
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


def test_certain_targets_give_the_labeled_cross_entropy() -> None:
    logits, labels = torch.randn(6, CLASSES), torch.tensor([0, 1, 2, 2, 1, 0])
    soft = soft_cross_entropy(logits, F.one_hot(labels, CLASSES)).mean()
    assert float(soft) == pytest.approx(float(labeled_cross_entropy(logits, labels)), rel=1e-6)


@pytest.mark.slow
@given(seed=st.integers(0, 99), alpha=st.floats(0.1, 5))
def test_images_and_targets_are_mixed_alike_and_stay_mostly_themselves(seed: int, alpha: float) -> None:
    torch.manual_seed(seed)
    mixing = method(mixup_alpha=alpha, sharpening=1)
    labels, guesses = labels_of([0, 1, 2, 1], 5), torch.randn(5, CLASSES)
    unmixed = torch.cat([F.one_hot(labels[:4], CLASSES).float(), guesses.softmax(dim=1)])
    # Image i shows its own target, one class a row, so that what was mixed into it can be read from it.
    images = unmixed.view(9, 1, CLASSES, 1).expand(9, 1, CLASSES, CLASSES)
    views, targets = mixing.mixed(images, labels, said(4, guesses))
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
        return method().mixed(torch.arange(6.0).view(6, 1, 1, 1), labels_of([0, 1], 4), outputs(torch.zeros(6, CLASSES)))[0]

    assert torch.equal(once(0), once(0))
    assert not torch.equal(once(0), once(1))


def test_guesses_are_sharpened() -> None:
    torch.manual_seed(0)
    guesses = torch.tensor([[2.0, 1.0, 0.0]])
    alone = method(sharpening=0.5)
    # Every class has as many labels: what is aligned stays where it is, but for a hundredth.
    targets = alone._targets(labels_of([], 1), said(0, guesses))
    expected = guesses.softmax(dim=1) ** 2 / (guesses.softmax(dim=1) ** 2).sum()
    assert targets.numpy() == pytest.approx(expected.numpy(), abs=0.01)


def test_classes_come_to_be_guessed_nearer_to_how_often_they_are_labeled() -> None:
    torch.manual_seed(0)
    wanted = torch.tensor([0.2, 0.3, 0.5])
    aligning = method((0.2, 0.3, 0.5), sharpening=1)
    for _ in range(600):
        # The network is taken with class 0, whatever it sees.
        guesses = torch.randn(200, CLASSES) + torch.tensor([3.0, 0.0, 0.0])
        targets = aligning._targets(labels_of([], 200), said(0, guesses))
    away, away_before = (float((shares.mean(dim=0) - wanted).abs().sum()) for shares in (targets, guesses.softmax(1)))
    assert away < away_before / 4


def test_unlabeled_images_count_for_more_as_training_goes_on() -> None:
    torch.manual_seed(0)
    ramping = method(ramp_steps=10, unlabeled_weight=3)
    images, labels = torch.zeros(6, 1, 2, 2), labels_of([0, 1], 4)
    weights = []
    for _ in range(15):
        _, targets = ramping.mixed(images, labels, outputs(torch.zeros(6, CLASSES)))
        losses = ramping.losses(outputs(torch.zeros(6, CLASSES)), outputs(torch.zeros(6, CLASSES)), targets)
        # Of logits that are all alike the cross-entropy is log K, whatever the targets.
        assert float(losses["cross_entropy"]) == pytest.approx(math.log(CLASSES), rel=1e-5)
        weights.append(float(losses["guess_cross_entropy"]) / math.log(CLASSES))
    assert weights == pytest.approx([3 * min(step / 10, 1) for step in range(1, 16)], rel=1e-4)


def test_nothing_unlabeled_leaves_mixup_of_the_labeled() -> None:
    torch.manual_seed(0)
    mixing = method()
    _, targets = mixing.mixed(torch.rand(4, 1, 2, 2), labels_of([0, 1, 2, 0], 0), said(4, torch.zeros(0, CLASSES)))
    losses = mixing.losses(outputs(torch.randn(4, CLASSES)), outputs(torch.randn(4, CLASSES)), targets)
    assert float(losses["cross_entropy"]) > 0
    assert float(losses["guess_cross_entropy"]) == 0
    assert mixing.epoch_numbers()["pseudo_labels_used"] == 0


def test_an_epochs_guesses_are_counted_once() -> None:
    counting = method()
    for _ in range(50):
        counting.mixed(torch.zeros(5, 1, 2, 2), labels_of([0, 1, 2], 2), said(3, torch.tensor([[9.0, 0, 0], [0, 9.0, 0]])))
    numbers = counting.epoch_numbers()
    assert numbers == {"pseudo_label_commonest": 0.5, "pseudo_labels_used": 1.0}
    assert counting.epoch_numbers()["pseudo_labels_used"] == 0


def neighbors_votes(
    features: np.ndarray, queue: np.ndarray, targets: np.ndarray, neighbors: int, temperature: float
) -> np.ndarray:
    """What `_votes` gives, in float64 and one image at a time."""
    mean = queue.mean(axis=0)
    votes = []
    for own in features:
        cosines = [(own - mean) @ (other - mean) / np.linalg.norm(own - mean) / np.linalg.norm(other - mean) for other in queue]
        nearest = sorted(range(len(queue)), key=lambda place: -cosines[place])[:neighbors]
        weights = [math.exp(cosines[place] / temperature) for place in nearest]
        votes.append(sum(w * targets[place] for w, place in zip(weights, nearest, strict=True)) / sum(weights))
    return np.array(votes)


@pytest.mark.slow
@given(seed=st.integers(0, 99), neighbors=st.integers(1, 12), temperature=st.floats(0.05, 2))
def test_neighbors_vote_as_a_plain_loop_says(seed: int, neighbors: int, temperature: float) -> None:
    random = np.random.default_rng(seed)
    queue, targets = random.random((12, FEATURES)), random.dirichlet(np.ones(CLASSES), 12)
    asked = random.random((5, FEATURES))
    voting = method(neighbors=neighbors, neighbor_temperature=temperature, queue_size=20)
    voting.queue_features[:12] = torch.from_numpy(queue)
    voting.queue_targets[:12] = torch.from_numpy(targets)
    got = voting._votes(torch.from_numpy(asked).float())
    assert got.numpy() == pytest.approx(neighbors_votes(asked, queue, targets, neighbors, temperature), abs=1e-3)


@pytest.mark.slow
def test_a_label_spreads_along_a_chain_of_neighbors_that_the_classifier_cannot_tell_apart() -> None:
    """Two arcs of images, one label at the beginning of each; guesses are even, neighbors are all there is to go by."""
    torch.manual_seed(0)
    places = torch.linspace(0, 1, 40)
    arcs = [torch.stack([sign * places.cos(), sign * places.sin(), places, 1 - places], dim=1) + 2 for sign in (1.0, -1.0)]
    features = torch.cat([arcs[0][:1], arcs[1][:1], arcs[0][1:], arcs[1][1:]])
    spreading = method((0.5, 0.5, 0.0), neighbor_share=1, neighbors=3, queue_size=80, ramp_steps=1, sharpening=1)
    spreading.steps += 1
    for _ in range(200):
        targets = spreading._targets(labels_of([0, 1], 78), outputs(torch.zeros(80, CLASSES), features))
    assert bool((targets[2:41, 0] > targets[2:41, 1]).all())
    assert bool((targets[41:, 1] > targets[41:, 0]).all())


def test_before_there_are_neighbors_guesses_stay_likely_as_labels_are() -> None:
    shares = (0.2, 0.3, 0.5)
    first = method(shares, neighbor_share=1, ramp_steps=1, sharpening=1)
    first.steps += 1
    targets = first._targets(labels_of([], 4), said(0, torch.randn(4, CLASSES)))
    assert targets.numpy() == pytest.approx(np.tile(shares, (4, 1)), abs=1e-6)


def test_the_queue_keeps_the_latest_images_with_their_labels_and_guesses_and_is_part_of_the_state() -> None:
    queueing = method(queue_size=7, neighbors=3, neighbor_share=0.5)
    rounds = [torch.rand(5, FEATURES), torch.rand(5, FEATURES)]
    for features in rounds:
        queueing._targets(labels_of([2, 0], 3), outputs(torch.zeros(5, CLASSES), features))
    torch.testing.assert_close(queueing.queue_features, torch.cat([rounds[1], rounds[0]])[:7])
    assert queueing.queue_targets[:2].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert queueing.queue_targets.sum(dim=1).numpy() == pytest.approx(1, abs=1e-6)
    assert {"queue_features", "queue_targets"} <= set(queueing.state_dict())


def test_where_neighbors_have_no_share_none_are_kept() -> None:
    alone = method(queue_size=7, neighbors=3)
    alone._targets(labels_of([2, 0], 3), outputs(torch.zeros(5, CLASSES), torch.rand(5, FEATURES)))
    assert not alone.queue_features.any()


def test_more_neighbors_than_places_are_refused() -> None:
    with pytest.raises(FewscanError, match=r"neighbors \(9\) must not exceed queue_size \(5\)"):
        MixMatchSettings.parse({"name": "mixmatch", "neighbors": 9, "queue_size": 5}, where="method")
