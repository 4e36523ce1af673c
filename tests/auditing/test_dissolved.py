"""What people have dissolved stays dissolved after an audit of all and after an addition, and every output says by whom."""

import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

import fewscan
from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset

SIZE_PX = 48


def texture(seed: int) -> np.ndarray:
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE_PX, SIZE_PX)), 2.5)
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(folder / name)


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """Six images; row 1 is row 0 with another contrast, row 2 is row 0 again, row 5 is row 4 with another contrast."""
    first, last = texture(0), texture(9)
    images = [first, (20 + 0.7 * first).astype(np.uint8), first, texture(3), last, (20 + 0.7 * last).astype(np.uint8)]
    for row, pixels in enumerate(images):
        save(tmp_path / "scans", f"{row}.png", pixels)
    fewscan.import_scans(tmp_path / "scans", tmp_path / "data", size_px=SIZE_PX)
    fewscan.audit(tmp_path / "data")
    return tmp_path / "data"


def sets_of(folder: Path) -> list[set[int]]:
    sets = Dataset.open(folder).snapshot().manifest["copy_set"].dropna()
    return [set(rows) for rows in sets.groupby(sets).groups.values() if len(rows) > 1]


def fewscan_says(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_a_dissolved_pair_stays_so_whatever_is_audited_and_added(audited: Path, tmp_path: Path) -> None:
    assert sets_of(audited) == [{0, 1, 2}, {4, 5}]
    result, words = fewscan.judge_pair(audited, 0, "1.png", "apart", who="Ada")
    assert "two groups" in words[0]
    assert sets_of(audited) == [{0, 2}, {4, 5}]
    again = fewscan.audit(audited, overwrite=True)
    save(tmp_path / "scans", "6.png", texture(7))
    fewscan.add_scans(audited, tmp_path / "scans")
    assert sets_of(audited) == [{0, 2}, {4, 5}]
    for one in (result, again):
        assert [(gone.row_a, gone.row_b, gone.who) for gone in one.dissolved] == [(0, 1, "Ada")]
        assert [(pair.row_a, pair.row_b) for pair in one.pairs] == [(0, 2), (4, 5)]
        assert any("Ada (1)" in line for line in one.lines())
    told = json.loads((audited / "audit.json").read_text())
    assert told["counts"]["pairs_dissolved"] == 1
    assert told["dissolved"][0] | {"time": ""} == {
        "row_a": 0, "row_b": 1, "kind": "near", "similarity": told["dissolved"][0]["similarity"], "mirrored": False,
        "turned": 0, "inverted": False,
        "who": "Ada", "time": "",
    }  # fmt: skip
    assert "dissolved by Ada" in " ".join((audited / "audit.html").read_text().split())
    fewscan.judge_pair(audited, 0, 1, "open")
    assert sets_of(audited) == [{0, 1, 2}, {4, 5}]
    assert "dissolved by" not in (audited / "audit.html").read_text()


@pytest.mark.slow
def test_pairs_are_dissolved_and_listed_from_a_shell(audited: Path) -> None:
    assert "two groups" in fewscan_says("pairs", "dissolve", audited, 4, 5, "--who", "Grace")
    listed = json.loads(fewscan_says("pairs", "list", audited, "--dissolved", "--json"))["pairs"]
    assert [(one["row_a"], one["row_b"], one["who"]) for one in listed] == [(4, 5, "Grace")]
    assert re.search("4 and 5: similarity.*dissolved by Grace", fewscan_says("pairs", "list", audited))
    assert "scans/4.png" in fewscan_says("pairs", "list", audited, "--all")
    assert "already" in fewscan_says("pairs", "dissolve", audited, 5, 4)
    assert len(Dataset.open(audited).pair_decisions.entries()) == 1
    assert "Grace (1)" in fewscan_says("audit", audited, "--overwrite")
    fewscan_says("pairs", "undo", audited, 4)
    assert sets_of(audited) == [{0, 1, 2}, {4, 5}]
    done = CliRunner().invoke(app, ["pairs", "dissolve", str(audited), "0", "2"])
    assert done.exit_code != 0
    assert "same pixels" in str(done.exception)
