"""The ways to draw a split, by name: the one place that lists fewscan's own, and the door for others."""

from typing import Any, ClassVar

from fewscan.registry import Registry

GIVEN = "given"  # as the data came: nothing was drawn
UNSPLIT = "unsplit"  # all is learned from, without labels, and nothing judges: there is no border to cross


class SplitProtocol:
    """How images are dealt to the parts of a split."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    title: ClassVar[str] = ""  # how a split so drawn is called on pages; nothing: by the protocol's name
    keeps_groups: ClassVar[bool]  # whether copies of an image, and images of a patient, stay on one side


class LeakfreeProtocol(SplitProtocol):
    """Every group is on one side: to learn from, to choose by or to test on."""

    name = "leakfree"
    title = "without leaks"
    summary = "copies never cross the split, nor do known patients"
    keeps_groups = True


class RandomProtocol(SplitProtocol):
    """Images at random, whatever copies of them lie elsewhere: scores are too good, by as much as copies are worth."""

    name = "random"
    title = "drawn image by image"
    summary = "images at random, wherever their copies are"
    keeps_groups = False


PROTOCOLS: dict[str, type[SplitProtocol]] = {protocol.name: protocol for protocol in (LeakfreeProtocol, RandomProtocol)}


def protocol_flaw(own: Any) -> str | None:
    """Return what a class lacks to be a protocol, None where it is one."""
    if not (isinstance(own, type) and issubclass(own, SplitProtocol)):
        return f"it is not a subclass of {SplitProtocol.__module__}.{SplitProtocol.__qualname__}"
    return None if isinstance(getattr(own, "keeps_groups", None), bool) else "keeps_groups must be True or False"


REGISTRY: Registry[type[SplitProtocol]] = Registry("protocol", "fewscan.protocols", PROTOCOLS, protocol_flaw)


def keeps_groups(protocol: str) -> bool:
    """Return whether a split drawn so keeps every group on one side; one that the data came with promises nothing.

    Raises FewscanError where there is no such protocol.
    """
    return protocol == UNSPLIT or (protocol != GIVEN and REGISTRY.find(protocol).keeps_groups)


def titled(protocol: str) -> str:
    """Return how a split that was drawn by a protocol is called, behind the word split: `without leaks`.

    Raises FewscanError where there is no such protocol.
    """
    if protocol in (GIVEN, UNSPLIT):
        return "as the data came" if protocol == GIVEN else "into no parts"
    return REGISTRY.find(protocol).title or f"'{protocol}'"


def may_leak(protocol: str) -> bool:
    """Return whether a split was drawn so that copies may lie on both sides; one that the data came with was not drawn."""
    return protocol != GIVEN and not keeps_groups(protocol)
