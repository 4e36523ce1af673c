"""Work in Python: tables, predictions of files and arrays, and what a notebook shows."""

from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.trained import TrainedRun
from fewscan.images.listing import list_place
from fewscan.images.negatives import NOTE
from fewscan.images.one_scan import read_scan, read_scans
from fewscan.images.readers import UnreadableImage
from fewscan.training.run import Run
from tests.images.formats.dicom_objects import CT, saved, scan
from tests.made import remade


@pytest.fixture
def run(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> TrainedRun:
    made = untrained_run(split_dataset)
    made.log({"epoch": 1, "seconds": 1.0, "loss": 0.5})
    return fewscan.open_run(made.folder)


@pytest.mark.slow
def test_arrays_files_and_the_datasets_own_pixels_give_the_same(
    run: TrainedRun, split_dataset: Snapshot, tmp_path: Path
) -> None:
    pixels = np.array(split_dataset.pixels[:3, 0])
    files = []
    for number, image in enumerate(pixels):
        files.append(tmp_path / f"{number}.png")
        PIL.Image.fromarray(image).save(files[-1])
    expected = Predictor.of(run).predict(split_dataset.pixels[:3])
    for images in (pixels, list(pixels), files):
        predicted = run.predict(images)
        np.testing.assert_allclose(predicted.probabilities.to_numpy(), expected.probabilities, atol=1e-6)
        np.testing.assert_allclose(predicted.features, expected.features, atol=1e-5)
        assert predicted.typicality.shape == (3,)
    assert list(predicted.probabilities.columns) == list(split_dataset.classes)
    assert list(predicted.table.index) == [str(file) for file in files]
    assert len(run.predict(files[0]).table) == 1


@pytest.mark.slow
def test_what_was_changed_of_an_image_is_noted_and_shown_whole(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    spec = split_dataset.spec.model_copy(update={"negatives": "undo"})
    run = fewscan.open_run(untrained_run(remade(split_dataset, spec=spec)).folder)
    head = np.pad(np.full((60, 60), 90, np.uint8), 20)
    files = [tmp_path / name for name in ("scan.png", "negative.png", "windows.dcm")]
    PIL.Image.fromarray(head).save(files[0])
    PIL.Image.fromarray(255 - head).save(files[1])
    saved(scan(head.astype("<u2"), CT, WindowCenter=[40, 600], WindowWidth=[80, 2800]), files[2])
    (listed,) = list_place(files[2], spec, follow_links=False)
    (window,) = listed.notes
    said = run.predict(files)
    assert said.notes == ((), (NOTE,), (window,))
    assert said.table["note"].fillna("none").tolist() == ["none", NOTE, window]
    np.testing.assert_array_equal(said.features[0], said.features[1])
    for page in (repr(said), unescape(said._repr_html_())):
        assert all(f"{note} (1 image)" in page for note in (NOTE, window))
    assert run.predict([head, 255 - head]).notes == ((), (NOTE,))


@pytest.mark.slow
def test_an_open_run_is_an_encoder(run: TrainedRun, split_dataset: Snapshot) -> None:
    of_run, of_folder = (fewscan.embed(split_dataset.folder, encoder=encoder).features for encoder in (run, run.folder))
    np.testing.assert_array_equal(of_run, of_folder)


@pytest.mark.slow
def test_images_of_any_size_are_fitted_and_what_is_none_is_one_line(run: TrainedRun, tmp_path: Path) -> None:
    sizes = [np.full((20, 33), 7, np.uint8), np.full((64, 8), 9, np.uint8)]
    assert len(run.predict(sizes).table) == 2
    color = np.zeros((9, 9, 3), np.uint8)
    for wrong in (np.zeros((4, 4)), [np.zeros((2, 3, 4, 5), np.uint8)], [color], color, []):
        with pytest.raises(FewscanError) as refused:
            run.predict(wrong)
        assert "\n" not in str(refused.value)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(FewscanError, match="not an image"):
        run.predict(tmp_path / "text.png")
    for several in ([tmp_path / "text.png", sizes[0]], [sizes[0], tmp_path / "text.png"]):
        with pytest.raises(FewscanError, match="files alone, or arrays alone"):
            run.predict(several)  # type: ignore[arg-type]
    with pytest.raises(FewscanError, match="no such file"):
        run.predict(tmp_path / "nowhere.png")
    with pytest.raises(FewscanError, match="not a regular file"):
        run.predict(tmp_path)
    with pytest.raises(FewscanError, match="too long"):
        run.predict(tmp_path / ("x" * 300 + ".png"))


def test_many_scans_are_read_as_each_alone_and_what_is_wrong_with_one_is_said_of_it(
    split_dataset: Snapshot, tmp_path: Path
) -> None:
    spec = split_dataset.spec
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        stack = np.random.default_rng(len(folder)).integers(0, 256, (3, 20, 20), np.uint8)
        np.save(tmp_path / folder / "stack.npy", stack)
    saved(scan(stack[0].astype("<u2"), CT, WindowCenter=[40, 600], WindowWidth=[80, 2800]), tmp_path / "windows.dcm")
    one, two = tmp_path / "one" / "stack.npy", tmp_path / "two" / "stack.npy"
    (known,) = list_place(tmp_path / "windows.dcm", spec, follow_links=False)
    paths = [Path(f"{one}#image=2"), Path(f"{one}#image=0"), Path(f"{two}#image=2"), known.path, Path(f"{one}#image=2")]
    together = list(read_scans(paths, spec))
    for path, image in zip(paths, together, strict=True):
        alone = read_scan(path, spec)
        assert not isinstance(image, UnreadableImage)
        np.testing.assert_array_equal(image.pixels, alone.pixels)
        assert image.notes == alone.notes
    assert known.notes
    assert set(known.notes) <= set(read_scan(known.path, spec).notes)
    wrong = [Path(f"{one}#image=1"), Path(f"{one}#image=9"), one, tmp_path / "nowhere.dcm"]
    said = list(read_scans(wrong, spec))
    assert [isinstance(image, UnreadableImage) for image in said] == [False, True, True, True]


def test_tables_hold_what_the_folders_hold(run: TrainedRun, split_dataset: Snapshot) -> None:
    dataset = fewscan.open_dataset(split_dataset.folder)
    assert dataset.table().equals(split_dataset.manifest)
    assert run.history()["loss"].tolist() == [0.5]


@pytest.mark.slow
def test_what_a_notebook_shows_is_short_and_names_no_file(run: TrainedRun, split_dataset: Snapshot) -> None:
    dataset = fewscan.open_dataset(split_dataset.folder)
    for shown in (dataset, split_dataset, run):
        assert len(repr(shown)) < 300
    predicted = run.predict(np.zeros((1, 9, 9), np.uint8))
    assert repr(predicted) == repr(predicted.table)
    for page in (dataset._repr_html_(), run._repr_html_(), predicted._repr_html_()):
        assert page.startswith("<")
        assert ".png" not in page
    assert dataset._repr_html_().count("<img") == 4 * 6


@pytest.mark.slow
def test_train_returns_a_run_to_work_with(split_dataset: Snapshot, tmp_path: Path) -> None:
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 1, "device": "cpu", "probe_images": 0}
    trained = fewscan.train(split_dataset, method="supervised", out=tmp_path / "run", **quick)
    assert len(trained.history()) == 1
    assert len(trained.predict(np.array(split_dataset.pixels[:2, 0])).table) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_labels_are_a_table(name: str, run: TrainedRun, split_dataset: Snapshot, tmp_path: Path) -> None:
    summary = fewscan.label(run, out=tmp_path / name)
    table = summary.table()
    assert len(table) == summary.scans == len(split_dataset.rows("unlabeled"))
    assert set(table["decision"]) <= {"accept", "review", "out_of_distribution"}
