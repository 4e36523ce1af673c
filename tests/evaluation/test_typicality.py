import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal

from benchmarks.non_scans import NEED_SCIKIT_IMAGE, TESTED_WITH, as_a_dataset_holds_it, of_kind
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation import typicality as module
from fewscan.evaluation.image_statistics import ImageStatistics, in_parts
from fewscan.evaluation.typicality import Density, Gate, Typicality
from fewscan.images.options import ImageSpec
from fewscan.images.readers import fitted
from fewscan.splits.split import split
from fewscan.splits.support import OUT_OF_DISTRIBUTION
from tests.made import write_dataset

WHOLE = ImageSpec(size_px=48)
CROPPED = ImageSpec(size_px=48, crop="foreground", negatives="undo")


@pytest.fixture(scope="module")
def gate(practice_dataset: Snapshot) -> Gate:
    return Gate.of(practice_dataset)


@pytest.fixture(scope="module")
def cropped_gate(make_dataset: Callable[..., Snapshot], practice_pixels: np.ndarray) -> Gate:
    """That of the same scans, imported as scans with empty borders are: a picture's border is cut away, too."""
    pixels = np.stack([fitted(scan[0], CROPPED) for scan in practice_pixels])
    return Gate.of(split(make_dataset(pixels=pixels), labeled=240, test=100))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in TESTED_WITH if kind not in NEED_SCIKIT_IMAGE])
def test_what_is_no_scan_is_out_of_distribution(gate: Gate, cropped_gate: Gate, practice_pixels: np.ndarray, kind: str) -> None:
    pictures = of_kind(kind, 8, practice_pixels[:, 0])
    for learned, spec in ((gate, WHOLE), (cropped_gate, CROPPED)):
        held = np.stack([as_a_dataset_holds_it(picture, spec) for picture in pictures])
        assert learned.out_of_distribution(held).all()


@pytest.mark.slow
def test_few_new_scans_are_out_of_distribution(gate: Gate, practice_dataset: Snapshot) -> None:
    assert gate.out_of_distribution(practice_dataset.pixels[practice_dataset.rows("test")]).mean() < 0.06


def test_the_limit_keeps_to_its_false_alarms_over_draws_of_groups_of_any_size() -> None:
    random = np.random.default_rng(0)
    alarms = []
    for _ in range(300):
        groups = np.repeat(np.arange(150), random.integers(1, 8, 150))
        held_out = random.normal(size=150)[groups]
        alarms.append((random.normal(size=500) < module._limit(held_out, groups)).mean())
    # Within four standard errors of the mean of so many draws.
    assert np.mean(alarms) == pytest.approx(OUT_OF_DISTRIBUTION, abs=4 * np.std(alarms) / np.sqrt(300) + 1 / 151)


@pytest.mark.slow
def test_many_copies_of_an_odd_image_do_not_make_it_typical(make_dataset: Callable[..., Snapshot]) -> None:
    clean = make_dataset(120)
    pixels = np.array(clean.pixels)
    pixels[:30] = np.tile(np.arange(16, dtype=np.uint8) * 15, (1, 16, 1))
    groups = [0] * 30 + list(range(1, 91))
    dataset = split(make_dataset(pixels=pixels, groups=groups), labeled=40, test=12, protocol="study")
    gate = Gate.of(dataset)
    odd = gate.rows[dataset.groups[gate.rows] == 0]
    assert gate.out_of_distribution(pixels[odd], odd).all()


def test_a_single_group_calls_nothing_out_of_distribution(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = split(make_dataset(40, groups=[0] * 40), labeled=20, test=8, protocol="study")
    gate = Gate.of(dataset)
    assert gate.limit == -math.inf
    assert not gate.out_of_distribution(np.zeros((3, 1, 16, 16), dtype=np.uint8)).any()


@pytest.mark.slow
def test_an_image_is_not_typical_because_it_was_learned_from(make_dataset: Callable[..., Snapshot]) -> None:
    pixels = np.array(make_dataset(60).pixels)
    pixels[7] = np.tile(np.arange(16, dtype=np.uint8) * 15, (1, 16, 1))
    dataset = split(make_dataset(pixels=pixels), labeled=16, test=4)
    gate = Gate.of(dataset)
    rows = dataset.rows("labeled", "unlabeled", "validation")
    held_out, plain = gate.of_images(pixels[rows], rows), gate.of_images(pixels[rows])
    assert held_out[rows == 7] < plain[rows == 7]
    # Rows that it was not made from are as any image is.
    test = dataset.rows("test")
    np.testing.assert_array_equal(gate.of_images(pixels[test], test), gate.of_images(pixels[test]))


def made_of(dataset: Snapshot, in_color: np.ndarray, folder: Path) -> Gate:
    """A gate of the same images, of which those in `in_color` showed color before they became gray, or nobody knows."""
    manifest = dataset.manifest.assign(color=pd.array(in_color, dtype="boolean"))
    return Gate.of(write_dataset(folder, np.array(dataset.pixels), manifest))


def test_what_shows_color_is_unlike_gray_scans_and_still_as_few_of_these_are_called_so(
    practice_dataset: Snapshot, tmp_path: Path
) -> None:
    pixels, rows = practice_dataset.pixels, practice_dataset.rows("labeled", "unlabeled", "validation")
    gate = made_of(practice_dataset, np.zeros(len(pixels), bool), tmp_path / "gray")
    some = rows[:20]
    typical = gate.of_images(pixels[some])
    assert gate.out_of_distribution(pixels[some], in_color=np.ones(20, bool)).all()
    np.testing.assert_array_equal(gate.of_images(pixels[some], in_color=np.zeros(20, bool)), typical)
    assert gate.notes(True)
    assert not gate.notes(False)
    # A few of those that it learned from show color: no more of them all are called so than without.
    few = np.zeros(len(pixels), bool)
    few[rows[: int(0.01 * len(rows))]] = True
    assert few.any()
    with_few = made_of(practice_dataset, few, tmp_path / "few")
    assert with_few.gray
    assert (with_few.held_out[np.isin(with_few.rows, np.flatnonzero(few))] < with_few.limit).all()
    assert (with_few.held_out < with_few.limit).mean() <= OUT_OF_DISTRIBUTION


@pytest.mark.parametrize("shown", [0.03, None])
def test_color_counts_for_nothing_where_scans_show_it_or_nobody_has_looked(
    practice_dataset: Snapshot, tmp_path: Path, shown: float | None
) -> None:
    images = len(practice_dataset.pixels)
    in_color = np.full(images, None, object) if shown is None else np.arange(images) % round(1 / shown) == 0
    gate = made_of(practice_dataset, in_color, tmp_path / "dataset")
    some = practice_dataset.pixels[:20]
    np.testing.assert_array_equal(gate.of_images(some, in_color=np.ones(20, bool)), gate.of_images(some))
    assert not gate.notes(True)


@pytest.mark.parametrize(("others", "groups"), [(48, [17]), (97, [6, 4]), (97, [3, 9])])
def test_where_color_alone_reaches_the_limit_it_counts_for_nothing(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, others: int, groups: list[int]
) -> None:
    """Just so many groups show color, of as many images each as let a sum of their shares round either way."""
    numbers = np.append(np.repeat(np.arange(len(groups)), groups), len(groups) + np.arange(others))
    noise = np.random.default_rng(0).integers(0, 256, (len(numbers), 1, 16, 16), dtype=np.uint8)
    manifest = make_dataset(pixels=noise, groups=numbers.tolist()).manifest
    in_color = pd.array(np.arange(len(numbers)) < sum(groups), dtype="boolean")
    gate = Gate.of(write_dataset(tmp_path / "dataset", noise, manifest.assign(color=in_color, split="labeled")))
    assert len(gate.rows) == len(numbers)
    assert np.isfinite(gate.limit)
    assert not gate.gray


def test_the_test_set_has_no_share_in_it(gate: Gate, practice_dataset: Snapshot) -> None:
    assert not np.isin(gate.rows, practice_dataset.rows("test")).any()


def test_the_density_is_that_of_a_normal_distribution() -> None:
    random = np.random.default_rng(0)
    values = (random.normal(size=(60, 12)) @ random.normal(size=(12, 12))).astype(np.float32)
    density = Density.fitted(values, np.repeat([0, 1, 2], 4))
    axes, variances, noise = (getattr(density, name).numpy() for name in ("axes", "variances", "noise"))
    assert axes.shape == (12, 6)
    covariance = axes * (variances - noise) @ axes.T + noise * np.eye(12)
    centered = (values - density.mean.numpy()) * density.scale.numpy()
    expected = multivariate_normal(np.zeros(12), covariance).logpdf(centered) / 12
    np.testing.assert_allclose(density(torch.from_numpy(values)).numpy(), expected, rtol=1e-6)
    # Each family of statistics has the same share in the variance.
    assert centered.var(axis=0).reshape(3, 4).sum(axis=1) == pytest.approx([1 / 3] * 3, rel=1e-5)


@pytest.mark.parametrize(("channels", "size_px"), [(1, 16), (3, 50), (1, 7), (1, 64)])
def test_statistics_do_not_depend_on_other_images_and_any_size_has_them(channels: int, size_px: int) -> None:
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (6, channels, size_px, size_px), dtype=np.uint8))
    statistics = ImageStatistics(channels, size_px)
    together = statistics(images)
    assert together.shape == (6, len(statistics.families))
    torch.testing.assert_close(together, torch.cat([statistics(image[None]) for image in images]), atol=1e-5, rtol=1e-5)
    many = torch.from_numpy(random.integers(0, 256, (2 + (3 << 20) // images[0].numel(), *images.shape[1:]), dtype=np.uint8))
    parts = in_parts(many)
    assert len(parts) > 3
    torch.testing.assert_close(torch.cat([statistics(part) for part in parts]), statistics(many), atol=1e-5, rtol=1e-5)
    assert torch.isfinite(statistics(torch.zeros(1, channels, size_px, size_px, dtype=torch.uint8))).all()


def test_statistics_are_what_a_plain_loop_finds() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (1, 1, 32, 32), dtype=np.uint8)
    statistics = ImageStatistics(1, 32)
    thumbnail, means, histogram, gradients, spectrum = (
        statistics(torch.from_numpy(image))[0][torch.from_numpy(statistics.families == family)].numpy() for family in range(5)
    )
    gray = image[0, 0].astype(np.float64)
    cells = gray.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(means, cells.ravel() / 255, rtol=1e-5)
    np.testing.assert_allclose(histogram**2, np.bincount(image.ravel() // 8, minlength=32) / 1024, atol=1e-6)
    small = gray.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(thumbnail, (small - small.mean()) / np.linalg.norm(small - small.mean()), atol=1e-5)
    down = np.abs(np.diff((gray - gray.mean()) / gray.std(), axis=0))
    # The first of 4 x 4 places: 31 / 4 rows down, a part of one among them, and 8 columns across.
    first = (down[:7, :8].mean(axis=1).sum() + 0.75 * down[7, :8].mean()) / 7.75
    assert gradients[0] == pytest.approx(np.log(first + 0.02), abs=1e-4)
    powers = np.abs(np.fft.fft2((gray - gray.mean()) / gray.std()) / gray.size) ** 2
    # Waves that fall to the right, then those that rise: as many down, the other way across.
    falling, rising = powers[:8, :8].ravel()[1:], powers[1:8, -1:-8:-1].ravel()
    np.testing.assert_allclose(spectrum, np.log(np.append(falling, rising) + 1e-6), atol=2e-4)


def test_a_wave_is_found_wherever_it_begins() -> None:
    statistics = ImageStatistics(1, 64)
    places = 3 * np.arange(64)[:, None] + 2 * np.arange(64)
    waves = [128 + 60 * np.cos(2 * np.pi * (places + start) / 64) for start in (0, 9, 31)]
    images = torch.from_numpy(np.stack(waves).round().astype(np.uint8)[:, None])
    spectra = statistics(images)[:, torch.from_numpy(statistics.families == 4)]
    assert (spectra.argmax(dim=1) == 3 * 8 + 2 - 1).all()
    torch.testing.assert_close(spectra.amax(dim=1), spectra.amax(dim=1)[:1].expand(3), atol=1e-2, rtol=0)


def test_a_saved_one_says_the_same(gate: Gate, practice_pixels: np.ndarray, tmp_path: Path) -> None:
    gate.typicality.save(tmp_path / "typicality.safetensors")
    opened = Typicality.load(tmp_path / "typicality.safetensors", 1, 48)
    np.testing.assert_array_equal(opened.of(practice_pixels[:20]), gate.typicality.of(practice_pixels[:20]))
    assert float(opened.limit) == gate.limit


def test_of_very_many_images_some_stand_for_all(make_dataset: Callable[..., Snapshot], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = split(make_dataset(60), labeled=16, test=4)
    monkeypatch.setattr(module, "REFERENCE_IMAGES", 30)
    gate = Gate.of(dataset)
    assert len(gate.rows) == 30
    assert np.isin(gate.rows, dataset.rows("labeled", "unlabeled", "validation")).all()
    assert (np.diff(gate.rows) > 0).all()
