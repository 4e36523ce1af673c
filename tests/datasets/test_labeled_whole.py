"""A label that was given once for a study with several images is known to be so, until somebody labels an image by itself."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans, plan_import, summary
from fewscan.images.labeled_whole import origin_alone, whole_of
from fewscan.wording import each_counted
from tests.images.test_header_numbers import add_slices, elements, table


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three slices of study `one`, two of `two`, and one of `later`."""
    for study, slices in (("one", 3), ("two", 2), ("later", 1)):
        add_slices(tmp_path / "scans", study, slices)
    return tmp_path / "scans"


def by(number: str, **labels: str) -> str:
    rows = [f"{elements(study, 1)[number]},{label}\n" for study, label in labels.items()]
    return f"{number},label\n" + "".join(rows)


def imported(scans: Path, text: str, **options: object) -> Dataset:
    made = {"labels": [table(scans, text)]} if text else {}
    return import_scans([str(scans)], scans.parent / "data", size_px=32, workers=1, **made, **options)


def wholes(dataset: Dataset) -> dict[str, str | None]:
    """Of each labeled image, by its file's name, what its label was given for."""
    manifest = Dataset.open(dataset.folder).unsplit().manifest
    labeled = manifest[manifest["label"].notna()]
    names = [path.rpartition("/")[2].removesuffix(".dcm") for path in labeled["path"]]
    return dict(zip(names, map(whole_of, labeled["label_from"]), strict=True))


@pytest.mark.parametrize(
    ("number", "whole"),
    [("AccessionNumber", "study"), ("StudyInstanceUID", "study"), ("SeriesInstanceUID", "series"), ("SOPInstanceUID", None)],
)
def test_a_row_is_of_a_whole_only_where_it_means_several_images(scans: Path, number: str, whole: str | None) -> None:
    found = wholes(imported(scans, by(number, one="glioma", later="normal")))
    assert found["one_1"] == whole
    assert found["later_1"] is None, "a study of one image is that image"


def test_a_row_of_a_patient_is_of_all_studies_of_that_patient(scans: Path) -> None:
    found = wholes(imported(scans, by("PatientID", one="glioma", two="normal")))
    assert found == dict.fromkeys(["one_1", "one_2", "one_3", "two_1", "two_2", "later_1"], "patient")


def test_a_localizer_beside_it_makes_no_study_of_one_image_a_whole(scans: Path) -> None:
    add_slices(scans / "localizer", "later", 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SOPInstanceUID="1.2.826.9")
    dataset = imported(scans, by("AccessionNumber", one="glioma", later="normal"))
    assert wholes(dataset)["later_1"] is None
    dataset.labels.set(table(scans, by("AccessionNumber", one="normal", later="glioma")))
    assert wholes(dataset)["later_1"] is None


def test_a_label_of_one_image_replaces_that_of_its_study(scans: Path) -> None:
    dataset = imported(scans, by("AccessionNumber", one="glioma", two="normal"))
    dataset.labels.set(int(dataset.labels.find("one_2.dcm")[0]), "normal", who="Ada")
    dataset.labels.set(table(scans, "path,label\none_3.dcm,normal\n"))
    assert wholes(dataset) == {"one_1": "study", "one_2": None, "one_3": None, "two_1": "study", "two_2": "study"}


def test_a_table_of_images_says_how_many_labels_it_leaves_to_their_studies(scans: Path) -> None:
    dataset = imported(scans, by("AccessionNumber", one="glioma", later="normal"))
    of_images = "path,label\none_1.dcm,glioma\none_2.dcm,glioma\none_3.dcm,normal\nlater_1.dcm,normal\n"
    assert dataset.labels.set(table(scans, of_images), dry_run=True).summary()["unchanged_of_wholes"] == 2
    of_studies = by("AccessionNumber", one="glioma")
    assert dataset.labels.set(table(scans, of_studies)).summary()["unchanged_of_wholes"] == 0
    read = dataset.labels.set(table(scans, of_images), who="Ada", reading=True).summary()
    assert (read["unchanged_of_wholes"], wholes(dataset)["one_1"]) == (0, None)


def test_somebody_who_reads_each_image_confirms_what_the_study_says(scans: Path) -> None:
    dataset = imported(scans, by("AccessionNumber", one="glioma"))
    dataset.labels.set(table(scans, "path,label\none_1.dcm,glioma\n"), who="Ada", reading=True)
    assert wholes(dataset) == {"one_1": None, "one_2": "study", "one_3": "study"}


def test_a_table_for_a_dataset_says_of_what_its_rows_are_and_is_undone_at_once(scans: Path) -> None:
    dataset = imported(scans, "", no_label=["scans"])
    before = wholes(dataset)
    dataset.labels.set(table(scans, by("AccessionNumber", one="glioma", later="normal")))
    assert wholes(dataset) == {"one_1": "study", "one_2": "study", "one_3": "study", "later_1": None}
    dataset.labels.undo()
    assert wholes(dataset) == before


def test_scans_that_are_added_have_labels_of_wholes_too(scans: Path) -> None:
    from fewscan.api import add_scans

    dataset = imported(scans, by("AccessionNumber", one="glioma", two="normal"))
    more = scans.parent / "more"
    add_slices(more, "four", 2)
    add_scans(dataset, [str(more)], labels=[table(scans, by("AccessionNumber", four="glioma"))], workers=1)
    assert wholes(dataset)["four_1"] == "study"


def test_a_study_in_a_folder_of_its_own_was_sorted_as_a_whole(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    add_slices(scans / "glioma" / "P001", "one", 2)
    add_slices(scans / "normal" / "P002", "two", 2)
    assert set(wholes(imported(scans, "")).values()) == {"study"}


def test_slices_right_in_a_folder_of_their_class_may_have_been_put_there_one_by_one(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    add_slices(scans / "glioma", "one", 2)
    add_slices(scans / "normal", "two", 2)
    assert set(wholes(imported(scans, "")).values()) == {None}


def test_a_study_in_folders_of_two_classes_was_sorted_image_by_image(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    add_slices(scans / "glioma" / "P001", "one", 3)
    (scans / "normal" / "P001").mkdir(parents=True)
    (scans / "glioma" / "P001" / "one_3.dcm").rename(scans / "normal" / "P001" / "one_3.dcm")
    assert set(wholes(imported(scans, "")).values()) == {None}


def test_a_row_that_names_a_folder_or_a_file_with_several_images(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    pages = [PIL.Image.fromarray(np.random.default_rng(page).integers(0, 255, (40, 40), np.uint8)) for page in range(5)]
    (scans / "case").mkdir(parents=True)
    pages[0].save(scans / "stack.tif", save_all=True, append_images=pages[1:2])
    for number in (2, 3):
        pages[number].save(scans / "case" / f"{number}.png")
    pages[4].save(scans / "alone.png")
    dataset = imported(scans, "path,label\nstack.tif,glioma\ncase,normal\nalone.png,glioma\n")
    found = wholes(dataset)
    assert (found["2.png"], found["3.png"], found["alone.png"]) == ("folder", "folder", None)
    assert [whole for name, whole in found.items() if name.startswith("stack")] == ["file", "file"]


def test_each_class_is_counted_in_patients_where_these_are_known(scans: Path, tmp_path: Path) -> None:
    by_study = by("AccessionNumber", one="glioma", two="normal", later="normal")
    [plan] = plan_import([str(scans)], labels=[table(scans, by_study)], workers=1).sources
    assert (plan.classes, plan.class_patients) == ({"glioma": 3, "normal": 3}, {"glioma": 1, "normal": 1})
    dataset = imported(scans, by_study)
    assert summary(dataset.snapshot()).class_patients == {"glioma": 1, "normal": 1}
    assert summary(dataset.snapshot()).classes == {"glioma": 3, "normal": 3}


def test_patients_stand_beside_images_only_where_they_are_known() -> None:
    assert each_counted({"glioma": 150, "normal": 3}, patients={"glioma": 13}) == "glioma (150, 13 patients) and normal (3)"


def test_an_origin_without_what_it_is_of() -> None:
    assert origin_alone("a (whole study).csv (whole study)") == "a (whole study).csv"
    assert whole_of("a (whole study).csv") is None
