"""Numbers in the documents are those of the committed tables."""

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import typer
from scipy.stats import norm
from scipy.stats import t as student

from benchmarks.gpu.table import ADAPTED, ADAPTED_PROPAGATION, FINETUNED, heads_table, hits, study_pairs, study_table, table
from fewscan.cli.app import app
from fewscan.comparison.significance import seeds_p_value
from fewscan.evaluation.intervals import Interval
from fewscan.training.choice import (
    ADAPTED_WORTH,
    FEATURES_WORTH,
    FEATURES_WORTH_ON_CPU,
    PRETRAINED_WORTH,
    SOLVED_WORTH,
    WORTH,
)

DOCS = Path(__file__).parents[1] / "docs"
# In a cell whose method was not run with so many labels.
NOT_MEASURED = "not measured"
DECIMALS = re.compile(r"\d+\.\d+")


def committed(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_number_of_the_results_is_missing_from_the_committed_tables() -> None:
    tables = sorted((DOCS / "results").glob("*/*.csv"))
    assert {path.name for path in tables} >= {"comparison.csv", "table1.csv", "table2.csv", "pairs.csv"}
    known: set[str] = set()
    for path in tables:
        for row in committed(path):
            known |= {cell.lstrip("-") for cell in row.values()}
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    found = DECIMALS.findall(prose)
    assert len(found) > 50
    assert [number for number in found if number not in known] == []


def test_the_table_of_label_efficiency_is_the_committed_one() -> None:
    accuracy = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    rows = committed(DOCS / "results" / "label_efficiency.csv")
    assert {row["labels"] for row in rows} == {"1235", "124", "40"}
    for row in rows:
        scores = [
            f"{float(row[f'{score}_percent_mean']):.2f} ± {float(row[f'{score}_percent_sd']):.2f}"
            for score in ("accuracy", "balanced_accuracy", "auroc")
        ]
        line = " | ".join([f"{int(row['labels']):,}", f"`{row['method']}`", row["runs"], *scores])
        assert f"| {line} |" in accuracy
        if row["less_supervised_points"]:
            assert f"{float(row['less_supervised_points']):+.2f} ({row['verdict']}, p = {row['corrected_p_value']})" in accuracy
        # What learning from all scans first is worth before `propagation`, several draws of labels say: the next test.
        if row["less_supervised_points"] and row["method"] != ADAPTED_PROPAGATION:
            # `fewscan train` says it in words when it chooses the method by itself.
            sure = row["verdict"] == "statistically significant"
            said = {ADAPTED: ADAPTED_WORTH, FINETUNED: PRETRAINED_WORTH, "propagation": SOLVED_WORTH}.get(row["method"], WORTH)
            worth, _, no_clear_gain = said.partition("no clear gain")
            assert f"{int(row['labels']):,}" in (worth if sure else no_clear_gain)
            points = round(float(row["less_supervised_points"]))
            assert not sure or f"{abs(points)} points" in worth
            assert not sure or points >= 0 or f"points less with {int(row['labels']):,}" in worth


def test_readmes_table_is_the_one_of_label_efficiency_in_short() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    # Rounded once: what the table of two decimals says would be rounded twice.
    on_all, alone = (
        {
            (row["labels"], row["method"]): row["accuracy_percent"]
            for row in committed(DOCS / "results" / "gpu" / "heads_table.csv")
            if row["learned_from"] == learned_from
        }
        for learned_from in ("all", "no slice of the head")
    )
    cells: dict[str, dict[str, str]] = {}
    for row in committed(DOCS / "results" / "label_efficiency.csv"):
        score = f"{on_all[row['labels'], row['method']]} ± {float(row['accuracy_percent_sd']):.1f}"
        above = row["verdict"] == "statistically significant" and float(row["less_supervised_points"]) > 0
        shown = f"**{score}**" if above else score
        cells.setdefault(row["method"], {})[row["labels"]] = f"{shown} ({alone[row['labels'], row['method']]})"
    lines = readme.splitlines()
    assert len(cells) == 6
    for method, of_method in cells.items():
        (line,) = (line for line in lines if line.startswith(f"| `{method}` |"))
        assert line.endswith(
            " | ".join(["", *(of_method.get(labels, NOT_MEASURED) for labels in ("1235", "124", "40"))]) + " |"
        )


def test_what_is_said_of_learning_from_all_scans_first_follows_from_the_draws_that_are_committed() -> None:
    draws, on_gpu = (pd.read_csv(DOCS / "results" / f"propagation_test{of}.csv") for of in ("_changed", ""))
    means, gpu_means = (
        each.groupby(["labels_are", "encoder", "labels"])["propagation_percent"].mean() for each in (draws, on_gpu)
    )
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    ways = [(way, encoder) for way in ("drawn", "suggested") for encoder in ("imagenet", "simclr on a CPU")]
    for labels in (40, 124, 320):
        assert f"| {labels} | {' | '.join(f'{means[(*way, labels)]:.1f}' for way in ways)} |" in readme
    for labels in (40, 124):
        points = round(gpu_means["drawn", "simclr_groups", labels] - gpu_means["drawn", "imagenet", labels])
        assert re.search(rf"\b{points}( points of accuracy)? with {labels}\b", FEATURES_WORTH)


def test_what_is_said_of_the_same_on_a_cpu_follows_from_its_draws() -> None:
    draws = pd.read_csv(DOCS / "results" / "encoders_on_cpu.csv").query("score == 'test'")
    means = draws.pivot_table("propagation_percent", ["labels_are", "labels"], "candidate")
    gained = means["96 px, 80,000 images, four parts frozen"] - means["imagenet"]
    for labels in (40, 124):
        assert re.search(rf"\b{round(gained['drawn', labels])}( points of accuracy)? with {labels}\b", FEATURES_WORTH_ON_CPU)
    guide = (DOCS / "guide.md").read_text(encoding="utf-8")
    assert f"{round(gained['suggested', 40])} where `suggest` asked" in " ".join(guide.split())


@pytest.mark.slow
def test_the_table_of_label_efficiency_follows_from_each_prediction_that_is_committed(tmp_path: Path) -> None:
    table(DOCS / "results" / "gpu").to_csv(tmp_path / "table.csv", index=False)
    assert committed(tmp_path / "table.csv") == committed(DOCS / "results" / "label_efficiency.csv")
    study_table(DOCS / "results" / "gpu").to_csv(tmp_path / "study.csv", index=False)
    assert committed(tmp_path / "study.csv") == committed(DOCS / "results" / "gpu" / "study_table.csv")
    study_pairs(DOCS / "results" / "gpu").to_csv(tmp_path / "pairs.csv", index=False)
    assert committed(tmp_path / "pairs.csv") == committed(DOCS / "results" / "gpu" / "study_pairs.csv")


def test_what_is_said_of_heads_follows_from_each_prediction_that_is_committed(tmp_path: Path) -> None:
    heads_table(DOCS / "results" / "gpu").to_csv(tmp_path / "heads.csv", index=False)
    rows = committed(tmp_path / "heads.csv")
    assert rows == committed(DOCS / "results" / "gpu" / "heads_table.csv")
    accuracy = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    scores: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        of_methods = scores.setdefault((row["learned_from"], row["labels"]), {})
        of_methods[row["method"]] = f"{row['accuracy_percent']} ({row['balanced_percent']})"
    methods = ("supervised", "mixmatch", "propagation", ADAPTED_PROPAGATION, FINETUNED, ADAPTED)
    for (_, labels), of_methods in scores.items():
        assert of_methods.keys() <= set(methods)
        cells = [of_methods.get(method, NOT_MEASURED) for method in methods]
        assert f"| {int(labels):,} | {' | '.join(cells)} |" in accuracy


def test_what_is_said_of_imagenets_weights_follows_from_each_prediction_that_is_committed() -> None:
    found = pd.read_csv(DOCS / "results" / "finetuned_128" / "finetuned.csv")
    known = pd.read_csv(DOCS / "results" / "gpu" / "test_images.csv").set_index("row")["head_in_training"]
    accuracy = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    found = found.assign(right=100.0 * (found["label"] == found["predicted"]), alone=~found["row"].map(known))
    alone = found[found["alone"]]
    assert (found["seed"].nunique(), alone["row"].nunique()) == (1, 93)
    for labels in (1235, 124, 40):
        of_all, of_alone = (each[each["labels"] == labels] for each in (found, alone))
        score, alone_score = (
            f"{each['right'].mean():.1f} ({each.groupby('label')['right'].mean().mean():.1f})" for each in (of_all, of_alone)
        )
        begins = re.compile(rf"\| {labels:,} \| \d+: \*\*missed\*\* \| [\d.]+ \(")
        (line,) = (line for line in accuracy.splitlines() if begins.match(line))
        assert line.split(" | ")[2] == score
        assert line.split(" | ")[4] == alone_score


def test_what_is_said_of_unlabeled_scans_and_imagenets_weights_follows_from_each_prediction_that_is_committed() -> None:
    gpu, text = DOCS / "results" / "gpu", (DOCS / "accuracy.md").read_text(encoding="utf-8")
    scratch = pd.concat([pd.read_csv(gpu / f"{part}.csv") for part in ("efficiency", "efficiency_later")])
    adapted = pd.read_csv(gpu / "adapted.csv")
    groups = scratch.drop_duplicates("row").set_index("row")["group"]
    for labels in (1235, 124, 40):
        ours, theirs = hits(adapted, labels, "supervised"), hits(scratch, labels, "mixmatch")
        assert len(ours) == len(theirs) == 5
        p_value = seeds_p_value(ours.to_numpy(), theirs.to_numpy(), groups.loc[ours.columns].to_numpy())
        (line,) = (line for line in text.splitlines() if re.match(rf"\| {labels:,} \| \d+: \*\*missed\*\* \| [\d.]+ ±", line))
        _, _, _, score, above, _ = (cell.strip() for cell in line.split("|"))
        by_seed = 100 * ours.mean(axis=1)
        assert score == f"{by_seed.mean():.1f} ± {by_seed.std(ddof=1):.1f}"
        assert float(above.split(" ")[0]) == round(by_seed.mean() - 100 * theirs.mean(axis=None), 1)
        assert float(DECIMALS.findall(above)[-1]) == pytest.approx(p_value, rel=0.2)
        assert ("not statistically significant" in above) == (p_value >= 0.05)
    alone, first = hits(pd.read_csv(gpu / "finetuned.csv"), 124, "supervised"), hits(adapted, 124, "supervised")
    p_value = seeds_p_value(first.to_numpy(), alone.to_numpy(), groups.loc[first.columns].to_numpy())
    points, spread = 100 * alone.mean(axis=None), 100 * alone.mean(axis=1).std(ddof=1)
    assert f"{points:.1f} ± {spread:.1f}, {100 * first.mean(axis=None) - points:.1f} points less (p = {p_value:.2f};" in text


def test_what_is_said_of_a_classifier_in_seconds_follows_from_each_prediction_that_is_committed() -> None:
    gpu, text = DOCS / "results" / "gpu", (DOCS / "accuracy.md").read_text(encoding="utf-8")
    adapted = pd.read_csv(gpu / "adapted.csv")
    groups = adapted.drop_duplicates("row").set_index("row")["group"]
    for part, method in (("propagated", "propagation"), ("probed", "probe")):
        solved = pd.read_csv(gpu / f"{part}.csv")
        for labels in (1235, 124, 40):
            ours, theirs = hits(solved, labels, method), hits(adapted, labels, "supervised")
            points = 100 * (ours.mean(axis=None) - theirs.mean(axis=None))
            p_value = seeds_p_value(ours.to_numpy(), theirs[ours.columns].to_numpy(), groups.loc[ours.columns].to_numpy())
            side = "above" if points > 0 else "below"
            # No other figure stands between these points and their p-value.
            found = re.search(rf"{abs(points):.1f} points {side}[^(.]*\swith {labels:,} \(p = ([\d.]+)\)", text)
            assert found is not None
            assert float(found[1]) == pytest.approx(p_value, rel=0.2)


def test_p_values_of_the_earlier_table_are_bounds_for_other_seeds_from_the_committed_numbers() -> None:
    rows = committed(DOCS / "results" / "label_efficiency_earlier.csv")
    baseline = {row["labels"]: row for row in rows if row["method"] == "supervised"}
    for row in (row for row in rows if row.get("same_networks_p_value")):
        difference, p_value = abs(float(row["less_supervised_points"])), float(row["same_networks_p_value"])
        of_images = (difference / norm.isf(p_value / 2)) ** 2
        of_seeds = [float(each["accuracy_percent_sd"]) ** 2 / int(each["runs"]) for each in (row, baseline[row["labels"]])]
        variance = of_images + sum(of_seeds)
        freedom = variance**2 / sum(part**2 / (int(row["runs"]) - 1) for part in of_seeds)
        assert float(row["corrected_p_value"]) == pytest.approx(2 * student.sf(difference / variance**0.5, freedom), abs=1e-4)
        assert row["verdict"] == f"{'' if float(row['corrected_p_value']) < 0.05 else 'not '}statistically significant"


def test_single_runs_are_the_committed_ones() -> None:
    text = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    rows = committed(DOCS / "results" / "label_efficiency_longer.csv")
    columns = list(dict.fromkeys((row["method"], row["commit"]) for row in rows))
    head = "| labels | " + " | ".join(f"`{method}`, {commit}" for method, commit in columns) + " |"
    assert head in text
    for labels in ("1235", "124", "40"):
        cells = [
            ", ".join(
                row["accuracy_percent"] for row in rows if (row["labels"], row["method"], row["commit"]) == (labels, *column)
            )
            for column in columns
        ]
        assert f"| {int(labels):,} | {' | '.join(cells)} |" in text


def test_what_is_said_of_all_labels_and_of_the_study_protocol_is_committed() -> None:
    text = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    for name, rows_expected in (("ceiling", 1), ("study_protocol", 2)):
        rows = committed(DOCS / "results" / f"{name}.csv")
        assert len(rows) == rows_expected
        for row in rows:
            score, low, high = (float(row[f"accuracy_percent{end}"]) for end in ("", "_low", "_high"))
            assert f"{score:.1f} % [{low:.1f}, {high:.1f}]" in text


def intervals_in(content: object) -> set[str]:
    """Every score with its interval that a JSON file holds, as documents write it."""
    if isinstance(content, list):
        return set().union(*map(intervals_in, content))
    if not isinstance(content, dict):
        return set()
    if content.keys() == {"value", "low", "high"}:
        return {Interval.parse(content).percent}
    return intervals_in(list(content.values()))


def test_every_interval_in_accuracy_stands_in_a_committed_file() -> None:
    known: set[str] = set()
    for path in (DOCS / "results").rglob("*.json"):
        known |= intervals_in(json.loads(path.read_text(encoding="utf-8")))
    for path in (DOCS / "results").rglob("*.csv"):
        for row in committed(path):
            if row.get("accuracy_percent_low"):
                score, low, high = (float(row[f"accuracy_percent{end}"]) for end in ("", "_low", "_high"))
                known.add(f"{score:.1f} % [{low:.1f}, {high:.1f}]")
    text = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    found = re.findall(r"\d[\d.]* (?:%|points)[^|;.\[]* ?\[\d[^\]]*\]", text)
    assert found
    assert [interval for interval in found if interval not in known] == []


def test_the_tables_of_scenarios_are_the_committed_ones() -> None:
    text = (DOCS / "search.md").read_text(encoding="utf-8")
    for name, scenarios in (("scenarios", 5), ("scenarios_short", 5), ("scenarios_full", 3)):
        rows = committed(DOCS / "results" / f"{name}.csv")
        assert len(rows) == scenarios
        for row in rows:
            scores = [float(row[f"{method}_accuracy"]) for method in ("supervised", "mixmatch")]
            line = next(line for line in text.splitlines() if all(f"{score:.2f}" in line for score in scores))
            assert f"{float(row['difference']):+.2f}" in line
            assert f"p = {float(row['p_value']):.4f}" in line
            assert ("not statistically significant" in line) == (float(row["p_value"]) >= 0.05)
            assert ("**statistically significant**" in line) == (row["falls_under_supervised"] == "True")


def test_every_program_that_a_document_names_exists_and_holds_what_it_is_named_for() -> None:
    known = [
        "/" + str(path.relative_to(DOCS.parent))
        for folder in ("src", "tests", "benchmarks", "docs")
        for path in (DOCS.parent / folder).rglob("*.py")
    ]
    named = 0
    for document in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        text = document.read_text(encoding="utf-8")
        for program in re.findall(r"`([\w./]+\.py)`", text):
            named += 1
            assert any(path.endswith(f"/{program}") for path in known), f"{document.name}: {program}"
        for name, program in re.findall(r"`(\w+)`[^`]{0,3}\(`([\w./]+\.py)`\)", text):
            holders = [path for path in known if path.endswith(f"/{program}")]
            assert any(name in (DOCS.parent / path[1:]).read_text(encoding="utf-8") for path in holders), f"{name}: {program}"
    assert named > 10


def test_what_is_said_of_temperatures_follows_from_each_draw() -> None:
    found = pd.read_csv(DOCS / "results" / "temperatures.csv")
    of = ["encoder", "method", "labels", "held_out"]
    means = found.groupby(of)[[f"error_percent_{fit}" for fit in ("none", "every label", "called class")]].mean().round(1)
    text = (DOCS / "decisions.md").read_text(encoding="utf-8")
    named = {"imagenet": "", "cropped": ", cropped scans", "whole": ", whole scans"}
    lines = re.findall(r"^\| `(\w+)`(.*?) \| (\d+) \| 75; 300 \| (.*) \|$", text, flags=re.MULTILINE)
    assert len(lines) == 8
    for method, scans, labels, shown in lines:
        (encoder,) = (name for name, words in named.items() if words == scans)
        few, many = (means.loc[encoder, method, int(labels), held_out] for held_out in (75, 300))
        none, before, now = zip(few, many, strict=True)
        assert none[0] == none[1]
        assert shown == f"{none[0]} | {before[0]}; {before[1]} | {now[0]}; {now[1]}"


def test_what_is_said_of_planted_wrong_labels_is_committed() -> None:
    text = (DOCS / "labels.md").read_text(encoding="utf-8")
    rows = committed(DOCS / "results" / "label_suspects.csv")
    assert len(rows) > 0
    for row in rows:
        for name in ("planted_in_first_10_percent", "planted_in_first_5_percent", "planted_contradicted_percent"):
            assert f"{float(row[name]):.1f} %" in text
        assert all(f"{int(row[name]):,}" in text for name in ("labels_checked", "planted", "contradicted"))


def test_what_is_said_of_the_gate_is_committed() -> None:
    text = (DOCS / "decisions.md").read_text(encoding="utf-8")
    rows = committed(DOCS / "results" / "out_of_distribution.csv")
    for run in dict.fromkeys(row["run"] for row in rows):
        of_run = {row["kind"]: row for row in rows if row["run"] == run}
        scans, others = of_run["test scan"], of_run["all ten kinds"]
        assert (int(scans["images"]), int(others["images"])) == (308, 300)
        let_in = 100 * (1 - int(scans["out_of_distribution"]) / int(scans["images"]))
        kept_out = 100 * (1 - int(others["accepted"]) / int(others["images"]))
        assert f"| {let_in:.1f} %" in text
        assert f"| {kept_out:.1f} %" in text
    for kind, said in (("photograph", "parts of photographs"), ("montage", "sheets of several scans")):
        accepted = {row["run"]: row["accepted"] for row in rows if row["kind"] == kind}
        (line,) = [line for line in text.splitlines() if said in line and line.startswith("|")]
        assert line.endswith(f"| {accepted['cropped']} of 30 | {accepted['whole']} of 30 |")


def test_what_label_promises_is_as_it_was_simulated() -> None:
    text = (DOCS / "decisions.md").read_text(encoding="utf-8")
    section = text.split("## Simulated")[1].split("## Measured")[0]
    rows = committed(DOCS / "results" / "decisions_simulation.csv")
    known = {f"{float(cell):g}" for row in rows for cell in row.values() if DECIMALS.fullmatch(cell)} | {
        "0.98",
        "0.95",
        "0.9",
        "0.8",
        "0.6",
    }
    assert [number for number in DECIMALS.findall(section) if number not in known] == []
    # What is promised: over all draws, per patient, one of as many runs as there were, a network like its cross-fitting's.
    kept = [row for row in rows if row["about"] == "long run" or row["case"] == "counted per patient"]
    kept += [row for row in rows if row["case"].endswith(("one of 5", "one of 20", "network times 1"))]
    kept += [
        row for row in rows if row["case"] in {f"doubts of the network times {share}, spread 0.006" for share in (0.98, 0.95)}
    ]
    assert len(kept) == 20
    assert max(float(row["long_run_above_target"]) for row in kept) <= 10


def test_what_unknown_shares_cost_is_as_it_was_measured() -> None:
    text = (DOCS / "audit.md").read_text(encoding="utf-8")
    rows = committed(DOCS / "results" / "shares.csv")
    for classes in ("as they are", "one of 5 %"):
        for score in ("accuracy", "balanced_accuracy"):
            known, unknown = (
                [float(row[score]) for row in rows if (row["classes"], row["shares"]) == (classes, shares)]
                for shares in ("known", "unknown")
            )
            assert len(known) == len(unknown) == 40
            difference = sum(known) / 40 - sum(unknown) / 40
            assert f"{difference:.2f} ±" in text or f"{difference:.2f} points" in text


def test_what_is_said_of_a_step_beside_other_work_is_what_was_measured() -> None:
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    for row in json.loads((DOCS / "results" / "neighbor.json").read_text(encoding="utf-8"))["rows"]:
        assert f"| {row['alone_ms']:.0f} ms | {row['beside_ms']:.0f} ms | {row['of_fair_share']:.2f} |" in text


def test_every_option_that_is_said_of_data_and_splits_is_one_of_the_program() -> None:
    above = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    verbs = [one for verb in above for one in (verb, *getattr(verb, "commands", {}).values())]
    known = {option for verb in verbs for one in verb.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    named: set[str] = set()
    for name in ("data.md", "labels.md", "formats.md", "audit.md", "guide.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        named |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"`python -m [^`]*`", "", text)))
    assert len(named) > 30
    assert named - known == set()


def test_every_link_in_a_document_leads_to_a_file_and_a_heading_that_are_there() -> None:
    broken, checked = [], 0
    for document in [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")]:
        text = document.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
            checked += 1
            file = document.parent / target if target else document
            headings = (
                re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                if file.is_file() and file.suffix == ".md"
                else []
            )
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            if not file.exists() or (anchor and anchor not in anchors):
                broken.append(f"{document.name}: {target}#{anchor}")
    assert checked > 30
    assert broken == []


def test_what_labels_take_is_what_was_measured() -> None:
    text = (DOCS / "labels.md").read_text(encoding="utf-8").partition("\n### How long this takes\n")[2].partition("\n## ")[0]
    record = json.loads((DOCS / "results" / "labels_scale.json").read_text(encoding="utf-8"))
    taken = {line["what"]: line for line in record["measured"]}
    sets = [line for what, line in taken.items() if what.startswith("labels set of 10,000")]
    assert len(sets) == 4
    for line in (*sets, taken["labels export"], taken["load the code and open the dataset"]):
        assert f"{line['wall_seconds']} s" in text
    assert f"{taken['load the code and open the dataset']['peak_mb']} MB with" in text
    assert f"{sets[0]['peak_mb']} MB" in text
    assert taken["open the dataset, the code being loaded"]["wall_seconds"] < 0.001
    assert record["date"] in text


def test_what_chosen_labels_are_worth_is_as_it_was_measured() -> None:
    text = (DOCS / "choosing.md").read_text(encoding="utf-8")
    measured: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for row in committed(DOCS / "results" / "suggest.csv"):
        of = measured.setdefault((row["encoder"], row["scored_on"], row["choice"]), {})
        of.setdefault(int(row["labels"]), []).append(float(row["accuracy_percent"]))
    assert len({(encoder, scored_on) for encoder, scored_on, _ in measured}) == 5
    for (*_, choice), of in measured.items():
        assert all(len(scores) == 5 for scores in of.values())
        cells = [f"{sum(scores) / len(scores):.1f} ({min(scores):.1f})" for _, scores in sorted(of.items())]
        assert f"| {choice} | {' | '.join(cells)} |" in text
