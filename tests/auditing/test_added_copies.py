"""Images that come to those described before: the same pairs as of all at once, at the cost of what is new."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from fewscan.auditing.copies import CopyPairs, Described, describe_images, find_copies, find_copies_of
from fewscan.auditing.copies.placing import SYMMETRIES, UNDONE_BY
from fewscan.datasets.pairs import components
from fewscan.errors import FewscanError
from tests.auditing.test_copies import Picture, contrast, crop, ends, gamma, head, jpeg, mirror, sharpen, stack

HEADS = 12
CHANGES = [contrast, gamma, sharpen, crop, mirror, jpeg]


def tight(picture: Picture) -> Picture:
    """A fifth of each side cut off: what is left shows in an enlarged view of the original alone."""
    high, wide = picture.shape
    return picture[high // 5 : -high // 5, wide // 5 : -wide // 5]


@pytest.fixture(scope="module")
def pixels() -> npt.NDArray[np.uint8]:
    """HEADS heads, then a changed copy of each: row HEADS + i shows row i."""
    heads = [head(seed, 128) for seed in range(HEADS)]
    changes = [*CHANGES, tight, lambda picture: np.rot90(picture), lambda picture: np.rot90(tight(picture), 3)]
    return stack([*heads, *(changes[row % len(changes)](picture) for row, picture in enumerate(heads))])


def added(pixels: npt.NDArray[np.uint8], *parts: list[int]) -> tuple[Described, list[CopyPairs]]:
    """Describe the first part, add the others one by one; return all that is known then, and the pairs of each step."""
    first, known, _ = find_copies_of(pixels, describe_images(pixels, np.array(parts[0])))
    found = [first]
    for part in parts[1:]:
        new = describe_images(pixels, np.array(part), known)
        linked = np.concatenate([np.column_stack([pairs.row_a, pairs.row_b]) for pairs in found])
        more, new, _ = find_copies_of(pixels, new, known, linked)
        found.append(more)
        known = Described.joined([known, new])
    return known, found


ORIGINALS, COPIES = list(range(HEADS)), list(range(HEADS, 2 * HEADS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        [ORIGINALS, COPIES],
        [COPIES, ORIGINALS],
        [ORIGINALS[::2] + COPIES[::3], ORIGINALS[1::2], COPIES[1::3] + COPIES[2::3]],
    ],
    ids=["changed copies come later", "originals come later", "in three parts"],
)
def test_images_added_later_give_the_pairs_of_all_at_once(parts: list[list[int]], pixels: npt.NDArray[np.uint8]) -> None:
    _, found = added(pixels, *(sorted(part) for part in parts))
    assert set().union(*map(ends, found)) == {(row, HEADS + row) for row in range(HEADS)}
    for number, step in enumerate(found):
        assert all({a, b} & set(parts[number]) for a, b in ends(step))


@pytest.mark.slow
def test_mirror_images_are_called_so_whichever_comes_first(pixels: npt.NDArray[np.uint8]) -> None:
    row = CHANGES.index(mirror)
    rest = [other for other in range(2 * HEADS) if other not in (row, HEADS + row)]
    for old, new in ((row, HEADS + row), (HEADS + row, row)):
        _, (_, pairs) = added(pixels, sorted([*rest, old]), [new])
        assert (ends(pairs), pairs.mirrored.tolist()) == ({(row, HEADS + row)}, [True])


@pytest.mark.slow
def test_an_image_joins_a_set_larger_than_its_neighborhood_and_what_is_beyond_it() -> None:
    """Whose nearest images are all of one large set, an odd copy of that set is still found."""
    random = np.random.default_rng(0)
    one = head(0, 128)
    alike = [np.clip(one + random.normal(0, 2, one.shape), 0, 255).astype(np.uint8) for _ in range(14)]
    images = stack([*alike, *(head(seed, 128) for seed in range(1, 6)), mirror(crop(sharpen(one))), tight(one)])
    _, (old, new) = added(images, list(range(19)), [19, 20])
    sets = components(21, np.concatenate([np.column_stack([pairs.row_a, pairs.row_b]) for pairs in (old, new)]))
    assert len(set(sets[[*range(14), 19, 20]])) == 1
    assert (np.bincount(sets) > 1).sum() == 1


class Counted:
    """Pixels that note which rows were read."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels, self.read = pixels, set[int]()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        self.read |= set(rows.tolist())
        return self.pixels[rows]


@pytest.mark.slow
def test_of_the_images_known_only_those_that_may_be_copies_are_read() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (200, 1, 16, 16), np.uint8)
    known = describe_images(pixels, np.arange(199))
    counted = Counted(pixels)
    new = describe_images(counted, np.array([199]), known)  # type: ignore[arg-type]
    find_copies_of(counted, new, known)  # type: ignore[arg-type]
    # Itself, the 8 nearest of its views, and the 4 whose enlarged views are nearest.
    assert 1 < len(counted.read) <= 13


@pytest.mark.slow
def test_what_is_described_can_be_kept(tmp_path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    known = describe_images(pixels, np.arange(10))
    more = describe_images(pixels, np.arange(10, 2 * HEADS), known)
    known.save(tmp_path / "a")
    more.save(tmp_path / "b")
    kept, joined = Described.load([tmp_path / "a", tmp_path / "b"]), Described.joined([known, more])
    assert kept.fitted_among == 10
    np.testing.assert_array_equal(kept.reach, joined.reach)
    np.testing.assert_array_equal(kept.projection.directions, known.projection.directions)
    np.testing.assert_array_equal(kept.projection.offset, known.projection.offset)
    np.testing.assert_array_equal(kept.rows, np.arange(2 * HEADS))
    for view, vectors in joined.views.items():
        np.testing.assert_array_equal(kept.views[view], vectors)
    np.testing.assert_array_equal(kept.of(np.array([3, 17, 99])).rows, [3, 17])
    assert (tmp_path / "b").stat().st_size < 300_000 + 1100 * len(more)


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_what_was_kept_and_is_damaged_asks_for_another_audit(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(FewscanError, match=r"is (damaged|missing)"):
        Described.load([tmp_path / "a"])


def test_what_another_version_kept_asks_for_another_audit(tmp_path: Path) -> None:
    save_file({"rows": np.zeros(1, np.int64)}, tmp_path / "a", {"format": "0"})
    with pytest.raises(FewscanError, match="version"):
        Described.load([tmp_path / "a"])


@pytest.mark.slow
def test_the_description_is_outgrown_when_images_have_doubled(pixels: npt.NDArray[np.uint8]) -> None:
    known = describe_images(pixels, np.arange(10))
    assert [known.outgrown_by(images) for images in (10, 20, 21)] == [False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("shown", [0, 1])
def test_what_comes_to_next_to_nothing_is_found_too(shown: int, pixels: npt.NDArray[np.uint8]) -> None:
    images = np.concatenate([np.zeros((3 - shown, 1, 96, 96), np.uint8), pixels[: shown + 1], pixels[HEADS : HEADS + 1]])
    known = describe_images(images, np.arange(3))
    assert len(known) == shown
    assert len(find_copies_of(images, known).pairs) == 0
    if shown:
        new = describe_images(images, np.array([3, 4]), known)
        assert ends(find_copies_of(images, new, known).pairs) == {(2, 4)}
    assert known.outgrown_by(5)


def test_every_symmetry_is_undone() -> None:
    for number, undone in enumerate(UNDONE_BY):
        np.testing.assert_array_equal(SYMMETRIES[number] @ SYMMETRIES[undone], np.eye(2))


@pytest.mark.slow
def test_rows_in_any_order_give_the_same_pairs(pixels: npt.NDArray[np.uint8]) -> None:
    rows = np.array([3, HEADS + 3, 5, 0])
    assert ends(find_copies(pixels, rows=rows)) == ends(find_copies(pixels, rows=np.sort(rows))) == {(3, HEADS + 3)}
