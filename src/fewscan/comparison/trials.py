"""Train and evaluate what a comparison still lacks, several at once where there are devices for it."""

import importlib
import multiprocessing
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

# These two before processes are forked, each of which would else take seconds for them.
import lightning_fabric  # noqa: F401
import torch

import fewscan.training.fit  # noqa: F401
from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.ways import Way
from fewscan.datasets.protocols import titled
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import Evaluation, evaluate
from fewscan.processes import processes, started_whole
from fewscan.progress import kept_if_stopped, said_together, say, say_together
from fewscan.training.plugins import modules_to_import
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.shares import take_place
from fewscan.training.train import train_new, train_on
from fewscan.training.unlabeled import labels_alone
from fewscan.training.unlabeled_first import taught_first
from fewscan.wording import counted

if TYPE_CHECKING:
    from fewscan.progress import SaidTogether


def run_trials(comparison: Comparison, jobs: int | None = None) -> dict[Trial, str]:
    """Train and evaluate every trial that is not finished yet, and return why a trial failed, for those that did.

    A run that was interrupted goes on where it was. The test set is opened once a run, when it is trained to its end.
    jobs: how many run at once, each in a process of its own; by default one for each CUDA device, and one on a CPU.
    Raises FewscanError where a run in the folder was made with other settings than the plan's, and where several are to run at
    once and other processes cannot know the method or encoder of one.
    """
    for protocol in comparison.plan.protocols:
        methods = [Way.read(name).method for name in comparison.plan.methods]
        lines = labels_alone(comparison.dataset(protocol), methods)
        for line in lines:
            say(f"on the split {titled(protocol)} {line}" if len(comparison.plan.protocols) > 1 else line)
    missing = [trial for trial in comparison.plan.trials if _lacking(comparison, trial)]
    done = len(comparison.plan.trials) - len(missing)
    say(f"{counted(len(comparison.plan.trials), 'run')}: {done} finished, {len(missing)} to do")
    devices = 0 if comparison.plan.changes.get("device") == "cpu" else torch.cuda.device_count()
    at_once = min(jobs or max(1, devices), len(missing))
    with kept_if_stopped(lambda: _kept(comparison)):
        failures = _teach_encoders(comparison, missing)
        begun = [trial for trial in missing if trial not in failures]
        together = at_once > 1 and len(begun) > 1
        return failures | (_side_by_side(comparison, begun, at_once, devices) if together else _in_turn(comparison, begun))


def _kept(comparison: Comparison) -> str | None:
    """Return what is kept of a comparison's runs where these are stopped, None for nothing."""
    runs = [comparison.run_folder(trial) for trial in comparison.plan.trials]
    begun = sum(run.exists() for run in runs)
    return f"{counted(begun, 'run')} of {len(runs)}, finished or started, kept in {comparison.folder}" if begun else None


def _teach_encoders(comparison: Comparison, missing: Sequence[Trial]) -> dict[Trial, str]:
    """Let each encoder learn without labels that runs are to begin with; return why one failed, for every run that lacks it."""
    waiting: dict[Path, list[Trial]] = {}
    for trial in missing:
        folder = comparison.encoder_folder(trial)
        if folder is not None and not comparison.run_folder(trial).exists():
            waiting.setdefault(folder, []).append(trial)
    failures: dict[Trial, str] = {}
    for folder, trials in waiting.items():
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            taught_first(comparison.dataset(trials[0].protocol), folder, comparison.lesson(trials[0]))
        except FewscanError as error:
            failures |= {trial: _report_failure(trial, error) for trial in trials}
    return failures


def _in_turn(comparison: Comparison, missing: list[Trial]) -> dict[Trial, str]:
    failures = {}
    for number, trial in enumerate(missing, start=1):
        say(f"run {number}/{len(missing)}: {trial}")
        try:
            run_trial(comparison.folder, trial)
        except FewscanError as error:
            failures[trial] = _report_failure(trial, error)
    return failures


def run_trial(folder: Path, trial: Trial) -> None:
    """Train the run of `trial` to its end, from wherever it stands, and evaluate it unless that was done."""
    comparison = Comparison.open(folder)
    dataset = comparison.dataset(trial.protocol)
    run_folder = comparison.run_folder(trial)
    settings = comparison.settings(trial)
    if run_folder.exists():
        run = train_on(Run.open(run_folder, dataset.folder), dataset)
    else:
        run = train_new(dataset, settings, run_folder, recipe=_recipe(comparison, trial))
    if Evaluation.load(run) is None:
        evaluate(run, dataset, verb="compare")


def run_trial_beside(modules: Collection[str], folder: Path, trial: Trial) -> None:
    """Do as `run_trial` in a process that has yet to import the modules that register what the trial needs."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise FewscanError(
                f"module {module}, which {trial} needs, cannot be imported by another process: {error}"
            ) from None
    run_trial(folder, trial)


def _lacking(comparison: Comparison, trial: Trial) -> bool:
    """Return whether `trial` is still to be trained or evaluated; refuse a run of its name with other settings."""
    folder = comparison.run_folder(trial)
    if not folder.exists():
        return True
    run = Run.open(folder, comparison.plan.dataset)
    if _anywhere(run.settings, trial) != _anywhere(comparison.settings(trial), trial):
        raise FewscanError(f"{folder} was trained with other settings than you ask for: choose another --out, or remove it")
    return not run.finished or Evaluation.load(run) is None


def _recipe(comparison: Comparison, trial: Trial) -> str:
    return Way.read(trial.method).recipe_in(comparison.plan.recipe)


def _anywhere(settings: RunSettings, trial: Trial) -> RunSettings:
    """Return settings without what depends on where a run is trained.

    That is how many images its machine's memory shuffles, which number format it computes fastest in, and the place of an
    encoder that learned first, which may have moved, or have been removed since. What was asked of these the plan compares.
    """
    encoder = settings.encoder if Way.read(trial.method).first is None else settings.encoder.untrained
    return settings.model_copy(update={"shuffle_buffer": None, "precision": "32-true", "encoder": encoder})


def _side_by_side(comparison: Comparison, missing: list[Trial], at_once: int, devices: int) -> dict[Trial, str]:
    needed = (modules_to_import(comparison.settings(trial), _recipe(comparison, trial)) for trial in missing)
    modules = set[str]().union(*needed)
    context = processes(__name__)
    places = context.SimpleQueue()
    for place in range(at_once):
        places.put(place)
    failures = {}
    began = time.monotonic()
    shared = (places, said_together(context), at_once, devices)
    with ProcessPoolExecutor(at_once, context, _take_place, shared) as pool, _ended_with(pool):
        with started_whole(context):
            running = {pool.submit(run_trial_beside, modules, comparison.folder, trial): trial for trial in missing}
        for number, future in enumerate(as_completed(running), start=1):
            trial = running[future]
            minutes = (time.monotonic() - began) / 60
            try:
                future.result()
                say(f"{number}/{len(missing)} done after {minutes:.0f} min: {trial}")
            except FewscanError as error:
                failures[trial] = _report_failure(trial, error)
    return failures


@contextmanager
def _ended_with(pool: ProcessPoolExecutor) -> Iterator[None]:
    """End the pool's processes where this one is interrupted: they would train on for hours."""
    try:
        yield
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        # The pool's own thread waits for them, and is waited for: at work while the program ends, it would meet closed files.
        pool.shutdown(cancel_futures=True)
        raise


def _take_place(places: "multiprocessing.SimpleQueue[int]", said: "SaidTogether", at_once: int, devices: int) -> None:
    say_together(said)
    take_place(places.get(), at_once, devices)


def _report_failure(trial: Trial, error: FewscanError) -> str:
    say(f"{trial} failed: {error}")
    return str(error)
