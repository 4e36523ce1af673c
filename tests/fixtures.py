"""What tests share: small datasets that they make themselves, a run, the command line."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from fewscan.cli import main
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.images import guarded
from fewscan.phantoms import draw_phantom, write_practice_scans
from fewscan.splits.split import split
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.made import empty_manifest, write_dataset

if TYPE_CHECKING:
    import playwright.sync_api as playwright

# The same examples each time, so more of them find nothing new: a change is judged by what it changes. `tests/test_fuzz.py` and
# benchmarks/faults draw more. On a busy machine an example may take any time, and be drawn in any time; examples may share a
# test's fixtures.
NOT_ASKED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("fewscan", derandomize=True, max_examples=50, deadline=None, suppress_health_check=NOT_ASKED)
settings.load_profile("fewscan")

Command = Callable[..., subprocess.CompletedProcess[str]]
Once = Callable[[str, Callable[[Path], object]], Path]
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")


@pytest.fixture(scope="session", autouse=True)
def no_idle_readers() -> Iterator[None]:
    """Processes that read files end with the tests, not after them: what they ran counts where coverage is measured."""
    yield
    guarded.end_idle()


@pytest.fixture
def bucket() -> Iterator[Any]:
    """fsspec's object storage in this process's memory, `memory://`; empty afterwards."""
    import fsspec  # what few tests need is not loaded for all

    system = fsspec.filesystem("memory")
    yield system
    for path in system.ls("/", detail=False):
        system.rm(path, recursive=True)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """A function that has a folder made once for all test processes, and returns it; whoever changes it copies it first."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"

    def make(name: str, write: Callable[[Path], object]) -> Path:
        shared.mkdir(exist_ok=True)
        with FileLock(shared / f"{name}.lock"):
            # Written in its place, since runs remember where their dataset lies.
            if not (shared / f"{name}.written").exists():
                write(shared / name)
                (shared / f"{name}.written").touch()
        return shared / name

    return make


@pytest.fixture(scope="session")
def practice_scans(once: Once) -> Path:
    """96 practice scans of 48 px in class folders."""
    return once("practice_scans", lambda folder: write_practice_scans(folder, images=96, size_px=48))


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Snapshot]:
    """A function that makes a dataset of easy images: class k has a bright square in quarter k, on noise.

    Or of the `pixels` (N, C, S, S) given, whose classes follow each other. Every image is a group and has no copies, unless
    `groups` (N,) and `copies` (N,) number others; copies are the groups where only these are given. Of the same arguments one
    is written, the others are copies of it.
    """

    written: dict[tuple[object, ...], Path] = {}

    def write(images: int, size_px: int, groups: Sequence[int], copies: Sequence[int], pixels: np.ndarray) -> Path:
        labels = [CLASSES[row % len(CLASSES)] for row in range(images)]
        manifest = empty_manifest(
            images,
            path=[f"{label}/{row:04}.png" for row, label in enumerate(labels)],
            label=labels,
            group=groups,
            copy_set=copies,
            width_px=size_px,
            height_px=size_px,
            color=False,
        )
        # A parent of its own, since tests put things beside a dataset.
        return write_dataset(tmp_path_factory.mktemp("made") / "dataset", pixels, manifest).folder

    def make(
        images: int = 80,
        size_px: int = 16,
        groups: list[int] | None = None,
        copies: Sequence[int] | None = None,
        seed: int = 0,
        pixels: np.ndarray | None = None,
    ) -> Snapshot:
        if pixels is not None:
            images, _, size_px = pixels.shape[:3]
        numbers = groups or list(range(images))
        copies = numbers if copies is None else list(copies)
        if pixels is not None:
            folder = write(images, size_px, numbers, copies, pixels)
        else:
            asked = images, size_px, *numbers, *copies, seed
            if asked not in written:
                written[asked] = write(images, size_px, numbers, copies, squares(images, size_px, seed))
            folder = shutil.copytree(written[asked], tmp_path_factory.mktemp("made") / "dataset")
        return Dataset.open(folder).snapshot()

    return make


def squares(images: int, size_px: int, seed: int) -> np.ndarray:
    """(N, 1, S, S) uint8, of classes that follow each other; see `make_dataset`."""
    pixels = np.random.default_rng(seed).integers(0, 90, size=(images, 1, size_px, size_px), dtype=np.uint8)
    half = size_px // 2
    for row in range(images):
        top, left = half * (row % 4 // 2), half * (row % 2)
        pixels[row, 0, top + 2 : top + half - 2, left + 2 : left + half - 2] += 140
    return pixels


def write_squares(folder: Path, images: int) -> Path:
    """Write so many easy scans of 40 px as files, in a folder for each class; return `folder`."""
    for row, pixels in enumerate(squares(images, 40, 0)):
        path = folder / CLASSES[row % len(CLASSES)] / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels[0]).save(path)
    return folder


@pytest.fixture(scope="session")
def practice_pixels(once: Once) -> np.ndarray:
    """400 practice scans of 48 px, (N, 1, S, S) uint8, each of a head of its own, of classes that follow each other."""

    def draw(folder: Path) -> None:
        labels = [CLASSES[number % len(CLASSES)] for number in range(400)]
        drawn = [draw_phantom(np.random.default_rng(number), label, size_px=48) for number, label in enumerate(labels)]
        folder.mkdir()
        np.save(folder / "pixels.npy", np.stack([phantom.pixels for phantom in drawn])[:, np.newaxis])

    return np.load(once("practice_pixels", draw) / "pixels.npy")


@pytest.fixture(scope="session")
def practice_dataset(make_dataset: Callable[..., Snapshot], practice_pixels: np.ndarray) -> Snapshot:
    """Practice scans: 240 labeled, 48 of them for validation, 100 test images, 60 without a label."""
    return split(make_dataset(pixels=practice_pixels), labeled=240, test=100)


@pytest.fixture(scope="session")
def split_once(make_dataset: Callable[..., Snapshot]) -> Path:
    """The dataset that `split_dataset` and `split_folder` are copies of: nothing writes into it."""
    return split(make_dataset(), labeled=16, test=24, validation=0.25).folder


@pytest.fixture(scope="module")
def split_folder(split_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for all tests of a module: what runs leave in it stays there."""
    return shutil.copytree(split_once, tmp_path_factory.mktemp("made") / "dataset")


@pytest.fixture
def split_dataset(split_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """80 easy images: 16 labeled, 4 of them for validation, and 24 test images."""
    copied = shutil.copytree(split_once, tmp_path_factory.mktemp("made") / "dataset")
    return Dataset.open(copied).snapshot()


@pytest.fixture
def untrained_run(tmp_path: Path) -> Callable[[Snapshot], Run]:
    """A function that makes a run whose network keeps its first weights: it predicts, and has learned nothing."""

    def make(dataset: Snapshot) -> Run:
        sizes = {part: len(dataset.rows(part)) for part in ("labeled", "unlabeled")}
        settings = RunSettings.resolve("supervised", "fewscan", {"epochs": 1, "device": "cpu"}, **sizes)
        run = Run.create(tmp_path / "untrained", settings, dataset, 0)
        torch.manual_seed(0)
        run.save_network(run.first_network())
        return run

    return make


@pytest.fixture(scope="session")
def fewscan() -> Command:
    """The command line, called within this process: a new one would load PyTorch again for every command.

    Arguments are those after `fewscan`; returns exit code, standard output and standard error of this one command.
    """

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = ["fewscan", *map(str, arguments)]
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words)
            patch.chdir(cwd or Path.cwd())
            with (
                written_to(out, 1),
                written_to(err, 2),
                redirect_stdout(out),
                redirect_stderr(err),
                pytest.raises(SystemExit) as ended,
            ):
                main()
            printed = [file.seek(0) or file.read() for file in (out, err)]
        return subprocess.CompletedProcess(words, int(str(ended.value.code)), *printed)

    return run


@contextmanager
def written_to(file: IO[str], descriptor: int) -> Iterator[None]:
    """Let what libraries write to a descriptor, past Python's own streams, go to a file as well."""
    kept = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        file.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


@pytest.fixture
def largest_file_bytes() -> Callable[[int], AbstractContextManager[None]]:
    """A context in which no file grows beyond so many bytes, which stands in for a full disk.

    It ends before the test does: pytest's own output may be a file.
    """
    resource = pytest.importorskip("resource", reason="a full disk is made with a limit of Unix")

    @contextmanager
    def limited(limit: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        on_limit = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, on_limit)

    return limited


@pytest.fixture(scope="session")
def real_scans() -> Path:
    """The folder of real scans, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("FEWSCAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "sartaj").is_dir():
        pytest.skip(f"no real scans at {folder}: set FEWSCAN_DATA to the folder that holds sartaj/ and nickparvar/")
    return folder


@pytest.fixture
def rights_count() -> Iterator[None]:
    """Rights of files count for this thread, and those that it starts, also where root runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same of higher numbers
    if libc.capget(header, held) != 0:
        pytest.skip("root may read and write everything")
    fewer = (ctypes.c_uint32 * 6)(held[0] & ~0b110, *held[1:])  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, fewer) == 0
    yield
    assert libc.capset(header, held) == 0


@pytest.fixture(scope="session")
def launched() -> Iterator["playwright.Browser"]:
    """One for all tests, since it takes a second to start; until the end it keeps an event loop in the tests' thread."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")
    # The first is the same without windows, and takes a quarter less of the processor.
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser chromium, or chromium-headless-shell, on PATH")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()
