"""A run whose split has no test set, as with few labels: `stress` names a command that draws one."""

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
@pytest.mark.parametrize(
    ("part", "sizes"), [("test", {"test": 0, "validation": 0.25}), ("validation", {"test": 12, "validation": 0})]
)
def test_the_split_that_it_names_has_the_part_that_was_missing(
    part: str,
    sizes: dict[str, float],
    stressed_folder: Path,
    fewscan: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    data = shutil.copytree(stressed_folder / "dataset", tmp_path / "dataset")
    audit(data)
    without = split(Dataset.open(data).snapshot(), protocol="random", labeled=24, **sizes)  # type: ignore[arg-type]
    tiny = {"epochs": 1, "device": "cpu", "encoder": {"width": 16}}
    run = Run.create(tmp_path / "run", RunSettings.resolve("supervised", "fewscan", tiny, labeled=18, unlabeled=12), without, 0)
    run.save_network(run.first_network())
    with pytest.raises(FewscanError) as refused:
        stress(run, validation=part == "validation")
    program, *words = shlex.split(str(refused.value).split("'")[-2])
    assert program == "fewscan"
    done = fewscan(*["6" if word == "N" else word for word in words])
    assert done.returncode == 0, done.stderr
    assert len(Dataset.open(data).snapshot("tested").rows(part)) > 0
