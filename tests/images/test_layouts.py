"""Folders as public sets and hospitals have them: what a radiologist would call class, patient, mask and split of each."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import fewscan as package
from fewscan.errors import FewscanError
from fewscan.images.listing import classes_apart, list_scans, warnings_of
from fewscan.images.listing.levels import levels_of
from fewscan.images.options import ImportOptions
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.plan import KINDS_SHOWN, ImportPlan, plan_of
from fewscan.images.sources import ScanFile, parse_sources


def make(root: Path, *relatives: str) -> Path:
    for relative in relatives:
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_bytes(b"no picture: a listing reads no pixels")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "scans"


def listed(*sources: Path | str, **options: object) -> list[ScanFile]:
    return list_scans(parse_sources([str(source) for source in sources]), ImportOptions.parse(options))


def labels(scans: list[ScanFile]) -> dict[str, str | None]:
    return {scan.relative: scan.label for scan in scans if scan.set_aside is None}


def patients(scans: list[ScanFile]) -> dict[str, str | None]:
    return {scan.relative: scan.patient for scan in scans if scan.set_aside is None}


def masks(scans: list[ScanFile]) -> list[str]:
    return [scan.relative for scan in scans if scan.set_aside is not None and "--keep-masks" in scan.set_aside]


def warnings(*sources: Path | str, **options: object) -> str:
    found, asked = parse_sources([str(source) for source in sources]), ImportOptions.parse(options)
    return "\n".join(warnings_of(list_scans(found, asked), found, asked))


def refusal(*sources: Path | str, **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        listed(*sources, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("folder", ["masks", "Masks", "mask", "segmentations", "binary_masks", "GT", "labels"])
@pytest.mark.parametrize("images", ["images", "img", "Scans"])
def test_images_and_masks_below_a_class_are_of_that_class_and_no_scans(root, folder, images):
    make(root, *(f"{name}/{inner}/1.png" for name in ("COVID", "Normal") for inner in (images, folder)))
    scans = listed(root)
    assert labels(scans) == {f"COVID/{images}/1.png": "COVID", f"Normal/{images}/1.png": "Normal"}
    assert masks(scans) == [f"COVID/{folder}/1.png", f"Normal/{folder}/1.png"]
    assert len(labels(listed(root, keep_masks=True))) == 4


@pytest.mark.parametrize(
    "mask",
    [
        "a (1)_mask.png",
        "a (1)_mask_1.png",
        "a (1)_seg.png",
        "a (1)-label.png",
        "a (1)_GT.png",
        "a (1) segmentation.png",
        "mask_a (1).png",
    ],
)
def test_a_mask_beside_its_scan_is_no_scan_and_without_it_is_one(root, mask):
    make(root, "benign/a (1).png", f"benign/{mask}", f"alone/{mask}")
    scans = listed(root)
    assert masks(scans) == [f"benign/{mask}"]
    assert labels(scans) == {f"alone/{mask}": "alone", "benign/a (1).png": "benign"}


def test_folders_named_like_masks_are_classes_where_nothing_beside_them_is_drawn_over(root, tmp_path):
    make(root, "mask/1.png", "no_mask/1.png", "label 1/1.png", "label 2/1.png")
    assert set(labels(listed(root)).values()) == {"mask", "no_mask", "label 1", "label 2"}
    assert len(labels(listed(make(tmp_path / "all", "masks/1.png", "masks/2.png")))) == 2


def test_the_decathlons_folders_are_a_split_and_masks(root):
    make(root, "imagesTr/BRATS_001.png", "imagesTr/BRATS_002.png", "labelsTr/BRATS_001.png", "imagesTs/BRATS_003.png")
    scans = listed(root)
    assert masks(scans) == ["labelsTr/BRATS_001.png"]
    assert set(labels(scans).values()) == {None}
    assert [scan.given_split for scan in scans if scan.set_aside is None] == ["train", "train", "test"]


def test_volumes_of_a_patient_beside_their_segmentation(root):
    names = [f"BraTS20_Training_{number:03d}" for number in range(3)]
    make(root, *(f"{name}/{name}_{kind}.png" for name in names for kind in ("flair", "t1", "seg")))
    scans = listed(root)
    assert masks(scans) == [f"{name}/{name}_seg.png" for name in names]
    assert set(labels(scans).values()) == {None}
    assert set(patients(scans).values()) == set(names)
    assert "--class-level" in warnings(root)


@pytest.mark.parametrize("series", ["", "T1/", "SER0001/", "AX T2 POST/"])
@pytest.mark.parametrize("number", ["P{:03d}", "patient {}", "{:05d}", "sub-{}", "TCGA-{:02d}-0006"])
def test_below_classes_are_patients_and_series(root, series, number):
    below = {
        name: [number.format(at) for at in range(10 * first, 10 * first + 3)] for first, name in enumerate(("COVID", "Normal"))
    }
    make(root, *(f"{name}/{patient}/{series}1.png" for name, whose in below.items() for patient in whose))
    scans = listed(root)
    assert labels(scans) == {f"{name}/{one}/{series}1.png": name for name, whose in below.items() for one in whose}
    assert patients(scans) == {f"{name}/{one}/{series}1.png": one for name, whose in below.items() for one in whose}
    assert all(scan.patient_known for scan in scans)
    assert set(patients(listed(root, patient_level=0)).values()) == {None}


# Folders above files, as widely used sets have them, with the classes and the level of the patients.
PUBLIC_SETS: dict[str, tuple[list[str], set[str | None], int | None]] = {
    "BraTS 2018": (["HGG/Brats18_TCIA02_118_1", "HGG/Brats18_TCIA02_135_1", "LGG/Brats18_TCIA09_141_1"], {"HGG", "LGG"}, 2),
    "ADNI": ([f"ADNI/{n:03d}_S_{n:04d}/MP-RAGE/2006-04-18_08_20_30.0/I{n}3722" for n in range(3)], {"ADNI"}, 2),
    "LIDC-IDRI": ([f"LIDC-IDRI-{n:04d}/01-01-2000-30178/3000566.000000-03192" for n in range(3)], {None}, 1),
    "BIDS": (["sub-01/ses-1/anat", "sub-02/ses-1/anat", "sub-02/ses-1/dwi"], {None}, 1),
    "chest X-rays": (["train/NORMAL", "train/PNEUMONIA", "val/NORMAL", "test/PNEUMONIA"], {"NORMAL", "PNEUMONIA"}, None),
    "COVID-CT": (["CT_COVID", "CT_NonCOVID"], {"CT_COVID", "CT_NonCOVID"}, None),
    "CheXpert": (["train/patient00001/study1", "valid/patient00002/study1", "valid/patient00002/study2"], {None}, 2),
    "IDC": ([f"{10253 + n}/{kind}" for n in range(4) for kind in "01"], {"0", "1"}, 1),
    "knee X-rays": ([f"{part}/{grade}" for part in ("train", "val", "auto_test") for grade in range(5)], set("01234"), None),
    "brain tumors": (
        ["Astrocitoma T1", "Astrocitoma T2", "_NORMAL T1"],
        {"Astrocitoma T1", "Astrocitoma T2", "_NORMAL T1"},
        None,
    ),
    "HAM10000": (["HAM10000_images_part_1", "HAM10000_images_part_2"], {None}, None),
    "ACDC": (["training/patient001", "training/patient002"], {None}, 2),
    "numbered by class": (["normal/n01", "normal/n02", "tumor/t01", "tumor/t02"], {"normal", "tumor"}, 2),
}


@pytest.mark.parametrize("name", PUBLIC_SETS)
def test_widely_used_sets_are_understood(name):
    places, classes, level = PUBLIC_SETS[name]
    found = levels_of({tuple(place.split("/")): 1 for place in places}, name, classes=True)
    assert {None if at.of_class is None else place[at.of_class - 1] for place, at in found.items()} == classes
    assert {at.of_patient for at in found.values()} == {level}


def test_patients_studies_and_series_of_an_export_are_no_classes(root):
    make(root, *(f"PAT{patient:04d}/STU0000/SER000{series}/IM0001.png" for patient in range(4) for series in range(2)))
    scans = listed(root)
    assert set(labels(scans).values()) == {None}
    assert set(patients(scans).values()) == {f"PAT{patient:04d}" for patient in range(4)}
    assert "--class-level" in warnings(root)
    assert set(labels(listed(root, class_level=3)).values()) == {"SER0000", "SER0001"}


@pytest.mark.parametrize("series", ["Serie 04 T1+KM", "S\N{LATIN SMALL LETTER E WITH ACUTE}quence 2 coeur", "series_3_head"])
def test_numbered_series_below_dated_studies_are_no_classes_in_other_languages_too(root, series):
    make(root, *(f"Fall {case:03d} Z/Studie 2025-03 Kopf/{series}/IM0001.png" for case in range(4)))
    scans = listed(root)
    assert set(labels(scans).values()) == {None}
    assert set(patients(scans).values()) == {f"Fall {case:03d} Z" for case in range(4)}


def test_folders_that_recur_below_patients_are_doubted_however_far_above_these_stand(root):
    make(root, *(f"Case {case:03d}/visit/{name}/1.png" for case in range(4) for name in ("first look", "second look")))
    assert set(labels(listed(root)).values()) == {"first look", "second look"}
    assert "patients" in warnings(root)
    assert "--unlabeled" in warnings(root)


def test_a_patient_with_images_of_several_classes_is_shown_by_two_of_them(root):
    make(
        root,
        *(f"{name}/P{case:03d}/1.png" for case in (1, 2, 3) for name in ("glioma", "normal") if (case, name) != (3, "normal")),
    )
    (line,) = [line for line in warnings(root).splitlines() if "several classes" in line]
    assert line.startswith("2 of 3 patients")
    assert "glioma/P001/1.png (glioma)" in line
    assert "normal/P001/1.png (normal)" in line


def test_left_and_right_below_classes_are_no_classes(root):
    make(root, *(f"{name}/{side}/1.png" for name in ("normal", "fracture") for side in ("left", "right")))
    assert set(labels(listed(root)).values()) == {"normal", "fracture"}


@pytest.mark.parametrize(
    "names", [["0", "1", "2"], ["grade 1", "grade 2"], ["stage001", "stage002"], ["T1", "FLAIR"], ["c10", "c11"]]
)
def test_numbered_folders_with_nothing_above_them_are_classes(root, names):
    make(root, *(f"{part}/{name}/1.png" for part in ("train", "test") for name in names))
    assert set(labels(listed(root)).values()) == set(names)


def test_classes_below_patients_are_classes(root):
    make(root, *(f"1025{patient}/{kind}/1.png" for patient in range(5) for kind in "01"))
    scans = listed(root)
    assert set(labels(scans).values()) == {"0", "1"}
    assert len(set(patients(scans).values())) == 5


PARTS = {
    "train": ["train", "Training", "train_images", "Train-Set", "imagesTr", "stage_2_train_images"],
    "validation": ["val", "valid", "Validation", "dev", "valid_set", "val2017"],
    "test": ["test", "TESTING", "test_images", "imagesTs", "test1"],
    None: ["images", "data", "fold1", "fold_2", "unlabeled", "Split 3"],
}


@pytest.mark.parametrize(("part", "folder"), [(part, folder) for part, folders in PARTS.items() for folder in folders])
def test_folders_of_parts_are_no_classes_and_name_the_split_that_the_data_came_with(root, part, folder):
    make(root, f"{folder}/1.png", f"{folder}/glioma/2.png", f"normal/{folder}/3.png")
    scans = listed(root)
    expected = {f"{folder}/1.png": None, f"{folder}/glioma/2.png": "glioma", f"normal/{folder}/3.png": "normal"}
    assert labels(scans) == expected
    assert {scan.given_split for scan in scans} == {part}


def test_a_source_named_like_a_part_is_that_part_and_a_class_is_none(tmp_path):
    make(tmp_path / "a", "test positive/1.png", "negative/2.png")
    make(tmp_path / "b", "test positive/1.png")
    scans = listed(f"my_train={tmp_path / 'a'}", f"BraTS20={tmp_path / 'b'}")
    assert [(scan.label, scan.given_split) for scan in scans] == [
        ("negative", "train"),
        ("test positive", "train"),
        ("test positive", None),
    ]


def test_a_class_is_the_folder_of_a_level_or_what_a_pattern_finds(root):
    make(root, "a/north/x_normal_1.png", "b/south/deep/x_tumor_2.png")
    assert list(labels(listed(root, class_level=1)).values()) == ["a", "b"]
    assert list(labels(listed(root, class_level=3)).values()) == [None, "deep"]
    assert list(labels(listed(root, class_from=r"_(normal|tumor)_")).values()) == ["normal", "tumor"]
    assert list(labels(listed(root, class_from=r"^[^/]+/([^/]+)/")).values()) == ["north", "south"]
    assert "1 of 2 images" in warnings(root, class_level=3)


@pytest.mark.parametrize("what", ["class", "patient"])
def test_levels_and_patterns_that_cannot_be_are_refused(root, what):
    make(root, "a/1.png")
    assert "no folder" in refusal(root, **{f"{what}_level": 2})
    assert "no file of" in refusal(root, **{f"{what}_from": "(x)y"})
    assert "regular expression" in refusal(root, **{f"{what}_from": "(x"})
    assert "exactly one" in refusal(root, **{f"{what}_from": "x"})
    assert "only one of" in refusal(root, **{f"{what}_from": "(x)", f"{what}_level": 1})


@pytest.mark.parametrize(
    "option", [{"patient_from": r"Pat(\d+)_"}, {"patient_level": 2}, {"class_from": "^([^/]+)/"}, {"class_level": 1}]
)
def test_an_option_speaks_of_the_sources_that_it_fits_and_others_go_as_without_it(tmp_path, option):
    make(tmp_path / "a", "glioma/Pat1/Pat1_1.png", "none/Pat2/Pat2_1.png")
    make(tmp_path / "b", "1.png", "2.png")
    alone, both = listed(tmp_path / "a", **option), listed(tmp_path / "b", tmp_path / "a", **option)
    assert [(scan.label, scan.patient) for scan in both] == [(None, None)] * 2 + [(scan.label, scan.patient) for scan in alone]
    told = option.keys() <= {"class_from", "class_level"}
    assert ("no patient for 2 of 2 images" in warnings(tmp_path / "b", tmp_path / "a", **option)) is not told
    refused = refusal(tmp_path / "b", **option)
    assert "source 'b'" in refused


def test_classes_of_a_source_that_a_pattern_fits_nowhere_are_its_folders(tmp_path):
    make(tmp_path / "a", "normal_1.png", "tumor_1.png")
    make(tmp_path / "b", "glioma/1.png", "normal/1.png")
    scans = listed(tmp_path / "a", tmp_path / "b", class_from="^(normal|tumor)_")
    assert [scan.label for scan in scans] == ["normal", "tumor", "glioma", "normal"]


@pytest.mark.parametrize(
    ("classes", "known", "warned"),
    [
        ({"a": "xy", "b": "zw"}, (), ["a", "b"]),
        ({"a": "xy", "b": "yz", "c": "w"}, (), ["c"]),
        ({"a": "xy", "b": "yz"}, (), []),
        ({"a": "xy"}, (), []),
        ({"a": "xy", "b": ""}, (), []),
        ({"a": "xy"}, ("x", "z"), []),
        ({"a": "xy"}, ("z",), ["a"]),
    ],
)
def test_a_source_that_has_no_class_in_common_with_another_is_warned_of(tmp_path, classes, known, warned):
    for source, names in classes.items():
        make(tmp_path / source, "own.png", *(f"class {name}/{k}.png" for name in names for k in range(3)))
    lines = classes_apart(listed(*(tmp_path / source for source in classes)), [f"class {name}" for name in known])
    assert len(lines) == (len(warned) > 0)
    assert all((f"{source}: class" in line) == (source in warned) for line in lines for source in classes)
    assert all("--rename" in line for line in lines)


def test_what_the_plan_of_several_sources_advises_of_patients_is_taken(tmp_path):
    make(tmp_path / "a", *(f"{name}/Pat{patient:03d}_{k}.png" for name in ("x", "y") for patient in range(9) for k in range(3)))
    make(tmp_path / "b", *(f"{name}/{k}.png" for name in ("x", "y") for k in range(5)))
    sources = (tmp_path / "a", tmp_path / "b")
    (advised,) = re.findall("--patient-from '(.*?)'", warnings(*sources))
    scans = listed(*sources, patient_from=advised)
    assert all((scan.patient is not None) == (scan.source == "a") for scan in scans)


def test_numbers_that_recur_under_classes_are_refused_until_the_level_is_named(root):
    make(root, *(f"{name}/{number}/1.png" for name in ("COVID", "Normal") for number in range(3)))
    assert "--class-level" in refusal(root)
    assert set(labels(listed(root, class_level=1)).values()) == {"COVID", "Normal"}
    assert set(labels(listed(root, class_level=2)).values()) == {"0", "1", "2"}


def test_numbers_that_stand_under_one_class_each_are_patients(root):
    make(root, *(f"{'COVID' if number < 5 else 'Normal'}/{number}/1.png" for number in range(10)))
    scans = listed(root)
    assert set(labels(scans).values()) == {"COVID", "Normal"}
    assert len(set(patients(scans).values())) == 10


def test_series_that_are_named_freely_below_patients_are_refused_as_classes(root):
    make(
        root,
        *(f"PAT000{number}/{name}/1.png" for number, name in enumerate(["head plainly", "neck again", "old one", "new one"])),
    )
    message = refusal(root)
    assert all(option in message for option in ("--class-level", "--labels", "--unlabeled"))


def test_names_that_recur_and_names_that_do_not_are_warned_of_with_what_stands_above(root, tmp_path):
    make(root, *(f"{site}/{name}/1.png" for site in ("north", "south") for name in ("glioma", "normal")))
    assert "north and south" in warnings(root)
    assert "--class-level 1" in warnings(root)
    make(tmp_path / "organs", "brain/glioma/1.png", "brain/healthy/1.png", "lung/nodule/1.png")
    assert "--class-level 1" in warnings(tmp_path / "organs")
    make(tmp_path / "plain", "Training/glioma/1.png", "Testing/glioma/1.png", "Training/normal/1.png")
    assert warnings(tmp_path / "plain") == ""


def test_folders_below_a_class_that_holds_more_images_itself_are_no_classes(root):
    make(root, "glioma/1.png", "glioma/2.png", "glioma/old/3.png", "normal/1.png")
    assert set(labels(listed(root)).values()) == {"glioma", "normal"}
    assert "glioma/old" in warnings(root)
    assert "--class-level 2" in warnings(root)
    make(root, "glioma/old/4.png", "glioma/new/5.png")
    assert set(labels(listed(root)).values()) == {"glioma", "normal", "old", "new"}
    assert "glioma/new" in warnings(root)
    assert "--class-level 1" in warnings(root)
    assert set(labels(listed(root, class_level=1)).values()) == {"glioma", "normal"}


def test_patients_beside_images_of_a_class_are_not_warned_of(root):
    places = [f"{name}{folder}" for name in ("glioma", "normal") for folder in ("", f"/{name[0]}_001", f"/{name[0]}_002")]
    make(root, *(f"{place}/{number}.png" for place in places for number in range(2)))
    assert set(labels(listed(root)).values()) == {"glioma", "normal"}
    assert warnings(root) == ""


def test_a_lone_folder_around_everything_is_warned_of_as_the_only_class(root, tmp_path):
    make(root, *(f"ADNI/{n:03d}_S_{n:04d}/MP-RAGE/1.png" for n in range(3)))
    assert "'ADNI'" in warnings(root)
    assert "--unlabeled" in warnings(root)
    # The viewer on a patient's CD.
    make(tmp_path / "cd", "IM1.png", "IM2.png", "VIEWER/logo.png")
    assert "'VIEWER'" in warnings(tmp_path / "cd")
    # A source may well be one class.
    make(tmp_path / "normal", "normal/1.png", "normal/2.png")
    assert warnings(tmp_path / "normal") == ""


def test_classes_that_hold_one_patient_each_are_warned_of(root):
    make(root, "Smith/a_1.png", "Jones/b_1.png", "Miller/c_1.png")
    assert "only one patient" in warnings(root, patient_from=r"([abc])_")


def test_patients_come_from_names_and_folders_that_are_asked_for(root):
    make(root, "x/OAS1_0001_MR1_100.png", "x/OAS1_0001_MR1_101.png", "y/OAS1_0002_MR1_100.png", "y/other.png")
    asked = {"patient_from": r"OAS1_(\d+)_"}
    assert list(patients(listed(root, **asked)).values()) == ["0001", "0001", "0002", None]
    assert "1 of 4 images" in warnings(root, **asked)
    hashes = list(PatientKeys().hashed(listed(root, **asked)))
    assert hashes[0] == hashes[1] != hashes[2]
    assert set(patients(listed(root, patient_level=1)).values()) == {"x", "y"}


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("OAS1_{patient:04d}_MR1_mpr-1_{slice}.png", r"OAS1_(\d+)_"),
        ("{patient}-{slice:03d}.png", r"(?:^|/)(\d+)\-"),
        ("P{patient}_{slice}.png", r"P(\d+)_"),
    ],
)
def test_names_that_share_their_beginnings_bring_a_pattern_that_works(root, name, pattern):
    names = {name.format(patient=number + 12, slice=part + 1): number for number in range(4) for part in range(3)}
    make(root, *(f"{'odd' if number % 2 else 'even'}/{one}" for one, number in names.items()))
    assert f"--patient-from '{pattern}'" in warnings(root)
    found = patients(listed(root, patient_from=pattern))
    assert len(set(found.values())) == 4
    assert len({(names[path.rpartition("/")[2]], patient) for path, patient in found.items()}) == 4


def test_where_a_table_tells_some_patients_names_of_the_others_bring_a_pattern_too(root):
    make(root, *(f"{patient:04d}_{number:03d}.png" for patient in range(1, 5) for number in range(3)))
    labels = root / "labels.csv"
    labels.write_text("Image Index,label,Patient ID\n0001_000.png,a,1\n0002_000.png,b,2\n")
    said = warnings(root, labels=labels)
    assert "10 of 12 images" in said
    (pattern,) = re.findall(r"--patient-from '(.+?)'", said)
    assert "--patient-from" not in warnings(root, labels=labels, patient_from=pattern)
    scans = listed(root, labels=labels, patient_from=pattern)
    assert len(set(PatientKeys().hashed(scans)) - {None}) == 4


@pytest.mark.parametrize("name", ["gg ({}).png", "{}.png", "Te-gl_{:04d}.png", "scan_{0}_{0}.png"])
def test_names_that_are_only_counted_bring_no_pattern(root, name):
    make(root, *(f"{kind}/{name.format(number)}" for kind in ("glioma", "normal") for number in range(6)))
    assert warnings(root) == ""


def test_files_that_are_not_there_or_empty_are_counted_as_such_before_any_is_read(root):
    make(root, "a/1.png")
    (root / "a/empty.png").write_bytes(b"")
    (root / "a/gone.png").symlink_to(root / "nowhere.png")
    assert [scan.set_aside for scan in listed(root)] == [None, "empty file", "no such file"]


@pytest.mark.slow
def test_what_is_no_image_is_set_aside_before_any_is_read(root):
    make(root, "a/1.png", "README.txt", "a/1.json", "A.zip", "DICOMDIR")
    assert labels(listed(root)) == {"a/1.png": "a"}


def plan(*sources: Path | str, **options: object) -> ImportPlan:
    return package.plan_import([str(source) for source in sources], **options)


def test_the_plan_says_where_classes_patients_and_parts_come_from(root):
    make(
        root,
        *(f"train/COVID/P{number:03d}/1.png" for number in range(3)),
        "test/Normal/P007/1.png",
        "test/Normal/P007/1_mask.png",
    )
    (one,) = plan(root).sources
    ((labels_from, labeled),) = one.labels_from.items()
    ((patients_from, with_patient),) = one.patients_from.items()
    assert ("second" in labels_from, labeled) == (True, 4)
    assert ("third" in patients_from, with_patient) == (True, 4)
    assert (one.patients, one.given_splits) == (4, {"train": 3, "test": 1})
    assert list(one.set_aside.values()) == [1]
    text = "\n".join(plan(root).lines)
    assert "--keep-given" in text
    assert "--keep-masks" in text


def test_the_short_plan_of_a_large_import_does_not_drown_the_terminal(tmp_path):
    sources = []
    for number in range(12):
        make(tmp_path / f"s{number}", *(f"kind {letter}/{at}.png" for letter in "abcdefghijklmnop" for at in range(1)))
        sources.append(str(tmp_path / f"s{number}"))
    found = parse_sources(sources)
    short = plan_of(list_scans(found), found).short_lines
    assert len(short) < 30
    assert max(map(len, short)) < 400


def test_classes_that_are_called_like_parts_of_a_split_are_warned_of(root):
    make(root, "glioma/1.png", "normal/2.png")
    assert "test" in warnings(root, rename={"glioma": "test"})
    assert warnings(root) == ""


def test_series_below_patients_are_warned_of_as_classes(root):
    make(root, *(f"PAT000{number}/{name}/1.png" for number in range(3) for name in ("glioma", "normal")))
    assert "--unlabeled" in warnings(root)


def test_where_every_image_has_a_class_of_the_level_nothing_is_said(root):
    make(root, "a/1.png", "b/2.png")
    assert warnings(root, class_level=1) == ""


def test_what_lies_beside_a_source_and_may_not_be_looked_into_is_left_alone(tmp_path, rights_count):
    make(tmp_path / "shared", "glioma/1.png", "normal/2.png")
    assert "normal" in warnings(tmp_path / "shared" / "glioma")
    (tmp_path / "shared").chmod(0o300)
    found = warnings(tmp_path / "shared" / "glioma")
    (tmp_path / "shared").chmod(0o700)
    assert "normal" not in found


def test_one_number_for_many_patients_is_warned_of_by_their_studies(root):
    make(root, *(f"a/{number}.png" for number in range(12)))
    known = [replace(scan, patient="0", study=f"s{number}") for number, scan in enumerate(listed(root))]
    sources = parse_sources([str(root)])
    (told,) = [line for line in warnings_of(known, sources, ImportOptions()) if "--patient-tag" in line]
    assert "12" in told
    apart = [replace(scan, patient=str(number)) for number, scan in enumerate(known)]
    assert not any("--patient-tag" in line for line in warnings_of(apart, sources, ImportOptions()))


def test_of_many_notes_a_short_plan_shows_some_and_counts_the_rest(root):
    make(root, "a/1.png", "b/2.png")
    noted = [replace(scan, notes=tuple(f"note {number}" for number in range(KINDS_SHOWN + 3))) for scan in listed(root)]
    short = plan_of(noted, parse_sources([str(root)])).short_lines
    assert sum(": note" in line for line in short) == KINDS_SHOWN
    assert any("3 more" in line for line in short)


def test_what_costs_labels_is_noted_first_and_how_rows_are_spelled_last(root):
    make(root, *(f"{name}/{number}.png" for name in "abc" for number in range(9)))
    rows = [f"{name.upper()}/{number}.png,{'bca'['abc'.index(name)]}" for name in "abc" for number in range(8)]
    (root / "labels.csv").write_text("path,label\n" + "\n".join([*rows, "C/8.png,a|b", "C/8.png,b"]) + "\n")
    found = parse_sources([str(root)])
    scans = list_scans(found, ImportOptions(labels=(root / "labels.csv",)))
    planned = plan_of(scans, found)
    notes = [line for line in planned.lines if " note on " in line]
    *costly, differing, spelled = notes
    assert all("--several" in note for note in costly)
    # Of all that a table and folders say, there is one note.
    assert "25 images" in differing
    assert all(f"'{table}' instead of '{folder}' (8)" in differing for folder, table in zip("abc", "bca", strict=True))
    assert "suffix" in spelled
