"""`fewscan map`: of datasets and runs, as a page and a table."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import fewscan as package
from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.mapping.scan_map import AS_LEARNED, HIDDEN, NO_LABEL, TEST_SET, Coloring, labels_shown
from fewscan.reporting import map_page
from fewscan.reporting.map_page import _colored, _palette
from fewscan.training.run import Run
from tests.made import remade

if TYPE_CHECKING:
    import playwright.sync_api as playwright

ENCODER = "resnet_small"


def content_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', text, flags=re.DOTALL)
    return json.loads(found)


@pytest.mark.slow
def test_page_and_table_hold_the_same_scans_and_call_no_file_by_name_unless_asked(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, fewscan: Callable
) -> None:
    folder = make_dataset(40).folder
    words = ("map", folder, "--encoder", ENCODER)
    done = fewscan(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["colors"] == {"label": dict.fromkeys(("glioma", "meningioma", "no_tumor", "pituitary"), 10)}
    table, content = pd.read_csv(tmp_path / "map.csv"), content_of(tmp_path / "map.html")
    assert table["row"].tolist() == content["rows"] == list(range(40))
    assert np.allclose(table[["x", "y"]], content["xy"], atol=1e-4)
    assert content["names"] == []
    assert ".png" not in (tmp_path / "map.html").read_text(encoding="utf-8")
    refused = fewscan(*words, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert fewscan(*words, "--overwrite", "--names", cwd=tmp_path).returncode == 0
    assert content_of(tmp_path / "map.html")["names"][1] == "squares/meningioma/0001.png"
    assert fewscan(*words, "--out", "second.html", cwd=tmp_path).returncode == 0
    # Whoever has no scripts is led to the table that lies beside this page.
    assert set(re.findall(r"<code>(\S+\.csv)</code>", (tmp_path / "second.html").read_text(encoding="utf-8"))) == {"second.csv"}


@pytest.mark.slow
def test_the_page_needs_nothing_else_and_runs_no_script_but_its_own(
    make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    dataset = make_dataset(12)
    # A name that would end the data and begin a script.
    dataset = remade(dataset, dataset.manifest.assign(label=["</script><script>alert(1)</script>", "b"] * 6))
    package.map_scans(dataset.folder, encoder=ENCODER, out=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "http" not in re.sub(r"<meta http-equiv", "", text)
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    names = {value["name"] for value in content_of(tmp_path / "page.html")["colorings"][0]["values"]}
    assert names == {"</script><script>alert(1)</script>", "b"}


FILLED = """window.filled = [];
const real = CanvasRenderingContext2D.prototype.fillRect;
CanvasRenderingContext2D.prototype.fillRect = function (...box) { window.filled.push(box); return real.apply(this, box); };"""


@contextmanager
def opened_map(dataset: Snapshot, browser: "playwright.Browser", out: Path, script: str = "") -> Iterator["playwright.Page"]:
    """Write the map of a dataset and open its page; script: what runs before the page's own."""
    package.map_scans(dataset.folder, encoder=ENCODER, out=out)
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(script)
        page.goto(out.as_uri())
        yield page


@pytest.mark.slow
def test_no_picture_is_cut_off_at_an_edge_of_the_whole_map_however_wide_it_is(
    make_dataset: Callable[..., Snapshot], launched: "playwright.Browser", tmp_path: Path
) -> None:
    with opened_map(make_dataset(12), launched, tmp_path / "page.html", FILLED) as page:
        page.click("#pictures")
        for width in range(400, 880, 10):
            page.evaluate("() => { window.filled = []; }")
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("() => window.filled.length > 0")
            side = page.evaluate("() => document.getElementById('map').clientWidth")
            boxes = page.evaluate("() => window.filled")
            assert min(min(left, top) for left, top, _, _ in boxes) >= 0
            assert max(max(left + wide, top + high) for left, top, wide, high in boxes) <= side


@pytest.mark.slow
def test_on_paper_the_map_has_its_legend_and_nothing_to_press(
    make_dataset: Callable[..., Snapshot], launched: "playwright.Browser", tmp_path: Path
) -> None:
    with opened_map(make_dataset(12), launched, tmp_path / "page.html") as page:
        shown = {name: page.is_visible(name) for name in ("#map", "#legend", "#pictures", "#scan")}
        page.emulate_media(media="print")
        assert {name: page.is_visible(name) for name in shown} == shown | {"#pictures": False, "#scan": False}


@pytest.mark.slow
def test_a_scan_of_the_map_is_called_by_its_number_as_all_pages_do(
    make_dataset: Callable[..., Snapshot], launched: "playwright.Browser", tmp_path: Path
) -> None:
    with opened_map(make_dataset(12), launched, tmp_path / "page.html") as page:
        page.evaluate("() => tell(7)")
        assert page.inner_text("#scan p >> nth=0") == f"scan {content_of(tmp_path / 'page.html')['rows'][7]}"


@pytest.mark.slow
def test_labels_of_the_test_set_and_those_that_the_split_hides_are_not_shown(split_dataset: Snapshot, tmp_path: Path) -> None:
    found = package.map_scans(split_dataset.folder, out=tmp_path / "map.html", encoder=ENCODER)
    looks = [(value["color"], value["mark"]) for value in content_of(tmp_path / "map.html")["colorings"][0]["values"]]
    assert len(set(looks)) == len(looks) > len(split_dataset.classes)
    (labels,) = (np.array(one.values) for one in found.colorings if one.name == "label")
    assert (labels[split_dataset.rows("test")] == TEST_SET).all()
    assert (labels[split_dataset.rows("unlabeled")] == HIDDEN).all()
    taught = split_dataset.rows("labeled", "validation")
    assert labels[taught].tolist() == split_dataset.manifest["label"].iloc[taught].tolist()
    (parts,) = (np.array(one.values) for one in found.colorings if one.name == "part of the split")
    assert (parts[split_dataset.rows("test")] == "test").all()


def test_labels_of_copies_of_test_scans_are_not_shown_either(
    make_dataset: Callable[..., Snapshot], untrained_run: Callable[[Snapshot], Run]
) -> None:
    # Each scan has a copy, five rows on, with the same label.
    copies = [row if row % 10 < 5 else row - 5 for row in range(60)]
    labels = pd.Series([f"class {copy % 2}" for copy in copies], dtype="str")
    made = make_dataset(60, groups=copies)
    folder = remade(made, made.manifest.assign(label=labels)).folder
    dataset = api.split(folder, labeled=10, test=8, validation=0)
    tested = np.isin(dataset.groups, dataset.groups[dataset.rows("test")])
    assert tested.sum() == 16
    run = untrained_run(dataset)
    api.split(folder, labeled=10, test=8, validation=0, seed=5, name="second")
    whole = Dataset.open(folder)
    for seen, name in ((None, whole.splits[0]), (run.seen_in(whole), "second")):
        assert (labels_shown(whole, seen, name)[tested] == TEST_SET).all()


@pytest.mark.slow
def test_the_parts_of_a_run_are_those_of_its_own_split_however_many_were_drawn_since(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    api.split(split_dataset.folder, name="second", labeled=12, test=8, validation=0, seed=3)

    def tested(**asked: str) -> set[int]:
        found = package.map_scans(run, **asked)
        (parts,) = (np.array(one.values) for one in found.colorings if one.name.startswith("part of the"))
        return set(found.rows[parts == "test"].tolist())

    own = set(split_dataset.rows("test").tolist())
    assert tested() == own
    second = set(Dataset.open(split_dataset.folder).snapshot("second").rows("test").tolist())
    assert tested(split="second") == second != own


@pytest.mark.slow
def test_a_dataset_without_labels_has_a_map_and_what_is_set_aside_is_not_on_it(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = make_dataset(16)
    aside = pd.Series([None] * 15 + ["too dark"], dtype="str")
    dataset = remade(dataset, dataset.manifest.assign(label=None, set_aside=aside))
    found = package.map_scans(dataset.folder, encoder=ENCODER)
    assert found.rows.tolist() == list(range(15))
    assert [one.name for one in found.colorings] == ["label"]
    assert set(found.colorings[0].values) == {NO_LABEL}


@pytest.mark.slow
def test_a_run_adds_what_it_predicts_whether_that_is_the_label_and_what_it_decides(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    found = package.map_scans(run)
    said = {one.name: np.array(one.values) for one in found.colorings}
    by_run = package.open_run(run.folder).predict(list(split_dataset.pixels[:, 0])).table["label"].to_numpy()
    if "predicted class" in said:  # an untrained network may call all scans the same
        assert said["predicted class"].tolist() == by_run.tolist()
    known = split_dataset.rows("labeled", "validation")
    right = by_run[known] == split_dataset.manifest["label"].iloc[known]
    # Of what it has learned from a run is right too easily to count with the others.
    as_labeled = np.where(np.isin(known, split_dataset.rows("labeled")), AS_LEARNED, "as labeled")
    assert (said["predicted as labeled"][known] == np.where(right, as_labeled, "not as labeled")).all()
    others = np.setdiff1d(found.rows, known)
    assert (said["predicted as labeled"][others] == "label not known").all()


@pytest.mark.slow
def test_of_many_scans_the_page_shows_some_and_the_table_has_all(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_page, "MOST_SCANS", 10)
    package.map_scans(make_dataset(24).folder, encoder=ENCODER, out=tmp_path / "map.html")
    assert len(content_of(tmp_path / "map.html")["rows"]) == 10
    assert len(pd.read_csv(tmp_path / "map.csv")) == 24
    assert "shows 10 of them" in (tmp_path / "map.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_is_no_page_is_refused(make_dataset: Callable[..., Snapshot], tmp_path: Path, fewscan: Callable) -> None:
    refused = fewscan("map", make_dataset(8).folder, "--encoder", ENCODER, "--out", tmp_path / "map.png")
    assert refused.returncode == 2
    assert ".html" in refused.stderr


def test_another_dataset_than_the_runs_gets_no_features(
    split_dataset: Snapshot,
    make_dataset: Callable[..., Snapshot],
    untrained_run: Callable[[Snapshot], Run],
    tmp_path: Path,
) -> None:
    run = untrained_run(split_dataset)
    other = make_dataset(len(split_dataset.manifest) - 8).folder
    before = sorted(other.rglob("*"))
    with pytest.raises(FewscanError, match="--data"):
        package.map_scans(run, data=other, out=tmp_path / "map.html")
    assert sorted(other.rglob("*")) == before


def test_a_class_has_one_color_by_label_and_by_prediction() -> None:
    labels = Coloring("label", ["b", "b", "a", NO_LABEL, TEST_SET], (NO_LABEL, TEST_SET))
    called = Coloring("predicted class", ["a", "a", "a", "b", "a"])
    by_label, by_call = (
        {value["name"]: value for value in _colored(one, np.arange(5), ("a", "b", "c"))["values"]} for one in (labels, called)
    )
    assert {name: value["color"] for name, value in by_call.items()} == {name: by_label[name]["color"] for name in ("a", "b")}
    assert by_label["a"]["color"] != by_label["b"]["color"]
    assert by_label[NO_LABEL]["mark"] != by_label[TEST_SET]["mark"]


def test_of_very_many_classes_each_has_a_color_of_its_own() -> None:
    for count in (3, 40):
        colors = _palette(count)
        assert len(set(colors)) == count
        assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
