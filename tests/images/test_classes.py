"""Which labels are one class, and which only look alike."""

import shlex
from pathlib import Path

import pytest

from fewscan.errors import FewscanError
from fewscan.images.classes import fit_classes, number_key, settle_classes, spelling_key
from fewscan.images.slips import misspelled
from fewscan.images.sources import ScanFile


def labeled(*labels: str | None) -> list[ScanFile]:
    return [ScanFile("s", f"{number}.png", Path(f"{number}.png"), label=label) for number, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("glioma", "Glioma"),
        ("no_tumor", "No-Tumor"),
        ("no tumor", "notumor"),
        ("non--small cell", "nonsmall_cell"),
        ("grade 1", "grade-1"),
        ("T1-2", "t1 2"),
        ("1", "1.0"),
        ("1", "01"),
        ("-1", "-1.00"),
        ("0", "-0.0"),
        (".5", "0.50"),
    ],
)
def test_spellings_of_one_class_have_one_key(one, other):
    assert spelling_key(one) == spelling_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-1.0", "1.0"),
        ("-1", "1"),
        ("T1-2", "T12"),
        ("1-2", "12"),
        ("1.5", "15"),
        ("ER-", "ER+"),
        ("ER-", "ER"),
        ("grade -1", "grade 1"),
        ("10", "1"),
        ("100", "1"),
        ("glioma", "gliomas"),
    ],
)
def test_what_only_looks_alike_has_two_keys(one, other):
    assert spelling_key(one) != spelling_key(other)


def test_only_decimal_numbers_are_numbers():
    assert [number_key(text) for text in ("100", "007", "1.50", "-0", "+3.", "-2,0", "1,00")] == [
        "100",
        "7",
        "1.5",
        "0",
        "3",
        "-2",
        "1",
    ]
    assert [number_key(text) for text in ("1e2", "nan", "inf", "", ".", "1,5", "1,000", "1_0", "x1")] == [None] * 9


def test_labels_that_are_one_number_are_one_class_by_the_shortest_name_with_a_note():
    scans = settle_classes(labeled("1.0", "1", "01", "0.0", None, "x"), {})
    assert [scan.label for scan in scans] == ["1", "1", "1", "0.0", None, "x"]
    assert [len(scan.notes) for scan in scans] == [1, 0, 1, 0, 0, 0]


def test_any_spelling_of_a_number_can_be_renamed():
    assert [scan.label for scan in settle_classes(labeled("1.0", "1", "0"), {"1.0": "benign"})] == ["benign", "benign", "0"]


def test_classes_that_differ_only_in_spelling_and_too_many_are_refused():
    with pytest.raises(FewscanError, match="differ only in spelling"):
        settle_classes(labeled("T1-2", "t1_2"), {})
    with pytest.raises(FewscanError, match="--rename"):
        settle_classes(labeled("a|b", "c"), {})
    assert [scan.label for scan in settle_classes(labeled("a|b", "c"), {"a|b": "both"})] == ["both", "c"]
    with pytest.raises(FewscanError, match="101 classes"):
        settle_classes(labeled(*(f"a{number}" for number in range(101))), {})


def test_the_renamings_that_are_named_make_many_spellings_one_class_by_the_one_of_most_images():
    scans = labeled("GLIOM", "Gliom", "Gliom", "gliom", "KEIN TUMOR", "kein Tumor", "kein Tumor", "andere")
    with pytest.raises(FewscanError, match="--rename") as refused:
        settle_classes(scans, {})
    words = shlex.split(str(refused.value).partition(" add ")[2])
    renamed = dict(word.split("=") for word in words if word != "--rename")
    assert {scan.label for scan in settle_classes(scans, renamed)} == {"Gliom", "kein Tumor", "andere"}
    with pytest.raises(FewscanError, match="--rename GLIOM=gliom --rename Gliom=gliom"):
        fit_classes({("one", "Gliom"), ("one", "GLIOM")}, ["gliom"], {})


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("gli\u00e9", "glie\u0301"),  # an accent in two pieces
        ("no tumor", "no\u00a0tumor"),
        ("no tumor", " no  tumor"),
        ("no tumor", "no\u2009tumor"),
        ("no-tumor", "no\u2011tumor"),
        ("ER-", "ER\u2212"),
        ("glioma", "gli\u00adoma"),  # a soft hyphen
        ("glioma", "\u200eglioma"),
        ("glioma", "\uff47lioma"),
        ("1", "\uff11.0"),
    ],
)
def test_labels_that_look_alike_are_one_class_with_a_note(plain, other):
    scans = settle_classes(labeled(other, plain, "x"), {})
    assert [scan.label for scan in scans] == [plain, plain, "x"]
    assert [len(scan.notes) for scan in scans] == [1, 0, 0]
    assert [scan.label for scan in settle_classes(labeled(other), {plain: "y"})] == ["y"]
    assert spelling_key(other) == spelling_key(plain)
    assert fit_classes({("one", plain), ("one", other)}, [other], {}) == {("one", plain): other, ("one", other): other}


def test_signs_that_only_mean_the_same_are_two_classes():
    assert {scan.label for scan in settle_classes(labeled("T\u00b2", "T2"), {})} == {"T\u00b2", "T2"}


@pytest.mark.parametrize(
    ("label", "classes", "fitted"),
    [
        ("1.0", ["01", "x"], "01"),
        ("x", ["01", "x"], "x"),
        ("new", ["01", "x"], "new"),
        ("old", ["x"], "x"),
    ],
)
def test_a_label_becomes_the_class_that_is_there_or_a_new_one(label, classes, fitted):
    assert fit_classes({("one", label)}, classes, {"old": "x"} if label == "old" else {}) == {("one", label): fitted}


def test_a_label_that_is_spelled_otherwise_than_the_class_that_is_there_is_renamed_to_it():
    with pytest.raises(FewscanError, match="--rename glioma=Glioma"):
        fit_classes({("one", "glioma")}, ["Glioma"], {})
    assert fit_classes({("sartaj", "glioma_tumor")}, ["glioma"], {}) == {("sartaj", "glioma_tumor"): "glioma"}
    with pytest.raises(FewscanError, match="101 classes"):
        fit_classes({("one", "x")}, [f"a{number}" for number in range(100)], {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("no_tumour", "no_tumor"),
        ("gliomma", "glioma"),
        ("gliomas", "glioma"),
        ("pitiutary", "pituitary"),
        ("meningoma", "meningioma"),
        ("Low grade gliona", "low grade glioma"),
        ("unauffaellig", "unauffällig"),
        ("unauffallig", "unauffällig"),
        ("sin hallazgos óseos", "Sin hallazgos oseos"),
        ("Fuß", "Füß"),
        ("Oedème cérébral", "Œdème cerebral"),
        ("Oedem", "Ødem"),
    ],
)
def test_a_slip_of_one_letter_or_of_accents_is_noticed_in_either_order(name: str, meant: str) -> None:
    assert misspelled([name], [meant]) == [(name, meant)]
    assert [set(pair) for pair in misspelled([meant, name])] == [{name, meant}]
    assert misspelled([name, meant], [name, meant]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stage_a", "stage_b"),
        ("classA", "classB"),
        ("grade_II", "grade_III"),
        ("grade11", "grade12"),
        ("T1c", "T2c"),
        ("11111", "11211"),
        ("hyperplasia", "hypoplasia"),
        ("tumor", "no_tumor"),
        ("benign", "malign"),
        ("größer", "großes"),
        ("left", "lest"),
        ("glioma", "meningioma"),
    ],
)
def test_classes_that_are_meant_to_differ_are_no_slips(one: str, other: str) -> None:
    assert misspelled([one], [other]) == misspelled([one, other]) == []


def test_all_labels_that_cannot_be_renamed_or_be_classes_are_named_at_once() -> None:
    labels = {("a", name) for name in ("glioma", "Glioma", "one|two")}
    with pytest.raises(FewscanError) as refused:
        fit_classes(labels, (), {"abscess": "b", "zebra": "c"})
    assert "abscess" in str(refused.value)
    assert "zebra" in str(refused.value)
    with pytest.raises(FewscanError) as refused:
        fit_classes(labels, (), {})
    assert "one|two" in str(refused.value)
    assert "Glioma" in str(refused.value)
