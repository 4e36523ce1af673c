"""Names of files, folders and classes never reach the terminal as codes that it obeys."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import PIL.Image
import pytest

from fewscan.progress import printable, say

Command = Callable[..., CompletedProcess[str]]
ODD = {
    "\x1b[31mred": "\\x1b[31mred",
    "two\nlines": "two\\nlines",
    "over\rwritten": "over\\rwritten",
    "turned\u202eround": "turned\\u202eround",
}
CODES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.mark.parametrize(("name", "shown"), [*ODD.items(), ("größe 3_µ.png", "größe 3_µ.png"), ("\udcff", "\\udcff"), ("", "")])
def test_what_is_no_visible_character_is_shown_as_its_escape(name, shown):
    assert printable(name) == shown


@pytest.mark.parametrize("name", [":dog:", "[bold]", "[/]", "a\\[b]"])
def test_names_are_no_markup(name, capsys):
    say(name)
    assert capsys.readouterr().err == f"{name}\n"


@pytest.mark.slow
def test_names_are_shown_without_the_codes_in_them(fewscan: Command, tmp_path: Path) -> None:
    image = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9), np.uint8))
    for number, name in enumerate(ODD):
        (tmp_path / "scans" / f"{name}{number}").mkdir(parents=True)
        for scan in range(2):
            image.save(tmp_path / f"scans/{name}{number}/{scan}{name}.png")
        (tmp_path / f"scans/{name}{number}/bad{name}.png").write_bytes(b"no image")
    calls = [("--plan",), ("--out", "\x1b[2Jds"), ("--out", "\x1b[2Jds"), ("--out", "other", "--class-level", "\x1b[31m")]
    for code, call in zip((0, 0, 2, 2), calls, strict=True):
        done = fewscan("import", "scans", *call, cwd=tmp_path)
        assert done.returncode == code
        assert not CODES.search(done.stdout + done.stderr)
        if code == 0:
            assert all(shown in done.stdout + done.stderr for shown in ODD.values())
        else:
            assert len(done.stderr.splitlines()) == 1
    done = fewscan("import", "scans", "--plan", "--json", cwd=tmp_path)
    assert not CODES.search(done.stdout)
    assert json.loads(done.stdout)
    assert "\\u001b[31mred0" in done.stdout
