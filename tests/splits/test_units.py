"""What a split says of how many more labels it takes: of patients where they are known, and what is left to label."""

import re

import numpy as np
import pytest

from fewscan.cli.split_words import parts_of_split
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.splits.support import images_to_keep
from fewscan.splits.units import Units
from tests.splits.test_few_patients import split, with_patients

SLICES = 5


def pile(labeled: int, unlabeled: int, *, patients: bool = True) -> Snapshot:
    """Patients of SLICES slices each, so many of them labeled; by name, or known only as groups of copies."""
    made = with_patients([[patient % 2] * SLICES for patient in range(labeled)] + [[-1] * SLICES] * unlabeled)
    return with_names(made) if patients else made


def with_names(made: Snapshot, known: int | None = None) -> Snapshot:
    """The same with patients known, those of the first `known` groups or all."""
    names = [f"patient-{group}" if known is None or group < known else None for group in made.groups]
    made.manifest["patient"] = np.array(names, dtype=object)
    return made


def warned(dataset: Snapshot, runs: int = 1) -> str:
    (warning,) = acceptance_warnings(dataset, "run", runs=runs)
    return warning


def test_what_lacks_are_patients_not_slices_and_the_dataset_says_how_many_it_has_left() -> None:
    drawn = split(pile(56, 20), labeled=220, test=60)
    units = Units.of(drawn)
    assert (units.to_hold_out, units.tested, units.labeled, units.unlabeled) == (44, 12, 56, 20)
    warning = warned(drawn)
    lacking = images_to_keep() - 44
    assert f"{lacking} more patients" in warning
    assert "--test 0" in warning
    assert f" {lacking - 12} more" in warning
    assert "20 patients" in warning
    assert "fewscan add" not in warning
    # With fewer left than it takes either way, labels alone do not do.
    assert "only 2 patients" in warned(split(pile(56, 2), labeled=220, test=60))
    assert "fewscan add" in warned(split(pile(56, 0), labeled=220, test=60))


def test_without_a_test_set_or_where_all_labels_do_not_lack_the_way_out_is_as_it_is() -> None:
    assert "--test 0" not in warned(split(pile(56, 20), labeled=280, test=0, validation=0))
    enough = warned(split(pile(80, 0), labeled=300, test=100))
    assert re.search(r"--test 0.*enough", enough)
    assert "fewscan add' adds" not in enough
    (line,) = (line for line in parts_of_split(split(pile(120, 0), labeled=500, test=100)) if "--validation" in line)
    assert f"{images_to_keep()} patients" in line


@pytest.mark.parametrize(("known", "nouns"), [(None, "patients"), (30, "patients or distinct images"), (0, "distinct images")])
def test_they_are_called_what_is_known_of_them(known: int | None, nouns: str) -> None:
    drawn = split(with_names(pile(56, 20), known), labeled=220, test=60)
    assert f"{images_to_keep() - 44} more {nouns}" in warned(drawn)
    assert ("copies" in Units.of(drawn).counting) == (known is not None)


def test_a_run_that_is_not_chosen_needs_no_more_than_the_first_and_that_is_said() -> None:
    drawn = split(pile(76, 20), labeled=380, test=0, validation=0)
    (first,) = acceptance_warnings(drawn, "run", runs=1)
    assert "--candidates" not in first
    third = warned(drawn, runs=3)
    assert str(images_to_keep(candidates=3)) in third, "whoever did choose needs more"
    assert f"--candidates 1' takes {images_to_keep()} patients" in third


def test_the_units_of_labels_that_teach_or_contradict_cannot_be_held_out() -> None:
    made = pile(10, 3)
    teaches = np.isin(made.groups, [0, 1])
    made.manifest["only_teaches"] = teaches
    made.manifest["conflict"] = made.groups == 2
    units = Units.of(split(made, labeled=35, test=0, validation=0))
    assert (units.labeled, units.to_hold_out, units.unlabeled) == (7, 7, 3)
