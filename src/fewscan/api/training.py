"""The verb that makes a run: train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import opened_dataset, opened_run, opened_snapshot
from fewscan.errors import FewscanError
from fewscan.locks import alone

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.evaluation.trained import TrainedRun
    from fewscan.training.devices import Devices
    from fewscan.training.run import Run


def train(
    dataset: str | Path | Dataset | Snapshot,
    *,
    out: str | Path,
    method: str | Mapping[str, Any] | None = None,
    recipe: str | None = None,
    split: str | None = None,
    begin: str | Path | Run | None = None,
    leave_out_test: bool = False,
    resume: bool = False,
    devices: int | None = None,
    nodes: int | None = None,
    **settings: Any,
) -> TrainedRun:
    """Train `method` on a dataset and return the finished run in the folder `out`.

    `method` is a name, or a mapping with the `name` and settings of the method; without it recipe, method and size are chosen
    from the data, the length of training and the machine, and said on standard error with their reasons. `settings` are laid
    over those of the recipe: `train("mri", out="runs/a", epochs=20, optimizer={"learning_rate": 1e-3})`.
    `recipe` is `fewscan` where only a method is named, `split` the name of one of the dataset's, by default of the newest. With
    `resume` an interrupted run goes on with the settings that it began with; what is given besides must be what it has. `begin`
    is a finished run on the same dataset, with fewer labels say: the new one begins with its weights, method and network.
    Where the validation set is large enough, the run is calibrated on it at the end; see `calibrate`.
    Where nothing is labeled, or no split says which labels count, a method that needs none learns from all scans; labels are
    not looked at, and the run knows no classes. With `leave_out_test` nothing is learned from that belongs to the test set.
    `devices` on each of `nodes` machines train it together, a process each; but for rounding the run is that of one.
    Raises FewscanError where the split leaks (unless made with protocol `study`, or with `allow_leakage=True`), where a setting
    is unknown, where a method lacks labels, where a loss stops being finite, and where devices cannot do what one would.
    """
    from fewscan.evaluation.trained import TrainedRun
    from fewscan.training.continuing import require_same_dataset, settings_of, whole_network, with_encoder_of_run
    from fewscan.training.devices import Devices, cpu_line
    from fewscan.training.settings import RunSettings
    from fewscan.training.train import train_new
    from fewscan.training.unlabeled import learned_from

    used = Devices.asked(devices, nodes)
    if used.follows:
        return TrainedRun.open(_followed(used))
    if resume:
        given = {"method": method, "recipe": recipe, "changes": settings}
        return TrainedRun.open(_resumed(Path(out), dataset, used, leave_out_test, given).folder)
    opened = opened_snapshot(dataset, split)
    before = None if begin is None else opened_run(begin)
    settings = with_encoder_of_run(RunSettings.by_name(settings))
    if before is not None:
        require_same_dataset(before, opened)
        method, settings = settings_of(before, method, settings)
        recipe = recipe or before.record.recipe
    opened, what = learned_from(opened, method, leave_out_test=leave_out_test)
    sizes = {part: len(opened.rows(part)) for part in ("labeled", "unlabeled")}
    recipe, method, settings, reasons = _chosen(opened, sizes, recipe, method, settings)
    resolved = RunSettings.resolve(method, recipe, settings, **sizes)
    notes = (*_notes(opened), *what, *reasons, resolved.schedule(**sizes), *cpu_line(used, resolved))
    began = None if before is None else whole_network(before)
    run = train_new(opened, resolved, Path(out), recipe=recipe, notes=notes, beginning=began, devices=used)
    return TrainedRun.open(_calibrated(run, run.open_dataset(opened.folder)).folder)


def _chosen(
    dataset: Snapshot,
    sizes: Mapping[str, int],
    recipe: str | None,
    method: str | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> tuple[str, str | Mapping[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return recipe, method and settings, chosen where the user names no method, and then the reasons."""
    from fewscan.config import merge
    from fewscan.training.choice import choose
    from fewscan.training.recipes import DEFAULT_RECIPE

    if method is not None:
        return recipe or DEFAULT_RECIPE, method, dict(settings), ()
    choice = choose(sizes["labeled"], sizes["unlabeled"], dataset.spec.size_px, recipe=recipe, changes=settings)
    return choice.recipe, choice.method, merge(choice.changes, settings), choice.reasons


def _notes(dataset: Snapshot) -> list[str]:
    """Return what classes and labels give to say before a training."""
    from fewscan.datasets.candidates import candidates
    from fewscan.datasets.trainings import news
    from fewscan.splits.acceptance import acceptance_warnings
    from fewscan.splits.class_gaps import gap_warnings

    fresh = news(opened_dataset(dataset), dataset) if dataset.classes else None
    warnings = gap_warnings(dataset)
    if dataset.classes:
        warnings += acceptance_warnings(dataset, len(candidates(dataset.folder)) + 1)
    return [*(f"warning: {warning}" for warning in warnings), *([fresh] if fresh else [])]


def _followed(devices: Devices) -> Path:
    """Take part in a training that another process prepares, and return its run's folder."""
    from fewscan.training.together import train_together

    return train_together(None, devices)


def _resumed(
    folder: Path, dataset: str | Path | Dataset | Snapshot, devices: Devices, leave_out_test: bool, given: dict[str, Any]
) -> Run:
    """Train an interrupted run to its end and return it; `given` is what it must have been begun with."""
    from fewscan.training.run import Run
    from fewscan.training.train import refuse_other_settings, train_on

    run = Run.open(folder)
    refuse_other_settings(run, **given)
    seen = run.open_dataset(dataset if isinstance(dataset, str | Path) else dataset.folder)
    if leave_out_test and seen.require_split().test_groups_left_out is None:
        raise FewscanError(f"{run.folder} goes on as it was begun: leave out --leave-out-test, or start a new run")
    return _calibrated(train_on(run, seen, devices=devices), seen)


def _calibrated(run: Run, dataset: Snapshot) -> Run:
    """Calibrate a finished run that is not calibrated yet, where that needs no further training."""
    from fewscan.evaluation.calibrate import calibrate, has_enough_validation
    from fewscan.evaluation.calibration import Calibration

    if Calibration.load(run) is None and has_enough_validation(dataset):
        with alone(run.folder, "train"):
            calibrate(run, dataset)
    return run
