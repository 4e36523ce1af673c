"""The house: a floor imports only from floors below it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import fewscan

ROOT = Path(fewscan.__file__).parent
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# Files over 300 lines and functions over 60 that are being worked on; to be emptied.
BEING_SPLIT: set[str] = set()
ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"
FLOORS = [
    {"errors", "version"},
    {
        "config",
        "registry",
        "seeds",
        "faiss_library",
        "one_thread",
        "shared_context",
        "atomic",
        "progress",
        "wording",
        "idle",
        "jsonl",
        "locks",
        "spreadsheet",
        "workbooks",
        "memory",
        "processes",
        "digests",
        "tensors",
        "folders",
        "parquet",
        "partial",
    },
    {"images", "phantoms"},
    {"labels"},
    {"datasets"},
    {"auditing"},
    {"splits"},
    {"models"},
    {"learning"},
    {"training"},
    {"evaluation"},
    {"labeling", "explaining", "exporting", "stressing", "choosing", "mapping"},
    {"comparison"},
    {"reporting", "verifying"},
    {"studies", "reviewing"},
    {"api"},
    {"demo"},
    {"cli"},
    {"__main__"},
]


def floor_of(module: str) -> int:
    parts = module.split(".")
    if len(parts) == 1:
        return len(FLOORS)  # `import fewscan`: the roof
    return next(number for number, names in enumerate(FLOORS) if parts[1] in names)


@cache
def nodes(path: Path) -> list[ast.AST]:
    """What a file says, as Python reads it."""
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def imported_modules(path: Path) -> set[str]:
    """Every fewscan module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "fewscan":
            found |= {f"fewscan.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] == "fewscan"}


def test_every_module_stands_on_a_floor() -> None:
    names = {
        path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert names - {"__init__"} == set().union(*FLOORS)


@pytest.mark.slow
def test_floors_import_only_from_floors_below_or_their_own() -> None:
    files = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
    assert len(files) > 30
    wrong = []
    for path in files:
        module = "fewscan." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
        wrong += [f"{module} imports {name}" for name in imported_modules(path) if floor_of(name) > floor_of(module)]
    assert wrong == []


@pytest.mark.slow
def test_no_two_modules_import_each_other() -> None:
    files = {
        "fewscan." + ".".join(path.relative_to(ROOT).with_suffix("").parts): imported_modules(path)
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
    }
    order: list[str] = []
    remaining = dict(files)
    while remaining:
        ready = [name for name, needs in remaining.items() if not (needs & remaining.keys() - {name})]
        # Verbs import inside functions; even so nothing may go round in a circle.
        assert ready, f"these import each other in a circle: {sorted(remaining)}"
        order += ready
        for name in ready:
            del remaining[name]
    assert len(order) == len(files)


@pytest.mark.slow
def test_no_file_is_over_300_lines_and_no_function_over_60() -> None:
    long_files: set[str] = set()
    long_functions: set[str] = set()
    for path in (*ROOT.rglob("*.py"), *BENCHMARKS.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(BENCHMARKS.parent if path.is_relative_to(BENCHMARKS) else ROOT).as_posix()
        if len(text.splitlines()) > 300:
            long_files.add(place)
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60:  # type: ignore[operator]
                long_functions.add(f"{place} {node.name}")
    assert long_files | long_functions <= BEING_SPLIT


def test_what_most_methods_need_not_is_loaded_by_the_one_that_does() -> None:
    """All methods are loaded as any training begins; these packages take as long as all the rest of it."""
    for path in (ROOT / "learning").glob("*.py"):
        loaded = re.findall(r"^(?:from|import) (sklearn|scipy|faiss)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not loaded or path.name == "logistic_regression.py", f"{path}: import {loaded} where it is used"


def test_no_process_that_may_have_threads_is_forked() -> None:
    forks = re.compile(r"get_context\(\"fork\"\)|os\.fork\(|preexec_fn\s*=")
    written = [path for folder in (ROOT, Path(__file__).parent) for path in folder.rglob("*.py")]
    assert [path for path in written if forks.search(path.read_text())] == []


def test_every_folder_in_a_command_is_quoted_for_the_shell() -> None:
    for path in [*ROOT.rglob("*.py")]:
        # Also where a text goes on in the next line.
        unquoted = re.findall(r"""['"`]fewscan [a-z][a-z -]*(?:"\s+f")?\{.*""", path.read_text(encoding="utf-8"))
        assert unquoted == [], f"{path}: commands with folders are made by `command_line`"


def test_the_house_names_every_file_of_the_package_on_its_floor_and_no_other() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    (house,) = re.findall(r"```\nsrc/fewscan/\n(.*?)```", text, flags=re.DOTALL)
    named: dict[str, set[str]] = {}
    floor = ""
    for line in house.splitlines():
        if line.startswith("tests/"):
            break
        if begins := re.match(r"  (?:(\w+)/|(\w+\.py))", line):
            floor = begins[1] or ""
        named.setdefault(floor, set()).update(re.findall(r"\w+\.py", line))
    there: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        *folders, name = path.relative_to(ROOT).parts
        if name != "__init__.py":
            there.setdefault(folders[0] if folders else "", set()).add(name)
    assert named == there


def test_each_file_of_tests_has_a_name_of_its_own() -> None:
    # Folders of tests are no packages, so pytest refuses the second of two files of one name.
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
