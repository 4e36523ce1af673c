"""The methods by name: the one place that lists them."""

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.learning.barlow_twins import BarlowTwins
from fewscan.learning.joint import Joint
from fewscan.learning.method import Method
from fewscan.learning.mixmatch import MixMatch
from fewscan.learning.nnclr import NNCLR
from fewscan.learning.simclr import SimCLR
from fewscan.learning.supervised import Supervised

METHODS: dict[str, type[Method]] = {method.name: method for method in (Supervised, BarlowTwins, NNCLR, SimCLR, Joint, MixMatch)}

# What `fewscan train` takes where scans are unlabeled, unless told otherwise; docs/search.md says why.
DEFAULT_METHOD = MixMatch.name


def method_type(name: str) -> type[Method]:
    """Return the method called `name`; raises FewscanError naming the nearest one where there is none."""
    if name not in METHODS:
        raise FewscanError(f"unknown method '{name}': {nearest(name, METHODS)}")
    return METHODS[name]
