import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan.config import Settings, merge, nearest, parse_overrides, spelled_out, yaml_value
from fewscan.errors import FewscanError


class Inner(Settings):
    learning_rate: float = 0.1


class Outer(Settings):
    inner: Inner = Inner()
    epochs: int = 3


def test_overrides_are_read_as_yaml_and_nested_by_dots() -> None:
    assert parse_overrides(["epochs=5", "inner.learning_rate=0.5", "flag=true", "name=joint"]) == {
        "epochs": 5,
        "inner": {"learning_rate": 0.5},
        "flag": True,
        "name": "joint",
    }


def test_pretrained_weights_are_spelled_out_as_the_command_line_takes_them() -> None:
    changes = {"encoder": {"name": "timm:resnet18", "pretrained": True}}
    assert spelled_out(changes) == ["encoder.name=timm:resnet18", "encoder.pretrained=true"]
    assert parse_overrides(spelled_out(changes)) == changes
    assert parse_overrides(["encoder=timm:resnet18", "encoder.pretrained=true"]) == changes


def test_lists_are_lists_and_what_would_be_a_mapping_is_text() -> None:
    assert parse_overrides(["units=[256, 128]", "encoder=timm:", "note={a: 1}", "none=null"]) == {
        "units": [256, 128],
        "encoder": "timm:",
        "note": "{a: 1}",
        "none": None,
    }


@pytest.mark.parametrize("pairs", [["inner=fast", "inner.learning_rate=1"], ["inner.learning_rate=1", "inner=fast"]])
def test_a_group_that_is_named_may_have_members_besides(pairs: list[str]) -> None:
    assert parse_overrides(pairs) == {"inner": {"name": "fast", "learning_rate": 1}}


@pytest.mark.parametrize("pair", ["epochs", "=3", "inner.=3", ""])
def test_what_is_no_setting_is_refused(pair: str) -> None:
    with pytest.raises(FewscanError, match="key=value"):
        parse_overrides([pair])


def test_a_group_cannot_have_a_value_and_members() -> None:
    with pytest.raises(FewscanError, match="inner"):
        parse_overrides(["inner=3", "inner.learning_rate=1"])


def test_an_unknown_key_names_its_dotted_path_and_the_nearest_valid_one() -> None:
    with pytest.raises(FewscanError, match=r"unknown setting 'inner\.learning_rat': did you mean 'inner\.learning_rate'\?"):
        Outer.parse({"inner": {"learning_rat": 1}})
    with pytest.raises(FewscanError, match=r"unknown setting 'zzz': .*epochs, inner"):
        Outer.parse({"zzz": 1})


def test_a_wrong_value_names_its_dotted_path_and_what_was_given() -> None:
    with pytest.raises(FewscanError, match=r"setting 'inner\.learning_rate'.*got 'fast'"):
        Outer.parse({"inner": {"learning_rate": "fast"}})


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer().epochs = 4  # type: ignore[misc]


def test_yaml_round_trip() -> None:
    import yaml

    settings = Outer(epochs=7, inner=Inner(learning_rate=0.25))
    assert Outer.parse(yaml.safe_load(settings.as_yaml())) == settings


nested = st.recursive(
    st.integers(), lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3), max_leaves=6
)
trees = st.dictionaries(st.sampled_from("abc"), nested, max_size=3)


@pytest.mark.slow
@given(trees, trees)
def test_merge_lays_changes_over_and_leaves_both_alone(base: dict[str, object], changes: dict[str, object]) -> None:
    before = (repr(base), repr(changes))
    merged = merge(base, changes)
    assert (repr(base), repr(changes)) == before
    assert set(merged) == set(base) | set(changes)
    assert merge(merged, changes) == merged
    assert merge(base, {}) == base


def test_nearest_lists_all_where_none_is_close() -> None:
    assert nearest("size", ["resize", "size_px", "sizes"]) == "did you mean 'size_px'?"
    assert nearest("simclt", ["simclr", "joint"]) == "did you mean 'simclr'?"
    assert nearest("xyz", ["simclr", "joint"]).endswith(" joint, simclr")
    assert nearest("xyz", [f"a{number:03}" for number in range(100)]).endswith("a018, a019 and 80 more")


def test_nearest_finds_what_is_deeper_by_its_last_part_where_only_one_ends_so() -> None:
    deeper = ["optimizer.learning_rate", "optimizer.name", "encoder.name", "encoder.width"]
    for said in ("learning_rate", "learning_rte", "lr"):
        assert nearest(said, ["epochs"], deeper) == "did you mean 'optimizer.learning_rate'?"
    assert nearest("name", ["epochs"], deeper) == "choose from epochs"
    assert nearest("width", ["width"], deeper) == "did you mean 'width'?"
    # What is given with its group is answered with it, so that the answer can be given as it is.
    assert nearest("widht", ["width"], deeper, group="encoder.") == "did you mean 'encoder.width'?"
    # Another's name for it helps only where there is such a setting.
    assert nearest("lr", ["a", "b"]) == "choose from a, b"


@pytest.mark.parametrize("said", ["20k", "20,000", "2000000%", "0.02M"])
def test_a_number_with_a_unit_is_answered_with_the_number(said: str) -> None:
    with pytest.raises(FewscanError, match=r"epochs.* 20000$"):
        Outer.parse({"epochs": said})
    with pytest.raises(FewscanError) as error:
        Outer.parse({"epochs": f"{said}?"})
    assert "20000" not in str(error.value).replace(said, "")


@pytest.mark.parametrize("said", ["0.5", "20%", "1.5"])
def test_a_share_is_answered_with_no_number_where_a_whole_one_is_asked_for(said: str) -> None:
    with pytest.raises(FewscanError, match=rf"epochs.*{said}'\)$"):
        Outer.parse({"epochs": said})


def test_a_setting_of_a_group_is_found_by_its_own_name() -> None:
    with pytest.raises(FewscanError, match=r"'learning_rate'.*inner\.learning_rate"):
        Outer.parse({"learning_rate": 0.1})


def test_an_unknown_key_within_a_list_is_named_by_its_place() -> None:
    class Part(Settings):
        weight: float = 1.0

    class Whole(Settings):
        parts: tuple[Part, ...] = ()

    with pytest.raises(FewscanError, match=r"parts\.0\.wait"):
        Whole.parse({"parts": [{"wait": 2}]})


def test_what_a_text_says_is_the_callers_own() -> None:
    first = yaml_value("a: {b: [1, 2]}")
    first["a"]["b"].append(3)
    assert yaml_value("a: {b: [1, 2]}") == {"a": {"b": [1, 2]}}


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(FewscanError) as refused:
        Outer.parse({"epoch": 3, "inner": {"learning_rate": "fast", "lr": 1}})
    assert len(refused.value.lines) == 4
    for named in ("'epoch'", "'inner.learning_rate'", "'inner.lr'"):
        assert named in str(refused.value)
