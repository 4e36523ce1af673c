"""Nothing below the studies knows them: neither what they published nor what they are called."""

import re
from pathlib import Path

import pytest

import fewscan
from fewscan.datasets.protocols import REGISTRY as PROTOCOLS
from fewscan.datasets.protocols import may_leak
from fewscan.errors import FewscanError
from fewscan.learning.policies import REGISTRY as VIEWS
from fewscan.learning.policies import build_views, view_settings
from fewscan.models.encoders import REGISTRY as ENCODERS
from fewscan.models.encoders import encoder_type
from fewscan.training.recipes import REGISTRY as RECIPES
from fewscan.training.recipes import recipe_named
from tests.test_architecture import FLOORS

ROOT = Path(fewscan.__file__).parent
BELOW = set().union(*FLOORS[: next(number for number, floor in enumerate(FLOORS) if "studies" in floor)])
# DICOM's studies, and public sources of images that are fetched by name.
OTHERS = {"images"}
# A DICOM study that one label is about, what a user writes up, the title of a paper, and where a method comes from.
ANOTHER_MEANING = (
    "whole study",
    "whole studies",
    "it is a study of machine learning",
    "kind of study",
    "observer ROC studies",
    "doi 10.17798/bitlisfen.1558069, section 2.2.4 and figure 6",
)
KNOWN_BY = re.compile(r"(?i)\w*stud(?:y|ies)\w*|bitlis|stand[-_]?in\b|table[12]\b|published")


def test_nothing_below_the_studies_knows_one() -> None:
    files = [path for path in ROOT.rglob("*") if path.suffix in (".py", ".html", ".md", ".css", ".js")]
    places = {path.relative_to(ROOT): path for path in files}
    below = {place: path for place, path in places.items() if place.parts[0].removesuffix(".py") in BELOW - OTHERS}
    assert len(below) > 150
    found = []
    for place, path in below.items():
        text = path.read_text(encoding="utf-8")
        for words in ANOTHER_MEANING:
            text = text.replace(words, "")
        found += [f"{place}: {word}" for word in KNOWN_BY.findall(text)]
    assert found == []


def test_the_study_registers_by_the_door_that_is_open_to_everybody() -> None:
    assert encoder_type("study_cnn").__module__ == "fewscan.studies.bitlis.encoder"
    assert recipe_named("study").preferred is not None
    assert build_views(view_settings("study")).weak() is not None
    assert may_leak("study")
    for registry, name in ((ENCODERS, "study_cnn"), (RECIPES, "study"), (VIEWS, "study"), (PROTOCOLS, "study")):
        # It is fewscan's own: no run notes it as somebody else's, and nobody else may take the name.
        assert name not in registry.built_in
        assert registry.source(name) is None
        assert name in registry.own_names()
        with pytest.raises(FewscanError, match="fewscan has one"):
            registry.register(registry.find(name))
