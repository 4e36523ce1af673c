"""Analyze, MGZ, NRRD and MetaImage show the slices that NIfTI shows of the same head, and say what they do not know."""

import nibabel
import numpy as np
import pytest
import SimpleITK

from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import contents_of
from fewscan.images.formats.volumes import require_volume
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.readers import read_image, read_images, sha256_of_images
from fewscan.images.sources import Source

RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 900, (8, 9, 10)).astype(np.int16)
# Stored from right to left and from the front to the back, in voxels of 1 x 2 x 3 mm.
AFFINE = np.array([[-1.0, 0, 0, 30], [0, -2.0, 0, 40], [0, 0, 3.0, -50], [0, 0, 0, 1]])
SUFFIXES = ("mgz", "nrrd", "nhdr", "mha", "mhd")


def saved(path, values=VALUES, affine=AFFINE):
    if path.suffix in (".nii", ".mgz"):
        kind = nibabel.MGHImage if path.suffix == ".mgz" else nibabel.Nifti1Image
        nibabel.save(kind(values, affine), path)
        return path
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.T))
    to_left_and_back = np.diag([-1.0, -1, 1]) @ affine[:3, :3]
    spacing = np.linalg.norm(to_left_and_back, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((to_left_and_back / spacing).ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def slices(folder, **options):
    asked = ImportOptions(slices="all", **options)
    scans = list_scans([Source("in", folder)], asked)
    kept = [scan for scan in scans if scan.set_aside is None]
    return kept, list(read_images(kept, asked.spec.model_copy(update={"size_px": 16}))), [one for one in scans if one.set_aside]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("plane", ["axial", "sagittal"])
def test_the_slices_are_those_of_nifti(tmp_path, suffix, plane):
    for folder in ("nifti", "other"):
        (tmp_path / folder).mkdir()
    saved(tmp_path / "nifti" / "head.nii")
    saved(tmp_path / "other" / f"head.{suffix}")
    scans, expected, _ = slices(tmp_path / "nifti", plane=plane)
    others, images, aside = slices(tmp_path / "other", plane=plane)
    assert [scan.part for scan in others] == [scan.part for scan in scans]
    for image, one in zip(images, expected, strict=True):
        np.testing.assert_array_equal(image.pixels, one.pixels)
        assert image.pixels_sha256 == one.pixels_sha256
        assert (image.width_px, image.height_px) == (one.width_px, one.height_px)
    assert {one.set_aside.split(":")[0] for one in aside} <= {"part of another file"}
    assert len(aside) == (suffix in ("mhd", "nhdr"))


def test_headers_alike_of_two_volumes_are_two_files(tmp_path):
    paths = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        paths.append(saved(tmp_path / str(number) / "head.mhd", RNG.permuted(VALUES)))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    first, second = (read_image(path, part="axial=3") for path in paths)
    assert first.sha256 != second.sha256


@pytest.mark.parametrize("kind", [nibabel.AnalyzeImage, nibabel.Nifti1Pair])
def test_the_hash_of_values_is_over_their_header_too(tmp_path, kind):
    nibabel.save(kind(VALUES, np.eye(4)), tmp_path / "head.img")
    values, before = (tmp_path / "head.img").read_bytes(), sha256_of_images(tmp_path / "head.img")
    nibabel.save(kind(VALUES, np.diag([1, 1, 3, 1])), tmp_path / "head.img")
    assert (tmp_path / "head.img").read_bytes() == values
    assert sha256_of_images(tmp_path / "head.img") != before


def test_analyze_is_read_and_says_that_it_does_not_know_left_from_right(tmp_path):
    nibabel.save(nibabel.AnalyzeImage(VALUES, None), tmp_path / "head.img")
    scans, images, aside = slices(tmp_path)
    assert len(images) == VALUES.shape[2]
    assert {note.split(":")[0] for note in scans[0].notes} == {"orientation unknown"}
    assert [one.relative for one in aside] == ["head.hdr"]


def test_the_place_that_spm_writes_beside_a_volume_is_a_part_of_it(tmp_path):
    nibabel.save(nibabel.Spm99AnalyzeImage(VALUES, np.eye(4)), tmp_path / "head.img")
    _, images, aside = slices(tmp_path)
    assert len(images) == VALUES.shape[2]
    assert {one.relative: str(one.set_aside).split(":")[0] for one in aside} == dict.fromkeys(
        ["head.hdr", "head.mat"], "part of another file"
    )


def test_one_of_several_volumes_is_asked_for(tmp_path):
    SimpleITK.WriteImage(
        SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(VALUES.T + np.int16(9 * n)) for n in range(3)]), tmp_path / "a.nrrd"
    )
    (scan,) = list_scans([Source("in", tmp_path)])
    assert scan.set_aside.startswith("more than one volume: it has 3")
    scans, images, _ = slices(tmp_path, volume=1)
    assert len(scans) == len(images) == VALUES.shape[2]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_a_volume_is_set_aside(tmp_path, suffix):
    path = saved(tmp_path / f"head.{suffix}")
    values = {"mhd": "head.raw", "nhdr": "head.raw.gz"}.get(suffix, path.name)
    values = values if (tmp_path / values).exists() else "head.raw"
    content = (tmp_path / values).read_bytes()
    (tmp_path / values).write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(path, part="axial=3")
    if values != path.name:
        (tmp_path / values).unlink()
        with pytest.raises(UnreadableImage, match=r"no such file|no values: "):
            read_image(path, part="axial=3")


def test_vectors_and_headers_of_many_files_are_set_aside(tmp_path):
    color = SimpleITK.GetImageFromArray(RNG.integers(0, 255, (4, 5, 6, 3), dtype=np.uint8), isVector=True)
    SimpleITK.WriteImage(color, tmp_path / "color.mha")
    saved(tmp_path / "many.mhd")
    text = (tmp_path / "many.mhd").read_text().replace("many.raw", "LIST")
    (tmp_path / "many.mhd").write_text(text)
    reasons = {scan.relative: scan.set_aside.split(":")[0] for scan in list_scans([Source("in", tmp_path)]) if scan.set_aside}
    assert reasons["color.mha"] == "not gray"
    assert reasons["many.mhd"] == "more than one file"


@pytest.mark.parametrize("suffix", ["nhdr", "mhd"])
@pytest.mark.parametrize(
    "way", ["folder above", "full path", "link", "two places", "another spelling", "behind values", "far down"]
)
def test_values_are_read_from_a_plain_file_in_the_headers_own_folder_only(tmp_path, suffix, way):
    saved(tmp_path / f"secret.{suffix}")
    values = next(path for path in tmp_path.iterdir() if path.suffix != f".{suffix}")
    header = tmp_path / "in" / f"head.{suffix}"
    header.parent.mkdir()
    key = b"data file: " if suffix == "nhdr" else b"ElementDataFile = "
    text = (tmp_path / f"secret.{suffix}").read_bytes()
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(key) and line.strip()]
    place = key + str(values).encode() + b"\n"
    if way == "folder above":
        place = key + b"../" + values.name.encode() + b"\n"
    elif way == "link":
        (tmp_path / "in" / values.name).symlink_to(values)
        place = key + values.name.encode() + b"\n"
    elif way == "two places":
        place = key + b"LOCAL\n" + place
    elif way == "another spelling":
        place = b"datafile : " + place[len(key) :] if suffix == "nhdr" else b"ElementDataFile\t: " + place[len(key) :]
    elif way == "behind values":
        place = key + b"LOCAL\n" + (b"" if suffix == "nhdr" else bytes(70_000)) + place
    elif way == "far down":
        place = b"# no value\n" * 7_000 + place
    header.write_bytes(b"".join(lines) + place)
    with pytest.raises(UnreadableImage):
        contents_of(header, Reading(slices="all"))


@pytest.mark.parametrize("written", ["head.raw.gz", "./head.raw.gz"])
def test_a_values_file_beside_its_header_may_be_named_in_two_ways(tmp_path, written):
    path = saved(tmp_path / "head.nhdr")
    path.write_text(path.read_text().replace("data file: head.raw.gz", f"data file: {written}"))
    assert len(contents_of(path, Reading(slices="all")).parts) == 10


def test_a_volume_is_no_image_until_a_slice_is_named(tmp_path):
    with pytest.raises(UnreadableImage, match="more than one image"):
        read_image(saved(tmp_path / "head.nii"))


@pytest.mark.parametrize(("shape", "said"), [((0, 3, 4), "no pixels"), ((7,), "no pixels"), ((30_000, 3, 4), "too large")])
def test_a_volume_without_voxels_or_with_too_many_is_set_aside(shape, said):
    with pytest.raises(UnreadableImage, match=said):
        require_volume(shape, np.dtype(np.int16))
    require_volume((3, 4, 5), np.dtype(np.int16))
