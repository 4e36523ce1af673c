import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from fewscan.auditing import audit as auditing
from fewscan.auditing.audit import AuditResult
from fewscan.auditing.copies import Checkpoint, CopyPairs, find, search
from fewscan.auditing.leaks import leaking_pairs
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.datasets.pairs import ends
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.turned import turns_in
from fewscan.errors import FewscanError
from fewscan.images.turns import Turn
from fewscan.splits.split import split
from tests.made import remade


@dataclass
class Steps:
    """How many steps were done, and how many more may be before the audit is stopped."""

    done: int = 0
    left: int = 10**6

    def of(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any) -> Any:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.done += 1
            return step(*given)

        return counted


def audit(dataset: Snapshot, **options: object) -> AuditResult:
    """The audit of the dataset in its folder."""
    return auditing.audit(Dataset.open(dataset.folder), **options)


MakeDataset = Callable[..., Snapshot]
SIZE_PX = 48


def textures(images: int) -> npt.NDArray[np.uint8]:
    """Images that have nothing in common, (images, SIZE_PX, SIZE_PX)."""
    random = np.random.default_rng(0)
    smooth = gaussian_filter(random.normal(size=(images, SIZE_PX, SIZE_PX)), (0, 2.5, 2.5))
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def recontrasted(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return (20 + 0.7 * image[:, ::-1]).astype(np.uint8)


@pytest.fixture
def scans(make_dataset: MakeDataset) -> Callable[..., Snapshot]:
    """A function that makes a dataset of 20 unlike images, in which rows are then replaced and manifest columns set."""

    def make(copies: dict[int, int] | None = None, **columns: dict[int, Any]) -> Snapshot:
        dataset = make_dataset(images=20, size_px=SIZE_PX)
        pixels = textures(20)
        for row, original in (copies or {}).items():
            pixels[row] = recontrasted(pixels[original])
        manifest = dataset.manifest.copy()
        for name, values in columns.items():
            for row, value in values.items():
                manifest.loc[row, name] = value
        return remade(dataset, manifest, audited=False, pixels=pixels[:, None])

    return make


def reopened(dataset: Snapshot) -> Snapshot:
    return Dataset.open(dataset.folder).snapshot()


def together(dataset: Snapshot, column: str) -> set[frozenset[int]]:
    """Sets of rows, larger than one, that share a number."""
    numbers = reopened(dataset).manifest[column].dropna()
    return {frozenset(rows) for rows in numbers.groupby(numbers).groups.values() if len(rows) > 1}


@pytest.mark.slow
def test_images_without_copies_stand_alone(scans: Callable[..., Snapshot]) -> None:
    dataset = scans()
    result = audit(dataset)
    assert (result.images, len(result.pairs), result.copy_sets, result.groups) == (20, 0, 0, 20)
    assert reopened(dataset).manifest["group"].tolist() == list(range(20))
    assert not reopened(dataset).manifest["conflict"].any()
    assert result.leaks == () == result.conflicts


@pytest.mark.slow
def test_copies_are_told_apart_by_how_they_are_known(scans: Callable[..., Snapshot]) -> None:
    same_bytes = {4: "a" * 64, 8: "a" * 64}
    same_pixels = {4: "b" * 64, 8: "b" * 64, 12: "b" * 64}
    dataset = scans({17: 1}, sha256=same_bytes, pixels_sha256=same_pixels)
    result = audit(dataset)
    found = [(pair.row_a, pair.row_b, pair.kind, pair.mirrored) for pair in result.pairs]
    assert found == [(1, 17, "near", True), (4, 8, "bytes", False), (4, 12, "pixels", False)]
    assert together(dataset, "copy_set") == {frozenset({1, 17}), frozenset({4, 8, 12})}
    assert (result.copy_sets, result.images_in_copy_sets, result.groups) == (2, 5, 17)
    assert result.group_sizes == {1: 15, 2: 1, 3: 1}


@pytest.mark.slow
def test_images_of_one_file_are_no_copies_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    images = textures(8)[[*range(8), 0]]
    labels = np.arange(9) % 2
    np.savez(tmp_path / "in/set.npz", images=images, labels=labels)
    shutil.copy(tmp_path / "in/set.npz", tmp_path / "in/set (1).npz")
    result = audit(import_scans([str(tmp_path / "in")], tmp_path / "dataset"))
    kinds = {(pair.row_a, pair.row_b): pair.kind for pair in result.pairs}
    # The last image is the first one again, in each of two files of the same bytes.
    assert kinds.pop((0, 8)) in ("bytes", "pixels")
    assert {(0, 9), (0, 17)} < set(kinds)
    assert {pair: kind for pair, kind in kinds.items() if 0 not in pair} == {(row, row + 9): "bytes" for row in range(1, 8)}
    assert not result.conflicts


@pytest.mark.slow
def test_how_a_copy_is_turned_is_noted_whichever_comes_first(scans: Callable[..., Snapshot]) -> None:
    turns = [Turn(turned=90), Turn(turned=180, inverted=True), Turn(mirrored=True, turned=270)]
    dataset = scans()
    pixels = np.array(dataset.pixels)
    for number, turn in enumerate(turns):
        pixels[10 + number] = turn.of(pixels[number])
        pixels[13 + number] = turn.of(pixels[19 - number])
    audit(remade(dataset, dataset.manifest, audited=False, pixels=pixels))
    pairs = Dataset.open(dataset.folder).pairs
    found = dict(zip(map(tuple, ends(pairs).tolist()), turns_in(pairs), strict=True))
    expected = {(number, 10 + number): turn for number, turn in enumerate(turns)}
    assert found == expected | {(13 + number, 19 - number): turn.back for number, turn in enumerate(turns)}


@pytest.mark.slow
def test_a_patient_stays_together_in_all_sources_and_is_no_copy(scans: Callable[..., Snapshot]) -> None:
    dataset = scans(
        {17: 1},
        patient={0: "P1", 1: "P1", 5: "P1", 9: "P2"},
        source={5: "elsewhere", 6: "elsewhere"},
        sha256={5: "c", 6: "c"},
        pixels_sha256={5: "c", 6: "c"},
    )
    audit(dataset)
    assert together(dataset, "copy_set") == {frozenset({1, 17}), frozenset({5, 6})}
    assert together(dataset, "group") == {frozenset({0, 1, 5, 6, 17})}


@pytest.mark.slow
def test_copies_with_two_labels_are_a_conflict_and_unlabeled_copies_are_none(scans: Callable[..., Snapshot]) -> None:
    dataset = scans({17: 1, 18: 2, 16: 0}, label={17: "glioma", 18: None})  # row 1 is a meningioma, rows 0 and 16 gliomas
    result = audit(dataset)
    assert [(conflict.rows, conflict.labels) for conflict in result.conflicts] == [((1, 17), ("meningioma", "glioma"))]
    manifest = reopened(dataset).manifest
    assert np.flatnonzero(manifest["conflict"]).tolist() == [1, 17]
    assert result.conflicts[0].copy_set == manifest["copy_set"][1]
    assert reopened(dataset).description.audit is not None
    assert reopened(dataset).description.audit.conflicting_images == 2


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "conflicts"), [("near", 0), ("pixels", 1)])
def test_neighboring_slices_of_one_patient_may_differ_in_label_and_equal_ones_may_not(
    scans: Callable[..., Snapshot], kind: str, conflicts: int
) -> None:
    equal = {} if kind == "near" else {"pixels_sha256": {1: "e", 17: "e"}}
    dataset = scans({17: 1}, label={1: "glioma", 17: "no_tumor"}, patient={1: "P", 17: "P"}, **equal)
    result = audit(dataset)
    assert [pair.kind for pair in result.pairs] == [kind]
    assert len(result.conflicts) == conflicts
    assert reopened(dataset).manifest["conflict"].sum() == 2 * conflicts
    assert together(dataset, "group") == {frozenset({1, 17})}


@pytest.mark.slow
def test_rows_set_aside_take_no_part(scans: Callable[..., Snapshot]) -> None:
    dataset = scans(
        {17: 1},
        set_aside={17: "cut short"},
        sha256={3: "d", 17: "d"},
        pixels_sha256={3: "d", 17: "d"},
        patient={4: "P", 17: "P"},
    )
    result = audit(dataset)
    assert (result.images, result.set_aside, len(result.pairs), result.groups) == (19, 1, 0, 19)
    assert reopened(dataset).manifest[["group", "copy_set"]].isna().all(axis=1).to_numpy().nonzero()[0].tolist() == [17]


@pytest.mark.slow
def test_leaks_between_given_folders_and_sources_are_counted(scans: Callable[..., Snapshot]) -> None:
    folders = {row: f"{'Training' if row < 12 else 'Testing'}/class{row % 4}/{row}.png" for row in range(20)}
    dataset = scans({17: 1, 18: 1}, path=folders, source={18: "elsewhere", 19: "elsewhere"})
    leaks = {(leak.between, leak.a, leak.b): leak for leak in audit(dataset).leaks}
    assert set(leaks) == {("sources", "elsewhere", "squares"), ("folders", "squares/Testing", "squares/Training")}
    sources = leaks["sources", "elsewhere", "squares"]
    assert (sources.groups, sources.images_a, sources.images_b) == (1, 1, 2)
    assert leaks["folders", "squares/Testing", "squares/Training"].examples == ((17, 1),)


@pytest.mark.slow
def test_leaks_with_the_most_groups_come_first(scans: Callable[..., Snapshot]) -> None:
    folders = {row: f"{'abc'[row % 3]}/{row}.png" for row in range(20)}
    result = audit(scans({1: 0, 5: 3, 8: 6, 7: 2}, path=folders))
    assert [(leak.a, leak.b, leak.groups) for leak in result.leaks] == [
        ("squares/a", "squares/c", 2),
        ("squares/a", "squares/b", 1),
        ("squares/b", "squares/c", 1),
    ]


@pytest.mark.slow
def test_class_folders_are_no_parts_that_could_leak(scans: Callable[..., Snapshot]) -> None:
    assert audit(scans({17: 0})).leaks == ()  # a meningioma that copies a glioma: other class folder


@pytest.mark.slow
def test_folders_of_one_patient_each_are_no_parts_and_copies_of_several_patients_are_told(
    scans: Callable[..., Snapshot],
) -> None:
    folders = {row: f"{'abcde'[row % 5]}/{row}.png" for row in range(20)}
    patients = {row: "abcde"[row % 5] for row in range(20)}
    copies = {6: 0, 10: 5}  # of another patient, and of the same
    found = audit(scans(copies, path=folders, patient=patients))
    assert (found.leaks, found.copy_sets, found.copy_sets_of_patients) == ((), 2, 1)
    assert any("several patients" in line for line in found.lines())
    unknown = audit(scans(copies, path=folders, patient={row: f"file-{row}" for row in range(20)}))
    assert [(leak.a, leak.b) for leak in unknown.leaks] == [("squares/a", "squares/b")]
    assert unknown.copy_sets_of_patients == 0


@pytest.mark.slow
def test_leaks_across_a_split_are_told_and_the_split_is_kept(scans: Callable[..., Snapshot]) -> None:
    dataset = split(scans({17: 1, 18: 2}), labeled=8, test=4, protocol="study")
    parts = dataset.manifest["split"].to_numpy(copy=True)
    parts[[1, 17]] = parts[[17, 1]] = "labeled"
    parts[17] = "test"
    parts[[2, 18]] = ["labeled", "unlabeled"]
    before = remade(dataset, dataset.manifest.assign(split=pd.array(parts, dtype="str")))
    result = audit(before)
    assert [(leak.between, leak.a, leak.b, leak.examples) for leak in result.leaks] == [
        ("split", "labeled", "test", ((1, 17),))
    ]
    after = reopened(dataset)
    assert after.manifest["split"].equals(before.manifest["split"])
    assert after.description.split == before.description.split
    assert leaking_pairs(after) == [(1, 17)]


@pytest.mark.slow
def test_a_leak_free_split_after_an_audit_leaks_nothing(scans: Callable[..., Snapshot]) -> None:
    dataset = scans({17: 1, 18: 2, 19: 3, 16: 0})
    audit(dataset)
    assert leaking_pairs(split(reopened(dataset), labeled=8, test=4, validation=0.5)) == []
    assert audit(reopened(dataset)).leaks == ()


PARTS = st.sampled_from(["labeled", "validation", "unlabeled", "test", None])


@pytest.mark.slow
@given(rows=st.lists(st.tuples(st.one_of(st.integers(0, 4), st.none()), PARTS), min_size=1, max_size=14))
@settings(deadline=None, max_examples=60)
def test_leaking_pairs_are_those_that_comparing_all_rows_finds(rows: list[tuple[int | None, str | None]]) -> None:
    manifest = pd.DataFrame(
        {
            "group": pd.array([group for group, _ in rows], dtype="Int64"),
            "split": pd.array([part for _, part in rows], dtype="str"),
        }
    )
    sealed = {("labeled", "test"), ("unlabeled", "test"), ("validation", "test"), ("labeled", "validation")}
    sealed.add(("unlabeled", "validation"))
    crossing = {
        (a, b)
        for a, (group_a, part_a) in enumerate(rows)
        for b, (group_b, part_b) in enumerate(rows)
        if group_a is not None and group_a == group_b and (part_a, part_b) in sealed
    }
    found = leaking_pairs(Snapshot(None, None, manifest.assign(taught_before=False), None))
    assert set(found) <= crossing
    assert {row for _, row in found} == {row for _, row in crossing}
    assert len(found) == len(set(found))


@pytest.mark.slow
def test_the_file_holds_every_pair_and_the_paths_of_conflicts(scans: Callable[..., Snapshot]) -> None:
    dataset = scans({17: 1}, label={17: "glioma"}, patient={1: "Jane Doe", 2: "Jane Doe"})
    result = audit(dataset)
    text = (dataset.folder / "audit.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["pairs"] == [[1, 17, "near", result.pairs[0].similarity, True, 0, False]]
    assert content["conflicts"][0]["images"][0] == {"row": 1, "path": "squares/meningioma/0001.png", "label": "meningioma"}
    assert content["counts"] == result.counts()
    assert "Jane Doe" not in text


@pytest.mark.slow
def test_a_second_audit_gives_the_same(scans: Callable[..., Snapshot]) -> None:
    dataset = scans({17: 1, 18: 5})
    first = audit(dataset)
    manifest, text = reopened(dataset).manifest, (dataset.folder / "audit.json").read_text(encoding="utf-8")
    assert audit(reopened(dataset)) == first
    assert reopened(dataset).manifest.equals(manifest)
    assert (dataset.folder / "audit.json").read_text(encoding="utf-8") == text


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 200])
def test_blank_images_are_copies_only_where_their_hashes_say_so(level: int, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(images=5, size_px=SIZE_PX)
    manifest = dataset.manifest.assign(pixels_sha256=["e", "f", "f", "g", "h"])
    remade(dataset, manifest, pixels=np.full((5, 1, SIZE_PX, SIZE_PX), level, np.uint8))
    result = audit(reopened(dataset))
    assert [(pair.row_a, pair.row_b, pair.kind) for pair in result.pairs] == [(1, 2, "pixels")]


@pytest.mark.slow
def test_a_dataset_of_one_image_can_be_audited(make_dataset: MakeDataset) -> None:
    result = audit(make_dataset(images=1))
    assert (result.images, result.groups, result.group_sizes) == (1, 1, {1: 1})
    assert result.lines()
    assert repr(result) == "\n".join(result.lines())


@pytest.mark.slow
def test_a_dataset_in_which_all_is_set_aside_can_be_audited(scans: Callable[..., Snapshot]) -> None:
    result = audit(scans(set_aside=dict.fromkeys(range(20), "not an image")))
    assert (result.images, result.set_aside, result.groups) == (0, 20, 0)


@pytest.mark.slow
def test_a_refused_similarity_writes_nothing(scans: Callable[..., Snapshot]) -> None:
    dataset = scans()
    with pytest.raises(FewscanError, match="similarity"):
        audit(dataset, similarity=2.0)
    assert not (dataset.folder / "audit.json").exists()
    assert reopened(dataset).description.audit is None


@pytest.mark.slow
def test_the_summary_says_what_was_found(scans: Callable[..., Snapshot]) -> None:
    lines = "\n".join(audit(scans({17: 1}, label={17: "glioma"}, source={17: "elsewhere"})).lines())
    assert "2 of 20 images have a copy" in lines
    assert "1 (2 images)" in lines
    assert "leak between the sources elsewhere and squares" in lines


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The steps that an audit does, small ones; it can be stopped before one."""
    monkeypatch.setattr(find, "KEPT_AT_ONCE", 10)
    monkeypatch.setattr(search, "AT_A_TIME", 7)
    counted = Steps()
    monkeypatch.setattr(find, "describe", counted.of(find.describe))
    monkeypatch.setattr(search.Searched, "nearest", counted.of(search.Searched.nearest))
    monkeypatch.setattr(find, "_copies_among", counted.of(find._copies_among))
    return counted


@pytest.mark.parametrize("done", [0, 1, 2, 4, 7])
def test_an_audit_that_is_stopped_does_nothing_again(
    scans: Callable[..., Snapshot], steps: Steps, tmp_path: Path, done: int
) -> None:
    dataset = scans({5: 3, 9: 3, 12: 1})
    undisturbed = Dataset.open(shutil.copytree(dataset.folder, tmp_path / "undisturbed"))
    result = audit(undisturbed)
    whole, steps.left, steps.done = steps.done, done, 0
    with pytest.raises(KeyboardInterrupt):
        audit(dataset)
    steps.left = whole
    assert audit(dataset) == result
    assert steps.done == whole > done
    assert (dataset.folder / "pairs.parquet").read_bytes() == (undisturbed.folder / "pairs.parquet").read_bytes()
    assert not (dataset.folder / "described" / "audit.partial").exists()


def test_an_audit_that_cannot_keep_anything_is_refused_before_its_work_and_one_that_can_removes_what_others_kept(
    scans: Callable[..., Snapshot], steps: Steps
) -> None:
    dataset = scans({5: 3})
    described = dataset.folder / "described"
    described.write_text("in the way")
    with pytest.raises(FewscanError, match="described"):
        audit(dataset)
    assert steps.done == 0
    described.unlink()
    earlier = described / "pairs.partial" / "of other images"
    earlier.mkdir(parents=True)
    audit(dataset)
    assert not list(described.glob("*.partial"))


def test_what_is_damaged_of_a_stopped_audit_is_done_again(scans: Callable[..., Snapshot], steps: Steps, tmp_path: Path) -> None:
    dataset = scans({5: 3, 9: 3, 12: 1})
    undisturbed = Dataset.open(shutil.copytree(dataset.folder, tmp_path / "undisturbed"))
    result = audit(undisturbed)
    whole, steps.left, steps.done = steps.done, 6, 0
    with pytest.raises(KeyboardInterrupt):
        audit(dataset)
    kept = [path for path in (dataset.folder / "described" / "audit.partial").rglob("*") if path.is_file()]
    assert len(kept) == 6
    for path in kept:
        path.write_bytes(path.read_bytes()[:-30])
    steps.left, steps.done = whole, 0
    assert audit(dataset) == result
    assert steps.done == whole


def test_what_was_found_holds_for_what_was_asked_of_the_same_images_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, some = np.arange(4), np.array([0, 1])
    found = CopyPairs.joined([])
    asked = []

    def compare() -> CopyPairs:
        asked.append(found)
        return found

    for images, similarity, of in (
        ("these", 0.9, [rows, some]),
        ("others", 0.9, [rows, some]),
        ("these", 0.8, [rows, some]),
        ("these", 0.9, [rows + 1, some]),
        ("these", 0.9, [rows, some[:1]]),
        ("these", 0.9, [np.concatenate([rows, some])]),
        ("these", 0.9, [rows, some.astype(np.int32)]),
    ):
        before = len(asked)
        for _ in range(2):
            Checkpoint(tmp_path, images, similarity).pairs(CopyPairs, of, compare)
        assert len(asked) == before + 1
    capsys.readouterr()
    for images, similarity, goes_on in (("these", 0.9, True), ("these", 0.95, False), ("new", 0.9, False)):
        Checkpoint(tmp_path, images, similarity)
        told = capsys.readouterr()
        assert ("continuing" in told.err) == goes_on
