"""What an import says that it understood, before it reads a pixel."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import PIL.Image
import pytest

import fewscan as package
from fewscan.datasets.importing import import_scans, plan_import
from fewscan.images import size
from fewscan.images.listing import classes_unknown
from fewscan.images.options import ImportOptions
from fewscan.images.sources import ScanFile

Command = Callable[..., CompletedProcess[str]]


def folders(root: Path, **files: int) -> Path:
    for name, count in files.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(b"no picture: a plan reads no pixels")
    return root


def test_a_plan_counts_classes_and_says_where_they_come_from(tmp_path: Path) -> None:
    plan = package.plan_import(folders(tmp_path / "scans", glioma=3, normal=2), unlabeled=[folders(tmp_path / "pile", x=4)])
    scans, pile = plan.sources
    assert scans.classes == {"glioma": 3, "normal": 2}
    assert scans.labels_from == {"the folder right above the file": 5}
    assert (scans.images, scans.unlabeled, scans.patients) == (5, 0, 0)
    assert (pile.classes, pile.unlabeled) == ({}, 4)


def test_a_plan_counts_what_is_said_in_place_of_a_class(tmp_path: Path) -> None:
    (scans,) = package.plan_import(folders(tmp_path / "scans", glioma=3, normal=2, unsure=4)).sources
    assert (scans.classes, scans.unlabeled, scans.states) == ({"glioma": 3, "normal": 2}, 4, {"unsure": 4})
    assert any("--rename 'unsure=NAME'" in note and count == 4 for note, count in scans.notes.items())


def test_a_plan_shows_its_lines_in_a_notebook(tmp_path: Path) -> None:
    plan = package.plan_import(folders(tmp_path / "scans", glioma=3, normal=2))
    assert repr(plan) == str(plan) == "\n".join(plan.lines)


def pictures(root: Path, side_px: int) -> Path:
    """Three of two classes, twice as wide as high."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, side_px // 2, side_px), dtype=np.uint8)
    for number, image in enumerate(pixels):
        (root / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(root / f"{number % 2}" / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("side_px", "pretrained", "most", "chosen"),
    [(300, True, 3, 224), (192, True, 3, 224), (191, True, 3, 96), (300, False, 3, 96), (300, True, 2, 96)],
)
def test_scans_are_stored_finer_where_they_are_large_and_few_and_pretrained_weights_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side_px: int, pretrained: bool, most: int, chosen: int
) -> None:
    monkeypatch.setattr(size, "MOST_SCANS", most)
    scans = [str(pictures(tmp_path / "scans", side_px))]
    dataset = import_scans(scans, tmp_path / "data", pretrained=pretrained)
    assert dataset.images.spec.size_px == chosen
    # The plan says which size it is, and the other one, wherever there was anything to choose.
    for given in ({}, {"size_px": "auto"}):
        said = "\n".join(plan_import(scans, pretrained=pretrained, **given).chosen)
        assert all((f"{px}" in said) == (side_px >= 192) for px in (96, 224))
    # Whoever asks for a size gets it, and what is added has that of the dataset: nothing is said of another one.
    asked = import_scans(scans, tmp_path / "asked", pretrained=pretrained, size_px=64)
    assert asked.images.spec.size_px == 64
    assert not any("--size" in line for line in plan_import(scans, pretrained=pretrained, size_px=64).lines)
    more = pictures(tmp_path / "more", side_px)
    assert not any("--size" in line for line in package.plan_add(dataset, more)[0].lines)


def test_a_plan_writes_nothing(tmp_path: Path, fewscan: Command) -> None:
    folders(tmp_path / "scans", glioma=3, normal=2)
    done = fewscan("import", "scans", "--plan", "--out", "data", cwd=tmp_path)
    assert done.returncode == 0
    assert "glioma (3)" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_a_plan_opens_some_scans_and_names_those_that_cannot_be_used(tmp_path: Path, fewscan: Command) -> None:
    place = tmp_path / "scans"
    for name in ("glioma", "normal"):
        (place / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 255, (32, 32)).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(place / name / f"{number}.png")
    whole = (place / "glioma" / "1.png").read_bytes()
    (place / "glioma" / "1.png").write_bytes(whole[: len(whole) // 2])
    # A CT's Hounsfield units without a window: what is said of it in the plan is said no less when it is imported.
    np.save(place / "normal" / "ct.npy", np.linspace(-1000, 2000, 4096).reshape(64, 64).astype(np.int16))
    for crop in ("auto", "none"):
        planned = fewscan("import", "scans", "--plan", "--crop", crop, cwd=tmp_path)
        imported = fewscan("import", "scans", "--crop", crop, "--out", f"data-{crop}", cwd=tmp_path)
        warnings = [line for line in planned.stdout.splitlines() if line.startswith("warning: ")]
        (damaged,) = [line for line in warnings if "glioma/1.png: " in line]
        (window,) = [line for line in warnings if "--window" in line]
        assert {damaged, window} <= set(imported.stderr.splitlines())
        assert "normal/ct.npy" in window
        assert "opened: 7 of 7 scans" in planned.stdout


def test_classes_that_are_numbers_are_told_from_their_counts_and_stand_in_their_order(tmp_path: Path, fewscan: Command) -> None:
    folders(tmp_path / "scans", **{"1": 2, "2": 10, "10": 3, "none": 1})
    done = fewscan("import", "scans", "--plan", cwd=tmp_path)
    assert "1 (2), 2 (10), 10 (3) and none (1)" in done.stdout


def test_a_class_with_too_few_images_to_split_is_named_and_its_number(tmp_path: Path) -> None:
    scans = folders(tmp_path / "scans", glioma=3, normal=20, rare=1)
    (warning,) = [text for text in package.plan_import(scans).warnings if "rare" in text]
    assert "rare (1)" in warning
    assert "glioma" not in warning


def test_an_addition_names_no_class_that_the_dataset_has(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    for name in ("a", "b"):
        (tmp_path / "first" / name).mkdir()
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 255, (20, 20), np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / "first" / name / f"{name}{number}.png")
    data = package.import_scans(tmp_path / "first", tmp_path / "data", size_px=16).folder
    plan, _ = package.plan_add(data, folders(tmp_path / "more", a=1, new=1))
    (warning,) = [text for text in plan.warnings if "--rename" in text]
    assert "new (1)" in warning
    assert "a (1)" not in warning


def test_classes_that_one_letter_tells_apart_are_asked_about(tmp_path: Path) -> None:
    scans = folders(tmp_path / "scans", glioma=10, gliomma=10, meningioma=10)
    (warning,) = [text for text in package.plan_import(scans).warnings if "--rename" in text]
    assert "'glioma'" in warning
    assert "'gliomma'" in warning


@pytest.mark.parametrize(
    "word",
    [
        "unsure",
        "unbekannt",
        "Unknown",
        "-",
        "k.A.",
        "n.a.",
        "??",
        "not_known",
        "non spécifié",
        "no sabe",
        "onbekend",
        "--",
        "glioma?",
        "glioma (unsure)",
        "a/unbekannt",
    ],
)
def test_a_class_that_may_say_that_nobody_knows_is_told_with_the_option_that_takes_it_out(tmp_path: Path, word: str) -> None:
    (told,) = classes_unknown([ScanFile("scans", "1.png", tmp_path, label=word)] * 3, ImportOptions())
    assert f"{word} (3)" in told
    (option,) = [each for each in shlex.split(told) if each.startswith("--no-label=")]
    assert option.partition("=")[2] == word


def test_a_class_that_may_say_that_nobody_knows_can_be_kept_as_unsure_as_the_advice_says(tmp_path: Path) -> None:
    scans = folders(tmp_path / "scans", glioma=3, unklar=3)
    (told,) = classes_unknown([ScanFile("scans", "1.png", scans, label="unklar")], ImportOptions())
    (renamed,) = [word.strip(",") for word in shlex.split(told) if word.startswith("--rename=")]
    old, _, new = renamed.removeprefix("--rename=").partition("=")
    (source,) = package.plan_import(scans, rename={old: new}).sources
    assert (set(source.classes), source.unlabeled) == ({"glioma"}, 3)


def test_a_folder_that_the_advice_takes_out_is_no_class(tmp_path: Path, fewscan: Command) -> None:
    scans = folders(tmp_path / "scans", glioma=4, Unbekannt=3, normal=4)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nscans/glioma/0.png,--\nscans/glioma/1.png,NA\nscans/normal/2.png,glioma\n")
    words = ("import", "scans", "--plan", "--labels", "labels.csv", "--labels-and-folders")
    done = fewscan(*words, cwd=tmp_path)
    (warning,) = [line for line in done.stdout.splitlines() if "--no-label" in line]
    assert "Unbekannt (3)" in warning
    assert "glioma" not in warning
    advice = [each for each in shlex.split(warning) if each.startswith("--no-label=")]
    again = fewscan(*words, *advice, "--json", cwd=tmp_path)
    (source,) = json.loads(again.stdout)["sources"]
    assert set(source["classes"]) == {"glioma", "normal"}
    assert package.plan_import(scans, no_label="unbekannt").sources[0].unlabeled == 3


@pytest.mark.parametrize(
    "name", ["+", "none", "no_tumor", "unknown primary", "kappa", "normal", "0", "missing tooth", "other", "glioma/nd", "a, b"]
)
def test_a_class_that_says_something_is_not_asked_about(tmp_path: Path, name: str) -> None:
    assert classes_unknown([ScanFile("scans", "1.png", tmp_path, label=name)], ImportOptions()) == []


def test_a_class_that_was_asked_for_or_is_there_is_not_asked_about(tmp_path: Path) -> None:
    scan = ScanFile("scans", "1.png", tmp_path, label="unknown")
    assert classes_unknown([scan], ImportOptions(), ["unknown"]) == []
    assert classes_unknown([scan], ImportOptions.parse({"rename": {"x": "unknown"}})) == []


def test_the_folder_of_one_class_names_the_folder_of_all(tmp_path: Path) -> None:
    scans = folders(tmp_path / "scans", glioma=3, normal=2)
    (warning,) = [text for text in package.plan_import(scans / "glioma").warnings if "normal" in text]
    assert warning.endswith(str(scans))
    for unlike in ("1", "train", "masks"):
        assert not [
            text for text in package.plan_import(folders(tmp_path / unlike, **{unlike: 3}) / unlike).warnings if "class" in text
        ]
    assert not [text for text in package.plan_import([], unlabeled=[scans / "glioma"]).warnings if "normal" in text]
