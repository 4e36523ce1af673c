"""What a user asks of the decisions on labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

from fewscan.errors import FewscanError
from fewscan.splits.support import COVERAGE, TARGET_ERROR

# A smaller share would take millions of held-out images.
_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Asked:
    """What a user asks of the decisions."""

    target_error: float = TARGET_ERROR  # in the long run, among accepted labels
    coverage: float = COVERAGE  # how often the right class is to be among the possible ones
    coverage_per_class: bool = False  # within each class, not over all scans
    candidates: int | None = None  # among how many runs this one was chosen by validation; None: as many as are on record
    target_missed: Mapping[str, float] = field(default_factory=dict)  # by class: which share may be accepted as another one

    def __post_init__(self) -> None:
        """Raise FewscanError for a share that is no number in (0, 1) or hardly above 0, and for less than one run."""
        missed = [(f"--target-missed {name}", share) for name, share in self.target_missed.items()]
        for name, share in (("--target-error", self.target_error), ("--coverage", self.coverage), *missed):
            if not isinstance(share, Real):
                raise FewscanError(f"{name} must be a number between 0 and 1, such as 0.05, not {share!r}")
            if not 0 < share < 1:
                raise FewscanError(f"{name} must be between 0 and 1, such as 0.05, not {share:g}")
            if share < _LEAST_SHARE:
                raise FewscanError(f"{name} must be at least {_LEAST_SHARE:f}, not {share:g}: less takes millions of labels")
        if self.candidates is not None and self.candidates < 1:
            raise FewscanError(f"--candidates counts this run too, so it must be at least 1, not {self.candidates}")
