"""The verbs from Python: what `import fewscan` offers stays what it is, whatever else is imported."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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


@pytest.mark.slow  # every verb, twice
def test_every_verb_can_be_called_again_after_every_module_was_imported() -> None:
    program = (
        "import importlib, pkgutil, fewscan\n"
        "first = fewscan.methods()\n"
        "for module in pkgutil.walk_packages(fewscan.__path__, 'fewscan.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print([name for name in fewscan.__all__ if not callable(getattr(fewscan, name))], fewscan.methods() == first)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[] True", "")
