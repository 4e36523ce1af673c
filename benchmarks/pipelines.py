"""Pretraining steps beside fewscan's own, timed: the machine's limit, the usual pipeline, and those of kornia and lightly.

`benchmarks.pretrain` says what each is.
"""

import importlib.util
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor, nn

from fewscan.learning.losses import nt_xent
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.training.allocator import keep_freed_memory

TEMPERATURE = 0.1
WARM_UP_STEPS = 2
MOST_WORKERS = 16


def synchronize() -> None:
    """Wait for the GPU, where there is one: only then is a time a time."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def new_network(encoder: str, size_px: int) -> Network:
    torch.manual_seed(0)
    return Network(encoder_settings(encoder), HeadSettings(), channels=1, image_size_px=size_px, classes=4).to(device())


def own_loss(z0: Tensor, z1: Tensor) -> Tensor:
    return nt_xent(z0, z1, TEMPERATURE)


def per_second(step: Callable[[], None], images: int, steps: int) -> float:
    """Return images per second of a step, after a warm-up."""
    for _ in range(WARM_UP_STEPS):
        step()
    synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize()
    return images * steps / (time.perf_counter() - began)


def limit(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    keep_freed_memory()
    network = new_network(encoder, pixels.shape[-1]).encoder
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
    images = torch.rand(2 * batch, 1, pixels.shape[-1], pixels.shape[-1], device=device())
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        network.zero_grad()
        with torch.autocast(device().type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            h = network(images)
        h.float().square().mean().backward()

    return {"images_per_second": per_second(step, batch, steps)}


class PillowViews(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Two views of one image at a time, made with Pillow's own operations."""

    def __init__(self, pixels: np.ndarray, views: str) -> None:
        self.pixels = pixels
        self.views = views

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng(int(torch.randint(2**31, (1,))))
        image = Image.fromarray(self.pixels[row, 0])
        return self.view(image, random), self.view(image, random)

    def view(self, image: Image.Image, random: np.random.Generator) -> Tensor:
        size = image.width
        if self.views == "scan":
            side = int(size * random.uniform(0.7, 1))
            left, top = random.integers(0, size - side + 1, size=2)
            image = image.resize((size, size), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
            image = image.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.views == "scan":
            if random.random() < 0.3:
                image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1)))
            image = ImageEnhance.Contrast(image).enhance(random.uniform(0.6, 1.4))
            image = ImageEnhance.Brightness(image).enhance(random.uniform(0.8, 1.2))
        return torch.from_numpy(np.asarray(image, dtype=np.float32))[None] / 255


def usual(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    step = plain_step(encoder, pixels.shape[-1], read(PillowViews(pixels, views), batch), own_loss)
    return {"images_per_second": per_second(step, batch, steps)}


def read(images: torch.utils.data.Dataset[tuple[Tensor, Tensor]], batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end, made by worker processes."""
    workers = min(MOST_WORKERS, os.cpu_count() or 1)
    loader = torch.utils.data.DataLoader(
        images, batch_size=batch, shuffle=True, num_workers=workers, persistent_workers=True, drop_last=True
    )
    while True:
        yield from loader


def kornia(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    import kornia.augmentation as augmentation

    changes: list[nn.Module] = [augmentation.RandomHorizontalFlip(p=0.5)]
    if views == "scan":
        size = (pixels.shape[-1], pixels.shape[-1])
        changes += [
            augmentation.RandomResizedCrop(size, scale=(0.49, 1), ratio=(0.87, 1.15)),
            augmentation.RandomRotation(15.0),
            augmentation.RandomGaussianBlur((5, 5), (0.1, 1.0), p=0.3),
            augmentation.RandomGamma((0.6, 1.6)),
            augmentation.RandomContrast((0.6, 1.4)),
            augmentation.RandomBrightness((0.8, 1.2)),
            augmentation.RandomGaussianNoise(std=0.03, p=0.3),
        ]
    augment = nn.Sequential(*changes)
    ready = torch.from_numpy(pixels).to(device())

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            images = ready[torch.randint(len(ready), (batch,), device=ready.device)].float() / 255
            yield augment(images), augment(images)

    return {"images_per_second": per_second(plain_step(encoder, pixels.shape[-1], batches(), own_loss), batch, steps)}


class LightlyViews(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Two views of one image at a time, as lightly makes them; the image's colors stay as they are."""

    def __init__(self, pixels: np.ndarray) -> None:
        from lightly.transforms.simclr_transform import SimCLRTransform

        self.pixels = pixels
        self.transform = SimCLRTransform(input_size=pixels.shape[-1], normalize=None)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        view0, view1 = self.transform(Image.fromarray(self.pixels[row, 0]))
        return view0, view1


def lightly(pixels: np.ndarray, encoder: str, views: str, precision: str, batch: int, steps: int) -> dict[str, float]:
    from lightly.loss import NTXentLoss

    step = plain_step(encoder, pixels.shape[-1], read(LightlyViews(pixels), batch), NTXentLoss(TEMPERATURE))
    return {"images_per_second": per_second(step, batch, steps)}


def plain_step(
    encoder: str,
    size_px: int,
    batches: Iterator[tuple[Tensor, Tensor]],
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[], None]:
    """Return a training step as an example in a textbook has it."""
    network = new_network(encoder, size_px)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        view0, view1 = next(batches)
        z0, z1 = network(view0.to(device())).z, network(view1.to(device())).z
        loss = loss_of(z0, z1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
        optimizer.step()

    return step


# By the name of the package that each needs; `usual` needs none that fewscan does not.
OTHERS = {"usual": usual, "kornia": kornia, "lightly": lightly}


def is_installed(pipeline: str) -> bool:
    return pipeline == "usual" or importlib.util.find_spec(pipeline) is not None
