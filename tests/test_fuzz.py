"""Settings, tables and JSON that nobody would write, drawn from seeds: each is taken, or refused with one line."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import fewscan
from fewscan import jsonl
from fewscan.cli.app import parsed_settings, refusal
from fewscan.config import Settings, yaml_value
from fewscan.datasets.dataset import DatasetDescription
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import Calibration
from fewscan.images.options import ImportOptions
from fewscan.images.tables.reading import read_cells
from fewscan.images.tables.rows import rows_of
from fewscan.learning.registry import METHODS
from fewscan.spreadsheet import read_csv
from fewscan.training.run_record import RunRecord
from fewscan.training.settings import RunSettings

BITS = [
    *(
        "\0",
        "\r",
        "\n",
        '"',
        '""',
        ",",
        ";",
        "\t",
        "\ufeff",
        "../",
        "\ud800",
        "é",
        "=1+1",
        "A" * 20_000,
        "path",
        "label",
        "\u2028",
    ),
    *("~", "$HOME", "a" * 300, "/" * 500, "nan", "NA", "1e999", "'", "\\", "\x1b[31m", "[" * 3000, "{" * 3000, '{"a":' * 3000),
    *("9" * 5000, "-", ".5", "null", "true", "[]", "1e400", "NaN", "Infinity"),
]
KEYS = [
    *RunSettings.model_fields,
    *("method.temperature", "method.name", "optimizer.learning_rate", "optimizer.warmup_epochs", "encoder.name"),
    *(
        "encoder.dense_units",
        "heads.projection_units",
        "views.crop_scale",
        "a.b.c.d",
        "",
        ".",
        "seed.x",
        "__class__",
        "epochs\n",
    ),
    *("passes.", "model_config", "epochs\udcff"),
]
VALUES = [
    *(
        "1",
        "0",
        "-1",
        "1e309",
        ".nan",
        ".inf",
        "true",
        "null",
        "[]",
        "{}",
        "[1,[2]]",
        "{a: 1}",
        "'",
        '"',
        "[" * 3000,
        "{" * 3000,
    ),
    *(
        "!!python/object/apply:os.system ['x']",
        "&a [*a]",
        "*a",
        "2020-01-01",
        "0x10",
        "1_000",
        "1:30",
        "9" * 5000,
        "\0",
        "\ud800",
    ),
    *(
        "!!binary aGk=",
        "!!set {a}",
        "!!omap [a: 1]",
        "!!timestamp x",
        "!!float x",
        "!!int ''",
        "? a",
        "- a",
        "---\n---",
        "%TAG",
    ),
    *(
        "a: b: c",
        "timm:",
        "timm:../../x",
        "study_cnn",
        "study",
        "bf16-mixed",
        "cuda",
        "0.5",
        "[8,8]",
        "<<: 1",
        "=",
        "",
        " ",
        "|",
    ),
    *("10000000000000000000000", "-0.0", ">", "!", "!!", "@", "`", "0b2", "1e-400", "!!bool maybe", "2020-99-99", "!!int 0x"),
]
CSV = 'row,label,predicted,probability_a,probability_b,score\n0,a,a,0.9,0.1,0.9\n1,b,"a",0.6,0.4,0.6\n2,b,b,0.2,0.8,0.8\n'
TABLE = 'path,label,patient,split\na/1.png,a,p1,train\n"b/2.png",b,p2,test\nc.png,NA,,\n'
RECORD = json.dumps({"classes": ["a", "b"], "image_size_px": 96, "nested": {"a": [1, 2.5, None, True]}, "protocol": "leakfree"})
DESCRIBED: list[type[Settings]] = [DatasetDescription, RunRecord, Calibration]


def mutated(rng: random.Random, text: str) -> bytes:
    """A text in which a few places were overwritten, cut, doubled or shuffled; now and then a byte of it, too."""
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        start, length = rng.randrange(len(text) + 1), rng.randrange(1, 30)
        how = rng.random()
        if how < 0.6:
            text = text[:start] + rng.choice(BITS) + text[start + rng.choice([0, 0, length]) :]
        elif how < 0.75:
            text = text[:start] + text[start + length :]
        elif how < 0.85:
            text = text[:start]
        else:
            text = text[:start] + text[start // 2 : start // 2 + 60] + text[start:]
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    if content and rng.random() < 0.2:
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def of_settings(rng: random.Random, path: Path) -> Callable[[], object]:
    pairs = [f"{rng.choice(KEYS)}={rng.choice(VALUES)}" for _ in range(rng.choice([1, 1, 2, 3]))]
    if rng.random() < 0.2:
        number = rng.randrange(len(pairs))
        place = rng.randrange(len(pairs[number]) + 1)
        pairs[number] = pairs[number][:place] + rng.choice(BITS) + pairs[number][place:]
    method, recipe = rng.choice(list(METHODS)), rng.choice(["fewscan", "study"])

    def resolve() -> None:
        changes = parsed_settings(pairs, "train", fewscan.train)
        own = changes.pop("method", {})
        settings = RunSettings.resolve({"name": method, **own}, recipe, changes, labeled=96, unlabeled=413)
        assert RunSettings.parse(yaml_value(settings.as_yaml())) == settings

    return resolve


def of_label_table(rng: random.Random, path: Path) -> Callable[[], object]:
    path.write_bytes(mutated(rng, TABLE))
    return lambda: rows_of(path, read_cells(path), ImportOptions(), {})


def of_predictions(rng: random.Random, path: Path) -> Callable[[], object]:
    path.write_bytes(mutated(rng, CSV))
    types = {"row": "int64", "label": "str", "probability_a": "float64", "score": "float32"}
    return lambda: read_csv(path, types, "make it again")


def of_json(rng: random.Random, path: Path) -> Callable[[], object]:
    path.write_bytes(mutated(rng, RECORD))
    return lambda: rng.choice(DESCRIBED).read(path, "make it again")


def of_json_lines(rng: random.Random, path: Path) -> Callable[[], object]:
    path.write_bytes(mutated(rng, f'{RECORD}\n{{"epoch": 2}}\n'))
    return lambda: jsonl.read(path, ("epoch",))


def outcome(call: Callable[[], object]) -> str | None:
    """What is said where `call` refuses, as the command line says it; whatever else it raises goes on."""
    try:
        call()
    except FewscanError as refused:
        return refusal(str(refused))
    return None


@pytest.mark.parametrize("draw", [of_settings, of_label_table, of_predictions, of_json, of_json_lines])
def test_whatever_stands_there_is_taken_or_refused_with_one_line(draw, tmp_path: Path) -> None:
    outcomes = [outcome(draw(random.Random(seed), tmp_path / "input")) for seed in range(100)]
    assert [said for said in outcomes if said and (len(said) > 2000 or not said.isprintable())] == []
    assert any(outcomes)
