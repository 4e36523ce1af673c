"""States that a kill leaves: the same command goes on; `make faults` kills every verb at many moments."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from fewscan.datasets.snapshot import Snapshot

Command = Callable[..., CompletedProcess[str]]


def test_an_audit_that_was_killed_before_its_page_is_done_again(
    fewscan: Command, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    shutil.copytree(make_dataset(images=16).folder, tmp_path / "data")
    assert fewscan("audit", tmp_path / "data", "--overwrite").returncode == 0
    assert fewscan("audit", tmp_path / "data").returncode == 2
    (tmp_path / "data/audit.html").unlink()
    assert fewscan("audit", tmp_path / "data").returncode == 0
    assert (tmp_path / "data/audit.html").exists()
