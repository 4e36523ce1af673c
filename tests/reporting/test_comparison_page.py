"""What the page of a comparison says, of runs whose right and wrong answers are made up, and of real ones."""

import base64
import io
import math
import re
import shlex
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fewscan.comparison.commands import commands
from fewscan.comparison.plan import Asked, Comparison, Plan, SplitSizes, Trial, make_plan
from fewscan.comparison.results import Results, collect
from fewscan.comparison.trials import run_trial
from fewscan.config import parse_overrides
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.learning.registry import METHODS as REGISTERED
from fewscan.reporting.comparison_findings import headline
from fewscan.reporting.comparison_page import caption, comparison_page, write_comparison
from fewscan.training.run import Run
from tests.made import remade

TEST_IMAGES = 40
METHODS = ("supervised", "barlow_twins", "nnclr", "simclr", "joint")

# How many of the test images the runs of a method called right, one number a seed.
Right = Mapping[tuple[Protocol, str], tuple[int, ...]]


class Page(HTMLParser):
    """What a reader sees of a page, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.cells: list[list[str]] = []  # of every table row
        self.captions: list[str] = []
        self.command = ""
        self._words: list[str] = []
        self._inside: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [values[name] for name in ("src", "srcset", "href", "action", "data") if name in values]
        if tag == "img":
            self.alternatives.append(values["alt"])
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag == "caption":
            self.captions.append("")
        if tag in ("td", "th", "caption", "style", "pre"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._inside:
            self._words.append(data)
        if "td" in self._inside or "th" in self._inside:
            self.cells[-1][-1] = " ".join(f"{self.cells[-1][-1]} {data}".split())
        if "caption" in self._inside:
            self.captions[-1] = " ".join(f"{self.captions[-1]} {data}".split())
        if "pre" in self._inside:
            self.command += data

    def rows_below(self, group: str, after: int = 0) -> dict[str, list[str]]:
        """The rows of a table's row group, by their first cell; `after`: how many groups of that name are passed over."""
        start = [number for number, cells in enumerate(self.cells) if cells == [group]][after]
        rows = {}
        for cells in self.cells[start + 1 :]:
            if len(cells) == 1 or cells[0] == "percent":
                break
            rows[cells[0]] = cells[1:]
        return rows


@pytest.fixture
def made_up(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> Callable[..., Results]:
    """A function that writes a comparison of runs that got so many test images right, and collects it."""

    def make(
        right: Right,
        protocols: tuple[Protocol, ...] = ("leakfree",),
        source: str = "squares",
        leaking_pairs: int = 0,
        methods: tuple[str, ...] = METHODS,
    ) -> Results:
        made = make_dataset(images=120)
        dataset = remade(made, made.manifest.assign(source=source), sources=())
        plan = Plan(
            dataset=str(dataset.folder),
            dataset_fingerprint=dataset.description.fingerprint,
            split=SplitSizes(labeled=16, validation=0.25, test=TEST_IMAGES, seed=0),
            recipe="study",
            changes={"epochs": 25, "optimizer": {"learning_rate": 0.5}},
            asked=(Asked(methods=methods, seeds=tuple(range(max(1, *map(len, right.values())))), protocols=protocols),),
        )
        comparison = Comparison.begin(dataset.folder.with_name("comparison"), plan)
        for (protocol, method), counts in right.items():
            for seed, count in enumerate(counts):
                write_run(comparison, Trial(protocol, method, seed), count, leaking_pairs if protocol == "study" else 0)
        return collect(comparison)

    return make


def write_run(comparison: Comparison, trial: Trial, right: int, leaking_pairs: int) -> None:
    """Write a finished run with an evaluation in which the first `right` test images are called right."""
    dataset = comparison.dataset(trial.protocol)
    run = Run.create(comparison.run_folder(trial), comparison.settings(trial), dataset, leaking_pairs)
    run.log({"epoch": 1, "seconds": 90.0})
    run.save_network(run.new_network())
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    called = np.where(np.arange(TEST_IMAGES) < right, labels, (labels + 1) % len(dataset.classes))
    names = np.array(dataset.classes)
    table = pd.DataFrame({"row": rows, "group": dataset.groups[rows], "label": names[labels], "predicted": names[called]})
    table.to_csv(run.folder / PREDICTIONS_FILE, index=False)
    share = right / TEST_IMAGES
    score = Interval(value=0.5, low=0.4, high=0.6)
    evaluation = Evaluation(
        protocol=trial.protocol,
        leaking_pairs=leaking_pairs,
        test_images=TEST_IMAGES,
        test_groups=TEST_IMAGES,
        test_openings=1,
        test_set_openings=1,
        accuracy=Interval(value=share, low=share - 0.0625, high=share + 0.0625),
        balanced_accuracy=score,
        auroc=score,
        calibration_error=score,
        nearest_neighbor_accuracy=score,
        similarity_accuracy=score,
        classes=(),
        confusion=(),
        c_acc=0.99,
        r_acc=None,
        p_acc=0.875,
        val_p_acc=share,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    (run.folder / EVALUATION_FILE).write_text(evaluation.model_dump_json(), encoding="utf-8")


@pytest.mark.parametrize(
    ("joint", "supervised", "said"),
    [
        (
            (30,),
            (10,),
            "the one network of joint beats that of supervised with statistical significance "
            "(val_p_acc 75.00 % against 25.00 %, +50.00 points, corrected p < 0.001, 1 seed)",
        ),
        (
            (21,),
            (20,),
            "the one network of joint does not beat that of supervised with statistical significance "
            "(val_p_acc 52.50 % against 50.00 %, +2.50 points, corrected p = 1.000, 1 seed)",
        ),
        (
            (20,),
            (20,),
            "the one network of joint does not beat that of supervised: they are level "
            "(val_p_acc 50.00 % against 50.00 %, +0.00 points, corrected p = 1.000, 1 seed)",
        ),
        (
            (20,),
            (21,),
            "the one network of joint does not beat that of supervised: it is lower, though not with statistical significance "
            "(val_p_acc 50.00 % against 52.50 %, -2.50 points, corrected p = 1.000, 1 seed)",
        ),
        (
            (10, 14),
            (30, 30),
            "joint does not beat supervised: it is worse with statistical significance (val_p_acc 30.00 % against 75.00 %, "
            "-45.00 points, corrected p < 0.001, 2 seeds)",
        ),
        ((), (20,), "it is not known whether joint beats supervised, since joint was not run"),
        ((20,), (), "it is not known whether joint beats supervised, since supervised was not run"),
        ((), (), "it is not known whether joint beats supervised, since joint and supervised were not run"),
    ],
)
def test_the_first_sentence_says_whether_joint_beats_supervised(
    joint: tuple[int, ...], supervised: tuple[int, ...], said: str, made_up: Callable[..., Results]
) -> None:
    results = made_up({("leakfree", "joint"): joint, ("leakfree", "supervised"): supervised})
    assert headline(results) == f"Under leakfree {said}."


def test_a_comparison_without_joint_says_what_it_compared(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "mixmatch"): (30, 30), ("leakfree", "supervised"): (10, 14)}
    results = made_up(right, methods=("supervised", "simclr", "mixmatch"))
    simclr, mixmatch = headline(results).split("; ")
    assert "whether simclr beats supervised" in simclr
    assert "simclr was not run" in simclr
    assert "mixmatch beats supervised with statistical significance" in mixmatch
    assert "+45.00 points" in mixmatch
    assert "place of joint" not in Page(comparison_page(results, [])).text


def test_the_page_begins_with_that_sentence(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20,), ("leakfree", "supervised"): (21,)})
    text = Page(comparison_page(results, [])).text.partition("Comparison comparison ")[2]
    assert text.startswith("Under leakfree the one network of joint does not beat that of supervised: it is lower")
    assert text.startswith(headline(results))


def test_both_protocols_stand_in_the_first_sentence(made_up: Callable[..., Results]) -> None:
    right: Right = {
        ("leakfree", "joint"): (20,),
        ("leakfree", "supervised"): (20,),
        ("study", "joint"): (38,),
        ("study", "supervised"): (8,),
    }
    results = made_up(right, protocols=("leakfree", "study"))
    assert re.fullmatch(
        r"Under leakfree the one network of joint does not beat .*: .*; "
        r"under study the one network of joint beats .* significance .*\.",
        headline(results),
    )


def test_numbers_of_a_pair_are_of_the_seeds_that_both_were_run_with(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 40), ("leakfree", "supervised"): (20,)})
    assert "val_p_acc 50.00 % against 50.00 %, +0.00 points, corrected p = 1.000, 1 seed" in headline(results)


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (
            {"barlow_twins": 10, "nnclr": 12, "simclr": 9, "joint": 30},
            "joint is the best of the study's four rows, nnclr the next",
        ),
        (
            {"barlow_twins": 10, "nnclr": 31, "simclr": 9, "joint": 30},
            "joint is not the best of the study's four rows: nnclr is",
        ),
        (
            {"barlow_twins": 10, "nnclr": 30, "simclr": 9, "joint": 30},
            "joint shares the first place among the study's four rows with nnclr",
        ),
        (
            {"simclr": 10, "joint": 30},
            "joint is the best of those of the study's four rows that were run, simclr the next (val_p_acc 75.00 % against "
            "25.00 %, +50.00 points, corrected p < 0.001, 1 seed: statistically significant for these two networks). "
            "barlow_twins and nnclr were not run",
        ),
        ({"joint": 30}, "joint has no other of the study's four rows to be compared with"),
        ({"simclr": 30, "supervised": 40}, "the place of joint among the study's four rows is not known"),
    ],
)
def test_the_place_of_joint_among_the_studys_rows_is_said(
    right: dict[str, int], said: str, made_up: Callable[..., Results]
) -> None:
    results = made_up({("leakfree", method): (count,) for method, count in right.items()})
    assert f"Under leakfree {said}" in Page(comparison_page(results, [])).text


def test_the_worth_of_copies_is_the_difference_between_protocols(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "joint"): (20, 22), ("study", "joint"): (30, 32), ("leakfree", "supervised"): (20,)}
    text = Page(comparison_page(made_up(right, protocols=("leakfree", "study"), leaking_pairs=1234), [])).text
    assert (
        "What copies in the test set are worth, val_p_acc under study less that under leakfree: supervised not run, "
        "barlow_twins not run, nnclr not run, simclr not run, joint +25.00 points, mixmatch not run."
    ) in text
    assert "Protocol study leaks. 1,234 pairs of images that belong together" in text
    assert text.index("Protocol study leaks.") < text.index("Table 1")
    assert "Research use only. Not a medical device." in text


def test_one_protocol_alone_says_nothing_about_copies_and_does_not_warn(made_up: Callable[..., Results]) -> None:
    text = Page(comparison_page(made_up({("leakfree", "joint"): (20,)}), [])).text
    assert "not known, since protocol study was not planned" in text
    assert "leaks." not in text
    assert "may leak" not in text


def test_ours_stand_beside_the_studys_with_spread_or_interval_and_not_run_where_there_is_nothing(
    made_up: Callable[..., Results],
) -> None:
    right: Right = {("leakfree", "joint"): (20, 24), ("leakfree", "simclr"): (10,), ("study", "joint"): (30, 30)}
    page = Page(comparison_page(made_up(right, protocols=("leakfree", "study")), []))
    for after, methods in enumerate((3, 5)):
        rows = page.rows_below("val_p_acc, accuracy on the test images", after)
        assert len(rows) == methods
        assert rows["joint proposed model"] == ["72.40", "55.00 ± 7.07", "−17.40", "75.00 ± 0.00", "+2.60"]
        assert rows["simclr SimCLR"] == ["54.87", "25.00 [18.75, 31.25] (1 of 2 seeds)", "−29.87", "not run", "not run"]
        assert rows["supervised"] == ["–", "not run", "–", "not run", "–"]
    rows = page.rows_below("r_acc, correlation accuracy")
    assert rows["joint proposed model"] == ["57.76", "not defined", "not defined", "not defined", "not defined"]
    assert page.rows_below("AUROC, macro")["simclr SimCLR"] == ["50.00 [40.00, 60.00] (1 of 2 seeds)", "not run"]
    pairs = {cells[0]: cells[1:] for cells in page.cells if len(cells) == 7 and " − " in cells[0]}
    assert len(pairs) == math.comb(len(REGISTERED), 2)
    assert pairs["joint − simclr"][0] == "+25.00"
    assert pairs["joint − simclr"][2] == "statistically significant for these two networks"
    assert pairs["joint − simclr"][3:] == ["not run", "not run", "not run"]


def test_one_seed_has_no_spread_and_the_page_says_so(made_up: Callable[..., Results]) -> None:
    page = Page(comparison_page(made_up({("leakfree", "joint"): (20,)}), []))
    assert "One seed: there is no spread over seeds." in page.text
    assert page.rows_below("val_p_acc, accuracy on the test images")["joint proposed model"][1] == "50.00 [43.75, 56.25]"


def test_the_caption_says_how_it_was_run_and_stands_on_every_table_of_scores(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 20)}, source="dubail_standin")
    said = caption(results)
    assert said.startswith(
        "Recipe study with epochs=25 optimizer.learning_rate=0.5: 25 epochs, 16 px, 16 labels, 40 test images, seeds 0 and 1."
    )
    assert "8 of 10 planned runs were not run." in said
    page = Page(comparison_page(results, []))
    assert len(page.captions) == 6
    assert all("Third source: stand-in" in text for text in page.captions)
    assert sum(said in text for text in page.captions) == 4
    assert "drawn from Sartaj's images, since the study's third source could not be fetched" in said


def test_without_a_stand_in_none_is_spoken_of(made_up: Callable[..., Results]) -> None:
    assert "stand-in" not in comparison_page(made_up({("leakfree", "joint"): (20,)}), [])


def test_the_command_makes_it_again_with_the_dataset_by_its_folders_name(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 20)}, protocols=("leakfree", "study"))
    words = shlex.split(Page(comparison_page(results, [])).command)
    assert words[:3] == ["fewscan", "compare", Path(results.comparison.plan.dataset).name]
    options = dict(zip(words[3:-2:2], words[4:-2:2], strict=True))
    assert options == {
        "--methods": "supervised,barlow_twins,nnclr,simclr,joint",
        "--seeds": "0,1",
        "--protocol": "leakfree,study",
        "--labeled": "16",
        "--validation": "0.25",
        "--test": "40",
        "--out": "DIR",
        "--recipe": "study",
    }
    assert parse_overrides(words[-2:]) == results.comparison.plan.changes


VALUES = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(categories=["L", "N", "P", "Zs"])),
)
KEYS = st.text("abcdefgh_", min_size=1)


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.one_of(VALUES, st.lists(VALUES), st.dictionaries(KEYS, VALUES, min_size=1)), min_size=1))
def test_any_change_survives_the_way_through_the_shell(changes: dict[str, Any]) -> None:
    plan = Plan(
        dataset="somewhere/mri scans",
        dataset_fingerprint="0",
        split=SplitSizes(labeled=16, validation=0.25, test=40, seed=0),
        recipe="study",
        changes=changes,
        asked=(Asked(methods=METHODS, seeds=(0,), protocols=("leakfree",)),),
    )
    (command,) = commands(plan)
    words = shlex.split(command)
    assert words[2] == "mri scans"
    assert parse_overrides(words[words.index("study") + 1 :]) == changes


@pytest.mark.slow  # four trainings, five figures in full
@pytest.mark.usefixtures("painted")
def test_real_runs_give_a_page_that_needs_nothing_else_and_names_no_file_or_patient(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = make_dataset()
    manifest = dataset.manifest.assign(patient="Private_Patient", path=[f"Private_{row}.png" for row in range(80)])
    plan = make_plan(
        remade(dataset, manifest),
        methods=["supervised", "joint"],
        seeds=[0],
        protocols=["leakfree", "study"],
        recipe="study",
        changes={"epochs": 2, "batch_size": 20, "encoder": {"dense_units": 16}},
        labeled=16,
        test=24,
        validation=0.25,
    )
    comparison = Comparison.begin(tmp_path / "<b>odd & name", plan)
    for method in plan.methods:
        run_trial(comparison.folder, Trial("leakfree", method, 0))
    results = collect(comparison)
    (comparison.folder / "comparison.html").write_text("old", encoding="utf-8")
    path = write_comparison(results)
    page = Page(path.read_text(encoding="utf-8"))

    assert path == comparison.folder / "comparison.html"
    assert {"comparison.csv", "table1.csv", "table2.csv", "pairs.csv", "figure7.png"} <= {
        file.name for file in comparison.folder.iterdir()
    }
    assert headline(results) in page.text
    assert len(page.addresses) == len(page.alternatives) == 5
    assert all(page.alternatives)
    for address in page.addresses:
        Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"), validate=True))).verify()
    assert not {"script", "link", "iframe", "object", "b"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", page.html)
    assert "Comparison <b>odd & name" in page.text
    assert "Private" not in page.html
    assert str(tmp_path) not in page.html
    table = pd.read_csv(comparison.folder / "comparison.csv", dtype=str).set_index(["protocol", "method"])
    rows = page.rows_below("val_p_acc, accuracy on the test images", 1)
    for name, method in (("supervised", "supervised"), ("joint proposed model", "joint")):
        line = table.loc["leakfree", method]
        low, high = line["val_p_acc_low_percent"], line["val_p_acc_high_percent"]
        assert rows[name][1] == f"{line['val_p_acc_percent']} [{low}, {high}]"
        assert rows[name][3] == "not run"
