"""What an import says that it understood, before it reads a pixel."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import fewscan as package

Command = Callable[..., CompletedProcess[str]]


def folders(root: Path, **files: int) -> Path:
    for name, count in files.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(b"no picture: a plan reads no pixels")
    return root


def test_a_plan_counts_classes_and_says_where_they_come_from(tmp_path: Path) -> None:
    plan = package.plan_import(folders(tmp_path / "scans", glioma=3, normal=2), unlabeled=[folders(tmp_path / "pile", x=4)])
    scans, pile = plan.sources
    assert scans.classes == {"glioma": 3, "normal": 2}
    assert scans.labels_from == {"the folder right above the file": 5}
    assert (scans.images, scans.unlabeled, scans.patients) == (5, 0, 0)
    assert (pile.classes, pile.unlabeled) == ({}, 4)


def test_a_plan_writes_nothing(tmp_path: Path, fewscan: Command) -> None:
    folders(tmp_path / "scans", glioma=3, normal=2)
    done = fewscan("import", "scans", "--plan", "--out", "data", cwd=tmp_path)
    assert done.returncode == 0
    assert "glioma 3" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]
