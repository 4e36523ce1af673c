"""The verbs from Python: what `import fewscan` offers stays what it is, whatever else is imported."""

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import fewscan
from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset

ROOT = Path(fewscan.__file__).parent


def test_no_public_name_of_a_package_is_also_the_name_of_a_module_in_it() -> None:
    """Python sets a package's attribute to each module of it that is imported: the function of that name would be gone."""
    packages = [path.parent for path in ROOT.rglob("__init__.py")]
    assert len(packages) > 10
    for package in packages:
        name = ".".join(["fewscan", *package.relative_to(ROOT).parts])
        public = getattr(importlib.import_module(name), "__all__", [])
        modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        replaced = {each for each in public if each in modules and not isinstance(getattr(sys.modules[name], each), ModuleType)}
        assert replaced == set(), name


def test_every_verb_can_be_called_again_after_every_module_was_imported() -> None:
    first = fewscan.methods()
    for module in pkgutil.walk_packages(fewscan.__path__, "fewscan."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert [name for name in fewscan.__all__ if not callable(getattr(fewscan, name))] == []
    assert fewscan.methods() == first


def test_what_a_notebook_completes_are_the_verbs() -> None:
    assert {*fewscan.__all__, "__version__"} == {*dir(fewscan)}


def test_a_function_needs_no_place_to_write_to_where_its_command_needs_none() -> None:
    called = {
        "import": "import_scans",
        "map": "map_scans",
        "labels export": "export_labels",
        "labels suspects": "label_suspects",
    }
    commands: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    commands |= {f"labels {name}": command for name, command in commands["labels"].commands.items()}
    verbs = {called.get(name, name): command for name, command in commands.items()}
    assert {"train", "label", "compare", *called.values()} <= {*verbs} & {*fewscan.__all__}
    for name in {*verbs} & {*fewscan.__all__}:
        argument = inspect.signature(getattr(fewscan, name)).parameters.get("out")
        needed = [option.required for option in verbs[name].params if option.name == "out"]
        if argument is not None and needed:
            assert (argument.default is inspect.Parameter.empty) == needed[0], name


@pytest.mark.slow
def test_a_training_without_a_place_is_where_the_command_puts_it(
    split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick: dict[str, Any] = {"epochs": 1, "batch_size": 16, "encoder": {"width": 16}, "device": "cpu"}
    for dataset in (split_folder, Dataset.open(split_folder)):
        run = fewscan.train(dataset, method="supervised", resume=dataset is not split_folder, **quick)
        assert run.folder == Path("runs") / split_folder.name


def test_what_is_no_option_of_a_label_is_refused_beside_rows_too(split_folder: Path) -> None:
    with pytest.raises(fewscan.FewscanError, match="unknown setting 'whom'"):
        fewscan.set_labels(split_folder, [0], "glioma", whom="me", dry_run=True)


@pytest.mark.slow
def test_several_names_and_numbers_may_be_given_as_the_command_takes_them(split_folder: Path, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"train": False, "epochs": 1, "batch_size": 16, "encoder": {"width": 16}}
    as_text = fewscan.compare(split_folder, out=tmp_path / "text", methods="supervised, joint", seeds=1, **quick)
    as_list = fewscan.compare(split_folder, out=tmp_path / "list", methods=["supervised", "joint"], seeds=[1], **quick)
    assert as_text.comparison.plan.trials == as_list.comparison.plan.trials


@pytest.mark.parametrize("wrong", ["rotation,blurr", ["rotation", "blurr"]])
def test_a_name_that_is_none_is_refused_however_several_are_given(tmp_path: Path, wrong: str | list[str]) -> None:
    with pytest.raises(fewscan.FewscanError, match="'blurr'"):
        fewscan.stress(tmp_path, only=wrong)
