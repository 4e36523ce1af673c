"""A run whose split has no validation set: asked to change that, `stress` names a command that draws one."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fewscan.api import audit, stress
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.splits.split import split
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings


@pytest.mark.slow
def test_the_split_that_it_names_has_the_part_that_was_missing(
    stressed_folder: Path, fewscan: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    data = shutil.copytree(stressed_folder / "dataset", tmp_path / "dataset")
    audit(data)
    without = split(Dataset.open(data).snapshot(), protocol="random", labeled=24, test=12, validation=0)
    tiny = {"epochs": 1, "device": "cpu", "encoder": {"width": 16}}
    run = Run.create(tmp_path / "run", RunSettings.resolve("supervised", "fewscan", tiny, labeled=18, unlabeled=12), without, 0)
    run.save_network(run.first_network())
    with pytest.raises(FewscanError) as refused:
        stress(run, validation=True)
    program, *words = shlex.split(str(refused.value).split("'")[-2])
    assert program == "fewscan"
    done = fewscan(*words)
    assert done.returncode == 0, done.stderr
    assert len(Dataset.open(data).snapshot("tested").rows("validation")) > 0
