"""A pair that people have dissolved holds nothing together; the record of it only grows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.judging import Ties, judge, judge_scan, judged_pairs, ties_of
from fewscan.datasets.pair_decisions import PAIR_DECISIONS_FILE, PairDecisions
from fewscan.datasets.pairs import as_pairs
from fewscan.datasets.roles import counts_of
from fewscan.datasets.turned import turns_in
from fewscan.errors import FewscanError
from fewscan.splits.split import split
from fewscan.verifying.verify import verify
from tests.made import empty_manifest, pairs_table, write_dataset

ROWS = 12


@pytest.fixture(scope="session")
def made_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows 0, 1, 2 are one set by the pairs 0-1 and 0-2; 4 and 5 a pair; 6 and 7 have the same pixels, and 7 has none but 6."""
    manifest = empty_manifest(ROWS, label=["a", "b", "a", "a", "b", "b", "a", "a", "b", "b", "a", "b"])
    manifest["pixels_sha256"] = [f"{row if row != 7 else 6:064x}" for row in range(ROWS)]
    pixels = np.random.default_rng(0).integers(0, 255, (ROWS, 1, 16, 16), dtype=np.uint8)
    made = Dataset.open(write_dataset(tmp_path_factory.mktemp("pairs") / "data", pixels, manifest).folder)
    kinds = {(0, 1): "near", (0, 2): "near", (4, 5): "near", (6, 7): "pixels"}
    pairs = pairs_table((*rows, kind, 0.9) for rows, kind in kinds.items())
    assert made.description.audit is not None
    return made.with_pairs(pairs, made.description.audit).folder


@pytest.fixture
def dataset(made_pairs: Path, tmp_path: Path) -> Dataset:
    return Dataset.open(shutil.copytree(made_pairs, tmp_path / "data"))


def sets_of(dataset: Dataset) -> list[int]:
    sets = dataset.snapshot().manifest["copy_set"].to_numpy(int)
    return [int(sets[: row + 1].tolist().index(sets[row])) for row in range(len(sets))]


def test_what_is_dissolved_is_apart_and_comes_back_when_that_is_taken_back(dataset: Dataset) -> None:
    assert sets_of(dataset)[4:6] == [4, 4]
    assert judge(dataset, 5, 4, "apart", who="Ada").copies is None
    assert sets_of(dataset)[4:6] == [4, 5]
    assert sets_of(Dataset.open(dataset.folder))[4:6] == [4, 5]
    assert dataset.snapshot().groups[4] != dataset.snapshot().groups[5]
    judge(dataset, 4, 5, "together", who="Grace")
    assert sets_of(dataset)[4:6] == [4, 4]
    judge(dataset, 4, 5, "apart", who="Grace")
    judge(dataset, 4, 5, "open", who="Ada")
    assert sets_of(dataset)[4:6] == [4, 4]
    said = dataset.pair_decisions.entries()
    assert [(one.verdict, one.who) for one in said] == [
        ("apart", "Ada"), ("together", "Grace"), ("apart", "Grace"), ("open", "Ada")
    ]  # fmt: skip
    assert judged_pairs(dataset)["verdict"].isna().all()


def test_in_a_set_of_many_what_still_holds_two_together_is_said(dataset: Dataset) -> None:
    assert ties_of(dataset, 1, 2).copies == [1, 0, 2]
    with pytest.raises(FewscanError, match="through 0"):
        judge(dataset, 1, 2, "apart")
    assert judge(dataset, 0, 2, "apart").copies is None
    assert ties_of(dataset, 0, 1).copies == [0, 1]


def test_pairs_of_an_earlier_version_are_read_and_how_they_lie_is_not_known(dataset: Dataset) -> None:
    assert dataset.description.audit is not None
    dataset = dataset.with_pairs(pairs_table([(0, 1, "near", 0.9)], turn=None), dataset.description.audit)
    assert turns_in(dataset.pairs) == [None]
    earlier = dataset.pairs.drop(columns=["turned", "inverted"])
    assert turns_in(as_pairs(earlier)) == [None]


def test_a_scan_is_taken_out_of_its_set_by_all_its_pairs(dataset: Dataset) -> None:
    assert judge_scan(dataset, 0, "apart", who="Ada") == [(0, 1), (0, 2)]
    assert sets_of(dataset)[0] == 0
    assert 0 not in sets_of(dataset)[1:]
    judge_scan(dataset, 0, "open", who="Ada")
    assert sets_of(dataset)[:3] == [0, 0, 0]


def test_an_image_that_is_there_twice_cannot_be_dissolved(dataset: Dataset) -> None:
    with pytest.raises(FewscanError, match="same pixels"):
        judge(dataset, 6, 7, "apart")
    assert sets_of(dataset)[6:8] == [6, 6]


def test_what_is_said_of_an_image_goes_for_the_same_pixels(dataset: Dataset) -> None:
    dataset.pair_decisions.enter(7, 4, "apart", who="Ada")
    near = dataset.pairs.iloc[:1].assign(row_a=4, row_b=6, kind="near")
    assert len(dataset.holding(near)) == 0
    dataset.pair_decisions.enter(4, 6, "open")
    assert len(dataset.holding(near)) == 1
    dataset.pair_decisions.enter(4, 6, "apart")
    assert len(dataset.holding(near.assign(kind="pixels"))) == 1


def test_a_conflict_ends_with_the_pair_and_a_split_that_stands_goes_on(dataset: Dataset) -> None:
    drawn = split(dataset.unsplit(), labeled=4, test=2, seed=0)
    before = Dataset.open(dataset.folder).snapshot()
    assert before.manifest["conflict"].sum() == 3
    judge_scan(dataset, 1, "apart")
    after = Dataset.open(dataset.folder).snapshot()
    assert after.manifest["conflict"].sum() == 0
    assert after.rows("test").tolist() == drawn.rows("test").tolist()
    assert set(drawn.rows("labeled")) <= set(after.rows("labeled"))
    assert after.require_split().test_set == drawn.require_split().test_set
    parts = counts_of(after.manifest["split"].astype(object).to_numpy())
    assert sum(parts.values()) > sum(counts_of(before.manifest["split"].astype(object).to_numpy()).values())


def test_what_cannot_be_said_is_refused_and_leaves_no_entry(dataset: Dataset) -> None:
    for rows, why in (((3, 8), "scans 3 and 8"), ((3, 99), "scans from 0"), ((4, 4), "two different scans")):
        with pytest.raises(FewscanError, match=why):
            judge(dataset, *rows, "apart")
    with pytest.raises(FewscanError, match=r"person.s name"):
        judge(dataset, 4, 5, "apart", who="\x00")
    assert dataset.pair_decisions.entries() == []


def test_a_damaged_record_or_anothers_is_refused(dataset: Dataset) -> None:
    judge(dataset, 4, 5, "apart", who="Ada")
    assert not verify(dataset.folder).faults
    record = dataset.folder / PAIR_DECISIONS_FILE
    whole = record.read_text()
    for damaged in (whole.replace('"row_b": 5', '"row_b": "x"'), whole.replace("apart", "gone"), "{}\n"):
        record.write_text(damaged)
        with pytest.raises(FewscanError, match="damaged line"):
            dataset.snapshot()
        assert verify(dataset.folder).faults
    record.write_text(whole.replace(dataset.images.identity, "0" * 8))
    with pytest.raises(FewscanError, match="another dataset"):
        dataset.snapshot()
    # What a kill left of a line counts for nothing.
    record.write_text(whole + whole[:20])
    assert sets_of(dataset)[4:6] == [4, 5]


@pytest.mark.parametrize(("other", "verdict"), [(3, "apart"), (4, "alike")])
def test_what_nobody_can_say_of_two_images_is_not_written_down(other: int, verdict: str, tmp_path: Path) -> None:
    record = PairDecisions(tmp_path, "these images")
    with pytest.raises(FewscanError, match="two different images"):
        record.enter(3, other, verdict)  # type: ignore[arg-type]
    assert not record.path.exists()


def test_only_what_was_said_is_taken_back_and_what_else_holds_two_together_is_told(dataset: Dataset) -> None:
    with pytest.raises(FewscanError, match="nobody has"):
        judge(dataset, 4, 5, "open")
    words = Ties(None, group=True).words(4, 5)
    assert "patient" in words
    assert words != Ties(None, group=False).words(4, 5)
