"""A model as one ONNX file, from the pixels of a scan to probabilities; onnx, onnxruntime and onnxscript are an extra."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Typicality
from fewscan.exporting.cropping import foreground_boxes, to_grid, undone
from fewscan.exporting.description import ModelDescription
from fewscan.exporting.proof import Answers, Images
from fewscan.exporting.resampling import Resampling
from fewscan.images.options import ImageSpec
from fewscan.learning.views import plain
from fewscan.models.graphs import graph_of, require_onnx, runtime_session
from fewscan.models.network import Network

ONNX_FILE = "model.onnx"
INPUT = "images"
OUTPUTS = ("probabilities", "features", "typicality")


class WholePipeline(nn.Module):
    """Scans in any size -> what a run says of them, from cropping and resizing to softmax; and how typical they are."""

    def __init__(self, network: Network, typicality: Typicality, *, temperature: float, spec: ImageSpec) -> None:
        super().__init__()
        self.network = network
        self.typicality = typicality
        self.temperature = temperature
        self.image_size_px = spec.size_px
        self.resize = spec.resize
        self.crop = spec.crop
        self.negatives = spec.negatives

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities (N, K), features (N, D) and typicality (N,) of images (N, C, H, W) uint8."""
        if self.negatives == "undo" or self.crop == "foreground":
            grid = to_grid(images)
        if self.negatives == "undo":
            images = undone(images, grid)
        boxes = foreground_boxes(images, grid) if self.crop == "foreground" else None
        fitted = Resampling.of(images, self.image_size_px, self.resize, boxes)(images)
        outputs = self.network(plain(fitted))
        return (outputs.logits / self.temperature).softmax(dim=1), outputs.h, self.typicality(fitted)


class OnnxModel:
    """An ONNX file in ONNX Runtime, on the CPU."""

    def __init__(self, path: Path) -> None:
        self._session = runtime_session(path, torch.get_num_threads())

    def answers(self, images: Images) -> Answers:
        """Return what it says of N images of one size, as `readers.read_image` reads them."""
        batch = np.stack([np.atleast_3d(image).transpose(2, 0, 1) for image in images])
        return Answers(*self._session.run(["probabilities", "typicality"], {INPUT: batch}))


def write_onnx(predictor: Predictor, typicality: Typicality, description: ModelDescription, path: Path) -> None:
    """Write `predictor`, which is on the CPU, `typicality` and `description` into the one file `path`.

    Input `images` (N, C, H, W) uint8 with any N, H, W; outputs `probabilities` (N, K), `features` (N, D) and `typicality` (N,)
    float32. What the model says of itself is in the file's metadata. Raises FewscanError where the network cannot be written as
    ONNX.
    """
    onnx = require_onnx().onnx
    pipeline = WholePipeline(
        predictor.network,
        typicality,
        temperature=description.temperature,
        spec=description.spec,
    ).eval()
    content = _traced(pipeline, description.spec.channels)
    _forget_the_machine(content)
    content.producer_name, content.producer_version = "fewscan", description.fewscan_version
    onnx.helper.set_model_props(content, description.metadata())
    onnx.checker.check_model(content)
    path.write_bytes(content.SerializeToString())


def _traced(pipeline: WholePipeline, channels: int) -> Any:
    """Return the pipeline as an onnx.ModelProto."""
    # Of sides that are neither equal nor 1, nor the network's own: the tracer takes such coincidences for rules.
    example = torch.zeros(2, channels, pipeline.image_size_px + 3, pipeline.image_size_px + 5, dtype=torch.uint8)
    sides = {axis: torch.export.Dim(name) for axis, name in ((0, "batch"), (2, "height"), (3, "width"))}
    try:
        return graph_of(pipeline, example, INPUT, OUTPUTS, sides)
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise FewscanError(f"torch cannot write this network as ONNX ({reason}): export it with --format safetensors") from None


def _forget_the_machine(content: Any) -> None:
    """Remove what torch notes of where each node comes from: paths on this machine, which may name its user."""
    graphs = [content.graph]
    while graphs:
        graph = graphs.pop()
        for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
        # What a loop repeats is a graph of its own.
        graphs += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
