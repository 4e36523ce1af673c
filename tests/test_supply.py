"""What fewscan is installed from: every pinned file has a hash, every license was looked at."""

import re
import sys
from importlib.metadata import distribution

import pytest
from packaging.utils import canonicalize_name

from supply.licenses import BUNDLED, REVIEWED, ROOT, bundled, for_users, is_allowed, needed, page, pins, stated

# Its builds for CPU and CUDA are one version with different hashes.
WITHOUT_HASH = {"torch"}


def hashed() -> dict[str, tuple[str, list[str]]]:
    """The version and the hashes of every package in requirements-ci.txt."""
    text = (ROOT / "requirements-ci.txt").read_text(encoding="utf-8")
    blocks = re.findall(r"^([\w.-]+)==(\S+) ((?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+)$", text, flags=re.MULTILINE)
    assert len(blocks) == text.count("==")
    return {canonicalize_name(name): (version, re.findall("[0-9a-f]{64}", hashes)) for name, version, hashes in blocks}


def test_every_pin_has_hashes_and_both_files_agree() -> None:
    versions = {name: version for name, (version, hashes) in hashed().items() if hashes}
    assert versions == {name: version for name, version in pins().items() if name not in WITHOUT_HASH}


@pytest.mark.slow
def test_every_package_that_is_needed_is_pinned() -> None:
    assert needed().keys() - pins().keys() == set()


def test_every_license_of_core_and_extras_may_be_used_in_a_company() -> None:
    licenses = {name: stated(distribution(name)) for name in for_users()}
    assert {name: license for name, license in licenses.items() if not is_allowed(license)} == {}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="wheels for other systems carry other libraries")
def test_every_library_in_a_wheel_was_looked_at() -> None:
    found = set().union(*(bundled(distribution(name)) for name in for_users()))
    assert found == BUNDLED.keys()
    assert {name for name, license in BUNDLED.items() if not is_allowed(license)} == set()


def test_only_unclear_metadata_were_reviewed() -> None:
    unclear = {name for name in for_users() if not distribution(name).metadata["License-Expression"]}
    assert REVIEWED.keys() <= unclear


@pytest.mark.parametrize(
    "expression",
    [
        "GPL-3.0-only",
        "GPL-2.0-or-later AND MIT",
        "AGPL-3.0-or-later",
        "AGPL-3.0-only OR GPL-3.0-only",
        "GPL-3.0-or-later",
        "",
        "UNKNOWN",
    ],
)
def test_strong_copyleft_and_what_nobody_knows_are_refused(expression: str) -> None:
    assert not is_allowed(expression)


@pytest.mark.parametrize("expression", ["MIT", "MIT OR GPL-2.0-only", "Apache-2.0 AND MIT", "LGPL-2.1-or-later"])
def test_what_a_company_may_use_is_allowed(expression: str) -> None:
    assert is_allowed(expression)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="lists the libraries in wheels for Linux")
def test_the_page_of_licenses_says_what_is_installed() -> None:
    assert (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8") == page()
