import ast
import copy
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
import PIL.Image
import pydicom
import pytest
import torch
from safetensors.torch import load_file, save_file

import fewscan
from fewscan.datasets.descriptions import Split
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predicting import predict_images
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate, Typicality
from fewscan.explaining.evidence import explain_scan
from fewscan.exporting import export as exporting
from fewscan.exporting import onnx_model
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.onnx_model import OnnxModel
from fewscan.exporting.proof import TOLERANCE, TYPICALITY_TOLERANCE, Answers, Images, prove
from fewscan.exporting.weights import SavedModel, write_weights
from fewscan.images.readers import fitted, read_image
from fewscan.reporting.model_card import write_model_card
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.images.formats.dicom_objects import saved
from tests.images.formats.dicom_objects import scan as scan_object
from tests.made import calibrated

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")

Command = Callable[..., subprocess.CompletedProcess[str]]
Once = Callable[[str, Callable[[Path], object]], Path]
SIZES = [(40, 56), (70, 30), (31, 90), (24, 24), (150, 45)]
CLASSES = ("mass * <b>", "none")
WINDOW = "120,160"


def write_scans(folder: Path, channels: Literal[1, 3]) -> Path:
    random = np.random.default_rng(channels)
    for number in range(60):
        path = folder / CLASSES[number % 2] / f"Jane Doe {number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scan = draw_scan(random, *SIZES[number % len(SIZES)], channels)
        if channels == 1 and number % 2:
            # More than 8 bits, so that the dataset's window counts.
            scan = PIL.Image.fromarray(np.asarray(scan).astype(np.uint16))
        scan.save(path)
    return folder


def write_dicom(folder: Path, channels: Literal[1, 3]) -> Path:
    """Slices of 8, 12 and 16 bits, with and without a window and rescaling, some of them inverted."""
    random = np.random.default_rng(channels)
    for number in range(60):
        height, width = SIZES[number % len(SIZES)]
        levels = np.asarray(draw_scan(random, height, width, 1))
        elements: dict[str, object] = {}
        if number % 3:
            levels = levels.astype("<u2" if number % 3 == 1 else "<i2") * 11 + 7
            elements = {"RescaleSlope": 0.5, "RescaleIntercept": -3} if number % 2 else {}
        if number % 4 < 2:
            unit = 11 if number % 3 else 1
            elements |= {"WindowCenter": [110 * unit, 60 * unit], "WindowWidth": [215 * unit, 90 * unit]}
        if number % 5 == 1:
            elements["PhotometricInterpretation"] = "MONOCHROME1"
        saved(scan_object(levels, PatientID=str(number), **elements), folder / CLASSES[number % 2] / f"IM{number:03}")
    return folder


def draw_scan(random: np.random.Generator, height: int, width: int, channels: int) -> PIL.Image.Image:
    shape = (height // 4 + 1, width // 4 + 1, *([3] if channels == 3 else []))
    scan = PIL.Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).resize((width, height))
    if min(height, width) > 8 and random.integers(2):
        # With an empty border, which is cut away where the dataset says so.
        empty = PIL.Image.new(scan.mode, scan.size)
        bright = scan.resize((1 + width // 2, 1 + height // 2)).point(lambda level: 128 + level // 2)
        empty.paste(bright, (width // 5, height // 4))
        return empty
    return scan


def make_run(
    folder: Path,
    *,
    channels: Literal[1, 3],
    encoder: dict[str, Any],
    temperature: float,
    method: str = "supervised",
    write: Callable[[Path, Literal[1, 3]], Path] = write_scans,
    window: str | None = WINDOW,
    **fitting: Any,
) -> Run:
    """A finished run on scans of many sizes; its network is untrained, but decided, so that differences show."""
    scans = write(folder / "scans", channels)
    fewscan.import_scans(f"squares={scans}", folder / "data", size_px=24, channels=channels, window=window, **fitting)
    dataset = fewscan.split(folder / "data", protocol="study", labeled=16, test=20, validation=0.25)
    settings = RunSettings.resolve(method, "fewscan", {"encoder": encoder, "device": "cpu"}, labeled=12, unlabeled=24)
    run = Run.create(folder / "run", settings, dataset, None)
    torch.manual_seed(0)
    network = run.new_network().eval()
    last = network.classifier[-1]
    predictor = Predictor(network, torch.device("cpu"))
    last.weight.data *= 2 / float(predictor.predict(dataset.pixels).logits.std(axis=0).mean())
    last.bias.data -= torch.from_numpy(predictor.predict(dataset.pixels).logits.mean(axis=0))
    run.save_network(network)
    if temperature != 1:
        calibrated(run, temperature)
    return run


# The two exports, and what tests ask of them.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gray(once: Once) -> Run:
    def make(folder: Path) -> None:
        make_run(
            folder,
            channels=1,
            resize="pad",
            crop="none",
            negatives="undo",
            encoder={"width": 16},
            temperature=1.7,
        )

    return Run.open(once("exported_gray", make) / "run")


@pytest.fixture(scope="module")
def color(once: Once) -> Run:
    """A run of a method that solves for its classifier, a linear one."""

    def make(folder: Path) -> None:
        encoder = {"name": "study_cnn", "dense_units": 32, "input_px": 24}
        make_run(folder, channels=3, resize="stretch", crop="foreground", encoder=encoder, temperature=1.0, method="probe")

    return Run.open(once("exported_color", make) / "run")


@pytest.fixture(scope="module")
def gray_command(fewscan: Command, gray: Run, once: Once) -> subprocess.CompletedProcess[str]:
    """What the command says that makes the ONNX file of the gray run."""

    def make(folder: Path) -> None:
        folder.mkdir()
        done = fewscan("export", gray.folder, "--json")
        (folder / "done.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))

    return subprocess.CompletedProcess([], *json.loads((once("export_command", make) / "done.json").read_text()))


@dataclass(frozen=True)
class Exported:
    run: Run
    dataset: Snapshot
    folder: Path
    predictor: Predictor
    gate: Gate

    @property
    def model(self) -> OnnxModel:
        return OnnxModel(self.folder / "model.onnx")


def export_without_a_network(run: Run) -> None:
    """Export where no address can be asked for."""

    def refuse(*address: Any, **options: Any) -> None:
        raise AssertionError(f"asked for the address of {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        fewscan.export(run)


@pytest.fixture(scope="module", params=["gray", "color"])
def exported(request: pytest.FixtureRequest, once: Once) -> Exported:
    """A run with its ONNX file: gray made by the command, color in Python where no address can be asked for."""
    run: Run = request.getfixturevalue(request.param)
    if request.param == "gray":
        request.getfixturevalue("gray_command")
    else:
        once("export_in_python", lambda _: export_without_a_network(run))
    return Exported(run, run.open_dataset(), run.folder / "export-onnx", Predictor.of(run), Gate.of(run.open_dataset()))


def code_in(card: Path) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", card.read_text(encoding="utf-8"), flags=re.DOTALL)
    return str(block)


def run_code(folder: Path, scan: Path, working: Path, *, name: str = "scan.png", within: bool = False) -> dict[str, float]:
    """What the card's lines print for a scan, in a folder of its own; in a process of its own unless `within` this one."""
    shutil.copytree(folder, working)
    shutil.copy(scan, working / name)
    code = code_in(working / "model_card.md")
    if within:
        with chdir(working), redirect_stdout(StringIO()) as printed:
            exec(code, {"__name__": "__main__"})
        said = printed.getvalue()
    else:
        done = subprocess.run([sys.executable, "-c", code], cwd=working, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said = done.stdout
    return dict(ast.literal_eval(said.splitlines()[-1]))


@pytest.mark.slow
def test_the_command_prints_the_proof_and_nothing_else(gray_command: subprocess.CompletedProcess[str], gray: Run) -> None:
    assert gray_command.returncode == 0, gray_command.stderr
    result = json.loads(gray_command.stdout)
    assert result["out"] == str(gray.folder / "export-onnx")
    assert result["files"] == ["model.onnx"]
    assert result["model"]["temperature"] == 1.7
    assert (result["proof"]["scans"], result["proof"]["originals"]) == (40, 40)
    assert 0 <= result["proof"]["largest_difference"] < TOLERANCE
    progress = re.compile(r"prove |[123] of 3: ")
    assert [line for line in gray_command.stderr.splitlines() if not progress.match(line)] == []


@pytest.mark.slow
def test_the_file_says_of_scans_in_their_own_sizes_what_the_run_says(exported: Exported) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == ["model.onnx", "model_card.md"]
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx", providers=["CPUExecutionProvider"])
    spec = exported.run.record.spec
    answers = set()
    for height, width in [*SIZES, (1, 1), (200, 3)]:
        random = np.random.default_rng(height)
        images = [np.asarray(draw_scan(random, height, width, spec.channels)) for _ in range(3)]
        batch = np.stack([np.atleast_3d(image).transpose(2, 0, 1) for image in images])
        pixels = np.stack([fitted(image, spec) for image in images])
        expected = exported.predictor.predict(pixels)
        probabilities, features, typicality = session.run(None, {"images": batch})
        np.testing.assert_allclose(probabilities, expected.probabilities, atol=TOLERANCE)
        np.testing.assert_allclose(features, expected.features, atol=1e-3)
        np.testing.assert_allclose(typicality, exported.gate.of_images(pixels), rtol=1e-3)
        answers |= set(expected.probabilities[:, 0].round(2).tolist())
    # A network that says the same of all would agree with any file.
    assert len(answers) > 5


@pytest.mark.slow
def test_what_is_traced_says_what_the_run_says_where_scans_are_neither_cropped_nor_inverted(tmp_path: Path) -> None:
    """The two exports do one or the other; this is their pipeline as PyTorch runs it, which takes no trace."""
    run = make_run(tmp_path, channels=1, resize="pad", crop="none", negatives="keep", encoder={"width": 16}, temperature=1.7)
    predictor, gate, spec = Predictor.of(run), Gate.of(run.open_dataset()), run.record.spec
    pipeline = onnx_model.WholePipeline(predictor.network, gate.typicality, temperature=predictor.temperature, spec=spec).eval()
    for height, width in SIZES:
        image = np.asarray(draw_scan(np.random.default_rng(height), height, width, 1))
        expected = predictor.predict(pixels := fitted(image, spec)[np.newaxis])
        with torch.no_grad():
            probabilities, features, typicality = pipeline(torch.from_numpy(image.copy())[None, None])
        np.testing.assert_allclose(probabilities, expected.probabilities, atol=TOLERANCE)
        np.testing.assert_allclose(features, expected.features, atol=1e-3)
        np.testing.assert_allclose(typicality, gate.of_images(pixels), rtol=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("gray_command")
def test_of_a_negative_all_say_what_they_say_of_the_scan(gray: Run, tmp_path: Path) -> None:
    round_head = cv2.circle(np.zeros((60, 50), np.uint8), (25, 30), 18, (1.0,), -1)
    scan = round_head * np.random.default_rng(0).integers(60, 200, (60, 50)).astype(np.uint8)
    files = [tmp_path / "new" / name for name in ("negative.png", "scan.png")]
    files[0].parent.mkdir()
    for file, image in zip(files, (255 - scan, scan), strict=True):
        PIL.Image.fromarray(image).save(file)
    of_negative, of_scan = OnnxModel(gray.folder / "export-onnx" / "model.onnx").answers([255 - scan, scan]).probabilities
    np.testing.assert_array_equal(of_negative, of_scan)
    predicted = predict_images(gray, gray.open_dataset(), files)
    np.testing.assert_array_equal(*predicted.probabilities.to_numpy())
    np.testing.assert_allclose(of_scan, predicted.probabilities.iloc[1], atol=TOLERANCE)
    labeled = fewscan.label(gray.folder, files[0].parent, out=tmp_path / "labels.csv").table()
    assert labeled.drop(columns=["path", "note"]).iloc[0].equals(labeled.drop(columns=["path", "note"]).iloc[1])
    assert labeled["note"].notna().tolist() == [True, False]
    explained = [fewscan.explain(gray.folder, file, out=tmp_path / f"{file.stem}-explained.png") for file in files]
    np.testing.assert_array_equal(*(one.pixels for one in explained))


def test_the_file_says_what_it_is_and_not_whose_machine_it_was_made_on(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata.pop("classes"))) == CLASSES
    record, spec = exported.run.record, exported.run.record.spec
    shown = {"crop": "foreground"} if spec.channels == 3 else {"negatives": "undo"}
    assert metadata == shown | {
        "channels": str(spec.channels),
        "dataset_fingerprint": record.dataset_fingerprint,
        "fewscan_version": fewscan.__version__,
        "image_size_px": "24",
        "only_gray": str(exported.gate.gray),
        "resize": spec.resize,
        "temperature": str(exported.predictor.temperature),
        "typicality_limit": str(exported.gate.limit),
        "use": "research use only: not a medical device",
        "window": WINDOW,
    }
    card = (exported.folder / "model_card.md").read_text()
    assert f"center {spec.window.center:g}, width {spec.window.width:g}" in card
    assert exported.gate.gray == ("shows color" in card) == (spec.channels == 1)
    content = (exported.folder / "model.onnx").read_bytes()
    for secret in (b".py", b"site-packages", str(Path.home()).encode() + b"/", b"Jane", str(exported.run.folder).encode()):
        assert secret not in content
    (images,) = session.get_inputs()
    assert (images.shape[1], images.type) == (spec.channels, "tensor(uint8)")
    assert all(isinstance(images.shape[axis], str) for axis in (0, 2, 3))


class Remembered:
    """A model that is asked about the same images only once."""

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.known: dict[bytes, Answers] = {}

    def answers(self, images: Images) -> Answers:
        key = b"".join(image.tobytes() for image in images)
        if key not in self.known:
            self.known[key] = self.model.answers(images)
        return self.known[key]


@pytest.mark.slow
def test_a_file_that_is_not_the_run_fails_its_proof(exported: Exported) -> None:
    typicality = exported.gate.typicality
    model = Remembered(exported.model)
    proof = prove(model, exported.predictor, typicality, exported.dataset)
    assert proof.largest_difference < TOLERANCE / 10
    assert proof.largest_typicality_difference < TYPICALITY_TOLERANCE / 10
    network = exported.run.load_network()
    network.classifier[-1].weight.data[0] *= 1.1
    others = [
        Predictor(exported.run.load_network(), torch.device("cpu"), exported.predictor.temperature * 1.01),
        Predictor(network, torch.device("cpu"), exported.predictor.temperature),
    ]
    for other in others:
        with pytest.raises(FewscanError, match="differs from the run: a probability"):
            prove(model, other, typicality, exported.dataset)
    another = copy.deepcopy(typicality)
    another.densities[0].mean += 0.01
    with pytest.raises(FewscanError, match="differs from the run: a typicality"):
        prove(model, exported.predictor, another, exported.dataset)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "wrong"), [("gray", "resize"), ("color", "resize"), ("gray", "nan")])
def test_another_resizing_or_no_number_at_all_fails_the_proof(
    kind: str, wrong: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: Run = request.getfixturevalue(kind)
    predictor = Predictor.of(run)
    typicality = Gate.of(run.open_dataset()).typicality
    description = ModelDescription.of(run, predictor.temperature, float(typicality.limit))
    if wrong == "resize":
        other = "stretch" if description.spec.resize == "pad" else "pad"
        description = description.model_copy(update={"spec": description.spec.model_copy(update={"resize": other})})
    write_weights(predictor, typicality, description, tmp_path)
    model = SavedModel.open(tmp_path)
    if wrong == "nan":
        predictor.network.classifier[-1].bias.data[0] = float("nan")
    with pytest.raises(FewscanError, match="differs from the run"):
        prove(model, predictor, typicality, run.open_dataset())


class Recorder:
    """A saved model that remembers what it was asked about."""

    def __init__(self, model: SavedModel) -> None:
        self.model = model
        self.images: list[np.ndarray] = []

    def answers(self, images: Images) -> Answers:
        self.images += list(images)
        return self.model.answers(images)


@pytest.mark.slow
def test_no_scan_of_the_test_set_is_looked_at(gray: Run, tmp_path: Path) -> None:
    predictor, dataset = Predictor.of(gray), gray.open_dataset()
    typicality = Gate.of(dataset).typicality
    write_weights(predictor, typicality, ModelDescription.of(gray, predictor.temperature, float(typicality.limit)), tmp_path)
    recorder = Recorder(SavedModel.open(tmp_path))
    prove(recorder, predictor, typicality, dataset)
    seen = {fitted(image, dataset.spec).tobytes() for image in recorder.images}

    def either(*parts: Split) -> set[bytes]:
        """Scans as their files give them, and as the stored pixels do, were they files: another crop may lie within one."""
        stored = [dataset.pixels[row] for row in dataset.rows(*parts)]
        return {form.tobytes() for pixels in stored for form in (pixels, fitted(pixels[0], dataset.spec))}

    assert seen == either("labeled", "unlabeled", "validation")
    assert not seen & either("test")


@pytest.mark.slow
def test_scans_whose_files_are_gone_or_another_are_compared_as_they_are_stored(tmp_path: Path) -> None:
    run = make_run(tmp_path, channels=1, resize="stretch", encoder={"width": 16}, temperature=1.0)
    dataset = run.open_dataset()
    rows = dataset.rows("labeled", "unlabeled", "validation")
    files = [tmp_path / "scans" / path for path in dataset.manifest.loc[rows, "path"]]
    files[0].unlink()
    files[1].write_bytes(files[2].read_bytes())
    files[3].write_text("not a picture")
    exported = fewscan.export(run, format="safetensors", out=tmp_path / "first")
    assert (exported.proof.scans, exported.proof.originals) == (40, 37)
    shutil.rmtree(tmp_path / "scans")
    exported = fewscan.export(run, format="safetensors", out=tmp_path / "second")
    assert (exported.proof.scans, exported.proof.originals) == (40, 0)
    assert "as the dataset stores them" in str(exported.proof)
    assert "the resizing was not compared" in (tmp_path / "second" / "model_card.md").read_text()


@pytest.mark.slow
def test_the_cards_lines_run_as_they_stand_there(exported: Exported, tmp_path: Path) -> None:
    row = int(exported.dataset.rows("labeled")[0])
    scan = exported.run.folder.parent / "scans" / str(exported.dataset.manifest.loc[row, "path"])
    found = run_code(exported.folder, scan, tmp_path / "elsewhere")
    expected = exported.predictor.predict(exported.dataset.pixels, np.array([row])).probabilities[0]
    assert tuple(found) == CLASSES
    np.testing.assert_allclose(list(found.values()), expected, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.usefixtures("gray_command")
@pytest.mark.parametrize("window", [None, "700,1200"])
def test_the_cards_lines_read_dicom_files_where_the_run_learned_from_these(
    window: str | None, gray: Run, tmp_path: Path
) -> None:
    fitting: dict[str, Any] = {"resize": "pad", "crop": "none", "negatives": "undo", "window": window, "write": write_dicom}
    run = make_run(tmp_path, channels=1, encoder={"width": 16}, temperature=1.0, **fitting)
    # The gray run's network, so that the file of that run, whose pipeline is the same, is one of this run, too.
    run.save_network(gray.load_network())
    calibrated(run, 1.7)
    exported = fewscan.export(run, format="safetensors", out=tmp_path / "safetensors")
    assert exported.proof.originals
    dataset = run.open_dataset()
    (tmp_path / "onnx").mkdir()
    shutil.copy(gray.folder / "export-onnx" / "model.onnx", tmp_path / "onnx")
    write_model_card(run, dataset, exported.model_copy(update={"format": "onnx"}), tmp_path / "onnx")
    rows = dataset.rows("labeled", "unlabeled")
    expected = Predictor.of(run).predict(dataset.pixels, rows).probabilities
    code = code_in(tmp_path / "onnx" / "model_card.md")
    said: dict[str, Any] = {}
    exec(code[code.index("def read") : code.index("scan = read")], {"np": np, "pydicom": pydicom}, said)
    files = [tmp_path / "scans" / str(path) for path in dataset.manifest["path"].iloc[rows]]
    for file in files:
        read = read_image(file, 1, reading=run.record.spec).pixels
        np.testing.assert_allclose(said["read"](file).astype(int), read, atol=1)  # halves may be rounded either way
    for format_ in ("onnx", "safetensors"):
        found = run_code(tmp_path / format_, files[0], tmp_path / f"elsewhere-{format_}", name="scan.dcm", within=True)
        np.testing.assert_allclose(list(found.values()), expected[0], atol=TOLERANCE)


@pytest.mark.slow
def test_weights_are_a_copy_of_the_runs_and_open_without_it(gray: Run, tmp_path: Path) -> None:
    exported = fewscan.export(gray, format="safetensors", out=tmp_path / "weights")
    assert exported.files == ("model.json", "model.safetensors", "typicality.safetensors")
    ours, runs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "weights", gray.folder))
    assert ours.keys() == runs.keys()
    assert all(torch.equal(ours[name], runs[name]) for name in runs)
    dataset = gray.open_dataset()
    row = int(dataset.rows("labeled")[0])
    scan = gray.folder.parent / "scans" / str(dataset.manifest.loc[row, "path"])
    expected = Predictor.of(gray).predict(dataset.pixels, np.array([row])).probabilities[0]
    # They import fewscan, and so PyTorch, which is here already.
    found = run_code(tmp_path / "weights", scan, tmp_path / "elsewhere", within=True)
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-6)
    model = SavedModel.open(tmp_path / "elsewhere")
    assert model.description == exported.model
    np.testing.assert_allclose(model.answers([read_image(scan).pixels]).probabilities[0], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        "no weights",
        "half the weights",
        "half the typicality",
        "no description",
        "cut description",
        "a list",
        "classes turned",
        "other weights",
        "another gate",
        "a gate of an earlier version",
    ],
)
def test_saved_weights_that_are_damaged_are_refused(damage: str, gray: Run, tmp_path: Path) -> None:
    predictor = Predictor.of(gray)
    write_weights(predictor, Gate.of(gray.open_dataset()).typicality, ModelDescription.of(gray, 1.0, 0.5), tmp_path)
    weights, description = tmp_path / "model.safetensors", tmp_path / "model.json"
    match damage:
        case "no weights":
            weights.unlink()
        case "half the weights":
            weights.write_bytes(weights.read_bytes()[:5000])
        case "half the typicality":
            path = tmp_path / "typicality.safetensors"
            path.write_bytes(path.read_bytes()[:5000])
        case "no description":
            description.unlink()
        case "cut description":
            description.write_text(description.read_text()[:50])
        case "a list":
            description.write_text("[]")
        case "classes turned":
            content = json.loads(description.read_text())
            description.write_text(json.dumps(content | {"classes": content["classes"][::-1]}))
        case "other weights":
            save_file({name: value + 1 for name, value in load_file(weights).items()}, weights)
        case "another gate":
            Gate.of(gray.open_dataset()).typicality.save(tmp_path / "typicality.safetensors")
            tensors = load_file(tmp_path / "typicality.safetensors")
            save_file({name: value + 1 for name, value in tensors.items()}, tmp_path / "typicality.safetensors")
        case "a gate of an earlier version":
            tensors = load_file(tmp_path / "typicality.safetensors")
            last = len(tensors["medians"]) - 1
            fewer = {name: value for name, value in tensors.items() if not name.startswith(f"densities.{last}.")}
            fewer |= {name: fewer[name][:last].clone() for name in ("medians", "reaches")}
            save_file(fewer, tmp_path / "typicality.safetensors")
    with pytest.raises(FewscanError, match=r"fewscan export RUN --format safetensors|export again"):
        SavedModel.open(tmp_path)


@pytest.mark.slow
def test_where_the_proof_fails_nothing_is_left_behind(gray: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hotter(predictor: Predictor, typicality: Typicality, description: ModelDescription, folder: Path) -> None:
        write_weights(
            predictor, typicality, description.model_copy(update={"temperature": 2 * description.temperature}), folder
        )

    monkeypatch.setattr(exporting, "write_weights", hotter)
    with pytest.raises(FewscanError, match="nothing was written"):
        fewscan.export(gray, format="safetensors", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused_before_anything_is_written(
    gray: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(FewscanError, match="unknown format 'onx': did you mean 'onnx'"):
        fewscan.export(gray, format="onx", out=out)  # type: ignore[arg-type]
    unfinished = tmp_path / "unfinished"
    shutil.copytree(gray.folder, unfinished, ignore=shutil.ignore_patterns("model.safetensors", "export-*"))
    with pytest.raises(FewscanError, match="--resume"):
        fewscan.export(unfinished, out=out)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxscript", None)
        with pytest.raises(FewscanError, match=r"pip install 'fewscan\[onnx\]'"):
            fewscan.export(gray, out=out)
        with pytest.raises(FewscanError, match=r"pip install 'fewscan\[onnx\]'"):
            OnnxModel(tmp_path / "model.onnx")
    assert not out.exists()
    out.mkdir()
    with pytest.raises(FewscanError, match="exists"):
        fewscan.export(gray, format="safetensors", out=out)


@pytest.mark.slow
def test_a_file_is_read_for_a_prediction_an_explanation_and_labels_as_it_was_imported(color: Run, tmp_path: Path) -> None:
    dataset = color.open_dataset()
    rows = dataset.rows("labeled", "unlabeled")[:6]
    files = [color.folder.parent / "scans" / str(dataset.manifest.loc[row, "path"]) for row in rows]
    expected = Predictor.of(color).predict(dataset.pixels, rows).probabilities
    np.testing.assert_allclose(fewscan.open_run(color.folder).predict(files).probabilities, expected, atol=1e-6)
    fewscan.label(color.folder, color.folder.parent / "scans", out=tmp_path / "labels.csv")
    table = pd.read_csv(tmp_path / "labels.csv").set_index("path")
    names = [f"probability_{name}" for name in color.record.classes]
    labeled = table.loc[[str(dataset.manifest.loc[row, "path"]) for row in rows], names]
    np.testing.assert_allclose(labeled, expected, atol=1e-5)
    explained = explain_scan(color, dataset, files[0])
    np.testing.assert_array_equal(explained.pixels, dataset.pixels[rows[0]])


def test_a_network_that_torch_cannot_write_is_one_line_with_the_other_format(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise torch.onnx.OnnxExporterError("no operator\nand much more")

    monkeypatch.setattr(torch.onnx, "export", refused)
    with pytest.raises(FewscanError, match=r"no operator.*--format safetensors") as caught:
        onnx_model._traced(SimpleNamespace(image_size_px=16), 1)
    assert "much more" not in str(caught.value)
