"""What comes to an audited and split dataset: its copies and suspects are found, and no new scan teaches what tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

import fewscan
from fewscan.auditing.kept import FOLDER
from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.pairs import ends
from tests.fixtures import Once

SIZE_PX = 48
OLD, NEW = 36, 12


def save(folder: Path, pictures: list[tuple[str, npt.NDArray[np.uint8]]]) -> Path:
    for name, picture in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(picture).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def audited(once: Once, practice_pixels: npt.NDArray[np.uint8]) -> Path:
    """A folder with OLD practice scans of four classes as files, and a dataset of them, audited and split, in `data`."""

    def write(folder: Path) -> None:
        pictures = [(f"c{row % 4}/{row:03}.png", practice_pixels[row, 0]) for row in range(OLD)]
        save(folder / "old", pictures)
        fewscan.import_scans(folder / "old", folder / "data", size_px=SIZE_PX)
        fewscan.audit(folder / "data")
        fewscan.split(folder / "data", labeled=12, test=8, validation=0.25)

    return once("audited_old_scans", write)


@pytest.fixture
def dataset(audited: Path, tmp_path: Path) -> Dataset:
    return Dataset.open(shutil.copytree(audited / "data", tmp_path / "data"))


def pairs_of(dataset: Dataset) -> set[tuple[int, int]]:
    return set(map(tuple, ends(dataset.pairs).tolist()))


@pytest.fixture(scope="module")
def more(practice_pixels: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NEW scans: a copy, a mirror image and a crop of three that are there, and two of other heads, one of them twice."""
    pictures = []
    for row in range(3):
        old = practice_pixels[4 * row, 0]
        pictures += [
            (f"c0/same{row}.png", old),
            (f"c0/mirrored{row}.png", old[:, ::-1]),
            (f"c0/crop{row}.png", old[4:-4, 4:-4]),
        ]
    pictures += [(f"c1/other{row}.png", practice_pixels[OLD + 4 * row + 1, 0]) for row in range(2)]
    return save(tmp_path_factory.mktemp("more"), [*pictures, ("c1/twice.png", practice_pixels[OLD + 1, 0])])


@pytest.mark.slow
def test_pairs_of_an_addition_are_those_of_an_audit_of_all(dataset: Dataset, more: Path, tmp_path: Path) -> None:
    before = pairs_of(dataset)
    added = fewscan.add_scans(dataset, more)
    now = Dataset.open(dataset.folder)
    assert before <= pairs_of(now)
    assert (added.images, added.with_copies, added.of_old) == (NEW, 11, 9)
    assert now.description.audit is not None
    assert now.description.audit.rows == OLD + NEW
    again = shutil.copytree(dataset.folder, tmp_path / "again")
    fewscan.audit(again, overwrite=True)
    assert pairs_of(now) == pairs_of(Dataset.open(again))
    assert now.description.audit.model_dump(exclude={"copies_described"}) == Dataset.open(again).description.audit.model_dump(
        exclude={"copies_described"}
    )


@pytest.mark.slow
def test_of_what_was_there_no_row_changes_its_part_and_no_group_stands_on_both_sides(dataset: Dataset, more: Path) -> None:
    before = dataset.snapshot().manifest["split"]
    added = fewscan.add_scans(dataset, more)
    now = Dataset.open(dataset.folder).snapshot()
    assert now.manifest["split"].iloc[:OLD].equals(before)
    assert leaking_pairs(now) == []
    (said,) = added.splits
    parts = now.manifest["split"].iloc[OLD:]
    counts = [int((parts == part).sum()) for part in ("labeled", "unlabeled", "validation", "test")]
    assert [said.labeled, said.unlabeled, said.validation, said.test] == counts
    assert sum(counts) + said.tying + said.left_out == NEW
    of_judges = set(now.groups[now.rows("test", "validation")]) & set(now.groups[OLD:])
    assert not of_judges & set(now.groups[now.rows("labeled", "unlabeled")])


@pytest.mark.slow
def test_what_is_kept_of_descriptions_can_be_lost(dataset: Dataset, more: Path, tmp_path: Path) -> None:
    """Missing, damaged, or never made: then all are described anew, and the same pairs are found."""
    found = []
    for number, lose in enumerate((lambda _: None, shutil.rmtree, damage)):
        folder = shutil.copytree(dataset.folder, tmp_path / f"lost{number}")
        lose(folder / FOLDER)
        fewscan.add_scans(folder, more)
        found.append(pairs_of(Dataset.open(folder)))
    assert found[0] == found[1] == found[2]


def damage(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"\0")


@pytest.mark.slow
def test_several_additions_keep_one_file_each_and_an_audit_of_all_one(dataset: Dataset, practice_pixels: npt.NDArray) -> None:
    for number in range(2):
        row = OLD + 20 + number
        folder = save(dataset.folder.parent / f"more{number}", [("c0/a.png", practice_pixels[row, 0])])
        fewscan.add_scans(dataset, folder)
        now = Dataset.open(dataset.folder)
        assert now.description.audit is not None
        assert {file.name for file in now.description.audit.copies_described} == {
            f"{FOLDER}/{path.name}" for path in (dataset.folder / FOLDER).iterdir()
        }
        assert len(now.description.audit.copies_described) == 2 + number
    fewscan.audit(dataset, overwrite=True)
    assert len(list((dataset.folder / FOLDER).iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("set_aside", [False, True])
def test_suspects_among_new_images_are_named_and_set_aside_if_asked(
    set_aside: bool, dataset: Dataset, practice_pixels: npt.NDArray[np.uint8]
) -> None:
    flat = np.full((SIZE_PX, SIZE_PX), 90, np.uint8)
    flat[10:20, 10:20] = 100
    folder = save(dataset.folder.parent / "more", [("c0/flat.png", flat), ("c0/scan.png", practice_pixels[OLD + 4, 0])])
    added = fewscan.add_scans(dataset, folder, set_aside_suspect=set_aside)
    assert (added.suspects, added.images, added.set_aside) == (1, 2 - set_aside, int(set_aside))
    now = Dataset.open(dataset.folder).unsplit().manifest
    assert (now["set_aside"].iloc[OLD] == "not a scan") == set_aside
    assert now["set_aside"].iloc[:OLD].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_nothing_that_tests_is_taught(
    seed: int, make_dataset: Callable[..., object], dataset: Dataset, tmp_path: Path, practice_pixels: npt.NDArray[np.uint8]
) -> None:
    """Copies of test and learning scans, of both as one patient, and others, at random and in two additions."""
    random = np.random.default_rng(seed)
    before = dataset.snapshot().manifest["split"]
    for addition in range(2):
        folder, lines = tmp_path / f"more{addition}", ["path,label,patient"]
        for number in range(8):
            old = int(random.integers(OLD + 8))
            name, label, patient = f"{number}.png", f"c{old % 4}", random.choice(["", "1", "2", "3"])
            save(folder, [(name, practice_pixels[old, 0][:, :: random.choice([-1, 1])])])
            lines.append(f"{name},{random.choice([label, ''])},{patient}")
        table = tmp_path / f"table{addition}.csv"
        table.write_text("\n".join(lines) + "\n")
        fewscan.add_scans(dataset, f"more{addition}={folder}", labels=table)
        now = Dataset.open(dataset.folder).snapshot()
        assert leaking_pairs(now) == []
        assert now.manifest["split"].iloc[:OLD].equals(before)
        patients = now.manifest["patient"]
        judged, taught = now.rows("test", "validation"), now.rows("labeled", "unlabeled")
        assert not set(patients.iloc[judged].dropna()) & set(patients.iloc[taught].dropna())
        kept = np.concatenate([judged, taught])
        own = ends(dataset.open(dataset.folder).pairs)
        own = own[np.isin(own, kept).all(axis=1)]
        assert (np.isin(own[:, 0], judged) == np.isin(own[:, 1], judged)).all()
