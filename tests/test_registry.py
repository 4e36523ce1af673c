"""Methods and encoders of one's own: by decorator, and by packages that are installed."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import fewscan
from fewscan.comparison.plan import Comparison
from fewscan.comparison.planning import make_plan
from fewscan.comparison.trials import run_trial_beside, run_trials
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.learning.losses import labeled_cross_entropy
from fewscan.learning.method import Method, MethodSettings
from fewscan.learning.policies import REGISTRY as VIEW_REGISTRY
from fewscan.learning.policies import build_views
from fewscan.learning.registry import METHODS
from fewscan.learning.registry import REGISTRY as METHOD_REGISTRY
from fewscan.learning.views import random_views
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.encoders import REGISTRY as ENCODER_REGISTRY
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.network import Outputs
from fewscan.seeds import stream
from fewscan.training.plugins import modules_to_import
from fewscan.training.recipes import REGISTRY as RECIPE_REGISTRY
from fewscan.training.run import Run

TRIO = """
from typing import Literal
from fewscan.learning.views import Views, ViewSettings, plain
from fewscan.training.recipe import Preferred, Recipe

class DarkSettings(ViewSettings):
    name: Literal["dark"] = "dark"
    factor: float = 0.25

class Dark(Views):
    name = "dark"
    summary = "darker than they are"
    settings_type = DarkSettings

    def sample(self, count, image_size_px, generator):
        return self.settings.factor

    def apply(self, images, parameters):
        return plain(images) * parameters

class Trio(Recipe):
    name = "trio"
    summary = "dark views, a linear map, one epoch"
    preferred = Preferred("scaled", "the only one it knows")

    def settings(self, method, *, labeled, unlabeled):
        return {"encoder": {"name": "means"}, "views": {"name": "dark", "factor": 0.5}, "epochs": 1, "batch_size": 32}
"""

Install = Callable[..., None]

METHOD = """
from typing import Literal
from fewscan.learning.losses import labeled_cross_entropy
from fewscan.learning.method import Method, MethodSettings

class ScaledSettings(MethodSettings):
    name: Literal["{name}"] = "{name}"
    scale: float = 1.0

class Scaled(Method):
    name = "{name}"
    summary = "cross-entropy, times a number"
    settings_type = ScaledSettings
    two_views = False
    uses_unlabeled = False

    def losses(self, view0, view1, targets):
        return {{"scaled": self.settings.scale * labeled_cross_entropy(view0.logits, targets)}}
"""
ENCODER = """
from typing import Literal
from torch import nn
from fewscan.learning.views import random_views
from fewscan.models.encoder import Encoder, EncoderSettings

class MeansSettings(EncoderSettings):
    name: Literal["means"] = "means"
    units: int = 8

class Means(Encoder):
    name = "means"
    summary = "a linear map of pixels"
    settings_type = MeansSettings

    def __init__(self, settings, channels, image_size_px):
        super().__init__(settings, channels, image_size_px)
        self.feature_dim = settings.units
        self.layer = nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size_px ** 2, settings.units))

    def forward(self, images):
        return self.layer(images)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A function that installs a package of one module, which is known to Python by its metadata alone."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for registry in (METHOD_REGISTRY, ENCODER_REGISTRY, VIEW_REGISTRY, RECIPE_REGISTRY):
        monkeypatch.setattr(registry, "_loaded", {})
    modules = []

    def install(package: str, module: str, code: str, entry_points: str) -> None:
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(entry_points)
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def entry(module: str, name: str = "scaled", thing: str = "Scaled", group: str = "methods") -> str:
    return f"[fewscan.{group}]\n{name} = {module}:{thing}\n"


@pytest.fixture
def unregistered() -> Iterator[None]:
    yield
    METHOD_REGISTRY.unregister("own")
    ENCODER_REGISTRY.unregister("own")


class OwnSettings(MethodSettings):
    name: Literal["own"] = "own"
    weight: float = 1.0


class Own(Method):
    name = "own"
    summary = "a method of one's own"
    settings_type = OwnSettings
    two_views = False
    uses_unlabeled = False

    def losses(self, view0: Outputs, view1: Outputs, targets: Tensor) -> dict[str, Tensor]:
        return {"cross_entropy": labeled_cross_entropy(view0.logits, targets)}


def changed(**facts: Any) -> Any:
    return type("Own", (Own,), facts)


@pytest.mark.slow
def test_an_installed_package_brings_a_method_and_an_encoder(install: Install, split_dataset: Dataset, tmp_path: Path) -> None:
    install("scans-extra", "scans_extra_one", METHOD.format(name="scaled"), entry("scans_extra_one"))
    install("nets-extra", "nets_extra", ENCODER, entry("nets_extra", "means", "Means", "encoders"))
    assert "scans_extra_one" not in sys.modules
    assert METHOD_REGISTRY.names()[-1] == "scaled"
    assert "scans_extra_one" not in sys.modules  # names are known without an import
    listed = fewscan.methods()
    assert list(listed) == [*METHODS, "scaled"]
    assert listed["scaled"] == "cross-entropy, times a number; needs labels"
    assert fewscan.encoders()["means"].summary == "a linear map of pixels"

    run = fewscan.train(
        split_dataset,
        out=tmp_path / "run",
        method={"name": "scaled", "scale": 2},
        encoder={"name": "means", "units": 5},
        epochs=1,
        batch_size=32,
        device="cpu",
    )
    assert run.metrics()[0]["losses"] == ["scaled"]
    assert run.settings.method.model_dump() == {"name": "scaled", "scale": 2.0}
    assert run.settings.encoder.model_dump(exclude_none=True) == {"name": "means", "units": 5}
    again = Run.open(run.folder)
    assert again.settings == run.settings
    assert torch.equal(again.load_network().encoder.layer[1].weight, run.load_network().encoder.layer[1].weight)  # type: ignore[index,union-attr]


def test_a_run_says_which_package_it_lacks(
    install: Install, split_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("scans-extra", "scans_extra_gone", METHOD.format(name="scaled"), entry("scans_extra_gone"))
    with monkeypatch.context() as patch:
        patch.setattr("fewscan.training.fit.fit", lambda *given, **named: None)  # nothing need be learned
        patch.setattr("fewscan.api.training._calibrated", lambda run, dataset: run)
        run = fewscan.train(split_dataset, out=tmp_path / "run", method="scaled", epochs=1, device="cpu")
    (tmp_path / "installed" / "scans_extra-1.2.dist-info" / "METADATA").rename(tmp_path / "METADATA")
    (tmp_path / "installed" / "scans_extra-1.2.dist-info" / "entry_points.txt").unlink()
    METHOD_REGISTRY._loaded.clear()
    with pytest.raises(FewscanError, match=r"the method 'scaled' of package scans-extra 1\.2, .*install it"):
        Run.open(run.folder)


@pytest.mark.parametrize(
    ("code", "thing", "said"),
    [
        ("import no_such_thing", "Scaled", "No module named 'no_such_thing'"),
        ("raise SystemExit(3)", "Scaled", "SystemExit"),
        ("", "Scaled", "has no attribute 'Scaled'"),
        (METHOD.format(name="other"), "Scaled", "the name 'other'"),
        ("Scaled = 3", "Scaled", "subclass of fewscan.learning.method.Method"),
        (METHOD.format(name="scaled").replace("def losses", "def loss"), "Scaled", "does not define losses"),
    ],
)
def test_a_broken_package_is_named_in_one_line_and_breaks_nothing_else(
    code: str, thing: str, said: str, install: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("scans-broken", "scans_broken", code, entry("scans_broken", thing=thing))
    with pytest.raises(FewscanError, match=r"'scaled' of package scans-broken 1\.2") as error:
        METHOD_REGISTRY.find("scaled")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    found, problems = METHOD_REGISTRY.all()
    assert found == METHODS
    assert problems == [str(error.value)]
    assert METHOD_REGISTRY.find("joint") is METHODS["joint"]
    capsys.readouterr()
    assert fewscan.methods().keys() == METHODS.keys()
    assert str(error.value) in capsys.readouterr().err


def test_entry_points_that_cannot_be_read_are_named_too(install: Install) -> None:
    install("scans-odd", "scans_odd", "", "[fewscan.methods]\nwithout an equals sign\n")
    install("scans-extra", "scans_extra_two", METHOD.format(name="scaled"), entry("scans_extra_two"))
    found, problems = METHOD_REGISTRY.all()
    assert problems == ["package scans-odd: its entry_points.txt or METADATA cannot be read"]
    assert "scaled" in found


def test_of_a_package_that_is_installed_twice_the_first_counts(install: Install, tmp_path: Path) -> None:
    install("scans-extra", "scans_extra_three", METHOD.format(name="scaled"), entry("scans_extra_three"))
    behind = tmp_path / "behind" / "Scans.Extra-1.1.dist-info"
    behind.mkdir(parents=True)
    (behind / "METADATA").write_text("Metadata-Version: 2.1\nName: Scans.Extra\nVersion: 1.1\n")
    (behind / "entry_points.txt").write_text(entry("no_such_module"))
    sys.path.append(str(behind.parent))
    try:
        assert METHOD_REGISTRY.source("scaled") == "package scans-extra 1.2"
        assert METHOD_REGISTRY.find("scaled").__module__ == "scans_extra_three"
    finally:
        sys.path.remove(str(behind.parent))


def test_what_fewscan_itself_brings_is_no_plugin(install: Install, unregistered: None) -> None:
    fewscan.register_method(changed(__module__="fewscan.a_wing"))
    assert METHOD_REGISTRY.source("own") is None
    install("fewscan", "wing", METHOD.format(name="scaled"), entry("wing"))
    assert METHOD_REGISTRY.source("scaled") is None
    assert METHOD_REGISTRY.find("scaled").__module__ == "wing"


def test_a_name_is_one_methods_alone(install: Install, unregistered: None) -> None:
    install("scans-joint", "scans_joint", METHOD.format(name="joint"), entry("scans_joint", "joint"))
    assert METHOD_REGISTRY.find("joint") is METHODS["joint"]
    (problem,) = METHOD_REGISTRY.all()[1]
    assert "'joint' of package scans-joint 1.2 is not used" in problem

    install("scans-a", "scans_a", METHOD.format(name="own"), entry("scans_a", "own"))
    with pytest.raises(FewscanError, match=r"package scans-a 1\.2 .* one of that name"):
        fewscan.register_method(Own)
    install("scans-b", "scans_b", METHOD.format(name="own"), entry("scans_b", "own"))
    with pytest.raises(FewscanError, match=r"scans-[ab] 1\.2 and scans-[ab] 1\.2"):
        METHOD_REGISTRY.find("own")


def test_a_decorator_registers_and_a_cell_may_be_run_again(unregistered: None) -> None:
    assert fewscan.register_method(Own) is Own
    anew = changed(__module__=Own.__module__, __qualname__="Own")
    assert fewscan.register_method(anew) is anew
    assert METHOD_REGISTRY.find("own") is anew
    assert METHOD_REGISTRY.source("own") == f"module {__name__}"
    with pytest.raises(FewscanError, match=r"module .* has already registered"):
        fewscan.register_method(changed(__qualname__="Another"))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (int, "subclass"),
        (changed(name="joint"), "settings_type .* 'own'"),
        (type("Joint", (METHODS["joint"],), {}), "fewscan has one"),
        (changed(name="my own"), "settings_type .* 'own'"),
        (changed(summary="two\nlines"), "summary"),
        (changed(two_views=None), "two_views"),
        (changed(settings_type=EncoderSettings), "settings_type .* subclass"),
    ],
)
def test_what_lacks_something_is_not_registered(own: type, said: str) -> None:
    names = METHOD_REGISTRY.names()
    with pytest.raises(FewscanError, match=said):
        fewscan.register_method(own)
    assert METHOD_REGISTRY.names() == names


def test_an_encoder_that_breaks_its_promise_is_said_before_a_run_is_made(unregistered: None) -> None:
    class Settings(EncoderSettings):
        name: Literal["own"] = "own"

    @fewscan.register_encoder
    class OwnEncoder(Encoder):
        name = "own"
        summary = "maps, where features were promised"
        settings_type = Settings
        feature_dim = 7

        def forward(self, images: Tensor) -> Tensor:
            return images

    with pytest.raises(FewscanError, match=r"gives \(2, 1, 16, 16\) for 2 images, not .*\(2, 7\)"):
        build_encoder(encoder_settings("own"), 1, 16)


def test_an_encoder_whose_parts_leave_weights_out_is_refused_and_unknown_weights_are_named(unregistered: None) -> None:
    class Settings(EncoderSettings):
        name: Literal["own"] = "own"

    @fewscan.register_encoder
    class OwnEncoder(Encoder):
        name = "own"
        summary = "two layers, of which it names one"
        settings_type = Settings
        feature_dim = 3

        def __init__(self, settings: EncoderSettings, channels: int, image_size_px: int) -> None:
            super().__init__(settings, channels, image_size_px)
            self.first, self.last = nn.Linear(16, 4), nn.Linear(4, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.last(self.first(images.mean(dim=(1, 2))))

        def parts(self) -> list[nn.Module]:
            return [self.first]

    with pytest.raises(FewscanError, match=r"'own' of .*: its parts .* 4 parameters once, and have 2"):
        build_encoder(encoder_settings("own"), 1, 16)
    with pytest.raises(FewscanError, match="'own' has no weights 'imagenet'"):
        OwnEncoder(Settings(), 1, 16).get_weights("imagenet")


def test_the_guides_method_and_encoder_train(split_dataset: Dataset, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    assert len(blocks) == 2
    try:
        for block in blocks:
            exec(block, {"__name__": "guide"})
        run = fewscan.train(
            split_dataset,
            out=tmp_path / "run",
            method={"name": "pull_together", "weight": 0.5},
            encoder={"name": "patches", "units": 16},
            epochs=1,
            device="cpu",
        )
    finally:
        METHOD_REGISTRY.unregister("pull_together")
        ENCODER_REGISTRY.unregister("patches")
    assert run.metrics()[0]["losses"] == ["distance", "cross_entropy"]
    assert {plugin.source for plugin in run.record.plugins} == {"module guide"}
    with pytest.raises(FewscanError, match=r"the method 'pull_together' of module guide, .*import it"):
        Run.open(run.folder)


def test_an_installed_package_brings_a_recipe_with_its_views_and_encoder(
    install: Install, split_dataset: Dataset, tmp_path: Path
) -> None:
    entry_points = "".join(
        f"[fewscan.{group}]\n{name} = trio:{thing}\n"
        for group, name, thing in (
            ("recipes", "trio", "Trio"),
            ("views", "dark", "Dark"),
            ("encoders", "means", "Means"),
            ("methods", "scaled", "Scaled"),
        )
    )
    install("scans-trio", "trio", TRIO + ENCODER + METHOD.format(name="scaled"), entry_points)
    run = fewscan.train(split_dataset, out=tmp_path / "run", recipe="trio", device="cpu")
    names = (run.settings.method.name, run.settings.encoder.name, run.settings.views.name, run.settings.epochs)
    assert names == ("scaled", "means", "dark", 1)
    assert run.record.recipe == "trio"
    assert [(plugin.kind, plugin.name) for plugin in run.record.plugins] == [
        ("method", "scaled"),
        ("encoder", "means"),
        ("policy of views", "dark"),
    ]
    assert {plugin.source for plugin in run.record.plugins} == {"package scans-trio 1.2"}
    views = random_views(
        build_views(run.settings.views), torch.full((3, 1, 4, 4), 255, dtype=torch.uint8), 2, stream(0, "views")
    )
    assert torch.equal(views, torch.full((6, 1, 4, 4), 0.5))


def comparison_of(method: str, dataset: Dataset, folder: Path) -> Comparison:
    changes = {"epochs": 1, "batch_size": 16, "device": "cpu", "encoder": {"width": 16}}
    plan = make_plan(dataset, methods=[method], seeds=[0, 1], protocols=["leakfree"], recipe="fewscan", changes=changes)
    return Comparison.begin(folder, plan)


def test_what_other_processes_cannot_know_is_said_before_they_start(
    split_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unregistered: None
) -> None:
    fewscan.register_method(changed(__qualname__="notebook.<locals>.Own"))
    comparison = comparison_of("own", split_dataset, tmp_path / "comparison")
    with pytest.raises(FewscanError, match=r"'own' .*this process.*fewscan\.methods.*jobs=1"):
        run_trials(comparison, jobs=2)
    METHOD_REGISTRY.unregister("own")
    with monkeypatch.context() as notebook:  # whose classes are of a main module without a file
        notebook.delattr(sys.modules["__main__"], "__file__", raising=False)
        fewscan.register_method(changed(__module__="__main__"))
        with pytest.raises(FewscanError, match="this process"):
            METHOD_REGISTRY.module_to_import("own")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "script.py", raising=False)
    assert METHOD_REGISTRY.module_to_import("own") is None  # a script is run again by every process
    METHOD_REGISTRY.unregister("own")
    fewscan.register_method(Own)
    assert METHOD_REGISTRY.module_to_import("own") == __name__
    assert METHOD_REGISTRY.module_to_import("joint") is None


@pytest.mark.slow
def test_a_process_beside_this_one_imports_the_module_that_registers(
    split_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unregistered: None
) -> None:
    code = METHOD.format(name="own").replace("class Scaled(", "import fewscan\n\n@fewscan.register_method\nclass Scaled(")
    (tmp_path / "my_methods.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("my_methods")
    comparison = comparison_of("own", split_dataset, tmp_path / "comparison")
    trial = comparison.plan.trials[0]
    modules = modules_to_import(comparison.settings(trial), "fewscan")
    # As in a new process: nobody has imported it.
    METHOD_REGISTRY.unregister("own")
    del sys.modules["my_methods"]
    with pytest.raises(FewscanError, match="unknown method 'own'"):
        run_trial_beside(set(), comparison.folder, trial)
    run_trial_beside(modules, comparison.folder, trial)
    assert comparison.finished_run(trial) is not None
    del sys.modules["my_methods"]
    with pytest.raises(FewscanError, match="module no_such_module, which leakfree/own-seed0 needs"):
        run_trial_beside({"no_such_module"}, comparison.folder, trial)
