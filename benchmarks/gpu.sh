#!/usr/bin/env bash
# What a GPU is asked, in one go, on a bare machine with PyTorch and Python and without a network:
#
#   benchmarks/gpu.sh CARRIED OUT [--parts losses speed study efficiency ...] [--minutes 9]
#   benchmarks/gpu.sh --tiny OUT
#
# CARRIED holds `wheels/` (packages that are missing there), scans and their audits; `python -m benchmarks.gpu.pack` makes them.
# FEWSCAN_GPU_SCRATCH names a folder that keeps datasets and packages for a second go on the same machine.
# OUT gets one JSON file a part, written as the part goes on, so that a cut leaves what was done. `--tiny` needs no GPU, no
# CARRIED and about a minute: the same parts on a few practice scans, to see that they run.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="${PYTHON:-python3}"

wrong() {
    echo "error: $1; usage: benchmarks/gpu.sh CARRIED OUT, or benchmarks/gpu.sh --tiny OUT" >&2
    exit 2
}

tiny=()
if [ "${1:-}" = --tiny ]; then
    tiny=(--tiny)
    carried=""
else
    [ -d "${1:-}" ] || wrong "CARRIED is no folder: '${1:-}'"
    carried="$(cd "$1" && pwd)"
fi
[ -n "${2:-}" ] || wrong "OUT is missing"
shift
mkdir -p "$1"
out="$(cd "$1" && pwd)"
shift

kept="${FEWSCAN_GPU_SCRATCH:-}"
[ -z "$kept" ] || mkdir -p "$kept"
scratch="${kept:-$(mktemp -d)}"
mps=""
finish() {
    [ -z "$mps" ] || echo quit | nvidia-cuda-mps-control >/dev/null 2>&1 || true
    [ -n "$kept" ] || rm -rf "$scratch"
}
trap finish EXIT

export PYTHONPATH="$root:$root/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
if compgen -G "$carried/wheels/*.whl" >/dev/null; then
    [ -d "$scratch/site" ] || "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$scratch/site" "$carried"/wheels/*.whl
    export PYTHONPATH="$scratch/site:$PYTHONPATH"
fi

# Several trainings share one GPU. Without NVIDIA's Multi-Process Service they take turns, with it they run side by side.
if [ -z "${tiny[*]}" ] && command -v nvidia-cuda-mps-control >/dev/null; then
    export CUDA_MPS_PIPE_DIRECTORY="$scratch/mps" CUDA_MPS_LOG_DIRECTORY="$scratch/mps"
    mkdir -p "$scratch/mps"
    if nvidia-cuda-mps-control -d && timeout 60 "$python" -c "import torch; torch.ones(1, device='cuda').item()"; then
        mps=yes
    else
        echo quit | nvidia-cuda-mps-control >/dev/null 2>&1 || true
        unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
    fi
fi
echo "Multi-Process Service: ${mps:-no}"

cd "$root"
"$python" -m benchmarks.gpu --carried "${carried:-$scratch}" --scratch "$scratch" --out "$out" --mps "${mps:-no}" "${tiny[@]}" "$@"
