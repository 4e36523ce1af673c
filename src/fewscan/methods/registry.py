"""The methods by name: the one place that lists them."""

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.methods.barlow_twins import BarlowTwins
from fewscan.methods.joint import Joint
from fewscan.methods.method import Method
from fewscan.methods.mixmatch import MixMatch
from fewscan.methods.nnclr import NNCLR
from fewscan.methods.simclr import SimCLR
from fewscan.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {method.name: method for method in (Supervised, BarlowTwins, NNCLR, SimCLR, Joint, MixMatch)}

# What `fewscan train` takes where scans are unlabeled, unless told otherwise; docs/search.md says why.
DEFAULT_METHOD = MixMatch.name


def method_type(name: str) -> type[Method]:
    """Return the method called `name`; raises FewscanError naming the nearest one where there is none."""
    if name not in METHODS:
        raise FewscanError(f"unknown method '{name}': {nearest(name, METHODS)}")
    return METHODS[name]
