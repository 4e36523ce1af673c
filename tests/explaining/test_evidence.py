from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.explaining.attribution import heat_map
from fewscan.explaining.evidence import NEIGHBORS, Evidence, explain_scan
from fewscan.images.listing import list_place
from fewscan.images.negatives import NOTE
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.images.formats.dicom_objects import CT, saved
from tests.images.formats.dicom_objects import scan as scan_object
from tests.made import remade


@pytest.fixture
def run(untrained_run: Callable[[Snapshot], Run], split_dataset: Snapshot) -> Run:
    return untrained_run(split_dataset)


def explained(run: Run, dataset: Snapshot, row: int, folder: Path, class_name: str | None = None) -> Evidence:
    path = folder / "patient-4711.png"
    PIL.Image.fromarray(dataset.pixels[row, 0]).save(path)
    return explain_scan(run, dataset, path, class_name)


@pytest.mark.slow
def test_the_scan_is_read_and_predicted_as_the_dataset_holds_it(run: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    row = int(split_dataset.rows("unlabeled")[0])
    evidence = explained(run, split_dataset, row, tmp_path)
    np.testing.assert_array_equal(evidence.pixels, split_dataset.pixels[row])
    predictor = Predictor.of(run)
    expected = predictor.predict(split_dataset.pixels, np.array([row])).probabilities[0]
    np.testing.assert_allclose(evidence.probabilities, expected, atol=1e-6)
    assert evidence.predicted == evidence.explained == split_dataset.classes[int(expected.argmax())]
    expected_map = heat_map(predictor, split_dataset.pixels[row], int(expected.argmax()))
    np.testing.assert_array_equal(evidence.heat_map, expected_map)


@pytest.mark.slow
def test_what_was_changed_of_a_scan_is_noted(
    untrained_run: Callable[[Snapshot], Run], split_dataset: Snapshot, tmp_path: Path
) -> None:
    spec = split_dataset.spec.model_copy(update={"negatives": "undo"})
    dataset = remade(split_dataset, spec=spec)
    head = np.pad(np.full((60, 60), 90, np.uint8), 20)
    PIL.Image.fromarray(head).save(tmp_path / "scan.png")
    PIL.Image.fromarray(255 - head).save(tmp_path / "negative.png")
    run = untrained_run(dataset)
    scan, negative = (explain_scan(run, dataset, tmp_path / f"{name}.png") for name in ("scan", "negative"))
    np.testing.assert_array_equal(scan.pixels, negative.pixels)
    assert scan.notes == ()
    assert negative.notes == (NOTE,)
    assert negative.summary()["notes"] == [NOTE]
    # What is to be known of a file before its pixels are read, too.
    windows = {"WindowCenter": [40, 600], "WindowWidth": [80, 2800]}
    saved(scan_object(head.astype("<u2"), CT, **windows), tmp_path / "ct.dcm")
    (listed,) = list_place(tmp_path / "ct.dcm", dataset.spec, follow_links=False)
    assert listed.notes
    assert explain_scan(run, dataset, tmp_path / "ct.dcm").notes == listed.notes


@pytest.mark.slow
def test_the_nearest_labeled_scans_are_those_with_the_largest_cosine(run: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    row = int(split_dataset.rows("unlabeled")[3])
    evidence = explained(run, split_dataset, row, tmp_path)
    labeled = split_dataset.rows("labeled")
    predictor = Predictor.of(run)
    query = predictor.predict(split_dataset.pixels, np.array([row])).features[0].astype(np.float64)
    bank = predictor.predict(split_dataset.pixels, labeled).features.astype(np.float64)
    distances = 1 - bank @ query / (np.linalg.norm(bank, axis=1) * np.linalg.norm(query))
    order = np.argsort(distances)[:NEIGHBORS]
    assert [neighbor.row for neighbor in evidence.neighbors] == labeled[order].tolist()
    assert [neighbor.distance for neighbor in evidence.neighbors] == pytest.approx(distances[order].tolist(), abs=1e-5)
    for neighbor in evidence.neighbors:
        assert neighbor.label == split_dataset.manifest["label"][neighbor.row]
        np.testing.assert_array_equal(neighbor.pixels, split_dataset.pixels[neighbor.row])


def test_a_labeled_scan_finds_itself_first(run: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    row = int(split_dataset.rows("labeled")[5])
    nearest = explained(run, split_dataset, row, tmp_path).neighbors[0]
    assert nearest.row == row
    assert 0 <= nearest.distance < 1e-6


@pytest.mark.slow
def test_another_class_can_be_asked_about_and_an_unknown_one_is_refused(
    run: Run, split_dataset: Snapshot, tmp_path: Path
) -> None:
    evidence = explained(run, split_dataset, 0, tmp_path, "pituitary")
    assert evidence.explained == "pituitary"
    expected = heat_map(Predictor.of(run), split_dataset.pixels[0], split_dataset.classes.index("pituitary"))
    np.testing.assert_array_equal(evidence.heat_map, expected)
    with pytest.raises(FewscanError, match="did you mean 'pituitary'"):
        explained(run, split_dataset, 0, tmp_path, "pituitry")


@pytest.mark.slow
def test_a_scan_out_of_distribution_has_no_map_unless_a_class_is_asked_about(
    run: Run, split_dataset: Snapshot, tmp_path: Path
) -> None:
    stripes = np.tile(np.arange(16, dtype=np.uint8) * 15, (16, 1))
    PIL.Image.fromarray(stripes).save(tmp_path / "stripes.png")
    evidence = explain_scan(run, split_dataset, tmp_path / "stripes.png")
    assert evidence.out_of_distribution
    assert evidence.heat_map is None
    assert evidence.summary()["out_of_distribution"]
    assert evidence.summary()["explained"] is None
    asked = explain_scan(run, split_dataset, tmp_path / "stripes.png", "glioma")
    assert asked.out_of_distribution
    assert asked.heat_map is not None


@pytest.mark.slow
def test_label_and_explain_ask_the_same_gate(run: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    rule = Grounds.of(run, split_dataset).rule(Asked(0.2))
    test = split_dataset.rows("test")[:4]
    pixels = np.concatenate([split_dataset.pixels[test], np.random.default_rng(0).integers(0, 256, (2, 1, 16, 16), np.uint8)])
    decisions = rule.decide(pixels).decisions
    for number, (image, decision) in enumerate(zip(pixels, decisions, strict=True)):
        PIL.Image.fromarray(image[0]).save(tmp_path / f"{number}.png")
        evidence = explain_scan(run, split_dataset, tmp_path / f"{number}.png")
        assert evidence.out_of_distribution == (decision == "out_of_distribution")
    assert {"out_of_distribution"} < set(decisions)


def test_a_file_that_is_no_scan_is_refused_with_its_reason(run: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(FewscanError, match=r"notes\.png cannot be explained: not an image"):
        explain_scan(run, split_dataset, tmp_path / "notes.png")
    with pytest.raises(FewscanError, match="is a folder"):
        explain_scan(run, split_dataset, tmp_path)
    with pytest.raises(FewscanError, match="no such file"):
        explain_scan(run, split_dataset, tmp_path / "nowhere.png")


@pytest.mark.slow
def test_one_image_of_a_file_that_holds_several_is_explained_by_its_name(
    run: Run, split_dataset: Snapshot, tmp_path: Path
) -> None:
    pages = [PIL.Image.fromarray(split_dataset.pixels[row, 0]) for row in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    evidence = explain_scan(run, split_dataset, tmp_path / "pages.tif#page=2")
    np.testing.assert_array_equal(evidence.pixels, split_dataset.pixels[1])
    with pytest.raises(FewscanError, match="more than one image"):
        explain_scan(run, split_dataset, tmp_path / "pages.tif")
    pages[2].save(tmp_path / "scan#page=2.png")
    np.testing.assert_array_equal(
        explain_scan(run, split_dataset, tmp_path / "scan#page=2.png").pixels, split_dataset.pixels[2]
    )


@pytest.mark.slow
def test_a_scan_of_the_sealed_part_is_noted_and_said_and_no_other(
    run: Run, split_dataset: Snapshot, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    explained(run, split_dataset, int(split_dataset.rows("unlabeled")[0]), tmp_path)
    assert run.test_openings() == {}
    assert "opened" not in capfd.readouterr().err
    first, second = split_dataset.rows("test")[:2].tolist()
    explained(run, split_dataset, first, tmp_path)
    assert run.test_openings() == {"explain": 1}
    assert "opens the test set" in capfd.readouterr().err
    # The same picture again shows nothing more; another class's or another scan's does.
    explained(run, split_dataset, first, tmp_path)
    assert run.test_openings() == {"explain": 1}
    explained(run, split_dataset, first, tmp_path, "pituitary")
    explained(run, split_dataset, second, tmp_path)
    assert run.test_openings() == {"explain": 3}


@pytest.mark.slow
def test_the_summary_names_scans_by_row_by_file_only_if_that_is_asked_for_and_never_a_patient(
    run: Run, split_dataset: Snapshot, tmp_path: Path
) -> None:
    evidence = explained(run, split_dataset, 0, tmp_path)
    summary = evidence.summary()
    assert sum(summary["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert [neighbor["row"] for neighbor in summary["neighbors"]] == [neighbor.row for neighbor in evidence.neighbors]
    assert "4711" not in str(summary)
    assert not any("name" in neighbor for neighbor in summary["neighbors"])
    assert [neighbor["name"] for neighbor in evidence.summary(names=True)["neighbors"]] == [
        split_dataset.file_names[neighbor.row] for neighbor in evidence.neighbors
    ]


@pytest.mark.slow
def test_few_labels_give_few_neighbors(
    untrained_run: Callable[[Snapshot], Run], make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(40), labeled=4, test=12, validation=0)
    evidence = explained(untrained_run(dataset), dataset, 0, tmp_path)
    assert {neighbor.row for neighbor in evidence.neighbors} == set(dataset.rows("labeled").tolist())
