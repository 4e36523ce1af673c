"""Arrays of labels beside arrays of images, as MedMNIST and many exports have them: images and labels, X_train and y_train."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fewscan.images.part_names import words_of

_IMAGE_WORDS = frozenset("x image images img imgs data scan scans slice slices pixels picture pictures".split())  # noqa: SIM905
_LABEL_WORDS = frozenset("y label labels target targets class classes".split())  # noqa: SIM905

# Class names of N images, None for each that has no label.
Labels = tuple[str | None, ...]


def is_named_labels(name: str) -> bool:
    """Return whether an array's name says that it holds labels: y, train_labels, y_test."""
    return not _LABEL_WORDS.isdisjoint(words_of(name))


def labels_of(names: Iterable[str]) -> dict[str, str]:
    """Return for each array of images that has one among `names` the array of its labels, by their names.

    The two are called alike but for the word for images and that for labels, in any order: train_images, train_labels; X, y.
    """
    names = list(names)
    labels: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        if is_named_labels(name):
            labels.setdefault(_rest(name, _LABEL_WORDS), []).append(name)
    found = ((name, labels.get(_rest(name, _IMAGE_WORDS), [])) for name in names)
    return {name: of_name[0] for name, of_name in found if len(of_name) == 1 and of_name[0] != name}


def _rest(name: str, words: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words_of(name) if word not in words))


def class_names(labels: npt.NDArray[Any], images: int) -> Labels | str:
    """Return the class of each of N images, or why an array of labels tells none.

    labels: (N,) or (N, 1) whole numbers, truth values or texts, which are the names of the classes; or (N, K), K >= 2, of 0 and
    1, one 1 a row, where the column is the class. Values that are no number are no label.
    """
    if len(labels) != images:
        return f"its labels are for {len(labels):,} images, but it has {images:,}, so they are not read"
    flat = labels.reshape(images, -1)
    if flat.shape[1] == 1:
        return _names(flat[:, 0])
    if flat.dtype.kind not in "biuf" or not np.isin(flat, (0, 1)).all():
        return "its labels have several numbers for each image, so they are not read"
    if (flat.sum(axis=1) != 1).any():
        return "its labels give an image several findings or none, so they are not read: a table (--labels) can give one"
    return _names(flat.argmax(axis=1))


def _names(values: npt.NDArray[Any]) -> Labels | str:
    if values.dtype.kind == "f":
        known = ~np.isnan(values)
        if (values[known] % 1 != 0).any():
            return "its labels are not whole numbers, so they are not read"
        return tuple(str(int(value)) if there else None for value, there in zip(values.tolist(), known.tolist(), strict=True))
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "U":
        return tuple(str(value).strip() or None for value in values.tolist())
    return tuple(str(int(value)) for value in values.tolist())
