"""The settings of a run, complete and checked."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import pydantic

from fewscan.config import ChosenSettings, Settings, merge
from fewscan.errors import FewscanError
from fewscan.learning.method import MethodSettings
from fewscan.learning.policies import AnyViewSettings, view_settings
from fewscan.learning.registry import REGISTRY, method_type
from fewscan.learning.views import ViewSettings
from fewscan.models.encoders import AnyEncoderSettings, encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.registry import parsed
from fewscan.seeds import LARGEST_SEED
from fewscan.training.lengths import cost, length_of, steps_per_epoch, used
from fewscan.training.positives import Positives
from fewscan.training.precision import fastest_precision
from fewscan.training.recipes import recipe_named
from fewscan.wording import counted


class OptimizerSettings(ChosenSettings):
    """Which optimizer, and its learning rate over time."""

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.02, ge=0)
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = pydantic.Field(default=5, ge=0)
    # For an encoder that begins with weights from somewhere. The heads, which begin with random ones, learn at so many times
    # the rate; each part of the encoder at so much of the rate of the part after it; and so long the heads learn alone.
    head_rate: float = pydantic.Field(default=1, gt=0)
    layer_decay: float = pydantic.Field(default=1, gt=0, le=1)
    frozen_epochs: float = pydantic.Field(default=0, ge=0)
    # So many of the encoder's first parts, or all that it has, keep the weights that they begin with.
    frozen_parts: int = pydantic.Field(default=0, ge=0)


class RunSettings(ChosenSettings):
    """Everything that decides what a run computes; written to `config.yaml`."""

    method: pydantic.SerializeAsAny[MethodSettings]
    encoder: AnyEncoderSettings = encoder_settings()
    heads: HeadSettings = HeadSettings()
    views: AnyViewSettings = view_settings()
    optimizer: OptimizerSettings = OptimizerSettings()
    # How long to train: so many images through the network, forward and back; counted so, all methods take about the same
    # time. Epochs follow from it, and passes where they are not given. None: `epochs` was given instead.
    training_images: int | None = pydantic.Field(default=None, ge=1)
    epochs: int = pydantic.Field(ge=1)
    passes: int = pydantic.Field(default=1, ge=1)  # over the images in an epoch
    # Images that are shuffled among each other, read in blocks of consecutive ones; None for all, where the memory holds them.
    shuffle_buffer: int | None = pydantic.Field(default=None, ge=2, le=10**12)
    batch_size: int = pydantic.Field(ge=2)  # images in a step, labeled and unlabeled together, before views
    # How much of a batch is labeled, for methods that learn from unlabeled images too; None: as the data are.
    labeled_share: float | None = pydantic.Field(default=None, gt=0, lt=1)
    # 0: classes come as they are labeled; 1: equally often; between: n ** (1 - class_balance) of a class with n labels.
    class_balance: float = pydantic.Field(default=0.0, ge=0, le=1)
    # Whether unlabeled copies of a labeled image, as the audit found them, are learned with its label in its stead by turns.
    copies_share_labels: bool = True
    # What the second view of an image may be of, for methods with two: the image itself, any of its copies, or of its group.
    positives: Positives = "views"
    # Images of a step that go through the network at once, with all their views; None for all. Less memory, the same losses.
    chunk_size: int | None = pydantic.Field(default=None, ge=2)
    checkpoint_seconds: float = pydantic.Field(default=10.0, ge=0)  # at most lost by a kill, beside the epoch under way
    averaging: float = pydantic.Field(default=0.995, ge=0, lt=1)  # decay of the averaged (EMA) weights; 0 for none
    probe_images: int = pydantic.Field(default=512, ge=0)  # labeled images of the nearest-neighbor probe; 0 for none
    seed: int = pydantic.Field(default=0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]  # of training; what predicts computes in float32
    allow_leakage: bool = False

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_steps(cls, values: Any) -> Any:
        """Refuse what only steps have to a method that solves: it is one step over all labels, and is written so."""
        method = values.get("method") if isinstance(values, Mapping) else None
        name = method.get("name") if isinstance(method, Mapping) else getattr(method, "name", None)
        if name is None or not method_type(str(name)).solves:
            return values
        given = sorted(OF_STEPS & values.keys())
        if given:
            raise FewscanError(f"{name} has no training steps, only features of its encoder: leave out {', '.join(given)}")
        return {**values, **_ONE_STEP, "heads": dict(method_type(str(name)).heads)}

    @pydantic.model_serializer(mode="wrap")
    def _written(self, written: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = written(self)
        return {key: value for key, value in values.items() if not (self.solved and key in OF_STEPS)}

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
        name alone: `{"encoder": "resnet_small"}`. Raises FewscanError naming an unknown recipe, method or setting, with the
        nearest valid one, and for `epochs` beside `training_images`.
        """
        if {"epochs", "training_images"} <= changes.keys():
            raise FewscanError("epochs and training_images both set how long to train: give only one of them")
        asked = {"name": method} if isinstance(method, str) else dict(method)
        kind = method_type(str(asked.get("name")))
        start = recipe_named(recipe)
        base = merge({"heads": {}}, start.settings(kind, labeled=labeled, unlabeled=unlabeled))
        base = merge(base, {"method": asked, "heads": kind.heads})
        if kind.solves:
            return cls.parse(cls.laid_over({key: value for key, value in base.items() if key not in OF_STEPS}, changes))
        wanted = cls.laid_over(base, changes)
        wanted = {"precision": fastest_precision(str(wanted.get("device", "auto")))} | wanted
        if "epochs" in changes:
            wanted["training_images"] = None
        if wanted.get("training_images") is None:
            return cls.parse(wanted)
        least = 1 if "training_images" in changes else start.minimum_epochs
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
        used_unlabeled = used(method_type(self.method.name), unlabeled)
        return steps_per_epoch(labeled, used_unlabeled, self.batch_size, self.labeled_share, self.passes)

    def images_trained(self, labeled: int, unlabeled: int) -> int:
        """Return how many images go through the network on a dataset of that size, counted as in `training_images`."""
        batches = self.epochs * self.steps(labeled, unlabeled)
        return round(batches * self.batch_size * cost(method_type(self.method.name)))

    def _with_length(self, labeled: int, unlabeled: int, minimum_epochs: int) -> Self:
        """Return the settings with the passes and epochs that `training_images` asks for."""
        assert self.training_images is not None
        length = length_of(
            self.training_images,
            method_type(self.method.name),
            labeled,
            unlabeled,
            batch_size=self.batch_size,
            labeled_share=self.labeled_share,
            passes=self.passes if "passes" in self.model_fields_set else None,
            minimum_epochs=minimum_epochs,
        )
        return self.model_copy(update=length._asdict())

    @property
    def solved(self) -> bool:
        """Whether the classifier is solved for at once, on features of an encoder that stays as it is."""
        return method_type(self.method.name).solves

    @property
    def trained_views(self) -> ViewSettings | None:
        """The views that its steps show; None where there are no steps."""
        return None if self.solved else self.views

    @property
    def course(self) -> str:
        """How the network comes about, as a part of a sentence."""
        if self.solved:
            return f"fitted in one step to features of the frozen encoder, seed {self.seed}"
        return (
            f"{counted(self.epochs, 'epoch')}, {self.batch_size} images a step, {self.optimizer.name} with learning rate "
            f"{self.optimizer.learning_rate} ({self.optimizer.schedule}), views {self.views.name}, seed {self.seed}, "
            f"{self.precision}"
        )

    @property
    def final_weights(self) -> str:
        """Which weights a run ends with, as a part of a sentence."""
        return "the solution" if self.solved else f"the last epoch's {'averaged ' if self.averaging else ''}weights"

    def schedule(self, labeled: int, unlabeled: int) -> str:
        """Return in a line what will be computed on a dataset of that size."""
        parts = [f"{labeled:,} labeled"] if labeled else []
        if method_type(self.method.name).uses_unlabeled:
            parts.append(f"{unlabeled:,} unlabeled")
        seen = " and ".join(parts)
        if self.solved:
            return f"{self.method.name}, {self.encoder.name}: fitted in one step to features of {seen} images"
        steps = self.steps(labeled, unlabeled)
        return (
            f"{self.method.name}, {self.encoder.name}, {self.precision}: "
            f"{counted(self.epochs, 'epoch')} of {counted(steps, 'step')}, {self.batch_size} images a step, from {seen} images"
        )


# What a method has no use for that solves for the classifier at once.
OF_STEPS = frozenset(RunSettings.model_fields) - {
    *("method", "encoder", "class_balance", "copies_share_labels", "seed", "device", "allow_leakage")
}
_ONE_STEP = {"epochs": 1, "batch_size": 2, "precision": "32-true"}

# The groups whose settings depend on their name.
_SETTINGS_BY_NAME = {"method", "encoder", "views"}


def _name(group: Any) -> Any:
    return group.get("name") if isinstance(group, Mapping) else None


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)
