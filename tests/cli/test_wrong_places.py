"""A folder, file or name that there is not is refused while the command is read: before libraries that take seconds to load."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import pytest
import typer

from fewscan.cli import names
from fewscan.cli.app import app
from fewscan.datasets.protocols import REGISTRY as protocols  # noqa: N811 - one of several
from fewscan.learning.policies import REGISTRY as views  # noqa: N811
from fewscan.learning.registry import REGISTRY as methods  # noqa: N811
from fewscan.models.encoders import REGISTRY as encoders  # noqa: N811
from fewscan.models.encoders import encoder_type
from fewscan.training.recipes import REGISTRY as recipes  # noqa: N811

Command = Callable[..., CompletedProcess[str]]
# Runs commands one after the other, and says of each how it ended, what it said, and which heavy libraries are loaded by then.
PROGRAM = """
import contextlib, io, json, sys
from fewscan.cli.app import main
import fewscan.cli
ended = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["fewscan", *words]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main()
        except SystemExit as end:
            ended.append([end.code, said.getvalue(), [name for name in ("torch", "pandas") if name in sys.modules]])
print(json.dumps(ended))
"""
WRONG = [
    ["train", "nowhere"],
    ["train", "data", "--from", "nowhere"],
    ["train", "data", "--out", "scans"],
    ["train", "data", "--split", "nowhere"],
    ["train", "data", "encoder.weights=no/where"],
    ["import", "nowhere"],
    ["import", "table.csv"],
    ["import", "scans", "--unlabeled", "name=nowhere"],
    ["import", "scans", "--labels", "nowhere.csv"],
    ["import", "scans", "--out", "data"],
    ["add", "data", "nowhere"],
    ["add", "data", "scans", "--labels", "nowhere.csv"],
    ["label", "run", "nowhere"],
    ["label", "run", "scans", "--data", "nowhere"],
    ["label", "run", "--out", "table.csv"],
    ["explain", "run", "nowhere.png#frame=3"],
    ["suggest", "nowhere"],
    ["embed", "nowhere", "--encoder", "resnet_small", "--out", "features.parquet"],
    ["verify", "nowhere"],
    ["upgrade", "nowhere", "new"],
]
# Each says which name it does not know, also where something else is wrong besides: its `--out` is taken.
UNKNOWN = {
    "prob": [
        ["train", "data", "--method", "prob", "--out", "scans"],
        ["compare", "data", "--methods", "simclr,prob", "--out", "scans"],
        ["compare", "data", "--baseline", "prob", "--out", "scans"],
        ["study", "data", "--methods", "prob", "--out", "scans"],
    ],
    "finetun": [
        ["train", "data", "--recipe", "finetun", "--out", "scans"],
        ["compare", "data", "--recipe", "finetun", "--out", "scans"],
    ],
    "resnet_smal": [
        ["train", "data", "encoder=resnet_smal", "--out", "scans"],
        ["train", "data", "encoder.name=resnet_smal", "encoder.width=8", "--out", "scans"],
        ["compare", "data", "encoder=resnet_smal", "--out", "scans"],
        ["embed", "scans", "--encoder", "resnet_smal", "--out", "table.csv"],
        ["suggest", "data", "--encoder", "resnet_smal", "--out", "table.csv"],
        ["map", "data", "--encoder", "resnet_smal", "--out", "table.csv"],
        ["review", "data", "--encoder", "resnet_smal"],
    ],
    "imagenett": [
        ["train", "data", "encoder.weights=imagenett", "--out", "scans"],
        ["train", "data", "encoder=efficientnet_lite0", "encoder.weights=imagenett", "--out", "scans"],
        ["compare", "data", "encoder.weights=imagenett", "--out", "scans"],
        ["embed", "data", "--encoder", "efficientnet_lite0_middle", "--weights", "imagenett"],
        ["embed", "scans", "--encoder", "resnet_small", "--weights", "imagenett", "--out", "table.csv"],
    ],
    "scann": [["train", "data", "views=scann", "--out", "scans"]],
    "leakfre": [
        ["split", "data", "--protocol", "leakfre"],
        ["compare", "data", "--protocol", "random,leakfre", "--out", "scans"],
    ],
}
WRONG += [words for commands in UNKNOWN.values() for words in commands]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return with_folders(tmp_path)


def with_folders(place: Path) -> Path:
    for folder, mark in (("data", "dataset.json"), ("run", "run.json"), ("scans", "1.png")):
        (place / folder).mkdir()
        (place / folder / mark).touch()
    (place / "run" / "model.safetensors").touch()
    (place / "data" / "dataset.json").write_text('{"splits": [{"name": "default"}]}')
    (place / "table.csv").write_text("mine")
    return place


class Ended(NamedTuple):
    code: int
    said: str
    loaded: list[str]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """How each of WRONG ends: in one process, which takes half a second to start."""
    place = with_folders(tmp_path_factory.mktemp("place"))
    command = [sys.executable, "-c", PROGRAM, json.dumps(WRONG)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {" ".join(words): Ended(*each) for words, each in zip(WRONG, found, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_not_there_is_said_before_anything_is_loaded(words: list[str], ended: dict[str, Ended]) -> None:
    code, said, loaded = ended[" ".join(words)]
    assert code == 2, said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    # What an earlier command of the process has loaded would be named, too.
    assert loaded == []


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for commands in UNKNOWN.values() for words in commands], ids=" ".join)
def test_an_unknown_name_is_said_before_what_else_is_wrong(words: list[str], ended: dict[str, Ended]) -> None:
    (name,) = [name for name, commands in UNKNOWN.items() if words in commands]
    assert f"'{name}'" in ended[" ".join(words)].said


def test_the_names_that_commands_know_are_those_of_the_registries() -> None:
    for known, registry in (
        (names.METHODS, methods),
        (names.ENCODERS, encoders),
        (names.VIEWS, views),
        (names.RECIPES, recipes),
        (names.PROTOCOLS, protocols),
    ):
        assert (known.kind, known.group, known.names()) == (registry.kind, registry.group, registry.names())


def test_the_weights_that_commands_know_are_those_of_the_encoders(tmp_path: Path) -> None:
    own = names.ENCODERS.own_names()
    known = {name: tuple(each.name for each in encoder_type(name).known_weights) for name in own}
    assert {name: weights for name, weights in known.items() if weights or name in names.WEIGHTS} == names.WEIGHTS
    for name, weights in known.items():
        for each in weights:
            names.require_weights(each, name)
            names.require_weights(each)
    # What somebody else's encoder knows is not asked before it is loaded.
    names.require_weights("theirs", "of_somebody")
    names.require_weights(str(tmp_path), "resnet_small")


def test_every_verb_that_takes_a_folder_of_fewscan_looks_for_it_first() -> None:
    def commands(group: object) -> list[object]:
        inner = getattr(group, "commands", None)
        return [group] if inner is None else [each for one in inner.values() for each in commands(one)]

    for command in commands(typer.main.get_command(app)):
        for parameter in command.params:  # type: ignore[attr-defined]
            metavar = str(parameter.metavar or "")
            if parameter.param_type_name == "argument" and set(metavar.split("|")) & {"DATASET", "RUN", "FOLDER"}:
                assert parameter.callback is not None, f"{command.name} {metavar}"  # type: ignore[attr-defined]


def test_one_image_of_a_file_is_there_where_its_file_is(fewscan: Command, place: Path) -> None:
    (place / "head.nii.gz").touch()
    # What is refused then is the run, which is none.
    assert "config.yaml" in fewscan("explain", "run", "head.nii.gz#axial=3", cwd=place).stderr


def test_a_tilde_within_quotes_or_behind_an_equals_sign_is_the_home_folder(
    fewscan: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place))
    for word in ("~/nowhere", "name=~/nowhere"):
        told = fewscan("import", word, "--plan", cwd=place).stderr
        assert str(place) in told.splitlines()[-1]
        assert "~/" not in told.splitlines()[-1].partition("cannot open")[2]


@pytest.mark.parametrize(
    "words", [["label", "run"], ["explain", "run"], ["embed", "--encoder", "resnet_small", "--out", "features.parquet"]]
)
def test_a_table_in_the_place_of_scans_is_called_one(words: list[str], fewscan: Command, place: Path) -> None:
    # Where `label` would write by default, so that its name says which table it is.
    (place / "labels.csv").write_text("mine")
    done = fewscan(*words, "labels.csv", cwd=place)
    (line,) = done.stderr.strip().splitlines()
    assert "labels.csv is a table" in line
    assert f"fewscan {words[0]}" in line
    assert "exists" not in line


def test_a_folder_that_is_not_there_is_named_in_the_command_that_makes_one(fewscan: Command, tmp_path: Path) -> None:
    assert "--out 'my run'" in fewscan("evaluate", "my run", cwd=tmp_path).stderr
