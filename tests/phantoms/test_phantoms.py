import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewscan.errors import FewscanError
from fewscan.phantoms import CLASSES, VIEWS, Phantom, PracticeScans, draw_phantom, write_practice_scans

SIZE_PX = 128


def draw(label: str, seed: int, size_px: int = SIZE_PX) -> Phantom:
    return draw_phantom(np.random.default_rng([seed, CLASSES.index(label)]), label, size_px=size_px)


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    """50 heads of every class, one class after the other in turn."""
    return [draw(label, seed) for seed in range(50) for label in CLASSES]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> PracticeScans:
    folder = tmp_path_factory.mktemp("written")
    return write_practice_scans(
        folder / "scans", images=100, seed=3, copies=0.2, wrong_labels=0.25, truth=folder / "truth.json"
    )


def accuracy_on_new_heads(features: np.ndarray, labels: np.ndarray) -> float:
    """Fit a linear classifier on two thirds of the heads and score it on the rest."""
    cut = 2 * len(labels) // 3
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    return float(classifier.fit(features[:cut], labels[:cut]).score(features[cut:], labels[cut:]))


@pytest.mark.parametrize("label", CLASSES)
def test_one_seed_gives_one_picture_and_another_seed_another(label: str) -> None:
    first, again, other = draw(label, 7), draw(label, 7), draw(label, 8)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.tumor_mask, again.tumor_mask)
    assert not np.array_equal(first.pixels, other.pixels)


@pytest.mark.parametrize("size_px", [32, 64, 101])
def test_pixels_and_mask_have_the_size_asked_for(size_px: int) -> None:
    for label in CLASSES:
        phantom = draw(label, 1, size_px)
        assert phantom.pixels.shape == phantom.tumor_mask.shape == (size_px, size_px)
        assert phantom.pixels.dtype == np.uint8
        assert phantom.tumor_mask.dtype == np.bool_


@pytest.mark.slow
def test_mask_is_empty_without_tumor_and_one_lesion_with_one(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        if phantom.label == "no_tumor":
            assert not phantom.tumor_mask.any()
        else:
            pieces, count = ndimage.label(phantom.tumor_mask)
            areas = np.bincount(pieces.ravel())[1:]
            assert count >= 1
            assert areas.max() >= 40
            assert areas.max() >= 0.8 * areas.sum()


@pytest.mark.slow
def test_every_class_is_drawn_in_every_view(phantoms: list[Phantom]) -> None:
    counts = Counter((phantom.label, phantom.view) for phantom in phantoms)
    assert set(counts) == {(label, view) for label in CLASSES for view in VIEWS}
    assert min(counts.values()) > 8  # 17 expected of each


@pytest.mark.slow
def test_pictures_fill_the_gray_scale_and_leave_air_dark(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        assert np.quantile(phantom.pixels, 0.99) > 130
        corner = phantom.pixels[:6, -6:]
        assert corner.mean() < 60


@pytest.mark.slow
def test_a_glioma_lies_inside_the_brain_away_from_the_skull(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        if phantom.label == "glioma":
            to_skull_px = ndimage.distance_transform_edt(phantom.cavity_mask)
            assert to_skull_px[phantom.tumor_mask].min() > 2


def test_a_head_whose_deepest_part_lies_at_the_sella_still_gets_a_glioma() -> None:
    # The one state in a hundred thousand practice scans that once found no place for the tumor.
    rng = np.random.default_rng()
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": 79940816496403291897492560890271987051, "inc": 87136372517582989555478159403783844777},
        "has_uint32": 1,
        "uinteger": 1314380955,
    }
    assert draw_phantom(rng, "glioma", size_px=96).tumor_mask.any()


def test_a_meningioma_lies_within_the_skull_and_touches_it_broadly(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        if phantom.label == "meningioma":
            assert not (phantom.tumor_mask & ~phantom.cavity_mask).any()
            rim = phantom.cavity_mask & ~ndimage.binary_erosion(phantom.cavity_mask)
            assert (phantom.tumor_mask & rim).sum() >= 6


@pytest.mark.slow
def test_a_pituitary_tumor_lies_on_the_midline_at_the_skull_base(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        if phantom.label != "pituitary":
            continue
        row, column = ndimage.center_of_mass(phantom.tumor_mask)
        rows, columns = np.nonzero(phantom.cavity_mask)
        height, width = np.ptp(rows), np.ptp(columns)
        # It stands on the edge of the cavity, or partly in the pit beyond it ...
        assert ndimage.distance_transform_edt(phantom.cavity_mask)[phantom.tumor_mask].min() <= 3
        # ... which in the axial view is the front (up), in the others the floor (down).
        if phantom.view == "axial":
            assert row < rows.min() + 0.55 * height
        else:
            assert row > rows.min() + 0.5 * height
        if phantom.view == "sagittal":
            assert abs(column - columns.min() - 0.38 * width) < 0.2 * width
        else:
            assert abs(column - columns.min() - 0.5 * width) < 0.15 * width


@pytest.mark.slow
def test_a_tumor_can_be_told_from_what_surrounds_it(phantoms: list[Phantom]) -> None:
    """In most heads the lesion is brighter or darker than its surroundings; faint ones are allowed, and wanted."""
    differences = []
    for phantom in phantoms:
        if phantom.tumor_mask.any():
            near = ndimage.binary_dilation(phantom.tumor_mask, iterations=6) & phantom.cavity_mask & ~phantom.tumor_mask
            differences.append(abs(float(phantom.pixels[phantom.tumor_mask].mean()) - float(phantom.pixels[near].mean())))
    assert np.median(differences) > 20


@pytest.mark.slow
def test_a_linear_classifier_on_pixels_stays_under_70_percent(phantoms: list[Phantom]) -> None:
    small = [np.asarray(Image.fromarray(phantom.pixels).resize((32, 32), Image.Resampling.BOX)) for phantom in phantoms]
    features = np.stack(small).reshape(len(phantoms), -1).astype(np.float64)
    assert accuracy_on_new_heads(features, np.array([phantom.label for phantom in phantoms])) < 0.7


def test_the_class_cannot_be_read_from_brightness_size_or_place_of_the_head(phantoms: list[Phantom]) -> None:
    features = []
    for phantom in phantoms:
        histogram = np.bincount(phantom.pixels.ravel() // 8, minlength=32) / phantom.pixels.size
        rows, columns = np.nonzero(phantom.cavity_mask)
        shape = (rows.min(), rows.max(), columns.min(), columns.max(), len(rows))
        features.append([phantom.pixels.mean(), phantom.pixels.std(), *histogram, *shape])
    accuracy = accuracy_on_new_heads(np.array(features), np.array([phantom.label for phantom in phantoms]))
    assert accuracy < 0.4  # chance is 0.25


def test_different_heads_are_not_alike(phantoms: list[Phantom]) -> None:
    small = [np.asarray(Image.fromarray(phantom.pixels).resize((32, 32), Image.Resampling.BOX)) for phantom in phantoms]
    rows = np.stack(small).reshape(len(phantoms), -1).astype(np.float64)
    correlation = np.corrcoef(rows)
    np.fill_diagonal(correlation, 0)
    assert correlation.max() < 0.985


def test_an_unknown_class_and_a_tiny_size_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(FewscanError, match="choose from glioma"):
        draw_phantom(rng, "Glioma")
    with pytest.raises(FewscanError, match="32 px or more"):
        draw_phantom(rng, "glioma", size_px=16)


@pytest.mark.slow
def test_written_files_are_the_ones_described(written: PracticeScans) -> None:
    found = {path.relative_to(written.folder).as_posix() for path in written.folder.rglob("*") if path.is_file()}
    assert found == {scan.path for scan in written.scans}
    assert len(found) == 100
    assert {scan.filed_as for scan in written.scans} == set(CLASSES)
    for scan in written.scans:
        with Image.open(written.folder / scan.path) as image:
            assert image.mode == "L"
            assert image.format == {".png": "PNG", ".jpg": "JPEG"}[Path(scan.path).suffix]
            if scan.tumor_box_px is None:
                assert scan.label == "no_tumor"
            else:
                left, top, right, bottom = scan.tumor_box_px
                assert 0 <= left < right <= image.width
                assert 0 <= top < bottom <= image.height


@pytest.mark.slow
def test_copies_and_wrong_labels_are_as_many_as_asked_for(written: PracticeScans) -> None:
    assert len(written.copies) == 20
    assert len(written.wrong_labels) == 5
    assert all(scan.copy_of is not None for scan in written.wrong_labels)
    heads = [scan for scan in written.scans if scan.copy_of is None]
    assert Counter(scan.label for scan in heads) == dict.fromkeys(CLASSES, 20)
    by_path = {scan.path: scan for scan in written.scans}
    originals = [by_path[scan.copy_of] for scan in written.copies if scan.copy_of is not None]
    assert len({scan.path for scan in originals}) == 20
    assert all(scan.copy_of is None for scan in originals)
    assert [scan.label for scan in originals] == [scan.label for scan in written.copies]
    assert [scan.view for scan in originals] == [scan.view for scan in written.copies]


def test_a_copy_shows_the_head_of_its_original(written: PracticeScans) -> None:
    def thumbnail(path: str) -> np.ndarray:
        with Image.open(written.folder / path) as image:
            return np.asarray(image.resize((24, 24), Image.Resampling.BOX), dtype=np.float64)

    for scan in written.copies:
        assert scan.copy_of is not None
        original, copy = thumbnail(scan.copy_of), thumbnail(scan.path)
        if "mirror" in scan.changes:
            copy = copy[:, ::-1]
        if "crop" not in scan.changes:
            assert np.corrcoef(original.ravel(), copy.ravel())[0, 1] > 0.97
        same_bytes = (written.folder / scan.path).read_bytes() == (written.folder / scan.copy_of).read_bytes()
        assert same_bytes == (scan.changes == ("none",))


def test_the_truth_is_written_where_asked_and_only_there(written: PracticeScans) -> None:
    rows = json.loads((written.folder.parent / "truth.json").read_text())
    assert [row["path"] for row in rows] == [scan.path for scan in written.scans]
    assert sum(row["wrong_label"] for row in rows) == len(written.wrong_labels)
    assert sorted(path.name for path in written.folder.iterdir()) == sorted(CLASSES)


@pytest.mark.slow
def test_one_seed_writes_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    def contents(name: str, seed: int) -> dict[str, bytes]:
        written = write_practice_scans(tmp_path / name, images=24, seed=seed, size_px=48, copies=0.25)
        return {scan.path: (written.folder / scan.path).read_bytes() for scan in written.scans}

    first = contents("first", 0)
    assert contents("again", 0) == first
    assert contents("other", 1) != first


def test_nothing_is_overwritten_and_nothing_half_made(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(FewscanError, match="exists"):
        write_practice_scans(taken, images=8)
    with pytest.raises(FewscanError, match="exists"):
        write_practice_scans(tmp_path / "new", images=8, truth=taken)
    assert list(tmp_path.iterdir()) == [taken]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": 3}, "too few"),
        ({"copies": 0.9}, "copies"),
        ({"wrong_labels": -0.1}, "wrong_labels"),
        ({"size_px": 8}, "32 px"),
        ({"seed": -1}, "seed"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, float], message: str) -> None:
    with pytest.raises(FewscanError, match=message):
        write_practice_scans(tmp_path / "scans", **settings)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
