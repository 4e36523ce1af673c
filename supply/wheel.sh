#!/usr/bin/env bash
# Build the wheel, install it into a fresh environment, and go the whole way with it, from outside the checkout.
# What it depends on is taken from .venv, so that nothing is downloaded.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="${1:-$root/.venv/bin/python}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# What is compiled here, tests read.
unset PYTHONPATH PYTHONDONTWRITEBYTECODE

# A copy, since a build leaves files beside the sources, and takes up what an older one left.
mkdir "$work/checkout" "$work/elsewhere"
(cd "$root" && cp -r pyproject.toml README.md LICENSE src "$work/checkout")
rm -rf "$work"/checkout/src/*.egg-info
find "$work/checkout" -name __pycache__ -prune -exec rm -rf {} +
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" "$work/checkout"

"$python" -m venv "$work/venv"
installed="$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
"$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$installed/dependencies.pth"
"$work/venv/bin/python" -m pip install --quiet --no-deps --no-index "$work"/fewscan-*.whl

cd "$work/elsewhere"
"$work/venv/bin/python" -c 'import fewscan, sys; sys.exit(not fewscan.__file__.startswith(sys.prefix))'
diff <(cd "$root/src/fewscan" && find . -type f -not -name "*.pyc" | sort) \
    <(cd "$installed/fewscan" && find . -type f -not -name "*.pyc" | sort)
test -s "$installed"/fewscan-*.dist-info/licenses/LICENSE
"$work/venv/bin/fewscan" demo --out practice --quick
test -s practice/report.html
test -s practice/labels.csv
