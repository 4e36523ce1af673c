"""People who use the page alone read of its buttons and views, and of no commands."""

import re
import shutil
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fewscan.datasets.dataset import Dataset
from fewscan.evaluation.calibrate import calibrate
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import RUN, Grounds
from fewscan.labeling.population import beside_pile
from fewscan.labeling.remedies import Remedies
from fewscan.reviewing.taking import ERRORS
from fewscan.splits.support import TARGETS
from fewscan.training.run import Run
from fewscan.wording import ON_PAGE

# A verb behind the program's name, or an option.
COMMAND = re.compile(r"fewscan</?code>? \w|fewscan (?!review)[a-z]+|(?<![-\w])--[a-z]")
PAGE = files("fewscan.reviewing")
# Who logs in is told where the token stands; the calls are for people who write programs.
OF_OTHERS = {"login.html", "docs.html"}


@pytest.mark.parametrize("folder", ["templates", "static"])
def test_no_view_quotes_a_command(folder: str) -> None:
    read = [
        path for path in PAGE.joinpath(folder).iterdir() if path.name.endswith((".html", ".js")) and path.name not in OF_OTHERS
    ]
    assert read
    for path in read:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.strip().startswith("//")]
        assert [line for line in lines if COMMAND.search(line)] == [], path.name


@pytest.mark.slow  # it starts processes
def test_what_the_page_says_of_labels_that_it_made_quotes_no_command(
    client: TestClient, dataset: Dataset, run_on_pile: Path, tmp_path: Path
) -> None:
    shutil.rmtree(dataset.folder)
    shutil.copytree(run_on_pile, tmp_path, dirs_exist_ok=True)
    client.post("/api/making", json={"run": "first", "what": "labels"})
    while (now := client.get("/api/making").json())["phase"] == "running":
        time.sleep(0.05)
    assert now["phase"] == "finished", now["words"]
    assert "nothing is accepted" in now["words"]
    assert not COMMAND.search(now["words"])


@pytest.mark.parametrize("is_calibrated", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_commands_are_named_to_who_gives_them_and_none_on_the_page(
    is_calibrated: bool, run_on_pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open(shutil.copytree(run_on_pile / "runs" / "first", tmp_path / "run"), run_on_pile / "dataset")
    seen = run.open_dataset()
    if is_calibrated:
        calibrate(run, seen, folds=2)
    # As if this scan had been added since.
    fewer = replace(seen, manifest=seen.manifest[:-1])

    in_table = []

    def said() -> list[str]:
        helps = Remedies(folds=5, labels=3, target_error=0.3).words(RUN)
        grounds = replace(Grounds.of(run, seen, RUN), candidates=2)
        rule = grounds.rule(Asked(0.4, coverage=0.5))
        refusing = grounds.rule(Asked(0.001))
        in_table.append(refusing.decide(seen.pixels[:4]).reasons)
        # What is said of all rows at once is not said in each of them.
        assert all(len(reason) < len(refusing.reasons[0]) for reason in in_table[-1]) or not is_calibrated
        return [*rule.reasons, helps, *beside_pile(run, fewer, Dataset.open(seen.folder).unsplit())]

    by_command = said()
    monkeypatch.setenv(ON_PAGE, "1")
    on_page = said()
    assert len(on_page) == len(by_command)
    assert [sentence for sentence in on_page if COMMAND.search(sentence)] == []
    otherwise = [sentence for sentence, there in zip(by_command, on_page, strict=True) if sentence != there]
    assert len(otherwise) > 1
    assert all(COMMAND.search(sentence) for sentence in otherwise)
    # A table is passed on: it holds neither commands nor what the page has.
    assert in_table[0] == in_table[1]
    assert not COMMAND.search(" ".join(in_table[0]))


def test_every_share_of_wrong_labels_that_is_advised_can_be_chosen_on_the_page() -> None:
    assert max(ERRORS) >= max(TARGETS)
