"""What a DICOM object is, by its header: a scan, a picture beside the scans, or none."""

import re
from typing import TYPE_CHECKING

from fewscan.images.formats.image import UnreadableImage

if TYPE_CHECKING:
    from pydicom import Dataset

# The elements that are asked for here.
KIND_TAGS = ("SOPClassUID", "Modality", "ImageType", "SeriesDescription", "ConversionType", "SamplesPerPixel")

# RT Dose, Segmentation and Label Map Segmentation (PS3.4 B.5): pixels that are drawn over a scan.
_NO_SCANS = ("1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
# Reports, presentation states, key object selections, documents, and what belongs to radiotherapy and registration.
_NO_SCAN_MODALITIES = frozenset(["SR", "PR", "KO", "DOC", "SEG", "REG", "FID", "RWV", "PLAN", "RTDOSE", "RTSTRUCT", "RTPLAN"])
_CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
# Whose originals are always gray.
_GRAY_MODALITIES = frozenset(["CT", "MR", "PT", "CR", "DX", "MG", "RG", "RF", "XA"])
# Scanned documents, drawings: PS3.3 C.8.6.1. Workstations (WSD) also write scans that were converted, so they prove nothing.
_DOCUMENTS = frozenset(["SD", "DRW"])

_LOCALIZER = re.compile(r"\b(locali[sz]ers?|scouts?|topograms?|scanograms?|surview|3 ?plane loc|tri ?plane loc)\b")
_SCREEN = re.compile(r"\bscreen ?(save|shot|capture)s?\b")
_REPORT = re.compile(r"\b(dose (report|info|record)|patient protocol|csa protocol)\b")


def require_scan(header: "Dataset", *, keep_localizers: bool) -> None:
    """Raise UnreadableImage for an object that is no scan, and unless they are kept for localizers, screen saves and the like.

    ImageType, SOP class and modality tell them, and of scanners that leave it out of ImageType the series' description. A
    derived or secondary image is a scan all the same: reformatted slices and converted files are called so.
    """
    kind, modality = header.get("SOPClassUID"), text(header, "Modality").upper()
    if kind in _NO_SCANS:
        raise UnreadableImage(f"not a scan: DICOM {kind.name}")
    if modality in _NO_SCAN_MODALITIES:
        raise UnreadableImage(f"not a scan: DICOM of modality {modality}")
    if not keep_localizers and (beside := _beside(header, modality)):
        raise UnreadableImage(f"{beside}; import --keep-localizers takes it as a scan")


def is_ct(header: "Dataset") -> bool:
    """Return whether values are Hounsfield units: those of a CT, as modality or SOP class say."""
    return header.get("Modality") == "CT" or header.get("SOPClassUID") in _CT


def text(dataset: "Dataset", keyword: str) -> str:
    """Return an element's value as text, empty where it is absent."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _beside(header: "Dataset", modality: str) -> str | None:
    """Return what a picture beside the scans is, or None for a scan."""
    image_type, description = (_words(header, keyword) for keyword in ("ImageType", "SeriesDescription"))
    if _LOCALIZER.search(image_type) or (modality in _GRAY_MODALITIES and _LOCALIZER.search(description)):
        return "localizer: for planning, not for diagnosis"
    if _SCREEN.search(image_type) or _SCREEN.search(description):
        return "screen save: a picture of a screen"
    if _REPORT.search(image_type) or _REPORT.search(description):
        return "dose report: or another page of text"
    if str(header.get("SOPClassUID")).startswith(_SECONDARY_CAPTURES):
        colored = modality in _GRAY_MODALITIES and header.get("SamplesPerPixel") == 3
        if modality == "OT" or colored or text(header, "ConversionType") in _DOCUMENTS:
            return "secondary capture: not made by a scanner"
    return None


def _words(header: "Dataset", keyword: str) -> str:
    value = header.get(keyword)
    parts = [value] if isinstance(value, str) or value is None else list(value)
    return re.sub(r"[\W_]+", " ", " ".join(str(part) for part in parts if part)).lower()
