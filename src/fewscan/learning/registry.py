"""The methods by name: the one place that lists fewscan's own, and the door for others."""

from typing import Any

from fewscan.learning.barlow_twins import BarlowTwins
from fewscan.learning.joint import Joint
from fewscan.learning.method import Method, MethodSettings
from fewscan.learning.mixmatch import MixMatch
from fewscan.learning.nnclr import NNCLR
from fewscan.learning.probe import Probe
from fewscan.learning.propagation import Propagation
from fewscan.learning.simclr import SimCLR
from fewscan.learning.supervised import Supervised
from fewscan.learning.vicreg import VICReg
from fewscan.registry import Registry, settings_flaw

# Fewscan's own, in the order of tables.
_OWN: tuple[type[Method], ...] = (Supervised, BarlowTwins, NNCLR, SimCLR, VICReg, Joint, MixMatch, Probe, Propagation)
METHODS: dict[str, type[Method]] = {method.name: method for method in _OWN}

# Those that train an encoder, step by step: what is compared unless others are named.
TRAINING_METHODS = tuple(name for name, method in METHODS.items() if not method.solves)

# What `fewscan train` takes where scans are unlabeled, unless told otherwise; docs/search.md says why.
DEFAULT_METHOD = MixMatch.name


def method_flaw(own: Any) -> str | None:
    """Return what a class lacks to be a method, None where it is one."""
    flaw = settings_flaw(own, Method, MethodSettings)
    if flaw is not None:
        return flaw
    for fact in ("two_views", "uses_unlabeled", "needs_labels", "guesses", "solves"):
        if not isinstance(getattr(own, fact, None), bool):
            return f"{fact} must be True or False"
    if own.solves:
        return "it does not define solve" if own.solve is Method.solve else None
    return "it does not define losses" if own.losses is Method.losses else None


REGISTRY: Registry[type[Method]] = Registry("method", "fewscan.methods", METHODS, method_flaw)


def method_type(name: str) -> type[Method]:
    """Return the method called `name`; raises FewscanError naming the nearest one where there is none."""
    return REGISTRY.find(name)


def methods_without_labels() -> tuple[str, ...]:
    """Return the names of the methods that need no labels, those of installed packages among them."""
    found, _ = REGISTRY.all()
    return tuple(name for name, method in found.items() if not method.needs_labels)
