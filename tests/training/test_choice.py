from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fewscan
from fewscan.config import merge
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.registry import DEFAULT_METHOD, METHODS
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.splits.split import split
from fewscan.splits.units import Units
from fewscan.training.choice import LEAST_IMAGES, PRETRAINED, SOLVED_LABELS, WORTH, choose
from fewscan.training.settings import RunSettings

MakeDataset = Callable[..., Snapshot]


def test_unlabeled_scans_decide_the_method_and_explain_it() -> None:
    choice = choose(size_px=64, labeled=40, unlabeled=3000)
    assert choice.method == DEFAULT_METHOD
    assert METHODS[DEFAULT_METHOD].uses_unlabeled
    assert "3,000 unlabeled" in choice.reasons[0]
    assert "40 labels" in choice.reasons[0]
    assert WORTH in choice.reasons[0]
    assert choose(size_px=64, labeled=40, unlabeled=0).method == "supervised"


@pytest.mark.parametrize("short", [{"training_images": LEAST_IMAGES - 20_000}, {"epochs": 2}])
def test_a_training_too_short_to_learn_from_unlabeled_scans_is_supervised_and_says_how_long_would_do(
    short: dict[str, int],
) -> None:
    choice = choose(size_px=64, labeled=40, unlabeled=3000, changes=short)
    assert choice.method == "supervised"
    assert f"training_images={LEAST_IMAGES}" in choice.reasons[0]
    assert choose(size_px=64, labeled=40, unlabeled=3000, changes={"training_images": LEAST_IMAGES}).method == DEFAULT_METHOD


def test_a_wrong_setting_is_refused_where_the_method_is_chosen() -> None:
    with pytest.raises(FewscanError, match="did you mean 'epochs'"):
        choose(size_px=64, labeled=40, unlabeled=3000, changes={"epoch": 2})


def test_the_studys_recipe_keeps_the_studys_method_and_shape() -> None:
    choice = choose(size_px=64, labeled=400, unlabeled=0, recipe="study", cuda=True)
    assert (choice.method, choice.changes) == ("joint", {})


@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize("unlabeled", [0, 5000])
def test_every_choice_can_be_trained_and_is_explained(cuda: bool, unlabeled: int) -> None:
    choice = choose(size_px=64, labeled=100, unlabeled=unlabeled, cuda=cuda)
    settings = RunSettings.resolve(choice.method, "fewscan", choice.changes, labeled=100, unlabeled=unlabeled)
    said = " ".join(choice.reasons)
    assert settings.method.name in said
    assert f"width {settings.encoder.width}" in said


def test_the_schedule_is_told_as_it_will_be() -> None:
    settings = RunSettings.resolve("joint", "fewscan", {"epochs": 7, "batch_size": 50}, labeled=100, unlabeled=400)
    said = settings.schedule(labeled=100, unlabeled=400)
    assert "7 epochs of 10 steps, 50 images a step" in said
    assert "400 unlabeled" in said


def test_a_schedule_without_unlabeled_images_does_not_speak_of_them() -> None:
    settings = RunSettings.resolve("supervised", "fewscan", {"epochs": 7, "batch_size": 50}, labeled=100, unlabeled=400)
    said = settings.schedule(labeled=100, unlabeled=400)
    assert "of 2 steps" in said
    assert "unlabeled" not in said


@pytest.mark.parametrize(
    ("size_px", "labeled", "changes", "recipe"),
    [
        (96, SOLVED_LABELS, {}, "finetune"),
        (224, 988, {}, "finetune"),
        (95, 40, {}, "fewscan"),
        (128, 0, {}, "fewscan"),
        (128, 40, {"encoder": {"width": 32}}, "fewscan"),
        (128, 40, {"encoder": "resnet_small"}, "fewscan"),
    ],
)
def test_large_scans_begin_with_weights_that_are_installed_unless_another_encoder_is_asked_for(
    size_px: int, labeled: int, changes: dict[str, Any], recipe: str
) -> None:
    assert PRETRAINED.installed
    choice = choose(size_px=size_px, labeled=labeled, unlabeled=3000, changes=changes)
    assert choice.recipe == recipe
    assert any(line.startswith(f"recipe {recipe}") for line in choice.reasons) == (recipe == "finetune")


@pytest.mark.parametrize(("unlabeled", "method"), [(3000, "propagation"), (0, "probe")])
@pytest.mark.parametrize("cuda", [False, True])
def test_of_few_labels_the_classifier_is_solved_for_and_can_be(cuda: bool, unlabeled: int, method: str) -> None:
    sizes = {"labeled": SOLVED_LABELS - 1, "unlabeled": unlabeled}
    choice = choose(size_px=96, cuda=cuda, **sizes)
    settings = RunSettings.resolve(choice.method, choice.recipe, choice.changes, **sizes)
    assert choice.method == method
    assert settings.solved
    assert choice.unlabeled_first == (cuda and unlabeled > 0)
    assert choice.reasons[0].startswith(f"method {method}")


def test_train_counts_a_set_of_copies_as_one_label_when_it_chooses(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def chosen(copies: list[int]) -> str:
        with pytest.raises(FewscanError) as stopped:
            fewscan.train(split(make_dataset(images=80, size_px=96, copies=copies), test=0).folder, out=tmp_path / "run")
        return str(stopped.value)

    def stop(dataset: Snapshot, settings: RunSettings, *_: object, **__: object) -> None:
        raise FewscanError(settings.method.name)

    monkeypatch.setattr("fewscan.training.train.train_new", stop)
    monkeypatch.setattr("fewscan.training.choice.SOLVED_LABELS", 60)
    assert chosen(list(range(80))) == "supervised"
    assert chosen([row // 8 * 4 + row % 4 for row in range(80)]) == "probe"


def units(to_learn: int) -> Units:
    return Units("patient", "patients", to_learn=to_learn, to_hold_out=to_learn, labeled=to_learn, tested=0, unlabeled=20)


def test_of_many_images_of_few_patients_the_patients_are_counted_and_that_is_said() -> None:
    few, enough = (choose(603, 3000, 224, units=units(number), cuda=False) for number in (SOLVED_LABELS - 1, SOLVED_LABELS))
    assert (few.method, enough.recipe) == ("propagation", "finetune")
    for number, choice in ((SOLVED_LABELS - 1, few), (SOLVED_LABELS, enough)):
        assert f"603 labels of {number} patients" in choice.reasons[0]
    # README's labels are of as many heads, as far as is known: nothing changes for them.
    assert choose(988, 3000, 224, units=units(988), cuda=False) == choose(988, 3000, 224, cuda=False)


@pytest.mark.parametrize("unlabeled", [3000, 0])
def test_who_would_train_an_encoder_is_told_what_takes_seconds(unlabeled: int) -> None:
    solving = choose(size_px=96, labeled=SOLVED_LABELS - 1, unlabeled=unlabeled).method
    assert f"--method {solving}" in choose(size_px=96, labeled=SOLVED_LABELS, unlabeled=unlabeled, cuda=False).reasons[0]


@pytest.mark.parametrize("asked", [{"changes": {"epochs": 3}}, {"changes": {"views": "scan"}}, {"recipe": "finetune"}])
def test_whoever_asks_for_steps_gets_a_training_however_few_the_labels(asked: dict[str, Any]) -> None:
    assert choose(size_px=128, labeled=40, unlabeled=3000, **asked).method == "supervised"


@pytest.mark.parametrize(
    ("cuda", "changes", "kept"),
    [
        (False, {}, EfficientNetLite0.general_parts),
        (False, {"optimizer": {"learning_rate": 1e-4}}, EfficientNetLite0.general_parts),
        (False, {"optimizer": {"frozen_parts": 0}}, None),
        (False, {"encoder": {"weights": None}}, None),
        (False, {"encoder": {"name": "resnet_small", "weights": "file.safetensors"}}, None),
        (True, {}, None),
    ],
)
def test_a_cpu_leaves_the_first_parts_of_learned_weights_as_they_are_unless_others_are_asked_for(
    cuda: bool, changes: dict[str, Any], kept: int | None
) -> None:
    choice = choose(size_px=96, labeled=988, unlabeled=3000, recipe="finetune", changes=changes, cuda=cuda)
    assert choice.changes.get("optimizer", {}).get("frozen_parts") == kept
    assert any("frozen_parts" in line for line in choice.reasons) == (kept is not None)


def test_without_the_weights_it_says_how_to_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PRETRAINED.model_copy(update={"package": "no-such-package"})
    monkeypatch.setattr("fewscan.training.choice.PRETRAINED", absent)
    choice = choose(size_px=128, labeled=40, unlabeled=3000)
    assert (choice.recipe, choice.method) == ("fewscan", DEFAULT_METHOD)
    assert "pip install" in choice.reasons[0]


def test_the_recipe_that_is_asked_for_is_taken() -> None:
    assert choose(size_px=128, labeled=40, unlabeled=3000, recipe="fewscan").recipe == "fewscan"


@pytest.mark.parametrize(("labeled", "method"), [(40, "propagation"), (988, "supervised")])
def test_the_size_at_which_scans_are_shown_asks_for_no_other_encoder(labeled: int, method: str) -> None:
    changes = {"encoder": {"input_px": 96}}
    choice = choose(size_px=224, labeled=labeled, unlabeled=3000, changes=changes, cuda=False)
    assert choice == choose(size_px=224, labeled=labeled, unlabeled=3000, cuda=False)
    settings = RunSettings.resolve(
        choice.method, choice.recipe, merge(choice.changes, changes), labeled=labeled, unlabeled=3000
    )
    assert settings.method.name == method
    assert (settings.encoder.input_px, settings.encoder.weights) == (96, "imagenet")


def test_the_size_of_an_encoder_that_was_asked_for_is_its_own() -> None:
    choice = choose(size_px=64, labeled=100, unlabeled=3000, changes={"encoder": {"name": "study_cnn"}})
    assert "encoder" not in choice.changes
    assert any("study_cnn" in line for line in choice.reasons)


def test_the_width_of_an_encoder_that_was_asked_for_is_its_own() -> None:
    choice = choose(size_px=64, labeled=100, unlabeled=3000, changes={"encoder": {"width": 64}}, cuda=True)
    assert "encoder" not in choice.changes
    assert any("width 64" in line for line in choice.reasons)


@pytest.mark.parametrize("recipe", ["study", "finetune"])
@pytest.mark.parametrize("cuda", [False, True])
def test_a_recipes_own_encoder_has_its_own_size_where_nothing_is_labeled(recipe: str, cuda: bool) -> None:
    choice = choose(size_px=96, labeled=0, unlabeled=3000, recipe=recipe, cuda=cuda)
    settings = RunSettings.resolve(choice.method, choice.recipe, choice.changes, labeled=0, unlabeled=3000)
    assert settings.encoder.name != "resnet_small"
    assert any(settings.encoder.name in line for line in choice.reasons)
    assert not any("resnet_small" in line for line in choice.reasons)


@pytest.mark.parametrize("labeled", [40, 988])
@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_whether_the_encoder_learns_first_is_explained_where_nobody_asked(labeled: int, cuda: bool, asked: bool) -> None:
    chosen, told = (choose(size_px=96, labeled=labeled, unlabeled=3000, cuda=cuda, unlabeled_first=it) for it in (None, asked))
    assert (chosen.unlabeled_first, told.unlabeled_first) == (cuda, asked)
    assert (len(chosen.reasons), any("unlabeled-first" in line for line in told.reasons)) == (len(told.reasons) + 1, False)


def test_a_machines_gpu_decides_nothing_for_a_training_on_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"size_px": 64, "labeled": 100, "unlabeled": 3000, "changes": {"device": "cpu"}}
    without = choose(**asked)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert choose(**asked) == without
