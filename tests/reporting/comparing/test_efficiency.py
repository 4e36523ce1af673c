"""What table, figure and page say of comparisons with several budgets, against the runs' own files."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fewscan.comparison.budgets import LabelEfficiency, begin_budgets, collect_budgets
from fewscan.comparison.planning import make_plan
from fewscan.comparison.results import Pair, Results
from fewscan.comparison.trials import run_trials
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.intervals import Interval
from fewscan.reporting.comparing.curves import method_looks
from fewscan.reporting.comparing.efficiency import commands, write_efficiency
from fewscan.reporting.comparing.efficiency_figure import _prepare, draw_efficiency
from fewscan.reporting.comparing.sentences import efficiency_headline as headline
from fewscan.reporting.comparing.tables import bounds
from tests.made import remade
from tests.plain_pages import plain

pytestmark = pytest.mark.usefixtures("all_painted")

Once = Callable[[str, Callable[[Path], object]], Path]
CHANGES = {"epochs": 1, "batch_size": 20, "encoder": {"dense_units": 16}}
SCORES = ("accuracy", "balanced_accuracy", "auroc")


class Page(HTMLParser):
    """The text of a page, its links and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self._words: list[str] = []
        self.feed(plain(html[html.index("<body") :]))
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self._words.append(data)


@pytest.fixture(scope="session")
def trained(once: Once, make_dataset: Callable[..., Snapshot]) -> Path:
    """Two budgets of three methods and two seeds, of which simclr was not run with the smaller one; each test copies them."""
    dataset = make_dataset()
    private = [f"Private_{row}" for row in range(80)]
    manifest = dataset.manifest.assign(patient=private, path=[f"{name}.png" for name in private])
    dataset = remade(dataset, manifest)

    def train(folder: Path) -> None:
        plans = [
            make_plan(
                dataset,
                methods=methods,
                seeds=[0, 1],
                protocols=["leakfree"],
                recipe="study",
                changes=CHANGES,
                labeled=labels,
                test=24,
                validation=0.25,
            )
            for labels, methods in ((32, ["supervised", "simclr", "joint"]), (8, ["supervised", "joint"]))
        ]
        for comparison in begin_budgets(folder, plans):
            assert run_trials(comparison) == {}

    return once("two_budgets", train)


@pytest.fixture
def efficiency(trained: Path, tmp_path: Path) -> LabelEfficiency:
    return collect_budgets(Path(shutil.copytree(trained, tmp_path / "<b>odd & name")))


def evaluations(efficiency: LabelEfficiency, labels: int, method: str) -> list[dict[str, Any]]:
    folder = efficiency.folder / f"labels-{labels}" / "runs" / "leakfree"
    return [json.loads((folder / f"{method}-seed{seed}" / "evaluation.json").read_text()) for seed in (0, 1)]


def made_up(efficiency: LabelEfficiency, budgets: dict[int, dict[str, tuple[float, float | None]]]) -> LabelEfficiency:
    """The same runs with other numbers: by budget and method the accuracy, and the corrected p against `supervised`."""
    results = {}
    for (labels, numbers), template in zip(budgets.items(), efficiency.results.values(), strict=False):
        rows = []
        for row in efficiency.results[32].rows:
            runs = [
                replace(
                    run,
                    evaluation=run.evaluation.model_copy(
                        update={"accuracy": Interval(value=numbers[row.method][0], low=None, high=None)}
                    ),
                )
                for run in row.runs
                if row.method in numbers
            ]
            rows.append(replace(row, runs=tuple(runs)))
        pairs = [
            Pair("leakfree", "supervised", method, 2, 24, 100 * (numbers["supervised"][0] - accuracy), p, p)
            for method, (accuracy, p) in numbers.items()
            if p is not None
        ]
        results[labels] = replace(template, rows=tuple(rows), pairs=tuple(pairs))
    return LabelEfficiency(efficiency.folder, results)


@pytest.mark.slow
def test_table_figure_and_page_of_real_runs(efficiency: LabelEfficiency) -> None:
    (efficiency.folder / "label_efficiency.html").write_text("old", encoding="utf-8")
    path = write_efficiency(efficiency)
    assert path == efficiency.folder / "label_efficiency.html"

    # Budgets that were planned in another way have a command of their own.
    words = [shlex.split(command) for command in commands(efficiency)]
    asked = [(each[each.index("--methods") + 1], each[each.index("--labels-budget") + 1]) for each in words]
    assert asked == [("supervised,simclr,joint", "32"), ("supervised,joint", "8")]
    assert all("--labeled" not in each and each[-1] == "encoder.dense_units=16" for each in words)
    (command,) = commands(replace(efficiency, results=dict.fromkeys((32, 8), efficiency.results[32])))
    assert "--labels-budget 32,8 " in command

    table = pd.read_csv(efficiency.folder / "label_efficiency.csv", dtype=str, keep_default_na=False)
    assert list(zip(table["labels"], table["method"], table["runs"], strict=True)) == [
        (labels, method, "0" if (labels, method) == ("8", "simclr") else "2")
        for labels in ("32", "8")
        for method in ("supervised", "simclr", "joint")
    ]
    for _, line in table.iterrows():
        if line["runs"] == "0":
            assert set(line.drop(["protocol", "labels", "method", "runs", "ranked_by", "baseline"])) == {"not run"}
            continue
        found = evaluations(efficiency, int(line["labels"]), line["method"])
        for score in SCORES:
            values = [100 * evaluation[score]["value"] for evaluation in found]
            assert float(line[f"{score}_percent_mean"]) == pytest.approx(mean(values), abs=0.0051)
            assert float(line[f"{score}_percent_sd"]) == pytest.approx(stdev(values), abs=0.0051)
        if line["method"] == "supervised":
            assert line["less_baseline_points"] == line["corrected_p_value"] == line["verdict"] == ""
            continue
        of_supervised = evaluations(efficiency, int(line["labels"]), "supervised")
        difference = 100 * mean(
            a["accuracy"]["value"] - b["accuracy"]["value"] for a, b in zip(found, of_supervised, strict=True)
        )
        assert float(line["less_baseline_points"]) == pytest.approx(difference, abs=0.0051)
        pairs = efficiency.results[int(line["labels"])].pair("leakfree", line["method"], "supervised")
        assert pairs is not None
        assert line["corrected_p_value"] == f"{pairs.corrected_p_value:.4f}"
        assert line["verdict"] == ("statistically significant" if pairs.significant else "not statistically significant")

    with Image.open(efficiency.folder / "label_efficiency.png") as picture:
        assert picture.width == 1100

    html = path.read_text(encoding="utf-8")
    page = Page(html)
    (sentence,) = headline(efficiency)
    assert page.text.startswith(f"Label efficiency on dataset '{Path(efficiency.plans[0].dataset).name}' {sentence}")
    assert "<b>odd" not in html
    assert "&lt;b&gt;odd &amp; name" in html
    assert page.links == ["labels-32/comparison.html", "labels-8/comparison.html"]
    assert "Research use only. Not a medical device." in page.text
    assert all(command in page.text for command in commands(efficiency))
    assert table["accuracy_percent_mean"].iloc[0] in page.text
    assert not {"script", "link", "iframe", "object", "b"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", html)
    assert "Private" not in html
    assert str(efficiency.folder.parent) not in html


@pytest.mark.slow
def test_every_budget_is_held_against_one_baseline(efficiency: LabelEfficiency) -> None:
    """A budget that was added with another --baseline stands in the same columns as the others."""

    def naming(results: Results, baseline: str) -> Results:
        plan = results.comparison.plan.model_copy(update={"named_baseline": baseline})
        return replace(results, comparison=replace(results.comparison, plan=plan))

    mixed = replace(efficiency, results={**efficiency.results, 8: naming(efficiency.results[8], "joint")})
    assert mixed.baseline == "supervised"
    assert mixed.point(8, "leakfree", "supervised").against_baseline is None
    pair = mixed.point(8, "leakfree", "joint").against_baseline
    assert pair is not None
    assert pair == efficiency.results[8].pair("leakfree", "joint", "supervised")
    write_efficiency(mixed)
    table = pd.read_csv(mixed.folder / "label_efficiency.csv", dtype=str, keep_default_na=False)
    differences = table[table["labels"] == "8"].set_index("method")["less_baseline_points"]
    assert set(table["baseline"]) == {"supervised"}
    assert differences["supervised"] == ""
    assert float(differences["joint"]) == pytest.approx(pair.difference, abs=0.0051)

    # Asked for alike, but for the baseline: one command would not make both.
    larger = efficiency.results[32]
    first, second = commands(replace(efficiency, results={32: larger, 8: naming(larger, "joint")}))
    assert "--labels-budget 32 " in first
    assert "--baseline" not in first
    assert "--labels-budget 8 " in second
    assert "--baseline joint " in second


@pytest.mark.slow
def test_the_figure_draws_the_means_and_deviations_of_the_runs(efficiency: LabelEfficiency) -> None:
    figure = draw_efficiency(efficiency)
    panels = figure.findobj(lambda part: hasattr(part, "get_xscale"))
    assert [axes.get_title() for axes in panels] == ["accuracy", "balanced accuracy", "AUROC, mean of classes"]
    for axes, score in zip(panels, SCORES, strict=True):
        assert axes.get_xscale() == "log"
        assert [int(tick) for tick in axes.get_xticks()] == [32, 8]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["32", "8"]
        for method, budgets in (("supervised", [32, 8]), ("simclr", [32]), ("joint", [32, 8])):
            look = method_looks(())[method]
            (container,) = [each for each in axes.containers if each.lines[0].get_color() == look.color]
            line, _, (bars,) = container.lines
            assert line.get_marker() == look.marker
            # Curves stand a little apart, much less than budgets do.
            assert line.get_xdata() == pytest.approx(budgets, rel=0.05)
            values = [[100 * each[score]["value"] for each in evaluations(efficiency, n, method)] for n in budgets]
            assert line.get_ydata() == pytest.approx([mean(of_seeds) for of_seeds in values])
            lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
            assert lengths == pytest.approx([2 * stdev(of_seeds) for of_seeds in values])
    (legend,) = figure.findobj(lambda part: type(part).__name__ == "Legend")
    assert [text.get_text() for text in legend.get_texts()] == ["supervised", "simclr", "joint"]


@pytest.mark.slow
def test_the_first_sentence_says_which_method_is_best_and_whether_with_significance(efficiency: LabelEfficiency) -> None:
    below, above = 0.01, 0.5
    cases: list[tuple[dict[int, dict[str, tuple[float, float | None]]], list[str]]] = [
        (
            {
                1235: {"supervised": (0.5, None), "joint": (0.75, below)},
                40: {"supervised": (0.25, None), "joint": (0.5, below)},
            },
            ["joint has", "1,235 and 40 labels", "beats the baseline supervised with statistical significance"],
        ),
        (
            {
                1235: {"supervised": (0.5, None), "joint": (0.625, above), "simclr": (0.25, below)},
                40: {"supervised": (0.5, None), "joint": (0.25, below)},
            },
            ["joint has", "1,235 labels", "does not beat the baseline supervised", "supervised has", "40 labels"],
        ),
        (
            {
                1235: {"supervised": (0.5, None), "joint": (0.75, below), "simclr": (0.75, below)},
                40: {"supervised": (0.75, None), "joint": (0.75, above)},
            },
            ["simclr and joint share", "1,235 labels", "beat the baseline supervised", "supervised and joint share", "40"],
        ),
        (
            {1235: {"joint": (0.75, None), "simclr": (0.5, None)}, 40: {"joint": (0.5, None)}},
            ["joint has", "1,235 labels", "the baseline supervised is not known", "only joint was run", "40 labels"],
        ),
        ({1235: {}, 40: {}}, ["nothing was run", "1,235 and 40 labels"]),
    ]
    for budgets, said in cases:
        (sentence,) = headline(made_up(efficiency, budgets))
        assert re.search(".*".join(said), sentence)
        assert "leakfree" not in sentence


@pytest.mark.slow
def test_with_every_budget_methods_are_ranked_as_with_the_largest(efficiency: LabelEfficiency) -> None:
    for labels, named in ((32, "balanced_accuracy"), (8, None)):
        path = efficiency.folder / f"labels-{labels}" / "plan.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"named_score": named}))
    again = collect_budgets(efficiency.folder)
    assert {results.ranked_by for results in again.results.values()} == {"balanced_accuracy"}
    assert "highest mean balanced accuracy" in headline(again)[0]
    assert all("--rank-by balanced_accuracy" in command for command in commands(again))
    means = [point.row.cell("balanced_accuracy").mean for point in again.points_of(8, "leakfree") if point.row.runs]
    places = [point.standing.place for point in again.points_of(8, "leakfree") if point.row.runs]
    assert places == [1 + sum(other > mean for other in means) for mean in means]


def test_budgets_that_lie_close_have_their_numbers_upright() -> None:
    for budgets, turned in (((100, 1000, 10_000), 0), ((100, 110, 10_000), 90)):
        axes = Figure().subplots()
        _prepare(axes, budgets)
        assert {label.get_rotation() for label in axes.get_xticklabels()} == {turned}


def test_a_score_that_is_not_defined_has_no_bounds() -> None:
    assert len(set(bounds(Interval(value=None, low=None, high=None)))) == 1
    assert len(set(bounds(Interval(value=0.5, low=0.4, high=0.6)))) == 2


def test_a_row_that_is_more_than_a_method_looks_like_none_that_is_there() -> None:
    rows = ("supervised", "propagation", "simclr+propagation", "supervised@finetune")
    looks = method_looks(rows)
    assert len({looks[name].color for name in rows}) == len(rows)
    assert all(looks[name] == method_looks(())[name] for name in rows[:2])
