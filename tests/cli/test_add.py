"""`fewscan add`: what it says will come, and what came."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import PIL.Image
import pytest

import fewscan as package
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.trainings import news, note_training

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the split dataset `mri` of 24 scans of two classes, and five files in `new`, one of them damaged."""
    random = np.random.default_rng(0)
    for number in range(24):
        write(tmp_path / "scans" / ("glioma", "no_tumor")[number % 2] / f"{number}.png", random)
    package.import_scans(tmp_path / "scans", tmp_path / "mri", size_px=16)
    package.audit(tmp_path / "mri")
    package.split(tmp_path / "mri", labeled=10, test=8)
    for name in ("glioma/100.png", "glioma/101.png", "meningioma/102.png"):
        write(tmp_path / "new" / name, random)
    (tmp_path / "new" / "glioma" / "copy.png").write_bytes((tmp_path / "scans" / "glioma" / "0.png").read_bytes())
    (tmp_path / "new" / "glioma" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path


def write(path: Path, random: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(random.integers(0, 256, (12, 12), dtype=np.uint8)).resize((48, 48)).save(path)


@pytest.mark.slow
def test_what_comes_is_counted_by_class_and_by_part_of_the_split(fewscan: Command, place: Path) -> None:
    planned = fewscan("add", "mri", "new", "--plan", cwd=place)
    assert planned.returncode == 0, planned.stderr
    assert Dataset.open(place / "mri").images.rows == 24
    note_training(Dataset.open(place / "mri").snapshot(), "a run")

    done = fewscan("add", "mri", "new", cwd=place)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "4 new images in mri, which holds 28 now"  # 24 and 4; what is set aside is none
    assert {"glioma: 3", "meningioma: 1 (a new class)", "set aside: 1, such as"} <= {*lines}
    assert any("damaged.png" in line for line in lines)
    assert any(line.startswith("copies: 1 of the new images, 1 of them") for line in lines)
    (parts,) = (line for line in lines if line.startswith("split 'main'"))
    after = Dataset.open(place / "mri").snapshot()
    for part in ("labeled", "unlabeled", "validation", "test"):
        assert f"{sum(after.rows(part) >= 24)} {part}" in parts

    assert "4 scans added" in str(news(Dataset.open(place / "mri"), after))

    again = fewscan("add", "mri", "new", "--json", cwd=place)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["images"] == 0
    assert fewscan("add", "mri", "new", cwd=place).stdout.startswith("nothing is new")
