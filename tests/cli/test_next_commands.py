"""Every verb ends by naming a command that works as it stands: here they are followed, one after the other, to the end."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, get_args

import PIL.Image
import pytest
import typer

from fewscan import api
from fewscan.cli.app import app
from fewscan.cli.following import Step, after_run
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split
from fewscan.training.run import Run
from tests.fixtures import squares
from tests.made import remade

Command = Callable[..., CompletedProcess[str]]
MakeDataset = Callable[..., Snapshot]
QUICK = ["epochs=1", "encoder.width=16", "probe_images=8", "device=cpu", "precision=32-true"]


def next_words(done: CompletedProcess[str]) -> list[str]:
    """The arguments of the command that a verb ends by naming."""
    assert done.returncode == 0, done.stderr
    said, program, *words = shlex.split(done.stdout.splitlines()[-1])
    assert (said, program) == ("next:", "fewscan")
    return words


def followed(fewscan: Command, words: list[str], cwd: Path) -> list[str]:
    """Run a command and each that the one before names, until one only explains itself; return their verbs."""
    verbs = []
    while "--help" not in words:
        verbs.append(words[0])
        assert len(verbs) < 20
        words = next_words(fewscan(*words, *(QUICK if words[0] == "train" and "--resume" not in words else []), cwd=cwd))
    assert fewscan(*words, cwd=cwd).returncode == 0
    return verbs


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Eight scans of two classes in `my scans`."""
    folder = tmp_path / "my scans"
    for row, pixels in enumerate(squares(8, 40, 0)):
        path = folder / ("glioma", "normal")[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels[0]).save(path)
    return folder


def placed(dataset: Snapshot, folder: Path) -> Path:
    shutil.copytree(dataset.folder, folder / "my data")
    return folder


@pytest.mark.slow
def test_a_dataset_of_few_images_comes_to_labels_and_an_export(
    make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    place = placed(make_dataset(images=40), tmp_path)
    verbs = followed(fewscan, ["audit", "my data", "--overwrite"], place)
    # All labels are learned from, so that no scan of the dataset's is left to label.
    assert verbs == ["audit", "split", "train", "calibrate", "evaluate", "report", "export"]
    # Everything again, where all that these verbs write exists already.
    assert followed(fewscan, ["split", "my data", "--overwrite", "--seed", "1"], place) == ["split", *verbs[2:]]
    assert (place / "runs" / "my data-2" / "report.html").is_file()
    assert followed(fewscan, ["evaluate", "runs/my data-2", "--overwrite"], place) == ["evaluate", "report"]


@pytest.mark.slow
def test_two_images_a_class_can_be_trained_on_and_scored(make_dataset: MakeDataset, fewscan: Command, tmp_path: Path) -> None:
    place = placed(make_dataset(images=8), tmp_path)
    verbs = followed(fewscan, ["audit", "my data", "--overwrite"], place)
    assert verbs[:3] == ["audit", "split", "train"]
    assert "evaluate" in verbs


@pytest.mark.slow
@pytest.mark.parametrize("classes", [0, 1])
def test_an_audit_of_scans_that_cannot_be_split_says_why_and_names_no_split(
    classes: int, make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    dataset = make_dataset(images=12)
    kept = dataset.manifest["label"].where(dataset.manifest["label"].isin(dataset.classes[:classes]))
    place = placed(remade(dataset, dataset.manifest.assign(label=kept)), tmp_path)
    done = fewscan("audit", "my data", "--overwrite", cwd=place)
    assert next_words(done) == (["import", "--help"] if classes else ["review", "my data"])
    assert "no split can be drawn yet: " in done.stdout.splitlines()[-2]
    assert fewscan("split", "my data", cwd=place).returncode == 2


@pytest.mark.slow
def test_a_pile_without_labels_comes_to_features_and_waits_for_labels(
    make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    dataset = make_dataset(images=12)
    place = placed(remade(dataset, dataset.manifest.assign(label=None)), tmp_path)
    words = ["train", "my data", *QUICK]
    for _ in range(2):
        words = next_words(fewscan(*words, cwd=place))
    # On the page suggestions go by what the run has learned.
    verb, folder, *option = words
    assert (verb, Path(folder), option) == ("review", place / "my data", ["--encoder", "runs/my data"])


@pytest.mark.slow
def test_an_audit_after_a_split_leads_to_a_training_where_nothing_leaks_else_to_another_split(
    split_dataset: Snapshot, fewscan: Command, tmp_path: Path
) -> None:
    place = placed(split_dataset, tmp_path)
    assert next_words(fewscan("audit", "my data", "--overwrite", cwd=place)) == ["train", "my data"]
    dataset = Dataset.open(place / "my data").snapshot()
    one, other = dataset.rows("test")[0], dataset.rows("labeled")[0]
    same = dataset.manifest["pixels_sha256"].copy()
    same[other] = same[one]
    remade(dataset, dataset.manifest.assign(pixels_sha256=same))
    words = next_words(fewscan("audit", "my data", "--overwrite", cwd=place))
    assert (words[0], words[-1]) == ("split", "--overwrite")
    assert next_words(fewscan(*words, cwd=place)) == ["train", "my data"]


@pytest.mark.slow
def test_where_a_run_knows_all_that_its_dataset_holds_what_it_lacks_comes_next(
    make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    place = placed(make_dataset(images=40), tmp_path)
    views = (
        ["audit", "my data", "--overwrite"],
        ["labels", "history", "my data"],
        ["labels", "conflicts", "my data"],
        ["pairs", "list", "my data"],
    )
    assert next_words(fewscan("split", "my data", cwd=place)) == ["train", "my data"]
    for words in views:
        assert next_words(fewscan(*words, cwd=place)) == ["train", "my data"]
    lacks = next_words(fewscan("train", "my data", "--method", "supervised", *QUICK, cwd=place))
    assert lacks == ["calibrate", "runs/my data"]
    for words in views:
        assert next_words(fewscan(*words, cwd=place)) == lacks
    # What it has not learned from leads to another training, as another split does.
    Dataset.open(place / "my data").labels.set(0, state="unsure")
    again = ["train", "my data", "--out", "runs/my data-2"]
    assert next_words(fewscan("labels", "history", "my data", cwd=place)) == again
    assert next_words(fewscan("labels", "undo", "my data", cwd=place)) == lacks
    fewscan("split", "my data", "--name", "second", "--seed", "1", cwd=place)
    assert next_words(fewscan("labels", "history", "my data", cwd=place)) == again


@pytest.mark.slow
@pytest.mark.parametrize(("method", "named"), [("supervised", ["--method", "supervised"]), ("mixmatch", [])])
def test_another_training_is_of_the_method_that_was_asked_for_and_its_calibration_takes_known_time(
    method: str, named: list[str], make_dataset: MakeDataset, fewscan: Command, tmp_path: Path
) -> None:
    made = make_dataset(images=40)
    label = made.manifest["label"].where(made.manifest.index >= 16)
    place = placed(remade(made, made.manifest.assign(label=label)), tmp_path)
    fewscan("split", "my data", "--test", "0", cwd=place)
    # Wherever it lies among the runs; `train` itself chooses mixmatch where there are unlabeled scans.
    trained = fewscan("train", "my data", "--method", method, "--out", "runs/mine", *QUICK, cwd=place)
    assert next_words(trained) == ["calibrate", "runs/mine"]
    assert re.search(r"5 trainings, about \d+ (s|min) in all", trained.stdout)
    Dataset.open(place / "my data").labels.set(0, made.classes[0])
    assert next_words(fewscan("labels", "history", "my data", cwd=place)) == ["train", "my data", *named]
    # One that was stopped early says nothing of what is wanted.
    (place / "runs" / "mine" / "model.safetensors").unlink()
    assert next_words(fewscan("labels", "history", "my data", cwd=place)) == ["train", "my data"]


@pytest.mark.slow
def test_a_table_by_which_nothing_would_change_leads_on(split_dataset: Snapshot, fewscan: Command, tmp_path: Path) -> None:
    place = placed(split_dataset, tmp_path)
    words = next_words(fewscan("labels", "export", "my data", cwd=place))
    assert words[-1] == "--dry-run"
    assert next_words(fewscan(*words, cwd=place))[0] not in ("labels", "history")


@pytest.mark.slow
def test_a_report_comes_next_again_when_what_it_shows_is_newer(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], fewscan: Command, tmp_path: Path
) -> None:
    run = str(untrained_run(split_dataset).folder)
    moved = tmp_path / "moved"
    shutil.move(split_dataset.folder, moved)
    from_there = ["--data", str(moved)]
    assert next_words(fewscan("report", run, *from_there)) == ["calibrate", run, *from_there]


@pytest.mark.slow
def test_budgets_and_methods_name_what_can_be_run(make_dataset: MakeDataset, fewscan: Command, tmp_path: Path) -> None:
    place = placed(split(make_dataset(), labeled=16, test=24, validation=0.25), tmp_path)
    few = ["--methods", "supervised", "--protocol", "leakfree", "--recipe", "study"]
    quick = ["epochs=1", "encoder.dense_units=16", "batch_size=16", "device=cpu"]
    for words in (["--out", "one"], ["--out", "several", "--labels-budget", "16,8"]):
        training = next_words(fewscan("compare", "my data", *words, *few, "--no-train", *quick, cwd=place))
        reporting = next_words(fewscan(*training, cwd=place))
        assert (training[0], reporting[0]) == ("compare", "report")
        assert fewscan(*reporting, cwd=place).returncode == 0
        # The same once more, now that this report exists.
        assert fewscan(*next_words(fewscan(*training, cwd=place)), cwd=place).returncode == 0
    assert fewscan(*next_words(fewscan("methods", cwd=place)), cwd=place).returncode == 0


@pytest.mark.slow
def test_where_nothing_could_be_read_it_says_why_and_does_not_advise_to_label_that_again(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], fewscan: Command, tmp_path: Path
) -> None:
    run = untrained_run(split_dataset)
    fewscan("calibrate", run.folder)
    (tmp_path / "notes.txt").write_text("no scan")
    done = fewscan("label", run.folder, tmp_path / "notes.txt", "--out", tmp_path / "labels.csv")
    assert "not an image" in done.stdout
    assert "nothing is accepted" not in done.stdout
    assert next_words(done)[0] != "label"


@pytest.mark.parametrize("options", [[], ["--out", "my data"], ["--out=my data"], ["--size", "32", "--", "my scans"]])
@pytest.mark.parametrize("standing", [False, True])
def test_a_plan_names_the_command_that_does_it(
    options: list[str], standing: bool, scans: Path, fewscan: Command, tmp_path: Path
) -> None:
    out = tmp_path / ("my data" if any("my data" in word for word in options) else "dataset")
    if standing:
        out.mkdir()
    words = next_words(fewscan("import", *([] if "--" in options else ["my scans"]), "--plan", *options, cwd=tmp_path))
    made = out.with_name(f"{out.name}-2") if standing else out
    assert next_words(fewscan(*words, cwd=tmp_path)) == ["audit", made.name]
    assert Dataset.open(made).images.rows == 8
    assert Dataset.open(made).images.spec.size_px == (32 if "--size" in options else 96)
    added = next_words(fewscan("add", made.name, "my scans", "--plan", cwd=tmp_path))
    assert added == ["audit", made.name]  # nothing is new
    shutil.copytree(scans, tmp_path / "more")
    for path in (tmp_path / "more").rglob("*.png"):
        PIL.Image.open(path).rotate(90).save(path)
    assert next_words(fewscan("add", made.name, "more", "--plan", cwd=tmp_path)) == ["add", made.name, "more"]
    assert Dataset.open(made).images.rows == 8


def test_a_plan_of_nothing_that_can_be_used_names_no_import(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "scans" / "glioma").mkdir(parents=True)
    (tmp_path / "scans" / "glioma" / "1.png").write_bytes(b"")
    assert "--help" in next_words(fewscan("import", "scans", "--plan", cwd=tmp_path))


@pytest.mark.slow
def test_what_was_written_elsewhere_is_not_named_again(split_dataset: Snapshot, fewscan: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fewscan("train", split_dataset.folder, "--out", run, "--method", "supervised", *QUICK).returncode == 0
    assert fewscan("calibrate", run, "--folds", "2").returncode == 0
    assert next_words(fewscan("evaluate", run))[0] == "report"
    assert next_words(fewscan("report", run, "--out", tmp_path / "page.html"))[0] != "report"
    (run / "report.html").touch()
    (run / "labels.csv").touch()
    assert next_words(fewscan("export", run, "--format", "safetensors", "--out", tmp_path / "model"))[0] != "export"


def test_what_is_advised_of_a_run_that_cannot_be_written_is_written_here(
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Command,
    tmp_path: Path,
    rights_count: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = untrained_run(split_dataset)
    monkeypatch.setattr("fewscan.evaluation.calibrate.lacks_calibration", lambda *_: False)
    (run.folder / "evaluation.json").touch()
    monkeypatch.setattr("fewscan.cli.following.is_scored_otherwise", lambda *_: False)
    monkeypatch.chdir(tmp_path)
    run.folder.chmod(0o555)
    try:
        steps: tuple[Step, ...] = get_args(Step)
        for place, (step, out) in enumerate(zip(steps, ("report.html", "labels.csv", "export-safetensors"), strict=True)):
            words = after_run(run, split_dataset, *steps[:place])
            assert (words[0], words[words.index("--out") + 1]) == (step, Path(out))
    finally:
        run.folder.chmod(0o755)


def test_commands_on_pages_name_all_that_they_take() -> None:
    """RUN, DATASET and the like stand for places: a command without them is refused as it is printed."""
    verbs = typer.main.get_command(app)
    pages = [page for page in Path(api.__file__).parents[1].rglob("templates/*") if page.suffix in (".html", ".md")]
    told = {
        words for page in pages for words in re.findall(r"(?:<code>|`)fewscan ([a-z][^<`{]*)(?:</code>|`)", page.read_text())
    }
    assert len(told) > 10
    for words in told:
        command: Any = verbs
        rest = words.split()
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        needed = [one for one in command.params if one.param_type_name == "argument" and one.required]
        given = [word for last, word in zip(["", *rest], rest, strict=False) if word.isupper() and not last.startswith("--")]
        assert len(given) >= len(needed), words
