"""What a GPU is asked runs without one, on a few practice scans, so that it is ready when there is one."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_part_of_the_gpu_benchmark_runs_and_leaves_its_figures(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), "--tiny", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

    losses = json.loads((tmp_path / "losses.json").read_text())
    assert losses["devices"] == ["cpu", "cpu"]
    assert all(numbers["equal"] and len(numbers["cpu"]) == losses["steps"] for numbers in losses["methods"].values())
    for case in json.loads((tmp_path / "speed.json").read_text()):
        assert case["share_of_limit"] == case["fewscan"]["images_per_second"] / case["limit"]["images_per_second"]
    for part, methods in (("study", {"barlow_twins", "nnclr", "simclr", "joint"}), ("efficiency", {"supervised", "mixmatch"})):
        found = json.loads((tmp_path / f"{part}.json").read_text())
        assert {run["method"] for run in found["runs"]} == methods
        assert len(found["runs"]) == found["planned"]
        assert math.isclose(found["seconds_of_training"], sum(run["training_seconds"] for run in found["runs"]), abs_tol=0.1)
        assert (tmp_path / f"{part}.csv").read_text().count("\n") > 20


@pytest.mark.parametrize("words", [[], ["no such folder", "out"], ["--tiny"]])
def test_what_is_missing_is_said_in_one_line(words: list[str], tmp_path: Path) -> None:
    command = [str(ROOT / "benchmarks" / "gpu.sh"), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
