from dataclasses import replace

import cv2
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fewscan.errors import FewscanError
from fewscan.learning.policies import VIEWS, build_views, view_settings
from fewscan.learning.scan_views import ScanParameters
from fewscan.learning.views import Part, plain, random_views
from fewscan.seeds import stream

Parameters = Tensor | ScanParameters


def scans(count: int = 6, size: int = 24, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)


def parameters(name: str, count: int = 6, size: int = 24, seed: int = 0, **changes: float) -> Parameters:
    views = build_views(view_settings(name, **changes))
    drawn: Parameters = views.sample(count, size, torch.Generator().manual_seed(seed))
    return drawn


def scan_parameters(count: int = 6, size: int = 24, seed: int = 0, **changes: float) -> ScanParameters:
    drawn = parameters("scan", count, size, seed, **changes)
    assert isinstance(drawn, ScanParameters)
    return drawn


def apply_views(images: Tensor, drawn: Parameters) -> Tensor:
    name = "scan" if isinstance(drawn, ScanParameters) else "study"
    return build_views(view_settings(name)).apply(images, drawn)


def row(batch: Parameters, number: int) -> Parameters:
    if isinstance(batch, Tensor):
        return batch[number : number + 1]
    values = {name: value[number : number + 1] for name, value in vars(batch).items()}
    some = {"blurred": "blur", "noisy": "noise", "equalized": "equalization", "biased": "field", "coarse": "kept"}
    for rows, value in some.items():
        mine = getattr(batch, rows) == number
        values |= {rows: torch.zeros(int(mine.sum()), dtype=torch.int64), value: getattr(batch, value)[mine]}
    values["inverted"] = torch.zeros(int((batch.inverted == number).sum()), dtype=torch.int64)
    return ScanParameters(**values)


ALL = {f"{change}_probability": 0.5 for change in ("equalization", "field", "inversion", "detail_loss")}


@pytest.mark.parametrize(("name", "changes"), [("study", {}), ("scan", {}), ("scan", ALL)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_gives_what_its_images_give_one_by_one(name: str, changes: dict[str, float], channels: int) -> None:
    images, drawn = scans(channels=channels), parameters(name, **changes)
    together = apply_views(images, drawn)
    alone = torch.cat([apply_views(images[i : i + 1], row(drawn, i)) for i in range(len(images))])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "changes"), [("study", {}), ("scan", {}), ("scan", ALL)])
def test_a_part_of_the_views_is_what_it_is_among_all(name: str, changes: dict[str, float]) -> None:
    views, images = build_views(view_settings(name, **changes)), scans(11)
    places = torch.tensor([3, 4, 5, 14, 15, 16])  # of both views of three images
    whole = random_views(views, images, 2, stream(0, "views"))
    part = random_views(views, images[places % 11], 1, stream(0, "views"), Part(places, of=22))
    assert torch.equal(part, whole[places])


@pytest.mark.parametrize(("name", "changes"), [("study", {}), ("scan", {}), ("scan", ALL)])
def test_views_keep_shape_and_range_and_leave_the_images_alone(name: str, changes: dict[str, float]) -> None:
    images = scans()
    before = images.clone()
    views = apply_views(images, parameters(name, **changes))
    assert views.shape == images.shape
    assert views.dtype == torch.float32
    assert float(views.min()) >= 0
    assert float(views.max()) <= 1
    assert torch.equal(images, before)


def test_a_seed_gives_the_same_views_and_another_seed_others() -> None:
    images = scans()
    first, again, other = (apply_views(images, parameters("scan", seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_study_views_are_the_image_or_its_mirror_image() -> None:
    images = scans(count=64)
    views = apply_views(images, parameters("study", count=64))
    straight = (views == plain(images)).all(dim=(1, 2, 3))
    mirrored = (views == plain(images).flip(-1)).all(dim=(1, 2, 3))
    assert (straight ^ mirrored).all()
    assert 16 < int(mirrored.sum()) < 48


NOTHING = {
    "flip_probability": 0,
    "minimum_crop": 1,
    "maximum_aspect": 1,
    "maximum_rotation_degrees": 0,
    "maximum_shift": 0,
    "contrast": 0,
    "brightness": 0,
    "log_gamma": 0,
    "blur_probability": 0,
    "noise_probability": 0,
}


def test_with_every_range_at_zero_scan_views_change_nothing() -> None:
    images = scans()
    torch.testing.assert_close(apply_views(images, parameters("scan", **NOTHING)), plain(images), rtol=0, atol=1e-5)


def test_a_flip_through_resampling_is_a_flip() -> None:
    images = scans()
    views = apply_views(images, parameters("scan", **(NOTHING | {"flip_probability": 1})))
    torch.testing.assert_close(views, plain(images).flip(-1), rtol=0, atol=1e-5)


def test_geometry_is_what_pytorchs_own_affine_grid_gives() -> None:
    changes = NOTHING | {"minimum_crop": 0.6, "maximum_rotation_degrees": 20, "maximum_aspect": 1.3}
    images = scans()
    grid = F.affine_grid(scan_parameters(**changes).affine, list(images.shape), align_corners=False)
    expected = F.grid_sample(plain(images), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    torch.testing.assert_close(apply_views(images, parameters("scan", **changes)), expected, rtol=0, atol=1e-4)


def test_gamma_and_contrast_follow_their_formulas() -> None:
    changes = NOTHING | {"log_gamma": 0.5, "contrast": 0.3, "brightness": 0.1}
    images, drawn = scans(), scan_parameters(**changes)
    gamma, contrast, brightness = (x.view(-1, 1, 1, 1) for x in (drawn.gamma, drawn.contrast, drawn.brightness))
    raised = plain(images) ** gamma
    mean = raised.mean(dim=(1, 2, 3), keepdim=True)
    expected = ((raised - mean) * contrast + mean + brightness).clamp(0, 1)
    torch.testing.assert_close(apply_views(images, parameters("scan", **changes)), expected, rtol=0, atol=1e-4)


def test_equalized_views_are_what_opencv_makes_of_them() -> None:
    images = scans().clamp(40, 200)  # levels are missing at both ends
    drawn = scan_parameters(**(NOTHING | {"equalization_probability": 1}))
    whole = replace(drawn, equalization=torch.ones(6))
    expected = torch.stack([torch.from_numpy(cv2.equalizeHist(image[0].numpy()))[None] for image in images])
    torch.testing.assert_close(apply_views(images, whole), plain(expected), rtol=0, atol=0.51 / 255)
    half = replace(drawn, equalization=torch.full((6,), 0.5))
    between = (plain(images) + apply_views(images, whole)) / 2
    torch.testing.assert_close(apply_views(images, half), between, rtol=0, atol=1e-5)
    flat = torch.full((1, 1, 8, 8), 90, dtype=torch.uint8)
    alone = scan_parameters(count=1, size=8, **(NOTHING | {"equalization_probability": 1}))
    assert apply_views(flat, alone).isfinite().all()


def test_a_bias_field_is_smooth_positive_and_as_strong_as_asked_for() -> None:
    drawn = scan_parameters(count=200, size=32, **(NOTHING | {"field_probability": 1, "maximum_field": 0.5}))
    # Five terms of at most 1, with coefficients of at most a half.
    assert drawn.field.log().abs().max() <= 2.5
    assert drawn.field.log().abs().mean() > 0.1
    # The second differences of a polynomial of second degree are the same everywhere.
    for axis in (2, 3):
        bend = drawn.field.double().log().diff(n=2, dim=axis)
        torch.testing.assert_close(bend, bend.mean(dim=(2, 3), keepdim=True).expand_as(bend), rtol=0, atol=1e-5)
    images = torch.full((200, 1, 32, 32), 64, dtype=torch.uint8)
    expected = torch.empty_like(drawn.field)
    expected[drawn.biased] = (drawn.field * 64 / 255).clamp(0, 1)
    torch.testing.assert_close(apply_views(images, drawn), expected, rtol=0, atol=1e-4)


def test_inverted_views_are_negatives_and_no_share_of_them_changes_nothing_else() -> None:
    images = scans(count=10)
    drawn = scan_parameters(count=10, **(NOTHING | {"inversion_probability": 0.3}))
    views = apply_views(images, drawn)
    inverted = torch.isin(torch.arange(10), drawn.inverted)
    assert int(inverted.sum()) == 3
    torch.testing.assert_close(views[inverted], 1 - plain(images)[inverted], rtol=0, atol=1e-5)
    torch.testing.assert_close(views[~inverted], plain(images)[~inverted], rtol=0, atol=1e-5)
    # Whoever asks for these as well gets the same crops, gammas and noise as before.
    few, more = scan_parameters(), scan_parameters(**ALL)
    for name in ("affine", "gamma", "contrast", "brightness", "blurred", "blur", "noisy", "noise"):
        assert torch.equal(getattr(few, name), getattr(more, name))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_asked_share_of_a_batch_is_blurred_and_noisy(share: float) -> None:
    drawn = scan_parameters(count=20, **(NOTHING | {"blur_probability": share, "noise_probability": share}))
    for chosen in (drawn.blurred, drawn.noisy):
        assert len(chosen.unique()) == len(chosen) == 20 * share
    other = scan_parameters(count=20, seed=1, **(NOTHING | {"blur_probability": share}))
    assert share in (0, 1) or drawn.blurred.tolist() != other.blurred.tolist()


def test_blur_keeps_the_brightness_of_a_flat_image_and_softens_an_edge() -> None:
    drawn = parameters("scan", count=2, **(NOTHING | {"blur_probability": 1}))
    images = torch.full((2, 1, 24, 24), 128, dtype=torch.uint8)
    torch.testing.assert_close(apply_views(images, drawn), plain(images), rtol=0, atol=1e-5)
    images[:, :, :, 12:] = 255
    step = (apply_views(images, drawn).diff(dim=-1)).abs().amax(dim=(1, 2, 3))
    assert (step < 127 / 255).all()


def test_noise_has_the_deviation_that_was_drawn() -> None:
    images = torch.full((4, 1, 64, 64), 128, dtype=torch.uint8)
    drawn = scan_parameters(count=4, size=64, **(NOTHING | {"noise_probability": 1, "maximum_noise": 0.1}))
    deviation = drawn.noise.std(dim=(1, 2, 3))[drawn.noisy.argsort()]
    views = apply_views(images, drawn)
    torch.testing.assert_close(views.std(dim=(1, 2, 3)), deviation, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("name", VIEWS)
def test_weak_views_are_views_too_and_change_a_scan_less(name: str) -> None:
    images = scans(count=64, size=32)
    views = build_views(view_settings(name))
    strong, weak = (random_views(each, images, 2, stream(0, "views")) for each in (views, views.weak()))
    assert weak.shape == strong.shape == (128, 1, 32, 32)
    nearest = [
        torch.minimum(*((drawn - plain(of).repeat(2, 1, 1, 1)).abs().mean(dim=(1, 2, 3)) for of in (images, images.flip(-1))))
        for drawn in (weak, strong)
    ]
    assert nearest[0].mean() <= nearest[1].mean()


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(FewscanError, match=r"unknown policy of views 'photo'"):
        view_settings("photo")
    with pytest.raises(FewscanError, match=r"unknown setting 'views\.contrast' of study: .* scan"):
        view_settings("study", contrast=0.1)


def test_settings_that_runs_wrote_when_all_views_shared_theirs_are_read() -> None:
    scan = view_settings("scan", flip_probability=0.25).model_dump()
    former = {key: value for key, value in scan.items() if key in {*NOTHING, "maximum_noise"}} | {"name": "study"}
    assert view_settings(**former).model_dump() == {"name": "study", "flip_probability": 0.25}
