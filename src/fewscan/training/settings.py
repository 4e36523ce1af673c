"""The settings of a run, complete and checked, and the two recipes that they start from."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import pydantic

from fewscan.config import Settings, merge, nearest
from fewscan.errors import FewscanError
from fewscan.learning.method import Method, MethodSettings
from fewscan.learning.registry import REGISTRY, method_type
from fewscan.learning.views import ViewSettings
from fewscan.models.encoders import AnyEncoderSettings, encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.registry import parsed
from fewscan.training.batches import images_per_pass, steps_per_epoch
from fewscan.training.precision import fastest_precision
from fewscan.wording import counted


class OptimizerSettings(Settings):
    """Which optimizer, and its learning rate over time."""

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.02, ge=0)
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = pydantic.Field(default=5, ge=0)


class RunSettings(Settings):
    """Everything that decides what a run computes; written to `config.yaml`."""

    method: pydantic.SerializeAsAny[MethodSettings]
    encoder: AnyEncoderSettings = encoder_settings()
    heads: HeadSettings = HeadSettings()
    views: ViewSettings = ViewSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    # How long to train: so many images through the network, forward and back; counted so, all methods take about the same
    # time. Epochs follow from it, and passes where they are not given. None: `epochs` was given instead.
    training_images: int | None = pydantic.Field(default=None, ge=1)
    epochs: int = pydantic.Field(ge=1)
    passes: int = pydantic.Field(default=1, ge=1)  # over the images in an epoch
    batch_size: int = pydantic.Field(ge=2)  # images in a step, labeled and unlabeled together, before views
    # How much of a batch is labeled, for methods that learn from unlabeled images too; None: as the data are.
    labeled_share: float | None = pydantic.Field(default=None, gt=0, lt=1)
    # 0: classes come as they are labeled; 1: equally often; between: n ** (1 - class_balance) of a class with n labels.
    class_balance: float = pydantic.Field(default=0.0, ge=0, le=1)
    # Whether unlabeled copies of a labeled image, as the audit found them, are learned with its label in its stead by turns.
    copies_share_labels: bool = True
    # Images of a step that go through the network at once, with all their views; None for all. Less memory, the same losses.
    chunk_size: int | None = pydantic.Field(default=None, ge=2)
    checkpoint_seconds: float = pydantic.Field(default=10.0, ge=0)  # at most lost by a kill, beside the epoch under way
    averaging: float = pydantic.Field(default=0.995, ge=0, lt=1)  # decay of the averaged (EMA) weights; 0 for none
    probe_images: int = pydantic.Field(default=512, ge=0)  # labeled images of the nearest-neighbor probe; 0 for none
    seed: int = pydantic.Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]  # of training; what predicts computes in float32
    allow_leakage: bool = False

    @pydantic.field_validator("method", mode="before")
    @classmethod
    def _method(cls, value: Any) -> Any:
        return parsed(REGISTRY, value, "method")

    @classmethod
    def resolve(
        cls, method: str | Mapping[str, Any], recipe: str, changes: Mapping[str, Any], *, labeled: int, unlabeled: int
    ) -> Self:
        """Return the settings that `recipe` gives `method` on a dataset of that size, with the user's `changes` laid over them.

        `method` is a name, or a mapping that holds the `name` and settings of the method. `changes` may name a group by its
        name alone: `{"encoder": "study_cnn"}`. Raises FewscanError naming an unknown recipe, method or setting, with the
        nearest valid one, and for `epochs` beside `training_images`.
        """
        if {"epochs", "training_images"} <= changes.keys():
            raise FewscanError("epochs and training_images both say how long to train: give one of them")
        asked = {"name": method} if isinstance(method, str) else dict(method)
        kind = method_type(str(asked.get("name")))
        precision = fastest_precision(str(changes.get("device", "auto")))
        base = merge({"heads": {}, "precision": precision}, _recipe(recipe, kind, labeled, unlabeled))
        base = merge(base, {"method": asked, "heads": kind.heads})
        wanted = cls.laid_over(base, changes)
        if "epochs" in changes:
            wanted["training_images"] = None
        if wanted.get("training_images") is None:
            return cls.parse(wanted)
        least = 1 if "training_images" in changes else MINIMUM_EPOCHS
        return cls.parse({**wanted, "epochs": least})._with_length(labeled, unlabeled, least)

    @classmethod
    def by_name(cls, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return `changes` with each group that is named by its name alone as the group that it is."""
        groups = {name for name, field in cls.model_fields.items() if _is_group(field.annotation)}
        return {key: {"name": value} if key in groups and isinstance(value, str) else value for key, value in changes.items()}

    @classmethod
    def laid_over(cls, base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return `base` with `changes` laid over it; of an encoder, say, that is replaced by another no setting stays."""
        named = cls.by_name(changes)
        kept = {
            key: value
            for key, value in base.items()
            if key not in _SETTINGS_BY_NAME or _name(named.get(key)) in (None, _name(value))
        }
        return merge(kept, named)

    def steps(self, labeled: int, unlabeled: int) -> int:
        """Return how many steps an epoch has on a dataset of that size."""
        return steps_per_epoch(labeled, self._used(unlabeled), self.batch_size, self.labeled_share, self.passes)

    def images_trained(self, labeled: int, unlabeled: int) -> int:
        """Return how many images go through the network on a dataset of that size, counted as in `training_images`."""
        batches = self.epochs * self.steps(labeled, unlabeled)
        return round(batches * self.batch_size * _cost(method_type(self.method.name)))

    def _used(self, unlabeled: int) -> int:
        """Return how many of the unlabeled images the method learns from: all or none."""
        return unlabeled if method_type(self.method.name).uses_unlabeled else 0

    def _with_length(self, labeled: int, unlabeled: int, minimum_epochs: int) -> Self:
        """Return the settings with the passes and epochs that `training_images` asks for."""
        assert self.training_images is not None
        kind = method_type(self.method.name)
        used = self._used(unlabeled)
        images = self.training_images / _cost(kind)
        passes = math.ceil(images / images_per_pass(labeled, used, self.batch_size, self.labeled_share) / USUAL_EPOCHS)
        longer = self if "passes" in self.model_fields_set else self.model_copy(update={"passes": passes})
        epochs = math.ceil(images / (longer.batch_size * longer.steps(labeled, unlabeled)))
        return longer.model_copy(update={"epochs": max(minimum_epochs, epochs)})

    def schedule(self, labeled: int, unlabeled: int) -> str:
        """Return in a line what will be computed on a dataset of that size."""
        steps = self.steps(labeled, unlabeled)
        seen = f"{labeled:,} labeled"
        if method_type(self.method.name).uses_unlabeled:
            seen += f" and {unlabeled:,} unlabeled"
        return (
            f"{self.method.name}, {self.encoder.name}, {self.precision}: "
            f"{counted(self.epochs, 'epoch')} of {counted(steps, 'step')}, {self.batch_size} images a step, of {seen} ones"
        )


# The groups whose settings depend on their name.
_SETTINGS_BY_NAME = {"method", "encoder"}

RECIPES: dict[str, str] = {
    "fewscan": "resnet_small, views 'scan', AdamW with warm-up and cosine, averaged weights, classes drawn equally often",
    "study": "the study's own: study_cnn, views 'study', Adam, temperature 0.1, 100 epochs",
}

DEFAULT_RECIPE = "fewscan"

# What the recipe 'fewscan' trains at least, however few the labels or many the images.
TRAINING_IMAGES = 900_000
MINIMUM_EPOCHS = 40
# Of few images an epoch makes several passes, so that what is done once an epoch (probe, checkpoint, log) takes little time.
USUAL_EPOCHS = 100

# Where neighbors are sought: among the images of one pass, so that of an unlabeled one there is about one look. Were there
# more, its nearest neighbors would be its own earlier looks. Of many images not all need be there.
LEAST_QUEUE = 64
LARGEST_QUEUE = 8192


def _recipe(name: str, method: type[Method], labeled: int, unlabeled: int) -> dict[str, Any]:
    if name == "fewscan":
        shared = {"class_balance": 1.0, "training_images": TRAINING_IMAGES}
        if method.guesses:
            # Half of a batch is drawn from the labeled images, the other half from all.
            share = (1 + labeled / (labeled + unlabeled)) / 2 if unlabeled else None
            batch_size = 96
            # A method that guesses need not seek neighbors.
            has_queue = "queue_size" in method.settings_type.model_fields
            queue = {"queue_size": _queue_size(images_per_pass(labeled, unlabeled, batch_size, share))} if has_queue else {}
            return {
                **shared,
                "method": queue,
                "batch_size": batch_size,
                "labeled_share": share,
                "optimizer": {"learning_rate": 3e-3},
            }
        return {**shared, "batch_size": 256 if method.two_views else 64}
    if name == "study":
        return {
            "encoder": {"name": "study_cnn"},
            "heads": {
                "projection_units": (256, 128, 64),
                "projection_last_relu": True,
                "classifier_input": "projection",
                "classifier_hidden_units": (256, 128),
            },
            "views": {"name": "study"},
            "optimizer": {
                "name": "adam",
                "learning_rate": 1e-3,
                "weight_decay": 0.0,
                "schedule": "constant",
                "warmup_epochs": 0,
            },
            "copies_share_labels": False,
            "averaging": 0.0,
            "epochs": 100,
            "batch_size": 512 if method.two_views else 64,
        }
    raise FewscanError(f"unknown recipe '{name}': {nearest(name, RECIPES)}")


def _queue_size(images: float) -> int:
    """Return the power of two from LEAST_QUEUE to LARGEST_QUEUE that holds a pass of so many images, or comes nearest to it."""
    return int(min(max(LEAST_QUEUE, 2 ** math.ceil(math.log2(images))), LARGEST_QUEUE))


def _cost(method: type[Method]) -> float:
    """Return what an image of a batch costs, in forward and backward passes of one view; a forward pass alone is a third."""
    return (2.0 if method.two_views else 1.0) + (1 / 3 if method.guesses else 0.0)


def _name(group: Any) -> Any:
    return group.get("name") if isinstance(group, Mapping) else None


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)
