"""Settings: typed, frozen, checked; an unknown key is an error with its dotted path and the nearest valid one.

The settings of a part stand beside that part, as a subclass of `Settings`; here is what they have in common.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import pydantic
import yaml

from fewscan.errors import FewscanError, Reasons

# How many valid names an error lists.
NAMES_LISTED = 20
# How many brackets a setting on the command line may open: YAML takes seconds over hundreds within each other.
MOST_BRACKETS = 20
# What other programs call some settings, none of which begins as ours does.
SHORT_NAMES = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "iterations": "training_images",
    "size": "input_px",
}
# A number as people write it: with commas between thousands, and a unit behind it.
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+)\s*([%kKmM]|)", re.ASCII)
_UNITS = {"": Decimal(1), "%": Decimal("0.01"), "k": Decimal(1000), "m": Decimal(1000000)}


class Settings(pydantic.BaseModel):
    """A group of settings that never changes once made and that refuses keys it does not know."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Check `values` and return the settings.

        `where` is put before dotted paths in errors: the name of the file or of the group that holds `values`.
        Raises FewscanError naming all wrong keys and values that are found together.
        """
        with Reasons("the settings cannot be used") as reasons:
            try:
                return cls.model_validate(values)
            except pydantic.ValidationError as error:
                reasons.add(*(_describe(cls, one, where) for one in error.errors()))
        raise AssertionError("an error without reasons")

    @classmethod
    def read(cls, path: Path, otherwise: str) -> Self:
        """Return the settings in a JSON file; `otherwise` is what helps where it is damaged, such as `import again`.

        Raises FewscanError where it is no JSON object, and naming wrong keys and values.
        """
        return cls.parse(json_object(path, otherwise), where=path.name)

    def as_yaml(self) -> str:
        """Return the settings, complete, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


class ChosenSettings(Settings):
    """Settings that a person chooses: their numbers are finite, as those that JSON and YAML can hold."""

    model_config = pydantic.ConfigDict(allow_inf_nan=False)


def json_object(path: Path, otherwise: str) -> dict[str, Any]:
    """Return the object in a JSON file; raises FewscanError, saying what helps, where it cannot be read or is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise FewscanError(f"no permission to read {path}") from None
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise FewscanError(f"{path} is damaged: {otherwise}")
    return content


def yaml_value(text: str) -> Any:
    """Return what a YAML text says; raises ValueError for what YAML cannot read.

    Its tags run the constructors of Python's own types, which raise what they like over a text that is none of theirs.
    """
    try:
        return deepcopy(_known_yaml(text))
    except Exception as error:
        raise ValueError("not YAML") from error


# A run's settings are read again by each verb that opens it, and take milliseconds each time. Not by libyaml: a text that nests
# deep ends the process there.
@lru_cache(64)
def _known_yaml(text: str) -> Any:
    return yaml.safe_load(text)


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Turn `["epochs=3", "method.temperature=0.5"]` into `{"epochs": 3, "method": {"temperature": 0.5}}`.

    Values are read as YAML scalars or lists, so `true`, `0.5` and `null` mean what they say. A group that is named and has
    members of its own besides, `["encoder=resnet_small", "encoder.width=32"]`, keeps its name as `name`. Raises FewscanError
    for anything that is not `key=value`.
    """
    nested: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise FewscanError(f"'{pair}' is not a setting: write key=value, for example epochs=20")
        group = nested
        for part in parts[:-1]:
            group = _members(group, part, key)
        last = parts[-1]
        if isinstance(group.get(last), dict):
            group, last = _members(group, last, key), "name"
        group[last] = _read(value)
    return nested


def _read(text: str) -> Any:
    """Return the YAML scalar or list that `text` is; what else YAML makes of it, as of `timm:`, was meant as text."""
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        return text
    try:
        value = yaml_value(text)
    except ValueError:
        return text
    return text if isinstance(value, Mapping) else value


def _members(group: dict[str, Any], part: str, key: str) -> dict[str, Any]:
    """Return the members of a group in a group, making them where there are none yet."""
    if isinstance(group.get(part), str):
        group[part] = {"name": group[part]}
    members = group.setdefault(part, {})
    if not isinstance(members, dict):
        raise FewscanError(f"'{key}': '{part}' already has a value, so it cannot have settings below it")
    return members


def spelled_out(changes: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return changed settings as the command line takes them, `method.temperature=0.5`: what `parse_overrides` reads."""
    words = []
    for key, value in changes.items():
        if isinstance(value, Mapping):
            words += spelled_out(value, f"{prefix}{key}.")
        else:
            text = yaml.safe_dump(value, default_flow_style=True, width=math.inf, allow_unicode=True)
            text = text.removesuffix("...\n").removesuffix("\n")
            words.append(f"{prefix}{key}={text}")
    return words


def leaves(group: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the settings in nested groups by their dotted paths."""
    found: dict[str, Any] = {}
    for key, value in group.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it, group by group; neither argument is changed."""
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def nearest(name: str, valid: Iterable[str], deeper: Iterable[str] = (), group: str = "") -> str:
    """Return a hint that ends an error about an unknown name: the nearest valid one, or all of them, or the first of many.

    deeper: dotted paths that may be meant besides, each by its last part, `optimizer.learning_rate`, if no two end in it.
    group: what stands before the name, `optimizer.`, and so before the nearest one, which can be given as it is.
    """
    names, ends = sorted(valid), [(path.rpartition(".")[2], path) for path in deeper]
    known = [end for end, _ in ends]
    meant = {end: path for end, path in ends if known.count(end) == 1} | {each: each for each in names}
    said = SHORT_NAMES.get(name, name)
    longer = [said] if said in meant else [each for each in meant if each.startswith(f"{name}_")]
    close = longer if len(longer) == 1 else difflib.get_close_matches(name, meant, n=1)
    if close:
        return f"did you mean '{group}{meant[close[0]]}'?"
    more = f" and {len(names) - NAMES_LISTED} more" if len(names) > NAMES_LISTED else ""
    return f"choose from {', '.join(names[:NAMES_LISTED])}{more}"


def plain_number(error: pydantic.ValidationError) -> str:
    """Return how an error about a text that means a number ends, such as `18%`, `20k` or `20,000`: with what is to be written.

    Nothing for any other error.
    """
    return _plain_number(error.errors()[0])


def _plain_number(first: Mapping[str, Any]) -> str:
    found = _NUMBER.fullmatch(str(first["input"]).strip())
    if found is None or first["type"] not in ("int_parsing", "float_parsing"):
        return ""
    value = Decimal(found[1].replace(",", "")) * _UNITS[found[2].lower()]
    # A share is no number of things, however it is written.
    return f": write {value.normalize():f}" if first["type"] == "float_parsing" or value == value.to_integral_value() else ""


def _paths(settings: type[pydantic.BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of the settings in those groups that are there by default."""
    for name, field in settings.model_fields.items():
        if isinstance(field.default, pydantic.BaseModel):
            yield from _paths(type(field.default), f"{prefix}{name}.")
        elif prefix:
            yield f"{prefix}{name}"


def _describe(cls: type[pydantic.BaseModel], first: Mapping[str, Any], where: str) -> str:
    keys = [str(key) for key in first["loc"]]
    dotted = ".".join([*([where] if where else []), *keys])
    if first["type"] == "extra_forbidden":
        owner: type[pydantic.BaseModel] = cls
        for key in keys[:-1]:
            annotation = owner.model_fields[key].annotation
            if not (isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)):
                break
            owner = annotation
        hint = nearest(keys[-1], owner.model_fields, _paths(owner), group=dotted.removesuffix(keys[-1]))
        return f"unknown setting '{dotted}': {hint}"
    if first["type"] == "missing":
        return f"setting '{dotted}' is missing"
    message = first["msg"].removeprefix("Value error, ")  # what pydantic puts before an error of ours
    return f"setting '{dotted}': {message[0].lower()}{message[1:]} (got {first['input']!r}){_plain_number(first)}"
