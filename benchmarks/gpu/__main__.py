"""What a GPU is asked, part by part, each in a process of its own and within the minutes that are left: see benchmarks/gpu.sh.

losses      the first 20 losses of every method on the GPU and on the CPU, from the same views
speed       images a second of a pretraining step, beside the bare network's
study       the study's Table 2: 4 methods x 100 epochs, with the time that they took
efficiency  README's table: accuracy by number of labels, five seeds
efficiency_field  the same with views that have a bias field; only where it is asked for
finetuned   its rows from ImageNet's weights, on the same splits at 192 px
finetuned_224  the same at 224 px, as `train` chooses for a CPU; only where it is asked for
adapted     the same, where the encoder learns from unlabeled scans first
heads       the same where slices of one head are kept on one side, too
adapted_middle, adapted_probe  the same of the encoder's middle, by training and by logistic regression
guessing    the same encoder, which learns from unlabeled scans by `mixmatch` then
others      a pretraining step as kornia and lightly make it, where they are installed, beside ours
chosen      labels that `fewscan suggest` chose, scored outside README's test set
crossing    1,235 labels where copies may cross (`--protocol study`)
study_128   the study's Table 2 with the other reading of its batch, 128
encoders    encoders that learn from unlabeled scans first, scored outside README's test set
screen      candidates for the highest accuracy, scored outside README's test set; only where it is asked for

Each writes OUT/PART.json as it goes on; OUT/machine.json says what it ran on. A part that fails says why in its own file, and
the others go on.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

import fewscan
from benchmarks.gpu import chosen, encoders, losses, others, screen, speed, trainings
from benchmarks.gpu.datasets import DATASETS, make_all
from fewscan.atomic import write_json
from fewscan.phantoms import write_practice_scans

PARTS = ("losses", "speed", *trainings.PARTS, "chosen", "others", "encoders", "screen")
ASKED_FOR = {"adapted_middle", "adapted_probe", "chosen", "efficiency_field", "encoders", "finetuned_224", "others", "screen"}


def machine(mps: str) -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if cuda else None,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "multi_process_service": mps,
        "fewscan": fewscan.__version__,
        "began": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def practice_datasets(folder: Path) -> None:
    """Make the datasets of `--tiny`: the names that pack.py packs, a few practice scans in each."""
    write_practice_scans(folder / "scans", images=96, size_px=32)
    fewscan.import_scans(folder / "scans", folder / "mri", size_px=16)
    fewscan.audit(folder / "mri")
    for name in DATASETS.keys() - {"mri"}:
        shutil.copytree(folder / "mri", folder / name)


def datasets_of(part: str) -> set[str]:
    """Return the names of the datasets that a part trains on."""
    if part in trainings.PARTS:
        return {trainings.PARTS[part].dataset}
    return {
        "losses": {"mri"},
        "speed": {name for _, name, *_ in speed.CASES},
        "chosen": {chosen.DATASET},
        "others": {others.DATASET},
        "encoders": {encoders.DATASET},
        "screen": screen.DATASETS,
    }[part]


def words_of(part: str, arguments: argparse.Namespace) -> list[str]:
    words = [str(arguments.scratch), str(arguments.out / f"{part}.json")]
    words += [part] if part in trainings.PARTS else []
    words += ["--seeds", str(arguments.seeds)] if part in trainings.PARTS and arguments.seeds else []
    words += ["--first-seed", str(arguments.first_seed)] if part in trainings.PARTS else []
    words += ["--only", *arguments.only] if part in ("encoders", "screen") and arguments.only else []
    return words + (["--tiny"] if arguments.tiny else [])


def run_part(part: str, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run a part in a process group of its own, killed when its seconds are over; return what became of it."""
    module = "trainings" if part in trainings.PARTS else part
    command = [sys.executable, "-m", f"benchmarks.gpu.{module}", *words_of(part, arguments)]
    began = time.monotonic()
    log = arguments.scratch / f"{part}.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code: int | str = process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            code = "cut: its time was over"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code:
        print("\n".join(log.read_text(errors="replace").splitlines()[-25:]))
    return {"ended": code, "seconds": round(time.monotonic() - began, 1)}


def look(arguments: argparse.Namespace) -> None:
    """Run the parts of `--tiny` one after the other, in this process."""
    practice_datasets(arguments.scratch)
    mains = {part.__name__.rpartition(".")[2]: part.main for part in (losses, speed, chosen, others, encoders, screen)}
    for part in arguments.parts:
        mains.get(part, trainings.main)(words_of(part, arguments))
        print(part, "ran")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--carried", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    parser.add_argument("--seeds", type=int, help="of parts that train from several: so many")
    parser.add_argument("--first-seed", type=int, default=0, help="of such parts: the first of them")
    parser.add_argument("--only", nargs="+", help="of the parts encoders and screen: these candidates")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all parts together")
    parser.add_argument("--mps", default="no", help="whether processes share the GPU through NVIDIA's service")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes

    if arguments.parts is None:
        arguments.parts = [part for part in PARTS if arguments.tiny or part not in ASKED_FOR]
    if arguments.tiny:
        look(arguments)
        return
    if not torch.cuda.is_available():
        sys.exit("no GPU is to be seen: --tiny runs without one")
    make_all({name for part in arguments.parts for name in datasets_of(part)}, arguments.carried, arguments.scratch)
    report: dict[str, Any] = {**machine(arguments.mps), "parts": {}}
    for part in arguments.parts:
        report["parts"][part] = run_part(part, arguments, end - time.monotonic())
        write_json(arguments.out / "machine.json", report)
        print(part, json.dumps(report["parts"][part]))
    failed = [part for part, became in report["parts"].items() if became["ended"] != 0]
    if failed:
        sys.exit(f"not finished: {', '.join(failed)}")


if __name__ == "__main__":
    main()
