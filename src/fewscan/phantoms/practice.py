"""A folder of practice scans with what real folders have: changed copies, some of them filed under a wrong class."""

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from fewscan.atomic import new_folder, require_place, write_json, writing
from fewscan.errors import FewscanError
from fewscan.phantoms.drawing import CLASSES, Phantom, View, draw_phantom
from fewscan.progress import track
from fewscan.seeds import stream

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PracticeScan:
    """The truth about one written file.

    `path` is relative to the folder and starts with the class that the file is filed under; `label` is the true class.
    `tumor_box_px` is (left, top, right, bottom) in the file's own pixels, right and bottom exclusive, None without a tumor.
    `copy_of` is the path of the file that this one was made from by `changes`, None for a head of its own.
    """

    path: str
    label: str
    view: View
    tumor_box_px: Box | None
    copy_of: str | None = None
    changes: tuple[str, ...] = ()

    @property
    def filed_as(self) -> str:
        """The class folder that the file lies in."""
        return self.path.partition("/")[0]

    @property
    def wrong_label(self) -> bool:
        """Whether the file lies in the folder of another class."""
        return self.filed_as != self.label


@dataclass(frozen=True)
class PracticeScans:
    """What was written where, in the order of the file numbers."""

    folder: Path
    scans: tuple[PracticeScan, ...]

    @property
    def copies(self) -> tuple[PracticeScan, ...]:
        """The files that were made from another one."""
        return tuple(scan for scan in self.scans if scan.copy_of is not None)

    @property
    def wrong_labels(self) -> tuple[PracticeScan, ...]:
        """The files that lie in the folder of another class."""
        return tuple(scan for scan in self.scans if scan.wrong_label)


def write_practice_scans(
    out: Path,
    *,
    images: int = 1200,
    seed: int = 0,
    size_px: int = 128,
    copies: float = 0.08,
    wrong_labels: float = 0.1,
    truth: Path | None = None,
) -> PracticeScans:
    """Write `out/<class>/<number>.png` or `.jpg` and return what is true of every file.

    `copies` is the share of the images that are changed copies of others; `wrong_labels` is the share of those copies that are
    filed under a wrong class. The heads are spread evenly over the classes. `truth` names a JSON file for what is returned.
    Raises FewscanError where `out` or `truth` exists, cannot be written, or a number makes no sense.
    """
    if not (0 <= copies <= 0.5 and 0 <= wrong_labels <= 1 and seed >= 0):
        raise FewscanError("practice scans: copies must be from 0 to 0.5, wrong_labels from 0 to 1, seed 0 or more")
    copied = round(images * copies)
    mislabeled = round(copied * wrong_labels)
    heads = images - copied
    if heads < len(CLASSES):
        raise FewscanError(f"{images} practice scans are too few: ask for at least {2 * len(CLASSES)}")
    if truth is not None:
        require_place(truth, instead="remove it first")
    rng = stream(seed, "practice order").numpy()
    numbers = [f"{number:0{len(str(images))}d}" for number in rng.permutation(images)]
    labels = rng.permutation(np.resize(CLASSES, heads)).tolist()
    scans: list[PracticeScan] = []
    with writing(out), new_folder(out) as folder:
        for name in CLASSES:
            (folder / name).mkdir()
        for head in track(range(heads), "draw practice scans", total=heads):
            # A stream of its own for every head: the same head whatever the others are.
            drawn = stream(seed, "practice head", head).numpy()
            phantom = draw_phantom(drawn, labels[head], size_px=size_px)
            scan = _write_head(folder, f"{phantom.label}/{numbers[head]}", phantom, drawn)
            scans.append(scan)
            if head < copied:
                wrong = [name for name in CLASSES if name != phantom.label]
                filed_as = wrong[drawn.integers(len(wrong))] if head < mislabeled else phantom.label
                scans.append(_write_copy(folder, f"{filed_as}/{numbers[heads + head]}", phantom, scan, drawn))
    written = PracticeScans(out, tuple(sorted(scans, key=lambda scan: Path(scan.path).stem)))
    if truth is not None:
        with writing(truth):
            write_json(truth, [asdict(scan) | {"wrong_label": scan.wrong_label} for scan in written.scans])
    return written


def _write_head(folder: Path, stem: str, phantom: Phantom, rng: np.random.Generator) -> PracticeScan:
    path = stem + (".png" if rng.random() < 0.5 else ".jpg")
    Image.fromarray(phantom.pixels).save(folder / path, quality=90)
    return PracticeScan(path, phantom.label, phantom.view, _box(phantom.tumor_mask))


def _write_copy(folder: Path, stem: str, phantom: Phantom, original: PracticeScan, rng: np.random.Generator) -> PracticeScan:
    if rng.random() < 0.1:
        path = stem + Path(original.path).suffix
        shutil.copyfile(folder / original.path, folder / path)
        return replace(original, path=path, copy_of=original.path, changes=("none",))
    image, mask = Image.fromarray(phantom.pixels), Image.fromarray(phantom.tumor_mask)
    changes = []
    if rng.random() < 0.25:
        changes.append("mirror")
        image, mask = (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for part in (image, mask))
    if rng.random() < 0.5:
        changes.append("crop")
        left, top, right, bottom = rng.integers(1, max(2, image.width // 20), size=4).tolist()
        corners = (left, top, image.width - right, image.height - bottom)
        image, mask = image.crop(corners), mask.crop(corners)
    if rng.random() < 0.5:
        changes.append("resize")
        size = (round(image.width * rng.uniform(0.8, 1.4)),) * 2
        image, mask = image.resize(size, Image.Resampling.BICUBIC), mask.resize(size, Image.Resampling.NEAREST)
    if rng.random() < 0.8:
        changes.append("contrast")
        gain, lift = rng.uniform(0.75, 1.25), rng.uniform(-0.08, 0.08)
        levels = gain * np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.35, 0.35)) + lift
        image = image.point(np.rint(255 * np.clip(levels, 0, 1)).astype(int).tolist())
    changes.append("jpeg")
    path = stem + ".jpg"
    image.save(folder / path, quality=int(rng.integers(60, 90)))
    return PracticeScan(path, original.label, original.view, _box(np.asarray(mask)), original.path, tuple(changes))


def _box(mask: npt.NDArray[np.bool_]) -> Box | None:
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
