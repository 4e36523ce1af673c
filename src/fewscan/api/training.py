"""The verb that makes a run: train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import folder_of, opened_dataset, opened_run, opened_snapshot
from fewscan.errors import FewscanError, Reasons
from fewscan.folders import default_run, refuse_existing_run
from fewscan.locks import alone

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.evaluation.trained import TrainedRun
    from fewscan.training.beginning import Beginning
    from fewscan.training.choice import Choice
    from fewscan.training.devices import Devices
    from fewscan.training.run import Run


def train(
    dataset: str | Path | Dataset | Snapshot,
    *,
    out: str | Path | None = None,
    method: str | Mapping[str, Any] | None = None,
    recipe: str | None = None,
    split: str | None = None,
    begin: str | Path | Run | None = None,
    leave_out_test: bool = False,
    unlabeled_first: bool | None = None,
    resume: bool = False,
    devices: int | None = None,
    nodes: int | None = None,
    **settings: Any,
) -> TrainedRun:
    """Train a classifier, or an encoder without labels, on a dataset; return the run in `out`, by default `runs/DATASET`.

    method: a name, or a mapping with the `name` and settings of the method. By default recipe, method and size are chosen from
    the data, the length of training and the machine; standard error says which, and why. recipe: `fewscan` if only a method is
    named. settings: these replace the recipe's: `train("mri", out="runs/a", epochs=20, optimizer={"learning_rate": 1e-3})`.
    split: one of the dataset's, by default the newest. resume: continue an interrupted run with the settings that it began
    with; other arguments must agree. begin: a finished run on the same dataset; the new run starts with its weights, method and
    network. leave_out_test: learn from nothing that belongs to the test set. unlabeled_first: the encoder first learns, without
    labels, from all scans except the test set's, in a run of its own, OUT-first; by default with a GPU, if ImageNet weights are
    chosen and there are 1,000 unlabeled scans or more, and more than labeled ones. If the second run only fits a classifier,
    settings of training steps are for the first. devices, nodes: so many on each of so many machines train one run.

    If nothing is labeled, or no split says which labels count, a method that needs none learns from all scans; it looks at no
    label, and the run knows no classes. A large enough validation set calibrates the run at the end; see `calibrate`.

    Raises FewscanError if the split leaks (unless its protocol is `random` or `study`, or `allow_leakage=True`), if a setting
    is unknown, if a method lacks labels, if a loss stops being finite, and if several devices cannot do what one would.
    """
    from fewscan.training.continuing import with_encoder_of_run
    from fewscan.training.devices import Devices, cpu_lines
    from fewscan.training.settings import RunSettings
    from fewscan.training.train import train_new
    from fewscan.training.unlabeled import learned_from

    used = Devices.asked(devices, nodes)
    if used.follows:
        return _followed(used)
    folder = default_run(folder_of(dataset)) if out is None else Path(out)
    if resume:
        asked = {"split": split, "begin": begin, "leave_out_test": leave_out_test, "unlabeled_first": unlabeled_first}
        return _resumed(folder, dataset, used, {"method": method, "recipe": recipe, "changes": settings}, asked)
    opened = opened_snapshot(dataset, split, noted=True)
    settings, beginning = with_encoder_of_run(RunSettings.by_name(settings)), None
    if begin is not None:
        recipe, method, settings, beginning = _as_begun(begin, opened, recipe, method, settings)
    opened, what = learned_from(opened, method, leave_out_test=leave_out_test)
    sizes = {part: len(opened.rows(part)) for part in ("labeled", "unlabeled")}
    first = unlabeled_first if used.started is None else bool(unlabeled_first)  # whoever started it has started one run
    choice = _chosen(opened, sizes, recipe, method, settings, first)
    choice = _begun_without_labels(opened, folder, choice, sizes, used, begin)
    resolved = RunSettings.resolve(choice.method, choice.recipe, choice.changes, **sizes)
    length = (resolved.schedule(**sizes), *cpu_lines(used, resolved, opened.spec))
    notes = (*_notes(opened, folder), *what, *choice.reasons, *length)
    run = train_new(opened, resolved, folder, recipe=choice.recipe, notes=notes, beginning=beginning, devices=used)
    return _calibrated(run, opened)


def _as_begun(
    begin: str | Path | Run,
    dataset: Snapshot,
    recipe: str | None,
    method: str | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> tuple[str | None, str | Mapping[str, Any] | None, dict[str, Any], Beginning]:
    """Return recipe, method, settings and weights of a run that begins with the run `begin`."""
    from fewscan.training.continuing import require_same_dataset, settings_of, whole_network

    run = opened_run(begin)
    with Reasons(f"nothing can start from {run.folder}") as reasons:
        with reasons.noted():
            require_same_dataset(run, dataset)
        with reasons.noted():
            method, settings = settings_of(run, method, settings)
    return recipe or run.record.recipe, method, settings, whole_network(run)


def _chosen(
    dataset: Snapshot,
    sizes: Mapping[str, int],
    recipe: str | None,
    method: str | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    unlabeled_first: bool | None,
) -> Choice:
    """Return what is trained, with all settings that are laid over the recipe's: chosen where the user names no method."""
    from fewscan.config import merge
    from fewscan.splits.units import Units
    from fewscan.training.choice import Choice, choose
    from fewscan.training.recipes import DEFAULT_RECIPE

    if method is not None:
        return Choice(recipe or DEFAULT_RECIPE, method, dict(settings), (), bool(unlabeled_first))
    asked: dict[str, Any] = {"recipe": recipe, "changes": settings, "unlabeled_first": unlabeled_first}
    choice = choose(sizes["labeled"], sizes["unlabeled"], dataset.spec.size_px, units=Units.of(dataset), **asked)
    return replace(choice, changes=merge(choice.changes, settings))


def _begun_without_labels(
    dataset: Snapshot,
    out: Path,
    choice: Choice,
    sizes: Mapping[str, int],
    devices: Devices,
    begin: str | Path | Run | None,
) -> Choice:
    """If so chosen, let an encoder learn without labels, saying why; return the choice of a run that begins with it."""
    if not choice.unlabeled_first:
        return choice
    from fewscan.training.devices import require_shareable
    from fewscan.training.leakage import check_leakage
    from fewscan.training.settings import RunSettings
    from fewscan.training.unlabeled_first import beginning_with, divided, first_folder, lesson_for, taught_first

    if begin is not None:
        raise FewscanError(f"--from {begin} starts with that run's network: leave out --unlabeled-first")
    if devices.started is not None:
        raise FewscanError(
            "--unlabeled-first trains two runs, but torchrun or Slurm has started the processes of one: give --devices "
            "instead, or start from a finished run without labels, encoder.weights=RUN"
        )
    refuse_existing_run(out)
    asked, changes = divided(choice.method_name, choice.changes)
    # What is wrong with the second run is said before the first one.
    second = RunSettings.resolve(choice.method, choice.recipe, changes, **sizes)
    require_shareable(devices, second, dataset)
    check_leakage(dataset, second)
    lesson = lesson_for(dataset, choice.recipe, asked, second)
    run = taught_first(dataset, first_folder(out), lesson, choice.reasons, devices)
    return replace(choice, changes=beginning_with(run.folder, changes, second), reasons=())


def _notes(dataset: Snapshot, out: Path) -> list[str]:
    """Return what classes and labels give to say before a training into the folder `out`."""
    from fewscan.datasets.trainings import news
    from fewscan.evaluation.few_to_score import few_warnings
    from fewscan.splits.acceptance import acceptance_warnings
    from fewscan.splits.class_gaps import gap_warnings

    fresh = news(opened_dataset(dataset), dataset) if dataset.classes else None
    warnings = gap_warnings(dataset)
    if dataset.classes:
        warnings += [*few_warnings(dataset), *acceptance_warnings(dataset, out)]
    return [*(f"warning: {warning}" for warning in warnings), *([fresh] if fresh else [])]


def _followed(devices: Devices) -> TrainedRun:
    """Take part in a training that another process prepares, and return its run."""
    from fewscan.evaluation.trained import TrainedRun
    from fewscan.training.together import train_together

    return TrainedRun.open(train_together(None, devices))


def _resumed(
    folder: Path,
    dataset: str | Path | Dataset | Snapshot,
    devices: Devices,
    given: dict[str, Any],
    asked: Mapping[str, Any],
) -> TrainedRun:
    """Train an interrupted run to its end and return it; settings `given`, and what is `asked`, must be those it has."""
    from fewscan.training.run import Run
    from fewscan.training.train import refuse_other_settings, train_on
    from fewscan.training.unlabeled_first import divided, first_folder

    first = first_folder(folder)
    if first.exists() and not folder.exists():
        raise FewscanError(
            f"{first}, the first of two runs, exists, but {folder} does not: the same command without --resume continues"
        )
    run = Run.open(folder)
    begun_first = run.settings.encoder.weights is not None and Path(run.settings.encoder.weights).resolve() == first.resolve()
    if begun_first:  # what was for the first run alone
        given = given | {"changes": divided(run.settings.method.name, given["changes"])[1]}
    refuse_other_settings(run, **given)
    seen = run.open_dataset(folder_of(dataset))
    split = seen.require_split()
    others = {
        "--split": asked["split"] not in (None, split.name),
        "--from": asked["begin"] is not None and not _began_with(run, asked["begin"]),
        "--leave-out-test": asked["leave_out_test"] and split.test_groups_left_out is None,
        "--unlabeled-first and --no-unlabeled-first": asked["unlabeled_first"] not in (None, begun_first),
    }
    if other := [option for option, is_other in others.items() if is_other]:
        raise FewscanError(f"{run.folder} continues as it was begun: leave out {', '.join(other)}, or start a new run")
    return _calibrated(train_on(run, seen, devices=devices), seen)


def _began_with(run: Run, begin: str | Path | Run) -> bool:
    """Return whether a run began with the whole network of the run `begin`."""
    began = run.record.began_with
    return began is not None and began.classes is not None and began.origin.identity == opened_run(begin).identity


def _calibrated(run: Run, dataset: Snapshot) -> TrainedRun:
    """Return a finished run, calibrated where that needs no further training; dataset: under the split that it trained on."""
    from fewscan.evaluation.calibrate import calibrate, has_enough_validation
    from fewscan.evaluation.calibration import Calibration
    from fewscan.evaluation.trained import TrainedRun

    if Calibration.load(run) is None and has_enough_validation(dataset):
        with alone(run.folder, "train"):
            calibrate(run, run.open_dataset(dataset.folder), pile=False)
    return TrainedRun.open(run.folder)
