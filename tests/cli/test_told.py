"""What verbs tell of what they did where there is much of it, little, or something rare; and which step they name then."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from fewscan import api, demo
from fewscan.cli import adding, app, comparing, demonstration, embedding, following, label_suspects, mapping, showing
from fewscan.cli.split_words import parts_of_split
from fewscan.datasets.added import AddedToSplit, AddSummary
from fewscan.datasets.candidates import note_candidate
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.learnable import without_labels
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import CALIBRATION_FILE
from fewscan.evaluation.evaluate import EVALUATION_FILE
from fewscan.evaluation.few_to_score import few_warnings
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.label_suspects import LabelSuspects
from fewscan.explaining.evidence import Evidence, Neighbor
from fewscan.folders import MODEL_FILE
from fewscan.models.encoders import ENCODERS
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.splits.sizes import suitable_sizes
from fewscan.splits.split import split
from fewscan.splits.support import images_to_keep
from fewscan.training.run import Run
from tests.comparison.made_up import made_up
from tests.made import remade

Command = Callable[..., CompletedProcess[str]]
MakeDataset = Callable[..., Snapshot]
Untrained = Callable[[Snapshot], Run]


def test_all_that_an_addition_brought_is_counted_and_nothing_else_is() -> None:
    part = AddedToSplit(split="main", labeled=101, unlabeled=102, validation=103, test=104, tying=105, left_out=106)
    whole = AddSummary(
        folder="data",
        images=107,
        classes={"glioma": 108},
        new_classes=(),
        unlabeled=109,
        set_aside=0,
        examples=(),
        held=0,
        changed=0,
        changed_examples=(),
        rows=120,
        usable=110,
        patients=114,
        patients_of_old=115,
        with_copies=111,
        of_old=112,
        suspects=113,
        suspects_set_aside=False,
        splits=(part,),
    )
    text = "\n".join(adding._lines(whole))
    assert all(str(number) in text for number in range(101, 116))
    unaudited = {"with_copies": None, "of_old": None, "suspects": None, "unlabeled": 0, "patients": 0}
    few = whole.model_copy(update=unaudited | {"splits": (part.model_copy(update={"tying": 0, "left_out": 0}),)})
    text = "\n".join(adding._lines(few))
    assert not any(str(number) in text for number in (105, 106, 109, 111, 112, 113, 114, 115))


def test_of_many_labels_in_doubt_some_are_shown_and_the_rest_is_counted() -> None:
    shown = label_suspects.SHOWN
    line = {"path": "a.png", "label": "a", "label_state": "", "predicted": "b", "label_probability": 0.1}
    line |= {"predicted_probability": 0.9, "given_for": None, "mean_predicted": None, "copy_of": None}
    table = pd.DataFrame([line | {"row": row} for row in range(shown + 7)])
    agreement = Interval(value=0.9, low=0.8, high=0.95)
    found = LabelSuspects(table, shown + 30, agreement, 0.5, 0, 0, 0)
    lines = label_suspects._lines(found, names=False)
    assert sum("labeled a" in line for line in lines) == shown
    assert "7" in lines[-2]
    assert not any("a.png" in each for each in lines)
    few = LabelSuspects(table[:1], shown, agreement, 0.5, 41, 43, 45)
    *_, confirmed, test, others = label_suspects._lines(few, names=True)
    assert ("45" in confirmed, "41" in test, "43" in others) == (True, True, True)
    wholes = table.assign(given_for="study", mean_predicted=["a"] * 20 + ["b"] * (shown - 13))
    _, said, *lines = label_suspects._lines(
        LabelSuspects(wholes, 99, agreement, 0.5, 0, 0, 0, patients_in_doubt=5), names=False
    )
    assert all(str(number) in said for number in (shown + 7, shown - 13, 5, 20))
    assert sum("whole study" in each for each in lines) == shown


@pytest.mark.slow
def test_a_scan_that_is_like_nothing_learned_from_is_called_so_before_its_probabilities(
    split_dataset: Snapshot, untrained_run: Untrained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = untrained_run(split_dataset)
    for heat_map in (None, np.ones((4, 4), np.float32)):
        odd = Evidence(
            pixels=np.zeros((1, 4, 4), np.uint8),
            classes=("a", "b"),
            probabilities=np.array([0.4, 0.6], np.float32),
            explained="b",
            heat_map=heat_map,
            neighbors=(Neighbor(7, "mine/patient-4711.png", "a", 0.5, np.zeros((1, 4, 4), np.uint8)),),
            typicality=0.25,
            typicality_limit=1.5,
            notes=("turned upside down",),
        )
        showing._finish_evidence(odd, run.folder, None, Path("picture.png"), as_json=False)
        told = capsys.readouterr().out
        first, second, *_ = told.splitlines()
        assert "turned upside down" in told
        assert ("0.25" in first, "1.50" in first) == (True, True)
        assert ("--class" in second) == (heat_map is None)
        # Names can point to a patient: they are told where they are asked for.
        assert ("scan 7" in told, "4711" in told, "--names" in told) == (True, False, True)
        showing._finish_evidence(odd, run.folder, None, Path("picture.png"), as_json=False, names=True)
        named = capsys.readouterr().out
        assert ("mine/patient-4711.png" in named, "--names" in named) == (True, False)


@pytest.mark.slow
def test_a_split_says_what_it_chose_of_the_sizes_that_were_left_to_it(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(40)
    drawn = split(dataset, labeled=16, test=8)
    asked, left = (parts_of_split(drawn, labeled=chosen, test=chosen) for chosen in (False, True))
    chosen = [line for line in left if line not in asked]
    assert left[4:6] == chosen, "below the classes of each part"
    assert ("--labeled" in chosen[0], "--test" in chosen[1]) == (True, True)
    by_image = parts_of_split(split(dataset, protocol="random", labeled=16, test=8, name="torn"))
    assert sum("groups" in line for line in asked) - sum("groups" in line for line in by_image) == 1
    manifest = drawn.manifest.copy()
    manifest.loc[drawn.rows("labeled")[:3], "split"] = None
    unused = parts_of_split(dataclasses.replace(drawn, manifest=manifest))
    assert [line[-3:] for line in unused if "labels" in line and "left out" in line] == [": 3"]
    assert not any("labels" in line and "left out" in line for line in asked)
    # Of images that are left out since they belong to others, only what can be known of them is named.
    patients = drawn.manifest.assign(patient=pd.Series(["kept hash"] * 40, dtype="str"))
    left_out = drawn.description.model_copy(update={"split": drawn.require_split().model_copy(update={"left_out": 5})})
    for known, named in ((drawn.manifest, False), (patients, True)):
        (line,) = (
            line for line in parts_of_split(dataclasses.replace(drawn, manifest=known, description=left_out)) if ": 5" in line
        )
        assert ("patient" in line, "head" in line) == (named, False)


@pytest.mark.slow
@pytest.mark.parametrize("images_of_a_patient", [1, 10])
def test_a_score_of_few_patients_is_told_before_it_is_made(make_dataset: MakeDataset, images_of_a_patient: int) -> None:
    dataset = make_dataset(240, groups=[row // images_of_a_patient for row in range(240)], copies=[*range(240)])
    drawn = split(dataset, **suitable_sizes(dataset)._asdict())
    told = few_warnings(drawn)
    assert len(told) == (images_of_a_patient == 10)
    if told:
        assert "--test 0" in told[0]
        assert f"({len(set(drawn.groups[drawn.rows('test')]))} " in told[0]
        assert "all 24 " in told[0]


@pytest.mark.slow
def test_the_validation_set_that_a_split_speaks_of_is_large_enough_for_as_many_runs_as_there_are(
    make_dataset: MakeDataset,
) -> None:
    dataset = make_dataset(200)
    drawn = split(dataset, labeled=160, test=40)
    for runs in (1, 2, 3):
        (warning,) = acceptance_warnings(drawn, "run")
        kept = images_to_keep(candidates=runs)
        assert str(kept) in warning
        (line,) = (line for line in parts_of_split(drawn) if "--validation" in line)
        share = float(line.split("--validation ")[1].split(",")[0])
        again = split(dataset, labeled=160, test=40, validation=share, name=f"again-{runs}")
        assert f" {kept} " in line
        assert kept <= len(again.rows("validation")) <= kept + 2
        assert f"leaves {160 - kept} " in line
        note_candidate(drawn, f"run {runs}")


@pytest.mark.slow
def test_which_of_several_splits_is_meant_is_said_with_options_that_the_verb_has(
    split_dataset: Snapshot, fewscan: Command, tmp_path: Path
) -> None:
    folder = split_dataset.folder
    unlabeled = split_dataset.rows("unlabeled")
    Dataset.open(folder).labels.enter(unlabeled.tolist(), [None] * len(unlabeled), origin="review")
    api.split(folder, name="second", labeled=12, test=8, validation=0, seed=3)
    for verb, *options in (
        ("map", "--encoder", "resnet_small"),
        ("suggest", "--encoder", "resnet_small"),
        ("compare", "--methods", "supervised", "--no-train", "--out", "compared"),
    ):
        done = fewscan(verb, folder, *options, cwd=tmp_path)
        assert done.returncode == 0
        (told,) = [line for line in done.stderr.splitlines() if "'second'" in line]
        known = fewscan(verb, "--help").stdout
        assert all(option in known for option in re.findall(r"--[a-z-]+", told))


def test_encoders_are_listed_with_the_weights_that_each_can_begin_with(fewscan: Command) -> None:
    listed = json.loads(fewscan("encoders", "--json").stdout)
    assert listed.keys() >= ENCODERS.keys()
    assert [one["name"] for one in listed["efficientnet_lite0"]["weights"]] == ["imagenet"]
    told = fewscan("encoders").stdout
    assert all(name in told for name in listed)
    assert "encoder.weights=imagenet" in told


def test_of_many_changes_of_labels_some_are_told_and_the_rest_is_counted(
    make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    dataset = make_dataset(40)
    lines = [f"{name},class {number}" for number, name in enumerate(dataset.manifest["path"][:24])]
    (tmp_path / "table.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    done = fewscan("labels", "set", dataset.folder, tmp_path / "table.csv", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert sum("->" in line for line in done.stdout.splitlines()) == 20
    assert "and 4 other" in done.stdout


def test_what_copies_say_is_not_known_before_an_audit(make_dataset: MakeDataset, fewscan: Command) -> None:
    dataset = make_dataset(8)
    unaudited = remade(dataset, audited=False)
    assert "fewscan audit" in fewscan("labels", "conflicts", unaudited.folder).stdout
    with pytest.raises(FewscanError, match="fewscan audit"):
        _ = Dataset.open(unaudited.folder).pairs
    assert following.after_dataset(Dataset.open(unaudited.folder)) == ["audit", unaudited.folder]


def test_a_run_leads_from_its_end_to_labels_of_the_rest(split_dataset: Snapshot, untrained_run: Untrained) -> None:
    run = untrained_run(split_dataset)
    for name in (CALIBRATION_FILE, EVALUATION_FILE):
        (run.folder / name).touch()
    (run.folder / "report.html").touch()
    assert following.after_run(run, split_dataset)[:2] == ["label", run.folder]
    # Whoever has just labeled the rest, into a table of another name, is not sent to do so again.
    assert following.after_run(run, split_dataset, "label")[:2] == ["export", run.folder]
    # Nor to export what is exported already, in whichever format.
    (run.folder / "export-onnx").mkdir()
    assert "export" not in following.after_run(run, split_dataset, "label")
    # For a map the test set is not opened once more, though a report would show what has come since.
    (run.folder / "report.html").unlink()
    assert following.after_run(run, split_dataset)[0] == "report"
    assert mapping._after(run.folder, None)[0] == "label"
    (run.folder / MODEL_FILE).unlink()
    assert following.after_run(run, split_dataset)[-1] == "--resume"


def test_a_run_without_classes_leads_to_one_that_begins_with_it_once_there_are_labels(
    split_dataset: Snapshot, untrained_run: Untrained
) -> None:
    run = untrained_run(without_labels(split_dataset))
    (run.folder / "report.html").touch()
    verb, folder, *_, weights = following.after_run(run, split_dataset)
    assert (verb, folder, weights) == ("train", split_dataset.folder, f"encoder.weights={run.folder}")


def test_features_of_a_pretrained_encoder_lead_to_a_probe_on_them(split_dataset: Snapshot) -> None:
    plain = {"name": "resnet_small", "weights": None}
    assert embedding._after(split_dataset.folder, plain) == ["train", split_dataset.folder]
    words = embedding._after(split_dataset.folder, plain | {"weights": "file.safetensors"})
    assert words[:4] == ["train", split_dataset.folder, "--method", "probe"]
    assert "encoder.weights=file.safetensors" in words


def test_ctrl_c_before_a_verb_begins_names_the_command(fewscan: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "_command_of_all_verbs", interrupted)
    done = fewscan("methods")
    assert done.returncode == 130
    assert "fewscan methods" in done.stderr


def test_a_demo_to_label_opens_the_page_and_beside_what_is_there_begins_nothing_anew(
    split_dataset: Snapshot, fewscan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, ...]] = []
    monkeypatch.setattr(demo, "pile", lambda out: (split_dataset.folder, ("a", "b")))
    monkeypatch.setattr(api, "review", lambda dataset, classes: (dataset, classes))
    monkeypatch.setattr(demonstration, "serve", lambda page, *words: opened.append((*page, *words)))
    done = fewscan("demo", "--review", "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    assert opened == [(split_dataset.folder, ("a", "b"), "review", split_dataset.folder, "--classes", "a,b")]

    def interrupted(out: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "pile", interrupted)
    (tmp_path / "taken").mkdir()
    for out, named in (("new", "new"), ("taken", "taken")):
        done = fewscan("demo", "--review", "--out", out, cwd=tmp_path)
        assert done.returncode == 130
        assert f"--out {named}" in done.stderr


@pytest.mark.slow
def test_pairs_without_a_verb_is_help_and_a_pair_can_be_confirmed(make_dataset: MakeDataset, fewscan: Command) -> None:
    done = fewscan("pairs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "confirm" in done.stderr
    dataset = make_dataset(8, groups=[0, 1, 2, 3, 0, 5, 6, 7])
    done = fewscan("pairs", "confirm", dataset.folder, "0", "4", "--who", "Ada")
    assert done.returncode == 0, done.stderr
    (said,) = Dataset.open(dataset.folder).pair_decisions.entries()
    assert (said.verdict, said.who) == ("together", "Ada")


@pytest.mark.slow
def test_a_comparison_leads_to_a_report_of_what_came_out_best(make_dataset: MakeDataset) -> None:
    results = made_up(make_dataset, {("leakfree", "supervised"): (20, 21), ("leakfree", "joint"): (30, 29)})
    (joint,) = (row for row in results.rows if row.method == "joint")
    assert comparing.next_words(results.rows, "accuracy", "fewscan compare data") == ["report", joint.runs[0].run.folder]
    nothing = made_up(make_dataset, {})
    assert comparing.next_words(nothing.rows, "accuracy", "fewscan compare data") == ["compare", "data"]
