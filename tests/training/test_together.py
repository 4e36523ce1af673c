"""Several processes train one run: they compute what one does, and end together."""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

import fewscan
from fewscan.datasets.learnable import without_labels
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.learning.registry import TRAINING_METHODS
from fewscan.learning.scan_views import ScanViews
from fewscan.models.resnet_small import ResNetSmall
from fewscan.processes import belong_to_parent, processes
from fewscan.splits.split import split
from fewscan.training.checkpoint import CHECKPOINT_FILE, Checkpoints
from fewscan.training.devices import Devices, available, cpu_lines, on_cpu, require_shareable, size_lines
from fewscan.training.fit import fit
from fewscan.training.run import CHECKPOINT_FOLDER, Run
from fewscan.training.settings import RunSettings
from fewscan.training.together import (
    DesertedError,
    Job,
    _deserted,
    _raise,
    _take_part,
    _told,
    meeting,
    met_at,
    train_together,
)
from tests.forks import LOADED

# Guesses count in full from the third step on, and not after hundreds.
GUESSING = {"name": "mixmatch", "ramp_steps": 2}
# How each is trained: the methods, two of them in chunks and by blocks, and what else is shared out in a way of its own.
SETTINGS: dict[str, tuple[str | Mapping[str, Any], dict[str, Any]]] = {
    **{method: (method, {}) for method in TRAINING_METHODS},
    "joint": ("joint", {"chunk_size": 7}),
    "simclr": ("simclr", {"shuffle_buffer": 40}),
    "mixmatch": (GUESSING, {}),
    "without normalization": ("simclr", {"encoder": {"name": "study_cnn", "dense_units": 32}, "views": "study"}),
}
WITHOUT_LABELS = "without labels"
SETTINGS[WITHOUT_LABELS] = ("simclr", {"probe_images": 0})
BY_THREE = ("mixmatch",)  # which gathers most: views, a teacher's outputs, a queue


class Asked(NamedTuple):
    """A run to train by all processes, until it is over or so many epochs are."""

    job: Job
    stop_after: int | None = None


class Trained(NamedTuple):
    """The same run of one, two and three processes, by what is trained; one that all of these went on with, and that of one."""

    runs: dict[tuple[str, int], Run]
    gone_on_with: Run
    gone_on_alone: Run


def new_run(dataset: Snapshot, folder: Path, method: str | Mapping[str, Any], **changes: Any) -> Run:
    quick: dict[str, Any] = {
        "encoder": {"width": 16},
        "batch_size": 20,  # the dataset makes them of 18 or 19, which nobody shares evenly
        "epochs": 1,  # of three steps or more
        "device": "cpu",
        "precision": "32-true",
        "checkpoint_seconds": 1000,
        "probe_images": 8,
        # Small steps: Adam takes as large a one where a gradient is nothing but rounding errors.
        "optimizer": {"learning_rate": 1e-6, "warmup_epochs": 0},
    }
    settings = RunSettings.resolve(method, "fewscan", quick | changes, labeled=12, unlabeled=40)
    return Run.create(folder, settings, dataset, 0)


def trained(asked: Sequence[Asked], ranks: int) -> None:
    """Train runs one after the other by so many processes."""
    meetings = [meeting() for _ in asked]
    places = [met_at(held) for held in meetings]
    context = processes(LOADED)
    members = [context.Process(target=_be_one_of, args=(asked, ranks, number, places)) for number in range(ranks)]  # type: ignore[attr-defined]
    for member in members:
        member.start()
    for member in members:
        member.join()
    assert [member.exitcode for member in members] == [0] * ranks


class Stopped(Exception):
    pass


def _be_one_of(asked: Sequence[Asked], ranks: int, number: int, places: list[dict[str, str]]) -> None:
    belong_to_parent()
    torch.set_num_threads(1)
    os.environ |= {"LOCAL_RANK": str(number), "NODE_RANK": "0"}
    for one, place in zip(asked, places, strict=True):
        os.environ |= place
        with pytest.MonkeyPatch.context() as patch:
            if one.stop_after is not None:
                patch.setattr(Checkpoints, "after", _stopping(one.stop_after))
            try:
                _take_part(one.job if number == 0 else None, Devices(ranks))
            except Stopped:
                torch.distributed.destroy_process_group()


def _stopping(last_epoch: int) -> Callable[..., None]:
    after = Checkpoints.after

    def stops(self: Checkpoints, epoch: int, *, last: bool) -> None:
        after(self, epoch, last=epoch == last_epoch)
        if epoch == last_epoch:
            raise Stopped

    return stops


@pytest.fixture(scope="module")
def dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    return split(make_dataset(), labeled=16, test=24, validation=0.25)


@pytest.fixture(scope="module")
def runs(dataset: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All runs of this file: processes are started once."""
    folder = tmp_path_factory.mktemp("together")
    seen = dict.fromkeys(SETTINGS, dataset) | {WITHOUT_LABELS: without_labels(dataset)}
    made = {
        (name, ranks): new_run(seen[name], folder / f"{name} {ranks}", method, **changes)
        for name, (method, changes) in SETTINGS.items()
        for ranks in (1, 2, 3)
        if ranks != 3 or name in BY_THREE
    }
    gone_on_with, gone_on_alone = (
        new_run(dataset, folder / name, GUESSING, epochs=3) for name in ("gone on with", "gone on alone")
    )  # an epoch by each number of processes

    def jobs(ranks: int) -> list[Asked]:
        return [Asked(Job(run.folder, dataset.folder, resume=False)) for (_, of), run in made.items() if of == ranks]

    going_on = Job(gone_on_with.folder, dataset.folder, resume=True)
    trained([*jobs(2), Asked(going_on._replace(resume=False), stop_after=1)], 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "after", _stopping(2))
        with pytest.raises(Stopped):
            fit(gone_on_with, dataset, resume=True)
    trained([*jobs(3), Asked(going_on)], 3)
    for (name, ranks), run in made.items():
        if ranks == 1:
            fit(run, seen[name], resume=False)
    fit(gone_on_alone, dataset, resume=False)
    return Trained(made, gone_on_with, gone_on_alone)


def state(run: Run) -> dict[str, Tensor]:
    """Network, averaged network, method with its queues, optimizer, before training and after it."""
    found = load_file(run.folder / CHECKPOINT_FOLDER / CHECKPOINT_FILE)
    return {name: value.double().flatten() for name, value in found.items()}


def distance(one: dict[str, Tensor], other: dict[str, Tensor], chosen: str) -> float:
    """How far tensors whose names have a part in common are off, taken together, as a share of themselves."""
    values, others = ([value for name, value in tensors.items() if chosen in name] for tensors in (one, other))
    if not values:
        return 0.0
    return float((torch.cat(values) - torch.cat(others)).norm() / torch.cat(others).norm())


def assert_alike(run: Run, alone: Run) -> None:
    found, expected = state(run), state(alone)
    assert found.keys() == expected.keys()
    # The means of the gradients of all steps, then of their squares.
    assert distance(found, expected, "/exp_avg") < 0.03
    assert distance(found, expected, "method/") < 1e-4
    for name in ("network/", "averaged/"):
        assert distance(found, expected, name) < 1e-5
    parameters = [f"network/{name}" for name, _ in alone.new_network().named_parameters()]
    torch.manual_seed(alone.settings.seed)
    first = {f"network/{name}": value.double().flatten() for name, value in alone.new_network().state_dict().items()}
    moved, expected_move = ({name: each[name] - first[name] for name in parameters} for each in (found, expected))
    assert distance(moved, expected_move, "") < 0.1
    assert len(run.metrics()) == alone.settings.epochs
    for numbers, expected_numbers in zip(run.metrics(), alone.metrics(), strict=True):
        counted = {
            name: value for name, value in expected_numbers.items() if isinstance(value, int | float) and name != "seconds"
        }
        assert {name: numbers[name] for name in counted} == pytest.approx(counted, rel=1e-3, abs=1e-3)
        others = expected_numbers.keys() - counted.keys() - {"seconds", "symptoms"}
        assert {name: numbers[name] for name in others} == {name: expected_numbers[name] for name in others}


@pytest.mark.slow  # they start processes
@pytest.mark.parametrize(("name", "ranks"), [*((name, 2) for name in SETTINGS), *((name, 3) for name in BY_THREE)])
def test_several_processes_compute_what_one_does(name: str, ranks: int, runs: Trained) -> None:
    assert_alike(runs.runs[name, ranks], runs.runs[name, 1])


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_with_one_and_ends_with_three(runs: Trained) -> None:
    assert_alike(runs.gone_on_with, runs.gone_on_alone)


# Imported by the processes of a training: the second one is killed after an epoch.
DIES = """
import os, signal
from fewscan.training.checkpoint import Checkpoints
after = Checkpoints.after
def die(self, epoch, *, last):
    after(self, epoch, last=last)
    if os.environ["LOCAL_RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.after = die
"""


@pytest.mark.slow
def test_one_process_that_is_killed_ends_all_and_the_run_goes_on(
    dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies_in_training.py").write_text(DIES)
    monkeypatch.syspath_prepend(tmp_path)
    run = new_run(dataset, tmp_path / "run", "supervised", checkpoint_seconds=0, epochs=3)
    job = Job(run.folder, dataset.folder, resume=False)
    with pytest.raises(FewscanError, match="SIGKILL") as caught:
        train_together(job._replace(modules=frozenset(["dies_in_training"])), Devices(2))
    assert str(caught.value).endswith(f"fewscan train {dataset.folder} --out {run.folder} --resume'")
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()
    assert not run.finished
    monkeypatch.setattr("fewscan.training.devices.available", lambda device: 2)
    assert fewscan.train(dataset, out=run.folder, resume=True, devices=2).finished
    assert [numbers["epoch"] for numbers in run.metrics()] == [1, 2, 3]


# Imported likewise: the first one is later than the second to see that a loss is not finite.
LATE = """
import os, time
from fewscan.training import fit
require_finite = fit._require_finite
def late(*arguments):
    time.sleep(float(os.environ["LOCAL_RANK"] == "0"))
    require_finite(*arguments)
fit._require_finite = late
"""


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_by_the_process_that_knows_what_was_saved(
    dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sees_late.py").write_text(LATE)
    monkeypatch.syspath_prepend(tmp_path)
    changes = {"checkpoint_seconds": 0, "epochs": 3, "optimizer": {"learning_rate": 1e30, "warmup_epochs": 0}, "passes": 1}
    run = new_run(dataset, tmp_path / "run", "supervised", **changes)
    job = Job(run.folder, dataset.folder, resume=False, modules=frozenset(["sees_late"]))
    with pytest.raises(FewscanError, match=r"in epoch 2.*after epoch 1 is kept"):
        train_together(job, Devices(2))


def forward_with_dropout(encoder: ResNetSmall, images: Tensor) -> Tensor:
    maps = F.dropout(encoder.stages(encoder.stem(images)), 0.5, encoder.training)
    return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


@pytest.mark.parametrize(
    ("method", "changes", "devices", "said"),
    [
        ("supervised", {}, 64, "--devices 64: this machine has 4 CPU cores"),
        ("supervised", {"batch_size": 2}, 3, "3 devices cannot share batches of 2 images"),
        ("joint", {"chunk_size": 2}, 4, "chunk_size=2.*4 devices"),
        ("probe", {"encoder": {"weights": "x"}}, 2, "probe .* leave out --devices"),
        ("supervised", {"device": "mps"}, 1, "device=mps: this machine has none"),
        ("supervised", {"precision": "16-mixed"}, 1, "precision=16-mixed is for GPUs"),
    ],
)
def test_what_devices_cannot_share_is_refused_before_a_run_is_made(
    method: str,
    changes: dict[str, Any],
    devices: int,
    said: str,
    dataset: Snapshot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fewscan.training.devices.available", lambda device: 4)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    settings = RunSettings.resolve(method, "fewscan", {"device": "cpu"} | changes, labeled=12, unlabeled=40)
    with pytest.raises(FewscanError, match=said):
        require_shareable(Devices(devices), settings, dataset)
    require_shareable(Devices(), settings.model_copy(update={"device": "cpu", "precision": "32-true"}), dataset)


def test_a_network_or_views_that_devices_would_draw_otherwise_are_refused_by_name(
    dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewscan.training.devices.available", lambda device: 4)
    settings = RunSettings.resolve("supervised", "fewscan", {"device": "cpu"}, labeled=12, unlabeled=40)
    require_shareable(Devices(2), settings, dataset)
    with monkeypatch.context() as patch, pytest.raises(FewscanError, match=r"encoder resnet_small draws random numbers"):
        patch.setattr(ResNetSmall, "forward", forward_with_dropout)
        require_shareable(Devices(2), settings, dataset)
    monkeypatch.delattr(ScanViews, "parameters_of")
    with pytest.raises(FewscanError, match=r"views 'scan' .*parameters_of"):
        require_shareable(Devices(2), settings, dataset)


TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "5", "LOCAL_RANK": "1"}
SLURM = {
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_NTASKS": "8",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.mark.parametrize(("who", "variables"), [("torchrun", TORCHRUN), ("Slurm", SLURM)])
def test_processes_that_something_else_has_started_know_how_many_they_are(
    who: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for asked in ((None, None), (4, 2)):
        found = Devices.asked(*asked)
        assert (found.on_each, found.machines, found.count, found.follows) == (4, 2, 8, True)
    with pytest.raises(FewscanError, match=f"{who} started 4 processes per machine on 2 machines: give --devices 4 --nodes 2"):
        Devices.asked(8, 1)
    monkeypatch.setenv("RANK" if who == "torchrun" else "SLURM_PROCID", "0")
    assert not Devices.asked(None, None).follows


def test_several_machines_must_know_where_the_first_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FewscanError, match=r"--nodes 2: .*torchrun.*Slurm.*MASTER_ADDR"):
        Devices.asked(4, 2)
    for name, value in {"MASTER_ADDR": "here", "MASTER_PORT": "12000", "NODE_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert Devices.asked(4, 2).follows
    assert not Devices.asked(4, 1).started
    assert Devices.asked(None, None) == Devices()


@pytest.mark.parametrize(
    ("device", "load", "said"),
    [
        ("cpu", 0.2, ("CPU: 2 threads on 4 cores",)),
        ("cpu", 9.5, ("CPU: 2 threads on 4 cores; the load was 9.5",)),
        ("mps", 9.5, ()),
    ],
)
def test_a_training_on_a_cpu_says_its_threads_and_a_load_that_slows_it_down(
    device: str, load: float, said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewscan.training.devices.cpu_cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    settings = RunSettings.resolve("supervised", "fewscan", {"device": device}, labeled=12, unlabeled=40)
    lines = cpu_lines(Devices(), settings, ImageSpec())
    assert len(lines) == len(said)
    assert all(line.startswith(expected) for line, expected in zip(lines, said, strict=True))


@pytest.mark.parametrize(
    ("method", "size_px", "settings", "said"),
    [
        ("supervised", 224, {}, True),
        ("supervised", 96, {}, False),
        ("supervised", 224, {"encoder": {"name": "efficientnet_lite0", "weights": "imagenet"}}, False),
        ("supervised", 224, {"encoder": {"input_px": 96}}, False),
        ("supervised", 96, {"encoder": {"input_px": 224}}, True),
        ("supervised", 224, {"device": "mps"}, False),
        ("propagation", 224, {}, False),
    ],
)
def test_a_training_from_scratch_on_large_scans_says_before_what_they_cost_a_cpu(
    method: str, size_px: int, settings: dict[str, Any], said: bool
) -> None:
    resolved = RunSettings.resolve(method, "fewscan", {"device": "cpu", **settings}, labeled=12, unlabeled=40)
    spec = ImageSpec(size_px=size_px)
    lines = size_lines(resolved, spec)
    assert any("encoder.input_px=96" in line for line in lines) == said
    assert [line for line in cpu_lines(Devices(), resolved, spec) if "input_px" in line] == list(lines)


class Unlike(RuntimeError):
    """Not one of fewscan's."""


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (FewscanError("labels are lacking"), FewscanError, "^labels are lacking$"),
        (MemoryError("no room"), MemoryError, "^no room$"),
        (
            DesertedError("another has ended"),
            FewscanError,
            "another has ended: .*'fewscan train data --out run --resume'",
        ),
        (Unlike("a fault"), RuntimeError, "Unlike: a fault"),
    ],
)
def test_what_ends_a_process_of_a_training_is_what_the_person_is_told(
    error: Exception, kind: type[Exception], said: str
) -> None:
    try:
        raise error
    except Exception as raised:
        told = _told(raised)
    with pytest.raises(kind, match=said) as caught:
        _raise(dict([told]), Job(Path("run"), Path("data"), resume=False))
    assert type(caught.value) is kind


def test_only_what_others_left_unfinished_is_laid_to_them() -> None:
    with pytest.raises(Unlike), _deserted():
        raise Unlike("shapes differ")
    with pytest.raises(DesertedError), _deserted():
        raise RuntimeError("[gloo] connection closed by peer")


def test_devices_are_counted_from_one_and_a_job_of_slurms_must_say_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FewscanError, match="at least 1"):
        Devices.asked(0, 1)
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(FewscanError, match="Slurm: "):
        Devices.asked(None, None)


def test_chunks_that_leave_each_device_an_image_can_be_shared(dataset: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewscan.training.devices.available", lambda device: 4)
    settings = RunSettings.resolve("joint", "fewscan", {"device": "cpu", "chunk_size": 16}, labeled=12, unlabeled=40)
    require_shareable(Devices(2), settings, dataset)


def test_a_kind_of_device_that_is_not_counted_is_one() -> None:
    assert available("mps") == 1 or on_cpu("mps")
