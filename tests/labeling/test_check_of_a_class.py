"""A check of the labels of one class: what is shown of them, and of no other."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

import fewscan
from fewscan.errors import FewscanError
from fewscan.labeling.check import LabelCheck
from fewscan.labeling.checked import Checked
from fewscan.labeling.table import read_table, write_table
from fewscan.labeling.wrong_share import checks_needed, most_wrong
from tests.offered import offered_in

Command = Callable[..., CompletedProcess[str]]
CLASSES = ("cyst", "normal", "tumor")
NORMAL, TUMOR = 360, 30


def labels_of(labels: list[str]) -> pd.DataFrame:
    """Return a table as `label` writes it, in which the run is less sure of later labels of a class."""
    place = pd.Series(labels).groupby(labels).transform(lambda of: np.linspace(0.99, 0.91, len(of))).to_numpy(float)
    return pd.DataFrame(
        {
            "path": [f"{number:03}.png" for number in range(len(labels))],
            "label": labels,
            **{f"probability_{name}": np.where(np.array(labels) == name, place, (1 - place) / 2) for name in CLASSES},
            "score": place,
            "typicality": 0.0,
            "possible": labels,
            "decision": "accept",
            "reason": "its score reaches the threshold 0.9",
            "seen": pd.Series([None] * len(labels), dtype="str"),
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Labels with a rare class; of each class some are out of distribution, and the run is not sure of one."""
    labels = labels_of(["normal"] * NORMAL + ["tumor"] * TUMOR)
    labels.loc[[7, 9, NORMAL + 3], "decision"] = "out_of_distribution"
    labels.loc[[NORMAL - 1, NORMAL + TUMOR - 1], "decision"] = "review"
    write_table(labels, tmp_path / "labels.csv")
    return tmp_path / "labels.csv"


def fill_in(answers: Path, said: Callable[[str], str]) -> None:
    """Answer all that is asked for, by the path of a scan."""
    asked = pd.read_csv(answers, keep_default_na=False)
    asked.assign(label=asked["path"].map(said)).to_csv(answers, index=False)


def as_labeled(path: str) -> str:
    return "normal" if int(path[:3]) < NORMAL else "tumor"


def all_drawn(table: Path, class_name: str) -> list[str]:
    check = LabelCheck.of(table, at_most=0.05, class_names=[class_name])
    return check.waiting(0, NORMAL + TUMOR)


@pytest.mark.parametrize(("class_name", "labels", "left_out"), [("normal", NORMAL - 3, 3), ("tumor", TUMOR - 2, 2)])
def test_only_labels_of_the_class_are_drawn_and_they_alone_are_what_the_result_is_about(
    table: Path, class_name: str, labels: int, left_out: int
) -> None:
    result = fewscan.check(table, class_name=class_name)
    assert (result.class_names, result.labels, result.left_out) == ((class_name,), labels, left_out)
    assert set(result.classes) == {class_name}
    drawn = all_drawn(table, class_name)
    assert len(set(drawn)) == labels
    assert {as_labeled(path) for path in drawn} == {class_name}
    fill_in(Path(result.answers), as_labeled)
    shown = fewscan.check(table, class_name=class_name)
    assert (shown.shown, shown.checked) == (True, result.more)
    assert shown.most_wrong <= 0.05 * labels


def drawn_again(labels: pd.DataFrame, draws: int) -> Iterator[LabelCheck]:
    """Yield checks of normal labels, whose draws differ since one scan is called otherwise each time."""
    for number in range(draws):
        labels.loc[0, "path"] = f"table {number}"
        yield LabelCheck.of_labels(labels, Path("labels.csv"), Path("none.csv"), 0.2, 0.0, ("normal",))


def test_each_label_of_the_class_is_as_likely_to_be_drawn_first_and_no_other_is_drawn() -> None:
    labels = labels_of(["tumor"] * 5 + ["normal"] * 5)
    first = []
    for check in drawn_again(labels.iloc[::-1].reset_index(drop=True), 100):
        assert sorted(check.drawn) == [0, 1, 2, 3, 4]
        first.append(int(check.drawn[0]))
    # 20 are expected of each, with a standard deviation of 4.
    assert (abs(np.bincount(first) - 20) < 16).all()


def test_of_many_draws_of_a_class_hardly_any_leads_astray_who_looks_again_and_again() -> None:
    """Of the normal labels a fifth is wrong, of all labels a twentieth: what would be true of all is not said of the class."""
    wrong, draws = np.arange(240) < 12, 120
    labels = labels_of(["normal"] * 60 + ["tumor"] * 180)
    astray = [
        any(most_wrong(wrong[check.drawn[:asked]], len(check.drawn)) < 12 for asked in range(6, 40, 4))
        for check in drawn_again(labels, draws)
    ]
    # Where 0.05 are led astray, 0.11 is passed in one of two hundred such tests.
    assert np.mean(astray) <= 0.11


def test_what_is_said_of_all_classes_would_lead_astray_about_one(table: Path) -> None:
    """Here every label of the rare class is wrong, and right answers still show that hardly any label is."""
    together = fewscan.check(table, at_most=0.1)
    fill_in(Path(together.answers), lambda path: "normal")
    both = fewscan.check(table, at_most=0.1)
    assert both.most_wrong >= TUMOR - 2
    one = fewscan.check(table, at_most=0.1, class_name="tumor")
    fill_in(Path(one.answers), lambda path: "normal")
    assert fewscan.check(table, at_most=0.1, class_name="tumor").more is None


def test_several_classes_are_one_check_and_all_of_them_are_the_whole_check(table: Path) -> None:
    labels = read_table(table)
    labels.loc[:9, "label"] = "cyst"
    write_table(labels, table)
    two = fewscan.check(table, class_name=["tumor", "Cyst"])
    assert two.class_names == ("cyst", "tumor")
    assert set(two.classes) == set(two.class_names)
    assert two.labels == 8 + TUMOR - 2
    whole = fewscan.check(table, class_name=["tumor", "cyst", "normal"])
    assert whole.class_names is None
    assert whole == fewscan.check(table)


def test_checks_of_classes_and_of_all_have_files_of_their_own_that_name_no_class(table: Path) -> None:
    files = [Path(fewscan.check(table, class_name=name).answers) for name in ([], "normal", "tumor", ["normal", "tumor"])]
    assert len(set(files)) == 4
    assert all(file.exists() for file in files)
    for file in files:
        assert not any(name in file.name + file.read_text() for name in CLASSES)
    before = [file.read_bytes() for file in files]
    for kept, name in ((files[0], "normal"), (files[1], "tumor"), (files[1], [])):
        with pytest.raises(FewscanError, match=f"{kept}.*--class") as refused:
            fewscan.check(table, class_name=name, answers=kept)
        assert len(str(refused.value).splitlines()) == 1
    assert [file.read_bytes() for file in files] == before


def test_a_workbook_is_asked_for_in_a_workbook_and_offers_every_class_of_the_run(table: Path) -> None:
    write_table(read_table(table), table.with_suffix(".xlsx"))
    result = fewscan.check(table.with_suffix(".xlsx"), class_name="tumor")
    assert Path(result.answers).suffix == ".xlsx"
    assert offered_in(Path(result.answers)) == {"label": [*CLASSES, "unsure", "not a scan"]}


def test_the_checked_table_accepts_labels_of_the_class_and_leaves_all_others(table: Path, tmp_path: Path) -> None:
    labels = read_table(table)
    labels["decision"] = labels["decision"].replace("accept", "review")
    write_table(labels, table)
    hidden, doubted, *_ = all_drawn(table, "normal")
    began = fewscan.check(table, class_name="normal", at_most=0.05)
    said = {hidden: "tumor", doubted: "unsure"}
    with pytest.raises(FewscanError, match="before --out"):
        fewscan.check(table, class_name="normal", out=tmp_path / "checked.csv")
    for _ in range(3):
        fill_in(Path(began.answers), lambda path: said.get(path, "normal"))
        shown = fewscan.check(table, class_name="normal")
    assert (shown.shown, shown.wrong) == (True, 2)
    fewscan.check(table, class_name="normal", out=tmp_path / "checked.csv")
    checked = read_table(tmp_path / "checked.csv").set_index("path")
    assert (checked.loc[hidden, "label"], checked.loc[hidden, "decision"]) == ("tumor", "accept")
    assert pd.isna(checked.loc[doubted, "label"])
    assert checked.loc[doubted, "decision"] == "review"
    others = checked.index.map(as_labeled) == "tumor"
    assert checked[others].equals(labels.set_index("path")[others])
    about = checked[~others].drop(index=[hidden, doubted])
    assert (about["decision"] == "accept").sum() == began.labels - 2

    # The other class is checked in that table: what a reader said is not asked again, and stands beside what comes.
    other = fewscan.check(tmp_path / "checked.csv", class_name="tumor")
    assert (other.accepted, other.asked) == (0, other.more)
    assert {hidden, doubted}.isdisjoint(all_drawn(tmp_path / "checked.csv", "tumor"))
    fill_in(Path(other.answers), as_labeled)
    fewscan.check(tmp_path / "checked.csv", class_name="tumor", out=tmp_path / "both.csv")
    both = read_table(tmp_path / "both.csv").set_index("path")
    assert both[~others].equals(checked[~others])
    assert (both[others]["decision"] == "accept").sum() == other.labels


def test_neither_the_table_nor_the_answers_are_replaced_by_the_checked_table(table: Path) -> None:
    answers = Path(fewscan.check(table, class_name="tumor").answers)
    for read in (table, answers):
        before = read.read_bytes()
        with pytest.raises(FewscanError, match="--out"):
            fewscan.check(table, class_name="tumor", out=read, overwrite=True)
        assert read.read_bytes() == before


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["tumour"], ["'tumor'"]),
        (["norm"], ["'normal'"]),
        (["edema"], ["cyst", "normal", "tumor"]),
        (["cyst"], ["normal (360)", "tumor (30)"]),
        (["normal", "tumour", "cyst"], ["'tumor'", "normal (360)"]),
    ],
)
def test_a_class_that_has_no_labels_is_refused_with_those_that_have(
    table: Path, fewscan: Command, named: list[str], told: list[str]
) -> None:
    done = fewscan("check", "labels.csv", *(word for name in named for word in ("--class", name)), cwd=table.parent)
    assert done.returncode == 2
    assert all(words in done.stderr for words in told)
    reasons = len(named) - named.count("normal")
    assert len(done.stderr.strip().splitlines()) == (reasons if reasons == 1 else reasons + 1)
    assert [path.name for path in table.parent.iterdir()] == ["labels.csv"]


@pytest.mark.parametrize("options", [{}, {"least_score": 0.7}])
def test_a_class_of_which_no_label_is_in_distribution_or_sure_enough_is_refused(table: Path, options: dict[str, float]) -> None:
    labels = read_table(table)
    labels.loc[labels["label"] == "tumor", "decision"] = "out_of_distribution"
    write_table(labels, table)
    with pytest.raises(FewscanError) as refused:
        fewscan.check(table, class_name="tumor", **options)  # type: ignore[arg-type]
    assert len(str(refused.value).splitlines()) == 1
    assert [path.name for path in table.parent.iterdir()] == ["labels.csv"]


def test_without_an_accepted_label_of_the_class_those_are_checked_that_are_probably_right(table: Path) -> None:
    labels = read_table(table)
    of_class = labels["label"] == "tumor"
    labels.loc[of_class, "decision"] = "review"
    write_table(labels, table)
    result = fewscan.check(table, class_name="tumor")
    assert result.accepted == 0
    assert 0.05 / 2 < result.expected_wrong <= 0.05 * 2 / 3
    assert 0 < result.labels < TUMOR - 2


def test_the_commands_keep_the_class_and_lead_from_one_step_to_the_next(table: Path, fewscan: Command) -> None:
    command = ("check", "labels.csv", "--class", "normal", "--at-most", "0.02")
    done = fewscan(*command, cwd=table.parent)
    assert done.stdout.splitlines()[-1] == f"next: fewscan {' '.join(command)}"
    fill_in(table.parent / "labels.check-class2.csv", as_labeled)
    following = fewscan(*command, cwd=table.parent).stdout.splitlines()[-1].removeprefix("next: fewscan ").split()
    assert following[:-1] == [*command, "--out"]
    assert following[-1] != "labels.checked.csv"  # that is the table of the check of all
    assert fewscan(*following, cwd=table.parent).returncode == 0
    assert (table.parent / following[-1]).exists()


def test_where_too_many_are_wrong_the_commands_that_help_keep_the_class(table: Path, fewscan: Command) -> None:
    command = ("check", "labels.csv", "--class", "normal")
    assert fewscan(*command, cwd=table.parent).returncode == 0
    fill_in(table.parent / "labels.check-class2.csv", lambda path: "tumor")
    said = fewscan(*command, cwd=table.parent).stdout
    named = re.findall(r"'fewscan (check [^']*)'", said)
    assert named
    for one in named:
        assert json.loads(fewscan(*one.split(), "--json", cwd=table.parent).stdout)["class_names"] == ["normal"]


@pytest.mark.parametrize("at_most", [0.1, 0.05, 0.02])
def test_so_many_answers_as_are_said_before_the_first_show_it(table: Path, at_most: float) -> None:
    check = LabelCheck.of(table, at_most=at_most, class_names=["normal"])
    result = check.result(asked=0)
    assert result.more is not None
    assert result.more_if_one_wrong is not None
    for needed, wrong in ((result.more, None), (result.more_if_one_wrong, 0), (result.more_if_one_wrong, result.more - 1)):
        answers = np.arange(needed) == wrong
        assert most_wrong(answers, result.labels) <= result.allowed
    assert most_wrong([False] * (result.more - 1), result.labels) > result.allowed


def test_the_document_says_how_many_answers_it_takes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "decisions.md").read_text(encoding="utf-8")
    rows = [tuple(map(int, row)) for row in re.findall(r"^  \| (\d+) % \| (\d+) \| (\d+) \|$", text, flags=re.MULTILINE)]
    assert len(rows) == 4
    for percent, right, one_wrong in rows:
        allowed = 10_000 * percent // 100
        assert checks_needed([], 10_000, allowed) == right
        assert (checks_needed([True], 10_000, allowed) or 0) + 1 == one_wrong
    few = re.search(r"to show 1 % of 354 labels, (\d+) or (\d+)", text)
    assert few is not None
    assert checks_needed([], 354, 3) == int(few[1])
    assert (checks_needed([True], 354, 3) or 0) + 1 == int(few[2])


def test_where_not_one_may_be_wrong_that_is_said_before_the_first_answer(table: Path) -> None:
    result = fewscan.check(table, class_name="tumor", at_most=0.02)
    assert (result.more, result.more_if_one_wrong) == (result.labels, None)


def test_more_rows_than_are_asked_for_at_once_are_told_before_the_first_answer(tmp_path: Path, fewscan: Command) -> None:
    write_table(labels_of(["normal"] * 3000 + ["tumor"] * 3), tmp_path / "labels.csv")
    command = ("check", "labels.csv", "--class", "normal", "--at-most", "0.01")
    told = json.loads(fewscan(*command, "--json", cwd=tmp_path).stdout)
    assert told["more"] > told["asked"] == 300
    said = fewscan(*command, cwd=tmp_path).stdout
    assert all(f"{number}" in said for number in (told["more"], told["more_if_one_wrong"], told["asked"]))


def shares_of(table: Path, counts: dict[str, int]) -> Checked:
    write_table(labels_of([name for name, number in counts.items() for _ in range(number)]), table)
    return LabelCheck.of(table, at_most=0.05).result(asked=0)


@pytest.mark.parametrize(
    ("counts", "rare"),
    [
        ({"normal": 100, "tumor": 100, "cyst": 100}, ()),
        ({"normal": 140, "tumor": 100, "cyst": 60}, ()),
        ({"normal": 300, "tumor": 20, "cyst": 30}, ("tumor", "cyst")),
        ({"normal": 150, "tumor": 150}, ("cyst",)),
    ],
)
def test_a_class_is_rare_that_has_far_less_than_an_equal_share(
    tmp_path: Path, counts: dict[str, int], rare: tuple[str, ...]
) -> None:
    assert shares_of(tmp_path / "labels.csv", counts).rare == rare


def test_of_a_rare_class_it_is_said_how_many_labels_may_be_wrong_and_each_check_that_is_named_works(
    table: Path, fewscan: Command
) -> None:
    labels = read_table(table).drop(columns="probability_cyst")
    write_table(labels, table)
    said = fewscan("check", "labels.csv", cwd=table.parent).stdout
    assert "19 of the 28 labels 'tumor'" in said
    named = re.findall(r"'fewscan (check [^']* --class [^']*)'", said)
    of = [json.loads(fewscan(*one.split(), "--json", cwd=table.parent).stdout)["class_names"] for one in named]
    assert of == [["tumor"], ["normal"]]
    fill_in(table.with_suffix(".check.csv"), as_labeled)
    result = LabelCheck.of(table, at_most=0.05).result(asked=0)
    assert result.shown
    one = result.classes["tumor"]
    assert result.most_wrong_of("tumor") == min(result.most_wrong, one.labels - one.checked)
    assert "--class tumor" in fewscan("check", "labels.csv", cwd=table.parent).stdout


def test_where_classes_are_alike_in_size_nothing_more_is_said(tmp_path: Path, fewscan: Command) -> None:
    shares_of(tmp_path / "labels.csv", {"normal": 100, "tumor": 100, "cyst": 90})
    assert "--class" not in fewscan("check", "labels.csv", cwd=tmp_path).stdout
    assert "--class" not in fewscan("check", "labels.csv", "--class", "normal", cwd=tmp_path).stdout.rpartition("next:")[0]


def test_of_a_class_without_a_label_no_check_is_named_that_cannot_be(tmp_path: Path, fewscan: Command) -> None:
    for counts in ({"normal": 100}, {"normal": 100, "tumor": 80}):
        shares_of(tmp_path / "labels.csv", counts)
        said = fewscan("check", "labels.csv", "--answers", f"{len(counts)}.csv", cwd=tmp_path).stdout
        assert f"{sum(counts.values()) // 20} scans of 'cyst'" in said
        for named in re.findall(r"'fewscan (check [^']*)'", said):
            assert fewscan(*named.split(), cwd=tmp_path).returncode == 0
