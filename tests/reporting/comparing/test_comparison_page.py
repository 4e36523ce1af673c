"""What the page of a comparison says, of runs whose right and wrong answers are made up."""

import base64
import hashlib
import math
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.comparison.commands import commands
from fewscan.comparison.plan import Asked, Plan, SplitSizes, Trial
from fewscan.comparison.results import METRICS, Results
from fewscan.config import parse_overrides
from fewscan.datasets.snapshot import Snapshot
from fewscan.reporting.comparing.doubts import doubts
from fewscan.reporting.comparing.page import comparison_page, write_comparison
from fewscan.reporting.comparing.sentences import headline
from fewscan.training.choice import LEAST_IMAGES
from tests.comparison.made_up import METHODS, Right
from tests.comparison.made_up import made_up as write_made_up
from tests.comparison.pages import Page


@pytest.fixture
def made_up(make_dataset: Callable[..., Snapshot]) -> Callable[..., Results]:
    """A function that writes a comparison of runs that got so many test images right, and collects it."""
    return partial(write_made_up, make_dataset)


def page_of(results: Results) -> Page:
    return Page(comparison_page(results, [], []))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "leader", "beats", "numbers"),
    [
        ({"supervised": (10,), "joint": (30,), "nnclr": (20,)}, "joint", True, "75.00 % against 25.00 %"),
        ({"supervised": (20,), "joint": (21,)}, "joint", False, "52.50 % against 50.00 %"),
        ({"supervised": (10, 14), "joint": (30, 30)}, "joint", True, "75.00 % against 30.00 %"),
        # Over the seeds that both have, they are level.
        ({"supervised": (20,), "joint": (20, 40)}, "joint", False, "50.00 % against 50.00 %"),
        # The baseline leads: the next stands beside it.
        ({"supervised": (30,), "joint": (10,), "nnclr": (20,)}, "supervised", False, "75.00 % against 50.00 %"),
        ({"supervised": (20,), "joint": (20,)}, "supervised and joint", False, "50.00 % against 50.00 %"),
    ],
)
def test_the_first_sentence_names_the_best_method_and_whether_it_beats_the_baseline(
    right: dict[str, tuple[int, ...]], leader: str, beats: bool, numbers: str, made_up: Callable[..., Results]
) -> None:
    results = made_up({("leakfree", method): counts for method, counts in right.items()})
    (said,) = headline(results)
    assert f" {leader} {'share' if ' and ' in leader else 'has'} the highest mean accuracy" in said
    assert "leakfree" not in said  # the only protocol, and it keeps copies together
    # "beats" of the leader alone, never of "no method".
    assert (" and beats the baseline" in said) is beats
    assert numbers in said
    seeds = min(len(right["supervised"]), len(right["joint"]))
    assert ("two networks alone" in said) is (seeds == 1)
    assert ("40 test images and in 2 seeds" in said) is (seeds == 2)
    page = page_of(results)
    heading, _, rest = page.text.partition(said)
    assert f"'{Path(results.comparison.plan.dataset).name}'" in heading
    assert "comparison comparison" not in heading.lower()  # its folder is called so
    assert rest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "methods", "named"),
    [
        ({"joint": (20,), "nnclr": (10,)}, METHODS, ["joint", "supervised was not run", "not known"]),
        ({"joint": (20,)}, METHODS, ["only joint was run"]),
        ({}, METHODS, ["nothing was run"]),
        ({"joint": (30,), "nnclr": (10,)}, ("nnclr", "joint"), ["joint", "no baseline", "nnclr, the next"]),
    ],
)
def test_what_is_not_known_is_said(
    right: dict[str, tuple[int, ...]], methods: tuple[str, ...], named: list[str], made_up: Callable[..., Results]
) -> None:
    (said,) = headline(made_up({("leakfree", method): counts for method, counts in right.items()}, methods=methods))
    assert all(part in said for part in named)
    assert "beats" not in said.replace("whether it beats", "")


@pytest.mark.slow
def test_any_method_may_be_the_baseline(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (30, 30), ("leakfree", "nnclr"): (10, 14)}, baseline="nnclr")
    (said,) = headline(results)
    assert "joint" in said
    assert "beats the baseline nnclr" in said
    page = page_of(results)
    assert any(cell.endswith(" nnclr") for cells in page.cells for cell in cells)
    assert "--baseline nnclr" in page.command


@pytest.mark.slow
def test_the_page_speaks_of_the_score_that_ranks_and_copies_stay_worth_accuracy(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "supervised"): (28,), ("leakfree", "joint"): (-20,), ("study", "joint"): (28,)}
    protocols = ("leakfree", "study")
    results = made_up(right, protocols, methods=("supervised", "joint"), rank_by="balanced_accuracy", unequal=True)
    said, _ = headline(results)
    assert "joint has the highest mean balanced accuracy and beats" in said
    assert "balanced accuracy 82.14 % against 25.00 %, +57.14 points" in said
    page = page_of(results)
    assert {cells[3] for cells in page.cells if cells[1:3] == ["method", "runs"]} == {"balanced accuracy"}
    assert "--rank-by balanced_accuracy" in page.command
    assert ": supervised not run, joint +20.00 points" in page.text


@pytest.mark.slow
def test_a_single_protocol_is_named_where_copies_may_lie_on_both_sides(made_up: Callable[..., Results]) -> None:
    (said,) = headline(made_up({("study", "joint"): (30,), ("study", "supervised"): (20,)}, protocols=("study",)))
    assert said.startswith("On the split as published, joint ")


@pytest.mark.slow
def test_each_protocol_has_a_sentence_and_copies_a_worth(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "joint"): (20, 22), ("study", "joint"): (30, 32), ("leakfree", "supervised"): (20,)}
    results = made_up(right, protocols=("leakfree", "study"), leaking_pairs=1234)
    for said, named in zip(headline(results), ("without leaks", "as published"), strict=True):
        assert named in said
    above = page_of(results).text.partition("Leaderboard")[0]
    assert "joint +25.00 points" in above
    assert "1,234 pairs of images that belong together" in above
    alone = page_of(made_up({("leakfree", "joint"): (20,)})).text
    assert "copies in the test set are worth" not in alone
    assert "leak" not in alone.lower().replace("without leaks", "").replace("leakfree", "").replace("leaking pairs", "")


@pytest.mark.slow
def test_the_leaderboard_holds_every_score_best_first(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "joint"): (20, 24), ("leakfree", "simclr"): (10,), ("leakfree", "supervised"): (24, 24)}
    page = page_of(made_up(right))
    rows = [cells for cells in page.cells if len(cells) == 7 + len(METRICS)]
    head, *methods = rows
    assert head[1:4] == ["method", "runs", "accuracy"]
    assert [cells[:4] for cells in methods[:3]] == [
        ["1", "supervised baseline", "2", "60.00 ± 0.00"],
        ["2", "joint", "2", "55.00 ± 7.07"],
        ["3", "simclr", "1 of 2", "25.00 [18.75, 31.25]"],
    ]
    assert methods[1][4] == "−5.00"
    assert methods[2][6] == "significantly lower for these two networks"
    assert {cells[3] for cells in methods[3:]} == {"not run"}
    # What is bold everywhere else is above.
    assert re.findall(r'"said yes">([^<]*)<', page.html) == [
        verdict for cells in page.cells for verdict in cells if verdict.startswith("significantly higher")
    ]
    pairs = {cells[0]: cells[1:] for cells in page.cells if len(cells) == 4 and " − " in cells[0]}
    assert len(pairs) == math.comb(len(METHODS), 2)
    assert pairs["joint − simclr"][0] == "+25.00"
    assert pairs["simclr − nnclr"] == ["not run"] * 3


@pytest.mark.slow
def test_the_page_says_where_each_run_lies_and_runs_no_script_but_its_own(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20,), ("leakfree", "supervised"): (10,)})
    path = write_comparison(results)
    assert path == results.comparison.folder / "comparison.html"
    page = Page(path.read_text(encoding="utf-8"))
    links = [address for address in page.addresses if not address.startswith("data:")]
    assert {(path.parent / link).resolve() for link in links} == {
        run.run.folder.resolve() for run in results.trials.values() if run is not None
    }
    assert len(page.alternatives) == 2
    assert not re.search(r"https?:|url\(|@import", page.html)
    scripts = re.findall(r"<script>(.*?)</script>", page.html, flags=re.DOTALL)
    allowed = re.findall(r"script-src '(sha256-[^']+)'", page.html)
    assert [f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in scripts] == allowed
    assert len(allowed) == 1
    assert str(results.comparison.folder.parent) not in page.html
    written = {file.name for file in path.parent.iterdir()}
    assert {"leaderboard.csv", "comparison.csv", "pairs.csv", "accuracy.png", "loss.png"} <= written


@pytest.mark.slow
def test_the_command_makes_it_again_with_the_dataset_by_its_folders_name(made_up: Callable[..., Results]) -> None:
    results = made_up({("leakfree", "joint"): (20, 20)}, protocols=("leakfree", "study"))
    words = shlex.split(page_of(results).command)
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


@pytest.mark.slow
def test_a_short_schedule_is_warned_of_beside_what_came_out(made_up: Callable[..., Results]) -> None:
    right: Right = {("leakfree", "supervised"): (30,), ("leakfree", "joint"): (10,)}
    results = made_up(right, methods=("supervised", "joint"), recipe="fewscan")
    (said,) = doubts([results])
    images = results.settings[Trial("leakfree", "joint", 0)].images_trained(
        results.splits["leakfree"].labeled, results.splits["leakfree"].unlabeled
    )
    assert images < LEAST_IMAGES
    assert f"joint trained on {images:,} images" in said
    page = page_of(results).text
    assert page.index(said) < page.index("Leaderboard")


@pytest.mark.slow
def test_a_short_schedule_is_not_warned_of_where_it_favors_none(made_up: Callable[..., Results]) -> None:
    for methods in (("joint", "nnclr"), ("supervised", "propagation")):
        results = made_up({("leakfree", methods[0]): (30,), ("leakfree", methods[1]): (10,)}, methods=methods, recipe="fewscan")
        assert not doubts([results])


VALUES = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(categories=["L", "N", "P", "Zs"])),
)
KEYS = st.text("abcdefgh_", min_size=1)


@pytest.mark.slow
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
