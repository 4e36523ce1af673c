#!/usr/bin/env bash
# Make .venv anew: every pinned package by its hashes, PyTorch by its version, then this checkout.
# Each pip spends half its time waiting for files, and unpacks on one core; so three share the packages out among themselves. None
# resolves anything: what each is to install is named.
set -euo pipefail
cd "$(dirname "$0")/.."
"${1:-python3}" -m venv .venv
parts="$(mktemp -d)"
trap 'kill $(jobs -p) 2> /dev/null || true; rm -rf "$parts"' EXIT
# A package and its hashes are a line that begins with a name, and those below it that do not.
awk -v parts="$parts" '/^[a-z]/ { number++ } { print > (parts "/" number % 2) }' requirements-ci.txt

install() {
    # Nothing is compiled beforehand: a fifth of the packages' files is imported by the demo, and compiled then.
    .venv/bin/python -m pip install --quiet --no-compile "$@"
}
started=()
for part in 0 1; do
    install --require-hashes --no-deps --only-binary :all: --requirement "$parts/$part" &
    started+=("$!")
done
# Its builds for CPU and CUDA are one version with different hashes.
install --constraint constraints.txt --no-deps torch &
started+=("$!")
for process in "${started[@]}"; do
    wait "$process"
done
install --constraint constraints.txt --no-build-isolation --editable ".[dev]"
