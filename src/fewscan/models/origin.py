"""Where the weights come from that an encoder begins with."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from fewscan.config import Settings

if TYPE_CHECKING:
    # An import asks what is installed, and need not load PyTorch for that.
    from torch import Tensor


class Origin(Settings):
    """Where weights come from, in words and in a hash."""

    kind: Literal["package", "fetched", "file", "run"]
    source: str  # as people call it: a package with its version, a file's or run's name without its folders
    license: str | None = None  # of the weights; None where it is not known
    learned_from: str | None = None  # the images that the weights were learned from, as people call them; None: not known
    sha256: str | None = None  # of the file that the weights were read from; None where there was no one file
    run: str | None = None  # of kind run: its folder, as it was then
    identity: str | None = None  # of kind run
    dataset_identity: str | None = None  # of kind run: of the dataset that it learned from
    before: Origin | None = None  # what that run had begun with itself

    @property
    def words(self) -> str:
        """Where the weights come from, as a part of a sentence."""
        said = f"weights of {self.kind} {self.source}"
        if self.kind in ("package", "fetched"):
            said = f"{self.learned_from or ''} weights of {self.source}".strip()
        return said if self.before is None else f"{said}, which had started from {self.before.words}"

    @property
    def without_folders(self) -> Self:
        """The same as others may read it: without places on this machine."""
        return self.model_copy(update={"run": None, "before": None if self.before is None else self.before.without_folders})

    def may_know(self, dataset_identity: str) -> bool:
        """Return whether nobody can tell if the weights have learned from images of a dataset, or from copies of them.

        Of a run on that dataset it is known; what packages and timm carry was learned from images that they name.
        """
        known = self.dataset_identity == dataset_identity if self.kind == "run" else self.learned_from is not None
        return not known or (self.before is not None and self.before.may_know(dataset_identity))


class Weights(NamedTuple):
    """Tensors by name, and where they come from."""

    tensors: Mapping[str, Tensor]
    origin: Origin


class KnownWeights(Settings):
    """Weights that an encoder can get by name."""

    name: str  # as `encoder.weights` has it
    summary: str  # what they are and where they come from, one line
    license: str
    megabytes: float | None  # None: each model has its own
    input_px: int | None  # the images' size that they were learned at
    package: str  # that has to be installed
    extra: str  # of fewscan, which installs it

    @property
    def installed(self) -> bool:
        """Whether the package that carries or fetches them is installed."""
        return importlib.util.find_spec(self.package.replace("-", "_")) is not None

    def __str__(self) -> str:
        """Say it in a line."""
        size = [] if self.megabytes is None else [f"{self.megabytes:g} MB"]
        learned = [] if self.input_px is None else [f"trained at {self.input_px} px"]
        there = "installed" if self.installed else f"not installed: pip install 'fewscan[{self.extra}]'"
        return f"{self.summary} ({', '.join([*size, f'license {self.license}', *learned])}); {there}"
