"""Other splits, parts and labels of a dataset for a benchmark: in memory, so that the dataset's folder keeps its own."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from fewscan.config import merge
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot, snapshot_fingerprint
from fewscan.evaluation.predictor import Predictor
from fewscan.splits.split import describe, drawn
from fewscan.training.choice import choose
from fewscan.training.recipes import DEFAULT_RECIPE
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new


def split_in_memory(dataset: Snapshot, *, labeled: int, test: int, validation: float, **options: Any) -> Snapshot:
    """Return the dataset under a leak-free split of these sizes, drawn as `fewscan split` draws it."""
    return dataset.with_split(*drawn(dataset, "leakfree", labeled, test, validation, **options))


def with_parts(dataset: Snapshot, parts: pd.Series) -> Snapshot:
    """Return a split dataset with other parts, whose description counts them."""
    split = dataset.require_split()
    column = parts.astype(object).where(parts.notna(), None).to_numpy()
    about = {"protocol": split.protocol, "seed": split.seed, "shares": split.shares}
    return dataset.with_split(column, describe(dataset, column, **about))


def with_labels(dataset: Snapshot, manifest: pd.DataFrame) -> Snapshot:
    """Return the dataset with the labels of another manifest, and without what is set aside there; classes follow from them."""
    aside = manifest["set_aside"].notna()
    manifest = manifest.assign(label=manifest["label"].mask(aside)).astype(MANIFEST_DTYPES)
    classes = tuple(sorted(manifest["label"].dropna().unique()))
    fingerprint = snapshot_fingerprint(dataset.description.chain, classes, manifest)
    description = dataset.description.model_copy(update={"classes": classes, "fingerprint": fingerprint})
    return replace(dataset, manifest=manifest, description=description)


def trained(
    dataset: Snapshot,
    out: Path,
    *,
    method: str | Mapping[str, Any] | None = None,
    recipe: str = DEFAULT_RECIPE,
    **settings: Any,
) -> Run:
    """Train on a dataset in memory as `fewscan train` does on a folder, by the method that it would choose if none is named."""
    sizes = {part: len(dataset.rows(part)) for part in ("labeled", "unlabeled")}
    if method is None:
        choice = choose(sizes["labeled"], sizes["unlabeled"], dataset.spec.size_px, recipe=recipe, changes=settings)
        method, settings = choice.method, merge(choice.changes, settings)
    return train_new(dataset, RunSettings.resolve(method, recipe, settings, **sizes), out, recipe=recipe)


def taught(dataset: Snapshot, **asked: Any) -> tuple[Run, Predictor]:
    """Train as `trained` does, in a folder that is gone then; return the run, for its settings, and what predicts."""
    with tempfile.TemporaryDirectory() as folder:
        run = trained(dataset, Path(folder) / "run", **asked)
        return run, Predictor.of(run)
