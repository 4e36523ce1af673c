"""A run scored on another dataset: the same answers as at home, only on scans that are new to the run."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import fewscan as api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import PREDICTIONS_FILE, Evaluation, evaluate
from fewscan.images.options import ImageSpec, Resize
from fewscan.labeling.other_dataset import _intervals, evaluate_on
from fewscan.labeling.other_evaluation import OtherEvaluation, evaluation_file, predictions_file
from fewscan.labeling.rule import Decided
from fewscan.phantoms import draw_phantom, write_practice_scans
from fewscan.splits.split import split
from fewscan.training.run import Run
from fewscan.verifying.verify import verify
from tests.made import empty_manifest, write_dataset

Command = Callable[..., CompletedProcess[str]]
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")


@pytest.fixture
def home(make_dataset: Callable[..., Snapshot], practice_pixels: np.ndarray) -> Snapshot:
    """48 labeled scans, 12 of them for validation, 40 test scans, 32 without a label."""
    return split(make_dataset(pixels=practice_pixels[:120]), labeled=48, test=40, validation=0.25)


@pytest.fixture
def logged_run(untrained_run: Callable[[Snapshot], Run]) -> Callable[[Snapshot], Run]:
    """A function that makes an untrained run with an epoch in its log, as every finished one has."""

    def make(dataset: Snapshot) -> Run:
        made = untrained_run(dataset)
        made.log({"epoch": 1})
        return made

    return make


@pytest.fixture
def run(home: Snapshot, logged_run: Callable[[Snapshot], Run]) -> Run:
    return logged_run(home)


@pytest.fixture
def other(tmp_path: Path) -> Callable[..., Snapshot]:
    """A function that makes a dataset `other` of pixels and labels: each scan is in a file of its own that nobody has seen."""

    def make(
        pixels: np.ndarray,
        labels: Sequence[str | None],
        *,
        audited: bool = True,
        resize: Resize = "stretch",
        **columns: Sequence[object],
    ) -> Snapshot:
        numbers = list(range(len(labels)))
        standing = {"group": numbers, "copy_set": numbers}
        manifest = empty_manifest(
            len(labels),
            label=labels,
            **({name: [f"{name} {number}" for number in numbers] for name in ("sha256", "pixels_sha256")} | standing | columns),
            width_px=48,
            height_px=48,
            color=False,
        )
        return write_dataset(tmp_path / "other", pixels, manifest, spec=ImageSpec(size_px=48, resize=resize), audited=audited)

    return make


def drawn(images: int) -> tuple[np.ndarray, list[str]]:
    """Scans of new heads, (N, 1, 48, 48), and their classes, which follow each other."""
    labels = [CLASSES[number % 4] for number in range(images)]
    scans = [draw_phantom(np.random.default_rng(5000 + number), label, size_px=48) for number, label in enumerate(labels)]
    return np.stack([scan.pixels for scan in scans])[:, np.newaxis], labels


def taken(home: Snapshot, rows: Sequence[int]) -> tuple[np.ndarray, list[str]]:
    """Scans of the run's own dataset, and their classes."""
    return home.pixels[np.asarray(rows)], [CLASSES[row % 4] for row in rows]


def predictions(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(run.folder / name)


@pytest.mark.slow
def test_the_runs_own_test_scans_get_the_answers_of_home_and_their_opening_is_counted(
    run: Run, home: Snapshot, other: Callable[..., Snapshot], capsys: pytest.CaptureFixture[str]
) -> None:
    at_home = evaluate(run, home)
    made = other(*taken(home, home.rows("test")))
    capsys.readouterr()
    elsewhere = evaluate_on(run, home, made)
    assert f"--on {made.folder} --overwrite" in capsys.readouterr().err  # the run is not calibrated
    assert elsewhere.images == elsewhere.test_copies == 40
    assert elsewhere.left_out.sentences == []
    columns = [*(f"probability_{name}" for name in home.classes), "score"]
    here, there = (predictions(run, name) for name in (PREDICTIONS_FILE, predictions_file("other")))
    assert here["label"].tolist() == there["label"].tolist()
    assert np.allclose(here[columns], there[columns], atol=1e-5)
    for name in ("accuracy", "balanced_accuracy", "auroc"):
        assert getattr(elsewhere, name).value == pytest.approx(getattr(at_home, name).value)
    assert elsewhere.differences == pytest.approx({"accuracy": 0, "balanced_accuracy": 0})
    assert run.test_openings() == {"evaluate": 2}


@pytest.mark.slow
def test_scans_that_the_run_knows_are_left_out_with_all_of_their_patient(
    run: Run, home: Snapshot, other: Callable[..., Snapshot]
) -> None:
    learned, validation = home.rows("labeled")[:3], home.rows("validation")[:2]
    known, known_labels = taken(home, [*learned, *validation])
    known[0] = known[0, :, :, ::-1]  # mirrored
    new, new_labels = drawn(8)
    # The first of the new ones is of the patient of a scan that was learned from.
    patients = [0, 1, 2, 3, 4, 1, 6, 7, 8, 9, 10, 11, 12]
    made = other(np.concatenate([known, new]), [*known_labels, *new_labels], group=patients, copy_set=range(13))
    scored = evaluate_on(run, home, made)
    assert scored.left_out.seen == {"learned from": 4, "validation set": 2}
    assert predictions(run, predictions_file("other"))["row"].tolist() == list(range(6, 13))
    assert scored.images == scored.groups == 7
    assert scored.test_copies == 0
    assert run.test_openings() == {}


@pytest.mark.slow
def test_classes_are_matched_by_name_and_others_are_counted(run: Run, home: Snapshot, other: Callable[..., Snapshot]) -> None:
    pixels, labels = drawn(16)
    renamed = [{"glioma": "abscess", "meningioma": "zebra"}.get(label, label) for label in labels]
    scored = evaluate_on(run, home, other(pixels, [*renamed[:15], None]))
    assert scored.left_out.unknown_classes == {"abscess": 4, "zebra": 4}
    assert scored.images == 7
    assert [(score.name, score.images) for score in scored.classes] == list(zip(CLASSES, (0, 0, 4, 3), strict=True))
    assert scored.absent_classes == ("glioma", "meningioma")
    table = predictions(run, predictions_file("other"))
    assert table["label"].tolist() == [label for label in renamed[:15] if label in CLASSES]
    assert scored.accuracy.value == pytest.approx((table["label"] == table["predicted"]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("why", ["unknown", "known", "unlabeled"])
def test_where_no_scan_is_left_it_is_refused_and_no_look_is_noted(
    why: str, run: Run, home: Snapshot, other: Callable[..., Snapshot]
) -> None:
    pixels, labels = taken(home, home.rows("labeled")[:8]) if why == "known" else drawn(8)
    made = other(pixels, {"unknown": ["abscess"] * 8, "known": labels, "unlabeled": [None] * 8}[why])
    with pytest.raises(FewscanError, match={"unknown": "abscess", "known": "learned from", "unlabeled": "no scan"}[why]):
        evaluate_on(run, home, made)
    assert not (made.folder / "test_openings.jsonl").exists()
    assert not (run.folder / evaluation_file("other")).exists()


@pytest.mark.slow
def test_labels_that_only_teach_and_those_of_conflicting_copies_are_not_scored(
    run: Run, home: Snapshot, other: Callable[..., Snapshot]
) -> None:
    pixels, labels = drawn(12)
    pixels[1] = pixels[0]
    conflict = np.arange(12) < 2
    groups = [0, 0, *range(2, 12)]
    origins = ["check" if row in (4, 5, 6) else "folder" for row in range(12)]
    scored = evaluate_on(run, home, other(pixels, labels, conflict=conflict, group=groups, copy_set=groups, label_from=origins))
    assert (scored.left_out.conflicting, scored.only_teaching) == (2, 3)
    assert predictions(run, predictions_file("other"))["row"].tolist() == [2, 3, 7, 8, 9, 10, 11]


def decided(right: Sequence[bool], decisions: Sequence[str]) -> tuple[Decided, np.ndarray, np.ndarray]:
    """What a rule says of scans of two classes, the probabilities, and the labels."""
    labels = np.arange(len(right)) % 2
    said = np.where(right, labels, 1 - labels)
    probabilities = np.where(said[:, np.newaxis] == np.arange(2), 0.8, 0.2).astype(np.float32)
    none = np.zeros(len(right))
    return Decided(probabilities, none, none, none, tuple(decisions), ("",) * len(right)), probabilities, labels  # type: ignore[arg-type]


def test_the_shares_of_decisions_are_those_of_the_scans() -> None:
    made = [("accept", True)] * 6 + [("accept", False)] * 2 + [("review", False)] * 8 + [("out_of_distribution", True)] * 4
    found = _intervals(*decided([right for _, right in made], [what for what, _ in made]), np.arange(20))
    assert found["out_of_distribution"].value == pytest.approx(4 / 20)
    assert found["accepted"].value == pytest.approx(8 / 20)
    assert found["wrong_accepted"].value == pytest.approx(2 / 8)
    nothing = _intervals(*decided([True, False] * 5, ["review"] * 10), np.arange(10))
    assert (nothing["accepted"].value, nothing["wrong_accepted"].value) == (0, None)


def test_intervals_are_wider_where_scans_are_of_few_patients() -> None:
    right = np.repeat([True, False, True, True, False, True, True, False, True, True], 6)
    single, patients = (_intervals(*decided(right, ["accept"] * 60), groups) for groups in (np.arange(60), np.arange(60) // 6))
    for name in ("accuracy", "wrong_accepted"):
        narrow, wide = single[name], patients[name]
        assert narrow.value == wide.value
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)  # type: ignore[operator]


@pytest.mark.slow
def test_every_look_is_noted_in_the_other_dataset_and_the_result_is_kept_under_its_name(
    run: Run, home: Snapshot, other: Callable[..., Snapshot], capsys: pytest.CaptureFixture[str]
) -> None:
    made = other(*drawn(12), group=[number // 3 for number in range(12)], copy_set=range(12))
    first = api.evaluate(run, on=made.folder)
    assert made.folder.name in capsys.readouterr().err
    assert isinstance(first, OtherEvaluation)
    assert (first.images, first.groups, first.test_openings, first.test_set_openings) == (12, 4, 1, 1)
    assert (first.home, first.differences) == (None, {})
    with pytest.raises(FewscanError, match="--overwrite"):
        api.evaluate(run, on=made)
    second = api.evaluate(run, on=made, overwrite=True)
    assert (second.test_openings, second.test_set_openings) == (2, 2)
    looks = [json.loads(line) for line in (made.folder / "test_openings.jsonl").read_text().splitlines()]
    assert [look["run"] for look in looks] == [run.identity] * 2
    kept = OtherEvaluation.load_of(run, "other")
    assert kept is not None
    assert kept.accuracy == second.accuracy
    # The run's own score and test set are as they were.
    assert Evaluation.load(run) is None
    assert run.test_openings() == {}
    assert verify(run.folder).faults == []
    with (run.folder / predictions_file("other")).open("a") as table:
        table.write("1")
    (fault,) = verify(run.folder).faults
    assert "--on FOLDER/other" in str(fault)  # where it lies is not kept
    # What is passed on names no folder of this machine.
    assert str(made.folder.parent) not in (run.folder / evaluation_file("other")).read_text()


@pytest.mark.slow
def test_another_dataset_in_a_folder_of_the_same_name_is_not_called_evaluated(
    run: Run, home: Snapshot, other: Callable[..., Snapshot], tmp_path: Path
) -> None:
    first = other(*drawn(8)).folder
    api.evaluate(run, on=first)
    first.rename(tmp_path / "first")
    with pytest.raises(FewscanError, match="is already evaluated on other"):
        api.evaluate(run, on=shutil.copytree(tmp_path / "first", tmp_path / "copy" / "other"))
    pixels, labels = drawn(12)
    theirs = other(pixels, labels)
    with pytest.raises(FewscanError, match=f"another dataset.*rename {theirs.folder}"):
        api.evaluate(run, on=theirs)
    assert api.evaluate(run, on=theirs, overwrite=True).images == 12


@pytest.mark.slow
def test_what_cannot_be_compared_is_refused_with_what_to_do(
    run: Run, home: Snapshot, other: Callable[..., Snapshot], fewscan: Command
) -> None:
    made = other(*drawn(8), audited=False)
    refused = fewscan("evaluate", run.folder, "--on", made.folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"fewscan audit {made.folder}" in refused.stderr
    own = fewscan("evaluate", run.folder, "--on", home.folder)
    assert own.returncode == 2
    assert f"'fewscan evaluate {run.folder}'" in own.stderr
    evaluate(run, home)
    mixed_up = fewscan("evaluate", run.folder, "--data", made.folder)
    assert mixed_up.returncode == 2
    assert f"fewscan evaluate {run.folder} --on {made.folder}" in mixed_up.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["otherwise", "alike"])
def test_all_that_keeps_a_dataset_from_being_scored_is_said_at_once(
    stored: str, run: Run, home: Snapshot, other: Callable[..., Snapshot], fewscan: Command
) -> None:
    pixels, labels = drawn(8)
    files = [f"new {number}" for number in range(6)] + home.manifest["sha256"].iloc[home.rows("labeled")[:2]].tolist()
    resize = "pad" if stored == "otherwise" else "stretch"
    made = other(pixels, ["abscess", "zebra", *labels[2:]], audited=False, sha256=files, resize=resize)
    refused = fewscan("evaluate", run.folder, "--on", made.folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    first, *reasons = refused.stderr.strip().splitlines()
    assert first.startswith("error: ")
    said = [
        *(["fewscan import"] if stored == "otherwise" else []),
        "fewscan audit",
        "abscess (1) and zebra (1)",
        "learned from (2)",
    ]
    assert len(reasons) == len(said)
    for reason, words in zip(reasons, said, strict=True):
        assert words in reason
    assert not (made.folder / "test_openings.jsonl").exists()


@pytest.mark.slow
def test_that_no_scan_would_be_left_is_said_before_scans_are_imported_anew(
    run: Run, home: Snapshot, other: Callable[..., Snapshot]
) -> None:
    made = other(drawn(8)[0], ["abscess"] * 8, resize="pad")
    with pytest.raises(FewscanError) as refused:
        evaluate_on(run, home, made)
    stored, classes, none_left = refused.value.lines[1:]
    assert "fewscan import" in stored
    assert "abscess (8)" in classes
    assert all(name in none_left for name in CLASSES)


@pytest.mark.slow
def test_scans_that_are_stored_otherwise_are_refused_with_an_import_that_makes_them_alike(
    logged_run: Callable[[Snapshot], Run], fewscan: Command, tmp_path: Path
) -> None:
    write_practice_scans(tmp_path / "scans", images=60, size_px=48)
    write_practice_scans(tmp_path / "their scans", images=24, size_px=48, seed=9)
    (tmp_path / "pile" / "glioma").mkdir(parents=True)
    PIL.Image.fromarray(drawn(1)[0][0, 0]).save(tmp_path / "pile" / "glioma" / "1.png")
    stored = {"size_px": 32, "crop": "foreground", "resize": "pad", "negatives": "undo"}
    api.import_scans(tmp_path / "scans", out=tmp_path / "home", **stored)
    api.audit(tmp_path / "home")
    run = logged_run(api.split(tmp_path / "home", labeled=24, test=12))
    api.import_scans(tmp_path / "their scans", out=tmp_path / "other", unlabeled=[tmp_path / "pile"], crop="none")
    refused = fewscan("evaluate", run.folder, "--on", tmp_path / "other")
    assert refused.returncode == 2
    found = re.search(r"'fewscan (import .*)', and", refused.stderr)
    assert found is not None, refused.stderr
    words = shlex.split(found[1])
    assert fewscan(*words).returncode == 0
    anew = words[words.index("--out") + 1]
    assert fewscan("audit", anew).returncode == 0
    done = fewscan("evaluate", run.folder, "--on", anew, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    labeled = sum(api.open_dataset(anew).table()["label"].notna())
    left_out = said["left_out"]["conflicting"] + sum(said["left_out"]["seen"].values())
    assert said["kind"] == "another dataset"
    assert said["images"] + left_out == labeled == sum(api.open_dataset(tmp_path / "other").table()["label"].notna())
