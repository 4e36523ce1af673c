"""Whose images are whose, over sources, CSVs and headers; and what is said of it."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan.images.patient_keys import PatientKeys
from fewscan.images.patients import KnownPatients, known_patients, patient_key
from fewscan.images.sources import ScanFile


def image(source: str, patient: str | None, *scopes: str, known: bool = True) -> ScanFile:
    return ScanFile(source, "a", Path("a"), patient=patient, patient_known=known, patient_scopes=scopes)


IMAGES = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["1", "2"]), st.lists(st.sampled_from(["csv a", "csv b", "dicom"]))),
    max_size=8,
)


@pytest.mark.slow
@given(IMAGES)
def test_images_are_one_patients_where_a_chain_of_shared_scopes_joins_them(drawn: list[tuple[str, str, list[str]]]) -> None:
    hashes = list(PatientKeys().hashed([image(source, patient, *scopes) for source, patient, scopes in drawn]))
    places = [{f"source {source}", *scopes} for source, _, scopes in drawn]
    for number, (_, patient, _) in enumerate(drawn):
        reached, seen = {number}, set[int]()
        while reached - seen:
            at = (reached - seen).pop()
            seen.add(at)
            reached |= {other for other in range(len(drawn)) if drawn[other][1] == patient and places[other] & places[at]}
        assert {other for other, found in enumerate(hashes) if found == hashes[number]} == reached


def test_patients_of_sources_that_are_parts_of_a_split_are_the_same() -> None:
    scans = [image("train", "7"), image("My Test", "07"), image("north", "7"), image("south", "7")]
    train, test, north, south = PatientKeys().hashed(scans)
    assert train == test
    assert len({train, north, south}) == 3
    files = list(PatientKeys().hashed([image("train", "file a", known=False), image("test", "file a", known=False)]))
    assert files[0] != files[1]


def test_a_file_that_stands_for_its_patient_is_kept_together_and_not_counted_as_known() -> None:
    scans = [image("x", "file a", known=False), image("x", "file a", known=False), image("x", "7"), image("y", None)]
    manifest = pd.DataFrame({"patient": list(PatientKeys().hashed(scans)), "set_aside": None}).astype({"patient": "str"})
    assert manifest["patient"][0] == manifest["patient"][1]
    assert known_patients(manifest) == KnownPatients(images=4, with_patient=1, patients=1)


@pytest.mark.parametrize("with_patient", [0, 2, 4])
def test_what_is_said_holds_the_numbers_and_what_may_cross(with_patient: int) -> None:
    said = KnownPatients(4, with_patient, 1).sentence
    assert "4 images" in said
    assert ("but not patients" in said) == (with_patient == 0)
    assert ("on both sides" in said) == (with_patient == 2)


@pytest.mark.parametrize(
    "spellings",
    [
        ["1", "1.0", "01", " 1", "1.00", "1,0"],
        ["0012", "12", " 0012", "0012^", "12 "],
        ["P7", "p7", "P007", "p07"],
        ["Doe^Jane", "doe jane", "DOE^JANE^^^"],
        ["0", "00", "0.0"],
        ["P-12", "P\u201112", "P\u201312", "P\u221212", "P-\u200b12", "\uff30-12"],
        ["P2", "P\u00b2"],
    ],
)
def test_spellings_of_one_patient_are_one(spellings: list[str]) -> None:
    assert len({patient_key(spelling) for spelling in spellings}) == 1
    hashes = list(PatientKeys().hashed([image("x", spelling) for spelling in spellings]))
    assert hashes[0] is not None
    assert len(set(hashes)) == 1


@pytest.mark.parametrize(
    "several", [["1", "10", "100"], ["1.1", "1.10", "11"], ["P1", "Q1", "1"], ["1.2.30", "1.2.3"], ["a b", "ab"]]
)
def test_what_is_written_otherwise_is_another_patient(several: list[str]) -> None:
    assert len({patient_key(one) for one in several}) == len(several)


@pytest.mark.parametrize("nothing", ["", "  ", "^", "^^^ "])
def test_nothing_written_is_no_patient(nothing: str) -> None:
    assert patient_key(nothing) is None
    assert list(PatientKeys().hashed([image("x", nothing)])) == [None]
