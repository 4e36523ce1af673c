"""Images that are probably no scans are named, scans are not; setting them aside changes the dataset in no other way."""

import json

import numpy as np
import pandas as pd
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest

from fewscan.auditing import audit as auditing
from fewscan.auditing.audit import AUDIT_FILE, AuditResult
from fewscan.auditing.suspects import KINDS, enter_suspects, find_suspects
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot
from fewscan.errors import FewscanError
from fewscan.images.readers import fit
from fewscan.phantoms import draw_phantom
from fewscan.splits.split import split


def audit(dataset: Snapshot, **options: object) -> AuditResult:
    """The audit of the dataset in its folder."""
    return auditing.audit(Dataset.open(dataset.folder), **options)


RNG = np.random.default_rng(0)
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
SCANS = np.stack([draw_phantom(np.random.default_rng(seed), CLASSES[seed % 4], size_px=96).pixels for seed in range(12)])


def manifest_of(images: int, **columns: object) -> pd.DataFrame:
    manifest = pd.DataFrame(index=range(images), columns=list(MANIFEST_DTYPES))
    manifest["source"], manifest["width_px"], manifest["height_px"], manifest["color"] = "one", 200, 256, False
    return manifest.assign(**columns).astype(MANIFEST_DTYPES)


def kinds_of(*images: np.ndarray, size_px: int = 96) -> list[str | None]:
    pixels = np.stack([fit(image, size_px, "stretch") for image in images])
    found = {suspect.row: suspect.kind for suspect in find_suspects(pixels, manifest_of(len(pixels)), np.arange(len(pixels)))}
    return [found.get(row) for row in range(len(pixels))]


def page(side: int, lines: int, font_px: int, paper: int) -> np.ndarray:
    canvas = PIL.Image.new("L", (side, side), paper)
    font = PIL.ImageFont.load_default(font_px)
    for line in range(lines):
        place = (side // 20, side // 20 + 1.4 * line * font_px)
        PIL.ImageDraw.Draw(canvas).text(place, "dose report of the series", fill=255 - paper, font=font)
    return np.asarray(canvas)


@pytest.mark.parametrize("side", [96, 256, 700])
def test_noise_of_every_kind_is_named(side):
    shape = (side, side)
    white = RNG.integers(0, 256, shape).astype(np.uint8)
    normal = np.clip(RNG.normal(90, 40, shape), 0, 255).astype(np.uint8)
    sparse = (255 * (RNG.random(shape) < 0.05)).astype(np.uint8)
    assert kinds_of(white, normal, sparse) == ["noise"] * 3


@pytest.mark.parametrize("paper", [0, 255])
@pytest.mark.parametrize(("side", "lines", "font_px"), [(96, 1, 14), (256, 1, 14), (256, 8, 16), (512, 3, 30), (620, 20, 20)])
def test_text_is_named_on_black_and_on_white(side, lines, font_px, paper):
    assert kinds_of(page(side, lines, font_px, paper)) == ["text"]


def test_next_to_nothing_is_low_contrast():
    nearly_even = RNG.integers(70, 75, (96, 96)).astype(np.uint8)
    one_hot_pixel = np.zeros((96, 96), np.uint8)
    one_hot_pixel[4, 4] = 255
    assert kinds_of(SCANS[0] // 20, nearly_even, one_hot_pixel) == ["low contrast"] * 3


def changed(scan: np.ndarray, change: str) -> np.ndarray:
    values = scan.astype(float)
    made = {
        "none": values,
        "inverted": 255 - values,
        "dim": 0.4 * values,
        "noisy": values + np.random.default_rng(0).normal(0, 15, values.shape),
        "turned": np.rot90(values),
        "small": np.asarray(PIL.Image.fromarray(scan).resize((40, 40))),
    }
    return np.clip(made[change], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", ["none", "inverted", "dim", "noisy", "turned", "small"])
@pytest.mark.parametrize("size_px", [48, 96, 160])
def test_scans_are_not_named_however_they_were_changed(change, size_px):
    assert kinds_of(*(changed(scan, change) for scan in SCANS), size_px=size_px) == [None] * len(SCANS)


def test_rows_and_channels_change_nothing():
    pixels = np.stack([*SCANS, *RNG.integers(0, 256, (3, 96, 96), np.uint8)])[:, np.newaxis]
    rows = np.array([14, 3, 12])
    for shown in (pixels, np.repeat(pixels, 3, axis=1)):
        found = find_suspects(shown, manifest_of(len(pixels)), rows)
        assert [(suspect.row, suspect.kind) for suspect in found] == [(12, "noise"), (14, "noise")]
    assert find_suspects(pixels, manifest_of(len(pixels)), rows[:0]) == ()


@pytest.mark.parametrize(("in_color", "named"), [(2, 2), (6, 0), (12, 0)])
def test_color_is_named_where_it_is_rare(in_color, named):
    manifest = manifest_of(len(SCANS), color=[row < in_color for row in range(len(SCANS))])
    found = find_suspects(SCANS[:, np.newaxis], manifest, np.arange(len(SCANS)))
    assert [suspect.row for suspect in found if suspect.kind == "color among gray"] == list(range(named))
    nobody_looked = manifest.assign(color=None).astype(MANIFEST_DTYPES)
    assert find_suspects(SCANS[:, np.newaxis], nobody_looked, np.arange(len(SCANS))) == ()


def test_sizes_are_compared_within_their_source():
    width = [200] * 5 + [1000, 40, 900] + [2000] * 4
    manifest = manifest_of(12, source=["a"] * 8 + ["b"] * 4, width_px=width, height_px=[250] * 7 + [200] + [2500] * 4)
    found = find_suspects(SCANS[:, np.newaxis], manifest, np.arange(12))
    assert [(suspect.row, suspect.kind) for suspect in found] == [(row, "size that stands out") for row in (5, 6, 7)]


@pytest.fixture
def with_noise(make_dataset):
    """Sixteen scans; rows 4 and 13 are noise."""
    pixels = np.concatenate([SCANS, SCANS[:4, :, ::-1]])[:, np.newaxis].copy()
    pixels[[4, 13], 0] = RNG.integers(0, 256, (2, 96, 96))
    return make_dataset(pixels=pixels)


@pytest.mark.slow
def test_the_audit_counts_suspects_and_leaves_them_where_they_are(with_noise):
    before = with_noise.description
    result = audit(with_noise)
    assert result.counts()["suspects"] == {kind: 2 if kind == "noise" else 0 for kind in KINDS}
    assert any("2 noise" in line for line in result.lines())
    written = json.loads((with_noise.folder / AUDIT_FILE).read_text())
    assert [(row, kind) for row, _, kind in written["suspects"]] == [(4, "noise"), (13, "noise")]
    after = Dataset.open(with_noise.folder).snapshot()
    assert after.description.fingerprint == before.fingerprint
    assert len(after.usable) == 16


@pytest.mark.slow
def test_set_aside_suspects_are_out_of_everything_that_follows(with_noise):
    result = audit(split(with_noise, labeled=4, test=4), set_aside_suspect=True)
    assert (result.images, result.set_aside, result.suspects_set_aside) == (14, 2, True)
    after = Dataset.open(with_noise.folder).snapshot()
    assert after.manifest["set_aside"].dropna().to_dict() == {4: "not a scan", 13: "not a scan"}
    assert after.description.fingerprint != with_noise.description.fingerprint
    assert after.manifest["split"].iloc[[4, 13]].isna().all()
    assert (after.description.sources[0].images, after.description.sources[0].set_aside) == (14, 2)
    again = audit(after, set_aside_suspect=True)
    assert (again.suspects, again.images) == ((), 14)
    assert Dataset.open(with_noise.folder).snapshot().description.fingerprint == after.description.fingerprint


def test_a_class_is_not_set_aside_as_a_whole(with_noise):
    suspects = find_suspects(with_noise.pixels, with_noise.manifest, with_noise.usable)
    rest = np.flatnonzero(with_noise.labels == 0)
    with pytest.raises(FewscanError, match="every image of glioma"):
        enter_suspects(Dataset.open(with_noise.folder), with_noise, [type(suspects[0])(int(row), "noise") for row in rest])


@pytest.mark.slow
def test_a_standing_split_stays_and_a_second_audit_must_be_asked_for(with_noise, fewscan):
    split(with_noise, labeled=4, test=4)
    refused = fewscan("audit", with_noise.folder, "--set-aside-suspect")
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    done = fewscan("audit", with_noise.folder, "--set-aside-suspect", "--overwrite", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["suspects"]["noise"] == 2
    assert Dataset.open(with_noise.folder).splits == ("main",)
    shown = (with_noise.folder / "audit.html").read_text()
    assert "squares/glioma/0004.png" in shown
    assert "These images were set aside." in shown
