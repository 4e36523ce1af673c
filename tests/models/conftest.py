"""What tests of encoders share."""

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch


@pytest.fixture(scope="session")
def timm() -> Iterator[ModuleType]:
    """The real timm, also beside a CPU build of torch.

    timm imports torchvision, and the package index's torchvision loads its binary operators only beside the CUDA build of
    torch. timm's models use none of them; the import asks only that two are declared. Nothing stands in for timm itself.
    """
    operators = torch.library.Library("torchvision", "FRAGMENT")
    try:
        import timm
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import timm
    yield timm
    # The declarations last as long as this object.
    del operators
