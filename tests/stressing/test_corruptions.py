"""Ways of looking processed otherwise: what each keeps, that it is drawn from a seed and grows with strength, known answers."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fewscan.errors import FewscanError
from fewscan.images.formats.gray import to_8_bit
from fewscan.images.readers import fit
from fewscan.stressing.acquisition import blurred, moved_while_measured, noisy, rician, ringing, saved_as_jpeg
from fewscan.stressing.brightness import biased, equalized, flattened, gamma, inverted, locally_equalized, steepened
from fewscan.stressing.corruption import STRENGTHS, Corruption
from fewscan.stressing.corruptions import CORRUPTIONS, chosen
from fewscan.stressing.frame import cut, narrowed, of_fewer_pixels, padded, rotated

EVERY = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)
RESIZING = {"crop", "padding"}
OF_NOTHING = [
    (equalized, 0),
    (gamma, 1),
    (flattened, 1),
    (steepened, 1),
    (inverted, -1),
    (biased, 1),
    (noisy, 0),
    (rician, 0),
    (blurred, 0),
    (ringing, 1000),
    (moved_while_measured, 0),
    (rotated, 0),
    (cut, 0),
    (padded, 0),
    (narrowed, 1),
    (of_fewer_pixels, 160),
]


def drawn_generator() -> np.random.Generator:
    return np.random.default_rng(5)


def head(height: int = 160, width: int = 150) -> np.ndarray:
    """A bright skull around tissue of a soft texture, with a dark ventricle, off the middle."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 60, (height, width)), (0, 0), 2)
    image = np.zeros((height, width), np.uint8)
    center = (width // 2 + 4, height // 2 - 3)
    cv2.ellipse(image, center, (width // 3, height // 3), 10, 0, 360, (200.0,), -1)
    cv2.ellipse(image, center, (width // 3 - 6, height // 3 - 6), 10, 0, 360, (100.0,), -1)
    cv2.ellipse(image, center, (width // 12, height // 8), 10, 0, 360, (20.0,), -1)
    return np.where(image > 0, np.clip(image + texture, 1, 255), 0).astype(np.uint8)


def in_color(gray: np.ndarray) -> np.ndarray:
    """A scan whose channels differ."""
    return np.stack([gray, gray // 2, 255 - gray], axis=2)


def of_deep_grays() -> np.ndarray:
    """What the readers make of a scan of 12 bits in 16."""
    return to_8_bit(head().astype(np.uint16) * 15 + 7).pixels


@EVERY
@pytest.mark.parametrize("scan", [head(), in_color(head()), of_deep_grays()], ids=["gray", "color", "deep"])
def test_a_scan_stays_a_scan_of_its_kind_and_the_same_seed_gives_the_same(corruption: Corruption, scan: np.ndarray) -> None:
    before = scan.copy()
    changed = corruption.applied(scan, 3, 7)
    assert changed.dtype == np.uint8
    assert changed.ndim == scan.ndim
    assert changed.shape == scan.shape or corruption.name in RESIZING
    np.testing.assert_array_equal(changed, corruption.applied(scan, 3, 7))
    np.testing.assert_array_equal(scan, before)


@EVERY
def test_it_grows_with_strength(corruption: Corruption) -> None:
    for number in range(3):
        changed = [corruption.applied(head(), strength, number) for strength in range(1, STRENGTHS + 1)]
        scan = head()
        if corruption.name in RESIZING:
            scan, *changed = (fit(image, 64, "stretch") for image in (scan, *changed))
        changes = [np.abs(image.astype(float) - scan).mean() for image in changed]
        assert changes == sorted(changes), changes
        assert changes[-1] > 1.5 * changes[0]
        assert changes[-1] > 1


@pytest.mark.parametrize(("change", "amount"), OF_NOTHING, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("color", [False, True])
def test_as_much_as_nothing_changes_nothing(change, amount: float, color: bool) -> None:  # type: ignore[no-untyped-def]
    scan = in_color(head()) if color else head()
    found = change(scan, amount, drawn_generator())
    # Colors go through brightness and back, rounded twice.
    np.testing.assert_allclose(found.astype(int), scan, atol=2 if color and change is equalized else 0)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, (9, 12)))
def test_the_negative_of_the_negative_is_the_scan(scan: np.ndarray) -> None:
    negative = inverted(scan, 1, drawn_generator())
    np.testing.assert_array_equal(negative, 255 - scan)
    np.testing.assert_array_equal(inverted(negative, 1, drawn_generator()), scan)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, (9, 12)), st.floats(0.2, 5))
def test_what_acts_level_by_level_keeps_their_order(scan: np.ndarray, amount: float) -> None:
    order = np.argsort(scan, axis=None, kind="stable")
    for change in (gamma, steepened, flattened, equalized):
        share = min(amount, 1) if change in (flattened, equalized) else amount
        assert (np.diff(change(scan, share, drawn_generator()).ravel()[order].astype(int)) >= 0).all()
    assert (np.diff(inverted(scan, 1, drawn_generator()).ravel()[order].astype(int)) <= 0).all()


def test_levels_that_are_equally_frequent_already_hardly_change() -> None:
    even = np.random.default_rng(0).permutation(np.arange(256).repeat(64)).reshape(128, 128).astype(np.uint8)
    assert np.abs(equalized(even, 1, drawn_generator()).astype(int) - even).max() <= 1
    counts = np.bincount(equalized(head(), 1, drawn_generator())[head() > 0], minlength=256)
    # Of tissue, every quarter of the levels holds about as much as any other, counted from where black ends.
    levels = np.repeat(np.arange(256), counts)
    assert np.quantile(levels, 0.5) == pytest.approx((levels.min() + 255) / 2, abs=15)


def test_equalizing_lets_colors_be() -> None:
    scan = in_color(head())
    changed = cv2.cvtColor(equalized(scan, 1, drawn_generator()), cv2.COLOR_RGB2YCrCb)
    before = cv2.cvtColor(scan, cv2.COLOR_RGB2YCrCb)
    assert np.abs(changed[..., 0].astype(int) - before[..., 0]).mean() > 20
    assert np.median(np.abs(changed[..., 1:].astype(int) - before[..., 1:])) <= 2


def test_a_limit_lets_more_contrast_through() -> None:
    spreads = [locally_equalized(head(), limit, drawn_generator())[60:100, 40:110].std() for limit in (1, 4, 16)]
    assert spreads == sorted(spreads)


def test_a_bias_field_is_as_many_times_brighter_as_asked() -> None:
    even = np.full((101, 101), 60, np.uint8)
    field = biased(even, 4, drawn_generator()).astype(float)
    angle = drawn_generator().uniform(0, 2 * np.pi)
    down, across = round(50 * np.sin(angle)), round(50 * np.cos(angle))
    assert field[50 + down, 50 + across] / field[50 - down, 50 - across] == pytest.approx(4, rel=0.05)
    assert field[50, 50] == 60


def test_noise_has_the_deviation_that_was_asked_for_and_magnitudes_lift_black() -> None:
    gray, black = np.full((200, 200), 128, np.uint8), np.zeros((200, 200), np.uint8)
    assert noisy(gray, 10, drawn_generator()).std() == pytest.approx(10, rel=0.03)
    assert noisy(gray, 10, drawn_generator()).mean() == pytest.approx(128, abs=0.3)
    # Without a signal magnitudes follow Rayleigh's distribution.
    assert rician(black, 10, drawn_generator()).mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.02)
    assert rician(gray, 10, drawn_generator()).std() == pytest.approx(10, rel=0.03)


def test_an_edge_rings_by_as_much_as_gibbs_says() -> None:
    edge = np.zeros((256, 256), np.uint8)
    edge[:, 64:192] = 100
    found = ringing(edge, 64, drawn_generator())
    # Where frequencies end, a jump is overshot by 8.95 %.
    assert found[128].max() == pytest.approx(109, abs=1)
    assert found[128, 128] == pytest.approx(100, abs=2)


def test_a_scan_that_holds_few_frequencies_loses_none() -> None:
    waves = np.rint(128 + 100 * np.cos(2 * np.pi * 10 * np.arange(120) / 120))[np.newaxis].repeat(90, axis=0).astype(np.uint8)
    assert np.abs(ringing(waves, 32, drawn_generator()).astype(int) - waves).max() <= 1
    assert np.ptp(ringing(waves, 16, drawn_generator())) <= 1


def test_moving_neither_makes_nor_takes_brightness_and_leaves_ghosts_outside_of_the_head() -> None:
    scan = head()
    ghosts = moved_while_measured(scan, 0.05, drawn_generator())
    assert (ghosts.astype(float) ** 2).sum() == pytest.approx((scan.astype(float) ** 2).sum(), rel=0.02)
    assert ghosts[scan == 0].mean() > 2


def test_saving_as_jpeg_keeps_colors_in_their_places() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(saved_as_jpeg(red, 50, drawn_generator()).astype(int) - red).max() < 8


def test_turning_there_and_back_finds_the_middle_as_it_was() -> None:
    scan = cv2.GaussianBlur(head(151, 151), (0, 0), 2)
    there, back = (np.random.default_rng(seed) for seed in (0, 1))
    assert there.choice([-1, 1]) == -back.choice([-1, 1])
    turned = rotated(rotated(scan, 20, np.random.default_rng(0)), 20, np.random.default_rng(1))
    assert np.abs(turned.astype(int) - scan)[45:105, 45:105].mean() < 2
    once = rotated(scan, 20, np.random.default_rng(0))
    assert np.abs(once.astype(int) - scan)[45:105, 45:105].mean() > 4
    assert once[0, 0] == once[-1, -1] == 0


def test_cutting_takes_away_what_padding_adds() -> None:
    scan = head(200, 100)
    wider = padded(scan, 0.1, drawn_generator())
    assert wider.shape == (240, 120)
    assert wider[:20].max() == wider[:, :10].max() == 0
    np.testing.assert_array_equal(wider[20:-20, 10:-10], scan)
    np.testing.assert_array_equal(cut(scan, 0.1, drawn_generator()), scan[20:-20, 10:-10])


def test_one_axis_gets_shorter_and_the_other_does_not() -> None:
    full = np.full((100, 60), 200, np.uint8)
    shapes = set()
    for seed in range(6):
        found = narrowed(full, 0.8, np.random.default_rng(seed)) == 200
        shapes.add((int(found.any(axis=1).sum()), int(found.any(axis=0).sum())))
    assert shapes == {(80, 60), (100, 48)}


def test_fewer_pixels_hold_no_finer_stripes() -> None:
    stripes = np.tile(np.array([0, 200], np.uint8), (128, 64))
    assert np.ptp(of_fewer_pixels(stripes, 64, drawn_generator())) == 0
    assert of_fewer_pixels(stripes, 64, drawn_generator()).shape == stripes.shape


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (40, 2, 3)])
@EVERY
def test_tiny_scans_do_not_stop_it(corruption: Corruption, shape: tuple[int, ...]) -> None:
    scan = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for strength in range(1, STRENGTHS + 1):
        assert corruption.applied(scan, strength).size > 0


def test_corruptions_are_chosen_by_name_in_their_order() -> None:
    assert [each.name for each in chosen(["padding", "clahe"])] == ["clahe", "padding"]
    assert len(chosen([])) == len(CORRUPTIONS)
    with pytest.raises(FewscanError, match=r"'paddling'.*'padding'"):
        chosen(["paddling"])
    with pytest.raises(FewscanError, match=r"'fog'.*clahe"):
        chosen(["clahe", "fog"])


@EVERY
def test_every_strength_is_said_in_words_of_its_own(corruption: Corruption) -> None:
    said = [corruption.said(strength) for strength in range(1, STRENGTHS + 1)]
    assert len(set(said)) == STRENGTHS
    assert not any("{" in words or "e-" in words for words in said)
