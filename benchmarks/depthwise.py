"""How fast an encoder with depthwise convolutions learns on a CPU: in float32, in bfloat16, and with these alone in float32.

python -m benchmarks.depthwise --csv FILE.csv [--encoder efficientnet_lite0] [--sides 64 128 192]

One thread, batches of 32, forward and back, channels last; the fastest of several steps of each, taken by turns.
"""

import argparse
import csv
import time
from pathlib import Path

import torch
from torch import nn

from fewscan.models.encoder import Encoder
from fewscan.models.encoders import build_encoder, encoder_settings

BATCH, STEPS = 32, 6


def without_float32(encoder: Encoder) -> Encoder:
    """Let every convolution of an encoder compute in the precision that is asked for, as PyTorch does."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.__class__ = nn.Conv2d
    return encoder


def channels_last(encoder: Encoder) -> Encoder:
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
    return encoder


def seconds(encoder: Encoder, images: torch.Tensor, *, bfloat16: bool) -> float:
    """Return the processor time of one step."""
    began = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        features = encoder(images)
    features.float().square().mean().backward()
    return time.process_time() - began


def measured(name: str, side_px: int) -> dict[str, float]:
    """Return images a second of processor time of each way."""
    images = torch.rand(BATCH, 1, side_px, side_px).contiguous(memory_format=torch.channels_last)
    ours, plain = (channels_last(build_encoder(encoder_settings(name), 1, side_px)) for _ in range(2))
    ways = {"float32": (ours, False), "bfloat16": (without_float32(plain), True), "depthwise alone in float32": (ours, True)}
    took: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(STEPS):
        for way, (encoder, bfloat16) in ways.items():
            took[way].append(seconds(encoder, images, bfloat16=bfloat16))
    return {way: BATCH / min(steps) for way, steps in took.items()}


def main() -> None:
    """Measure every side, and write a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="efficientnet_lite0")
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 192])
    parser.add_argument("--csv", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with arguments.csv.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["encoder", "side_px", "way", "images_a_second"])
        for side_px in arguments.sides:
            for way, rate in measured(arguments.encoder, side_px).items():
                writer.writerow([arguments.encoder, side_px, way, f"{rate:.1f}"])
                print(arguments.encoder, f"{side_px} px", way, f"{rate:.1f}")


if __name__ == "__main__":
    main()
