"""What the study's page says, of runs whose right and wrong answers are made up, and of real ones."""

import base64
import io
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import fewscan
from fewscan.comparison.results import Results
from fewscan.config import parse_overrides
from fewscan.datasets.snapshot import Snapshot
from fewscan.studies.bitlis.page import study_page
from fewscan.studies.bitlis.sentences import caption, headline, ranking
from tests.comparison.made_up import METHODS, Right
from tests.comparison.made_up import made_up as write_made_up
from tests.comparison.pages import Page
from tests.made import remade


@pytest.fixture
def made_up(make_dataset: Callable[..., Snapshot]) -> Callable[..., Results]:
    """A function that writes a comparison of runs that got so many test images right, and collects it."""
    return partial(write_made_up, make_dataset)


def page_of(results: Results) -> Page:
    return Page(study_page(results, [], []))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("joint", "supervised", "numbers", "beats", "significant"),
    [
        ((30,), (10,), "75.00 % against 25.00 %, +50.00 points, corrected p < 0.001", True, True),
        ((21,), (20,), "52.50 % against 50.00 %, +2.50 points, corrected p = 1.000", False, False),
        ((20,), (20,), "50.00 % against 50.00 %, +0.00 points, corrected p = 1.000", False, None),
        ((20,), (21,), "50.00 % against 52.50 %, -2.50 points, corrected p = 1.000", False, False),
        ((10, 14), (30, 30), "30.00 % against 75.00 %, -45.00 points, corrected p < 0.001", False, True),
        ((20, 40), (20,), "50.00 % against 50.00 %, +0.00 points, corrected p = 1.000", False, None),
    ],
)
def test_the_first_sentence_says_whether_joint_beats_the_row_that_the_study_left_out(
    joint: tuple[int, ...],
    supervised: tuple[int, ...],
    numbers: str,
    beats: bool,
    significant: bool | None,
    made_up: Callable[..., Results],
) -> None:
    results = made_up({("leakfree", "joint"): joint, ("leakfree", "supervised"): supervised})
    said = headline(results)
    assert f"val_p_acc {numbers}" in said
    assert ("does not beat" in said) is not beats
    assert ("level" in said) is (significant is None)
    # Of one seed it is said of two networks.
    assert ("network" in said.partition("(")[0]) is (min(len(joint), len(supervised)) == 1)
    page = page_of(results)
    assert page.text.partition(" Made by")[0].index(said) < page.text.index("Recipe study")


@pytest.mark.slow
def test_what_was_not_run_is_named_in_the_first_sentence(made_up: Callable[..., Results]) -> None:
    right: list[tuple[Right, set[str]]] = [
        ({("leakfree", "supervised"): (20,)}, {"joint"}),
        ({("leakfree", "joint"): (20,)}, {"supervised"}),
        ({}, {"joint", "supervised"}),
    ]
    for counts, missing in right:
        said = headline(made_up(counts))
        assert set(said.partition("since ")[2].split()) & set(METHODS) == missing


@pytest.mark.slow
def test_both_protocols_stand_in_the_first_sentence(made_up: Callable[..., Results]) -> None:
    right: Right = {
        ("leakfree", "joint"): (20,),
        ("leakfree", "supervised"): (20,),
        ("study", "joint"): (38,),
        ("study", "supervised"): (8,),
    }
    of_leakfree, of_study = headline(made_up(right, protocols=("leakfree", "study"))).split("; ")
    assert ("without leaks" in of_leakfree, "does not beat" in of_leakfree) == (True, True)
    assert ("as published" in of_study, "does not beat" in of_study) == (True, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "named"),
    [
        ({"barlow_twins": 10, "nnclr": 12, "simclr": 9, "joint": 30}, ["is the best", "nnclr"]),
        ({"barlow_twins": 10, "nnclr": 31, "simclr": 9, "joint": 30}, ["is not the best", "nnclr"]),
        ({"barlow_twins": 10, "nnclr": 30, "simclr": 9, "joint": 30}, ["shares", "nnclr"]),
        ({"simclr": 10, "joint": 30}, ["is the best", "simclr", "barlow_twins and nnclr were not run"]),
        ({"joint": 30}, ["no other", "barlow_twins, nnclr and simclr were not run"]),
        ({"simclr": 30, "supervised": 40}, ["not known"]),
    ],
)
def test_the_place_of_joint_among_the_studys_rows_is_said(
    right: dict[str, int], named: list[str], made_up: Callable[..., Results]
) -> None:
    results = made_up({("leakfree", method): (count,) for method, count in right.items()})
    said = ranking(results, "leakfree")
    assert all(part in said for part in named)
    assert said in page_of(results).text


@pytest.mark.slow
def test_ours_stand_beside_the_studys_with_spread_or_interval_and_not_run_where_there_is_nothing(
    made_up: Callable[..., Results],
) -> None:
    right: Right = {("leakfree", "joint"): (20, 24), ("leakfree", "simclr"): (10,), ("study", "joint"): (30, 30)}
    page = page_of(made_up(right, protocols=("leakfree", "study"), leaking_pairs=1234))
    for after, methods in enumerate((3, 5)):
        rows = page.rows_below("val_p_acc, accuracy on the test images", after)
        assert len(rows) == methods
        assert rows["joint proposed model"] == ["72.40", "55.00 ± 7.07", "−17.40", "75.00 ± 0.00", "+2.60"]
        assert rows["simclr SimCLR"] == ["54.87", "25.00 [18.75, 31.25] (1 of 2 seeds)", "−29.87", "not run", "not run"]
        assert rows["supervised"] == ["–", "not run", "–", "not run", "–"]
    rows = page.rows_below("r_acc, correlation accuracy")
    assert rows["joint proposed model"] == ["57.76", "not defined", "not defined", "not defined", "not defined"]
    assert page.rows_below("AUROC, mean of classes")["simclr SimCLR"] == ["50.00 [40.00, 60.00] (1 of 2 seeds)", "not run"]
    # What copies are worth, and that they are there, stands above the tables.
    above = page.text.partition("Table 1")[0]
    assert "joint +20.00 points" in above
    assert "1,234 pairs" in above


@pytest.mark.slow
def test_the_caption_says_how_it_was_run_and_stands_on_every_table_of_scores(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 20)}, source="dubail_standin")
    said = caption(results)
    facts = (
        "epochs=25",
        "optimizer.learning_rate=0.5",
        "16 px",
        "16 labels",
        "40 test images",
        "0 and 1",
        "8 of 10",
        "100 epochs",
    )
    assert all(fact in said for fact in facts)
    page = page_of(results)
    assert len(page.captions) == 6
    assert all("Third source: stand-in" in text for text in page.captions)
    assert sum(said in text for text in page.captions) == 4


@pytest.mark.slow
def test_without_a_stand_in_none_is_spoken_of(made_up: Callable[..., Results]) -> None:
    assert "stand-in" not in study_page(made_up({("leakfree", "joint"): (20,)}), [], [])


@pytest.mark.slow
def test_the_command_makes_it_again_with_the_dataset_by_its_folders_name(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 20)}, protocols=("leakfree", "study"))
    words = shlex.split(page_of(results).command)
    assert words[:3] == ["fewscan", "study", Path(results.comparison.plan.dataset).name]
    options = dict(zip(words[3:-2:2], words[4:-2:2], strict=True))
    assert options == {
        "--methods": ",".join(METHODS),
        "--seeds": "0,1",
        "--protocol": "leakfree,study",
        "--labeled": "16",
        "--validation": "0.25",
        "--test": "40",
        "--out": "DIR",
    }
    assert parse_overrides(words[-2:]) == results.comparison.plan.changes


@pytest.mark.slow
def test_the_study_counts_accuracy_whatever_the_comparison_is_ranked_by(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "supervised"): (28,), ("leakfree", "joint"): (-20,)}
    methods = ("supervised", "joint")
    ranked = made_up(right, methods=methods, rank_by="balanced_accuracy", unequal=True)
    plan = ranked.comparison.plan
    results = fewscan.study(
        plan.dataset,
        out=ranked.comparison.folder,
        methods=methods,
        protocols=["leakfree"],
        labeled=16,
        test=40,
        validation=0.25,
        train=False,
        **plan.changes,
    )
    assert "val_p_acc 50.00 % against 70.00 %, -20.00 points" in headline(results)
    page = Page((ranked.comparison.folder / "study.html").read_text(encoding="utf-8"))
    assert headline(results) in page.text
    assert (
        "balanced accuracy and beats" in Page((ranked.comparison.folder / "comparison.html").read_text(encoding="utf-8")).text
    )


@pytest.mark.slow  # two trainings, seven figures in full
@pytest.mark.usefixtures("painted")
def test_the_verb_trains_with_the_studys_recipe_and_writes_a_page_that_needs_nothing_else_and_names_nobody(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = make_dataset()
    private = [f"Private_{row}" for row in range(80)]
    manifest = dataset.manifest.assign(patient=private, path=[f"{name}.png" for name in private])
    dataset = remade(dataset, manifest)
    out = tmp_path / "<b>odd & name"
    results = fewscan.study(
        dataset.folder,
        out=out,
        methods=["supervised", "joint"],
        protocols=["leakfree"],
        labeled=16,
        test=24,
        epochs=2,
        batch_size=20,
        encoder={"dense_units": 16},
    )
    assert {run.run.settings.encoder.name for run in results.trials.values() if run} == {"study_cnn"}
    written = {file.name for file in out.iterdir()}
    assert {
        "study.html",
        "comparison.html",
        "table1.csv",
        "table2.csv",
        "study_runs.csv",
        "figure7.png",
        "pairs.csv",
    } <= written
    page = Page((out / "study.html").read_text(encoding="utf-8"))
    assert headline(results) in page.text
    pictures = [address for address in page.addresses if address.startswith("data:")]
    assert len(pictures) == len(page.alternatives) == 5
    assert all(page.alternatives)
    for address in pictures:
        Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"), validate=True))).verify()
    # Every other address lies in the comparison's folder.
    assert all((out / address).exists() for address in page.addresses if address not in pictures)
    assert not {"link", "iframe", "object", "b"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", page.html)
    assert "Private" not in page.html
    assert str(tmp_path) not in page.html
    table = pd.read_csv(out / "study_runs.csv", dtype=str).set_index(["protocol", "method"])
    rows = page.rows_below("val_p_acc, accuracy on the test images", 1)
    for name, method in (("supervised", "supervised"), ("joint proposed model", "joint")):
        line = table.loc["leakfree", method]
        low, high = line["val_p_acc_low_percent"], line["val_p_acc_high_percent"]
        assert rows[name][1] == f"{line['val_p_acc_percent']} [{low}, {high}]"
