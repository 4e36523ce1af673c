"""Trainings that hold labels out: one estimate for all of them, then how far they are."""

from pathlib import Path

import pytest

from fewscan.evaluation.course import Course, told_before
from fewscan.folders import MODEL_FILE


def finish(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).touch()


def test_what_is_left_follows_from_the_trainings_that_were_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    folders = [tmp_path / str(number) for number in range(4)]
    finish(folders[0])
    course = Course(folders, 60, clock=lambda: now)
    assert "3 min" in course.left
    assert "3 that are left" in course.left
    said = []
    for folder, seconds in zip(folders, (0, 120, 300, 300), strict=True):
        course.begin(folder)
        said.append(capsys.readouterr().err.strip())
        now += seconds
        if not folder.exists():
            finish(folder)
    expected = ("3 min", "3 min", "4 min", "5 min")  # 60 s each until one was watched, then as long as the last one
    for number, (line, left) in enumerate(zip(said, expected, strict=True), 1):
        assert f"{number} of 4" in line
        assert f"about {left} left" in line
    assert "already done" in course.left
    course.begin(folders[3])
    assert "left" not in capsys.readouterr().err


def test_both_ways_to_hold_labels_out_are_told_as_one(tmp_path: Path) -> None:
    said = told_before(Course([tmp_path / str(number) for number in range(10)], 90), 5, [False, True])
    assert "10 trainings" in said
    assert said.count("about ") == 1
    assert "about 15 min in all" in said
