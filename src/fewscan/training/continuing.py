"""What a new run begins with that goes on from a finished one: its weights and settings, and what must not judge it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fewscan.config import merge
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.training.beginning import BeganWith
from fewscan.training.run import MODEL_FILE, Run


def began_with(run: Run) -> BeganWith:
    """Return what a run that begins with the weights of `run` remembers of it; raises FewscanError where it is unfinished."""
    run.load_network()
    weights = run.folder / MODEL_FILE
    return BeganWith(
        run=str(run.folder.resolve()), identity=run.identity, classes=run.record.classes, sha256=file_sha256(weights)
    )


def taught_by(run: Run, snapshot: Snapshot) -> Snapshot:
    """Return `snapshot` with a mark on every row that `run`, or one that it began with itself, has learned from.

    Raises FewscanError where the run was trained on another dataset: which images it has seen could not be told.
    """
    if run.record.dataset_identity != snapshot.description.identity or run.record.spec != snapshot.spec:
        raise FewscanError(
            f"{run.folder} was trained on another dataset than {snapshot.folder}: which of its test images the run has learned "
            "from cannot be told; begin with a run on the same dataset"
        )
    before = run.open_dataset(snapshot.folder)
    taught = np.zeros(len(snapshot.manifest), bool)
    taught[before.rows("labeled", "unlabeled")] = True
    taught[: len(before.manifest)] |= before.manifest["taught_before"].to_numpy(bool)
    return replace(snapshot, manifest=snapshot.manifest.assign(taught_before=taught))


def settings_of(run: Run, method: str | Mapping[str, Any] | None, changes: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return method and changes that give a new run the network and method of `run`, with further `changes`.

    Raises FewscanError where another method is asked for.
    """
    asked = method if method is None or isinstance(method, str) else method.get("name")
    own = run.settings.method.model_dump(mode="json")
    if asked not in (None, own["name"]):
        raise FewscanError(f"{run.folder} is a run of {own['name']}: leave out --method {asked}, or --from")
    further = {} if method is None or isinstance(method, str) else dict(method)
    kept = {name: getattr(run.settings, name).model_dump(mode="json") for name in ("heads", "views")}
    kept["encoder"] = run.settings.encoder.untrained.model_dump(mode="json")
    return own | further, merge(kept, dict(changes))
