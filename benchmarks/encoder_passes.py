"""How long an encoder takes for a scan on a CPU that it learns nothing from: by PyTorch, and by ONNX Runtime.

    python -m benchmarks.encoder_passes --csv FILE.csv [--encoders NAME ...] [--sides 96 224]

Batches of 64, as many threads as OMP_NUM_THREADS says; the fastest of several, taken by turns. Weights are random.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.command_line import keep
from fewscan.images.options import ImageSpec
from fewscan.models.efficientnet_lite import EfficientNetLite0, EfficientNetLite0Middle, EfficientNetLite2Middle
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.passes import RuntimePasses
from fewscan.models.resnet_small import ResNetSmall
from fewscan.training.allocator import keep_freed_memory

BATCH, TIMES = 64, 5
ENCODERS = [each.name for each in (ResNetSmall, EfficientNetLite0, EfficientNetLite0Middle, EfficientNetLite2Middle)]


def milliseconds(passes: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> float:
    """Return the processor time of a scan."""
    began = time.process_time()
    passes(images)
    return 1000 * (time.process_time() - began) / len(images)


@torch.inference_mode()
def line_of(name: str, side_px: int) -> dict[str, Any]:
    """Return what both take for scans of a side, by how much their features differ, and how long the graph takes to write."""
    spec = ImageSpec(channels=1, size_px=side_px)
    encoder = build_encoder(encoder_settings(name), spec.channels, spec.size_px).eval()
    images = torch.rand(BATCH, *spec.shape).contiguous(memory_format=torch.channels_last)
    began = time.process_time()
    with torch.inference_mode(mode=False):
        quick = RuntimePasses(encoder, spec, torch.get_num_threads())
    written = time.process_time() - began
    taken = [(milliseconds(encoder, images), milliseconds(quick, images)) for _ in range(TIMES)]
    torch_ms, runtime_ms = map(min, zip(*taken, strict=True))
    expected = encoder(images)
    return {
        "encoder": name,
        "side_px": side_px,
        "threads": torch.get_num_threads(),
        "torch_ms": round(torch_ms, 2),
        "onnx_runtime_ms": round(runtime_ms, 2),
        "times_as_fast": round(torch_ms / runtime_ms, 2),
        "graph_seconds": round(written, 1),
        "largest_difference": float((quick(images) - expected).abs().max() / expected.abs().max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    parser.add_argument("--sides", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    lines: list[dict[str, Any]] = []
    for name in arguments.encoders:
        for side_px in arguments.sides:
            keep(lines, line_of(name, side_px), arguments.csv)


if __name__ == "__main__":
    main()
