"""Symptoms of a run that collapses or stands still, read from the logged numbers of its epochs.

A symptom is said once a run, at the first epoch that shows it. It must have lasted: a network begins with one answer for every
image, and averaged weights follow late. What only follows from another symptom is not said beside it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from fewscan.training.advice import advice
from fewscan.training.settings import RunSettings

Epoch = Mapping[str, Any]
History = Sequence[Epoch]

# How long a sign must last: this share of the run's epochs, and never fewer than so many. A supervised run on practice scans
# was at chance on its validation set in eight of its first ten epochs, of forty, and then learned.
PATIENCE_SHARE = 0.25
PATIENCE_EPOCHS = 8

# Before so many steps the network that is judged says nothing: it goes by running statistics of batches, of which a step is a
# tenth, and by averaged weights. On 80 real scans it was at chance for 26 steps, while training was right on half.
SETTLED_STEPS = 50

# Share of the patience, at the run's very beginning, whose mean loss later ones are held against: two epochs of a short run.
BEGINNING_SHARE = 0.25

# Of 128 columns one may still live, of 256 two: nothing to tell four classes by.
LEAST_LIVE_FEATURES = 0.01
LEAST_LIVE_PROJECTIONS = 0.1

# Calls are of one class where fewer than this share of what other classes should have is called by any of them.
LEAST_OTHERS = 0.05

# Pseudo-labels for fewer of the unlabeled images than this are too few to speak of their classes.
LEAST_PSEUDO_LABELS_USED = 0.05

# A loss stands where its mean has fallen by less than this share since the beginning, or by no more than chance: so many
# standard errors, since an epoch of few images is a noisy one.
LEAST_FALL = 0.01
CHANCE_DEVIATIONS = 2.0
# It has risen again where it has given back more than the first share of its fall, and had fallen by more than the second.
MOST_GIVEN_BACK = 0.5
CLEAR_FALL = 0.1


class Symptom(NamedTuple):
    """What an epoch shows."""

    name: str
    text: str  # in plain words: what is seen, with the numbers, what it means, what to change


class ReportedSymptom(NamedTuple):
    """What a run warned of."""

    name: str
    text: str
    epoch: int  # after which it was said
    lasting: bool  # whether the newest epoch still shows it

    def __str__(self) -> str:
        """Return one line for people."""
        return f"after epoch {self.epoch} {self.text}{'' if self.lasting else ' Later epochs no longer show it.'}"


def new_symptoms(history: History, settings: RunSettings) -> list[Symptom]:
    """Return what the last epoch of `history` shows and no earlier one reported; of a long run not every epoch is asked.

    history: the numbers of all epochs so far, at least one, as `metrics.jsonl` holds them: what an epoch reported is its
    `symptoms`, each a mapping with `name` and `text`.
    """
    # A run of thousands of epochs, of one step each, must not spend its time on looking back.
    epoch = history[-1]["epoch"]
    if epoch % (_patience(settings) // PATIENCE_EPOCHS) and epoch != settings.epochs:
        return []
    reported = {symptom["name"] for numbers in history for symptom in numbers.get("symptoms", ())}
    seen = _seen(history, settings)
    following = {consequence for name in seen for consequence in _consequences(name, settings)}
    return [
        Symptom(name, f"{words}. {advice(name, settings)}") for name, words in seen.items() if name not in reported | following
    ]


def reported_symptoms(history: History, settings: RunSettings) -> list[ReportedSymptom]:
    """Return what a run with that `history` has warned of, in the order in which it did."""
    lasting = _seen(history, settings)
    return [
        ReportedSymptom(symptom["name"], symptom["text"], numbers["epoch"], symptom["name"] in lasting)
        for numbers in history
        for symptom in numbers.get("symptoms", ())
    ]


def _seen(history: History, settings: RunSettings) -> dict[str, str]:
    """Return by name, in words, what has lasted up to the last epoch."""
    if len(history) < _patience(settings) + _beginning(settings):
        return {}
    words = {name: sign(history, settings) for name, sign in SIGNS.items()}
    return {name: text for name, text in words.items() if text is not None}


def _consequences(name: str, settings: RunSettings) -> set[str]:
    """Return what a symptom brings about by itself."""
    calls = {"one_class", "probe_at_chance"}
    if name == "constant_features":
        return {"dead_projections", "loss_not_falling", *calls}
    if name == "dead_projections":
        return {"loss_not_falling", *(calls if settings.heads.classifier_input == "projection" else ())}
    return {"loss_not_falling": calls, "one_class": {"probe_at_chance"}}.get(name, set())


def _constant_features(history: History, settings: RunSettings) -> str | None:
    few = _few_live(history, settings, "live_features", LEAST_LIVE_FEATURES)
    return few and (
        f"the features are the same for every image: only {few} of them vary from image to image, so the classes cannot be "
        "told apart"
    )


def _dead_projections(history: History, settings: RunSettings) -> str | None:
    few = _few_live(history, settings, "live_projections", LEAST_LIVE_PROJECTIONS)
    return few and (
        f"the projection head is dead: only {few} of its projections vary from image to image, so nothing is learned "
        "through them"
    )


def _loss_not_falling(history: History, settings: RunSettings) -> str | None:
    patience, beginning = _patience(settings), _beginning(settings)
    for name, values in _losses(history, settings).items():
        before, window = values[:-patience], values[-patience:]
        began, lowest, recent = math.fsum(values[:beginning]) / beginning, min(before), math.fsum(window) / patience
        if began <= 0:
            continue  # a fall has no share of that
        by_chance = CHANCE_DEVIATIONS * _deviation(window) * math.sqrt(1 / beginning + 1 / patience)
        stands = began - recent <= max(LEAST_FALL * began, by_chance)
        given_back = lowest + MOST_GIVEN_BACK * (began - lowest)
        if not stands and min(window) <= given_back:
            continue
        if lowest < (1 - CLEAR_FALL) * began and recent > given_back:
            return (
                f"{name} has risen again: {lowest:.4g} at its lowest, {recent:.4g} over the last {patience} epochs, so the "
                "network is losing what it learned"
            )
        return (
            f"{name} does not fall: {began:.4g} at the beginning, {recent:.4g} over the last {patience} epochs, so "
            "nothing is learned from it"
        )
    return None


def _one_class(history: History, settings: RunSettings) -> str | None:
    def sign(numbers: Epoch) -> bool:
        # There is a limit of chance only where enough images of other classes are.
        return numbers.get("chance_limit") is not None and _is_one_class(numbers, "commonest_prediction")

    if not _lasts(history, settings, sign):
        return None
    return (
        f"the classifier assigns {_percent(history[-1]['commonest_prediction'])} of the labeled images to one class, while the "
        f"most common class has {_percent(history[-1]['commonest_label'])} of the labels: it does not tell classes apart"
    )


def _probe_at_chance(history: History, settings: RunSettings) -> str | None:
    """Judge by the classifier's labeled images, then by images that it never saw, then by the nearest labeled neighbor."""
    last = history[-1]
    if _lasts(history, settings, lambda numbers: _is_at_chance(numbers, "labeled_accuracy", "chance_limit")):
        return (
            f"the classifier is right on {_percent(last['labeled_accuracy'])} of the labeled images, and guessing reaches "
            f"{_percent(last['chance_limit'])}: it has learned nothing"
        )
    if _lasts(history, settings, lambda numbers: _is_at_chance(numbers, "validation_accuracy", "val_chance_limit")):
        return (
            f"the classifier is right on {_percent(last['validation_accuracy'])} of the validation images, and guessing "
            f"reaches {_percent(last['val_chance_limit'])}: what it has learned does not carry over to images that it was not "
            f"trained on"
        )

    def neighbor_sign(numbers: Epoch) -> bool:
        # A validation set that can tell says it better.
        return numbers.get("val_chance_limit") is None and _is_at_chance(numbers, "probe_accuracy", "probe_chance_limit")

    if _lasts(history, settings, neighbor_sign):
        return (
            f"the nearest labeled neighbor has the right class for {_percent(last['probe_accuracy'])} of the labeled "
            f"images, and guessing reaches {_percent(last['probe_chance_limit'])}: the features say nothing about the classes"
        )
    return None


def _one_class_pseudo_labels(history: History, settings: RunSettings) -> str | None:
    def sign(numbers: Epoch) -> bool:
        used = numbers.get("pseudo_labels_used") or 0.0
        return used >= LEAST_PSEUDO_LABELS_USED and _is_one_class(numbers, "pseudo_label_commonest")

    if not _lasts(history, settings, sign):
        return None
    return (
        f"{_percent(history[-1]['pseudo_label_commonest'])} of the pseudo-labels are of one class, while the most common class "
        f"has {_percent(history[-1]['commonest_label'])} of the labels: the network may be teaching itself one answer"
    )


# By name, causes before what follows from them. Each returns in words what is seen, or None.
SIGNS: dict[str, Callable[[History, RunSettings], str | None]] = {
    "constant_features": _constant_features,
    "dead_projections": _dead_projections,
    "loss_not_falling": _loss_not_falling,
    "one_class": _one_class,
    "probe_at_chance": _probe_at_chance,
    "one_class_pseudo_labels": _one_class_pseudo_labels,
}


def _patience(settings: RunSettings) -> int:
    return max(PATIENCE_EPOCHS, math.ceil(PATIENCE_SHARE * settings.epochs))


def _beginning(settings: RunSettings) -> int:
    return int(BEGINNING_SHARE * _patience(settings))


def _lasts(history: History, settings: RunSettings, sign: Callable[[Epoch], bool]) -> bool:
    """Return whether the judged network has shown a sign for as long as it must, since it had settled or to the run's end."""
    recent = history[-_patience(settings) :]
    is_settled = recent[0].get("step", SETTLED_STEPS) >= SETTLED_STEPS or recent[-1]["epoch"] == settings.epochs
    return is_settled and all(sign(numbers) for numbers in recent)


def _losses(history: History, settings: RunSettings) -> dict[str, list[float]]:
    """Return the losses that ought to fall, epoch by epoch, by what people call them."""
    classifier = [numbers.get("cross_entropy", 0.0) for numbers in history]
    if "pseudo_labels_used" in history[-1]:
        # A loss on pseudo-labels grows as more of them are used.
        return {"the classifier's loss": classifier}
    total = [numbers["loss"] for numbers in history]
    own = [whole - part for whole, part in zip(total, classifier, strict=True)]
    # The classifier of a method whose own loss stands still may learn all the same, and hide that in the sum.
    return {"the loss": total, f"{settings.method.name}'s own loss": own}


def _deviation(values: Sequence[float]) -> float:
    """Return the deviation of single epochs, from neighbors' differences: a trend does not count as noise."""
    return math.sqrt(math.fsum((after - before) ** 2 for before, after in pairwise(values)) / (2 * (len(values) - 1)))


def _few_live(history: History, settings: RunSettings, name: str, least: float) -> str | None:
    """Return in percent what share of columns lives, where it has lastingly been less than `least`."""

    def sign(numbers: Epoch) -> bool:
        share = numbers.get(name)
        return share is not None and share < least

    return _percent(history[-1][name]) if _lasts(history, settings, sign) else None


def _is_at_chance(numbers: Epoch, accuracy: str, limit: str) -> bool:
    reached, guessed = numbers.get(accuracy), numbers.get(limit)
    return reached is not None and guessed is not None and reached <= guessed


def _is_one_class(numbers: Epoch, name: str) -> bool:
    commonest, label = numbers.get(name), numbers.get("commonest_label")
    return commonest is not None and label is not None and 1 - commonest < LEAST_OTHERS * (1 - label)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
