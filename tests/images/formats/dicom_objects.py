"""DICOM objects that tests of several files make."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# From black to white in 12 bits, and the grays that it should have at 1/4, 1/2 and 3/4 of its width.
RAMP = np.tile(np.linspace(0, 4000, 64).round().astype("<u2"), (8, 1))
RAMP_GRAYS = (65, 130, 194)


def scan(values: np.ndarray, kind: str = MR, without: str | None = None, **elements: object) -> Dataset:
    """An uncompressed scan of these values, (H, W) or (N, H, W), with whatever else is given and without one element."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=["scan"])
    dataset.Modality = {CT: "CT", MR: "MR", SECONDARY_CAPTURE: "OT"}.get(kind, "")
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = len(values)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = 8 * values.dtype.itemsize
    dataset.BitsStored = 8 if values.dtype.itemsize == 1 else 16 if values.dtype.kind == "i" else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.add_new("PixelData", "OW", values.astype(values.dtype.newbyteorder("<")).tobytes())
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if without is not None:
        delattr(dataset, without)
    return dataset


def saved(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=False)
    return path


def table(first: int, bits: int, entries: np.ndarray) -> list[Dataset]:
    """A look-up table as a sequence: its first value, the bits that it declares, and its entries of 16 bits."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return [item]
