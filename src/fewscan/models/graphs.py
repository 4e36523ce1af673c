"""PyTorch's modules as ONNX graphs; onnx, onnxruntime and onnxscript are an extra."""

import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fewscan.errors import FewscanError

OPSET = 18


class _Onnx(NamedTuple):
    onnx: ModuleType
    onnxruntime: ModuleType


def onnx_is_there() -> bool:
    """Return whether what writes and runs ONNX files is installed, without loading it."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime", "onnxscript"))


def require_onnx() -> _Onnx:
    """Import what writes and runs ONNX files; raises FewscanError where it is not installed.

    ONNX Runtime then sends nothing to its makers, as it does by default from version 1.29 on.
    """
    # Read when it is loaded. What it would send: a number of this machine, which it keeps in ~/.cache, programs, models.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch writes ONNX with it
    except ImportError as error:
        raise FewscanError(f"writing ONNX needs more packages ({error}): pip install 'fewscan[onnx]'") from None
    # For a program that had loaded it before.
    onnxruntime.disable_telemetry_events()
    return _Onnx(onnx, onnxruntime)


def onnx_lacks() -> str | None:
    """Return why no ONNX file can be written here, None where one can."""
    try:
        require_onnx()
    except FewscanError as error:
        return str(error)
    return None


def runtime_session(graph: Path | bytes, threads: int) -> Any:
    """Return an onnxruntime.InferenceSession of a graph, a file or its content, on so many threads of the CPU."""
    runtime = require_onnx().onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def graph_of(
    module: nn.Module, example: Tensor, name: str, outputs: Sequence[str], sides: Mapping[int, Any] | None = None
) -> Any:
    """Return a module in evaluation mode as an onnx.ModelProto.

    example: of its one input, `name`. outputs: their names. sides: the axes of the input that may have any length, a
    torch.export.Dim each; None where it is always as the example is.
    Raises torch.onnx.OnnxExporterError where it cannot be written.
    """
    with _quiet_torch():
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[name],
            output_names=outputs,
            dynamic_shapes=None if sides is None else (dict(sides),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # as torch promises of dynamo=True
    return program.model_proto


@contextmanager
def _quiet_torch() -> Iterator[None]:
    """Keep torch from telling users about torchvision, and about changes that are none of theirs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
