"""What runs ONNX files keeps to itself what it does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
# An environment of ONNX Runtime is made with the first session.
LOADED = "from fewscan.models.graphs import require_onnx\nrequire_onnx().onnxruntime.SessionOptions()"


@pytest.mark.slow
def test_onnx_runtime_keeps_no_number_of_the_machine_and_no_records_to_send(tmp_path: Path) -> None:
    """It sends nothing either: both are made by what sends."""
    # Where it finds these it sends nothing by itself.
    left_out = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", LOADED], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
