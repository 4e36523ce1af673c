"""The verbs from Python: what `import fewscan` offers stays what it is, whatever else is imported."""

import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import fewscan

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
