import base64
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import fewscan
from fewscan.atomic import write_text
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import AuditDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.by_class import ClassScore
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation, evaluate
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.metrics import confusion
from fewscan.models.encoders import encoder_settings
from fewscan.reporting import page as pages
from fewscan.reporting.figures import loss_names
from fewscan.reporting.page import write_report
from fewscan.splits.split import split
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.plain_pages import plain

EPOCH = {
    "step": 1,
    "learning_rate": 0.001,
    "loss": 2.0,
    "nt_xent": 1.5,
    "cross_entropy": 0.5,
    "p_acc": 0.5,
    "c_acc": 0.9,
    "r_acc": None,
    "r_acc_left_out": 0.0,
    "validation_accuracy": 0.4,
    "probe_accuracy": 0.6,
    "seconds": 1.5,
}


class Page(HTMLParser):
    """What a reader sees of a page, and what it would load."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.pictures: dict[str, str] = {}  # by alternative text
        self.cells: list[list[str]] = []  # of every table row
        self._words: list[str] = []
        self._skipped = False
        self._cell = False
        self.feed(plain(self.html))
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [values[name] for name in ("src", "srcset", "href", "action", "data") if name in values]
        if tag == "img":
            self.pictures[values["alt"]] = values["src"]
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        self._skipped = tag == "style"
        self._cell = self._cell or tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._words.append(data)
        if self._cell:
            self.cells[-1][-1] = " ".join(f"{self.cells[-1][-1]} {data}".split())

    def row(self, first: str) -> list[str]:
        return next(cells for cells in self.cells if cells and cells[0] == first)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)))


def new_run(dataset: Snapshot, folder: Path, leaking_pairs: int | None = 0, method: str = "joint") -> Run:
    quick = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 2, "device": "cpu"}
    return Run.create(folder, RunSettings.resolve(method, "fewscan", quick, labeled=16, unlabeled=40), dataset, leaking_pairs)


def finished_run(dataset: Snapshot, folder: Path, **changes: Any) -> Run:
    """A run whose weights are the untrained ones and whose log is made up: the page does not look at weights."""
    run = new_run(dataset, folder, **changes)
    for epoch in (1, 2):
        run.log({"epoch": epoch, **EPOCH})
    run.save_network(run.new_network())
    return run


def opinions(dataset: Snapshot, seed: int = 0) -> np.ndarray:
    """Random probabilities for the test set: about a quarter of the images is called right."""
    return np.random.default_rng(seed).dirichlet(np.ones(len(dataset.classes)), len(dataset.rows("test"))).astype(np.float32)


def score_run(run: Run, dataset: Snapshot, probabilities: np.ndarray, openings: int = 1) -> Evaluation:
    """Write the two files of an evaluation in which `probabilities` are what the network said of the test set."""
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    names = np.array(dataset.classes)
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows], "label": names[labels]})
    table["predicted"] = names[probabilities.argmax(axis=1)]
    for number, name in enumerate(dataset.classes):
        table[f"probability_{name}"] = probabilities[:, number]
    table["score"] = probabilities.max(axis=1)
    table.to_csv(run.folder / PREDICTIONS_FILE, index=False)
    for _ in range(openings):
        run.note_test_opening("evaluate", dataset)
    counts = confusion(probabilities, labels)
    undefined = Interval(value=None, low=None, high=None)
    evaluation = Evaluation(
        protocol=run.record.protocol,
        leaking_pairs=run.record.leaking_pairs,
        images=len(rows),
        groups=len(rows) - 1,
        test_openings=openings,
        test_set_openings=openings,
        accuracy=Interval(value=0.8412, low=0.7988, high=0.8801),
        balanced_accuracy=Interval(value=0.8311, low=0.7911, high=0.8711),
        auroc=Interval(value=0.9612, low=0.9412, high=0.9812),
        calibration_error=Interval(value=0.0512, low=0.0312, high=0.0712),
        nearest_neighbor_accuracy=Interval(value=0.8012, low=0.7512, high=0.8512),
        similarity_accuracy=Interval(value=0.7012, low=0.6512, high=0.7512),
        classes=tuple(
            ClassScore(
                name=name,
                images=int(counts[number].sum()),
                sensitivity=Interval(value=0.5 + number / 10, low=0.25, high=0.95),
                specificity=undefined,
                predictive_value=Interval(value=0.4 + number / 10, low=0.15, high=0.85),
            )
            for number, name in enumerate(dataset.classes)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        c_acc=0.9,
        r_acc=None,
        p_acc=0.5,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    write_text(run.folder / EVALUATION_FILE, evaluation.model_dump_json())
    return evaluation


def renamed(dataset: Snapshot, names: dict[str, str]) -> Snapshot:
    """`dataset` with other class names, in memory."""
    classes = tuple(names.get(name, name) for name in dataset.classes)
    manifest = dataset.manifest.assign(label=dataset.manifest["label"].replace(names))
    return replace(dataset, description=dataset.description.model_copy(update={"classes": classes}), manifest=manifest)


@pytest.mark.slow
@pytest.mark.usefixtures("painted")
def test_a_real_run_gives_a_page_that_needs_nothing_else(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run", method="supervised")
    fit(run, split_dataset, resume=False)
    scored = evaluate(run, split_dataset)
    path = write_report(run, split_dataset)
    page = Page(path)

    assert path == run.folder / "report.html"
    assert scored.accuracy.percent in page.text
    assert page.tags.count("img") > len(split_dataset.classes)
    assert page.addresses
    for address in page.addresses:
        decoded(address).verify()
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", page.html)


@pytest.mark.slow
def test_the_score_is_one_sentence_and_every_number_has_its_interval(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    score_run(run, split_dataset, opinions(split_dataset), openings=3)
    page = Page(write_report(run, split_dataset))
    assert "Accuracy 84.1 % [79.9, 88.0] on 24 test images in 23 groups, split without leaks." in page.text
    assert "evaluate 3 times, report once" in page.text
    assert "all runs together opened it 4 times (1 run)" in page.text
    assert "chose on the test set" in page.text
    again = Page(write_report(run, split_dataset)).text
    assert "evaluate 3 times, report once" in again
    assert page.row("balanced accuracy")[1] == "83.1 % [79.1, 87.1]"
    assert page.row("AUROC, mean of classes")[1] == "0.961 [0.941, 0.981]"
    assert page.row("calibration error")[1] == "5.1 % [3.1, 7.1]"
    assert page.row("nearest labeled neighbor")[1] == "80.1 % [75.1, 85.1]"
    assert page.row("vote of the labeled")[1] == "70.1 % [65.1, 75.1]"
    assert [page.row(name)[1] for name in ("contrastive accuracy", "correlation accuracy", "training accuracy")] == [
        "90.0 %",
        "not defined",
        "50.0 %",
    ]
    assert page.row("meningioma")[1:] == ["6", "60.0 % [25.0, 95.0]", "not defined", "50.0 % [15.0, 85.0]"]


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ({"name": "resnet_small"}, "encoder resnet_small, from random weights, trained on"),
        ({"name": "timm:resnet18"}, "encoder timm:resnet18, from random weights, trained on"),
        (
            {"name": "timm:resnet18", "pretrained": True},
            "encoder timm:resnet18, from the weights 'timm', trained on",
        ),
    ],
)
def test_what_the_encoder_began_from_is_said(
    encoder: dict[str, Any], said: str, split_dataset: Snapshot, tmp_path: Path
) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    other = replace(run, settings=run.settings.model_copy(update={"encoder": encoder_settings(**encoder)}))
    assert said in Page(write_report(other, split_dataset)).text


@pytest.mark.slow
def test_confusion_shows_counts_and_shares_of_each_row(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    scored = score_run(run, split_dataset, opinions(split_dataset))
    page = Page(write_report(run, split_dataset))
    heads = [[cell.rpartition(" ")[2] for cell in cells] for cells in page.cells]
    start = heads.index(["", *split_dataset.classes])
    for name, counts, cells in zip(split_dataset.classes, scored.confusion, page.cells[start + 1 :], strict=False):
        assert cells == [name, *(f"{count} {100 * count / sum(counts):.0f} %" for count in counts)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_mistakes_are_the_surest_ones_with_their_own_pictures(seed: int, split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    probabilities = opinions(split_dataset, seed)
    score_run(run, split_dataset, probabilities)
    rows, labels = split_dataset.rows("test"), split_dataset.labels[split_dataset.rows("test")]
    called = probabilities.argmax(axis=1)
    wrong = sorted(np.flatnonzero(called != labels), key=lambda number: -probabilities[number].max())
    expected = wrong[: pages.MISTAKES_SHOWN]
    page = Page(write_report(run, split_dataset))

    said = re.findall(r"(\w+) with probability ([\d.]+), labeled (\w+) ; scan (\d+)", page.text)
    names = split_dataset.classes
    assert len(said) == pages.MISTAKES_SHOWN
    assert said == [
        (names[called[number]], f"{probabilities[number].max():.3f}", names[labels[number]], str(rows[number]))
        for number in expected
    ]
    for number in expected:
        shown, mapped = (
            np.asarray(decoded(page.pictures[f"test set: scan {rows[number]}{what}"])) for what in ("", ", under its heat map")
        )
        enlarged = Image.fromarray(split_dataset.pixels[rows[number], 0]).resize((160, 160), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(shown[:, :, 0].astype(int), np.asarray(enlarged, dtype=int), atol=1)
        # What is between them is the page's own, light or dark.
        assert mapped.shape == shown.shape


@pytest.mark.slow
def test_no_mistakes_and_conflicting_labels_are_said(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    right = np.eye(4, dtype=np.float32)[split_dataset.labels[split_dataset.rows("test")]]
    score_run(run, split_dataset, right)
    assert "None: every test image" in Page(write_report(run, split_dataset)).text

    score_run(run, split_dataset, np.roll(right, 1, axis=1))
    conflicting = replace(split_dataset, manifest=split_dataset.manifest.assign(conflict=True))
    assert Page(write_report(run, conflicting)).text.count("copies of it") == pages.MISTAKES_SHOWN
    assert "whole study" not in Page(write_report(run, split_dataset)).text
    of_studies = replace(split_dataset, manifest=split_dataset.manifest.assign(label_from="table.csv (whole study)"))
    assert Page(write_report(run, of_studies)).text.count("given for a whole study") >= pages.MISTAKES_SHOWN


@pytest.mark.slow
@pytest.mark.usefixtures("painted")
def test_hidden_labels_leave_no_trace(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    score_run(run, split_dataset, opinions(split_dataset))
    page = write_report(run, split_dataset).read_bytes()
    # How often reports were made stands on the page.
    for folder in (run.folder, split_dataset.folder):
        (folder / "test_openings.jsonl").unlink()
    run.note_test_opening("evaluate", split_dataset)
    hidden = split_dataset.rows("unlabeled")
    manifest = split_dataset.manifest.copy()
    manifest.loc[hidden, "label"] = np.random.default_rng(1).permutation(manifest.loc[hidden, "label"])
    assert (manifest["label"] != split_dataset.manifest["label"]).any()
    assert write_report(run, replace(split_dataset, manifest=manifest)).read_bytes() == page


def test_samples_come_from_their_own_parts(split_dataset: Snapshot, tmp_path: Path) -> None:
    page = Page(write_report(new_run(split_dataset, tmp_path / "run"), split_dataset))
    shown = {int(alt.removeprefix("scan ")): uri for alt, uri in page.pictures.items() if alt.startswith("scan ")}
    labeled, unlabeled = set(split_dataset.rows("labeled")), set(split_dataset.rows("unlabeled"))
    assert set(shown) <= labeled | unlabeled
    assert len(set(shown) & unlabeled) == 16
    assert {split_dataset.labels[row] for row in set(shown) & labeled} == {0, 1, 2, 3}
    for row, uri in shown.items():
        np.testing.assert_array_equal(np.asarray(decoded(uri)), split_dataset.pixels[row, 0])


@pytest.mark.slow
def test_names_of_files_folders_and_patients_stay_out(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    private = tmp_path / "Private_Clinic"
    private.mkdir()
    dataset = Dataset.open(split(make_dataset(), labeled=16, test=24).folder.rename(private / "scans")).snapshot()
    manifest = dataset.manifest.assign(
        path=[f"Private_{row}.png" for row in range(80)], patient="Private_Patient", source="Private_Source"
    )
    source = dataset.description.sources[0].model_copy(update={"name": "Private_Source", "folder": "/home/Private_User"})
    dataset = replace(dataset, manifest=manifest, description=dataset.description.model_copy(update={"sources": (source,)}))
    for name in ("unfinished", "finished", "evaluated"):
        run = new_run(dataset, private / name) if name == "unfinished" else finished_run(dataset, private / name)
        if name == "evaluated":
            score_run(run, dataset, opinions(dataset))
        page = Page(write_report(run, dataset))
        assert f"Report of run '{name}'" in page.text
        assert "trained on dataset scans" in page.text
        assert "private" not in page.html.lower()
        assert str(tmp_path) not in page.html


@pytest.mark.slow
def test_names_of_files_are_shown_only_where_asked_for_and_of_scans_whose_label_is_shown(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(), labeled=16, test=24)
    run = finished_run(dataset, tmp_path / "run")
    score_run(run, dataset, opinions(dataset))

    def named(html: str) -> set[int]:
        return {row for row, name in enumerate(dataset.file_names) if name in html}

    by_row = Page(fewscan.report(run.folder))
    assert not named(by_row.html)
    assert "--names" in by_row.text
    by_name = Page(fewscan.report(run.folder, names=True, overwrite=True))
    parts = {part: set(dataset.rows(part)) for part in ("labeled", "unlabeled", "test")}
    assert named(by_name.html) & parts["labeled"]
    assert len(named(by_name.html) & parts["test"]) == pages.MISTAKES_SHOWN
    assert not named(by_name.html) & parts["unlabeled"]
    assert [alt for alt in by_name.pictures if alt.startswith("scan ")]
    # What the page says of itself in the checklist follows.
    assert by_row.row("de-identification") != by_name.row("de-identification")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "leaking_pairs", "said"),
    [
        ("leakfree", 0, None),
        ("leakfree", 1, "This split leaks. 1 pair of images that belong together"),
        ("leakfree", 1234, "This split leaks. 1,234 pairs of images that belong together"),
        ("study", 17, "This split leaks. 17 pairs of images that belong together"),
        ("study", 0, "This split may leak. It was drawn image by image"),
        ("study", None, "Nobody had looked for such pairs when training began."),
    ],
)
def test_a_leak_is_said_before_the_score(
    protocol: Any, leaking_pairs: int | None, said: str | None, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(), labeled=16, test=24, protocol=protocol)
    run = finished_run(dataset, tmp_path / "run", leaking_pairs=leaking_pairs)
    score_run(run, dataset, opinions(dataset))
    text = Page(write_report(run, dataset)).text
    before_the_score = text.partition("Score on the test set")[0]
    if said is None:
        assert "leak." not in before_the_score
        assert "leaks." not in before_the_score.replace("split without leaks.", "")
    else:
        assert said in before_the_score
        assert "higher than they would be on new patients" in before_the_score


@pytest.mark.slow
def test_its_commands_work_beside_the_page_and_the_split_that_stand(
    fewscan: Callable[..., subprocess.CompletedProcess[str]], make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = split(make_dataset(), labeled=16, test=24, protocol="random")
    run = finished_run(dataset, tmp_path / "run", leaking_pairs=None)
    page = Page(write_report(run, dataset)).html
    said = [re.sub("<.*?>", "", command) for command in re.findall(r"<code>fewscan (.*?)</code>", page)]
    commands = {command for command in said if command.startswith(("report ", "split "))}
    assert {command.split()[0] for command in commands} == {"report", "split"}
    for command in sorted(commands):
        words = [{"RUN": run.folder, "DATASET": dataset.folder}.get(word, word) for word in command.split()]
        done = fewscan(*words)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "passing"])
def test_a_warning_of_training_stands_before_the_score_as_long_as_it_holds(
    split_dataset: Snapshot, tmp_path: Path, lasting: bool
) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    text = "the features are <the same> for every image. In a new run try optimizer.learning_rate=0.0002."
    last = 12
    for epoch in range(1, last + 1):
        live = 0.9 if epoch == last and not lasting else 0.0
        symptoms = [{"name": "constant_features", "text": text}] if epoch == last - 1 else []
        run.log({"epoch": epoch, **EPOCH, "step": 100 * epoch, "live_features": live, "symptoms": symptoms})
    run.save_network(run.new_network())
    score_run(run, split_dataset, opinions(split_dataset))
    page = Page(write_report(run, split_dataset))
    before, _, after = page.text.partition("Score on the test set")
    assert (text in before, text in after) == (lasting, not lasting)
    assert page.html.count('class="warning"') == lasting
    assert page.row("loss")[1] == "2.0000"


def test_a_run_that_warned_of_nothing_has_a_report_without_a_warning(split_dataset: Snapshot, tmp_path: Path) -> None:
    without = finished_run(split_dataset, tmp_path / "without")
    assert "warning" not in Page(write_report(without, split_dataset)).text


@pytest.mark.slow
def test_only_losses_are_drawn_as_losses(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    fit(run, split_dataset, resume=False)
    assert loss_names(run.metrics()) == ["loss", "nt_xent", "cross_entropy"]
    # What a method says of an epoch besides is none of them, whatever it is called.
    assert loss_names([numbers | {"of_my_own": 0.5} for numbers in run.metrics()]) == ["loss", "nt_xent", "cross_entropy"]


def test_what_is_not_there_yet_is_said_with_the_way_to_get_it(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    never_audited = replace(split_dataset, description=split_dataset.description.model_copy(update={"audit": None}))
    text = Page(write_report(run, never_audited)).text
    assert "Training is not finished: 0 of 2 epochs are done." in text
    assert "fewscan train DATASET --out RUN --resume" in text
    assert "No epoch" in text
    assert "The dataset was never audited" in text
    assert "fewscan audit DATASET" in text

    finished = finished_run(split_dataset, tmp_path / "finished")
    text = Page(write_report(finished, split_dataset)).text
    assert "Not evaluated yet. fewscan evaluate RUN opens the test set once" in text
    assert not (finished.folder / "test_openings.jsonl").exists()
    assert "fewscan stress RUN changes" in text


def test_a_stress_test_is_advised_with_a_test_set_and_without(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    for name, test in (("with", 12), ("without", 0)):
        drawn = split(make_dataset(), test=test, validation=0)
        text = Page(write_report(finished_run(drawn, tmp_path / name), drawn)).text
        assert "fewscan stress RUN changes" in text


def test_no_score_is_advised_that_the_verbs_refuse(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    dataset = make_dataset()
    one_group = np.where(dataset.manifest["label"] == dataset.classes[0], 0, np.arange(len(dataset.manifest))).tolist()
    drawn = split(make_dataset(groups=one_group), test=0, validation=0)
    run = finished_run(drawn, tmp_path / "run")
    for verb in (fewscan.evaluate, partial(fewscan.stress, stored=True)):
        with pytest.raises(FewscanError, match="only one patient or set of copies"):
            verb(run)
    text = Page(write_report(run, drawn)).text
    assert "RUN scores" not in text
    assert "RUN changes" not in text


def test_what_changed_since_stands_below_the_score(
    split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    score_run(run, split_dataset, opinions(split_dataset))
    monkeypatch.setattr(Evaluation, "changes", ["a label of Ada's changed"])
    text = Page(write_report(run, split_dataset)).text
    assert text.index("Accuracy") < text.index("A label of Ada's changed.")


def test_the_audit_and_the_split_are_counted(split_dataset: Snapshot, tmp_path: Path) -> None:
    audit = AuditDescription(similarity=0.93, rows=80, pairs=5021, groups=2411, copy_sets=388, conflicting_images=46)
    audited = replace(split_dataset, description=split_dataset.description.model_copy(update={"audit": audit}))
    page = Page(write_report(new_run(audited, tmp_path / "run", leaking_pairs=7), audited))
    counts = [page.row(name)[1] for name in ("pairs", "groups", "sets of copies", "conflicting images", "leaking pairs")]
    assert counts == ["5,021", "2,411", "388", "46", "7"]
    assert page.row("labeled")[1:6] == ["12", "3", "3", "3", "3"]
    assert page.row("validation")[1:6] == ["4", "1", "1", "1", "1"]
    assert page.row("unlabeled")[1] == "40"
    assert page.row("test")[1] == "24"


def test_settings_versions_and_fingerprints_are_complete(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = new_run(split_dataset, tmp_path / "run")
    page = Page(write_report(run, split_dataset))
    shown = re.search(r"<pre>(.*?)</pre>", page.html, re.DOTALL)
    assert shown is not None
    assert RunSettings.parse(yaml.safe_load(shown[1])) == run.settings
    for name, number in run.record.versions.items():
        assert f"{name} {number}" in page.text
    for value in (run.record.dataset_fingerprint, run.record.split_fingerprint, run.record.machine, run.record.started):
        assert value in page.text
    assert "Research use only. Not a medical device." in page.text


@pytest.mark.slow
def test_names_of_classes_are_text_whatever_they_are(split_dataset: Snapshot, tmp_path: Path) -> None:
    odd = renamed(split_dataset, {"glioma": '<b onload="x">&', "no_tumor": "NA", "pituitary": "None"})
    run = finished_run(odd, tmp_path / "run")
    score_run(run, odd, opinions(odd))
    page = Page(write_report(run, odd))
    assert "b" not in page.tags
    assert odd.classes[0] in page.text
    assert page.row("NA")[1] == "6"
    assert page.row("None")[1] == "6"


@pytest.mark.parametrize("damage", ["missing", "empty", "row cut", "rows missing", "column missing", "other rows"])
def test_a_damaged_evaluation_is_one_clear_line(damage: str, split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    score_run(run, split_dataset, opinions(split_dataset))
    path = run.folder / PREDICTIONS_FILE
    content = path.read_text()
    damaged = {
        "empty": "",
        "row cut": content[:-30],
        "rows missing": "\n".join(content.splitlines()[:10]),
        "other rows": re.sub(r"^(\d+),", r"1\1,", content, flags=re.MULTILINE),
        "column missing": content.replace("probability_glioma", "glioma"),
    }
    path.unlink()
    if damage != "missing":
        path.write_text(damaged[damage])
    with pytest.raises(FewscanError, match=r"run 'fewscan evaluate .* --overwrite'") as caught:
        write_report(run, split_dataset)
    assert "\n" not in str(caught.value)
    assert not (run.folder / "report.html").exists()


@pytest.mark.slow
def test_the_runs_own_page_is_renewed_unless_another_place_is_named(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    write_report(run, split_dataset)
    score_run(run, split_dataset, opinions(split_dataset))
    assert "84.1 %" in Page(write_report(run, split_dataset)).text

    elsewhere = tmp_path / "pages" / "one.html"
    assert write_report(run, split_dataset, elsewhere) == elsewhere


@pytest.mark.slow
@pytest.mark.usefixtures("painted")
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium on PATH")
def test_a_browser_shows_every_picture_and_loads_nothing(split_dataset: Snapshot, tmp_path: Path) -> None:
    run = finished_run(split_dataset, tmp_path / "run")
    score_run(run, split_dataset, opinions(split_dataset))
    path = write_report(run, split_dataset)
    # The page itself forbids scripts: the copy that is asked has one more, which writes down what the browser saw.
    probe = (
        "<script>addEventListener('load', () => { const loaded = performance.getEntriesByType('resource')"
        ".filter(entry => !entry.name.startsWith('data:')).length;"
        "const pictures = [...document.images]; const broken = pictures.filter(one => !one.naturalWidth).length;"
        "document.title = `${pictures.length} pictures, ${broken} broken, ${loaded} loaded`; })</script></body>"
    )
    asked = tmp_path / "asked.html"
    html = re.sub(r"<meta http-equiv[^>]*>", "", path.read_text(encoding="utf-8"))
    asked.write_text(html.replace("</body>", probe), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    shown = subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", asked.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert f"<title>{Page(path).tags.count('img')} pictures, 0 broken, 0 loaded</title>" in shown
