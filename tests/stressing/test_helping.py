"""What a stress test says would help is a setting that there is, and that the run lacks."""

from fewscan.images.options import ImageSpec
from fewscan.learning.scan_views import ScanViewSettings
from fewscan.learning.views import ViewSettings
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.helping import READING, SHOWN, helping
from fewscan.training.settings import RunSettings

VIEWS, SPEC = ScanViewSettings(), ImageSpec()


def test_what_helps_is_a_setting_of_an_import_or_of_views_that_can_have_that_value() -> None:
    assert READING.keys() | SHOWN.keys() <= CORRUPTIONS.keys()
    for kind, helps in ((ImageSpec, READING), (ScanViewSettings, SHOWN)):
        for help_ in helps.values():
            assert getattr(kind.model_validate({help_.name: help_.value}), help_.name) == help_.value
            assert getattr(kind(), help_.name) != help_.value


def test_one_setting_is_named_once_with_all_that_it_helps_against() -> None:
    read, shown = helping(["scale", "blur", "padding", "motion"], VIEWS, SPEC)
    assert [name in read for name in ("scale", "padding", "blur", "--crop foreground")] == [True, True, False, True]
    assert [name in shown for name in ("blur", "motion", "scale", "views.detail_loss_probability=0.3")] == [
        True,
        True,
        False,
        True,
    ]


def test_nothing_is_said_of_what_a_run_has_or_what_does_not_hurt_it() -> None:
    assert list(helping([], VIEWS, SPEC)) == []
    assert list(helping(["padding"], VIEWS, ImageSpec(crop="foreground"))) == []
    (said,) = helping(["bias-field"], VIEWS, SPEC)
    assert "views.field_probability=0.15" in said
    assert list(helping(["bias-field"], ScanViewSettings(field_probability=0.3), SPEC)) == []


def test_views_without_a_setting_are_not_told_to_have_it() -> None:
    assert list(helping(["bias-field"], ViewSettings(name="others"), SPEC)) == []


def test_nothing_is_said_that_a_run_would_refuse() -> None:
    solved = RunSettings.resolve("probe", "fewscan", {}, labeled=10, unlabeled=0)
    assert list(helping(["bias-field"], solved.trained_views, SPEC)) == []
    assert list(helping(["inversion"], VIEWS, ImageSpec(channels=3))) == []
    assert len(list(helping(["inversion"], VIEWS, SPEC))) == 1
