"""How fast scans are imported, and in how much memory.

    python -m benchmarks.import [--growth] [--dicom [N ...]] [--json]

First the real scans. With --growth also folders of practice scans, JPEG files of 256 x 256 pixels, 500 drawn ones linked over
and over, each folder in a process of its own, so that its peak of memory is its own. With --dicom instead of all that slices of
a CT, uncompressed DICOM files of 512 x 512 pixels of 16 bits, half of them with a window of their own: 1,000 drawn ones, or N,
for which these are linked over and over.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import SCANS, draw_scans, in_own_process, link_scans, peak_memory_mb
from fewscan.datasets.importing import import_scans, summary

GROWTH = (1_000, 10_000, 100_000)
SLICES = 1_000
SLICE_PX = 512


def draw_slices(folder: Path) -> None:
    """Write SLICES slices of a drawn CT: a noisy head of 40 HU in air, a patient every 100 slices."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SLICE_PX, :SLICE_PX] - SLICE_PX / 2
    head = np.where(np.hypot(rows, columns) < 0.4 * SLICE_PX, 40, -1000)
    folder.mkdir()
    for number in range(SLICES):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.Modality, dataset.PatientID = "CT", f"drawn {number // 100}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.ImageType, dataset.SeriesDescription = ["ORIGINAL", "PRIMARY", "AXIAL"], "head"
        dataset.Rows = dataset.Columns = SLICE_PX
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelSpacing = 1, -1024, [0.5, 0.5]
        if number % 2:
            dataset.WindowCenter, dataset.WindowWidth = 40, 80
        values = (head + 1024 + random.normal(0, 8, head.shape)).round().clip(0, 4095).astype("<u2")
        dataset.add_new("PixelData", "OW", values.tobytes())
        dataset.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def imported(sources: list[str], size_px: int, crop: str) -> dict[str, Any]:
    """Import into a folder that is then thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        counted = summary(import_scans(sources, Path(folder) / "dataset", size_px=size_px, crop=crop).snapshot())
        seconds = time.perf_counter() - began
    return {
        "images": counted.images,
        "set_aside": counted.set_aside,
        "wall_seconds": round(seconds, 2),
        "images_per_second": round(counted.images / seconds, 1),
        "peak_memory_mb": round(peak_memory_mb(with_children=True)),
    }


def measured(size_px: int, *sources: object, crop: str = "none") -> dict[str, Any]:
    """Import in a process of its own; seconds of CPU are those of all its threads and processes, with their start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = in_own_process("benchmarks.import", "--size", size_px, "--crop", crop, "--one", *sources)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return figures | {"cpu_seconds": round(cpu_seconds, 2), "cpu_ms_per_image": round(1e3 * cpu_seconds / figures["images"], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--size", type=int, default=96, help="size of the stored images in pixels")
    parser.add_argument(
        "--crop", choices=("none", "foreground"), default="none", help="of the real scans, as of `fewscan import`"
    )
    parser.add_argument("--growth", action="store_true", help=f"also import {GROWTH} practice scans")
    parser.add_argument(
        "--dicom", type=int, nargs="*", metavar="N", help="import a folder of N drawn DICOM slices, of each N, and nothing else"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs="+", metavar="SOURCE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(imported(arguments.one, arguments.size, arguments.crop)))
        return

    figures: dict[str, Any] = {"cores": os.cpu_count()}
    if arguments.dicom is not None:
        with tempfile.TemporaryDirectory() as name:
            drawn = Path(name) / "drawn"
            draw_slices(drawn)
            figures["dicom"] = []
            for count in arguments.dicom or [SLICES]:
                link_scans(drawn, Path(name) / str(count), count)
                figures["dicom"].append(measured(arguments.size, Path(name) / str(count)))
        figures["load_average"] = [round(load, 2) for load in os.getloadavg()]
        print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
        return
    sources = [f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")]
    figures |= {"crop": arguments.crop, "real": measured(arguments.size, *sources, crop=arguments.crop)}
    if arguments.growth:
        with tempfile.TemporaryDirectory() as name:
            drawn = Path(name) / "drawn"
            draw_scans(drawn)
            figures["growth"] = []
            for count in GROWTH:
                link_scans(drawn, Path(name) / str(count), count)
                figures["growth"].append(measured(arguments.size, Path(name) / str(count)))
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
