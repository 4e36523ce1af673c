import logging
from logging.handlers import BufferingHandler
from pathlib import Path

import pytest
import torch

from fewscan.training import precision
from fewscan.training.images import usable_device
from fewscan.training.precision import cpu_flags, fastest_precision
from fewscan.training.ranks import Ranks
from fewscan.training.settings import RunSettings

no_gpu = pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="a GPU decides by itself, not by the CPU's flags"
)


def machine(folder: Path, flags: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(f"processor : 0\nmodel name : some CPU\nflags\t\t: fpu {flags} sse2\n\nprocessor : 1\nflags : none\n")
    return file


@no_gpu
@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 avx512_bf16", "bf16-mixed"), ("amx_bf16 amx_tile", "bf16-mixed"), ("avx512f avx512_vnni", "32-true")],
)
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_bfloat16_is_used_where_the_cpu_has_it(
    flags: str, expected: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "CPU_FLAGS", machine(tmp_path, flags))
    assert fastest_precision(device) == expected


@no_gpu
def test_a_system_that_does_not_say_what_its_cpu_can_do_computes_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "CPU_FLAGS", tmp_path / "nowhere")
    assert cpu_flags() == set()
    assert fastest_precision("cpu") == "32-true"


def test_settings_hold_the_precision_that_a_run_computes_in_and_the_user_may_choose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "CPU_FLAGS", machine(tmp_path, "avx512_bf16"))
    settings = RunSettings.resolve("joint", "fewscan", {"device": "cpu"}, labeled=10, unlabeled=10)
    assert settings.precision == "bf16-mixed"
    chosen = RunSettings.resolve("joint", "study", {"precision": "32-true"}, labeled=10, unlabeled=10)
    assert chosen.precision == "32-true"


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_a_gpu_decides_by_itself(has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bfloat16)
    for device in ("auto", "cuda"):
        assert fastest_precision(device) == ("bf16-mixed" if has_bfloat16 else "32-true")


@pytest.mark.parametrize(
    ("asked", "there", "taken"),
    [("auto", "cuda", "cuda"), ("cuda", "cuda", "cuda"), ("cuda", "mps", "cpu"), ("mps", "mps", "mps"), ("mps", "cuda", "cpu")],
)
def test_the_device_that_is_asked_for_is_taken_where_the_machine_has_it(
    asked: str, there: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there == "cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there == "mps")
    assert usable_device(asked).type == taken
    assert usable_device("cpu").type == "cpu"


def test_a_training_announces_its_precision_once_and_warnings_of_its_library_are_heard() -> None:
    library, heard = logging.getLogger("lightning_fabric"), BufferingHandler(100)
    library.addHandler(heard)
    library.setLevel(logging.INFO)  # as it is when it has just been loaded
    settings = RunSettings.resolve("joint", "fewscan", {"device": "cpu", "precision": "bf16-mixed"}, labeled=10, unlabeled=10)
    try:
        Ranks.alone(settings)
        assert not heard.buffer
        library.warning("something is wrong")
    finally:
        library.removeHandler(heard)
    assert len(heard.buffer) == 1
