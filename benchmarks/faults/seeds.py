"""Small valid files of every format that `import` reads, drawn, as what is damaged next."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import PIL.Image
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, generate_uid

from fewscan.phantoms import draw_phantom

_MR = "1.2.840.10008.5.1.4.1.1.4"
_SIDE_PX = 48
_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "jpeg": JPEGBaseline8Bit,
    "jpeg2000": JPEG2000Lossless,
}


def write_seeds(folder: Path) -> None:
    """Write one file of each format and kind into a new folder."""
    folder.mkdir(parents=True)
    gray = draw_phantom(np.random.default_rng(0), "glioma", size_px=_SIDE_PX).pixels
    _write_pictures(folder, PIL.Image.fromarray(gray))
    _write_volumes(folder)
    _write_arrays(folder, gray)
    _write_mat(folder / "figshare.mat", gray)
    for name, syntax in _SYNTAXES.items():
        _write_dicom(folder / f"{name}.dcm", gray, syntax)


def _write_pictures(folder: Path, gray: PIL.Image.Image) -> None:
    color = PIL.Image.merge("RGB", [gray, gray.rotate(9), gray])
    deep = PIL.Image.fromarray(np.asarray(gray).astype(np.uint16) * 201)
    binary, palette, alpha = gray.convert("1"), color.convert("P"), color.convert("RGBA")
    pictures: list[tuple[str, PIL.Image.Image, dict[str, Any]]] = [
        ("gray.jpg", gray, {}), ("color.jpg", color, {"progressive": True}), ("cmyk.jpg", color.convert("CMYK"), {}),
        ("gray.png", gray, {}), ("deep.png", deep, {}), ("palette.png", palette, {"transparency": 0}),
        ("alpha.png", alpha, {}), ("bits.png", binary, {}),
        ("gray.bmp", gray, {}), ("gray.gif", gray, {}), ("color.webp", color, {}), ("gray.jp2", gray, {}),
        ("gray.pgm", gray, {}),
        ("raw.tif", gray, {}), ("lzw.tif", deep, {"compression": "tiff_lzw"}),
        ("deflated.tif", color, {"compression": "tiff_deflate"}),
        ("jpeg.tif", gray, {"compression": "jpeg"}), ("fax.tif", binary, {"compression": "group4"}),
        ("pages.tif", gray, {"save_all": True, "append_images": [gray.rotate(9), deep]}),
    ]  # fmt: skip
    for name, image, options in pictures:
        image.save(folder / name, **options)


def _write_volumes(folder: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 900, (9, 8, 7)).astype(np.int16)
    affine = np.diag([1.0, 2, 3, 1])
    for name in ("plain.nii", "zipped.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume, affine), folder / name)
    nibabel.save(nibabel.Nifti2Image(volume.astype(np.float32), affine), folder / "second.nii")
    nibabel.save(nibabel.MGHImage(volume, affine), folder / "freesurfer.mgz")
    for name in ("plain.nrrd", "plain.mha"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(folder / name))


def _write_arrays(folder: Path, gray: np.ndarray) -> None:
    stack = np.stack([gray, gray.T])
    np.save(folder / "stack.npy", stack.astype(np.float64))
    np.savez(folder / "plain.npz", train_images=stack, train_labels=np.arange(2))
    np.savez_compressed(folder / "zipped.npz", stack)


def _write_mat(path: Path, gray: np.ndarray) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        struct = file.create_group("cjdata")
        struct["PID"] = np.array([[ord(letter)] for letter in "MR0172"], np.uint16)
        struct["label"] = np.array([[2.0]])
        struct.create_dataset("image", data=gray.astype(np.int16), chunks=(16, 16), compression="gzip")


def _write_dicom(path: Path, gray: np.ndarray, syntax: UID) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = _MR, generate_uid(entropy_srcs=[path.name])
    dataset.Modality, dataset.PatientID, dataset.StudyInstanceUID = "MR", "p1", generate_uid(entropy_srcs=["study"])
    dataset.Rows, dataset.Columns = gray.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.NumberOfFrames = 1, "MONOCHROME2", 2
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.WindowCenter, dataset.WindowWidth, dataset.PixelSpacing = 120, 200, [1, 1.5]
    encode: dict[UID, Callable[[np.ndarray], bytes]] = {
        JPEGBaseline8Bit: lambda frame: _encoded(frame, "JPEG"),
        JPEG2000Lossless: lambda frame: _encoded(frame, "JPEG2000", no_jp2=True),
    }
    frames = [gray, gray.T]
    content = encapsulate([encode[syntax](frame) for frame in frames]) if syntax in encode else np.stack(frames).tobytes()
    dataset.add_new("PixelData", "OB", content)
    dataset.save_as(path, enforce_file_format=True)


def _encoded(frame: np.ndarray, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(frame)).save(file, kind, **options)
    return file.getvalue()


def kind_of(path: Path) -> str:
    """Return the end of a seed's name, which stands for its format."""
    return path.name.split(os.extsep, 1)[1]
