"""What the names of folders and files say: a part of a split, masks, patients' numbers, series, or else perhaps a class."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache

from fewscan.images.part_names import NAMES_REMEMBERED, ONLY_BEHIND, SPLIT_WORDS, words_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Folders called so hold a part of the images, not a class of them.
_CONTAINER_WORDS = _words(
    "images image imgs img data dataset datasets scans slices pictures pics photos raw png jpg jpeg tif tiff bmp dicom "
    "dicoms dcm nifti nii unlabeled unlabelled fold folds split splits set sets subset part parts input inputs"
)
_MASK_WORDS = _words(
    "mask masks seg segs segmentation segmentations label labels labelmap labelmaps annotation annotations contour "
    "contours roi rois gt gts groundtruth groundtruths ground truth truths"
)
# Folders called so hold masks, whatever is beside them; the other words of masks may name a class as well.
_SURELY_MASKS = _words(
    "masks segs segmentations labelmaps annotations contours rois gt gts groundtruth groundtruths truth truths tr ts"
)
_BESIDE_MASK_WORDS = frozenset(["binary", "manual", "left", "right"])

# Words that a number behind them does not make a patient's, a slice's or a series': grade 1 is a class.
_CLASS_WORDS = _words("grade stage class type score category birads level label degree kl grp group")
_PATIENT = re.compile(r"(patient|pat|pt|p|sub|subj|subject|case|person|anon|anonymous|participant|volunteer)[-_ ]*\d+", re.I)
# A UID, a hash, a date or another long number, whatever stands beside it.
_UID = re.compile(r"\d+(\.\d+){3,}|(?=[0-9a-f-]*\d)(?=[0-9a-f-]*[a-f])[0-9a-f-]{12,}|(?=(\D*\d){6})[\d._ -]+", re.I)
# Numbers that were given out, not counted up from 1: with zeros before them, or of three digits and more.
_LONG_NUMBER = re.compile(r"(?<!\d)0\d+|\d{3,}")
_SERIES_WORDS = _words(
    "series ser se study studies stu st exam session ses visit acquisition acq sequence seq scan run echo unknown t1 t1w "
    "t1c t1ce t1gd t1n t2 t2w t2f t2star flair dwi adc swi pd pdw mprage mp rage mpr mra gre tse fse se ep2d dti bold "
    "fmri mr mri ct cta cect ncct pet us xr dx cr anat func dwi fmap axial coronal sagittal ax cor sag tra transverse "
    "left right post pre contrast gad gd localizer localiser scout survey thin thick plain sec phase"
)
# So a study or a series is numbered or dated, whatever stands behind that: Serie 04 T1+KM, Studie 2025-03 Schädel.
_NUMBERED_SERIES = re.compile(
    r"(series?|stud(y|ies?)|sequen(ce|z)|séquence|untersuchung|étude|estudio|exam(en)?)[-_ ]*\d", re.I
)
# The share of names in one place that must look alike before the place is taken for what they look like.
_MOST = 0.8


@lru_cache(NAMES_REMEMBERED)
def is_part(folder: str) -> bool:
    """Return whether a folder holds a part of the images, by its name: Testing, imagesTr, fold1, stage_2_train_images."""
    words = words_of(folder)
    named = {word for word in words if word in SPLIT_WORDS}
    contained = {word for word in words if word in _CONTAINER_WORDS}
    if not (named | contained) - ONLY_BEHIND:
        return False
    return len((named | contained) - ONLY_BEHIND) > 1 or all(word in named | contained or word.isdigit() for word in words)


@lru_cache(NAMES_REMEMBERED)
def may_hold_masks(folder: str) -> bool:
    """Return whether a folder's name is made of words for masks: label, masks, labelsTr, test_masks; label1 may be a class."""
    words = words_of(folder)
    others = SPLIT_WORDS.keys() | _CONTAINER_WORDS | _BESIDE_MASK_WORDS
    numbered = words[:1] in (["label"], ["labels"]) and any(word.isdigit() for word in words)
    known = all(word in _MASK_WORDS or word in others or word.isdigit() for word in words)
    return known and not numbered and not _MASK_WORDS.isdisjoint(words)


@lru_cache(NAMES_REMEMBERED)
def surely_holds_masks(folder: str) -> bool:
    """Return whether a folder that may hold masks can hold nothing else, by its name: masks, labelsTr, but not label."""
    return may_hold_masks(folder) and not _SURELY_MASKS.isdisjoint(words_of(folder))


def are_patients(names: Collection[str]) -> bool:
    """Return whether names, those of the folders in one place, look like patients' numbers: P007, sub-01, 1.2.840.113.4."""
    if any(not _CLASS_WORDS.isdisjoint(words_of(name)) for name in names):
        return False
    if _most(names, lambda name: _PATIENT.fullmatch(name) is not None or _UID.fullmatch(name) is not None):
        return True
    shapes = Counter(re.sub(r"[^\W_]*\d[^\W_]*", "#", name) for name in names)
    alike = max(shapes.values()) >= len(names) / 2
    return len(names) > 1 and alike and _most(names, lambda name: _LONG_NUMBER.search(name) is not None)


def are_series(names: Collection[str]) -> bool:
    """Return whether names look like those of series and studies: SER0001, T1, FLAIR, AX T2 POST."""
    return _most(names, _is_series)


def are_numbered(names: Collection[str]) -> bool:
    """Return whether names are one and the same but for numbers, and no classes by their words: 1, 2, 3 or s1, s2."""
    shapes = {re.sub(r"\d+", "#", name.casefold()) for name in names}
    return len(names) > 1 and len(shapes) == 1 and "#" in shapes.pop() and _CLASS_WORDS.isdisjoint(words_of(next(iter(names))))


def _is_series(name: str) -> bool:
    if _NUMBERED_SERIES.match(unicodedata.normalize("NFC", name)):
        return True
    tokens = re.findall(r"[^\W_]+", name.casefold())
    known = [token for token in tokens if token in _SERIES_WORDS or re.sub(r"\d+$", "", token) in _SERIES_WORDS]
    return len(known) > 0 and all(token in known or any(letter.isdigit() for letter in token) for token in tokens)


def _most(names: Collection[str], holds: Callable[[str], bool]) -> bool:
    return sum(map(holds, names)) >= _MOST * len(names) > 0
