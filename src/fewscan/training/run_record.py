"""What a run was made from: the data that it saw and the software that it ran on."""

import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Self

import torch

from fewscan.config import Settings
from fewscan.datasets.descriptions import Protocol
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.options import ImageSpec
from fewscan.models.encoders import encoder_type
from fewscan.training.beginning import BeganWith
from fewscan.training.plugins import Plugin, plugins_of
from fewscan.training.settings import RunSettings
from fewscan.version import __version__
from fewscan.wording import counted

# It stands among a package's whole description, which takes long to read.
_version = cache(version)
# Whose versions a run notes.
PACKAGES = ("torch", "numpy", "lightning-fabric", "faiss-cpu", "pillow")


class RunRecord(Settings):
    """The content of `run.json`."""

    dataset: str
    recipe: str | None = None  # whose settings these are, as changed; None where nobody said
    dataset_identity: str  # of the dataset's images, however many are added
    dataset_fingerprint: str
    split_fingerprint: str
    protocol: Protocol
    leaking_pairs: int | None  # pairs across the split's parts when training began; None where nobody had looked
    snapshot_sha256: str  # of the file with the rows, parts and labels that it saw
    classes: tuple[str, ...]
    spec: ImageSpec
    started: str
    versions: dict[str, str]
    plugins: tuple[Plugin, ...] = ()
    began_with: BeganWith | None = None  # None for random weights
    machine: str

    @classmethod
    def of(
        cls,
        dataset: Snapshot,
        snapshot_sha256: str,
        settings: RunSettings,
        *,
        leaking_pairs: int | None,
        recipe: str | None,
        began_with: BeganWith | None,
    ) -> Self:
        """Return the record of a run that begins now, on this machine; raises FewscanError where `dataset` has no split."""
        split = dataset.require_split()
        return cls(
            dataset=str(dataset.folder.resolve()),
            recipe=recipe,
            dataset_identity=dataset.description.identity,
            dataset_fingerprint=dataset.description.fingerprint,
            split_fingerprint=split.fingerprint,
            protocol=split.protocol,
            leaking_pairs=leaking_pairs,
            snapshot_sha256=snapshot_sha256,
            classes=dataset.classes,
            spec=dataset.spec,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions={"fewscan": __version__, "python": platform.python_version()}
            | {name: _version(name) for name in (*PACKAGES, *encoder_type(settings.encoder.name).packages)},
            plugins=plugins_of(settings),
            began_with=began_with,
            machine=f"{platform.system()} {platform.machine()}, {counted(torch.get_num_threads(), 'thread')}",
        )
