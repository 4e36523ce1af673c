"""The verb that opens a page for labeling: review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.opening import encoder_asked, folder_of
from fewscan.api.several import listed_names
from fewscan.errors import FewscanError

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.reviewing.serving import Served
    from fewscan.training.run import Run


def review(
    dataset: str | Path | Dataset,
    *,
    classes: str | Sequence[str] = (),
    encoder: str | Path | Run | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: bool = False,
) -> Served:
    """Return a page for labeling a dataset's scans, which listens at `.address`; `.serve()` answers until it is interrupted.

    classes: classes to offer, besides those that scans already have. encoder: that of the page's model: a name, a run, or a
    file of weights; by default EfficientNet-Lite0 with ImageNet weights, or pixels alone if these are not installed. port: 0
    takes a free one. host: any but this machine's own requires a token, `.review.door.token`. token: require one in any case.
    Raises FewscanError if the extra `review` is not installed, and if the address is not available.
    """
    try:
        from fewscan.reviewing.serving import served
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise FewscanError("the review page needs packages that are not installed: pip install 'fewscan[review]'") from None

    asked = encoder_asked(encoder)
    return served(folder_of(dataset), host=host, port=port, with_token=token, classes=listed_names(classes), encoder=asked)
