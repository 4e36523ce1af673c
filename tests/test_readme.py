"""README's examples, run as they stand there, but for sizes that would take minutes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fewscan.data.phantoms import write_practice_scans

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
IMAGES = 96
# What README says of hundreds of scans, for the 96 of this test.
SMALLER = {
    "--labeled 400 --test 200": "--labeled 24 --test 16",
    "labeled=400, test=200": "labeled=24, test=16",
    "--labels-budget 400,100,40 --seeds 0,1,2": "--labels-budget 24,12 --methods supervised,joint",
    "epochs=40": "epochs=1",
}


def examples(language: str, holding: str) -> list[str]:
    """The code blocks of README in a language that hold a word."""
    return [block for block in re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL) if holding in block]


def smaller(text: str) -> str:
    for long, short in SMALLER.items():
        text = text.replace(long, short)
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as README speaks of: `scans` in class folders, `new_scans` without labels."""
    write_practice_scans(tmp_path / "scans", images=IMAGES, size_px=48)
    (tmp_path / "new_scans").mkdir()
    for number, path in enumerate(sorted((tmp_path / "scans").rglob("*.*"))[:5]):
        (tmp_path / "new_scans" / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    return tmp_path


def test_the_commands_for_ones_own_scans(folder: Path) -> None:
    (block,) = examples("sh", "fewscan import scans")
    for line in smaller(block).strip().splitlines():
        command = line.split("#")[0].split()
        assert command[0] == "fewscan"
        quick = ["epochs=1", "batch_size=16", "encoder.width=16"] if command[1] == "train" else []
        done = subprocess.run(
            [sys.executable, "-m", "fewscan", *command[1:], *quick], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert len((folder / "labels.csv").read_text().splitlines()) == 6
    assert (folder / "runs" / "mydata" / "report.html").is_file()


def test_the_command_that_compares(folder: Path) -> None:
    methods, budgets = examples("sh", "fewscan compare mydata")
    preparation = [
        "fewscan import scans --out mydata --size 48",
        "fewscan audit mydata",
        "fewscan split mydata --labeled 24 --test 16",
    ]
    quick = "epochs=1 batch_size=16 encoder.width=16"
    for line in [*preparation, f"{smaller(budgets).strip()} {quick}", f"{methods.strip()} {quick}"]:
        done = subprocess.run(
            [sys.executable, "-m", "fewscan", *line.split()[1:]], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert "joint" in done.stdout.splitlines()[0]
    assert (folder / "comparison" / "comparison.html").is_file()
    assert (folder / "efficiency" / "label_efficiency.html").is_file()


def test_the_python_example(folder: Path) -> None:
    (block,) = examples("python", "import fewscan")
    done = subprocess.run(
        [sys.executable, "-c", smaller(block)], cwd=folder, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d % \[\d+\.\d, \d+\.\d\]", done.stdout.strip())
    assert (folder / "labels.csv").is_file()


def test_the_first_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    (block,) = examples("sh", "make demo")
    targets = [line.split()[1] for line in block.strip().splitlines()]
    assert targets == ["demo", "test"]
    for target in targets:
        assert f"\n{target}:" in makefile
