"""Scans that are labeled have the numbers of their patients, who have one answer each; patients who come again are known."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fewscan import api
from fewscan.cli.labeling import _seen_lines
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.evaluate import evaluate
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.patient_keys import KEYS_FILE
from fewscan.images.sources import Source
from fewscan.labeling.label import LabelSummary, label_scans, label_unlabeled
from fewscan.labeling.seen import KNOWN_PATIENT, LEARNED_FROM
from fewscan.labeling.table import LabelTable, read_table
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.images.formats.dicom_objects import saved, scan

COUNTS = ["scans", "scans_counted", "scans_accepted", "scans_review", "scans_seen"]


def write_scan(path: Path, number: int, patient: str, study: str = "") -> None:
    values = np.random.default_rng(number).integers(0, 4000, (16, 16)).astype("<u2")
    own = "1." + ".".join(str(ord(sign)) for sign in patient)  # a UID is of digits
    saved(scan(values, PatientID=patient, StudyInstanceUID=study or own), path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Sixteen patients of two scans each, of two classes; the last two have a scan without a label each."""
    folder = tmp_path_factory.mktemp("home")
    for number in range(32):
        kind = "none" if number in (29, 31) else "ab"[number // 2 % 2]
        write_scan(folder / "scans" / kind / f"{number:02}.dcm", number, f"{number // 2}")
    api.import_scans([folder / "scans"], folder / "data", size_px=16, no_label=["none"])
    api.audit(folder / "data")
    return Dataset.open(folder / "data")


@pytest.fixture
def dataset(home: Dataset) -> Snapshot:
    whole = home.unsplit()
    return split(whole, test=8, validation=0)


@pytest.fixture
def run(dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    return untrained_run(dataset)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Three new patients, the second with one scan, in files that are called otherwise, and files of nobody known."""
    for number, patient in enumerate(["P1", "P2", "p1 ", "P3", "P3"]):
        write_scan(tmp_path / "new" / f"{number}.dcm", 100 + number, patient)
    (tmp_path / "new" / "5.dcm").write_bytes((tmp_path / "new" / "4.dcm").read_bytes()[:1500])
    for number in (6, 7):
        PIL.Image.fromarray(np.random.default_rng(number).integers(0, 255, (16, 16), np.uint8)).save(
            tmp_path / "new" / f"{number}.png"
        )
    return tmp_path / "new"


def labeled(run: Run, dataset: Snapshot, place: Path, out: Path, **how: object) -> tuple[LabelSummary, pd.DataFrame]:
    summary = label_scans(run, dataset, place, out, near=False, **how)  # type: ignore[arg-type]
    return summary, summary.table().set_index("path")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_each_patient_has_one_answer_by_the_mean_of_the_scans_that_count(
    kind: str, run: Run, dataset: Snapshot, new: Path, tmp_path: Path
) -> None:
    summary, table = labeled(run, dataset, new, tmp_path / f"labels.{kind}")
    numbers = table["patient"].to_dict()
    assert [numbers[f"{number}.dcm"] for number in range(5)] == [1, 2, 1, 3, 3]
    assert table.loc[["6.png", "7.png"], "patient"].isna().all()
    assert summary.patients is not None
    assert (summary.patients.patients, summary.patients.several, summary.patients.called) == (3, 2, "patient")
    assert Path(summary.patients.out) == tmp_path / f"labels.patients.{kind}"
    answers = summary.patients.table()
    assert answers["patient"].tolist() == [1, 2, 3]
    assert answers["path"].tolist() == ["0.dcm", "1.dcm", "3.dcm"]
    columns = ["probability_a", "probability_b"]
    counts = table["decision"].isin(["accept", "review"])
    means = table[counts].groupby("patient")[columns].mean()
    for _, row in answers.iterrows():
        own = table[table["patient"] == row["patient"]]
        assert row["scans"] == len(own)
        assert row["scans_counted"] == counts[own.index].sum()
        assert row["scans_review"] == (own["decision"] == "review").sum()
        assert row["scans_accepted"] == (own["decision"] == "accept").sum()
        if row["scans_counted"]:
            mean = means.loc[row["patient"]]
            np.testing.assert_allclose(row[columns].astype(float), mean, atol=2e-6)
            assert row["label"] == mean.idxmax().removeprefix("probability_")
    # No name of a patient is in it.
    text = (tmp_path / f"labels.patients.{kind}").read_bytes() + (tmp_path / f"labels.{kind}").read_bytes()
    assert b"P1" not in text
    assert summary.patients.sentence.endswith("not measured")


@pytest.mark.slow
def test_what_was_measured_of_such_answers_is_said(run: Run, dataset: Snapshot, new: Path, tmp_path: Path) -> None:
    run.log({"epoch": 1})
    score = evaluate(run, dataset)
    summary, _ = labeled(run, dataset, new, tmp_path / "labels.csv")
    assert score.patients is not None
    assert summary.patients is not None
    assert score.patients.brief in summary.patients.sentence
    assert score.place in summary.patients.sentence


@pytest.mark.slow
def test_a_patient_whose_scans_are_all_out_of_distribution_or_unreadable_has_no_answer(
    run: Run, dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        write_scan(tmp_path / "new" / f"{number}.dcm", 200 + number, "P1")
    add = LabelTable.add
    odd = {"decision": "out_of_distribution"}
    monkeypatch.setattr(LabelTable, "add", lambda table, rows: add(table, [{**row, **odd} for row in rows]))
    summary, _ = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv")
    assert summary.patients is not None
    (answer,) = summary.patients.table().to_dict("records")
    assert pd.isna(answer["label"])
    assert pd.isna(answer["probability_a"])
    assert [answer[name] for name in COUNTS] == [2, 0, 0, 0, 0]


@pytest.mark.slow
def test_slices_of_a_volume_are_one_and_without_several_scans_of_anybody_there_is_no_second_table(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    folder, out = tmp_path / "new", tmp_path / "labels.csv"
    write_scan(folder / "0.dcm", 300, "P1")
    _, table = labeled(run, dataset, folder, out)
    assert table["patient"].tolist() == [1]
    assert not (tmp_path / "labels.patients.csv").exists()
    volume = np.random.default_rng(0).integers(0, 900, (16, 16, 12)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "head.nii.gz")
    summary, table = labeled(run, dataset, folder, out, overwrite=True)
    assert table["patient"].tolist() == [1] + [2] * 12
    assert summary.patients is not None
    assert summary.patients.called == "patient or volume"
    # One that is replaced by a table without patients of several scans does not stay beside it.
    (folder / "head.nii.gz").unlink()
    assert labeled(run, dataset, folder, out, overwrite=True)[0].patients is None
    assert not (tmp_path / "labels.patients.csv").exists()


@pytest.mark.slow
def test_a_call_that_was_stopped_between_both_tables_goes_on_and_somebody_elses_file_is_refused(
    run: Run, dataset: Snapshot, new: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "labels.patients.csv"
    beside.write_text("mine")
    with pytest.raises(FewscanError, match=r"labels\.patients\.csv"):
        labeled(run, dataset, new, tmp_path / "labels.csv")
    assert beside.read_text() == "mine"
    beside.unlink()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LabelTable, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            labeled(run, dataset, new, tmp_path / "labels.csv")
    assert beside.exists()
    assert not (tmp_path / "labels.csv").exists()
    summary, table = labeled(run, dataset, new, tmp_path / "labels.csv")
    assert not (tmp_path / "labels.csv.partial").exists()
    whole, again = labeled(run, dataset, new, tmp_path / "whole.csv")
    assert (tmp_path / "labels.patients.csv").read_bytes() == (tmp_path / "whole.patients.csv").read_bytes()
    assert table["patient"].tolist()[:5] == again["patient"].tolist()[:5] == [1, 2, 1, 3, 3]
    assert summary.scans == whole.scans


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_to_overwrite_a_table_does_not_touch_what_is_somebody_elses_beside_it(
    kind: str, run: Run, dataset: Snapshot, new: Path, tmp_path: Path
) -> None:
    beside, out = tmp_path / f"labels.patients.{kind}", tmp_path / f"labels.{kind}"
    beside.write_text("mine")
    with pytest.raises(FewscanError, match=r"labels\.patients"):
        labeled(run, dataset, new, out, overwrite=True)
    # Where there is no second table, nothing is in its way.
    for number in range(5):
        (new / f"{number}.dcm").unlink()
    (new / "5.dcm").unlink()
    for overwrite in (False, True):
        assert labeled(run, dataset, new, out, overwrite=overwrite)[0].patients is None
        assert beside.read_text() == "mine"


@pytest.mark.slow
def test_a_table_of_patients_that_is_left_over_is_not_kept_beside_another_table(
    run: Run, dataset: Snapshot, new: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    labeled(run, dataset, new, out)
    out.unlink()
    for number in range(6):
        (new / f"{number}.dcm").unlink()
    with pytest.raises(FewscanError, match=r"labels\.patients\.csv .*--overwrite"):
        labeled(run, dataset, new, out)
    labeled(run, dataset, new, out, overwrite=True)
    assert not (tmp_path / "labels.patients.csv").exists()


@pytest.mark.slow
def test_a_patient_of_whom_the_run_has_learned_is_marked_when_new_scans_come(
    run: Run, dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients = dataset.manifest["path"].str.extract(r"(\d+)\.dcm")[0].astype(int) // 2
    learned, tested = patients[dataset.rows("labeled")].iloc[0], patients[dataset.rows("test")].iloc[0]
    for number, patient in enumerate([f"{learned}", f"0{learned}", f"{tested}", "P1"]):
        write_scan(tmp_path / "new" / f"{number}.dcm", 400 + number, patient, study=f"9.{number}")
    summary, table = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv")
    assert table["seen"].fillna("").tolist() == [KNOWN_PATIENT, KNOWN_PATIENT, "", ""]
    assert summary.seen == {KNOWN_PATIENT: 2}
    assert f"2 {KNOWN_PATIENT}" in _seen_lines(summary)[0]
    assert summary.patients is not None
    assert summary.patients.table()["scans_seen"].tolist() == [2, 0, 0]
    # Without the file of the dataset's patients nobody is recognized, which is said.
    hidden = dataset.folder / "hidden"
    (dataset.folder / KEYS_FILE).rename(hidden)
    try:
        summary, table = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv", overwrite=True)
    finally:
        hidden.rename(dataset.folder / KEYS_FILE)
    assert table["seen"].isna().all()
    assert table["patient"].tolist() == [1, 1, 2, 3]
    assert any(KEYS_FILE in reason for reason in summary.reasons)


@pytest.mark.slow
def test_a_table_that_began_where_nobody_was_recognized_is_not_gone_on_with_where_patients_are(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    learned = int(dataset.manifest["path"].str.extract(r"(\d+)\.dcm")[0].iloc[dataset.rows("labeled")[0]]) // 2
    write_scan(tmp_path / "new" / "0.dcm", 600, f"{learned}", study="9.0")
    keys, hidden = dataset.folder / KEYS_FILE, dataset.folder / "hidden"
    keys.rename(hidden)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LabelTable, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv")
    finally:
        hidden.rename(keys)
    with pytest.raises(FewscanError, match="--overwrite"):
        labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv")
    summary, table = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv", overwrite=True)
    assert table["seen"].tolist() == [KNOWN_PATIENT]
    assert summary.promised == 0


@pytest.mark.slow
def test_of_the_datasets_own_scans_those_are_marked_whose_patient_has_a_label(
    run: Run, dataset: Snapshot, tmp_path: Path
) -> None:
    assert len(dataset.rows("unlabeled"))
    summary = label_unlabeled(run, dataset, tmp_path / "labels.csv")
    whose = dataset.manifest["patient"].to_numpy(object)
    taught = np.isin(whose[dataset.rows("unlabeled")].astype(str), whose[dataset.rows("labeled")].astype(str))
    assert taught.any()
    assert (summary.table()["seen"] == KNOWN_PATIENT).tolist() == taught.tolist()
    assert f"{taught.sum()} {KNOWN_PATIENT}" in _seen_lines(summary, own=True)[0]
    assert not _seen_lines(summary.model_copy(update={"seen": {LEARNED_FROM: 5}}), own=True)


@pytest.mark.slow
def test_where_anonymizing_gave_all_one_number_studies_tell_patients_apart(run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    for number in range(4):
        write_scan(tmp_path / "new" / f"{number}.dcm", 500 + number, "ANON", study=f"8.{number // 2}")
    summary, table = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv")
    assert table["patient"].tolist() == [1, 1, 1, 1]
    assert any("--patient-tag study" in reason for reason in summary.reasons)
    summary, table = labeled(run, dataset, tmp_path / "new", tmp_path / "labels.csv", patient_tag="study", overwrite=True)
    assert table["patient"].tolist() == [1, 1, 2, 2]
    assert not any("--patient-tag" in reason for reason in summary.reasons)


@pytest.mark.slow
def test_numbers_of_patients_mean_nothing_to_an_import_and_the_table_of_patients_gives_no_labels(
    run: Run, dataset: Snapshot, new: Path, tmp_path: Path
) -> None:
    labeled(run, dataset, new, tmp_path / "labels.csv")
    accepted = read_table(tmp_path / "labels.csv").assign(decision="accept")
    accepted[accepted["label"].notna()].to_csv(tmp_path / "accepted.csv", index=False)
    how = ImportOptions(labels=(tmp_path / "accepted.csv",), trust_predictions=True)
    plain, by_labels = (list_scans([Source("new", new)], asked) for asked in (ImportOptions(), how))
    assert any(one.label is not None for one in by_labels)
    assert [one.patient for one in by_labels] == [one.patient for one in plain]
    for options in ({}, {"trust_predictions": True}):
        with pytest.raises(FewscanError, match=r"labels\.patients\.csv"):
            api.import_scans(new, tmp_path / "other", labels=tmp_path / "labels.patients.csv", size_px=16, **options)
