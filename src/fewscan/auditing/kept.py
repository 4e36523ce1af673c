"""How a dataset's images are described, kept in its folder: new images are compared with old ones that nobody reads again.

Nothing is lost with these files: what is missing, damaged or of another version is made again from the pixels.
"""

from collections.abc import Sequence
from pathlib import Path

from fewscan.atomic import writing
from fewscan.auditing.copies import Checkpoint, Described
from fewscan.auditing.copies.checkpoint import forget
from fewscan.auditing.finding import Before, More
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import AuditDescription, KeptFile
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.progress import say

FOLDER = "described"
_PARTIAL = "audit.partial"


def found_before(dataset: Dataset) -> Before:
    """Return what the dataset's audit found and kept; raises FewscanError where the dataset is not audited."""
    pairs, audit = dataset.pairs, dataset.description.audit
    assert audit is not None  # or there were no pairs
    copies, slices = (_read(dataset.folder, files) for files in (audit.copies_described, audit.slices_described))
    return Before(audit.rows, pairs, copies, slices)


def keep(folder: Path, what: str, more: More, rows: int, before: Sequence[KeptFile]) -> tuple[KeptFile, ...]:
    """Write how images are described, for `what` it is and `rows` being how many there are now; return all files that say so.

    before: those that hold the images described before. Raises FewscanError where the dataset's folder cannot be written.
    """
    path = folder / FOLDER / f"{what}-{rows}.safetensors"
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    (more.whole if more.anew else more.new).save(path)
    written = KeptFile(name=f"{FOLDER}/{path.name}", sha256=file_sha256(path))
    return (written,) if more.anew else (*before, written)


def checkpoint_of(dataset: Dataset, similarity: float) -> Checkpoint:
    """Return what an audit of these images that was stopped had done, and where it goes on to be kept."""
    return Checkpoint(dataset.folder / FOLDER / _PARTIAL, dataset.images.chain, similarity)


def tidy(folder: Path, audit: AuditDescription) -> None:
    """Remove files of earlier audits, which nothing names any more, and what this one kept for the case that it is stopped."""
    # Of other images and by earlier versions, too.
    for partial in (folder / FOLDER).glob("*.partial"):
        forget(partial)
    named = {file.name for file in (*audit.copies_described, *audit.slices_described)}
    for path in (folder / FOLDER).glob("*.safetensors"):
        if f"{FOLDER}/{path.name}" not in named:
            path.unlink(missing_ok=True)


def _read(folder: Path, files: Sequence[KeptFile]) -> Described | None:
    if not files:
        return None
    try:
        for file in files:
            if file_sha256(folder / file.name) != file.sha256:
                raise FewscanError(f"{folder / file.name} is damaged")
        return Described.load([folder / file.name for file in files])
    except FileNotFoundError as error:
        say(f"{error.filename} is missing: all images are described again")
    except FewscanError as error:
        say(f"{error}: all images are described again")
    return None
