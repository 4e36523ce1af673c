import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

from benchmarks.audit_changes import CHANGES as ALL_CHANGES
from fewscan.auditing.copies import DEFAULT_SIMILARITY, CopyPairs, described, find_copies
from fewscan.auditing.copies.compare import likeness
from fewscan.auditing.copies.describe import fit_projection, histograms, put_onto_itself
from fewscan.auditing.copies.placing import SYMMETRIES, UNMOVED, VIEWS, combined, from_pixels, in_pixels, placed, placing_of
from fewscan.datasets.pairs import components
from fewscan.errors import FewscanError
from fewscan.phantoms import CLASSES, draw_phantom

Picture = npt.NDArray[np.uint8]
SIZE_PX = 96
# Practice scans for each change.
EACH = 3
HEADS = 21


def head(seed: int, size_px: int = 160) -> Picture:
    """A skull with folds in it: all heads have nearly the same outline, so that only what is inside tells them apart."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    radius = np.hypot(x / random.uniform(0.68, 0.72), y / random.uniform(0.82, 0.86))
    folds = sum(gaussian_filter(random.normal(size=(size_px, size_px)), sigma) * sigma for sigma in (2.5, 5, 12))
    brain = 90 + 30 * folds / folds.std()
    image = np.where(radius < 0.88, brain, np.where(radius < 1, 210, 8)) + random.normal(0, 3, (size_px, size_px))
    return np.clip(image, 0, 255).astype(np.uint8)


def stored(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR))


def contrast(picture: Picture) -> Picture:
    return np.clip((picture.astype(float) - 80) * 1.5 + 60, 0, 255).astype(np.uint8)


def brightness(picture: Picture) -> Picture:
    return np.clip(picture.astype(float) + 35, 0, 255).astype(np.uint8)


def gamma(picture: Picture) -> Picture:
    return (255 * (picture / 255) ** 0.6).astype(np.uint8)


def sharpen(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.UnsharpMask(2, 150, 0)))


def halve(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((picture.shape[1] // 2, picture.shape[0] // 2)))


def double(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((picture.shape[1] * 2, picture.shape[0] * 2)))


def crop(picture: Picture) -> Picture:
    high, wide = picture.shape
    return picture[int(0.11 * high) : int(0.97 * high), int(0.02 * wide) : int(0.9 * wide)]


def mirror(picture: Picture) -> Picture:
    return picture[:, ::-1]


def jpeg(picture: Picture) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=30)
    return np.asarray(Image.open(file))


CHANGES = [contrast, brightness, gamma, sharpen, halve, double, crop, mirror, jpeg]


def ends(pairs: CopyPairs) -> set[tuple[int, int]]:
    return set(zip(pairs.row_a.tolist(), pairs.row_b.tolist(), strict=True))


@pytest.fixture(scope="module")
def heads() -> list[Picture]:
    return [head(seed) for seed in range(HEADS)]


def stack(pictures: list[Picture]) -> Picture:
    return np.stack([stored(picture) for picture in pictures])[:, None]


def three_changes(picture: Picture) -> Picture:
    return mirror(gamma(crop(picture)))


def three_others(picture: Picture) -> Picture:
    return jpeg(sharpen(contrast(picture)))


@pytest.fixture(scope="module")
def found_among_heads(heads: list[Picture]) -> CopyPairs:
    """The pairs among the heads and a changed copy of each but the last: row HEADS + i shows row i after `change_of(i)`."""
    return find_copies(stack([*heads, *(change_of(row)(picture) for row, picture in enumerate(heads[:-1]))]))


def change_of(row: int) -> Callable[[Picture], Picture]:
    """Two heads for each change, and one for each three at once."""
    return [*(change for change in CHANGES for _ in range(2)), three_changes, three_others][row]


@pytest.mark.slow
@pytest.mark.parametrize("change", [*CHANGES, three_changes, three_others], ids=lambda change: change.__name__)
def test_a_changed_copy_is_found(change: Callable[[Picture], Picture], found_among_heads: CopyPairs) -> None:
    rows = [row for row in range(HEADS - 1) if change_of(row) is change]
    assert rows
    mirrored = dict(zip(found_among_heads.row_a.tolist(), found_among_heads.mirrored.tolist(), strict=True))
    assert {(row, HEADS + row) for row in rows} <= ends(found_among_heads)
    assert [mirrored[row] for row in rows] == [change in (mirror, three_changes)] * len(rows)


@pytest.mark.slow
def test_no_two_heads_are_taken_for_one(found_among_heads: CopyPairs) -> None:
    assert ends(found_among_heads) == {(row, HEADS + row) for row in range(HEADS - 1)}
    similarity = found_among_heads.similarity
    assert ((similarity >= DEFAULT_SIMILARITY) & (similarity <= 1.0001)).all()


@dataclass(frozen=True)
class Practice:
    """Practice scans (originals first, then a changed copy of each, in the same order), and the pairs found among them."""

    changes: list[str]  # of every copy
    found: CopyPairs

    def partner_of(self, row: int) -> int:
        return (row + len(self.changes)) % (2 * len(self.changes))


@pytest.fixture(scope="module")
def practice() -> Practice:
    changes = [name for name in ALL_CHANGES for _ in range(EACH)]
    scans, changed = [], []
    for number, name in enumerate(changes):
        random = np.random.default_rng([3, number])
        scans.append(draw_phantom(random, CLASSES[number % len(CLASSES)], size_px=160).pixels)
        changed.append(np.asarray(ALL_CHANGES[name](Image.fromarray(scans[-1]), random)))
    return Practice(changes, find_copies(stack(scans + changed)))


@pytest.mark.slow  # a search among 100 scans and more
@pytest.mark.parametrize("change", ALL_CHANGES)
def test_practice_scans_are_found_through_every_change(change: str, practice: Practice) -> None:
    pairs = ends(practice.found)
    originals = [row for row, name in enumerate(practice.changes) if name == change]
    assert sum((row, practice.partner_of(row)) in pairs for row in originals) >= EACH - 1


@pytest.mark.slow  # a search among 100 scans and more
def test_nearly_every_changed_practice_scan_is_found_and_no_two_heads_are_taken_for_one(practice: Practice) -> None:
    right = {(row, practice.partner_of(row)) for row in range(len(practice.changes))}
    assert len(right & ends(practice.found)) >= 0.97 * len(right)
    assert ends(practice.found) <= right


@pytest.mark.parametrize("symmetry", range(len(SYMMETRIES)))
def test_histograms_of_turned_and_mirrored_images_follow_by_exchanging_cells(symmetry: int) -> None:
    images = np.random.default_rng(0).uniform(0, 255, (2, SIZE_PX, SIZE_PX)).astype(np.float32)
    moved = np.stack([placed(image, placing_of(0, symmetry), SIZE_PX) for image in images])
    expected = histograms(moved, UNMOVED)
    np.testing.assert_allclose(put_onto_itself(histograms(images, UNMOVED), symmetry), expected, atol=1e-5)


@pytest.mark.parametrize("view", range(len(VIEWS)))
def test_placings_go_to_pixels_and_back_and_combine_as_their_points_do(view: int) -> None:
    placing, other = placing_of(view, 5), placing_of(3, 2) + np.array([[0, 0, 0.1], [0, 0, -0.2]])
    np.testing.assert_allclose(from_pixels(in_pixels(placing, 96, 96), 96), placing, atol=1e-5)
    point = np.array([0.3, -0.6])
    through = placing[:, :2] @ (other[:, :2] @ point + other[:, 2]) + placing[:, 2]
    both = combined(placing, other)
    np.testing.assert_allclose(both[:, :2] @ point + both[:, 2], through)


@pytest.mark.slow
def test_the_same_input_gives_the_same_pairs(heads: list[Picture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "fit_projection", fit_projection)  # each learns how to describe them anew
    pixels = stack(heads[:10] + [crop(picture) for picture in heads[:5]])
    first, second = find_copies(pixels), find_copies(pixels)
    assert ends(first) == ends(second)
    np.testing.assert_array_equal(first.similarity, second.similarity)


@pytest.mark.slow
@given(order=st.permutations(range(16)))
@settings(max_examples=2, deadline=None, derandomize=True)
def test_the_order_of_the_images_does_not_matter(order: list[int], heads: list[Picture]) -> None:
    pictures = heads[:12]
    pixels = stack(pictures + [mirror(crop(picture)) for picture in pictures[:4]])
    found = find_copies(pixels[order])
    assert {tuple(sorted((order[a], order[b]))) for a, b in ends(found)} == {(row, 12 + row) for row in range(4)}


@pytest.mark.slow
def test_a_set_larger_than_the_neighborhood_is_one_set_and_reaches_its_odd_member(heads: list[Picture]) -> None:
    random = np.random.default_rng(0)
    alike = [np.clip(heads[0] + random.normal(0, 2, heads[0].shape), 0, 255).astype(np.uint8) for _ in range(30)]
    pixels = stack([*heads[:5], *alike, mirror(crop(sharpen(heads[0])))])
    found = find_copies(pixels)
    numbers = components(len(pixels), np.column_stack([found.row_a, found.row_b]))
    assert len(set(numbers[[0, *range(5, 36)]])) == 1
    assert (np.bincount(numbers) > 1).sum() == 1


@pytest.mark.slow
def test_color_is_read_as_its_mean(heads: list[Picture]) -> None:
    gray = stack([*heads[:10], crop(heads[0])])
    found = find_copies(np.repeat(gray, 3, axis=1))
    assert ends(found) == {(0, 10)}
    np.testing.assert_allclose(found.similarity, find_copies(gray).similarity, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [16, 64, 128])
def test_any_stored_size_will_do(size_px: int, heads: list[Picture]) -> None:
    pictures = [np.asarray(Image.fromarray(picture).resize((size_px, size_px))) for picture in [*heads[:20], jpeg(heads[4])]]
    assert (4, 20) in ends(find_copies(np.stack(pictures)[:, None]))


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_images_are_no_copies(level: int, heads: list[Picture]) -> None:
    blank = np.full((3, 1, SIZE_PX, SIZE_PX), level, np.uint8)
    assert len(find_copies(blank)) == 0
    assert ends(find_copies(np.concatenate([blank, stack([heads[0], heads[0]])]))) == {(3, 4)}


@pytest.mark.slow
def test_only_the_given_rows_are_looked_at_and_keep_their_numbers(heads: list[Picture]) -> None:
    pixels = stack([*heads[:10], crop(heads[3]), crop(heads[4])])
    rows = np.delete(np.arange(12), [4])
    assert ends(find_copies(pixels, rows=rows)) == {(3, 10)}


@pytest.mark.slow
@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images_have_no_copies(images: int, heads: list[Picture]) -> None:
    assert len(find_copies(stack(heads[:1])[:images])) == 0


@pytest.mark.slow
@pytest.mark.parametrize("similarity", [0.5, 1.01, float("nan")])
def test_a_similarity_out_of_range_is_refused(similarity: float, heads: list[Picture]) -> None:
    with pytest.raises(FewscanError, match=r"from 0\.8 to 1"):
        find_copies(stack(heads[:2]), similarity=similarity)


@pytest.mark.slow
def test_a_higher_similarity_names_a_part_of_the_pairs(heads: list[Picture]) -> None:
    pixels = stack(heads[:10] + [sharpen(crop(contrast(picture))) for picture in heads[:10]])
    every, strict = find_copies(pixels), find_copies(pixels, similarity=0.97)
    assert ends(strict) <= ends(every)
    assert (strict.similarity >= 0.97).all()
    assert len(strict) == (every.similarity >= 0.97).sum()


def test_pairs_are_found_alike_enough_by_as_many_whether_or_not_looking_ends_there() -> None:
    sharp = np.array([stored(head(seed)) for seed in range(12)], np.float32)
    blur = np.linspace(0.3, 2.5, len(sharp))
    other = np.array([gaussian_filter(image, sigma) for image, sigma in zip(sharp, blur, strict=True)], np.float32)
    inside = np.ones_like(sharp)
    fully = likeness(sharp, other, inside)
    for enough in (0.8, DEFAULT_SIMILARITY, float(np.median(fully)), 0.99):
        np.testing.assert_array_equal(likeness(sharp, other, inside, enough) >= enough, fully >= enough)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_components_are_what_merging_one_by_one_gives(links: list[tuple[int, int]]) -> None:
    expected = [{row} for row in range(12)]
    for a, b in links:
        merged = expected[a] | expected[b]
        for row in merged:
            expected[row] = merged
    numbers = components(12, np.array(links, np.int64).reshape(-1, 2))
    assert [set(np.flatnonzero(numbers == number)) for number in numbers] == expected


@pytest.mark.slow  # some hundred real scans
def test_changed_copies_of_real_scans_are_found(real_scans: Path) -> None:
    files = sorted((real_scans / "nickparvar").rglob("*.jpg"))[::9]
    scans = [np.asarray(Image.open(file).convert("L")) for file in files]
    others = [change for change in CHANGES if change is not crop]
    changed = [others[row % len(others)](crop(scan)) for row, scan in enumerate(scans)]
    found = find_copies(stack(scans + changed))
    numbers = components(2 * len(scans), np.column_stack([found.row_a, found.row_b]))
    rows = np.arange(len(scans))
    assert (numbers[rows] == numbers[rows + len(scans)]).mean() >= 0.98
