"""The ways to draw a split, by name, and whether each keeps groups (copies of an image, images of a patient) on one side."""

from fewscan.config import nearest
from fewscan.errors import FewscanError

KEEPS_GROUPS = {"leakfree": True, "random": False, "study": False}


def keeps_groups(protocol: str) -> bool:
    """Return whether a split drawn so keeps every group on one side; raises FewscanError where there is no such protocol."""
    if protocol not in KEEPS_GROUPS:
        raise FewscanError(f"unknown protocol '{protocol}': {nearest(protocol, KEEPS_GROUPS)}")
    return KEEPS_GROUPS[protocol]
