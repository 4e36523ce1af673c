"""What a GPU is asked runs without one, on a few practice scans, so that it is ready when there is one."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.__main__ import main

ROOT = Path(__file__).parents[2]
# Those that differ by more than a size, a dataset or a protocol.
PARTS = ("losses", "speed", "study", "efficiency", "adapted", "others", "encoders", "screen")
# Says what it is called with, in place of Python: what it would run is run by the test's own process.
STAND_IN = '#!/bin/sh\nprintf \'%s\\n\' "$PYTHONPATH" "$@" > "$CALLED"\n'


def words_for_python(tmp_path: Path) -> tuple[str, list[str]]:
    """PYTHONPATH and arguments with which `gpu.sh --tiny` calls Python."""
    stand_in, called = tmp_path / "python", tmp_path / "called"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    environment = os.environ | {"PYTHON": str(stand_in), "CALLED": str(called), "TMPDIR": str(tmp_path)}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), "--tiny", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path, *words = called.read_text().splitlines()
    return path, words


@pytest.mark.slow
def test_every_kind_of_part_runs_and_leaves_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, (option, module, *words) = words_for_python(tmp_path)
    assert path.split(":")[:2] == [str(ROOT), str(ROOT / "src")]
    assert (option, module) == ("-m", "benchmarks.gpu")
    # What gpu.sh makes, and removes when Python is done.
    Path(words[words.index("--scratch") + 1]).mkdir()
    monkeypatch.setattr(sys, "argv", [module, *words, "--parts", *PARTS])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    main()

    out = tmp_path / "out"
    losses = json.loads((out / "losses.json").read_text())
    assert losses["devices"] == ["cpu", "cpu"]
    assert all(numbers["equal"] and len(numbers["cpu"]) == losses["steps"] for numbers in losses["methods"].values())
    for case in json.loads((out / "speed.json").read_text()):
        assert case["share_of_limit"] == case["fewscan"]["images_per_second"] / case["limit"]["images_per_second"]
    others = json.loads((out / "others.json").read_text())
    assert {*others["images_per_second"], *others["not_installed"]} == {"fewscan", "limit", "usual", "kornia", "lightly"}
    for part, method in (("study", "joint"), ("efficiency", "mixmatch"), ("adapted", "supervised")):
        found = json.loads((out / f"{part}.json").read_text())
        assert {run["method"] for run in found["runs"]} == {method}
        assert len(found["runs"]) == found["planned"]
        assert math.isclose(found["seconds_of_training"], sum(run["training_seconds"] for run in found["runs"]), abs_tol=0.1)
        assert (out / f"{part}.csv").read_text().count("\n") > 20
    encoders = json.loads((out / "encoders.json").read_text())
    assert [line["name"] for line in encoders["lines"]] == ["random", "tiny"]
    assert (out / "encoders.tiny.safetensors").is_file()
    screened = json.loads((out / "screen.json").read_text())
    assert len(screened["runs"]) == screened["planned"] > 1
    assert {run["scored"] for run in screened["runs"]} == {20}


@pytest.mark.parametrize("words", [[], ["no such folder", "out"], ["--tiny"]])
def test_what_is_missing_is_said_in_one_line(words: list[str], tmp_path: Path) -> None:
    command = [str(ROOT / "benchmarks" / "gpu.sh"), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
