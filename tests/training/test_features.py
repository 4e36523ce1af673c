"""Features of images: computed once, kept in the dataset, the same however they came about."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torch
from safetensors.torch import save_file

from fewscan import api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.images.listing import list_place
from fewscan.images.negatives import NOTE
from fewscan.images.options import ImageSpec
from fewscan.learning.changed_view import changed
from fewscan.learning.method import CHANGED, VIEWS
from fewscan.learning.views import plain
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.training import features, kept_features
from fewscan.training.continuing import ReadyEncoder, ready_encoder
from fewscan.training.devices import cpu_cores
from fewscan.training.embedding import Embeddings, embed_files
from fewscan.verifying.verify import verify
from tests.images.formats.dicom_objects import CT, saved, scan

Command = Callable[..., CompletedProcess[str]]
CPU = torch.device("cpu")
SPEC = ImageSpec(size_px=16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the weights of a small encoder."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file(build_encoder(encoder_settings(width=16), 1, 16).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ready(weights: Path) -> ReadyEncoder:
    return ready_encoder(encoder_settings(width=16, weights=str(weights)), SPEC)


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    """Ten scans in a folder, and a file that is none."""
    folder = tmp_path / "pile"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(10):
        PIL.Image.fromarray(random.integers(0, 255, (16, 16), np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def embed(place: Path | str, weights: Path, **options: object) -> Embeddings:
    export = weights.with_name("model.json")
    if not export.exists():
        export.write_text(json.dumps({"encoder": {"name": "resnet_small", "width": 16}}))
    return api.embed(place, encoder=weights, **options)


def test_kept_features_are_those_of_the_encoder_and_of_the_mirrored_image(split_dataset: Snapshot, ready: ReadyEncoder) -> None:
    kept = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU).features
    rows = np.array([70, 3, 4])
    images = plain(torch.from_numpy(np.array(split_dataset.pixels)[rows]))
    with torch.no_grad():
        for view, shown in enumerate((images, images.flip(-1))):
            np.testing.assert_allclose(kept.of(rows)[:, view], ready.encoder(shown).numpy(), rtol=1e-4, atol=1e-5)


def test_features_of_other_views_are_kept_beside_them(split_dataset: Snapshot, ready: ReadyEncoder) -> None:
    def kept(*others: str) -> list[np.ndarray]:
        done = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU, other_views=others)
        return [each.of(rows) for each in done.kept]

    rows = np.array([70, 3, 4])
    both = kept(CHANGED)
    shown = np.stack([changed(scan) for scan in split_dataset.pixels[rows]])
    with torch.no_grad():
        expected = ready.encoder(plain(torch.from_numpy(shown))).numpy()
    np.testing.assert_allclose(both[1][:, 0], expected, rtol=1e-4, atol=1e-5)
    assert [each.shape[1] for each in both] == [2, 1]
    np.testing.assert_array_equal(kept()[0], both[0])


@pytest.mark.parametrize(
    ("kept", "ways"),
    [
        (0, [(("plain", "mirrored", CHANGED), 0, 80)]),
        (30, [((CHANGED,), 0, 30), (("plain", "mirrored", CHANGED), 30, 80)]),
        (80, [((CHANGED,), 0, 80)]),
    ],
)
def test_a_scan_is_read_once_for_all_views_that_it_lacks(
    kept: int, ways: list[object], split_dataset: Snapshot, ready: ReadyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def until(end: int, *others: str) -> list[np.ndarray]:
        done: list[int] = []

        def told(images: int) -> None:
            done.append(images)
            if sum(done) > end:
                raise Killed

        found = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU, told, other_views=others)
        return [each.of(np.arange(80)) for each in found.kept]

    monkeypatch.setattr(features, "BATCH", 10)
    monkeypatch.setattr(features, "PART_BATCHES", 3)
    apart = [until(80)[0], until(80, CHANGED)[1]]
    shutil.rmtree(split_dataset.folder / kept_features.FOLDER)
    if kept < 80:
        with pytest.raises(Killed):
            until(kept)
    else:
        until(kept)
    made, begun = features._encoded, []

    def noted(*told: object) -> object:
        *_, views, rows = told
        begun.append((views, rows[0], rows[-1] + 1))
        return made(*told)

    monkeypatch.setattr(features, "_encoded", noted)
    together = until(80, CHANGED)
    assert begun == ways
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, other)
    assert api.verify(split_dataset.folder).faults == []


@pytest.mark.slow
def test_what_is_set_aside_counts_neither_as_computed_nor_as_a_scan_with_features(
    pile: Path, weights: Path, tmp_path: Path, fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    dataset = api.import_scans(pile, tmp_path / "data", size_px=16)
    of_dataset, of_folder = embed(dataset.folder, weights), embed(pile, weights, size_px=16)
    for found in (of_dataset, of_folder):
        summary = found.summary()
        assert (found.computed, summary["unreadable"]) == (summary["images"] - 1, 1)
    (pile / "torn.png").write_bytes(b"no picture")
    PIL.Image.fromarray(np.full((16, 16), 9, np.uint8) * np.eye(16, dtype=np.uint8)).save(pile / "later.png")
    api.add_scans(dataset, pile)
    said = fewscan("embed", dataset.folder, "--encoder", weights).stdout
    assert f"{of_dataset.computed + 1} scans" in said
    assert "computed now: 1 in" in said
    assert "set aside: 2" in said
    assert embed(dataset.folder, weights).computed == 0


@pytest.mark.slow
def test_only_new_images_are_computed_and_the_features_are_those_computed_anew(
    pile: Path, weights: Path, ready: ReadyEncoder, tmp_path: Path
) -> None:
    dataset = api.import_scans(pile, tmp_path / "data", size_px=16)
    first = embed(dataset.folder, weights)
    # One of them is set aside.
    assert (first.computed, len(first.names)) == (10, 11)
    assert embed(dataset.folder, weights).computed == 0
    PIL.Image.fromarray(np.full((16, 16), 9, np.uint8) * np.eye(16, dtype=np.uint8)).save(pile / "later.png")
    api.add_scans(dataset, pile)
    grown = embed(dataset.folder, weights)
    assert (grown.computed, len(grown.names)) == (1, 12)
    shutil.rmtree(dataset.folder / kept_features.FOLDER)
    anew = embed(dataset.folder, weights)
    assert anew.computed == 11
    np.testing.assert_allclose(grown.features, anew.features, rtol=1e-4, atol=1e-5)
    assert api.verify(dataset.folder).faults == []


def test_what_a_kill_leaves_is_no_part_and_what_was_whole_is_not_computed_again(
    split_dataset: Snapshot, ready: ReadyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU).features.of(np.arange(80))
    shutil.rmtree(split_dataset.folder / kept_features.FOLDER)
    monkeypatch.setattr(features, "BATCH", 10)
    monkeypatch.setattr(features, "PART_BATCHES", 3)
    write, records = kept_features.write_text, []

    def killed(path: Path, text: str) -> None:
        if records:
            raise KeyboardInterrupt
        records.append(path)
        write(path, text)

    monkeypatch.setattr(kept_features, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    assert len(list((split_dataset.folder / kept_features.FOLDER).glob("*.npy"))) == 2  # one of them is no part
    assert api.verify(split_dataset.folder).faults == []
    monkeypatch.setattr(kept_features, "write_text", write)
    after = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    assert after.computed == 50
    np.testing.assert_allclose(after.features.of(np.arange(80)), whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(after.features.plain, after.features.of(np.arange(80))[:, 0])


@pytest.mark.parametrize("damage", ["cut short", "lost", "other images", "no record"])
def test_features_that_are_not_whole_are_computed_anew(
    damage: str, split_dataset: Snapshot, ready: ReadyEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU).features.of(np.arange(80))
    (part,), (record,) = ((split_dataset.folder / kept_features.FOLDER).glob(f"*.{suffix}") for suffix in ("npy", "json"))
    if damage == "cut short":
        part.write_bytes(part.read_bytes()[:-100])
    elif damage == "lost":
        part.unlink()
    elif damage == "other images":
        record.write_text(record.read_text().replace(split_dataset.store.chain, "0" * 64))
    else:
        record.write_text("{")
    after = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    assert "features of all images are computed" in capsys.readouterr().err
    assert after.computed == 80
    np.testing.assert_array_equal(after.features.of(np.arange(80)), before)


def test_an_encoder_that_computes_otherwise_under_the_same_name_and_weights_is_noticed(
    split_dataset: Snapshot, ready: ReadyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU).features.of(np.arange(80))
    forward = type(ready.encoder).forward
    monkeypatch.setattr(type(ready.encoder), "forward", lambda self, images: 2 * forward(self, images))
    after = features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    assert after.computed == 80
    np.testing.assert_allclose(after.features.of(np.arange(80)), 2 * before, rtol=1e-4)


def test_verify_finds_a_byte_that_changed(split_dataset: Snapshot, ready: ReadyEncoder) -> None:
    features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    (part,) = (split_dataset.folder / kept_features.FOLDER).glob("*.npy")
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    (fault,) = api.verify(split_dataset.folder).faults
    assert part.name in fault


def test_other_weights_and_another_encoder_have_features_of_their_own(split_dataset: Snapshot, ready: ReadyEncoder) -> None:
    torch.manual_seed(1)
    others = [ready_encoder(encoder_settings(width=width), SPEC) for width in (16, 24)]
    keys = {kept_features.FeatureRecord.begun(each, split_dataset.store, VIEWS).key for each in (ready, *others)}
    assert len(keys) == 3


def test_features_that_are_no_numbers_are_refused_and_not_kept(split_dataset: Snapshot, weights: Path) -> None:
    broken = ready_encoder(encoder_settings(width=16, weights=str(weights)), SPEC)
    for parameter in broken.encoder.parameters():
        parameter.fill_(torch.inf)
    with pytest.raises(FewscanError, match="not numbers"):
        features.dataset_features(split_dataset.folder, split_dataset.store, broken, CPU)
    assert not list((split_dataset.folder / kept_features.FOLDER).glob("*.npy"))


@pytest.mark.slow
def test_a_folder_gives_a_table_in_which_what_cannot_be_read_keeps_its_line(
    fewscan: Command, pile: Path, weights: Path, tmp_path: Path
) -> None:
    expected = embed(pile, weights, size_px=16)
    done = fewscan("embed", pile, "--encoder", weights, "--size", 16, "--out", tmp_path / "f.parquet", "--json")
    told = json.loads(done.stdout)
    assert (told["images"], told["unreadable"], told["features"]) == (11, 1, expected.features.shape[1])
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert table["path"].tolist() == expected.names
    broken = table["path"] == "broken.png"
    assert table.loc[broken, "reason"].notna().all()
    assert table.loc[broken].filter(regex=r"^h\d").isna().all(axis=None)
    np.testing.assert_array_equal(table.loc[~broken].filter(regex=r"^h\d"), expected.features[~broken])
    dataset = api.import_scans(pile, tmp_path / "data", size_px=16)
    of_dataset = embed(dataset.folder, weights)
    np.testing.assert_allclose(of_dataset.features[~broken], expected.features[~broken], rtol=1e-4, atol=1e-5)


def test_what_was_changed_of_a_file_is_noted(ready: ReadyEncoder, weights: Path, tmp_path: Path) -> None:
    head = np.pad(np.full((60, 60), 90, np.uint8), 20)
    for name, image in (("scan", head), ("negative", 255 - head)):
        PIL.Image.fromarray(image).save(tmp_path / f"{name}.png")
    settings = encoder_settings(width=16, weights=str(weights))
    values = np.pad(np.full((60, 60), 70, "<u2"), 20)
    saved(scan(values, CT, WindowCenter=[40, 600], WindowWidth=[80, 2800]), tmp_path / "two windows.dcm")
    spec = SPEC.model_copy(update={"negatives": "undo"})
    (listed,) = list_place(tmp_path / "two windows.dcm", spec, follow_links=False)
    (window,) = listed.notes
    found = embed_files(tmp_path, settings, spec)
    assert found.names == ["negative.png", "scan.png", "two windows.dcm"]
    np.testing.assert_array_equal(found.features[0], found.features[1])
    assert found.table["note"].fillna("none").tolist() == [NOTE, "none", window]
    assert found.summary()["notes"] == {NOTE: 1, window: 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pile", "--encoder", "resnet_small"], "--out"),
        (["pile", "--encoder", "resnet_smal", "--out", "f.parquet"], "resnet_small"),
        (["pile", "--encoder", "resnet_small", "--out", "f.csv"], "parquet"),
        (["pile", "--encoder", "runs/none", "--out", "f.parquet"], "no folder or file runs/none"),
        (["nowhere", "--encoder", "resnet_small", "--out", "f.parquet"], "nowhere"),
        (["pile", "--encoder", "resnet_small", "--weights", "nothing", "--out", "f.parquet"], "nothing"),
        (["pile", "--encoder", "resnet_small", "--size", "0", "--out", "f.parquet"], "size_px"),
        (["data", "--encoder", "resnet_small", "--size", "32"], "--size"),
        (["data", "--encoder", "resnet_small", "encoder.out=f.parquet"], "option"),
        (["data", "--encoder", "resnet_small", "encoder.place=data"], "option"),
        (["data", "--encoder", "resnet_small", "encoder.text=data"], "encoder.text"),
        (["data", "--encoder", "resnet_small", "encoder.widht=32"], "widht"),
        (["data", "--encoder", "resnet_small", "epochs=3"], "encoder.KEY=VALUE"),
    ],
)
def test_what_cannot_be_is_one_line(fewscan: Command, pile: Path, arguments: list[str], said: str, tmp_path: Path) -> None:
    if arguments[0] == "data":
        api.import_scans(pile, tmp_path / "data", size_px=16)
    done = fewscan("embed", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "f.parquet").exists()


@pytest.mark.slow  # two processes, twice
@pytest.mark.skipif(cpu_cores() < 2, reason="one core is one device")
def test_several_devices_make_the_features_of_one(split_dataset: Snapshot, pile: Path, weights: Path, tmp_path: Path) -> None:
    for number in range(10, 70):  # a batch is 64
        shutil.copy(pile / f"{number % 10}.png", pile / f"{number}.png")
    by_one, by_two = (embed(pile, weights, size_px=16, devices=devices) for devices in (1, 2))
    assert by_one.names == by_two.names
    assert by_one.reasons == by_two.reasons
    np.testing.assert_allclose(by_two.features, by_one.features, rtol=1e-5, atol=1e-6)
    for devices in (1, 2):
        folder = shutil.copytree(split_dataset.folder, tmp_path / str(devices))
        shutil.rmtree(folder / "features", ignore_errors=True)
    first, second = (embed(tmp_path / str(devices), weights, devices=devices) for devices in (1, 2))
    assert second.computed == len(split_dataset.manifest)
    np.testing.assert_allclose(second.features, first.features, rtol=1e-5, atol=1e-6)
    assert not verify(tmp_path / "2").faults


def test_a_record_under_another_name_is_found(split_dataset: Snapshot, ready: ReadyEncoder) -> None:
    features.dataset_features(split_dataset.folder, split_dataset.store, ready, CPU)
    (record,) = (split_dataset.folder / kept_features.FOLDER).glob("*.json")
    record.rename(record.with_name("other.json"))
    with pytest.raises(FewscanError, match=r"other\.json"):
        kept_features.verify_features(split_dataset.folder)


def test_images_that_take_no_part_are_not_counted_while_features_are_computed(
    split_dataset: Snapshot, ready: ReadyEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH", 30)
    taking_part = np.flatnonzero(np.arange(80) % 20 != 7)
    counted: list[int] = []
    place, images = split_dataset.folder, split_dataset.store
    done = features.dataset_features(place, images, ready, CPU, counted.append, counted_rows=taking_part)
    assert (counted, done.computed, len(done.features)) == ([28, 29, 19], 80, 80)


def test_of_a_dataset_the_files_that_could_not_be_read_are_not_counted(pile: Path, ready: ReadyEncoder) -> None:
    dataset = api.import_scans(pile, pile.parent / "data", size_px=16)
    counted: list[int] = []
    done = features.dataset_features(dataset.folder, dataset.images, ready, CPU, counted.append)
    assert (sum(counted), len(done.features)) == (10, 11)
