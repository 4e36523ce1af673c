"""The examples of README and of its guide, run as they stand there, but for sizes that would take minutes."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fewscan import api

ROOT = Path(__file__).parents[1]
TEXTS = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/guide.md")]
README = TEXTS[0]
Command = Callable[..., subprocess.CompletedProcess[str]]
# What README says of hundreds of scans, for the 48 of this test.
SMALLER = {
    "labeled=400, test=200": "labeled=24, test=16",
    "--labels-budget 400,100,40 --seeds 0,1,2": "--labels-budget 24,12 --methods supervised,joint",
    "--seeds 0,1": "--seeds 0",
    'out="mydata")': 'out="mydata", size_px=32)',
    "epochs=40": 'epochs=1, batch_size=16, encoder={"width": 16}',
}
LITTLE = ["epochs=1", "batch_size=16", "encoder.width=16"]
QUICK = {"import": ["--size", "32"], "train": LITTLE, "compare": LITTLE}


def examples(language: str, holding: str) -> list[str]:
    """The code blocks in a language that hold a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", "\n".join(TEXTS), flags=re.DOTALL)
    return [block for block in blocks if holding in block]


def smaller(text: str) -> str:
    for long, short in SMALLER.items():
        text = text.replace(long, short)
    return text


@pytest.fixture
def folder(practice_scans: Path, tmp_path: Path) -> Path:
    """A folder as README speaks of: `scans` in class folders, `new_scans` without labels."""
    for path in sorted(practice_scans.rglob("*.*"))[::2]:
        copied = tmp_path / "scans" / path.relative_to(practice_scans)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    (tmp_path / "new_scans").mkdir()
    for number, path in enumerate(sorted((tmp_path / "scans").rglob("*.*"))[:5]):
        (tmp_path / "new_scans" / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    return tmp_path


def run_lines(fewscan: Command, lines: Iterable[str], folder: Path) -> str:
    """Run commands in `folder`, those that train with little to learn; return what the last one printed."""
    printed = ""
    for line in lines:
        words = line.split("#")[0].split()
        assert words[0] == "fewscan"
        done = fewscan(*words[1:], *QUICK.get(words[1], []), cwd=folder)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        printed = done.stdout
    return printed


@pytest.mark.slow
def test_the_commands_for_ones_own_scans(fewscan: Command, folder: Path) -> None:
    (block,) = examples("sh", "fewscan import scans")
    run_lines(fewscan, smaller(block).strip().splitlines(), folder)
    assert len((folder / "labels.csv").read_text().splitlines()) == 6
    others = [f"fewscan {verb} runs/mydata" for verb in ("evaluate", "report")]
    assert all(f"`{line}`" in README for line in others)
    run_lines(fewscan, others, folder)
    assert (folder / "runs" / "mydata" / "report.html").is_file()


@pytest.mark.slow
def test_the_command_that_compares(fewscan: Command, folder: Path) -> None:
    methods, budgets = examples("sh", "fewscan compare mydata")
    preparation = ["fewscan import scans --out mydata", "fewscan audit mydata", "fewscan split mydata --labeled 24 --test 16"]
    printed = run_lines(fewscan, [*preparation, smaller(budgets).strip(), smaller(methods).strip()], folder)
    # Which of them is first, so small a training leaves to the processor's rounding.
    (asked,) = re.findall(r"--methods (\S+)", methods)
    assert all(method in printed for method in asked.split(","))
    assert (folder / "comparison" / "comparison.html").is_file()
    assert (folder / "efficiency" / "label_efficiency.html").is_file()


@pytest.mark.slow
def test_the_python_example(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = examples("python", "import fewscan")
    monkeypatch.chdir(folder)
    exec(compile(smaller(block), "guide.md", "exec"), {})
    assert re.fullmatch(r"\d+\.\d % \[\d+\.\d, \d+\.\d\]", capsys.readouterr().out.strip())
    assert (folder / "labels.csv").is_file()


@pytest.mark.slow
def test_slices_give_one_answer_for_each_volume_by_the_mean_and_by_the_maximum(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = examples("python", "import fewscan")
    (by_maximum,) = examples("python", ".max()")
    scans = [np.asarray(PIL.Image.open(path).convert("L").resize((64, 64))) for path in sorted((folder / "scans").rglob("*.*"))]
    for path in (folder / "new_scans").iterdir():
        path.unlink()
    for name, few in (("a", scans[:3]), ("b#1", scans[3:5])):
        np.save(folder / "new_scans" / f"{name}.npy", np.stack(few))
    monkeypatch.chdir(folder)
    exec(compile(smaller(example), "guide.md", "exec"), {})
    exec(compile(by_maximum, "guide.md", "exec"), {})
    maxima, means = (pd.read_csv(folder / name, index_col="patient") for name in ("patients.csv", "labels.patients.csv"))
    assert means["path"].str.partition("#image")[0].tolist() == ["a.npy", "b#1.npy"]
    rows = pd.read_csv(folder / "labels.csv")
    taken = rows[rows["decision"].isin(["accept", "review"])]
    assert set(maxima.index) == set(taken["patient"])
    for how, answers in (("max", maxima), ("mean", means.dropna(subset="label"))):
        for patient, answer in answers.iterrows():
            own = taken.loc[taken["patient"] == patient, f"probability_{answer['label']}"]
            assert own.agg(how) == pytest.approx(answer.filter(like="probability_").max(), abs=2e-6)


def test_a_column_says_of_one_finding_whether_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    rows = {"1.png": "Effusion|Mass", "2.png": "Mass", "3.png": "Effusion", "4.png": "", "5.png": "No Finding"}
    written = "".join(f"{name},{findings},7\n" for name, findings in rows.items())
    (tmp_path / "Data_Entry_2017.csv").write_text(f"Image Index,Finding Labels,Patient ID\n{written}")
    exec(compile(block, "data.md", "exec"), {})
    for name in rows:
        (tmp_path / "scans").mkdir(exist_ok=True)
        PIL.Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "scans" / name)
    (plan,) = api.plan_import("scans", labels="effusion.csv").sources
    assert (plan.classes, plan.unlabeled, plan.images_with_patient) == ({"effusion": 2, "no_effusion": 2}, 1, 5)


def test_the_first_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    (block,) = examples("sh", "make demo")
    targets = [line.split()[1] for line in block.strip().splitlines()]
    assert targets == ["demo", "test"]
    for target in targets:
        assert f"\n{target}:" in makefile
