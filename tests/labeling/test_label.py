import csv
import shlex
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import PIL.Image
import pyarrow as pa
import pytest

from fewscan import api, workbooks
from fewscan.api import check
from fewscan.cli.following import after_label
from fewscan.cli.labeling import _promised_lines, _seen_lines, _to_check
from fewscan.datasets.candidates import CANDIDATES_FILE, candidates, note_candidate
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.evaluation.held_out import HELD_OUT_FILE, HeldOut
from fewscan.evaluation.predicting import predict_images
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.shift import shift
from fewscan.evaluation.surety import Surety
from fewscan.evaluation.typicality import IN_COLOR, Gate
from fewscan.explaining.evidence import explain_scan
from fewscan.images.listing import list_place, list_scans
from fewscan.images.notes import BETWEEN_NOTES
from fewscan.images.options import ImportOptions
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.sources import parse_sources
from fewscan.labeling import label, labeler
from fewscan.labeling import table as tables
from fewscan.labeling.asked import Asked
from fewscan.labeling.caveats import of_none
from fewscan.labeling.grounds import Grounds
from fewscan.labeling.label import LabelSummary, label_scans, label_unlabeled
from fewscan.labeling.remedies import Remedies
from fewscan.labeling.table import LabelPlan, LabelTable, read_table
from fewscan.partial import growing
from fewscan.splits.split import drawn, split
from fewscan.training.devices import cpu_cores
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.shares import places_of_shares
from fewscan.training.train import train_new
from tests.fixtures import squares
from tests.processes import exit_code_of


@pytest.fixture(scope="module")
def dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    return split(make_dataset(400), labeled=250, test=40, validation=0.5)


@pytest.fixture(scope="module")
def trained(dataset: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    quick = {
        "encoder": {"width": 16},
        "batch_size": 32,
        "epochs": 15,
        "device": "cpu",
        "views": {"minimum_crop": 0.9, "flip_probability": 0},
    }
    settings = RunSettings.resolve("supervised", "fewscan", quick, labeled=125, unlabeled=110)
    made = Run.create(tmp_path_factory.mktemp("trained") / "run", settings, dataset, 0)
    fit(made, dataset, resume=False)
    calibrate(made, dataset)
    return made


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of the trained run, for a test to damage."""
    return Run.open(shutil.copytree(trained.folder, tmp_path / "run"))


@pytest.fixture
def one_thread(torch_threads: Callable[[int], None]) -> None:
    """With as many threads as each of two processes may have: others add up in another order."""
    torch_threads(1)


@contextmanager
def recorded(dataset: Snapshot) -> Iterator[None]:
    """Let the dataset forget what it records meanwhile."""
    path = dataset.folder / CANDIDATES_FILE
    before = path.read_text()
    yield
    path.write_text(before)


def three_scans(dataset: Snapshot, folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        PIL.Image.fromarray(dataset.pixels[number, 0]).save(folder / f"{number}.png")
    return folder


def test_where_nothing_is_unlabeled_scans_are_asked_for_and_no_table_is_made(
    make_dataset: Callable[..., Snapshot], untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    run = untrained_run(split(make_dataset(), labeled=80, test=0, validation=0))
    with pytest.raises(FewscanError, match=f"fewscan label {run.folder} SCANS"):
        api.label(run, out=tmp_path / "labels.csv")
    assert not list(tmp_path.glob("labels*"))


@pytest.mark.slow
def test_the_unlabeled_rest_gets_labels_and_decisions(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    summary = label_unlabeled(run, dataset, out, Asked(0.1))
    table = pd.read_csv(out)
    rows = dataset.rows("unlabeled")
    assert len(table) == summary.scans == len(rows)
    columns = [f"probability_{name}" for name in dataset.classes]
    assert list(table.columns) == [
        "path",
        "label",
        *columns,
        "score",
        "typicality",
        "possible",
        "decision",
        "reason",
        "seen",
        "note",
        "patient",
    ]
    probabilities = table[columns].to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert [dataset.classes[k] for k in probabilities.argmax(axis=1)] == table["label"].tolist()
    assert summary.threshold is not None
    alike = table["decision"] != "out_of_distribution"
    accepted = table["decision"] == "accept"
    assert (accepted == (alike & (table["score"] >= summary.threshold - 1e-6))).all()
    assert alike.mean() > 0.85
    counts = table["decision"].value_counts()
    assert (accepted.sum(), counts.get("review", 0), counts.get("out_of_distribution", 0)) == (
        summary.accepted,
        summary.review,
        summary.out_of_distribution,
    )
    # Every decision says why, and is counted with its label.
    assert table["reason"].notna().all()
    assert table.groupby("reason")["decision"].nunique().max() == 1
    counted = pd.crosstab(table["label"], table["decision"])
    for name, decided in summary.classes.items():
        assert decided == {
            decision: counted.get(decision, {}).get(name, 0) for decision in ("accept", "review", "out_of_distribution")
        }
    truth = np.array([dataset.classes[k] for k in dataset.labels[rows]])
    assert (table["label"] == truth)[accepted].mean() > 0.9
    # A scan that is out of distribution has no set of classes; every other has its label in it.
    assert table["possible"].isna().equals(~alike)
    sets = table[alike].apply(lambda row: row["label"] in row["possible"].split("|"), axis=1)
    assert sets.all()
    assert (
        np.mean([right in names.split("|") for right, names in zip(truth[alike], table["possible"][alike], strict=True)]) > 0.8
    )


@pytest.mark.slow
def test_noise_is_out_of_distribution_and_never_accepted(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    for number in range(10):
        stripes = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
        PIL.Image.fromarray(stripes if number % 2 else stripes.T.copy()).save(folder / f"{number}.png")
    summary = label_scans(run, dataset, folder, tmp_path / "labels.csv", Asked(0.2))
    assert (summary.out_of_distribution, summary.accepted) == (10, 0)


@pytest.mark.slow
def test_what_shows_color_is_never_accepted_by_a_run_on_gray_scans(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for row in dataset.rows("validation")[:10]:
        gray = np.array(dataset.pixels[row, 0])
        PIL.Image.fromarray(gray).save(folder / f"{row}-gray.png")
        # What the pixels become is gray, and as typical as the scan itself.
        PIL.Image.fromarray(np.stack([gray, gray // 2, gray // 3], axis=2)).save(folder / f"{row}-tinted.png")
    label_scans(run, dataset, folder, tmp_path / "labels.csv", Asked(0.2))
    decided = pd.read_csv(tmp_path / "labels.csv").set_index("path")
    tinted = decided[decided.index.str.contains("tinted")]
    assert (tinted["decision"] == "out_of_distribution").all()
    assert tinted["reason"].str.contains(IN_COLOR, regex=False).all()
    assert not decided["reason"][~decided.index.isin(tinted.index)].str.contains(IN_COLOR, regex=False).any()
    scan = folder / tinted.index[0]
    (said,) = predict_images(run, dataset, [scan]).notes
    assert IN_COLOR in said
    explained = explain_scan(run, dataset, scan)
    assert explained.out_of_distribution
    assert IN_COLOR in explained.notes


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "read_as"), [("parquet", pd.read_parquet), ("xlsx", pd.read_excel)])
def test_a_table_of_another_kind_holds_what_the_csv_holds(
    kind: str, read_as: Callable[[Path], pd.DataFrame], run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    label_unlabeled(run, dataset, tmp_path / "labels.csv")
    label_unlabeled(run, dataset, tmp_path / f"labels.{kind}")
    read = pd.read_csv(tmp_path / "labels.csv")
    typed = read_as(tmp_path / f"labels.{kind}")
    assert list(typed.columns) == list(read.columns)
    for column in read:
        if column.startswith(("probability", "score", "typicality")):
            np.testing.assert_allclose(typed[column], read[column], atol=1e-6)
        else:
            assert typed[column].astype(object).fillna("").tolist() == read[column].astype(object).fillna("").tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx"])
def test_the_table_is_known_as_predictions_when_it_is_imported(name: str, run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder, out = three_scans(dataset, tmp_path / "pile"), tmp_path / name
    label_scans(run, dataset, folder, out, Asked(0.1))
    with pytest.raises(FewscanError, match="--trust-predictions"):
        list_scans(parse_sources([str(folder)]), ImportOptions(labels=[out]))
    taken = list_scans(parse_sources([str(folder)]), ImportOptions(labels=[out], trust_predictions=True))
    table = read_table(out)
    accepted = table["decision"] == "accept"
    assert [scan.label for scan in taken] == [
        label if accept else None for label, accept in zip(table["label"], accepted, strict=True)
    ]
    assert {scan.label_from for scan in taken if scan.label} <= {f"predictions {name}"}


@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx"])
def test_names_with_commas_quotes_and_line_ends_survive_the_table(name: str, tmp_path: Path) -> None:
    classes = ["tumor, high grade", 'so-called "cyst"', "=1+1", "no;tumor", "gutartig (übrige)", "_x0041_"]
    texts = ("path", "label", "possible", "decision", "reason")
    numbers = (*(f"probability_{name}" for name in classes), "score")
    columns = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float32())
    plan = LabelPlan(
        scans="s", version="v", model_sha256="m", temperature=1, threshold=None, inclusion=(), columns=(), fewscan="1"
    )
    table = LabelTable(tmp_path / name, columns, plan)
    pile = tmp_path / "pile"
    pile.mkdir()
    paths = ["a, b.png", 'c"d.png', "e\rf.png", "g\nh.png", "i\x01j_x0012_y0034.png", "=Bär.png"]
    rows = []
    for path, label_of in zip(paths, classes, strict=True):
        (pile / path).write_bytes(b"x")
        rows.append({"path": path, "label": label_of, "possible": "|".join(classes), "decision": "accept", "reason": "r"})
    table.add(rows)
    table.finish(["label"])
    assert read_table(tmp_path / name)["path"].tolist() == paths
    listed = list_scans(parse_sources([str(pile)]), ImportOptions(labels=[tmp_path / name], trust_predictions=True))
    assert {scan.relative: scan.label for scan in listed} == dict(zip(paths, classes, strict=True))


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "labels.xlsx"])
def test_a_table_is_read_as_it_was_written_whatever_the_classes_are_called(name: str, tmp_path: Path) -> None:
    """Nothing is guessed: numbers stay numbers beside a scan that cannot be read, and names that look like numbers texts."""
    classes = ("01", "true", "NA")
    plan = LabelPlan(
        scans="s", version="v", model_sha256="m", temperature=1, threshold=None, inclusion=(), columns=(), fewscan="1"
    )
    table = LabelTable(tmp_path / name, label._columns(classes), plan)
    probabilities = {"probability_01": 0.25, "probability_true": 0.75, "probability_NA": 0.0}
    rows = [
        {"path": f"{called}.png", "label": called, "possible": called, "decision": "accept", "score": 0.5} | probabilities
        for called in classes
    ]
    rows += [{"path": "=1.png", "decision": "unreadable", "reason": "no image"}]
    table.add(rows)
    table.finish(["label"])
    back = read_table(tmp_path / name)
    assert list(back.columns) == table.schema.names
    for column in back.columns:
        assert pd.api.types.is_float_dtype(back[column]) == (
            column in ("score", "typicality") or column.startswith("probability_")
        )
        assert [None if pd.isna(cell) else cell for cell in back[column]] == [row.get(column) for row in rows]


@pytest.mark.slow
def test_a_run_that_was_not_calibrated_accepts_nothing_and_says_what_to_do(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    for name in (HELD_OUT_FILE, CALIBRATION_FILE):
        (run.folder / name).unlink()
    moved = Run.open(run.folder.rename(run.folder.with_name("my run")))
    summary = label_unlabeled(moved, dataset, tmp_path / "labels.csv")
    assert summary.accepted == 0
    # The command as a shell takes it.
    command = f"fewscan calibrate '{moved.folder}'"
    assert command in summary.reasons[0]
    # The table is passed on: it says why, and names no command of this machine.
    reasons = pd.read_csv(tmp_path / "labels.csv").query("decision == 'review'")["reason"]
    assert reasons.str.contains("not calibrated").all()
    assert not reasons.str.contains("fewscan|/").any()
    # Nothing is known of its mistakes: no class of a scan can be ruled out.
    table = pd.read_csv(tmp_path / "labels.csv")
    assert set(table["possible"].dropna()) == {"|".join(dataset.classes)}


@pytest.mark.slow
@pytest.mark.parametrize(("many", "times"), [(label.MANY_SCANS, 1), (2, 2)])
def test_that_nothing_is_accepted_is_said_at_the_end_and_of_many_scans_before_they_are_labeled_too(
    many: int,
    times: int,
    run: Run,
    dataset: Snapshot,
    fewscan: Callable[..., CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(label, "MANY_SCANS", many)
    scans = three_scans(dataset, tmp_path / "scans")
    done = fewscan("label", run.folder, scans, "--out", tmp_path / "labels.csv", "--target-error", "0.01")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing is accepted") == 1
    assert (done.stdout + done.stderr).count("nothing is accepted") == times


@pytest.mark.slow
def test_the_next_command_where_nothing_is_accepted_is_not_the_same_at_a_larger_error(
    run: Run, dataset: Snapshot, fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    known = Calibration.load(run)
    assert known is not None
    known.model_copy(update={"source": "cross-fitting"}).save(run)  # no more folds help
    scans = three_scans(dataset, tmp_path / "scans")
    done = fewscan("label", run.folder, scans, "--out", tmp_path / "labels.csv", "--target-error", "0.01")
    assert done.returncode == 0, done.stderr
    assert "--target-error" in done.stdout  # it may be taken all the same
    assert done.stdout.splitlines()[-1].startswith("next: fewscan ")
    assert shlex.split(done.stdout.splitlines()[-1])[2] in ("check", "suggest", "labels")


def test_options_about_files_are_refused_where_none_are_named(run: Run, tmp_path: Path) -> None:
    for option in ({"exact_copies_only": True}, {"follow_links": True}):
        with pytest.raises(FewscanError, match="name SCANS"):
            api.label(run, out=tmp_path / "labels.csv", **option)


@pytest.mark.slow
def test_of_each_group_one_held_out_image_counts(run: Run, dataset: Snapshot) -> None:
    held_out = HeldOut.load(run, dataset)
    assert held_out is not None
    alone = Grounds.of(run, dataset).rule(Asked(0.1))
    assert alone.threshold is not None
    # Groups are those of the last audit, whatever they were when the run was calibrated.
    validating = dataset.manifest["split"] == "validation"
    merged = dataset.manifest["group"].mask(validating, 1000 + dataset.manifest["group"] % 10)
    coarse = replace(dataset, manifest=dataset.manifest.assign(group=merged))
    grouped = Grounds.of(run, coarse).rule(Asked(0.1))
    assert grouped.threshold is None
    assert "at least 33 held-out images" in grouped.reasons[0]
    # Possible classes are still promised, and what that assumes is said with them.
    assert grouped.inclusion.any()
    assert grouped.reasons[1].endswith(alone.reasons[0].partition("This assumes ")[2])


@pytest.mark.slow
def test_a_folder_is_labeled_as_the_same_pixels_in_the_dataset_are(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    folder.mkdir(parents=True)
    for row in range(20):
        PIL.Image.fromarray(dataset.pixels[row, 0]).save(folder / f"{row:03}.png")
    (folder / "010b.jpg").write_text("not a picture")
    (folder / "010c.jpg").touch()
    out = tmp_path / "labels.csv"
    summary = label_scans(run, dataset, tmp_path / "new", out)
    table = pd.read_csv(out)
    assert (summary.scans, summary.unreadable) == (22, 2)
    assert summary.unreadable_because == {"not an image": 1, "empty file": 1}
    broken = table[table["path"] == "deep/010b.jpg"].iloc[0]
    assert broken["decision"] == "unreadable"
    assert "not an image" in broken["reason"]
    whole = table[table["decision"] != "unreadable"]
    assert whole["path"].tolist() == [f"deep/{row:03}.png" for row in range(20)]
    expected = Predictor.of(run).predict(dataset.pixels, np.arange(20)).probabilities
    found = whole[[f"probability_{name}" for name in dataset.classes]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_of_accepted_scans_that_the_run_has_all_seen_nothing_is_promised(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    hashes, place = dataset.manifest["pixels_sha256"].copy(), tmp_path / "scans"
    for row in dataset.rows("labeled")[:30]:
        PIL.Image.fromarray(dataset.pixels[row, 0]).save(place / f"{row:03}.png")
        hashes[row] = read_image(place / f"{row:03}.png").pixels_sha256
    known = replace(dataset, manifest=dataset.manifest.assign(pixels_sha256=hashes))
    summary = label_scans(run, known, place, tmp_path / "labels.csv", Asked(0.1), near=False)
    assert summary.threshold is not None
    assert summary.accepted > 0
    assert (summary.promised, summary.wrong_at_most) == (0, 0)
    said = " ".join(summary.reasons)
    assert "nothing is promised" in said
    assert "long-run" not in said
    assert f"{summary.threshold:.4f}" not in said
    assert "promise" not in _seen_lines(summary)[0]
    # Of new ones among those that are not accepted, the possible classes are promised all the same.
    accepting, over_all, including, *_ = Grounds.of(run, known).rule(Asked(0.1)).reasons
    assert including not in summary.reasons
    some_new = Counter({("accept", "learned from"): 3, ("review", None): 2})
    found = list(of_none(Grounds.of(run, known).rule(Asked(0.1)), some_new))
    assert including in found
    assert not {accepting, over_all} & set(found)


@pytest.mark.slow
def test_a_folder_of_scans_that_look_otherwise_as_a_whole_is_noticed_and_one_of_usual_scans_is_not(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    usual = squares(120, 16, seed=9)
    # Paler than any that was learned from, if each by little.
    pale = (20 + usual * 0.85).astype(np.uint8)
    said = []
    for name, pixels in (("usual", usual), ("pale", pale)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(pixels):
            PIL.Image.fromarray(image[0]).save(tmp_path / name / f"{number:03}.png")
        summary = label_scans(run, dataset, tmp_path / name, tmp_path / f"{name}.parquet", Asked(0.1), near=False)
        table = summary.table()
        assert (table["typicality"].notna()).all()
        assert summary.shift is not None
        assert summary.shift == shift(table["typicality"].to_numpy(np.float64), Gate.of(dataset))
        assert (summary.shift.sentence(summary.promised) in summary.reasons) == summary.shift.noticed
        said.append(summary.shift.noticed)
    assert said == [False, True]


@pytest.mark.slow
def test_what_is_to_be_known_of_pixels_is_said_of_each_scan_and_in_all(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    np.save(folder / "3.npy", dataset.pixels[3:6, 0])  # three gray images, or one in color
    files = list_place(folder, dataset.spec, follow_links=False)
    notes = [file.notes for file in files]
    assert [bool(of_one) for of_one in notes] == [False, False, False, True, True, True]
    summary = label_scans(run, dataset, folder, tmp_path / "labels.csv")
    assert [note.split(BETWEEN_NOTES) if note else [] for note in summary.table()["note"].fillna("")] == [
        list(of_one) for of_one in notes
    ]
    assert summary.notes == dict.fromkeys(notes[-1], 3)


@pytest.mark.slow
def test_a_single_file_is_labeled_as_in_its_folder(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    label_scans(run, dataset, folder, tmp_path / "all.csv")
    assert label_scans(run, dataset, folder / "1.png", tmp_path / "one.csv").scans == 1
    together, alone = (pd.read_csv(tmp_path / name).set_index("path") for name in ("all.csv", "one.csv"))
    pd.testing.assert_frame_equal(alone, together.loc[["1.png"]], atol=1e-5)
    with pytest.raises(FewscanError, match="No such file"):
        label_scans(run, dataset, folder / "4.png", tmp_path / "none.csv")


@pytest.mark.slow
def test_a_run_that_was_chosen_among_others_must_show_more(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    assert candidates(dataset.folder) == {run.identity}
    alone = Grounds.of(run, dataset).rule(Asked(0.1))
    assert (alone.candidates, alone.reasons) == (1, Grounds.of(run, dataset).rule(Asked(0.1, candidates=1)).reasons)
    # Another run, on other validation images of the same scans: who chooses between the two has looked at both.
    other = dataset.with_split(*drawn(dataset, "leakfree", 250, 40, 0.5, seed=1))
    with recorded(dataset):
        train_new(other, run.settings.model_copy(update={"epochs": 1}), tmp_path / "other")
        for identity in ("a", "b", "c", "c"):
            note_candidate(other, identity)
        grounds = Grounds.of(run, dataset)
        assert grounds.rule(Asked(0.1)).candidates == 5
        assert any("5 runs" in reason for reason in grounds.rule(Asked(0.1)).reasons)
        assert grounds.rule(Asked(0.1, candidates=1)).threshold == alone.threshold
        strict = grounds.rule(Asked(0.1, candidates=100_000))
        assert strict.threshold is None
        assert "100000 runs needs at least" in strict.reasons[0]


@pytest.mark.slow
def test_a_network_that_is_surer_than_its_cross_fitting_accepts_nothing(run: Run, dataset: Snapshot) -> None:
    known = Calibration.load(run)
    assert known is not None
    for network, doubted in ((0.91, False), (0.99, True)):
        surety = Surety(images=100, network=network, others=(0.90, 0.91, 0.92, 0.90, 0.91))
        known.model_copy(update={"surety": surety, "source": "cross-fitting"}).save(run)
        rule = Grounds.of(run, dataset).rule(Asked(0.1))
        assert (rule.threshold is None) == doubted
        assert ("the network is more confident" in rule.reasons[0]) == doubted


@pytest.mark.slow
def test_without_enough_held_out_images_nothing_is_accepted_and_it_says_so(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    summary = label_unlabeled(run, dataset, tmp_path / "labels.csv", Asked(0.01))
    assert summary.accepted == 0
    assert summary.threshold is None
    assert "at least 339 held-out images" in summary.reasons[0]
    helps = summary.helps
    assert helps is not None
    # All labels together are too few as well, so that more are needed after a calibration by folds.
    assert helps.folds is not None
    assert helps.labels is not None
    reachable = helps.target_error
    assert reachable is not None
    assert f"--target-error {reachable:g}" in summary.reasons[0]
    grounds = Grounds.of(run, dataset)
    assert grounds.rule(Asked(reachable)).threshold is not None
    assert grounds.rule(Asked(reachable)).helps is None
    # Once all labels were held out in turn, folds help no more.
    known = Calibration.load(run)
    assert known is not None
    known.model_copy(update={"source": "cross-fitting"}).save(run)
    rule = Grounds.of(run, dataset).rule(Asked(0.01))
    assert rule.helps is not None
    assert (rule.helps.folds, rule.helps.target_error) == (None, reachable)


@pytest.mark.slow
def test_the_next_command_after_labels_of_which_none_is_accepted_is_what_helps(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    counts = ("scans", "accepted", "review", "out_of_distribution", "unreadable", "promised", "wrong_at_most")
    said = dict.fromkeys(counts, 0) | {"reasons": (), "threshold": None}
    said |= {name: {} for name in ("seen", "notes", "classes", "unreadable_because", "target_missed", "held_out")}
    said |= {"candidates": 1, "target_error": 0.05, "coverage": 0.9, "coverage_per_class": False, "out": "labels.csv"}
    out, scans, data = tmp_path / "labels.csv", Path("new scans"), shutil.copytree(dataset.folder, tmp_path / "data")
    out.touch()

    def words(scans: Path | None = scans, *, to_check: bool = False, **helps: float) -> list[str]:
        summary = LabelSummary.parse(said | {"scans": 1, "review": 1, "helps": Remedies.parse(helps)})
        *given, last, place = map(str, after_label(summary, run.folder, scans, data, to_check=to_check))
        if last != "--data":
            return [*given, last, place]
        assert place == str(data)
        return given

    called = str(run.folder)
    assert words(folds=5, target_error=0.2) == ["calibrate", called, "--folds", "5", "--overwrite"]
    assert words(folds=5, to_check=True)[0] == "calibrate"
    assert words(labels=40, target_error=0.2, to_check=True) == ["check", "labels.csv"]
    # All its scans have labels, be they hidden from the run: none can be suggested.
    assert words(labels=40) == words() == words(None, labels=40) == words(target_error=0.2) == ["labels", "set", "--help"]
    Dataset.open(data).labels.set(dataset.rows("labeled")[:5].tolist(), state="none")
    assert words(labels=40)[:3] == words()[:3] == words(None, labels=40)[:3] == ["suggest", called, "--out"]


@pytest.mark.slow
def test_what_no_error_would_accept_is_not_to_be_labeled_again_at_another(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder, out = tmp_path / "scans", tmp_path / "labels.csv"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(folder / "noise.png")
    summary = label_scans(run, dataset, folder, out, Asked(0.01))
    assert (summary.out_of_distribution, summary.threshold) == (1, None)
    summary = summary.model_copy(update={"helps": Remedies(target_error=0.2)})
    assert "check" not in after_label(summary, run.folder, folder, None, to_check=True)
    # Nor is anything promised of a batch of no scans.
    supported = label_scans(run, dataset, folder, tmp_path / "again.csv", Asked(0.2))
    assert supported.threshold is not None
    assert not any("batch of" in reason for reason in supported.reasons)


@pytest.mark.parametrize("right", [0.4, 0.7, 0.9])
def test_an_error_is_only_offered_that_labels_can_be_used_with(right: float) -> None:
    random, groups = np.random.default_rng(0), np.arange(300)
    logits = np.where(random.random(300) < right, 1.0, -1.0) * (1 + random.random(300))
    held_out = HeldOut(groups, groups, np.zeros(300, np.int64), np.column_stack([logits, -logits]).astype(np.float32))
    helps = Remedies.of(held_out, 0.05, 1, 0)
    assert (helps.target_error is not None) == (right == 0.9)
    assert ("--target-error" in helps.words(("runs/mri",))) == (right == 0.9)


@pytest.mark.parametrize("surest", [0.99, 0.9])
def test_a_check_by_a_reader_is_advised_where_the_command_does_it(
    surest: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sure = tmp_path / "labels.csv", np.linspace(surest, 0.5, 50)
    columns = {"path": [f"{row}.png" for row in range(50)], "label": "a", "probability_a": sure, "probability_b": 1 - sure}
    columns |= {"score": sure, "typicality": 0.0, "possible": "a", "decision": "review", "reason": "", "seen": None}
    tables.write_table(pd.DataFrame(columns).astype({"seen": "str"}), out)
    said = dict.fromkeys(("accepted", "out_of_distribution", "unreadable", "promised", "wrong_at_most"), 0)
    said |= {
        "scans": 50,
        "review": 50,
        "reasons": (),
        "threshold": None,
        "candidates": 1,
        "target_error": 0.05,
        "coverage": 0.9,
    }
    said |= {"coverage_per_class": False, "out": str(out)}
    said |= {name: {} for name in ("seen", "notes", "classes", "unreadable_because", "target_missed", "held_out")}
    summary = LabelSummary.parse(said)
    advised = _to_check(summary)
    assert advised == (surest == 0.99)
    assert any("check" in line for line in _promised_lines(summary, to_check=advised)) == advised
    with nullcontext() if advised else pytest.raises(FewscanError, match="least-score"):
        check(out)


def test_nothing_is_overwritten_and_a_senseless_target_is_refused(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    out.write_text("mine")
    with pytest.raises(FewscanError, match="exists"):
        label_unlabeled(run, dataset, out)
    assert out.read_text() == "mine"
    with pytest.raises(FewscanError, match="--target-error"):
        label_unlabeled(run, dataset, tmp_path / "other.csv", Asked(1.5))
    with pytest.raises(FewscanError, match="--coverage"):
        label_unlabeled(run, dataset, tmp_path / "other.csv", Asked(coverage=0))
    with pytest.raises(FewscanError, match=r"\.csv.*\.parquet"):
        label_unlabeled(run, dataset, tmp_path / "labels.txt")
    assert sorted(path.name for path in tmp_path.glob("*.partial")) == []


@pytest.mark.slow
def test_more_scans_than_excel_has_rows_are_refused_before_any_is_labeled(
    run: Run, dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = three_scans(dataset, tmp_path / "pile")
    monkeypatch.setattr(workbooks, "_MOST_ROWS", 2)
    for label_into in (partial(label_unlabeled, run, dataset), partial(label_scans, run, dataset, folder)):
        with monkeypatch.context() as patched, pytest.raises(FewscanError, match=r"labels\.csv"):
            patched.setattr(LabelTable, "add", None)
            label_into(tmp_path / "labels.xlsx")
    assert not list(tmp_path.glob("labels*"))
    assert label_scans(run, dataset, folder, tmp_path / "labels.csv").scans == 3


# Labels a folder with parts of 100 rows each, and is killed once the first part is written.
KILLED = """
import os, signal, sys
from pathlib import Path
from fewscan.labeling import label
from fewscan.training.run import Run
run, folder, out = map(Path, sys.argv[1:])
label.PART_ROWS = 20
add = label.LabelTable.add
label.LabelTable.add = lambda *arguments: (add(*arguments), os.kill(os.getpid(), signal.SIGKILL))
label.label_scans(Run.open(run), Run.open(run).open_dataset(), folder, out)
"""


@pytest.mark.slow  # it starts a process
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_killed_labeling_goes_on_and_ends_with_the_same_table(
    kind: str, run: Run, dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(50):
        PIL.Image.fromarray(dataset.pixels[number, 0]).save(folder / f"{number:05}.bmp")
    (folder / "00010.bmp").write_bytes(b"BM, but no picture")
    out = tmp_path / f"labels.{kind}"
    assert exit_code_of(KILLED, run.folder, folder, out) == -signal.SIGKILL
    parts = tmp_path / f"labels.{kind}.partial"
    assert len(list(parts.glob("part-*.parquet"))) == 1
    assert not out.exists()
    monkeypatch.setattr(label, "PART_ROWS", 20)
    gone_on = label_scans(run, dataset, folder, out)
    assert gone_on.scans == 50
    assert gone_on.unreadable == 1
    assert not parts.exists()
    whole = tmp_path / f"whole.{kind}"
    assert label_scans(run, dataset, folder, whole).model_copy(update={"out": str(out)}) == gone_on
    ours, theirs = read_table(out), read_table(whole)
    assert ours["path"].tolist() == [f"{number:05}.bmp" for number in range(50)]
    np.testing.assert_allclose(ours["score"], theirs["score"], atol=1e-5)
    assert ours["label"].fillna("").tolist() == theirs["label"].fillna("").tolist()


@pytest.mark.slow
def test_a_scan_of_the_dataset_is_not_alike_because_it_was_learned_from(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    odd = dataset.rows("unlabeled")[3]
    pixels = np.array(dataset.pixels)
    pixels[odd] = np.tile(np.arange(pixels.shape[-1], dtype=np.uint8) * 7, (1, pixels.shape[-1], 1))
    strange = replace(dataset, store=SimpleNamespace(pixels=pixels))
    summary = label_unlabeled(run, strange, tmp_path / "labels.csv", Asked(0.1))
    decisions = dict(zip(dataset.rows("unlabeled"), pd.read_csv(tmp_path / "labels.csv")["decision"], strict=True))
    assert decisions[odd] == "out_of_distribution"
    # Nothing was learned from the unlabeled scans: what holds for new ones holds for them.
    assert not any("the promise is for new scans" in reason for reason in summary.reasons)


def test_nor_is_its_file_in_a_folder(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    rows = dataset.rows("unlabeled")[:8]
    (tmp_path / "pile").mkdir()
    for row in rows:
        PIL.Image.fromarray(dataset.pixels[row, 0]).save(tmp_path / "pile" / f"{row:03}.png")
    files = list_place(tmp_path / "pile", dataset.spec, follow_links=False)
    hashes = dataset.manifest["pixels_sha256"].copy()
    hashes.iloc[rows] = [image.pixels_sha256 for image in read_images(files, dataset.spec) if isinstance(image, Image)]
    # That another row has the same pixels, of which nothing was learned, changes nothing.
    hashes.iloc[dataset.rows("test")[-1]] = hashes.iloc[rows[0]]
    assert dataset.rows("test")[-1] > rows[0]
    known = replace(dataset, manifest=dataset.manifest.assign(pixels_sha256=hashes))
    label_scans(run, known, tmp_path / "pile", tmp_path / "labels.csv", near=False)
    gate, pixels = Gate.of(dataset), np.array(dataset.pixels[rows])
    held_out = gate.of_images(pixels, rows)
    assert (held_out < gate.of_images(pixels)).any()
    np.testing.assert_allclose(pd.read_csv(tmp_path / "labels.csv")["typicality"], held_out, rtol=1e-5)
    # All verbs say the same of a scan.
    paths = [file.path for file in files]
    np.testing.assert_allclose(predict_images(run, known, paths).typicality, held_out, rtol=1e-5)
    np.testing.assert_allclose([explain_scan(run, known, path).typicality for path in paths], held_out, rtol=1e-5)


@pytest.mark.slow
def test_files_that_change_meanwhile_are_not_taken_for_the_old_ones(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    out = folder / "labels.csv"
    with pytest.MonkeyPatch.context() as patched:
        # A kill right before the table is whole.
        patched.setattr(LabelTable, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, out)
    assert (folder / "labels.csv.partial").is_dir()
    (folder / "1.png").unlink()
    with pytest.raises(FewscanError, match="with other scans"):
        label_scans(run, dataset, folder, out)
    PIL.Image.fromarray(dataset.pixels[1, 0]).save(folder / "1.png")
    with pytest.raises(FewscanError, match="with other scans"):
        label_scans(run, dataset, folder, out)
    shutil.rmtree(folder / "labels.csv.partial")
    assert label_scans(run, dataset, folder, out).scans == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx"])
def test_a_table_is_replaced_once_the_new_one_is_whole_and_until_then_both_are_kept(
    name: str, run: Run, dataset: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = three_scans(dataset, tmp_path / "scans"), tmp_path / name
    label_scans(run, dataset, folder, out, Asked(0.1))
    old = out.read_bytes()
    (folder / "1.png").unlink()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LabelTable, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, out, Asked(0.1), overwrite=True)
        assert out.read_bytes() == old
        # Without leave to replace it, what grows beside it is kept, too; with other scans, there is leave to begin anew.
        with pytest.raises(FewscanError, match="--overwrite"):
            label_scans(run, dataset, folder, out, Asked(0.1))
        (folder / "2.png").unlink()
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, out, Asked(0.1), overwrite=True)
    assert "continuing" not in capsys.readouterr().err
    assert label_scans(run, dataset, folder, out, Asked(0.1), overwrite=True).scans == 1
    assert "continuing" in capsys.readouterr().err
    assert len(read_table(out)) == 1
    assert not out.with_name(f"{name}.partial").exists()


@pytest.mark.slow
def test_a_table_that_was_begun_for_another_error_is_not_gone_on_with_also_where_neither_accepts_any(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    folder, out = three_scans(dataset, tmp_path / "scans"), tmp_path / "labels.csv"
    asked, other = Asked(0.001), Asked(0.002)
    grounds = Grounds.of(run, dataset)
    assert grounds.rule(asked).threshold is grounds.rule(other).threshold is None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LabelTable, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, out, asked)
    with pytest.raises(FewscanError, match="another run, target"):
        label_scans(run, dataset, folder, out, other)
    assert label_scans(run, dataset, folder, out, asked).target_error == asked.target_error


@pytest.mark.slow
def test_a_table_is_written_by_one_at_a_time_and_its_parts_are_no_scans(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    out = folder / "labels.csv"
    plan = LabelPlan(scans="", version="", model_sha256="", temperature=1, threshold=None, inclusion=(), columns=(), fewscan="")
    with growing(out, "label"):
        table = LabelTable(out, {"path": pa.string()}, plan)
        table.add([{"path": "mine"}])
        with pytest.raises(FewscanError, match="is being written"):
            label_scans(run, dataset, folder, out)
        table.finish(["path"])
    out.unlink()
    # What a killed call has left in the folder that it labels.
    with growing(out, "label"):
        LabelTable(out, {"path": pa.string()}, plan).add([{"path": "mine"}])
    (folder / "labels.csv.partial" / "plan.json").unlink()
    assert label_scans(run, dataset, folder, out).scans == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_name_with_a_carriage_return_stays_one_row(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    names = ["a\rb.png", 'c",d.png']
    for name in names:
        PIL.Image.fromarray(dataset.pixels[0, 0]).save(folder / name)
    label_scans(run, dataset, folder, tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == names


@pytest.mark.slow
def test_parts_that_a_kill_left_beside_a_finished_table_are_removed(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    out = tmp_path / "labels.csv"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "remove_folder", lambda folder: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, out)
    table = out.read_bytes()
    with pytest.raises(FewscanError, match="exists"):
        label_scans(run, dataset, folder, out)
    assert out.read_bytes() == table
    assert not (tmp_path / "labels.csv.partial").exists()


def test_a_labeling_that_is_interrupted_before_its_first_scans_are_kept_leaves_nothing(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    folder = three_scans(dataset, tmp_path / "scans")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LabelTable, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            label_scans(run, dataset, folder, tmp_path / "labels.csv")
    assert not [*tmp_path.glob("labels*")]


@pytest.mark.slow
def test_another_command_does_not_go_on_with_a_table(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    parts = tmp_path / "labels.csv.partial"
    with growing(out, "label"):
        (parts / "plan.json").write_text("{}\n")
        (parts / "part-000000.parquet").touch()
    with pytest.raises(FewscanError, match="started with another"):
        label_unlabeled(run, dataset, out)
    assert parts.is_dir()


@pytest.mark.slow  # 300 scans, since a block is 256
@pytest.mark.skipif(cpu_cores() < 2, reason="one core is one device")
def test_several_devices_write_the_table_of_one(run: Run, dataset: Snapshot, tmp_path: Path, one_thread: None) -> None:
    folder, random = tmp_path / "scans", np.random.default_rng(0)
    folder.mkdir()
    for number in range(300):
        noisy = dataset.pixels[number, 0] // 2 + random.integers(0, 99, dataset.pixels.shape[2:], np.uint8)
        PIL.Image.fromarray(noisy).save(folder / f"{number:03}.png")
    (folder / "260.png").write_bytes(b"no picture")
    with recorded(dataset):
        by_one, by_two = (
            label_scans(run, dataset, folder, tmp_path / f"{devices}.csv", Asked(0.1), near=False, devices=devices)
            for devices in (1, 2)
        )
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert by_one == by_two.model_copy(update={"out": by_one.out})
    assert by_one.unreadable == 1


def test_shares_of_the_datasets_own_scans_are_blocks_of_the_whole(
    run: Run, dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labeler, "BLOCK_SCANS", 32)
    labels, rows = labeler.Labeler.of(run, dataset, Asked(0.1)), dataset.rows("unlabeled")
    whole = list(labeler.Pile(rows).labeled(labels))
    shares = [labeler.Pile(rows).at(places).labeled(labels) for places in places_of_shares(len(rows), 32, 3)]
    assert [next(shares[number % 3]) for number in range(len(whole))] == whole
    assert not any(list(share) for share in shares)


def test_blocks_side_by_side_have_the_labels_of_one_after_the_other(
    run: Run, dataset: Snapshot, torch_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labeler, "BLOCK_SCANS", 16)
    torch_threads(1)
    labels, pile = labeler.Labeler.of(run, dataset, Asked(0.1)), labeler.Pile(dataset.rows("unlabeled"))
    alone = pd.DataFrame(row for block in pile.labeled(labels) for row in block)
    torch_threads(3)
    together = pd.DataFrame(row for block in pile.labeled(labels) for row in block)
    assert len(alone) == 110
    pd.testing.assert_frame_equal(together, alone, check_exact=False, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_limit_on_a_class_is_kept_by_the_table_and_told_or_refused_before_a_table_is_begun(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    for wrong in ({"ring": 0.1, "squar": 0.1}, {"disk": 2.0}):
        with pytest.raises(FewscanError) as refused:
            api.label(run, out=out, target_missed=wrong)
        assert len(refused.value.args) == len(wrong) + (len(wrong) > 1)
    assert not list(tmp_path.glob("labels*"))
    first = run.record.classes[0]
    summary = api.label(run, out=out, target_error=0.1, target_missed={first: 0.2})
    alone = Grounds.of(run, dataset).rule(Asked(0.1))
    assert summary.threshold is not None
    assert alone.threshold is not None
    assert summary.threshold >= alone.threshold
    assert summary.target_missed == {first: 0.2}
    assert set(summary.held_out) == set(run.record.classes)
    held_out = HeldOut.load(run, dataset)
    assert held_out is not None
    assert sum(one.images for one in summary.held_out.values()) <= len(held_out.rows)
    assert any(f"of '{first}'" in reason and "0.2" in reason for reason in summary.reasons)
    shown = _promised_lines(summary, to_check=False)
    assert sum(first in line and summary.held_out[first].missed_share.percent in line for line in shown) == 1
    # Too strict a limit lets nothing be accepted.
    strict = api.label(run, out=tmp_path / "strict.csv", target_error=0.1, target_missed={first: 0.001})
    assert (strict.accepted, strict.threshold, strict.held_out) == (0, None, {})
    assert f"--target-missed {first}=" in strict.reasons[0]
