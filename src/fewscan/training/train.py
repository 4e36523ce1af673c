"""From a split dataset and settings to a finished run, in one go or in several."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fewscan.atomic import writing
from fewscan.auditing.leaks import regrouped_sentence
from fewscan.config import leaves
from fewscan.datasets.candidates import note_candidate
from fewscan.datasets.records import require_notable
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.trainings import note_training
from fewscan.errors import FewscanError, Reasons
from fewscan.folders import refuse_existing_run
from fewscan.learning.registry import method_type
from fewscan.locks import alone
from fewscan.memory import enough
from fewscan.models.encoders import encoder_type
from fewscan.models.network import Network
from fewscan.progress import say
from fewscan.training.beginning import Beginning, begun_with
from fewscan.training.checkpoint import has_checkpoint
from fewscan.training.continuing import encoder_alone, taught_by
from fewscan.training.devices import Devices, require_shareable
from fewscan.training.leakage import check_leakage
from fewscan.training.plugins import modules_to_import
from fewscan.training.positives import require_positives
from fewscan.training.recipes import DEFAULT_RECIPE
from fewscan.training.run import Run
from fewscan.training.seen import seen_among, seen_sentence
from fewscan.training.settings import RunSettings
from fewscan.training.shuffling import buffer_for_memory, shuffling_sentence
from fewscan.training.solve import solve

ONE_DEVICE = Devices()


def train_new(
    dataset: Snapshot,
    settings: RunSettings,
    folder: Path,
    *,
    recipe: str | None = None,
    notes: Sequence[str] = (),
    candidate: bool = True,
    beginning: Beginning | None = None,
    devices: Devices = ONE_DEVICE,
) -> Run:
    """Make the run `folder`, train it to its end and return it.

    recipe: whose settings these are, for the record. notes: lines about the run for the person who waits, said once it is sure
    that training can begin. candidate: whether the run is one that somebody may choose by what it says of the validation set;
    once it is finished, the dataset's record names it. beginning: the weights that it begins with; None for what
    `settings.encoder` names. devices: what it trains on; it is the same run on any.
    Raises FewscanError where `folder` exists, where the split leaks and may not, where the encoder or its weights cannot be
    had or do not fit, and where a loss stops being finite.
    """
    _require_trainable(dataset, settings, folder, devices)
    # An encoder or weights that cannot be had leave no run behind.
    if settings.shuffle_buffer is None and not settings.solved and (buffer := buffer_for_memory(dataset)) is not None:
        settings = settings.model_copy(update={"shuffle_buffer": buffer})
        notes = (*notes, shuffling_sentence(dataset.description.images, buffer))
    beginning = beginning or encoder_alone(settings.encoder, dataset.spec)
    if beginning is None and settings.solved:
        known = [f"encoder.weights={weights.name}" for weights in encoder_type(settings.encoder.name).known_weights]
        raise FewscanError(
            f"{settings.method.name} does not train its encoder, and {settings.encoder.name} would start from random "
            f"weights: add {' or '.join([*known, 'encoder.weights=RUN'])}, or leave out encoder= to use ImageNet's"
        )
    if beginning is not None and beginning.record.origin.run is not None:
        teacher = Run.open(beginning.record.origin.run)
        # One that solves leaves the encoder as it is, and finds its classifier anew, whatever it begins with.
        dataset = taught_by(teacher, dataset, encoder_alone=beginning.record.classes is None or settings.solved)
    leaking_pairs = check_leakage(dataset, settings)
    if beginning is not None:
        begun_with(
            Network.of(dataset.spec, len(dataset.classes), settings.encoder.untrained, settings.heads),
            beginning,
            dataset.classes,
        )
    with writing(folder):
        run = Run.create(folder, settings, dataset, leaking_pairs, recipe, beginning)
        if candidate:
            _note_begun(run, dataset)
        tested = dataset.rows("test")
        seen = seen_among(dataset, tested)
        regrouped = regrouped_sentence(dataset)
        for note in (*notes, *([regrouped] if regrouped else []), *([seen_sentence(seen, len(tested))] if seen else [])):
            say(note)
        with alone(folder, "train"):
            _fit(run, dataset, devices, resume=False)
            _note_finished(run, dataset, candidate=candidate)
    return run


def _require_trainable(dataset: Snapshot, settings: RunSettings, folder: Path, devices: Devices) -> None:
    """Raise FewscanError, with all reasons, for what keeps a training from beginning, whatever weights it is to begin with."""
    with Reasons(f"{folder} cannot be trained") as reasons:
        with reasons.noted():
            refuse_existing_run(folder)
        with reasons.noted():
            require_shareable(devices, settings, dataset)
        with reasons.noted():
            require_positives(dataset, method_type(settings.method.name), settings.positives)
        with reasons.noted():
            check_leakage(dataset, settings)


def _note_begun(run: Run, dataset: Snapshot) -> None:
    """Write down in the dataset that it is trained on; where that cannot be done, no run is left to go on without it."""
    try:
        note_training(dataset, run.identity)
    except FewscanError:
        shutil.rmtree(run.folder)
        raise


def _note_finished(run: Run, dataset: Snapshot, *, candidate: bool) -> None:
    """Write down in the dataset that a run may be chosen by its validation set, now that it can be: it is finished."""
    if candidate and len(dataset.rows("validation")):
        note_candidate(dataset, run.identity)


def refuse_other_settings(
    run: Run, method: str | Mapping[str, Any] | None, recipe: str | None, changes: Mapping[str, Any]
) -> None:
    """Raise FewscanError naming what is asked of a run that goes on and is not what it was begun with.

    method: its name, or a mapping of its settings, with its `name` or without; None, as of `recipe`, for whatever the run has.
    """
    begun = run.settings.model_dump(mode="json")
    asked = RunSettings.by_name({**changes, **({} if method is None else {"method": method})})
    others = []
    if recipe not in (None, run.record.recipe):
        others.append(f"--recipe {recipe} (it has {run.record.recipe or 'no known recipe'})")
    name = leaves(asked).get("method.name", run.settings.method.name)
    if name != run.settings.method.name:
        others.append(f"--method {name} (it has {run.settings.method.name})")
    else:
        resolved = leaves(RunSettings.parse(RunSettings.laid_over(begun, asked)).model_dump(mode="json"))
        had = leaves(begun)
        others += [f"{key}={resolved[key]} (it has {had.get(key)})" for key in leaves(asked) if resolved[key] != had.get(key)]
    if others:
        raise FewscanError(
            f"{run.folder} keeps its settings: leave out {', '.join(others)}, or start a new run with another --out"
        )


def train_on(run: Run, dataset: Snapshot, *, candidate: bool = True, devices: Devices = ONE_DEVICE) -> Run:
    """Train an interrupted run to its end, with the settings that it began with, and return it.

    A run that is finished is left alone, but for its note in the dataset, which a kill may have left out; one that was
    interrupted before its first checkpoint begins anew.
    Raises FewscanError where another process trains it.
    """
    if not run.finished:
        if candidate:
            require_notable(dataset.folder)
        require_shareable(devices, run.settings, dataset)
        with writing(run.folder), alone(run.folder, "train"):
            _fit(run, dataset, devices, resume=True)
    _note_finished(run, dataset, candidate=candidate)
    return run


def _fit(run: Run, dataset: Snapshot, devices: Devices, *, resume: bool) -> None:
    """Train the run to its end, or solve for it; raises FewscanError, naming what helps, where the memory does not suffice."""
    if run.settings.solved:
        solve(run, dataset)
        return
    # Only now, since Fabric takes a second to load, and what is solved for is there in two.
    from fewscan.training.fit import fit

    at_once = run.settings.chunk_size or run.settings.batch_size
    advice = (
        f"start a new run with chunk_size={max(2, at_once // 4)}, a quarter of the images that went through the network at once"
    )
    with enough(f"{advice}, or with a smaller batch_size"):
        if devices.count == 1:
            fit(run, dataset, resume=resume)
        else:
            from fewscan.training.together import Job, train_together

            modules = frozenset(modules_to_import(run.settings, run.record.recipe or DEFAULT_RECIPE))
            train_together(Job(run.folder, dataset.folder, resume and has_checkpoint(run), modules), devices)
