"""Report and model card show what a run scored on other datasets, and what these scores do not say."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from fewscan.cli.following import after_run
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import evaluate
from fewscan.exporting.export import export_model
from fewscan.images.options import ImageSpec
from fewscan.images.patients import FILE_PREFIX
from fewscan.labeling.other_dataset import evaluate_on
from fewscan.labeling.other_evaluation import NO_PROMISE, other_evaluations
from fewscan.phantoms import draw_phantom
from fewscan.reporting.model_card import write_model_card
from fewscan.reporting.page import write_report
from fewscan.reporting.rendering import markdown
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.made import calibrated, empty_manifest, remade, write_dataset

CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
SCANS = 24


@pytest.fixture
def home(make_dataset: Callable[..., Snapshot], practice_pixels: np.ndarray) -> Snapshot:
    return split(make_dataset(pixels=practice_pixels[:120]), labeled=48, test=40, validation=0.25)


@pytest.fixture
def run(home: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    made = untrained_run(home)
    made.log({"epoch": 1})
    return made


@pytest.fixture
def away(tmp_path: Path) -> Snapshot:
    """New heads of three of the four classes, each a file and a group of its own."""
    labels = [CLASSES[number % 3] for number in range(SCANS)]
    scans = [draw_phantom(np.random.default_rng(7000 + number), label, size_px=48) for number, label in enumerate(labels)]
    numbers = list(range(SCANS))
    files = {name: [f"{name} {number}" for number in numbers] for name in ("sha256", "pixels_sha256")}
    size = {"width_px": 48, "height_px": 48, "color": False}
    manifest = empty_manifest(SCANS, label=labels, group=numbers, copy_set=numbers, **files, **size)
    pixels = np.stack([scan.pixels for scan in scans])[:, np.newaxis]
    return write_dataset(tmp_path / "st_marys", pixels, manifest, spec=ImageSpec(size_px=48), audited=True)


def shown(run: Run, home: Snapshot, out: Path) -> tuple[str, str]:
    """Return the words of the page from the score on, and the model card."""
    page = write_report(run, home, out / "page.html").read_text()
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?(span|strong|code)[^>]*>", "", page))).split())
    card = write_model_card(run, home, export_model(run, home, out, out, "safetensors"), out).read_text()
    return words, card


@pytest.mark.slow
def test_the_score_stands_there_with_what_it_does_not_say(run: Run, home: Snapshot, away: Snapshot, tmp_path: Path) -> None:
    evaluate(run, home)
    for text in shown(run, home, tmp_path):
        assert "fewscan evaluate RUN --on DATASET" in text
        assert "st_marys" not in text
    evaluate_on(run, home, away)
    (score,) = other_evaluations(run)
    words, card = shown(run, home, tmp_path)
    for text in (words, card):
        assert "st_marys" in text
        assert score.accuracy.percent in text
        assert score.out_of_distribution.percent in text
        assert str(tmp_path) not in text
    assert "pituitary" in score.limits[0]
    for sentence in (*score.limits, *NO_PROMISE):
        assert sentence[1:] in words
        assert markdown(sentence) in card


@pytest.mark.slow
def test_how_many_patients_are_right_stands_beside_both_scores(
    home: Snapshot, away: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    whose = [f"h{row % 4}-{row // 8}" for row in range(len(home.manifest))]  # two scans of one class each
    groups = [row % 4 + 4 * (row // 8) for row in range(len(home.manifest))]
    known = home.manifest.assign(patient=whose, group=groups, copy_set=range(len(groups)), split=None)
    home = split(remade(home, known), labeled=48, test=40, validation=0.25)
    volumes = [f"{FILE_PREFIX}{row % 3}-{row // 6}" for row in range(SCANS)]
    away = remade(away, away.manifest.assign(patient=volumes))
    run = untrained_run(home)
    run.log({"epoch": 1})
    here, there = evaluate(run, home).patients, evaluate_on(run, home, away).patients
    assert here is not None
    assert there is not None
    assert (here.patients, there.patients) == (20, SCANS // 2)
    words, card = shown(run, home, tmp_path)
    for text in (words, card):
        assert here.brief in text
        assert there.brief in text
    for one in here.classes:
        assert one.said in words


@pytest.mark.slow
def test_after_another_calibration_it_is_said_to_be_of_the_one_before(
    run: Run, home: Snapshot, away: Snapshot, tmp_path: Path
) -> None:
    evaluate(run, home)
    evaluate_on(run, home, away)
    again = "fewscan evaluate RUN --on st_marys --overwrite"
    before = shown(run, home, tmp_path)
    calibrated(run, temperature=2.5)
    after = shown(run, home, tmp_path)
    assert [again in words for words, _ in (before, after)] == [False, True]
    assert after[1].count("temperature 1, not this model's") > before[1].count("temperature 1, not this model's")


@pytest.mark.slow
def test_a_report_without_a_score_that_is_newer_comes_next_again(run: Run, home: Snapshot, away: Snapshot) -> None:
    calibrated(run, temperature=1.0)
    evaluate(run, home)
    write_report(run, home)
    before = after_run(run, home)
    evaluate_on(run, home, away)
    assert before[0] != "report"
    assert after_run(run, home) == ["report", run.folder, "--overwrite"]
