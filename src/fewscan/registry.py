"""Things of one kind by name: the package's own, those registered in this process, and those that installed packages bring.

An installed package brings one by an entry point, such as `own = "my_package.methods:Own"` in the group `fewscan.methods`.
Nothing of it is imported before its name is looked up or all are listed, and a broken one breaks nothing but itself. A wing of
fewscan, a folder of its own above those that it uses, brings what is its by the same lines, in a file `entry_points.txt`.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from fewscan.config import Settings, nearest
from fewscan.errors import FewscanError

Kind = TypeVar("Kind", bound=type)  # the class that all things of a registry are subclasses of
Own = TypeVar("Own", bound=type)

# Names stand in folders' names, in lists with commas, and before a colon.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
OWN_PACKAGE = "fewscan"
PLACE = Path(__file__).parent
# What was registered in this process, by group and name.
_REGISTERED: dict[str, dict[str, Any]] = {}


EntryPoints = dict[str, metadata.EntryPoint]


class Brought(NamedTuple):
    """An entry point, and whose it is."""

    point: metadata.EntryPoint
    package: str  # name and version


class Names:
    """The names of things of one kind: nothing that is called so is imported for them."""

    def __init__(self, kind: str, group: str, built_in: Sequence[str]) -> None:
        self.kind = kind  # as sentences have it
        self.group = group  # of entry points
        self._built_in = tuple(built_in)  # the package's own
        self._registered = _REGISTERED.setdefault(group, {})

    def require(self, name: str) -> None:
        """Raise FewscanError, naming the nearest, where nothing is called `name`."""
        if name not in self.own_names() and name not in self.names():
            raise FewscanError(f"unknown {self.kind} '{name}': {nearest(name, self.names())}")

    def own_names(self) -> tuple[str, ...]:
        """Return the names of the package's own, those of its wings last."""
        return (*self._built_in, *wings(self.group))

    def names(self) -> tuple[str, ...]:
        """Return every name, the package's own first; nothing is imported for it."""
        brought = sorted(each.point.name for each in self._brought()[0])
        return tuple(dict.fromkeys((*self.own_names(), *self._registered, *brought)))

    def _brought(self) -> tuple[list[Brought], list[str]]:
        """Return the entry points of installed packages, and a line on each package whose entry points cannot be read."""
        found: list[Brought] = []
        problems: list[str] = []
        seen: set[str] = set()
        for package in metadata.distributions():
            if self.group not in (package.read_text("entry_points.txt") or ""):
                continue
            name = "without a name"
            try:
                name = package.metadata["Name"] or name
                called = f"{name} {package.version}"
                points = [point for point in package.entry_points if point.group == self.group]
            except Exception:  # what is malformed leads the reader to whatever error
                problems.append(f"package {name}: its entry_points.txt or METADATA cannot be read")
                continue
            # Installed twice: the first on the path is the one that is imported.
            if normalized(name) not in seen:
                found += [Brought(point, called) for point in points]
            seen.add(normalized(name))
        return found, problems


class Registry(Names, Generic[Kind]):
    """Classes of one kind by name, each with a `name` and a `summary` of one line.

    built_in: the package's own; their names are nobody else's. flaw: says what a class lacks, None where it is sound.
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, Kind], flaw: Callable[[Any], str | None]) -> None:
        super().__init__(kind, group, tuple(built_in))
        self.built_in = built_in
        self._flaw = flaw
        self._loaded: dict[str, Kind] = {}

    def register(self, own: Own) -> Own:
        """Register a class in this process and return it: a decorator. The same class may be registered again, as made anew.

        Raises FewscanError where it lacks something, and where its name is another's.
        """
        source = f"module {own.__module__}"
        self._require_sound(own, source)
        name: str = own.name  # type: ignore[attr-defined]  # it is sound
        other = self._registered.get(name)
        if name in self.own_names():
            raise FewscanError(f"{self.kind} '{name}' of {source}: fewscan has one of that name, choose another name")
        if other is not None and _place(other) != _place(own):
            raise FewscanError(
                f"{self.kind} '{name}' of {source}: module {other.__module__} has already registered one of that name"
            )
        for point, package in self._brought()[0]:
            if point.name == name and point.value.replace(" ", "") != f"{own.__module__}:{own.__qualname__}":
                raise FewscanError(f"{self.kind} '{name}' of {source}: package {package} already provides one of that name")
        self._registered[name] = own
        return own

    def unregister(self, name: str) -> None:
        """Forget a class that was registered in this process."""
        self._registered.pop(name, None)

    def find(self, name: str) -> Kind:
        """Return the class called `name`, loaded where an installed package brings it.

        Raises FewscanError, naming the nearest, where there is none, and naming the package where it is broken.
        """
        for known in (self.built_in, self._registered, self._loaded):
            if name in known:
                return known[name]
        wing = wings(self.group)
        self._loaded[name] = wing[name].load() if name in wing else self._load(name)
        return self._loaded[name]

    def own(self) -> dict[str, Kind]:
        """Return the package's own by name."""
        return {name: self.find(name) for name in self.own_names()}

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return names, each once: the package's own in their order, then others as they come."""
        given = dict.fromkeys(names)
        return tuple(dict.fromkeys((*(name for name in self.own_names() if name in given), *given)))

    def all(self) -> tuple[dict[str, Kind], list[str]]:
        """Return everything that can be used, by name, and a line on each thing that cannot, naming the package."""
        brought, problems = self._brought()
        problems += [
            f"{self.kind} '{point.name}' of package {package} is not used, because fewscan has one of that name"
            for point, package in brought
            if point.name in self.own_names()
        ]
        found: dict[str, Kind] = {}
        for name in self.names():
            try:
                found[name] = self.find(name)
            except FewscanError as error:
                problems.append(str(error))
        return found, problems

    def source(self, name: str) -> str | None:
        """Return whose the thing called `name` is, such as `package scans-extra 1.2`; None for one of fewscan's own."""
        if name in self.own_names():
            return None
        packages = [each.package for each in self._brought()[0] if each.point.name == name]
        if packages:
            return None if packages[0].split()[0] == OWN_PACKAGE else f"package {packages[0]}"
        module = self._registered[name].__module__ if name in self._registered else OWN_PACKAGE
        return None if module.partition(".")[0] == OWN_PACKAGE else f"module {module}"

    def module_to_import(self, name: str) -> str | None:
        """Return the module that another process must import to know `name`; None where it needs none.

        Raises FewscanError where no other process can know it, since it was made in a notebook or inside a function.
        """
        own = self._registered.get(name)
        if own is None or name in {each.point.name for each in self._brought()[0]}:
            return None
        script = getattr(sys.modules["__main__"], "__file__", None)
        if "<locals>" in own.__qualname__ or (own.__module__ == "__main__" and script is None):
            raise FewscanError(
                f"{self.kind} '{name}' is known only in this process: to run several at once, define it in a module that can "
                f"be imported, outside any function, or in a package with an entry point '{self.group}'; or use jobs=1"
            )
        # Processes that are spawned run the script again by themselves.
        return None if own.__module__ == "__main__" else own.__module__

    def _load(self, name: str) -> Kind:
        self.require(name)
        brought = [each for each in self._brought()[0] if each.point.name == name]
        if len(brought) > 1:
            packages = " and ".join(each.package for each in brought)
            raise FewscanError(f"{self.kind} '{name}' is provided by packages {packages}: uninstall all but one")
        point, package = brought[0]
        try:
            own = point.load()
        # Another's module may raise whatever it likes, and may end the process.
        except (Exception, SystemExit) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise FewscanError(
                f"{self.kind} '{name}' of package {package} cannot be loaded ({reason}): fix or uninstall that package"
            ) from None
        self._require_sound(own, f"package {package}", name)
        loaded: Kind = own
        return loaded

    def _require_sound(self, own: Any, source: str, name: str | None = None) -> None:
        """Raise FewscanError saying what a class lacks; name: what it must be called."""
        called = getattr(own, "name", None)
        summary = getattr(own, "summary", None)
        flaw = self._flaw(own)
        if flaw is None and not (isinstance(called, str) and NAME.fullmatch(called)):
            flaw = f"its name must be a letter, then letters, digits or underscores, not {called!r}"
        if flaw is None and name is not None and called != name:
            flaw = f"its class has the name '{called}'"
        if flaw is None and not (isinstance(summary, str) and summary.strip() and summary.isprintable()):
            flaw = "it needs a one-line summary"
        if flaw is not None:
            said = name or called or getattr(own, "__name__", own)
            raise FewscanError(f"{self.kind} '{said}' of {source} cannot be used: {flaw}")


@cache
def wings(group: str) -> EntryPoints:
    """Return what the wings of this package bring in a group of entry points, by name."""
    folders = sorted(path.parent for path in PLACE.glob("*/*/entry_points.txt"))
    points = [point for folder in folders for point in metadata.PathDistribution(folder).entry_points]
    return {point.name: point for point in points if point.group == group}


def parsed(
    registry: "Registry[Any]", value: Any, where: str, default: str | None = None, former: frozenset[str] = frozenset()
) -> Any:
    """Return a group of settings, given as a mapping, as the settings of the class that its `name` names.

    where: the group's place in dotted paths. default: the class where no name is given. former: the keys that the group had
    when all classes shared one; those that the class has not are left out of it. A name may go on after a colon.
    Raises FewscanError naming an unknown class or setting.
    """
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("name", default))
    settings_type: type[Settings] = registry.find(name.partition(":")[0]).settings_type
    known = settings_type.model_fields
    if former and value.keys() == former:
        value = {key: each for key, each in value.items() if key in known}
    for key in value.keys() - known.keys():
        owners = [owner for owner, other in registry.own().items() if key in other.settings_type.model_fields]
        if owners:
            raise FewscanError(f"unknown setting '{where}.{key}' of {name}: it belongs to {', '.join(owners)}")
    return settings_type.parse({"name": name, **value}, where=where)


def settings_flaw(own: Any, base: type, settings_base: type[Settings]) -> str | None:
    """Return what a class lacks that must be a subclass of `base`, with settings of its own; None where it lacks nothing."""
    if not (isinstance(own, type) and issubclass(own, base)):
        return f"it is not a subclass of {base.__module__}.{base.__qualname__}"
    settings_type = getattr(own, "settings_type", None)
    if not (isinstance(settings_type, type) and issubclass(settings_type, settings_base)):
        return f"its settings_type is not a subclass of {settings_base.__module__}.{settings_base.__qualname__}"
    default = settings_type.model_fields["name"].default
    if default != getattr(own, "name", None) and not settings_type.model_fields["name"].is_required():
        return f"its settings_type has the name '{default}'"
    return None


def normalized(package: str) -> str:
    """Return a package's name as it is compared: letters' case, dots, dashes and underscores make no difference."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _place(own: type) -> tuple[str, str]:
    return own.__module__, own.__qualname__
