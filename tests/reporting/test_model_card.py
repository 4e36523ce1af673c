import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fewscan.datasets.descriptions import SourceDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import Evaluation, evaluate
from fewscan.evaluation.intervals import Interval
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.export import Export
from fewscan.exporting.proof import Proof
from fewscan.reporting import model_card
from fewscan.reporting.model_card import write_model_card
from fewscan.reporting.rendering import markdown
from fewscan.splits.split import split
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.made import calibrated, remade


@pytest.fixture
def dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    made = make_dataset(images=83)
    aside = ["truncated or damaged" if row >= 80 else None for row in range(83)]
    manifest = made.manifest.assign(set_aside=aside, label=made.manifest["label"][:80])
    source = SourceDescription(name="squares", folder="/home/jane/Jane Doe", images=80, set_aside=3)
    return split(remade(made, manifest, sources=(source,)), labeled=16, test=24, validation=0.25)


@pytest.fixture
def run(dataset: Snapshot, tmp_path: Path) -> Run:
    settings = RunSettings.resolve("supervised", "fewscan", {"encoder": {"width": 16}}, labeled=12, unlabeled=40)
    made = Run.create(tmp_path / "first try", settings, dataset, 0)
    torch.manual_seed(0)
    made.save_network(made.new_network())
    made.log({"epoch": 1, "c_acc": None, "r_acc": None, "p_acc": 0.5})
    return made


@pytest.fixture
def write_card(run: Run, dataset: Snapshot, tmp_path: Path) -> Callable[..., str]:
    def write(temperature: float = 1.0, originals: int = 40, file_format: str = "onnx") -> str:
        export = Export.model_validate(
            {
                "out": "out",
                "format": file_format,
                "files": ("model.onnx",),
                "model": ModelDescription.of(run, temperature, 1.2345),
                "feature_dim": 256,
                "proof": Proof(scans=56, originals=originals, largest_difference=2.345e-6, largest_typicality_difference=1e-6),
            }
        )
        return write_model_card(run, dataset, export, tmp_path).read_text(encoding="utf-8")

    return write


@pytest.mark.slow
def test_what_was_not_measured_is_said_with_the_command_that_does(write_card: Callable[..., str]) -> None:
    card = write_card()
    assert card.startswith("# Model card: first try\n")
    assert "Research use only: not a medical device." in card
    assert "Not measured. `fewscan evaluate RUN`" in card
    assert "Not calibrated" in card
    assert "`fewscan calibrate RUN`" in card
    assert "RUN stands for the folder of the run first try" in card
    assert "sensitivity" not in card
    assert "fewscan stress RUN`" in card


@pytest.mark.slow
def test_what_nothing_can_measure_is_not_advised(
    write_card: Callable[..., str], dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_as_drawn = dataset.require_split()
    monkeypatch.setattr(model_card, "can_be_scored", lambda *_: False)
    for validation in (8, 0):
        drawn = split_as_drawn.model_copy(update={"test": 0, "validation": validation})
        monkeypatch.setattr(Snapshot, "require_split", lambda _, drawn=drawn: drawn)
        card = write_card()
        assert ("fewscan stress RUN --validation` measures" in card) == bool(validation)
        assert "fewscan stress RUN` measures" not in card
        assert "fewscan evaluate RUN` measures" not in card


@pytest.mark.slow
def test_sentences_and_headings_stand_apart_where_a_temperature_does_harm(
    write_card: Callable[..., str], run: Run, dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evaluation, "temperature_hurt", True)
    error = Interval(value=0.123, low=0.1, high=0.2)
    calibrated(run, 1.2345, source="cross-fitting", calibration_error_before=error, calibration_error_after=error)
    evaluate(run, dataset)
    card = write_card(temperature=1.2345)
    assert "the temperature made it larger" in card
    prose = re.sub(r"```.*?```|`[^`]*`", "", card, flags=re.DOTALL)
    assert not re.search(r"[a-z]\.[A-Z]", prose)
    assert not re.search(r"[^\n]\n#", card)


@pytest.mark.slow
def test_scores_and_calibration_are_the_runs(write_card: Callable[..., str], run: Run, dataset: Snapshot) -> None:
    evaluation: Evaluation = evaluate(run, dataset)
    calibrated(
        run,
        1.2345,
        source="cross-fitting",
        images=16,
        groups=15,
        calibration_error_before=Interval(value=0.123, low=0.1, high=0.2),
        calibration_error_after=Interval(value=0.045, low=0.01, high=0.09),
    )
    card = write_card(temperature=1.2345)
    assert f"| accuracy | {evaluation.accuracy.percent} |" in card
    assert f"| AUROC, mean of the classes | {evaluation.auroc.decimal} |" in card
    for score in evaluation.classes:
        rates = " | ".join(rate.percent for rate in score.rates.values())
        assert f"| {score.name} | 6 | {rates} |" in card
    text = " ".join(card.split())
    assert "This run opened the test set 1 time by evaluate; all runs together (1) opened it 1 time" in text
    assert (
        "Temperature 1.234, fitted on 16 labeled images in 15 groups outside the test set (all labels, held out in turn)."
        in text
    )
    # The score was taken before the run got that temperature.
    assert "| calibration error (ECE), of probabilities with temperature 1, not this model's |" in card
    assert "12.3 % [10.0, 20.0] before, 4.5 % [1.0, 9.0] after" in text


@pytest.mark.slow
def test_data_split_and_proof_are_named_and_no_path_file_or_patient_is(
    write_card: Callable[..., str], run: Run, dataset: Snapshot
) -> None:
    card = write_card()
    text = " ".join(card.split())
    assert "| squares | 80 | 3 |" in card
    for fingerprint in (run.record.dataset_fingerprint, run.record.split_fingerprint):
        assert f"`{fingerprint}`" in card
    assert "12 labeled, 4 validation, 40 unlabeled, 24 test, 0 left out" in text
    assert "largest difference in probability 2.3e-06, allowed 1e-04, in typicality 1.0e-06, allowed 1e-03" in text
    assert "on 56 scans, 40 of them read again" in text
    for secret in ("Jane", "/home", "0000.png", str(run.folder.parent)):
        assert secret not in card


@pytest.mark.slow
def test_without_original_files_the_card_says_what_was_not_compared(write_card: Callable[..., str]) -> None:
    assert "the resizing was not compared" not in write_card()
    assert "the resizing was not compared" in write_card(originals=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leaking_pairs", "said"), [(7, "this split leaks"), (None, "nobody had looked"), (0, "found no images")]
)
def test_leaks_are_said(leaking_pairs: int | None, said: str, run: Run, dataset: Snapshot, tmp_path: Path) -> None:
    record = run.record.model_copy(update={"leaking_pairs": leaking_pairs})
    changed = Run(run.folder, run.settings, record)
    export = Export(
        out="out",
        format="safetensors",
        files=("model.json", "model.safetensors"),
        model=ModelDescription.of(run, 1.0, 1.2345),
        feature_dim=256,
        proof=Proof(scans=56, originals=0, largest_difference=0.0, largest_typicality_difference=0.0),
    )
    assert said in write_model_card(changed, dataset, export, tmp_path).read_text()


def test_a_name_is_no_markup() -> None:
    assert markdown("no_tumor") == "no_tumor"
    assert markdown("a|b <i>\n*c* `d` [e](f)") == r"a\|b \<i\> \*c\* \`d\` \[e\](f)"
    assert markdown("#&~") == r"\#\&\~"
