"""Runs whose encoder begins from a run, a file or known weights; and encoders made ready to use without training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file

from fewscan import api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.models.encoders import encoder_settings
from fewscan.splits.split import split
from fewscan.training.continuing import asked_encoder, ready_encoder
from fewscan.training.embedding import spec_for
from fewscan.training.run import Run

QUICK = {"batch_size": 16, "epochs": 1, "device": "cpu", "probe_images": 0}


@pytest.fixture(scope="module")
def taught(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of joint, which has learned from unlabeled images too."""
    dataset = split(make_dataset(), labeled=16, test=24, validation=0.25)
    return api.train(dataset, method="joint", encoder={"width": 24}, out=tmp_path_factory.mktemp("taught") / "run", **QUICK)


def encoder_of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name.startswith("encoder.")}


@pytest.mark.slow
def test_a_run_of_another_method_begins_with_the_encoder_and_with_heads_of_its_own(taught: Run, tmp_path: Path) -> None:
    asked = {"weights": str(taught.folder)}  # the width comes from there
    run = api.train(taught.record.dataset, recipe="finetune", encoder=asked, out=tmp_path / "run", **QUICK)
    assert (run.settings.method.name, run.settings.encoder.name) == ("supervised", "resnet_small")
    trained = load_file(taught.folder / "model.safetensors")
    first = run.first_network().state_dict()
    assert all(torch.equal(first[name], value) for name, value in encoder_of(trained).items())
    assert not torch.equal(first["classifier.0.weight"], trained["classifier.0.weight"])
    began = Run.open(run.folder).record.began_with
    assert began is not None
    assert (began.origin.kind, began.origin.source, began.origin.identity) == ("run", "run", taught.identity)
    assert api.verify(run.folder).faults == []


@pytest.mark.slow
def test_what_a_run_has_learned_from_must_not_judge_one_that_begins_with_its_encoder(taught: Run, tmp_path: Path) -> None:
    seen = taught.open_dataset()
    other = split(seen, labeled=16, test=24, validation=0.25, seed=3, name="other")
    assert np.isin(other.rows("test"), seen.rows("labeled", "unlabeled")).any()
    for weights in (taught.folder, taught.folder / "model.safetensors"):
        with pytest.raises(FewscanError, match="the split leaks"):
            api.train(other.folder, split="other", method="supervised", encoder={"weights": str(weights)}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_copies_of_images_that_a_run_on_another_dataset_has_learned_from_do_not_judge_either(
    taught: Run, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    asked = {"weights": str(taught.folder)}
    again = split(make_dataset(), labeled=16, test=24, validation=0.25, seed=3)
    with pytest.raises(FewscanError, match="the split leaks"):
        api.train(again, method="supervised", encoder=asked, out=tmp_path / "copies", **QUICK)
    others = split(make_dataset(seed=9), labeled=16, test=24, validation=0.25)
    run = api.train(others, method="supervised", encoder=asked, out=tmp_path / "others", **QUICK)
    assert run.record.began_with is not None
    assert run.record.began_with.origin.may_know(run.record.dataset_identity)


@pytest.mark.slow
def test_a_copy_of_the_dataset_that_lacks_what_was_added_begins_with_the_encoder_and_judges_by_nothing_it_knows(
    split_dataset: Snapshot, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(split_dataset.folder, tmp_path / "copy"))
    later = tmp_path / "later"
    later.mkdir()
    PIL.Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 16), dtype=np.uint8)).save(later / "one.png")
    api.add_scans(split_dataset.folder, [later])
    first = api.train(split_dataset.folder, method="supervised", encoder={"width": 24}, out=tmp_path / "first", **QUICK)
    asked = {"weights": str(first.folder)}
    run = api.train(copy, method="supervised", encoder=asked, out=tmp_path / "run", **QUICK)
    assert run.record.began_with is not None
    api.split(copy, name="other", labeled=16, test=24, validation=0.25, seed=3)
    with pytest.raises(FewscanError, match="the split leaks"):
        api.train(copy, split="other", method="supervised", encoder=asked, out=tmp_path / "leaks", **QUICK)
    shutil.rmtree(split_dataset.folder)
    with pytest.raises(FewscanError):  # which images it knows cannot be told
        api.train(copy, split="other", method="supervised", encoder=asked, out=tmp_path / "leaks", **QUICK)


@pytest.mark.slow
def test_the_page_the_card_and_the_export_say_where_weights_come_from_without_folders(
    split_dataset: Snapshot, taught: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "somebody" / "secret"
    folder.mkdir(parents=True)
    save_file(encoder_of(load_file(taught.folder / "model.safetensors")), folder / "brains.safetensors")
    asked = {"width": 24, "weights": str(folder / "brains.safetensors")}
    run = api.train(split_dataset, method="supervised", encoder=asked, out=tmp_path / "run", **QUICK)
    export = api.export(run, format="safetensors", out=tmp_path / "export")
    assert export.model.began_with is not None
    assert export.model.began_with.source == "brains.safetensors"
    page = api.report(run).read_text(encoding="utf-8")
    card = (tmp_path / "export" / "model_card.md").read_text(encoding="utf-8")
    described = (tmp_path / "export" / "model.json").read_text(encoding="utf-8")
    for text in (page, card, described):
        assert "brains.safetensors" in text
        assert export.model.began_with.sha256 in text
        assert "secret" not in text
    for text in (page, card):
        assert "not known whether" in text


@pytest.mark.slow
@pytest.mark.parametrize("as_it_is", [True, False])
def test_a_ready_encoder_gives_the_features_of_the_run_and_does_not_learn(taught: Run, as_it_is: bool, tmp_path: Path) -> None:
    named = taught.folder
    if not as_it_is:
        api.export(taught, format="safetensors", out=tmp_path / "export")
        named = tmp_path / "export" / "model.safetensors"
    ready = ready_encoder(asked_encoder(str(named)), taught.record.spec)
    images = torch.rand(3, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(ready.encoder(images), taught.load_network().encoder(images))
    assert not ready.encoder.training
    assert not any(parameter.requires_grad for parameter in ready.encoder.parameters())
    assert ready.origin is not None
    assert ready.identity != ready_encoder(encoder_settings(width=24), taught.record.spec).identity


@pytest.mark.slow
def test_settings_and_weights_that_do_not_fit_are_named(taught: Run, split_dataset: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match=r"encoder with other settings: add encoder\.width=24"):
        ready_encoder(encoder_settings(weights=str(taught.folder), width=16), taught.record.spec)
    with pytest.raises(FewscanError, match="encoder with other settings"):
        api.train(
            split_dataset, method="joint", out=tmp_path / "run", encoder={"name": "study_cnn", "weights": str(taught.folder)}
        )
    with pytest.raises(FewscanError, match="no file or run"):
        ready_encoder(encoder_settings(weights=str(tmp_path / "nothing")), taught.record.spec)
    save_file({"a": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(FewscanError, match="does not say which encoder"):
        asked_encoder(str(tmp_path / "bare.safetensors"))
    with pytest.raises(FewscanError, match="unknown encoder"):
        asked_encoder("resnet_smal")
    with pytest.raises(FewscanError, match="images with 1 channels"):
        ready_encoder(asked_encoder(str(taught.folder)), taught.record.spec.model_copy(update={"channels": 3}))
    with pytest.raises(FewscanError, match=r"leave out either encoder\.weights"):
        api.train(split_dataset, begin=taught, encoder={"weights": "x"}, out=tmp_path / "run")


@pytest.mark.slow
def test_a_file_that_torch_saved_is_opened_so_that_no_code_of_it_runs_and_that_is_said(
    taught: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {
        name.removeprefix("encoder."): value
        for name, value in encoder_of(load_file(taught.folder / "model.safetensors")).items()
    }
    torch.save({"state_dict": weights}, tmp_path / "brains.pth")
    ready = ready_encoder(encoder_settings(width=24, weights=str(tmp_path / "brains.pth")), taught.record.spec)
    assert torch.equal(ready.encoder.state_dict()["stem.0.weight"], weights["stem.0.weight"])
    assert "brains.pth" in capsys.readouterr().err
    torch.save([1, 2], tmp_path / "numbers.pth")
    with pytest.raises(FewscanError, match="weights by name"):
        ready_encoder(encoder_settings(width=24, weights=str(tmp_path / "numbers.pth")), taught.record.spec)


@pytest.mark.slow
def test_a_run_reads_other_files_as_its_own(taught: Run) -> None:
    settings = asked_encoder(str(taught.folder))
    assert spec_for(settings, None, color=False) == taught.record.spec
    assert spec_for(settings, 32, color=False) == taught.record.spec.model_copy(update={"size_px": 32})
    with pytest.raises(FewscanError, match="--color"):
        spec_for(settings, None, color=True)
