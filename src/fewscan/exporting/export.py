"""A run -> files that others can use without it, proved on scans."""

from pathlib import Path
from typing import Literal, get_args

import torch

from fewscan.config import Settings, nearest
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.onnx_model import ONNX_FILE, OnnxModel, write_onnx
from fewscan.exporting.proof import ExportedModel, Proof, prove
from fewscan.exporting.weights import SavedModel, write_weights
from fewscan.models.graphs import require_onnx
from fewscan.progress import say
from fewscan.training.run import Run

ExportFormat = Literal["onnx", "safetensors"]


class Export(Settings):
    """What `export` wrote, and what its proof found."""

    out: str
    format: ExportFormat
    files: tuple[str, ...]
    model: ModelDescription
    feature_dim: int
    proof: Proof


def check_format(name: str) -> None:
    """Raise FewscanError where there is no format `name`, or where what it needs is not installed."""
    if name not in get_args(ExportFormat):
        raise FewscanError(f"unknown format '{name}': {nearest(name, get_args(ExportFormat))}")
    if name == "onnx":
        require_onnx()


def export_model(run: Run, dataset: Snapshot, folder: Path, out: Path, file_format: ExportFormat) -> Export:
    """Write the run's model into `folder`, which will be known as `out`, and prove it on scans of the run's `dataset`.

    Raises FewscanError where the run is unfinished, the format unknown, or the proof fails; see `proof.prove`.
    """
    check_format(file_format)
    # On the CPU, since a GPU may round to fewer bits than the proof allows for.
    say("1 of 3: fitting what is out of distribution")
    found = Predictor.of(run)
    predictor = Predictor(found.network, torch.device("cpu"), found.temperature)
    gate = Gate.of(dataset)
    typicality = gate.typicality
    description = ModelDescription.of(run, predictor.temperature, gate.limit, only_gray=gate.gray)
    say(f"2 of 3: writing {file_format}{', which takes minutes with a large network' if file_format == 'onnx' else ''}")
    if file_format == "onnx":
        write_onnx(predictor, typicality, description, folder / ONNX_FILE)
        model: ExportedModel = OnnxModel(folder / ONNX_FILE)
    else:
        write_weights(predictor, typicality, description, folder)
        model = SavedModel.open(folder)
    say("3 of 3: comparing its predictions for scans with the run's")
    return Export(
        out=str(out),
        format=file_format,
        files=tuple(sorted(path.name for path in folder.iterdir())),
        model=description,
        feature_dim=predictor.network.encoder.feature_dim,
        proof=prove(model, predictor, typicality, dataset),
    )
