"""The command line as a user meets it: real files, exit codes and lines."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from tests.made import remade

Command = Callable[..., subprocess.CompletedProcess[str]]
VERBS = [
    "import",
    "audit",
    "split",
    "train",
    "calibrate",
    "evaluate",
    "label",
    "explain",
    "report",
    "export",
    "compare",
    "study",
    "methods",
    "verify",
    "demo",
]
QUICK = ["encoder.width=16", "batch_size=16", "epochs=2", "device=cpu"]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused command prints."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """60 scans in two class folders below Training and Testing, and one file that is none."""
    random = np.random.default_rng(0)
    for part, count in (("Training", 20), ("Testing", 10)):
        for number, name in enumerate(("glioma", "notumor")):
            folder = tmp_path / "scans" / part / name
            folder.mkdir(parents=True)
            for image in range(count):
                pixels = random.integers(0, 80, size=(40, 40), dtype=np.uint8)
                pixels[4 + 18 * number : 18 + 18 * number, 6:30] += 120
                PIL.Image.fromarray(pixels).save(folder / f"{image:03}.png")
    (tmp_path / "scans" / "Training" / "glioma" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "scans"


@pytest.mark.slow
def test_the_whole_way_step_by_step(fewscan: Command, class_folders: Path, tmp_path: Path) -> None:
    def json_of(*arguments: object) -> dict[str, Any]:
        done = fewscan(*arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert isinstance(result, dict)
        return result

    imported = json_of("import", f"mine={class_folders}", "--out", "data", "--size", 16, "--rename", "notumor=no_tumor")
    assert imported["images"] == 60
    assert imported["classes"] == {"glioma": 30, "no_tumor": 30}
    assert imported["set_aside"] == 1
    audited = json_of("audit", "data")
    assert audited["images"] == 60
    assert (tmp_path / "data" / "audit.html").is_file()
    drawn = json_of("split", "data", "--labeled", 20, "--test", 16, "--validation", 0.4)
    assert (drawn["labeled"], drawn["validation"], drawn["test"]) == (12, 8, 16)
    trained = json_of("train", "data", "--out", "run", "--method", "joint", *QUICK)
    assert trained["run"] == "run"
    evaluated = json_of("evaluate", "run")
    assert evaluated["images"] == 16
    assert evaluated["test_openings"] == 1
    for read_out in ("accuracy", "similarity_accuracy", "nearest_neighbor_accuracy"):
        assert set(evaluated[read_out]) == {"value", "low", "high"}
    labeled = json_of("label", "run", class_folders, "--out", "labels.csv")
    assert (labeled["scans"], labeled["unreadable"]) == (61, 1)
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 62
    scan = class_folders / "Testing" / "glioma" / "003.png"
    explained = json_of("explain", "run", scan, "--out", "explanation.png", "--class", "no_tumor", "--names")
    assert explained["explained"] == "no_tumor"
    assert len(explained["neighbors"]) == 5
    assert all((class_folders / near["name"].removeprefix("mine/")).is_file() for near in explained["neighbors"])
    assert (tmp_path / "explanation.png").read_bytes().startswith(b"\x89PNG")
    assert "exists" in refusal(fewscan("explain", "run", scan, "--out", "explanation.png", cwd=tmp_path))
    checked = json_of("explain", "run", "--check")
    openings = [json.loads(line)["purpose"] for line in (tmp_path / "run" / "test_openings.jsonl").read_text().splitlines()]
    # The scan that was explained may be one of the test set.
    assert openings in (["evaluate", "explain"], ["evaluate", "explain", "explain"])
    assert checked["test_openings"] == len(openings)
    stored = json.loads((tmp_path / "run" / "evidence.json").read_text())
    assert {name: value for name, value in stored.items() if name != "seal"} == checked
    page = json_of("report", "run")
    assert Path(str(page["page"])) == Path("run/report.html")
    html = (tmp_path / "run" / "report.html").read_text()
    assert "Research use only" in html
    assert str(class_folders) not in html


def test_import_ends_by_naming_the_next_command_which_can_be_pasted_also_where_names_hold_spaces(
    fewscan: Command, class_folders: Path, tmp_path: Path
) -> None:
    """Those of the other verbs are followed in tests/cli/test_next_commands.py, there too in a folder with a space."""
    data = tmp_path / "my data"
    done = fewscan("import", class_folders, "--out", data, "--size", 16)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == f"60 images in {data}"
    assert any("broken.jpg: not an image" in line for line in done.stdout.splitlines())
    assert done.stdout.splitlines()[-1] == f"next: fewscan audit '{data}'"
    assert shlex.split(done.stdout.splitlines()[-1]) == ["next:", "fewscan", "audit", str(data)]


@pytest.mark.slow
def test_help_teaches_every_verb(fewscan: Command) -> None:
    overview = fewscan("--help")
    assert overview.returncode == 0
    for verb in VERBS:
        assert verb in overview.stdout
        done = fewscan(verb, "--help")
        assert done.returncode == 0
        assert "--json" in done.stdout


@pytest.mark.slow
def test_help_and_import_leave_the_heavy_libraries_alone() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; import fewscan; from fewscan.cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print([name for name in ('torch', 'pandas', 'numpy', 'matplotlib', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["impor"], "No such command 'impor'"),
        (["import", "nowhere", "--out", "data"], "nowhere"),
        (["import", "--out", "data"], "no source given"),
        (["import", "empty", "--out", "data"], "empty"),
        (["import", "empty", "--out", "data", "--rename", "glioma"], "OLD=NEW"),
        (["audit", "empty"], "fewscan import"),
        (["split", "empty", "--labeled", "10"], "fewscan import"),
        (["split", "empty", "--labeled", "ten", "--test", "1"], "--labeled"),
        (["train", "empty", "--out", "new"], "fewscan import"),
        (["evaluate", "empty"], "fewscan train"),
        (["label", "empty"], "fewscan train"),
        (["explain", "empty", "scan.png"], "fewscan train"),
        (["explain", "run"], "explain run --check"),
        (["explain", "run", "empty", "--check"], "--check takes no IMAGE"),
        (["report", "empty"], "fewscan train"),
        (["export", "empty"], "fewscan train"),
        (["export", "empty", "--format", "pickle"], "--format"),
        (["compare", "empty", "--out", "comparison"], "fewscan import"),
        (["study", "empty", "--out", "study"], "fewscan import"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_one_line(
    arguments: list[str], message: str, fewscan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    monkeypatch.chdir(tmp_path)
    assert message in refusal(fewscan(*arguments))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "simclt"], "did you mean 'simclr'"),
        (["--recipe", "studi"], "did you mean 'study'"),
        (["epoch=3"], "unknown setting 'epoch': did you mean 'epochs'"),
        (["optimizer.learning_rat=3"], "unknown setting 'optimizer.learning_rat'"),
        (["--method", "joint", "method.temperatur=3"], "unknown setting 'method.temperatur'"),
        (["epochs=none"], "setting 'epochs'"),
        (["epochs"], "key=value"),
        (["out=here"], "give it as an option"),
        (["split=main"], "give it as an option"),
        (["begin=runs/first"], "give it as an option"),
        (["method=simclr"], "--method simclr"),
        (["method=simclr", "method.temperature=0.5"], "--method simclr"),
        (["--resume"], "is not a run"),
    ],
)
def test_wrong_settings_of_training_are_refused_in_one_line(
    arguments: list[str], message: str, fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert message in refusal(fewscan("train", split_dataset.folder, "--out", out, *arguments))
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "supervised,joind"], "did you mean 'joint'"),
        (["--seeds", "0,one"], "not 'one'"),
        (["--seeds", "-1"], "not '-1'"),
        (["--labels-budget", "16,x"], "--labels-budget takes whole numbers separated by commas, not 'x'"),
        (["--labels-budget", "16,0"], "--labels-budget takes positive whole numbers"),
        (["--labels-budget", ""], "--labels-budget takes positive whole numbers"),
        (["--labels-budget", "16,70", "--test", "30"], "70 labeled and 30 test images"),
        (["--labels-budget", "16", "--labeled", "16"], "--labeled or --labels-budget"),
        (["labels_budget=16"], "give it as an option"),
        (["--protocol", "studi"], "did you mean 'study'"),
        (["--methods", "simclr,joint", "--baseline", "nnclr"], "--baseline nnclr"),
        (["--labeled", "70", "--test", "30"], "70 labeled and 30 test images"),
        (["epoch=3"], "did you mean 'epochs'"),
        (["method=joint"], "--methods joint"),
        (["seed=1"], "--seeds"),
        (["methods=joint"], "give it as an option"),
    ],
)
def test_a_comparison_asked_for_wrongly_is_refused_in_one_line(
    arguments: list[str], message: str, fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "comparison"
    assert message in refusal(fewscan("compare", split_dataset.folder, "--out", out, *arguments))
    assert not out.exists()


@pytest.mark.slow
def test_a_comparison_writes_tables_figures_and_a_page_and_the_study_stands_on_the_same_runs(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "comparison"
    asked = ["--out", out, "--methods", "supervised,joint", "--protocol", "study,leakfree", "--json"]
    quick = ["epochs=1", "batch_size=20", "encoder.dense_units=16", "device=cpu"]
    first = fewscan("compare", split_dataset.folder, *asked, "--recipe", "study", *quick)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    ran = {(row["protocol"], row["method"]): row["runs"] for row in result["rows"]}
    assert ran == {(p, m): 1 for p in ("study", "leakfree") for m in ("supervised", "joint")}
    assert [row["place"] for row in result["rows"]] in ([1, 2, 1, 2], [1, 1, 1, 2], [1, 2, 1, 1], [1, 1, 1, 1])
    written = {"comparison.csv", "leaderboard.csv", "pairs.csv", "comparison.html", "accuracy.png", "loss.png"}
    assert written <= {path.name for path in out.iterdir()}
    networks = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(networks) == 4
    sizes = ["--labeled", "16", "--test", "24", "--validation", "0.25"]
    study = fewscan("study", split_dataset.folder, *asked, *sizes, *quick)
    assert study.returncode == 0, study.stderr
    result = json.loads(study.stdout)
    for row in result["rows"]:
        run = out / "runs" / row["protocol"] / f"{row['method']}-seed0"
        assert row["val_p_acc_percent"] == 100 * json.loads((run / "evaluation.json").read_text())["accuracy"]["value"]
    figures = {"figure2.png", "figure7.png", "figure8_accuracy.png", "figure8_loss.png", "figure9.png"}
    assert figures | {"study.html", "table1.csv", "table2.csv", "study_runs.csv"} <= {path.name for path in out.iterdir()}
    assert "not run" in (out / "table2.csv").read_text()
    assert {path: path.stat().st_mtime_ns for path in networks} == networks


@pytest.mark.slow
def test_budgets_of_labels_are_compared_each_in_a_folder_of_its_own_and_go_on(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "efficiency"
    command = ["compare", split_dataset.folder, "--out", out, "--recipe", "study", "--protocol", "leakfree", "--json"]
    command += ["--methods", "supervised,joint", "--labels-budget"]
    quick = ["epochs=1", "batch_size=20", "encoder.dense_units=16", "device=cpu"]
    planned = fewscan(*command, "16", "--no-train", *quick)
    assert planned.returncode == 0, planned.stderr
    assert [(row["labels"], row["method"], row["runs"]) for row in json.loads(planned.stdout)["rows"]] == [
        (16, method, 0) for method in ("supervised", "joint")
    ]
    assert "not run" in (out / "label_efficiency.csv").read_text()
    told = fewscan(*[word for word in command if word != "--json"], "16", "--no-train", *quick)
    following = shlex.split(told.stdout.splitlines()[-1].removeprefix("next: "))
    trained = fewscan(*following[1:])
    assert trained.returncode == 0, trained.stderr
    run = out / "labels-16" / "runs" / "leakfree" / "supervised-seed0"
    assert shlex.split(trained.stdout.splitlines()[-1]) == ["next:", "fewscan", "report", str(run)]
    done = fewscan(*command, "16,8,16", *quick)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["runs"] for row in result["rows"]] == [1, 1, 1, 1]
    (counted,) = [line for line in done.stderr.splitlines() if "--candidates" in line]
    assert counted.startswith("4 runs ")
    for row in result["rows"]:
        run = out / f"labels-{row['labels']}" / "runs" / "leakfree" / f"{row['method']}-seed0"
        assert row["accuracy_percent_mean"] == 100 * json.loads((run / "evaluation.json").read_text())["accuracy"]["value"]
        assert row["accuracy_percent_sd"] is None
        assert (row["less_baseline_points"] is None) == (row["method"] == "supervised")
    assert " the highest mean accuracy with " in result["headline"]
    assert Path(result["page"]) == out / "label_efficiency.html"
    for name in ("label_efficiency.csv", "label_efficiency.png", "labels-16/comparison.html", "labels-8/comparison.html"):
        assert (out / name).stat().st_size > 0


@pytest.mark.slow
def test_a_comparison_without_what_train_would_choose_says_how_it_is_added(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    quick = ["epochs=1", "encoder.width=16", "batch_size=16", "probe_images=8", "device=cpu"]
    done = fewscan("compare", split_dataset.folder, "--out", tmp_path / "c", "--methods", "supervised", *quick)
    assert done.returncode == 0, done.stderr
    assert "--methods mixmatch" in done.stderr


@pytest.mark.slow
def test_a_run_that_fails_with_one_budget_does_not_stop_the_others(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    out = tmp_path / "efficiency"
    command = ["compare", split_dataset.folder, "--out", out, "--recipe", "study", "--protocol", "leakfree"]
    failing = ["optimizer.learning_rate=1e30", "epochs=3", "batch_size=20", "encoder.dense_units=16", "device=cpu"]
    done = fewscan(*command, "--methods", "simclr", "--labels-budget", "16,8", *failing)
    assert done.returncode == 2
    assert re.match("error: 2 of 2 runs failed.* labels-16/leakfree/simclr-seed0: ", done.stderr.splitlines()[-1])
    assert (out / "labels-8" / "runs" / "leakfree" / "simclr-seed0").is_dir()
    assert "nothing was run with 16 and 8 labels." in (out / "label_efficiency.html").read_text()


@pytest.mark.slow
def test_training_with_nothing_else_chooses_and_says_what_and_why(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path
) -> None:
    done = fewscan("train", split_dataset.folder, "epochs=1", "batch_size=16", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)["settings"]
    assert f"method {settings['method']['name']}: " in done.stderr
    assert f"width {settings['encoder']['width']}" in done.stderr
    assert "1 epoch of" in done.stderr
    assert (tmp_path / "runs" / split_dataset.folder.name / "model.safetensors").is_file()
    assert "--method" in refusal(fewscan("train", split_dataset.folder, "--out", tmp_path / "b", "method.temperature=1"))


@pytest.mark.slow
def test_a_split_says_why_images_are_in_none_of_its_parts(fewscan: Command, make_dataset: Callable[..., Snapshot]) -> None:
    dataset = make_dataset(groups=[row // 4 for row in range(80)])
    told = fewscan("split", dataset.folder, "--labeled", 8, "--test", 8)
    assert told.returncode == 0, told.stderr
    drawn = Dataset.open(dataset.folder).snapshot().require_split()
    assert drawn.left_out > 0
    (reason,) = [line for line in told.stdout.splitlines() if line.startswith("  left out")]
    assert reason.endswith(f" {drawn.left_out}")


@pytest.mark.slow
def test_training_ends_with_what_it_warned_of(fewscan: Command, make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    dataset = split(make_dataset(), labeled=40, test=24)
    stalled = [*QUICK, "epochs=11", "optimizer.learning_rate=1e-12"]
    done = fewscan("train", dataset.folder, "--method", "supervised", "--out", tmp_path / "run", *stalled)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: after epoch 10 the loss does not fall: ")
    assert warning in done.stderr.splitlines()
    again = fewscan("train", dataset.folder, "--method", "supervised", "--out", tmp_path / "run", "--resume", "--json")
    (symptom,) = json.loads(again.stdout)["symptoms"]
    assert (symptom["name"], symptom["epoch"]) == ("loss_not_falling", 10)


@pytest.mark.slow
def test_training_refuses_a_split_that_leaks_and_names_the_pairs(
    fewscan: Command, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(), labeled=16, test=24)
    test_row, labeled_row = int(dataset.rows("test")[0]), int(dataset.rows("labeled")[0])
    group = dataset.manifest["group"].copy()
    group[test_row] = group[labeled_row]
    leaking = remade(dataset, dataset.manifest.assign(group=group))
    paths = leaking.manifest["path"]
    line = refusal(fewscan("train", leaking.folder, "--out", tmp_path / "run", *QUICK))
    assert "the split leaks: 1 pair" in line
    assert paths[test_row] in line
    assert paths[labeled_row] in line
    allowed = fewscan("train", leaking.folder, "--out", tmp_path / "run", "allow_leakage=true", *QUICK)
    assert allowed.returncode == 0, allowed.stderr
    evaluated = fewscan("evaluate", tmp_path / "run")
    assert evaluated.returncode == 0
    assert all(
        any(name in line and "sensitivity" in line for line in evaluated.stdout.splitlines()) for name in dataset.classes
    )
    assert fewscan("report", tmp_path / "run").returncode == 0
    top = (tmp_path / "run" / "report.html").read_text().split("<h2")[0]
    assert "leak" in top


def test_nothing_that_exists_is_overwritten(
    fewscan: Command, split_dataset: Snapshot, class_folders: Path, tmp_path: Path
) -> None:
    for arguments in (["import", class_folders], ["train", split_dataset.folder, *QUICK]):
        said = refusal(fewscan(*arguments, "--out", split_dataset.folder))
        assert "exists" in said
        assert "--resume" not in said


@pytest.mark.slow
def test_training_into_an_interrupted_run_names_how_to_go_on(fewscan: Command, split_dataset: Snapshot, tmp_path: Path) -> None:
    command = ("train", split_dataset.folder, *QUICK, "--out", tmp_path / "run")
    assert fewscan(*command).returncode == 0
    assert "--resume" not in refusal(fewscan(*command))
    (tmp_path / "run" / "model.safetensors").unlink()
    assert "--resume" in refusal(fewscan(*command))


def test_a_folder_without_rights_is_one_line(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path, rights_count: None
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "locked" in refusal(fewscan("train", split_dataset.folder, "--out", locked / "run", *QUICK))


def test_a_full_disk_stops_training_in_one_line(
    fewscan: Command, split_dataset: Snapshot, tmp_path: Path, largest_file_bytes: Callable[[int], AbstractContextManager[None]]
) -> None:
    """A limit on file size stands in for the full disk: the system refuses to write the checkpoint."""
    with largest_file_bytes(20_000):
        done = fewscan("train", split_dataset.folder, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run" / "checkpoint").glob("*.tmp"))


def test_methods_are_listed(fewscan: Command) -> None:
    listed = json.loads(fewscan("methods", "--json").stdout)
    own = {"supervised", "barlow_twins", "nnclr", "simclr", "vicreg", "joint", "mixmatch", "probe", "propagation"}
    assert set(listed) == own
