"""Images -> what an encoder that learns no more makes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fewscan.errors import FewscanError
from fewscan.images.parallel import in_order
from fewscan.learning.changed_view import changed
from fewscan.learning.method import CHANGED, VIEWS
from fewscan.learning.views import plain
from fewscan.models.encoder import Encoder
from fewscan.models.passes import Passes

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """An encoder on its device, as features that are kept are had by it."""

    encoder: Encoder
    device: torch.device
    passes: Passes | None = None  # how features are had, where not by the encoder itself
    views: tuple[str, ...] = VIEWS

    @torch.no_grad()
    def __call__(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Return the features (N, V, D) of images (N, C, S, S)."""
        images = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        features = features_of(self.passes or self.encoder, images, self.views).cpu().numpy()
        if not np.isfinite(features).all():
            raise FewscanError(f"encoder '{self.encoder.settings.name}' gives features that are not numbers: use other weights")
        return features


@torch.no_grad()
def features_of(encoder: Passes, images: Tensor, views: tuple[str, ...] = VIEWS[:1]) -> Tensor:
    """Return the features (B, V, D) float32 of images (B, C, S, S) uint8, which are on the encoder's device."""
    views_of = [plain(_SHOWN[view](images)).contiguous(memory_format=torch.channels_last) for view in views]
    return torch.stack([encoder(view).float() for view in views_of], dim=1)


def _changed(images: Tensor) -> Tensor:
    views = in_order(changed, images.cpu().numpy(), workers=torch.get_num_threads())
    return torch.from_numpy(np.stack(list(views))).to(images.device)


# By a view's name, uint8 images (B, C, S, S) as they are shown in it.
_SHOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda images: images,
    "mirrored": lambda images: images.flip(-1),
    CHANGED: _changed,
}
