from typing import Any

import pytest

from fewscan.errors import FewscanError
from fewscan.models.timm_encoder import TimmSettings
from fewscan.training.settings import RunSettings


def resolve(
    method: str | dict[str, object] = "joint",
    recipe: str = "fewscan",
    labeled: int = 988,
    unlabeled: int = 3000,
    **changes: object,
) -> RunSettings:
    return RunSettings.resolve(method, recipe, changes, labeled=labeled, unlabeled=unlabeled)


def test_the_studys_recipe_is_what_the_study_says() -> None:
    settings = resolve(recipe="study")
    assert settings.encoder.name == "study_cnn"
    assert settings.views.name == "study"
    assert (settings.optimizer.name, settings.optimizer.schedule) == ("adam", "constant")
    assert settings.epochs == 100
    assert settings.method.model_dump()["temperature"] == 0.1
    assert settings.heads.projection_units == (256, 128, 64)
    assert settings.heads.classifier_hidden_units == (256, 128)
    assert settings.heads.classifier_input == "projection"
    assert not settings.heads.classifier_detached


@pytest.mark.parametrize("recipe", ["fewscan", "study"])
def test_simclrs_classifier_is_a_linear_probe_on_detached_features(recipe: str) -> None:
    heads = resolve("simclr", recipe).heads
    assert heads.classifier_detached
    assert heads.classifier_hidden_units == ()
    assert heads.classifier_input == "features"


def test_a_group_may_be_named_by_its_name_alone() -> None:
    settings = resolve({"name": "joint", "temperature": 0.3}, encoder="study_cnn", optimizer={"learning_rate": 0.5})
    assert settings.encoder.name == "study_cnn"
    assert settings.optimizer.learning_rate == 0.5
    assert settings.optimizer.name == "adamw"
    assert settings.method.model_dump() == resolve().method.model_dump() | {"temperature": 0.3}


def test_an_encoder_of_timm_is_a_choice_that_needs_no_timm_until_it_is_built() -> None:
    settings = resolve(encoder={"name": "timm:resnet18", "pretrained": True})
    assert isinstance(settings.encoder, TimmSettings)
    assert settings.encoder.model == "resnet18"
    assert settings.encoder.weights == "timm"
    assert settings.encoder == resolve(encoder={"name": "timm:resnet18", "weights": "timm"}).encoder
    assert settings.encoder.untrained == resolve(encoder={"name": "timm:resnet18", "pretrained": False}).encoder


def test_an_encoder_has_its_own_settings_and_none_of_the_one_that_it_replaces() -> None:
    settings = resolve(encoder={"name": "study_cnn", "dense_units": 64})
    assert settings.encoder.model_dump(exclude_none=True) == {"name": "study_cnn", "dense_units": 64}
    wide = RunSettings.laid_over(settings.model_dump(), {"encoder": {"name": "resnet_small", "width": 32}})
    assert RunSettings.parse(wide).encoder.model_dump(exclude_none=True) == {"name": "resnet_small", "width": 32}
    deeper = RunSettings.laid_over(settings.model_dump(), {"encoder": {"dense_units": 16}})
    assert RunSettings.parse(deeper).encoder.model_dump(exclude_none=True) == {"name": "study_cnn", "dense_units": 16}


def test_settings_that_runs_wrote_when_all_encoders_shared_theirs_are_read() -> None:
    former = {"name": "study_cnn", "pretrained": False, "width": 16, "dense_units": 48}
    settings = RunSettings.parse(resolve().model_dump() | {"encoder": former})
    assert settings.encoder.model_dump(exclude_none=True) == {"name": "study_cnn", "dense_units": 48}


def test_settings_survive_their_own_yaml() -> None:
    import yaml

    settings = resolve("simclr", epochs=3)
    assert RunSettings.parse(yaml.safe_load(settings.as_yaml())) == settings


@pytest.mark.parametrize("labeled", [20, 40, 124, 1235])
@pytest.mark.parametrize("method", ["supervised", "mixmatch", "joint"])
def test_all_methods_train_as_long_whatever_the_budget_and_in_few_epochs(labeled: int, method: str) -> None:
    settings = resolve(method, labeled=labeled, unlabeled=2000)
    # A view goes forward and back; where guesses are made an image goes forward once more, a third of that.
    costs = {"supervised": 1, "mixmatch": 1 + 1 / 3, "joint": 2}
    trained = costs[method] * settings.epochs * settings.steps(labeled, 2000) * settings.batch_size
    assert trained == pytest.approx(900_000, rel=0.05)
    assert 40 <= settings.epochs <= 110


@pytest.mark.parametrize("method", ["supervised", "mixmatch", "joint"])
@pytest.mark.parametrize("recipe", ["fewscan", "study"])
def test_as_many_training_images_as_are_asked_for_however_few(method: str, recipe: str) -> None:
    costs = {"supervised": 1, "mixmatch": 1 + 1 / 3, "joint": 2}
    for images in (60_000, 300_000):
        settings = resolve(method, recipe, training_images=images)
        trained = costs[method] * settings.epochs * settings.steps(988, 3000) * settings.batch_size
        # No run ends amid an epoch.
        assert images * 0.95 <= trained <= images * 1.05 + trained / settings.epochs
        assert settings.training_images == images
    assert resolve(method, recipe, training_images=1).epochs == 1


def test_how_long_to_train_is_said_once() -> None:
    assert resolve().training_images == 900_000
    assert resolve(epochs=3).training_images is None
    assert resolve(recipe="study").training_images is None
    with pytest.raises(FewscanError, match="epochs and training_images both"):
        resolve(epochs=3, training_images=1000)


@pytest.mark.parametrize(
    ("labeled", "unlabeled", "queue_size"),
    [(1235, 2716, 8192), (40, 3911, 8192), (40, 100_000, 8192), (320, 350, 2048), (8, 3, 64)],
)
def test_mixmatch_seeks_neighbors_among_the_images_of_one_pass(labeled: int, unlabeled: int, queue_size: int) -> None:
    settings = resolve("mixmatch", labeled=labeled, unlabeled=unlabeled)
    assert settings.method.model_dump()["queue_size"] == queue_size
    asked = resolve({"name": "mixmatch", "queue_size": 99}, labeled=labeled, unlabeled=unlabeled)
    assert asked.method.model_dump()["queue_size"] == 99


def test_mixmatch_takes_half_of_a_batch_from_the_labeled_and_half_from_all() -> None:
    assert resolve("mixmatch", labeled=1000, unlabeled=3000).labeled_share == pytest.approx(0.5 + 0.5 / 4)
    assert resolve("mixmatch", labeled=1000, unlabeled=0).labeled_share is None
    assert resolve("mixmatch", labeled=1000, labeled_share=0.3).labeled_share == 0.3


def test_passes_that_the_user_asks_for_stay_and_epochs_follow() -> None:
    few, many = resolve("supervised", labeled=40, passes=8), resolve("supervised", labeled=40, passes=160)
    assert (few.passes, many.passes) == (8, 160)
    assert few.epochs * few.steps(40, 0) == pytest.approx(many.epochs * many.steps(40, 0), rel=0.05)
    assert resolve("supervised", labeled=40, epochs=7).passes == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, r"unknown setting 'epoch': did you mean 'epochs'"),
        (
            {"method": {"name": "joint", "temprature": 1}},
            r"'method\.temprature': did you mean 'method\.temperature'",
        ),
        (
            {"optimizer": {"learningrate": 1}},
            r"'optimizer\.learningrate': did you mean 'optimizer\.learning_rate'",
        ),
        ({"views": {"field_probabilty": 0.3}}, r"did you mean 'views\.field_probability'"),
        ({"field_probability": 0.3}, r"did you mean 'views\.field_probability'"),
        ({"encoder": {"widht": 32}}, r"did you mean 'encoder\.width'"),
        ({"heads": {"projection_unit": [8]}}, r"did you mean 'heads\.projection_units'"),
        ({"encoder": "resnet_smal"}, r"unknown encoder 'resnet_smal': did you mean 'resnet_small'\?"),
        ({"encoder": "timm:"}, r"setting 'encoder\.name'.*did you mean 'timm:NAME'"),
        ({"encoder": {"pretrained": True}}, r"unknown setting 'encoder\.pretrained'"),
        ({"chunk_size": 1}, r"setting 'chunk_size'.*2"),
        ({"encoder": {"width": 8}}, r"setting 'encoder\.width'.*16"),
        ({"epochs": 0}, r"setting 'epochs'"),
        ({"epochs": "many"}, r"setting 'epochs'.*got 'many'"),
        ({"training_images": 0}, r"setting 'training_images'"),
        ({"training_images": "many"}, r"setting 'training_images'.*got 'many'"),
        ({"training_images": None}, r"setting 'epochs' is missing"),
        ({"batch_size": "large"}, r"setting 'batch_size'"),
        ({"seed": -1}, r"setting 'seed'"),
        ({"seed": 2**32}, r"setting 'seed'"),
        ({"heads": {"projection_units": []}}, r"setting 'heads\.projection_units'"),
        ({"heads": {"projection_units": [8, 0]}}, r"setting 'heads\.projection_units"),
        ({"heads": {"classifier_hidden_units": [-4]}}, r"setting 'heads\.classifier_hidden_units"),
        ({"method": {"name": "supervised", "label_smoothing": 2}}, r"setting 'method\.label_smoothing'"),
        ({"method": {"name": "joint", "label_smoothing": -1}}, r"setting 'method\.label_smoothing'"),
        ({"method": {"name": "joint", "contrastive_weight": -1}}, r"setting 'method\.contrastive_weight'"),
        ({"views": {"maximum_aspect": 0}}, r"setting 'views\.maximum_aspect'"),
        ({"views": {"minimum_crop": -3}}, r"setting 'views\.minimum_crop'"),
        ({"views": {"contrast": 1e39}}, r"setting 'views\.contrast'"),
        ({"views": {"name": "study", "flip_probability": 7}}, r"setting 'views\.flip_probability'"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FewscanError, match=message):
        resolve(**changes)


def test_unknown_methods_and_recipes_are_named_with_the_nearest() -> None:
    with pytest.raises(FewscanError, match="unknown method 'simclt': did you mean 'simclr'"):
        resolve("simclt")
    with pytest.raises(FewscanError, match="unknown recipe 'studi': did you mean 'study'"):
        resolve(recipe="studi")


@pytest.mark.parametrize("method", ["supervised", "mixmatch", "joint"])
def test_the_recipe_for_pretrained_weights_begins_with_some_and_any_encoder_may_stand_in(method: str) -> None:
    def finetuned(**changes: object) -> RunSettings:
        return RunSettings.resolve(method, "finetune", changes, labeled=100, unlabeled=50)

    assert (finetuned().encoder.name, finetuned().encoder.weights) == ("efficientnet_lite0", "imagenet")
    assert finetuned().optimizer.head_rate > 1
    other = finetuned(encoder={"name": "resnet_small", "weights": "runs/pile"})
    assert other.encoder.model_dump(exclude_none=True) == {"name": "resnet_small", "weights": "runs/pile", "width": 16}


def test_views_lose_details_where_good_weights_learn_from_labels_unless_others_are_asked_for() -> None:
    def views(method: str, **changes: object) -> dict[str, Any]:
        return RunSettings.resolve(method, "finetune", changes, labeled=100, unlabeled=50).views.model_dump()

    assert views("supervised")["detail_loss_probability"] > 0
    assert views("simclr")["detail_loss_probability"] == 0
    assert views("supervised", views={"detail_loss_probability": 0})["detail_loss_probability"] == 0
    assert "detail_loss_probability" not in views("supervised", views="study")
