from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.today import today
from fewscan.explaining.evidence_check import (
    EVIDENCE_FILE,
    EvidenceCheck,
    check_evidence,
    shortcut_check,
    without_border,
)
from fewscan.explaining.hiding import HidingCheck, HidingFigures, hide, hiding_check, top_tenth, untrained_predictor
from fewscan.models.network import Outputs
from fewscan.splits.split import split
from fewscan.training import images
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.smaller import hide_in_steps_of

SIZE_PX = 32


@pytest.fixture(autouse=True)
def larger_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches of 49 places instead of 225: what is compared is a map with a search that is as long."""
    hide_in_steps_of(1 / 8, 1 / 4, monkeypatch)


class RegionNetwork(nn.Module):
    """Two classes, told apart by the brightness of a region alone: bright is class 1."""

    def __init__(self, region: np.ndarray) -> None:
        super().__init__()
        self.region = torch.from_numpy(region)

    def forward(self, images: Tensor) -> Outputs:
        brightness = images[:, 0, self.region].mean(dim=1)
        logits = torch.stack([torch.zeros_like(brightness), 20 * (brightness - 0.5)], dim=1)
        return Outputs(brightness[:, None], brightness[:, None], logits)


def region_predictor(region: np.ndarray) -> Predictor:
    return Predictor(RegionNetwork(region), torch.device("cpu"))  # type: ignore[arg-type]


def square() -> np.ndarray:
    region = np.zeros((SIZE_PX, SIZE_PX), dtype=np.bool_)
    region[14:20, 8:14] = True
    return region


def frame() -> np.ndarray:
    region = np.ones((SIZE_PX, SIZE_PX), dtype=np.bool_)
    region[2:-2, 2:-2] = False
    return region


def scans(region: np.ndarray, images: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Noise, in every second image with the region bright, and the labels that say so."""
    pixels = np.random.default_rng(0).integers(40, 100, size=(images, 1, SIZE_PX, SIZE_PX), dtype=np.uint8)
    labels = np.arange(images) % 2
    pixels[labels == 1, 0] += (140 * region).astype(np.uint8)
    return pixels, labels


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """A tenth of the pixels or fewer, wherever."""
    mask = np.zeros(SIZE_PX**2, dtype=np.bool_)
    places = draw(st.lists(st.integers(0, SIZE_PX**2 - 1), max_size=round(0.1 * SIZE_PX**2)))
    mask[places] = True
    return mask.reshape(SIZE_PX, SIZE_PX)


@settings(max_examples=40, deadline=None)
@given(masks(), st.integers(0, 2**32 - 1))
def test_nothing_of_what_is_hidden_is_left_and_all_else_stays(mask: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels, other = random.integers(0, 256, size=(2, 3, SIZE_PX, SIZE_PX), dtype=np.uint8)
    other[:, ~mask] = pixels[:, ~mask]
    (hidden,) = hide(pixels, mask[np.newaxis])
    np.testing.assert_array_equal(hidden, hide(other, mask[np.newaxis])[0])
    np.testing.assert_array_equal(hidden[:, ~mask], pixels[:, ~mask])
    assert hidden.min() >= pixels[:, ~mask].min()
    assert hidden.max() <= pixels[:, ~mask].max()


@settings(max_examples=20, deadline=None)
@given(masks(), st.integers(0, 255))
def test_hiding_in_an_even_scan_changes_nothing(mask: np.ndarray, value: int) -> None:
    pixels = np.full((1, SIZE_PX, SIZE_PX), value, dtype=np.uint8)
    np.testing.assert_array_equal(hide(pixels, mask[np.newaxis])[0], pixels)


@pytest.mark.parametrize("size_px", [16, 64, 100])
def test_the_deepest_hole_of_a_tenth_is_filled(size_px: int) -> None:
    rows, columns = np.indices((size_px, size_px))
    corner = top_tenth(-(rows.astype(np.float32) ** 2 + columns**2))
    (hidden,) = hide(np.full((1, size_px, size_px), 90, dtype=np.uint8), corner[np.newaxis])
    assert (hidden == 90).all()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float32, (20, 20), elements=st.floats(-5, 5, width=32)))
def test_the_top_tenth_is_a_tenth_and_holds_the_largest(values: np.ndarray) -> None:
    top = top_tenth(values)
    assert top.sum() == 40
    assert values[top].min() >= values[~top].max()


def test_border_and_corners_are_black_and_the_rest_is_as_it_was() -> None:
    images = np.full((2, 1, 20, 20), 7, dtype=np.uint8)
    masked = without_border(torch.from_numpy(images)).numpy()[0, 0]
    rows, columns = np.indices((20, 20))
    down, right = np.minimum(rows, 19 - rows), np.minimum(columns, 19 - columns)
    black = (down < 2) | (right < 2) | (down + right < 6)
    np.testing.assert_array_equal(masked == 0, black)
    assert (masked[~black] == 7).all()
    assert (images == 7).all()


class InBlocks(np.ndarray):
    """Images that refuse to be read more than a few at once."""

    most = 7

    def __getitem__(self, asked: Any) -> Any:
        found = np.asarray(self).__getitem__(asked)
        assert len(found) <= self.most
        return found


def test_the_score_without_a_border_is_that_of_all_images_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = scans(frame() | square(), images=40)
    rows = np.random.default_rng(1).permutation(40)[:31]
    predictor = region_predictor(frame() | square())
    groups = np.arange(31) // 2
    monkeypatch.setattr(images, "PREDICT_BATCH", 7)
    found = shortcut_check(predictor, pixels.view(InBlocks), rows, labels[rows], groups)
    black = without_border(torch.from_numpy(pixels[rows])).numpy()
    right = [predictor.predict(shown).probabilities.argmax(axis=1) == labels[rows] for shown in (pixels[rows], black)]
    assert [found.accuracy.value, found.masked_accuracy.value] == [float(each.mean()) for each in right]
    assert found.accuracy.value > found.masked_accuracy.value
    said = predictor.predict(pixels.view(InBlocks), rows, without_border)
    np.testing.assert_array_equal(said.probabilities, predictor.predict(black).probabilities)


class Blind(nn.Module):
    """Says the same of every scan."""

    def forward(self, images: Tensor) -> Outputs:
        same = torch.zeros(len(images), 2)
        return Outputs(same, same, same)


def blind_predictor() -> Predictor:
    return Predictor(Blind(), torch.device("cpu"))  # type: ignore[arg-type]


@pytest.mark.slow  # two searches a scan
def test_hiding_where_the_map_points_costs_more_than_any_place_found_elsewhere() -> None:
    pixels, labels = scans(square(), 12)
    groups = np.arange(len(labels))
    check = hiding_check(region_predictor(square()), blind_predictor(), pixels, groups, labels, groups)
    assert (check.images, check.groups) == (12, 12)
    found = check.network
    # All of the bright square is within the top tenth, and nothing elsewhere speaks for it; a dark one looks alike everywhere.
    assert found.map_drop.value is not None
    assert found.map_drop.value > 0.4
    assert found.searched_drop.value is not None
    assert found.difference.value == pytest.approx(found.map_drop.value - found.searched_drop.value)
    assert check.untrained.difference.value == 0
    assert check.above_untrained.value == pytest.approx(found.difference.value)
    assert check.passed
    assert check == hiding_check(region_predictor(square()), blind_predictor(), pixels, groups, labels, groups)


@pytest.mark.slow  # two searches a scan
def test_no_network_is_surer_than_one_like_itself_and_a_blind_one_has_nothing_to_point_at() -> None:
    pixels, labels = scans(square(), 12)
    groups = np.arange(len(labels))
    itself = hiding_check(region_predictor(square()), region_predictor(square()), pixels, groups, labels, groups)
    assert not itself.passed
    assert "untrained" in itself.verdict
    blind = hiding_check(blind_predictor(), blind_predictor(), pixels, groups, labels, groups)
    assert blind.network.difference.value == 0
    assert not blind.passed
    # A network that sees the square but calls it by chance has learned nothing either.
    chance = np.random.default_rng(0).permutation(labels)
    assert not hiding_check(region_predictor(square()), blind_predictor(), pixels, groups, chance, groups).passed


@pytest.mark.slow  # two searches a scan
def test_a_trained_network_passes_and_an_untrained_one_does_not(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    dataset = split(make_dataset(160), labeled=80, test=40, validation=0.25)
    # Flipped, an image of these classes is one of another.
    views = {"minimum_crop": 0.9, "flip_probability": 0.0}
    quick = {"epochs": 5, "passes": 4, "batch_size": 32, "device": "cpu", "views": views, "encoder": {"width": 16}}
    run = Run.create(
        tmp_path / "run", RunSettings.resolve("supervised", "fewscan", quick, labeled=60, unlabeled=40), dataset, 0
    )
    untrained = Predictor(run.first_network(), torch.device("cpu"))
    fit(run, dataset, resume=False)
    rows = dataset.rows("test")[:12]
    labels, groups = dataset.labels[rows], dataset.groups[rows]
    other = untrained_predictor(run, torch.device("cpu"))
    assert hiding_check(Predictor.of(run), other, dataset.pixels, rows, labels, groups).passed
    assert not hiding_check(untrained, other, dataset.pixels, rows, labels, groups).passed


def test_a_score_that_lives_on_the_frame_is_lost_with_it_and_one_from_within_is_not() -> None:
    for region, masked_accuracy in ((frame(), 0.5), (square(), 1.0)):
        pixels, labels = scans(region)
        check = shortcut_check(region_predictor(region), pixels, np.arange(24), labels, np.arange(24) // 2)
        assert (check.images, check.groups) == (24, 12)
        assert check.accuracy.value == check.balanced_accuracy.value == 1
        assert check.masked_accuracy.value == check.masked_balanced_accuracy.value == masked_accuracy
        assert check.accuracy_difference.value == check.balanced_accuracy_difference.value == 1 - masked_accuracy


@pytest.mark.slow
def test_a_run_is_checked_on_the_sealed_part_and_the_result_kept(
    untrained_run: Callable[[Snapshot], Run], make_dataset: Callable[..., Snapshot]
) -> None:
    dataset = split(make_dataset(40), labeled=12, test=13)
    run = untrained_run(dataset)
    assert EvidenceCheck.load(run) is None
    now = Dataset.open(dataset.folder)
    withdrawn, *rows = dataset.rows("test")
    now.labels.enter([withdrawn], [None], origin="review")
    check = check_evidence(run, today(dataset, now))
    assert EvidenceCheck.load(run) == check
    assert check.test_openings == 1
    assert "explain" in (run.folder / "test_openings.jsonl").read_text()
    # As for evaluate, the labels are those of today.
    assert (check.hiding.images, check.shortcut.images, check.since_training.without_label) == (12, 12, 1)
    calls = Predictor.of(run).predict(dataset.pixels, rows).probabilities.argmax(axis=1)
    assert check.shortcut.accuracy.value == pytest.approx((calls == dataset.labels[rows]).mean())
    (run.folder / EVIDENCE_FILE).write_text("{}")
    with pytest.raises(FewscanError, match=r"explain .* --check"):
        EvidenceCheck.load(run)


def test_maps_are_said_to_mean_something_only_where_both_intervals_are_above_nothing() -> None:
    def figures(low: float) -> HidingFigures:
        found = Interval(value=low + 0.1, low=low, high=low + 0.2)
        return HidingFigures(map_drop=found, searched_drop=found, difference=found)

    def check(difference: float, above: float) -> HidingCheck:
        above_untrained = figures(above).difference
        return HidingCheck(
            images=40, groups=40, places=9, network=figures(difference), untrained=figures(0), above_untrained=above_untrained
        )

    passed, no_better, nothing = check(0.1, 0.1), check(0.1, -0.05), check(-0.05, 0.1)
    assert [one.passed for one in (passed, no_better, nothing)] == [True, False, False]
    assert len({one.verdict for one in (passed, no_better, nothing)}) == 3
