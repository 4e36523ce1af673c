"""Runs whose method solves for the classifier: ordinary runs, from features that the dataset keeps."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fewscan import api
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.folders import MODEL_FILE
from fewscan.learning.method import CHANGED, VIEWS, LabeledFeatures, Method, MethodSettings, Solution
from fewscan.learning.probe import Probe
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.splits.split import split
from fewscan.training import solve
from fewscan.training.budget import BudgetRows
from fewscan.training.kept_features import FOLDER, FeatureRecord
from fewscan.training.run import METRICS_FILE, Run
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings that name a small encoder and a file with its weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file(build_encoder(encoder_settings(width=16), 1, 16).state_dict(), path)
    return {"encoder": {"name": "resnet_small", "width": 16, "weights": str(path)}, "device": "cpu"}


def words(asked: dict[str, Any]) -> list[str]:
    return [f"encoder.{name}={value}" for name, value in asked["encoder"].items()] + ["device=cpu"]


@pytest.fixture(scope="module")
def solved(make_dataset: Callable[..., Snapshot], asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of probe beside its dataset."""
    dataset = split(make_dataset(), labeled=40, test=24, validation=0.25)
    place = tmp_path_factory.mktemp("solved")
    shutil.copytree(dataset.folder, place / "data")
    api.train(place / "data", method="probe", out=place / "run", **asked)
    return place / "run"


@pytest.fixture
def run(solved: Path, tmp_path: Path) -> Run:
    shutil.copytree(solved.parent, tmp_path / "place")
    return Run.open(tmp_path / "place" / "run")


@pytest.mark.slow
def test_the_network_is_the_encoder_as_it_was_and_says_of_pixels_what_it_says_of_kept_features(run: Run) -> None:
    trained, first = load_file(run.folder / MODEL_FILE), run.first_network().state_dict()
    assert all(torch.equal(value, first[name]) for name, value in trained.items() if name.startswith("encoder."))
    dataset, rows = run.open_dataset(), np.arange(0, 80, 3)
    predictor = Predictor.of(run)
    kept, anew = predictor.of_rows(dataset, rows), predictor.predict(dataset.pixels, rows)
    np.testing.assert_allclose(kept.probabilities, anew.probabilities, atol=1e-5)
    np.testing.assert_allclose(kept.features, anew.features, rtol=1e-4, atol=1e-5)
    (numbers,) = run.metrics()
    validation = dataset.rows("validation")
    calls = anew.probabilities if len(validation) == len(rows) else predictor.predict(dataset.pixels, validation).probabilities
    assert numbers["validation_accuracy"] == pytest.approx((calls.argmax(axis=1) == dataset.labels[validation]).mean())


@pytest.mark.slow
def test_propagation_learns_from_unlabeled_scans_too_and_its_run_is_like_any_other(
    run: Run, asked: dict[str, Any], fewscan: Command, tmp_path: Path
) -> None:
    data, method = run.folder.parent / "data", {"name": "propagation", "steps": 20}
    passed_on = api.train(data, method=method, out=tmp_path / "run", **asked)
    assert Run.open(passed_on.folder).settings == passed_on.settings
    inputs, weights = passed_on.new_network().encoder.feature_dim, load_file(passed_on.folder / MODEL_FILE)
    shapes = [tuple(weights[f"classifier.{layer}.weight"].shape) for layer in (0, 2)]
    assert shapes == [(256, inputs), (4, 256)]
    dataset, rows = passed_on.open_dataset(), np.arange(0, 80, 3)
    predictor = Predictor.of(passed_on)
    kept, anew = predictor.of_rows(dataset, rows), predictor.predict(dataset.pixels, rows)
    np.testing.assert_allclose(kept.probabilities, anew.probabilities, atol=1e-5)
    # Which scans lie beside the labeled ones makes a difference: of these alone it is another classifier.
    alone = replace(dataset, manifest=dataset.manifest.assign(split=dataset.manifest["split"].replace("unlabeled", None)))
    settings = passed_on.settings
    (tmp_path / "alone").mkdir()
    other = train_new(alone, settings, tmp_path / "alone" / "run", recipe="fewscan")
    assert np.abs(Predictor.of(other).of_rows(dataset, rows).probabilities - kept.probabilities).max() > 1e-3
    # What chose the strength of the first classifier says nothing of the one that came of it.
    assert not passed_on.metrics()[0].keys() & run.metrics()[0].keys() & {"strength", "cross_validated_accuracy"}
    assert api.calibrate(passed_on, folds=2, overwrite=True).images == 40
    assert api.evaluate(passed_on).images == 24
    assert fewscan("export", passed_on.folder, "--format", "safetensors", "--out", tmp_path / "export").returncode == 0


@pytest.mark.slow
def test_propagation_is_also_shown_scans_as_they_may_come_from_elsewhere_unless_told_not_to(
    run: Run, asked: dict[str, Any], tmp_path: Path
) -> None:
    data = run.folder.parent / "data"

    def kept_views() -> set[tuple[str, ...]]:
        return {FeatureRecord.read(path, "").views for path in (data / FOLDER).glob("*.json")}

    def trained(changed_view: bool) -> dict[str, torch.Tensor]:
        method = {"name": "propagation", "steps": 20, "changed_view": changed_view}
        return load_file(api.train(data, method=method, out=tmp_path / str(changed_view), **asked).folder / MODEL_FILE)

    plain = trained(False)
    assert kept_views() == {VIEWS}
    also = trained(True)
    assert kept_views() == {VIEWS, (CHANGED,)}
    assert not torch.equal(plain["classifier.2.weight"], also["classifier.2.weight"])


@pytest.mark.slow
def test_its_settings_are_those_that_mean_something(run: Run) -> None:
    written = run.settings.model_dump(mode="json")
    assert written.keys() == {*("method", "encoder", "class_balance", "copies_share_labels", "seed", "device", "allow_leakage")}
    assert RunSettings.parse(written) == run.settings


@pytest.mark.parametrize("changes", [{"epochs": 3}, {"optimizer": {"learning_rate": 1e-3}}, {"views": "scan"}, {"heads": {}}])
def test_settings_of_steps_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FewscanError, match=f"leave out {next(iter(changes))}"):
        RunSettings.resolve("probe", "fewscan", changes, labeled=9, unlabeled=0)


@pytest.mark.slow
def test_a_training_computes_features_once(run: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    place = run.folder.parent / "data"
    before = {path: path.stat().st_mtime_ns for path in (place / FOLDER).glob("*.npy")}
    settings = {key: value for key, value in asked["encoder"].items() if key != "name"}
    assert api.embed(place, encoder=asked["encoder"]["name"], **settings).computed == 0
    again = api.train(place, method="probe", out=tmp_path / "again", **asked, seed=5)
    assert {path: path.stat().st_mtime_ns for path in (place / FOLDER).glob("*.npy")} == before
    assert load_file(again.folder / MODEL_FILE).keys() == load_file(run.folder / MODEL_FILE).keys()


def test_killed_before_its_end_it_is_solved_again_the_same(run: Run) -> None:
    model = (run.folder / MODEL_FILE).read_bytes()
    (run.folder / MODEL_FILE).unlink()
    line = (run.folder / METRICS_FILE).read_text()
    api.train(run.folder.parent / "data", out=run.folder, resume=True)
    assert (run.folder / MODEL_FILE).read_bytes() == model
    assert len((run.folder / METRICS_FILE).read_text().splitlines()) == 1 == len(line.splitlines())


@pytest.mark.slow
def test_every_verb_takes_it(run: Run, fewscan: Command, tmp_path: Path) -> None:
    calibration = api.calibrate(run, folds=2, overwrite=True)
    assert (calibration.source, calibration.images) == ("cross-fitting", 40)
    evaluation = api.evaluate(run)
    assert evaluation.images == 24
    summary = api.label_suspects(run).summary()
    assert summary["checked"] == 40
    assert api.export(run, format="safetensors", out=tmp_path / "export").files
    card = (tmp_path / "export" / "model_card.md").read_text(encoding="utf-8")
    page = api.report(run).read_text(encoding="utf-8")
    for text in (card, page):
        assert "epochs" not in text.replace("no choice between epochs", "")
    assert json.loads(fewscan("verify", run.folder, "--json").stdout)["checks"]
    assert api.verify(run.folder).faults == []


@pytest.mark.slow
def test_labels_outside_the_budget_change_nothing(split_dataset: Snapshot, asked: dict[str, Any], tmp_path: Path) -> None:
    first = api.train(split_dataset, method="probe", out=tmp_path / "first", **asked)
    hidden = split_dataset.manifest.copy()
    others = ~hidden["split"].isin(["labeled", "validation"])
    hidden.loc[others, "label"] = hidden.loc[others, "label"].to_numpy()[::-1]
    features = solve.kept_features_of(first, first.load_network(), split_dataset)
    both = split_dataset, replace(split_dataset, manifest=hidden)
    rows = [BudgetRows.of(each, uses_unlabeled=False, copies_share_labels=True) for each in both]
    one, other = (solve.labeled_features((features,), each, split_dataset.classes, 1.0) for each in rows)
    assert all(np.array_equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))


def test_how_much_a_feature_varies_is_known_from_some_of_many_rows(
    run: Run, split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = solve.kept_features_of(run, run.load_network(), split_dataset)
    rows = split_dataset.rows("labeled", "unlabeled")
    expected = features.of(rows)[:, 0].std(axis=0)
    np.testing.assert_allclose(solve.deviation(features, rows), expected, rtol=1e-6)
    monkeypatch.setattr(solve, "TELLING_ROWS", len(rows) // 2)
    assert np.median(np.abs(solve.deviation(features, rows) / np.maximum(expected, 1e-9) - 1)) < 0.3


@pytest.mark.slow
def test_scans_that_validate_or_test_have_no_share_in_how_much_a_feature_varies(
    split_dataset: Snapshot, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    known = solve.deviation
    monkeypatch.setattr(solve, "deviation", lambda features, rows: seen.extend(rows) or known(features, rows))
    api.train(split_dataset, method="probe", out=tmp_path / "run", **asked)
    assert set(split_dataset.manifest["split"].iloc[seen]) <= {"labeled", "unlabeled"}
    assert set(seen) > set(split_dataset.rows("labeled"))


def test_labels_of_rare_classes_weigh_as_much_as_those_of_common_ones_and_copies_share_a_label(
    run: Run, make_dataset: Callable[..., Snapshot]
) -> None:
    groups = [*range(40), *range(40)]
    dataset = split(make_dataset(groups=groups), labeled=30, test=16, validation=0)
    features = solve.kept_features_of(run, run.load_network(), dataset)
    rows = BudgetRows.of(dataset, uses_unlabeled=False, copies_share_labels=True)
    for balance in (0.0, 1.0):
        labeled = solve.labeled_features((features,), rows, dataset.classes, balance)
        counted = labeled.weights * labeled.shares
        assert labeled.own.sum() == len(rows.labeled) == pytest.approx(counted.sum())
        by_class = np.bincount(labeled.labels, counted)
        counts = np.bincount(rows.labels[rows.labeled].numpy())
        np.testing.assert_allclose(by_class, counts if balance == 0 else counts.sum() / len(counts))


@pytest.mark.slow
def test_what_cannot_be_is_said(run: Run, asked: dict[str, Any], fewscan: Command, tmp_path: Path) -> None:
    place = run.folder.parent / "data"
    for arguments, said in (
        (["encoder=resnet_small"], "random weights"),
        (["encoder=resnet_small", "encoder.weights=nowhere"], "nowhere"),
        ([*words(asked), "batch_size=8"], "batch_size"),
        ([*words(asked), "method.strength=0"], "strength"),
    ):
        done = fewscan("train", place, "--method", "probe", "--out", tmp_path / "no", *arguments)
        assert (done.returncode, (tmp_path / "no").exists()) == (2, False)
        assert said in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_an_encoder_that_was_taught_what_tests_is_refused_and_one_taught_what_is_held_out_holds_nothing_out(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    quick = {"batch_size": 16, "epochs": 1, "device": "cpu", "probe_images": 0, "encoder": {"width": 16}}
    dataset = split(make_dataset(), labeled=40, test=24, validation=0.25)
    taught = api.train(dataset, method="supervised", out=tmp_path / "taught", **quick)
    other = split(dataset, labeled=40, test=24, validation=0.25, seed=3, name="other")
    weights = {"weights": str(taught.folder)}
    with pytest.raises(FewscanError, match="the split leaks"):
        api.train(other.folder, split="other", method="probe", encoder=weights, out=tmp_path / "leaks")
    run = api.train(dataset, method="probe", encoder=weights, out=tmp_path / "run")
    assert run.settings.encoder.width == 16  # type: ignore[attr-defined]
    with pytest.raises(FewscanError, match="held out"):
        api.calibrate(run, folds=2, overwrite=True)


@pytest.mark.slow
def test_what_begins_with_a_run_that_was_solved_has_its_encoder_from_where_that_had_it(run: Run, tmp_path: Path) -> None:
    # The labels taught that run's classifier alone, which the new one does not take.
    again = api.train(run.folder.parent / "data", begin=run, out=tmp_path / "again", device="cpu")
    assert not again.open_dataset().manifest["taught_before"].any()
    assert api.calibrate(again, folds=2, overwrite=True).source == "cross-fitting"
    first, second = (load_file(each.folder / MODEL_FILE) for each in (run, again))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("encoder."))


def test_a_classifier_of_no_numbers_is_refused(run: Run, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Solution(np.full((4, 128), np.nan, np.float32), np.zeros(4, np.float32), {})
    monkeypatch.setattr(Probe, "solve", lambda self, labeled, seed: nothing)
    out = run.folder.parent / "none"
    with pytest.raises(FewscanError, match=r"probe.*method\.KEY"):
        api.train(run.folder.parent / "data", method="probe", out=out, **asked)
    assert not (out / MODEL_FILE).exists()


def test_a_method_of_ones_own_may_solve(
    split_dataset: Snapshot, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fewscan.learning import registry

    class CentersSettings(MethodSettings):
        name: str = "centers"

    class Centers(Method):
        name = "centers"
        summary = "the nearest mean of a class"
        settings_type = CentersSettings
        two_views = uses_unlabeled = False
        solves = True

        def solve(self, labeled: LabeledFeatures, seed: int) -> Solution:
            means = np.stack([labeled.features[labeled.labels == each].mean(axis=(0, 1)) for each in range(4)])
            return Solution(means, -np.square(means).sum(axis=1) / 2, {})

    assert registry.method_flaw(Centers) is None
    assert registry.method_flaw(type("Empty", (Method,), {**Centers.__dict__, "solve": Method.solve})) is not None
    monkeypatch.setitem(registry.METHODS, "centers", Centers)
    run = api.train(split_dataset, method="centers", out=tmp_path / "run", **asked)
    features = Predictor.of(run).of_rows(split_dataset, split_dataset.rows("labeled"))
    assert features.probabilities.shape == (12, 4)
    assert run.settings.solved
