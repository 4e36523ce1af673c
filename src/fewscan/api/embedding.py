"""The verb that makes features of images: embed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import encoder_asked, opened_dataset, read_of
from fewscan.atomic import refuse_replacing
from fewscan.folders import kind_of
from fewscan.idle import refuse_idle, refuse_idle_overwrite

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.embedding import Embeddings
    from fewscan.training.run import Run


def embed(
    place: str | Path | Dataset,
    *,
    encoder: str | Path | Run,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    size_px: int | None = None,
    color: bool = False,
    follow_links: bool = False,
    devices: int = 1,
    overwrite: bool = False,
    **settings: Any,
) -> Embeddings:
    """Return an encoder's features of scans: `.features` (N, D), or `.table` with the names of the scans.

    place: a dataset, which keeps them, so that only features of added scans are computed; or a folder or file of scans, read as
    the encoder's run reads them, or as squares of `size_px`, gray unless `color`. encoder: a name, a run, or a file of weights.
    weights: for an encoder by name; by default the first that it knows, or random ones if it knows none. settings: other
    settings of the encoder, such as `input_px=128`. out: a Parquet file for the table. devices: how many processes share the
    images, each with a GPU or a part of the CPU's cores. overwrite: replace `out`. Raises FewscanError if the encoder or its
    weights are not available, and if `out` exists.
    """
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.continuing import asked_encoder
    from fewscan.training.embedding import embed_dataset, embed_files, require_table, spec_for

    asked = asked_encoder(str(encoder_asked(encoder)), **settings, **({} if weights is None else {"weights": str(weights)}))
    refuse_idle_overwrite(out, overwrite=overwrite)
    if out is not None:
        require_table(Path(out), overwrite=overwrite)
    # A run is refused as no dataset, which says of which dataset it is.
    if isinstance(place, Dataset) or kind_of(Path(place)) in ("dataset", "run"):
        of_files = {"--size": size_px is not None, "--color": color, "--follow-links": follow_links}
        refuse_idle(of_files, "scans in files, and a dataset's are already read", "name a folder of scans")
        opened = opened_dataset(place)
        if out is not None:
            refuse_replacing(Path(out), *read_of(opened))
        found = embed_dataset(opened, asked, devices=devices)
    else:
        spec = spec_for(asked, size_px, color=color)
        found = embed_files(Path(place), asked, spec, follow_links=follow_links, devices=devices)
    if out is not None:
        found.save(Path(out), overwrite=overwrite)
    return found
