"""A stand-in for the study's third source is known by its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fewscan.comparison.plan import Comparison
from fewscan.comparison.planning import make_plan
from fewscan.comparison.results import collect
from fewscan.datasets.descriptions import SourceDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.studies.bitlis.outcome import stands_in
from tests.made import remade


@pytest.mark.slow
@pytest.mark.parametrize(("name", "is_one"), [("dubail", False), ("dubail_standin", True), ("Stand-In", True)])
def test_a_stand_in_for_a_source_is_noticed_by_its_name(
    make_dataset: Callable[..., Snapshot], tmp_path: Path, name: str, is_one: bool
) -> None:
    dataset = make_dataset()
    source = SourceDescription(name=name, folder=str(tmp_path), images=80, set_aside=0)
    dataset = remade(dataset, dataset.manifest.assign(source=name), sources=(source,))
    plan = make_plan(
        dataset, methods=["joint"], seeds=[0], protocols=["study"], recipe="study", changes={}, labeled=16, test=24
    )
    assert stands_in(collect(Comparison.begin(tmp_path / "comparison", plan))) is is_one
