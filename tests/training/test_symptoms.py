import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fewscan.config import merge, parse_overrides
from fewscan.learning.registry import TRAINING_METHODS
from fewscan.models.network import Outputs
from fewscan.training.advice import advice
from fewscan.training.recipes import RECIPES
from fewscan.training.settings import RunSettings
from fewscan.training.signs import signs
from fewscan.training.symptoms import SIGNS, ReportedSymptom, new_symptoms, reported_symptoms

EPOCHS = 20  # so that a sign must last for eight, after a beginning of two

# What a run that learns logs at the end; its loss falls.
HEALTHY = {
    "live_features": 0.8,
    "live_projections": 1.0,
    "commonest_prediction": 0.35,
    "commonest_label": 0.3,
    "labeled_accuracy": 0.8,
    "chance_limit": 0.31,
    "validation_accuracy": 0.7,
    "val_chance_limit": 0.35,
    "probe_accuracy": 0.6,
    "probe_chance_limit": 0.31,
}

SICK: dict[str, dict[str, float]] = {
    "constant_features": {"live_features": 0.0},
    "dead_projections": {"live_projections": 0.03},
    "loss_not_falling": {"loss": 4.0, "cross_entropy": 1.0},
    "one_class": {"commonest_prediction": 0.99},
    "probe_at_chance": {"labeled_accuracy": 0.27},
    "one_class_pseudo_labels": {"pseudo_labels_used": 0.6, "pseudo_label_commonest": 0.98},
}

# Losses of real runs on real scans, study's encoder and recipe, 25 epochs.
BARLOW_TWINS_THAT_RAN_AWAY = (46.01, 30.6, 21.14, 12.56, 13.07, 16.3, 21.44, 19.5, 19.43, 25.96, 25.37, 30.14, 29.81, 28.63)
BARLOW_TWINS_THAT_RAN_AWAY += (27.96, 38.89, 47.74, 50.14, 39.82, 51.47, 53.23, 50.61, 47.64, 50.42, 62.31)
SUPERVISED_THAT_BEGAN_LATE = (1.372, 1.375, 1.368, 1.312, 1.313, 1.295, 1.242, 1.246, 1.203, 1.201, 1.134, 1.152, 1.023)
SUPERVISED_THAT_BEGAN_LATE += (0.958, 0.88, 0.8, 0.758, 0.711, 0.671, 0.602, 0.582, 0.523, 0.5, 0.509, 0.442)
# Validation accuracies of a real run on practice scans, 80 images, 40 epochs, from its beginning.
VALIDATION_THAT_ROSE_LATE = (0.25, 0.25, 0.25, 0.3, 0.41, 0.32, 0.3, 0.32, 0.25, 0.38, 0.44, 0.54, 0.69, 0.69, 0.74, 0.74)


def settings_of(
    method: str | dict[str, Any] = "joint", recipe: str = "fewscan", epochs: int = EPOCHS, **changes: Any
) -> RunSettings:
    return RunSettings.resolve(method, recipe, {"epochs": epochs, **changes}, labeled=100, unlabeled=300)


def history_of(epochs: int, numbers: Callable[[int], dict[str, Any]] | dict[str, Any]) -> list[dict[str, Any]]:
    """A log whose loss falls and that is healthy but for `numbers`."""
    changes = numbers if callable(numbers) else lambda _: numbers
    return [
        {"epoch": epoch, "loss": 4 / epoch + 1 / epoch, "cross_entropy": 1 / epoch, **HEALTHY, **changes(epoch)}
        for epoch in range(1, epochs + 1)
    ]


def run_through(history: Sequence[dict[str, Any]], settings: RunSettings) -> list[dict[str, Any]]:
    """What the loop logs: every epoch with the symptoms that it was the first to show."""
    logged: list[dict[str, Any]] = []
    for numbers in history:
        found = new_symptoms([*logged, numbers], settings)
        logged.append(numbers | {"symptoms": [symptom._asdict() for symptom in found]})
    return logged


def reported(history: Sequence[dict[str, Any]], settings: RunSettings) -> list[ReportedSymptom]:
    return reported_symptoms(run_through(history, settings), settings)


def names(history: Sequence[dict[str, Any]], settings: RunSettings) -> list[str]:
    return [symptom.name for symptom in reported(history, settings)]


def test_every_symptom_has_an_example() -> None:
    assert SICK.keys() == SIGNS.keys()


@pytest.mark.parametrize("name", SICK)
def test_a_symptom_is_said_once_when_it_has_lasted(name: str) -> None:
    assert [
        (symptom.name, symptom.epoch, symptom.lasting) for symptom in reported(history_of(20, SICK[name]), settings_of())
    ] == [(name, 10, True)]


@pytest.mark.parametrize("name", SICK)
@pytest.mark.parametrize("epochs", [1, 9])
def test_a_short_run_is_not_judged(name: str, epochs: int) -> None:
    assert names(history_of(epochs, SICK[name]), settings_of(epochs=epochs)) == []


@pytest.mark.parametrize("name", [name for name in SICK if name != "loss_not_falling"])
def test_a_network_that_has_not_settled_by_its_steps_is_judged_at_the_end_only(name: str) -> None:
    def history(steps: int, sick: int) -> list[dict[str, Any]]:
        return history_of(40, lambda epoch: {"step": steps * epoch} | (SICK[name] if epoch <= sick else {}))

    settings = settings_of(epochs=40)
    assert names(history(1, 30), settings) == []
    assert [symptom.epoch for symptom in reported(history(1, 40), settings)] == [40]
    assert [symptom.epoch for symptom in reported(history(100, 40), settings)] == [12]


@pytest.mark.parametrize("name", SICK)
def test_a_long_run_is_given_a_quarter_of_its_epochs_and_a_beginning(name: str) -> None:
    assert [symptom.epoch for symptom in reported(history_of(100, SICK[name]), settings_of(epochs=100))] == [
        33
    ]  # every third epoch is asked


@pytest.mark.parametrize("name", [name for name in SICK if name != "loss_not_falling"])
def test_one_better_epoch_begins_the_count_anew(name: str) -> None:
    history = history_of(20, lambda epoch: {} if epoch == 6 else SICK[name])
    assert [symptom.epoch for symptom in reported(history, settings_of())] == [14]


@pytest.mark.parametrize("name", [name for name in SICK if name != "loss_not_falling"])
def test_what_has_passed_is_said_to_have_passed(name: str) -> None:
    (symptom,) = reported(history_of(20, lambda epoch: SICK[name] if epoch < 12 else {}), settings_of())
    assert (symptom.name, symptom.lasting) == (name, False)
    assert str(symptom).startswith("after epoch 10 ")
    assert str(symptom).endswith("Later epochs no longer show it.")


@pytest.mark.parametrize("method", TRAINING_METHODS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_that_learns_shows_nothing(method: str, recipe: str) -> None:
    assert names(history_of(20, {}), settings_of(method, recipe)) == []


def test_numbers_that_were_not_taken_show_nothing() -> None:
    settings = settings_of()
    assert names([{"epoch": epoch, "loss": 3 / epoch} for epoch in range(1, 21)], settings) == []
    assert names(history_of(20, dict.fromkeys(HEALTHY)), settings) == []


def test_the_numbers_that_were_seen_are_said() -> None:
    def text(name: str) -> str:
        return reported(history_of(20, SICK[name]), settings_of())[0].text

    assert "0.0 % of them vary from image to image" in text("constant_features")
    assert "3.0 % of its projections vary" in text("dead_projections")
    assert "the loss does not fall: 4 at the beginning, 4 over the last 8 epochs" in text("loss_not_falling")
    assert re.search("99.0 % of the labeled images .*30.0 % of the labels", text("one_class"))
    assert "right on 27.0 % of the labeled images, and guessing reaches 31.0 %" in text("probe_at_chance")
    assert "98.0 % of the pseudo-labels are of one class" in text("one_class_pseudo_labels")


def test_what_follows_from_another_symptom_is_not_said_beside_it() -> None:
    everything = {key: value for numbers in SICK.values() for key, value in numbers.items() if "pseudo" not in key}
    without_features = everything | {"live_features": 0.8}
    assert names(history_of(20, everything), settings_of()) == ["constant_features"]
    # Where the classifier reads the projections, their death explains its calls; otherwise it does not.
    assert names(history_of(20, without_features), settings_of(recipe="study")) == ["dead_projections"]
    without_head = without_features | {"live_projections": 1.0}
    assert names(history_of(20, without_head), settings_of()) == ["loss_not_falling"]
    calls = SICK["one_class"] | SICK["probe_at_chance"]
    assert names(history_of(20, calls), settings_of()) == ["one_class"]
    assert names(history_of(20, SICK["dead_projections"] | calls), settings_of()) == ["dead_projections", "one_class"]


def test_a_loss_that_runs_away_is_said_to_have_risen() -> None:
    history = history_of(25, lambda epoch: {"loss": BARLOW_TWINS_THAT_RAN_AWAY[epoch - 1], "cross_entropy": 1.3})
    (symptom,) = reported(history, settings_of({"name": "barlow_twins", "redundancy_weight": 0.005}, "study", epochs=25))
    assert symptom.name == "loss_not_falling"
    assert "the loss has risen again: 12.56 at its lowest" in symptom.text
    assert "method.redundancy_weight=0.16" in symptom.text


def test_a_method_whose_own_loss_stands_is_seen_behind_a_classifier_that_learns() -> None:
    history = history_of(20, lambda epoch: {"loss": 6.2 + 1.4 / epoch, "cross_entropy": 1.4 / epoch})
    (symptom,) = reported(history, settings_of("simclr"))
    assert symptom.name == "loss_not_falling"
    assert "simclr's own loss does not fall: 6.2 at the beginning" in symptom.text


def test_a_loss_on_pseudo_labels_may_grow() -> None:
    def growing(epoch: int) -> dict[str, float]:
        return {
            "loss": 1.4 / epoch + 0.2 * epoch,
            "cross_entropy": 1.4 / epoch,
            "pseudo_labels_used": 0.03 * epoch,
            "pseudo_label_commonest": 0.5,
        }

    assert names(history_of(20, growing), settings_of()) == []
    assert names(history_of(20, lambda epoch: growing(epoch) | {"cross_entropy": 1.4}), settings_of()) == ["loss_not_falling"]


def test_real_runs_that_began_late_are_left_alone() -> None:
    losses = SUPERVISED_THAT_BEGAN_LATE
    supervised = history_of(25, lambda epoch: {"loss": losses[epoch - 1], "cross_entropy": losses[epoch - 1]})
    assert names(supervised, settings_of("supervised", "study", epochs=25)) == []
    validation = VALIDATION_THAT_ROSE_LATE
    practice = history_of(16, lambda epoch: {"validation_accuracy": validation[epoch - 1], "val_chance_limit": 0.33})
    assert names(practice, settings_of("supervised", epochs=40)) == []


@pytest.mark.slow
@given(st.lists(st.floats(0.5, 1.0), min_size=40, max_size=40))
def test_a_loss_that_wavers_where_it_has_come_down_to_is_left_alone(wavering: list[float]) -> None:
    history = history_of(40, lambda epoch: {"loss": (4 if epoch < 3 else 1) * wavering[epoch - 1], "cross_entropy": 0.0})
    assert names(history, settings_of(epochs=40)) == []


def test_validation_images_and_neighbors_are_asked_where_the_classifier_knows_its_own_images() -> None:
    by_heart = {"labeled_accuracy": 1.0, "validation_accuracy": 0.3}
    (symptom,) = reported(history_of(20, by_heart), settings_of())
    assert "right on 30.0 % of the validation images, and guessing reaches 35.0 %" in symptom.text
    neighbors = {"probe_accuracy": 0.25}
    assert names(history_of(20, neighbors), settings_of()) == []  # the validation set says that it has learned
    (symptom,) = reported(history_of(20, neighbors | {"validation_accuracy": None, "val_chance_limit": None}), settings_of())
    assert "nearest labeled neighbor has the right class for 25.0 %" in symptom.text


def outputs_of(calls: torch.Tensor, classes: int) -> Outputs:
    generator = torch.Generator().manual_seed(0)
    columns = torch.rand(len(calls), 16, generator=generator)
    return Outputs(columns, columns, torch.nn.functional.one_hot(calls, classes).float())


@pytest.mark.slow
@given(
    shares=st.lists(st.integers(1, 20), min_size=2, max_size=6),
    images=st.integers(1, 512),
    wrong=st.floats(0, 0.3),
    seed=st.integers(0, 2**32),
)
def test_no_symptom_speaks_of_calls_that_follow_the_labels(shares: list[int], images: int, wrong: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(torch.tensor(shares).float(), images, replacement=True, generator=generator)
    guesses = torch.randint(len(shares), (images,), generator=generator)
    calls = torch.where(torch.rand(images, generator=generator) < wrong, guesses, labels)
    assert names(history_of(20, signs(outputs_of(calls, len(shares)), labels)), settings_of()) == []


@pytest.mark.slow
@given(shares=st.lists(st.integers(1, 20), min_size=2, max_size=6), images=st.integers(1, 512), seed=st.integers(0, 2**32))
def test_calls_of_one_class_are_seen_wherever_there_are_others_to_call(shares: list[int], images: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(torch.tensor(shares).float(), images, replacement=True, generator=generator)
    numbers = signs(outputs_of(torch.zeros_like(labels), len(shares)), labels)
    expected = ["one_class"] if images - int(torch.bincount(labels).max()) >= 20 else []
    assert names(history_of(20, numbers), settings_of()) == expected


@pytest.mark.parametrize("label_share", [0.3, 0.95])
def test_pseudo_labels_of_unequal_classes_may_be_unequal(label_share: float) -> None:
    def history(commonest: float, used: float = 0.6) -> list[dict[str, Any]]:
        numbers = {"commonest_label": label_share, "pseudo_label_commonest": commonest, "pseudo_labels_used": used}
        return history_of(20, numbers)

    assert names(history((1 + label_share) / 2), settings_of()) == []
    assert names(history(0.999), settings_of()) == ["one_class_pseudo_labels"]
    assert names(history(0.999, used=0.01), settings_of()) == []


@pytest.mark.parametrize("symptom", SIGNS)
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("method", TRAINING_METHODS)
@pytest.mark.parametrize("learning_rate", [1e-6, 2e-3, 1.0])
def test_what_is_advised_are_settings_that_change_something(
    symptom: str, recipe: str, method: str, learning_rate: float
) -> None:
    weight = {"redundancy_weight": 0.001} if method == "barlow_twins" else {}
    chosen: dict[str, Any] = {"method": {"name": method, **weight}, "batch_size": 4, "epochs": 20}
    chosen["optimizer"] = {"learning_rate": learning_rate}

    def resolved(pairs: list[str]) -> RunSettings:
        changes = merge(chosen, parse_overrides(pairs))
        return RunSettings.resolve(changes.pop("method"), recipe, changes, labeled=100, unlabeled=300)

    settings = resolved([])
    advised = re.findall(r"[a-z_.]+=[a-z0-9_.+-]*[a-z0-9_]", advice(symptom, settings))
    assert symptom == "one_class_pseudo_labels" or advised
    for pair in advised:
        assert resolved([pair]) != settings
