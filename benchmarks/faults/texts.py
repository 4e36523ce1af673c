"""Settings as a user may write them, wrong in all ways: each is taken, or refused with a reason."""

import random
from collections import Counter
from collections.abc import Sequence

import fewscan
from fewscan.cli.app import parsed_settings
from fewscan.errors import FewscanError
from fewscan.learning.registry import METHODS
from fewscan.training.settings import RunSettings

_KEYS = (
    *RunSettings.model_fields,
    *("method.temperature", "optimizer.learning_rate", "optimizer.warmup_epochs", "encoder.name", "views.crop_scale"),
    *("a.b.c.d", "", ".", "seed.x", "__class__", "epochs\n", "passes."),
)
_VALUES = (
    *(
        "1",
        "0",
        "-1",
        "0.5",
        "1e309",
        ".nan",
        "-.inf",
        "true",
        "null",
        "[]",
        "{}",
        "[1,[2]]",
        "{a: 1}",
        "'",
        '"',
        "",
        " ",
        "=",
        "|",
    ),
    *(
        "[" * 3000,
        "{" * 3000,
        "9" * 5000,
        "\0",
        "\ud800",
        "é",
        "2020-01-01",
        "0x10",
        "0o7",
        "1_000",
        "1:30",
        "12e03",
        "- a",
        "? a",
    ),
    *("!!python/object/apply:os.system ['x']", "&a [*a]", "*a", "!!binary aGk=", "!!set {a}", "!!float x", "!!int ''", "!x y"),
    *("---\n---", "a: b: c", "%TAG", "<<: 1", "@", "`", "timm:", "timm:../../x", "resnet_small", "study", "bf16-mixed", "cuda"),
)


def damaged_settings(settings: int, seed: int) -> Counter[str]:
    """Count what comes of so many lists of settings: `taken`, `refused` or `fault`, which is printed."""
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    for _ in range(settings):
        pairs = [_pair(chance) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        told = _told(pairs, chance.choice(list(METHODS)))
        if told is None:
            counts["taken"] += 1
        elif not told.startswith("FAULT"):
            counts["refused"] += 1
        else:
            counts["fault"] += 1
            print(f"{told[:200]!r} from {str(pairs)[:200]}")
    return counts


def _pair(chance: random.Random) -> str:
    pair = f"{chance.choice(_KEYS)}={chance.choice(_VALUES)}"
    place = chance.randrange(len(pair) + 1)
    return pair[:place] + chance.choice(["\0", "\n", '"', "=", "\u2028", "'"]) + pair[place:] if chance.random() < 0.2 else pair


def _told(pairs: Sequence[str], method: str) -> str | None:
    """Return what is said of settings, None where they are taken."""
    try:
        changes = parsed_settings(list(pairs), "train", fewscan.train)
        asked = {"name": method, **changes.pop("method", {})}
        RunSettings.resolve(asked, "fewscan", changes, labeled=96, unlabeled=413)
    except FewscanError as error:
        return str(error)
    except Exception as error:
        return f"FAULT {type(error).__name__}: {error}"
    return None
