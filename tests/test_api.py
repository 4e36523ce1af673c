"""The verbs from Python: what `import fewscan` offers stays what it is, whatever else is imported."""

import subprocess
import sys
from pathlib import Path

import fewscan

PACKAGE = Path(fewscan.__file__).parent


def test_no_public_name_is_also_the_name_of_a_module() -> None:
    """Python sets a package's attribute to each module of it that is imported: the function of that name would be gone."""
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(fewscan.__all__) & modules == set()


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
