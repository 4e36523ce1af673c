"""Where the page's model looks: a heat map of one scan, over the scan as the model sees it."""

from collections import OrderedDict
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from fewscan.explaining.attribution import hidden_map
from fewscan.models.folding import folded
from fewscan.reporting.evidence_figure import overlaid
from fewscan.reviewing.desk import Desk, NoSuchThingError
from fewscan.reviewing.levels import Levels
from fewscan.reviewing.opinion import Opinion
from fewscan.reviewing.tutor import Tutor

# Coarser than in a run's report: 49 places are hidden, not 225, so that one need not wait.
WINDOW_SHARE, STRIDE_SHARE = 1 / 4, 1 / 8
KEPT = 8


class HeatMaps:
    """Heat maps of a desk's scans by the page's model; one is computed at a time, and the newest are kept."""

    def __init__(self, desk: Desk, tutor: Tutor) -> None:
        self._desk, self._tutor = desk, tutor
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, str, int, int], Levels] = OrderedDict()

    def of(self, row: int, label: str | None) -> Levels:
        """Return the map of what speaks for a class, by default the one that the model calls, as a picture for a canvas.

        Raises CannotNowError where there is no model, or one without an encoder; NoSuchThingError for a class it does not know.
        """
        opinion, encoder = self._tutor.of_an_encoder("no heat map for a model of pixels alone")
        label = opinion.best(row)[0] if label is None else label
        if label not in opinion.classes:
            raise NoSuchThingError(f"the model does not know the class '{label}'")
        key = (row, label, opinion.entry, id(encoder))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._made(row, label, opinion, folded(encoder.encoder))
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return self._kept[key]

    def _made(self, row: int, label: str, opinion: Opinion, encoder: nn.Module) -> Levels:
        pixels = np.array(self._desk.dataset.pixels[row])
        device = next(encoder.parameters()).device
        weight, bias = (torch.from_numpy(part).to(device) for part in opinion.solution)

        def logits(images: Tensor) -> Tensor:
            features: Tensor = encoder(images)
            return features.float() @ weight.T + bias

        found = hidden_map(logits, device, pixels, opinion.classes.index(label), WINDOW_SHARE, STRIDE_SHARE)
        picture = np.rint(255 * overlaid(pixels, found)).astype(np.uint8)
        note = f"heat map: yellow speaks for {label}, blue against it; scan as the model sees it"
        return Levels(picture, picture.shape[1], picture.shape[0], 0.0, 1.0, 0.0, 255.0, "stored", note)
