"""Names of methods, recipes and the like in a command, looked up as it is read: before what takes seconds to load."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from fewscan.api.several import listed_names
from fewscan.comparison.ways import Way
from fewscan.errors import FewscanError, Reasons
from fewscan.registry import Names
from fewscan.wording import listed

# Fewscan's own as their registries have them, which load the things themselves; a test holds the two together.
METHODS = Names(
    "method",
    "fewscan.methods",
    ("supervised", "barlow_twins", "nnclr", "simclr", "vicreg", "joint", "mixmatch", "probe", "propagation"),
)
# Its own encoders, and the weights that each knows by name.
WEIGHTS = {
    "resnet_small": (),
    "efficientnet_lite0": ("imagenet",),
    "efficientnet_lite0_middle": ("imagenet",),
    "efficientnet_lite2": ("imagenet",),
    "efficientnet_lite2_middle": ("imagenet",),
    "timm": ("timm",),
}
ENCODERS = Names("encoder", "fewscan.encoders", tuple(WEIGHTS))
VIEWS = Names("policy of views", "fewscan.views", ("scan",))
RECIPES = Names("recipe", "fewscan.recipes", ("fewscan", "finetune"))
PROTOCOLS = Names("protocol", "fewscan.protocols", ("leakfree", "random"))


def known(names: Names) -> Callable[..., str | None]:
    """Return a callback that refuses an unknown name; an option that was not given, None, passes.

    So does whatever stands beside `--resume`: the verb says what the run has instead.
    """

    def checked(context: typer.Context, name: str | None) -> str | None:
        if name is not None and not context.params.get("resume"):
            names.require(name)
        return name

    return checked


def all_known(names: Names) -> Callable[[str], str]:
    """Return a callback that refuses a list of names, separated by commas, where one is unknown."""

    def checked(text: str) -> str:
        with Reasons("these names cannot be used") as reasons:
            for name in listed_names(text):
                with reasons.noted():
                    names.require(name)
        return text

    return checked


def ways_known(text: str | None) -> str | None:
    """Refuse a list of ways to learn, as `compare` takes them, where one names an unknown method or recipe."""
    with Reasons("these methods cannot be compared") as reasons:
        for name in listed_names(text or ""):
            with reasons.noted():
                way = Way.read(name)
                asked = ((METHODS, way.method), (METHODS, way.first), (RECIPES, way.recipe))
                for names, each in asked:
                    if each is not None:
                        with reasons.noted():
                            names.require(each)
    return text


def require_together(option: str, words: Sequence[str]) -> None:
    """Raise FewscanError where names that belong into `--methods`, whose value is `option`, stand behind it as words.

    A shell parts what is written with a space between the names.
    """
    apart = [word for word in words if "=" not in word and _names_ways(word)]
    if apart:
        names = listed_names(",".join([option, *apart]))
        raise FewscanError(f"write the names with commas and no spaces between them: --methods {','.join(names)}")


def _names_ways(word: str) -> bool:
    """Return whether a word is one way to learn, by a method of fewscan's own, or several with commas."""
    try:
        ways = [Way.read(name) for name in listed_names(word)]
    except FewscanError:
        return False
    return bool(ways) and all(way.method in METHODS.own_names() for way in ways)


def encoder_known(text: str | None) -> str | None:
    """Refuse what is to be an encoder and is neither the name of one nor a run or file that is there."""
    if text is not None and not Path(text).exists():
        _refuse_path(text)
        _require_encoder(text)
    return text


def require_names(settings: Mapping[str, Any]) -> None:
    """Raise FewscanError where settings of a run name an unknown encoder, unknown weights of one, or unknown views."""
    with Reasons("the settings cannot be used") as reasons:
        for group, require in (("encoder", _require_encoder), ("views", VIEWS.require)):
            value = settings.get(group)
            name = value.get("name") if isinstance(value, Mapping) else value
            if isinstance(name, str):
                with reasons.noted():
                    require(name)
        encoder = settings.get("encoder")
        if isinstance(encoder, Mapping):
            with reasons.noted():
                require_weights(encoder.get("weights"), encoder.get("name"))


def require_weights(weights: object, encoder: object = None) -> None:
    """Raise FewscanError where weights are no run or file that is there, and no name that the encoder knows.

    encoder: its name; None for one that is chosen later. Which names somebody else's knows is not to be had without loading it.
    """
    if not isinstance(weights, str) or Path(weights).exists():
        return
    _refuse_path(weights)
    name = str(encoder).partition(":")[0]
    if encoder is not None and name not in WEIGHTS:
        return
    known = sorted({each for own, names in WEIGHTS.items() for each in names if encoder is None or own == name})
    if weights in known:
        return
    others = f"{'encoders know' if encoder is None else f'{encoder} knows'} {listed(known)}, or " if known else ""
    raise FewscanError(f"there are no weights '{weights}': {others}name a finished run's folder or a file of weights")


def _refuse_path(text: str) -> None:
    """Raise FewscanError where what is not there is no name, but a path."""
    if "/" in text:
        raise FewscanError(f"there is no folder or file {text}: check the path")


def _require_encoder(name: str) -> None:
    # After a colon a name may say which model of several: timm:resnet18.
    ENCODERS.require(name.partition(":")[0])
