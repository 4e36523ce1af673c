"""A training in two steps: an encoder learns from all scans without labels, in a run of its own; then a run begins with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fewscan.config import merge
from fewscan.datasets.learnable import without_labels, without_test_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import kind_of
from fewscan.learning.registry import method_type
from fewscan.models.encoders import encoder_type
from fewscan.progress import kept_if_stopped, say
from fewscan.training.choice import WITHOUT_LABELS
from fewscan.training.continuing import require_same_dataset, with_encoder_of_run
from fewscan.training.devices import Devices
from fewscan.training.finetune_recipe import FinetuneRecipe
from fewscan.training.images import usable_device
from fewscan.training.run import Run
from fewscan.training.settings import OF_STEPS, RunSettings
from fewscan.training.train import ONE_DEVICE, refuse_other_settings, train_new, train_on
from fewscan.wording import counted

# What is asked of the run that learns from labels and holds for this one, too: it learns as long where a length is given.
LENGTH = ("epochs", "training_images")
SHARED = ("chunk_size", "device", "encoder", "positives", "precision", "seed", "views", *LENGTH)
# Of an encoder that stays as it is afterwards, and whose features alone tell scans apart: how many images it learns from, and
# at what size it sees larger ones. That takes two minutes of a GPU; without one less has to do: docs/search.md, 23 and 24.
OF_FEATURES, OF_FEATURES_PX = 240_000, 160
OF_FEATURES_ON_CPU, OF_FEATURES_PX_ON_CPU = 80_000, 96
# On a CPU a step of the recipe `finetune` goes through the network in parts: whole ones took 19 GB at 128 px, so 6 GB at 160.
CPU_CHUNK = 64


class Lesson(NamedTuple):
    """What the run without labels is to learn by: method, recipe, what is laid over it, and what of that the user asks for."""

    method: str
    recipe: str
    settings: dict[str, Any]
    asked: Mapping[str, Any]


def first_folder(out: Path) -> Path:
    """Return where the run without labels lies, of one that is to lie at `out`."""
    return out.with_name(f"{out.name}-first")


def divided(method: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return which of the settings that a user gives are for the run without labels, and which for the one after it.

    method: of the one after it, which may have no second view, or no steps: then what is about these is for the first.
    """
    kind = method_type(method)
    first_alone = set() if kind.two_views else {"positives"} | (OF_STEPS if kind.solves else set())
    # All methods that are trained give the first run the same settings: what it learns, any of them can begin with.
    first = {name: value for name, value in settings.items() if name in SHARED or name in first_alone}
    return first, {name: value for name, value in settings.items() if name not in first_alone}


def lesson_for(
    dataset: Snapshot, recipe: str, asked: Mapping[str, Any], second: RunSettings, method: str = WITHOUT_LABELS
) -> Lesson:
    """Return what the run without labels is to learn by.

    recipe, second: of the run that is to begin with it. asked: what the user asks of the run without labels. method: its own.
    """
    recipe = FinetuneRecipe.name if second.solved else recipe
    cpu = usable_device(second.device).type == "cpu"
    settings = _for_a_cpu(recipe, second) if cpu else {}
    if second.solved:
        images, size_px = (OF_FEATURES_ON_CPU, OF_FEATURES_PX_ON_CPU) if cpu else (OF_FEATURES, OF_FEATURES_PX)
        settings["encoder"] = second.encoder.model_dump(mode="json")
        if dataset.spec.size_px > size_px and second.encoder.input_px is None:
            settings["encoder"]["input_px"] = size_px
        if "epochs" not in asked:
            settings["training_images"] = images
        if dataset.description.audit is not None:
            settings["positives"] = "groups"
    return Lesson(method, recipe, merge(settings, asked), asked)


def _for_a_cpu(recipe: str, second: RunSettings) -> dict[str, Any]:
    """Return what a CPU asks for, so that a step takes less time and memory."""
    general = encoder_type(second.encoder.name).general_parts if second.encoder.weights is not None else 0
    frozen: dict[str, Any] = {"optimizer": {"frozen_parts": general}} if second.solved and general else {}
    # Of what does not learn nothing is kept for the way back, so a whole step of small images fits the memory.
    if frozen and (second.encoder.input_px or 0) <= OF_FEATURES_PX_ON_CPU:
        return frozen
    return frozen | ({"chunk_size": CPU_CHUNK} if recipe == FinetuneRecipe.name else {})


def beginning_with(first: Path, changes: Mapping[str, Any], second: RunSettings) -> dict[str, Any]:
    """Return `changes` of a run's recipe with the encoder of the finished run without labels in the folder `first`.

    second: the settings that the run would have without it.
    """
    begun: dict[str, Any] = {"weights": str(first)}
    if second.solved:
        begun["input_px"] = second.encoder.input_px  # features may be of larger images than those that it learned from
    return with_encoder_of_run(merge(changes, {"encoder": begun}))


def taught_first(
    dataset: Snapshot, folder: Path, lesson: Lesson, notes: Sequence[str] = (), devices: Devices = ONE_DEVICE
) -> Run:
    """Return the run `folder`, which has learned without labels from all of `dataset` but the test set and its groups.

    One that an earlier call has made there is taken, and trained to its end where it was interrupted. Such a one must have what
    of the lesson was asked for. notes: lines that are said before it is trained.
    Raises FewscanError where no label waits for it, and where another run lies there.
    """
    if not len(dataset.rows("labeled")):
        raise FewscanError(f"{dataset.folder} has no labels for the training that follows: leave out --unlabeled-first")
    kept = f"what was learned without labels is kept in {folder}"
    with kept_if_stopped(lambda: kept if kind_of(folder) == "run" else None):
        if folder.exists():
            return _there(folder, dataset, lesson, devices)
        return _taught(folder, dataset, lesson, notes, devices)


def _taught(folder: Path, dataset: Snapshot, lesson: Lesson, notes: Sequence[str], devices: Devices) -> Run:
    left, line = without_test_groups(dataset) if len(dataset.rows("test")) else (dataset, "")
    unlabeled = without_labels(left)
    images = len(unlabeled.rows("unlabeled"))
    resolved = RunSettings.resolve(lesson.method, lesson.recipe, lesson.settings, labeled=0, unlabeled=images)
    first = f"first the encoder learns from {counted(images, 'scan')} without labels, in {folder}: "
    lines = [*notes, *([line] if line else []), first + resolved.schedule(labeled=0, unlabeled=images)]
    run = train_new(unlabeled, resolved, folder, recipe=lesson.recipe, notes=lines, candidate=False, devices=devices)
    say(f"the encoder is pretrained without labels ({folder}); training on the labels starts now")
    return run


def _there(folder: Path, dataset: Snapshot, lesson: Lesson, devices: Devices) -> Run:
    other = "remove it, or choose another --out"
    if kind_of(folder) != "run":
        raise FewscanError(f"the run without labels belongs in {folder}, but something else is there: {other}")
    run = Run.open(folder)
    require_same_dataset(run, dataset)
    learned = run.open_dataset(dataset.folder)
    if learned.classes:
        raise FewscanError(f"the run without labels belongs in {folder}, but a run trained with labels is there: {other}")
    tested = np.isin(dataset.groups[learned.rows("unlabeled")], dataset.groups[dataset.rows("test")])
    if tested.any():
        raise FewscanError(
            f"{folder} has learned from {counted(int(tested.sum()), 'scan')} in or belonging to this split's test set, because "
            f"the split was drawn again: {other}"
        )
    # Who trains from a finished one anew may want less of the rest alone.
    same = {name: value for name, value in lesson.asked.items() if not (run.finished and name in LENGTH)}
    refuse_other_settings(run, lesson.method, lesson.recipe, same)
    say(f"the encoder of {folder} is already pretrained" if run.finished else f"continuing {folder}, without labels")
    return train_on(run, learned, candidate=False, devices=devices)
