"""A table of labels that is checked by a reader's answers to some of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import openpyxl
import pandas as pd
import pytest

import fewscan
from fewscan.errors import FewscanError
from fewscan.images.tables.reading import read_cells
from fewscan.labeling.check import LabelCheck
from fewscan.labeling.checked import Checked
from fewscan.labeling.table import read_table, write_table
from fewscan.spreadsheet import write_spreadsheet
from tests.offered import offered_in

Command = Callable[..., CompletedProcess[str]]
SCANS = 400


@pytest.fixture
def truth() -> list[str]:
    random = np.random.default_rng(3)
    return list(random.choice(["glioma", "no tumor"], SCANS))


@pytest.fixture
def table(tmp_path: Path, truth: list[str]) -> Path:
    """Labels of a run that errs where it is not sure, a sixth of all, as `label` writes them; nothing is accepted."""
    score = np.linspace(1, 0.5, SCANS)
    label = [
        name if one > 0.6 or number % 5 else "no tumor" for number, (name, one) in enumerate(zip(truth, score, strict=True))
    ]
    glioma = np.where(np.array(label) == "glioma", score, 1 - score)
    columns = {
        "path": [f"ward {number % 3}/{number:03}.png" for number in range(SCANS)],
        "label": label,
        "probability_glioma": glioma,
        "probability_no tumor": 1 - glioma,
        "score": score,
        "typicality": 0.0,
        "possible": label,
        "decision": ["out_of_distribution" if number % 50 == 49 else "review" for number in range(SCANS)],
        "reason": "the labels support no acceptance",
        "seen": None,
    }
    path = tmp_path / "labels.csv"
    write_table(pd.DataFrame(columns).astype({"seen": "str"}), path)
    return path


def asked_in(answers: Path) -> pd.DataFrame:
    return pd.read_csv(answers, keep_default_na=False)


def answer(answers: Path, truth: list[str], most: int | None = None) -> None:
    """Fill in what is right, from the top."""
    asked = asked_in(answers)
    right = [truth[int(path.rpartition("/")[2][:3])] for path in asked["path"]]
    asked["label"] = right if most is None else [*right[:most], *asked["label"][most:]]
    asked.to_csv(answers, index=False)


def test_scans_are_asked_for_without_their_labels_in_an_order_of_chance_that_stays(table: Path, tmp_path: Path) -> None:
    first = fewscan.check(table, least_score=0.7)
    asked = asked_in(tmp_path / "labels.check.csv")
    assert list(asked.columns) == ["path", "label", "origin"]
    assert set(asked["label"]) == {""}
    assert len(asked) == first.asked == first.more == 59
    scores = read_table(table).set_index("path").loc[asked["path"], "score"]
    assert scores.min() >= 0.7
    # Neither the surest ones nor those in the order of the table.
    assert 0.8 < scores.mean() < 0.9
    assert not asked["path"].is_monotonic_increasing

    fewscan.check(table, least_score=0.7, answers=tmp_path / "again.csv")
    assert asked_in(tmp_path / "again.csv").equals(asked)
    other = read_table(table)
    other.loc[0, "label"] = "glioma" if other.loc[0, "label"] != "glioma" else "no tumor"
    write_table(other, tmp_path / "other.csv")
    fewscan.check(tmp_path / "other.csv", least_score=0.7)
    assert asked_in(tmp_path / "other.check.csv")["path"].tolist() != asked["path"].tolist()


def test_right_answers_show_it_and_the_checked_table_has_them(table: Path, truth: list[str], tmp_path: Path) -> None:
    began = fewscan.check(table, least_score=0.7)
    answer(tmp_path / "labels.check.csv", truth, most=10)
    some = fewscan.check(table, least_score=0.7)
    assert (some.checked, some.wrong, some.shown) == (10, 0, False)
    assert some.asked == some.more == began.asked - 10
    with pytest.raises(FewscanError, match="before --out"):
        fewscan.check(table, least_score=0.7, out=tmp_path / "checked.csv")

    answer(tmp_path / "labels.check.csv", truth)
    result = fewscan.check(table, least_score=0.7, out=tmp_path / "checked.csv")
    assert (result.shown, result.wrong, result.asked, result.more) == (True, 0, 0, 0)
    assert result.most_wrong <= 0.05 * result.labels
    checked, before = read_table(tmp_path / "checked.csv"), read_table(table)
    about = (before["score"] >= 0.7) & (before["decision"] != "out_of_distribution")
    assert (checked["decision"] == "accept").equals(about)
    assert checked.loc[~about].equals(before.loc[~about])
    assert checked.drop(columns=["decision", "reason"]).equals(before.drop(columns=["decision", "reason"]))


def test_a_workbook_is_checked_in_a_workbook(table: Path, truth: list[str], tmp_path: Path) -> None:
    by_text = fewscan.check(table, least_score=0.7)
    write_table(read_table(table), tmp_path / "book.xlsx")
    began = fewscan.check(tmp_path / "book.xlsx", least_score=0.7)
    answers = tmp_path / "book.check.xlsx"
    asked = pd.read_excel(answers, keep_default_na=False)
    assert asked.equals(asked_in(tmp_path / "labels.check.csv"))
    assert offered_in(answers) == {"label": ["glioma", "no tumor", "unsure", "not a scan"]}
    assert {"table", "answers", "checked_table"} == {key for key, value in by_text if value != getattr(began, key)}

    # Somebody answers in Excel, begins with a wrong one, and adds a column.
    book = openpyxl.load_workbook(answers)
    right = [truth[int(path[-7:-4])] for path in asked["path"]]
    for row, said in enumerate(["Unsure", *right[1:]], start=2):
        book.active.cell(row, 2, said)
    book.active["D1"], book.active["D2"] = "remark", "second monitor"
    book.save(answers)
    some = fewscan.check(tmp_path / "book.xlsx", least_score=0.7)
    assert (some.checked, some.wrong, some.shown) == (began.asked, 1, False)
    cells = read_cells(answers)
    assert (cells.columns, cells.rows[0][1][1:]) == (
        ("path", "label", "origin", "remark"),
        ["Unsure", "check", "second monitor"],
    )
    assert len(cells.rows) == began.asked + some.asked
    assert offered_in(answers) == {"label": ["glioma", "no tumor", "unsure", "not a scan"]}

    book = openpyxl.load_workbook(answers)
    for row in range(began.asked + 2, len(cells.rows) + 2):
        book.active.cell(row, 2, truth[int(book.active.cell(row, 1).value[-7:-4])])
    book.save(answers)
    assert fewscan.check(tmp_path / "book.xlsx", least_score=0.7, out=tmp_path / "checked.xlsx").shown
    checked, before = read_table(tmp_path / "checked.xlsx"), read_table(table)
    assert checked.drop(columns=["label", "decision", "reason"]).equals(before.drop(columns=["label", "decision", "reason"]))
    assert (checked["decision"] == "accept").sum() == began.labels - 1
    with pytest.raises(FewscanError, match="exists"):
        fewscan.check(tmp_path / "book.xlsx", least_score=0.7, out=tmp_path / "checked.xlsx")
    fewscan.check(tmp_path / "book.xlsx", least_score=0.7, out=tmp_path / "checked.xlsx", overwrite=True)


@pytest.mark.parametrize("name", ["answers.xlsm", "answers.ods"])
def test_answers_that_could_not_be_written_are_refused(name: str, table: Path, tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="--answers"):
        fewscan.check(table, answers=tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_wrong_label_asks_for_more_answers_and_is_put_right(table: Path, truth: list[str], tmp_path: Path) -> None:
    first = fewscan.check(table, least_score=0.6, at_most=0.1)
    answers = tmp_path / "labels.check.csv"
    said = asked_in(answers)
    said["remark"] = "seen at the second monitor"
    label = read_table(table).set_index("path")["label"]
    said["label"] = label[said["path"]].to_numpy()
    said.loc[2, "label"] = "Unsure"
    other = {"glioma": "no_tumor", "no tumor": "Glioma"}[str(said.loc[5, "label"])]
    said.loc[5, "label"] = other
    said.to_csv(answers, index=False, sep=";")

    result = fewscan.check(table, least_score=0.6, at_most=0.1)
    assert (result.checked, result.wrong, result.shown) == (first.asked, 2, False)
    assert result.asked == result.more
    more = asked_in(answers)
    # What the reader wrote stays, what is asked for comes behind it.
    assert more[: len(said)].equals(said.astype(more.dtypes))
    assert len(more) == len(said) + result.asked
    assert sum(one.wrong for one in result.classes.values()) == 2

    more.loc[len(said) :, "label"] = label[more["path"][len(said) :]].to_numpy()
    more.to_csv(answers, index=False)
    assert fewscan.check(table, least_score=0.6, at_most=0.1, out=tmp_path / "checked.csv").shown
    checked = read_table(tmp_path / "checked.csv").set_index("path").loc[more["path"]]
    assert pd.isna(checked["label"].iloc[2])
    assert checked["label"].iloc[5] == {"no_tumor": "no tumor", "Glioma": "glioma"}[other]
    assert checked["decision"].iloc[[2, 5]].tolist() == ["review", "accept"]


def test_what_was_accepted_is_checked_else_what_the_run_is_sure_of(table: Path, tmp_path: Path) -> None:
    def least(result: Checked) -> float:
        return round(result.least_score, 2)

    # Scores are even, so that of labels from 0.93 on it expects 0.035 to be wrong; two thirds of 0.05 are 0.033.
    found = fewscan.check(table)
    assert least(found) == pytest.approx(0.93, abs=0.01)
    assert found.expected_wrong == pytest.approx(0.05 * 2 / 3, abs=0.002)
    for other in found.others:
        assert other.expected_wrong == pytest.approx((1 - other.least_score) / 2, abs=0.002)
    assert [other.least_score for other in found.others] == pytest.approx([0.97, 0.9], abs=0.01)
    assert least(fewscan.check(table, at_most=0.3, answers=tmp_path / "more.csv")) == pytest.approx(0.6, abs=0.01)
    # Where so much may be wrong, each way of choosing comes to the whole table.
    assert len(fewscan.check(table, at_most=0.9, least_score=0.7, answers=tmp_path / "most.csv").others) == 1
    accepted = read_table(table)
    accepted.loc[accepted["score"] > 0.9, "decision"] = "accept"
    write_table(accepted, tmp_path / "accepted.parquet")
    assert least(fewscan.check(tmp_path / "accepted.parquet")) == pytest.approx(0.9, abs=0.01)


def test_few_labels_are_all_asked_for(table: Path, truth: list[str]) -> None:
    few = read_table(table)[:8]
    write_table(few, table)
    assert fewscan.check(table, least_score=0.5).asked == 8
    answer(table.with_suffix(".check.csv"), truth)
    result = fewscan.check(table, least_score=0.5)
    assert (result.shown, result.most_wrong, result.most_wrong_share) == (True, 0, 0)


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (lambda asked: asked.iloc[::-1], "order"),
        (lambda asked: asked.drop(index=1), "order"),
        (lambda asked: asked.assign(label=["", "glioma", *asked["label"][2:]]), "row 2"),
        (lambda asked: asked.assign(label=["gliomas", *asked["label"][1:]]), "gliomas"),
        (lambda asked: asked[["path"]], "'label'"),
    ],
)
def test_answers_of_another_draw_or_in_other_words_are_refused(
    table: Path, spoiled: Callable[[pd.DataFrame], pd.DataFrame], told: str
) -> None:
    fewscan.check(table)
    answers = table.with_suffix(".check.csv")
    spoiled(asked_in(answers)).to_csv(answers, index=False)
    before = answers.read_bytes()
    with pytest.raises(FewscanError, match=told):
        fewscan.check(table)
    assert answers.read_bytes() == before


def test_all_answers_that_are_no_class_are_named_with_their_rows_and_what_may_be_meant(table: Path, truth: list[str]) -> None:
    fewscan.check(table, least_score=0.7)
    answers = table.with_suffix(".check.csv")
    asked = asked_in(answers)
    asked.loc[:4, "label"] = ["Gliomas", "no tumor", "no-tumour", "something", "Gliomas"]
    asked.to_csv(answers, index=False)
    with pytest.raises(FewscanError) as caught:
        fewscan.check(table, least_score=0.7)
    told = str(caught.value)
    for slip, rows, meant in (("Gliomas", "rows 2 and 6", "glioma"), ("no-tumour", "row 4", "no tumor")):
        assert f"'{slip}' ({rows}; did you mean '{meant}'?)" in told
    assert "'something' (row 5)" in told
    assert "row 3" not in told


def test_the_first_row_of_another_scan_is_named(table: Path) -> None:
    fewscan.check(table, least_score=0.7)
    answers = table.with_suffix(".check.csv")
    asked = asked_in(answers)
    asked.loc[3, "path"] = asked.loc[2, "path"]
    asked.to_csv(answers, index=False)
    with pytest.raises(FewscanError, match="row 5 "):
        fewscan.check(table, least_score=0.7)


def test_a_table_that_a_spreadsheet_saved_in_another_way_gives_the_same_check(table: Path, tmp_path: Path) -> None:
    began = fewscan.check(table, least_score=0.7)
    for name, mark, encoding in (("semicolons.csv", ";", "utf-8"), ("tabs.csv", "\t", "utf-16")):
        read_table(table).to_csv(tmp_path / name, index=False, sep=mark, encoding=encoding)
        assert read_table(tmp_path / name).equals(read_table(table))
        again = fewscan.check(tmp_path / name, least_score=0.7)
        assert (again.labels, again.least_score, again.asked) == (began.labels, began.least_score, began.asked)


@pytest.mark.parametrize("kind", [".csv", ".xlsx"])
def test_texts_in_the_place_of_numbers_are_named_with_their_rows(kind: str, table: Path, tmp_path: Path) -> None:
    spoiled = read_table(table).astype({"score": "str", "typicality": "str"})
    spoiled.loc[3, "score"], spoiled.loc[8, "typicality"] = "0,91", "typical"
    write_spreadsheet(spoiled, tmp_path / f"spoiled{kind}")
    with pytest.raises(FewscanError) as caught:
        fewscan.check(tmp_path / f"spoiled{kind}")
    assert "'0,91' (row 5) and 'typical' (row 10)" in str(caught.value)


def test_labels_of_no_class_and_scans_that_are_named_twice_are_told_with_their_rows_and_without_paths(
    table: Path, fewscan: Command
) -> None:
    changed = read_table(table)
    changed.loc[[4, 6], "label"] = "Gliomas"
    changed.loc[9, "path"] = changed.loc[2, "path"]
    write_table(changed, table)
    done = fewscan("check", "labels.csv", cwd=table.parent)
    assert done.returncode == 2
    assert "'Gliomas' (rows 6 and 8; did you mean 'glioma'?)" in done.stderr
    assert "rows 4 and 11" in done.stderr
    assert "ward" not in done.stderr


@pytest.mark.parametrize("name", ["nothing.csv", ".", "folder"])
def test_what_is_no_table_is_refused(name: str, tmp_path: Path, fewscan: Command) -> None:
    (tmp_path / "folder").mkdir()
    done = fewscan("check", name, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_table_without_probabilities_names_what_it_lacks_and_not_its_labels(table: Path) -> None:
    labels = pd.read_csv(table)
    labels.drop(columns=[name for name in labels if name.startswith("probability_")]).to_csv(table, index=False)
    with pytest.raises(FewscanError, match="no column 'probability_CLASS'") as refused:
        fewscan.check(table)
    assert not any(f"'{name}'" in str(refused.value) for name in labels["label"].unique())


def test_answers_are_given_and_taken_back_one_by_one_and_what_else_is_in_the_file_stays(table: Path, tmp_path: Path) -> None:
    answers = tmp_path / "labels.check.csv"
    asked = fewscan.check(table, least_score=0.7, at_most=0.3).asked
    asked_in(answers).assign(remark="second monitor").to_csv(answers, index=False, sep=";")

    def check() -> LabelCheck:
        return LabelCheck.of(table, answers, at_most=0.3, least_score=0.7)

    said = {}
    for number in range(asked + 2):  # also beyond what was asked for
        (path,) = check().waiting(0, 1)
        said[path] = ("glioma", "unsure")[number % 2]
        with check().alone() as now:
            now.answer(said[path])
    assert list(check().answered.items()) == list(said.items())
    with check().alone() as now:
        now.take_back()
    assert check().waiting(0, 1) == [path]
    held = asked_in(answers)
    assert held["path"].tolist() == list(said)
    assert held["remark"].tolist() == ["second monitor"] * asked + ["", ""]


def test_answers_are_written_by_one_at_a_time(table: Path) -> None:
    with (
        LabelCheck.of(table, table.with_suffix(".check.csv"), at_most=0.05).alone(),
        pytest.raises(FewscanError, match="is being written by 'fewscan check'"),
    ):
        fewscan.check(table)
    assert fewscan.check(table).asked
    assert {path.name for path in table.parent.iterdir()} == {"labels.csv", "labels.check.csv"}


@pytest.mark.parametrize(
    ("options", "told"), [({"at_most": 0}, "0.05"), ({"at_most": 5}, "0.05"), ({"least_score": 1.1}, "--least-score")]
)
def test_what_cannot_be_checked_is_refused(table: Path, options: dict[str, float], told: str) -> None:
    with pytest.raises(FewscanError, match=told):
        fewscan.check(table, **options)  # type: ignore[arg-type]
    assert not table.with_suffix(".check.csv").exists()


def test_the_command_leads_from_one_step_to_the_next(table: Path, truth: list[str], fewscan: Command) -> None:
    done = fewscan("check", "labels.csv", "--least-score", "0.7", cwd=table.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "next: fewscan check labels.csv --least-score 0.7"
    answer(table.with_suffix(".check.csv"), truth)
    done = fewscan("check", "labels.csv", "--least-score", "0.7", cwd=table.parent)
    following = done.stdout.splitlines()[-1].removeprefix("next: fewscan ").split()
    assert following[-1] == "labels.checked.csv"
    assert fewscan(*following, cwd=table.parent).returncode == 0
    assert (table.parent / "labels.checked.csv").exists()
    # No scan is named where people look.
    assert "ward" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("wrong", "checked", "too_many"), [(1, 2, False), (1, 4, False), (4, 4, True), (6, 12, True), (3, 12, False)]
)
def test_more_answers_are_called_in_vain_only_where_chance_does_not_explain_those_that_were_wrong(
    table: Path, truth: list[str], fewscan: Command, *, wrong: int, checked: int, too_many: bool
) -> None:
    """A fifth of the labels may be wrong, so that one wrong one of the first four is nothing strange."""
    command = ("check", "labels.csv", "--at-most", "0.2", "--least-score", "0.5")
    assert fewscan(*command, cwd=table.parent).returncode == 0
    answers = table.with_suffix(".check.csv")
    labels = read_table(table).set_index("path")["label"]
    asked = asked_in(answers)
    right = [labels[path] for path in asked["path"][:checked]]
    other = {"glioma": "no tumor", "no tumor": "glioma"}
    asked["label"] = [*(other[label] for label in right[:wrong]), *right[wrong:], *asked["label"][checked:]]
    asked.to_csv(answers, index=False)
    found = json.loads(fewscan(*command, "--json", cwd=table.parent).stdout)
    assert (found["checked"], found["wrong"]) == (checked, wrong)
    assert LabelCheck.of(table, answers, at_most=0.2, least_score=0.5).result(asked=0).too_many == too_many
    said = fewscan(*command, cwd=table.parent).stdout
    assert ("--least-score" in said.rpartition("checked:")[2].partition("next:")[0]) == too_many


def answered_wrong(table: Path, truth: list[str], checked: int = 20) -> None:
    """Answer the first of what is asked for, each fourth with `unsure`."""
    answers = table.with_suffix(".check.csv")
    asked = asked_in(answers)
    right = [truth[int(path.rpartition("/")[2][:3])] for path in asked["path"][:checked]]
    asked.loc[: checked - 1, "label"] = [name if number % 4 else "unsure" for number, name in enumerate(right)]
    asked.to_csv(answers, index=False)


def test_where_too_many_are_wrong_each_check_that_is_named_works(table: Path, truth: list[str], fewscan: Command) -> None:
    """One checks labels that the run is surer of, in a file of their own, one keeps the draw and its answers."""
    assert fewscan("check", "labels.csv", cwd=table.parent).returncode == 0
    answered_wrong(table, truth)
    said = fewscan("check", "labels.csv", cwd=table.parent).stdout
    assert "fill in" not in said
    commands = re.findall(r"'fewscan (check [^']*)'", said)
    assert len(commands) == 2
    assert said.splitlines()[-1] == f"next: fewscan {commands[0]}"

    surer, kept = (json.loads(fewscan(*command.split(), "--json", cwd=table.parent).stdout) for command in commands)
    assert (kept["checked"], kept["wrong"], kept["shown"]) == (20, 5, True)
    assert (surer["checked"], surer["at_most"]) == (0, 0.05)
    assert 0 < surer["labels"] < kept["labels"]
    assert (table.parent / "labels.check-2.csv").exists()


def test_where_too_many_are_wrong_a_larger_share_is_named_last_and_is_never_the_next_command(
    table: Path, truth: list[str], fewscan: Command
) -> None:
    """Here the run is surer of no label that is worth a check, so that only more labels help."""
    checked = read_table(table)[140:200]
    checked["decision"] = "accept"
    write_table(checked, table)
    command = ("check", "labels.csv", "--at-most", "0.01")
    assert fewscan(*command, cwd=table.parent).returncode == 0
    answered_wrong(table, truth)
    *_, ways, last, following = fewscan(*command, cwd=table.parent).stdout.partition("too many")[2].splitlines()
    assert "--at-most" in last
    assert "--target-error" in ways
    assert following == "next: fewscan suggest --help"


def test_a_check_of_a_table_in_a_kind_that_is_only_read_leads_to_one_that_is_written(
    table: Path, truth: list[str], fewscan: Command
) -> None:
    write_table(read_table(table), table.with_suffix(".xlsx"))
    table.with_suffix(".xlsx").rename(table.with_suffix(".xlsm"))
    table.rename(table.with_suffix(".txt"))
    for name, kind in (("labels.xlsm", ".xlsx"), ("labels.txt", ".csv")):
        assert fewscan("check", name, "--least-score", "0.7", cwd=table.parent).returncode == 0
        answers = table.with_suffix(f".check{kind}")
        asked = read_cells(answers)
        said = [truth[int(row[0].rpartition("/")[2][:3])] for _, row in asked.rows]
        filled = pd.DataFrame({"path": [row[0] for _, row in asked.rows], "label": said, "origin": "check"})
        write_spreadsheet(filled, answers)
        following = fewscan("check", name, "--least-score", "0.7", cwd=table.parent).stdout.splitlines()[-1]
        assert following.endswith(f"--out labels.checked{kind}")
        assert fewscan(*following.removeprefix("next: fewscan ").split(), cwd=table.parent).returncode == 0
        assert (read_table(table.with_suffix(f".checked{kind}"))["decision"] == "accept").any()


def test_the_score_that_is_printed_gives_the_same_draw(table: Path, fewscan: Command) -> None:
    first = fewscan("check", "labels.csv", cwd=table.parent).stdout
    printed = re.findall(r"score of at least (\S+),", first)
    for number, score in enumerate(printed):
        command = ("check", "labels.csv", "--least-score", score, "--at-most", "0.3", "--answers", f"{number}.csv")
        again = fewscan(*command, cwd=table.parent).stdout
        assert again.splitlines()[0].split(",")[0] in first
    drawn, again = asked_in(table.with_suffix(".check.csv")), asked_in(table.parent / "0.csv")
    assert drawn["path"][: len(again)].tolist() == again["path"].tolist()


def test_labels_of_scans_that_the_run_has_seen_are_counted(table: Path, fewscan: Command) -> None:
    assert "has seen" not in fewscan("check", "labels.csv", cwd=table.parent).stdout
    seen = read_table(table)
    seen["seen"] = ["learned from" if number < 7 or number >= 300 else None for number in range(SCANS)]
    write_table(seen.astype({"seen": "str"}), table)
    done = fewscan("check", "labels.csv", "--json", cwd=table.parent)
    assert json.loads(done.stdout)["seen"] == 7
    assert "7 of them" in fewscan("check", "labels.csv", cwd=table.parent).stdout


def test_what_is_to_be_filled_in_is_said_before_the_command_that_comes_next(table: Path, fewscan: Command) -> None:
    *_, before, following = fewscan("check", "labels.csv", cwd=table.parent).stdout.splitlines()
    assert following == "next: fewscan check labels.csv"
    assert "'label'" in before
    assert "labels.check.csv" in before


def test_no_more_rows_are_to_be_filled_in_than_would_show_what_is_asked_for(table: Path, fewscan: Command) -> None:
    asked = ("check", "labels.csv", "--least-score", "0.7", "--json")
    assert json.loads(fewscan(*asked, cwd=table.parent).stdout)["more"] == 59
    fewer = json.loads(fewscan(*asked, "--at-most", "0.3", cwd=table.parent).stdout)
    assert fewer["more"] < fewer["asked"] == 59
    said = fewscan(*asked[:-1], "--at-most", "0.3", cwd=table.parent).stdout
    assert f"{fewer['more']} rows" in said
    assert "59" not in said


def test_labels_that_are_proposed_instead_are_expected_to_be_good_enough(table: Path, fewscan: Command) -> None:
    """A score does not always grow with the probability: from that of a probable label on there may be many others."""
    odd = read_table(table)
    odd.loc[(odd["score"] - 0.91).abs().idxmin(), "score"] = 0.55
    write_table(odd, table)
    assert fewscan("check", "labels.csv", "--least-score", "0.5", cwd=table.parent).returncode == 0
    answers = table.with_suffix(".check.csv")
    asked = asked_in(answers)
    asked.loc[:29, "label"] = "unsure"
    asked.to_csv(answers, index=False)
    said = fewscan("check", "labels.csv", "--least-score", "0.5", cwd=table.parent).stdout
    command, *_ = re.findall(r"'fewscan (check [^']*)'", said)
    surer = json.loads(fewscan(*command.split(), "--json", cwd=table.parent).stdout)
    assert surer["labels"] > 0
    assert surer["expected_wrong"] <= surer["at_most"]
