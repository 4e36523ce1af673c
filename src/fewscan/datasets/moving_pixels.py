"""Where the pixels of a dataset lie: copied to a URL, removed here, brought back.

Files of this machine are removed last, once every byte of the copy was read back and the copy has turned out to be another
file, and a file that is brought back appears whole. So whatever stops these steps, the pixels are where they were, or in both
places.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fewscan.atomic import replaced_file
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.images.elsewhere import Elsewhere, on_this_machine, opened, require_address, size_of
from fewscan.images.store import ImageStore
from fewscan.images.stored import TOGETHER_BYTES
from fewscan.progress import progress_bar, say
from fewscan.wording import command_line, counted, one_line

Told = Callable[[int], None]

# How a file is called that is about to be removed.
_SET_ASIDE = ".removed"


class PixelsPlace(Settings):
    """Where the pixels of a dataset lie. url: of the copy, None where there is none; away: the files that lie only there."""

    folder: str
    images: int
    files: dict[str, int]  # bytes of each
    url: str | None
    copied_images: int  # of which the copy at the URL is
    away: tuple[str, ...]

    @classmethod
    def of(cls, images: ImageStore) -> "PixelsPlace":
        """Return where they lie, as the folder says: no URL is asked."""
        noted = images.elsewhere
        copied = noted is not None and noted.copied
        return cls(
            folder=str(images.folder.parent),
            images=images.rows,
            files=dict.fromkeys(images.files, images.rows * images.spec.image_bytes),
            url=noted.url if noted is not None and copied else None,
            copied_images=noted.images if noted is not None and copied else 0,
            away=images.away,
        )


def copy_to(images: ImageStore, url: str) -> ImageStore:
    """Copy the files of pixels to a URL, read them back, and note it; return the images with that note.

    What lies there already of this dataset is left as it is where it is whole, and replaced where it is of fewer images, or was
    left by a copy that was stopped. Raises FewscanError where the URL cannot be opened or written, holds a password, or has
    other pixels, where it lies in this dataset's folder or is another's, where pixels are not here, and where the copy is not
    what was imported.
    """
    url = _address(images, url)
    if size_of(f"{url}/{images.table_file(0).name}") is not None:
        raise FewscanError(f"a dataset, this one or another, keeps its own images at {url}: choose another URL")
    noted = images.elsewhere
    if images.away and noted is not None and noted.url == url:
        return images
    images.require_here(f"copy them to {url}")
    begun = Elsewhere(url=url, images=images.rows, copied=False)
    missing = [name for name in images.files if not _is_there(images, begun, name, mine=noted == begun)]
    if noted is not None and noted.copied and noted.url != url:
        say(f"the earlier copy at {noted.url} stays there but is no longer read: a dataset records only one URL")
    if missing:
        begun.write(images.folder)
    for name in missing:
        _upload(images, begun, name)
        _require_whole(images, begun, name)
    begun.model_copy(update={"copied": True}).write(images.folder)
    return ImageStore(images.folder, images.spec, images.shards)


def _address(images: ImageStore, url: str) -> str:
    """Return a URL as it is noted: a path of this machine from its root on, wherever the next command is given.

    Raises FewscanError where it is none, cannot be opened, or names a place in the dataset's own folder.
    """
    url, own = require_address(url), images.folder.parent
    place = on_this_machine(url)  # a package that is missing is said of what was asked for, not of a file below it
    if place is None:
        return url
    if any(own.resolve() in (place / name).resolve().parents for name in images.files):  # links of folders and files followed
        raise FewscanError(f"{url} is inside {own}, so it would not be a copy: choose a URL outside the dataset")
    return f"file://{place}"


def remove_here(images: ImageStore, *, verified: bool = False) -> ImageStore:
    """Remove the files of pixels whose copy lies elsewhere, once that was read; return the images without them.

    verified: whether the copy was read just now. Raises FewscanError where there is no copy of all images, or a damaged one, or
    where what the URL names are these very files.
    """
    noted = images.elsewhere
    if noted is None or not noted.copied or noted.images != images.rows:
        raise FewscanError(
            f"there is no record of a copy of all pixels of {images.folder.parent}: make one with "
            f"'{command_line('pixels', images.folder.parent, '--to', 'URL', '--remove')}'"
        )
    here = [name for name in images.files if name not in images.away]
    for name in here if not verified else ():
        _require_whole(images, noted, name)
    for name in here:
        _remove(images, noted, name)
    return ImageStore(images.folder, images.spec, images.shards)


def _remove(images: ImageStore, noted: Elsewhere, name: str) -> None:
    """Remove a file once the copy is there without it: a link, a mount or a server may show this very file at the URL."""
    path, url = images.folder / name, f"{noted.url}/{name}"
    aside = path.with_name(name + _SET_ASIDE)
    path.rename(aside)
    try:
        if size_of(url) != images.rows * images.spec.image_bytes:
            raise FewscanError(f"{url} is {path} itself under another name, not a copy: choose another URL")
        aside.unlink()
    finally:
        put_back(images)


def put_back(images: ImageStore) -> None:
    """Give files back their names that were about to be removed when that was stopped."""
    for name in images.files:
        aside, path = images.folder / (name + _SET_ASIDE), images.folder / name
        if aside.exists():
            aside.replace(path)


def bring_back(images: ImageStore) -> ImageStore:
    """Copy here what lies only elsewhere, which stays there; return the images with it.

    Raises FewscanError where it cannot be read or is not what was imported, and where the disk has too little space.
    """
    noted, size_bytes = images.elsewhere, images.rows * images.spec.image_bytes
    free = shutil.disk_usage(images.folder).free
    if free < size_bytes * len(images.away):
        raise FewscanError(
            f"copying back to {images.folder} takes {size_bytes * len(images.away) / 1e9:,.1f} GB, but its disk has only "
            f"{free / 1e9:,.1f} GB left: free some space"
        )
    step = max(1, TOGETHER_BYTES // images.spec.image_bytes)
    for name in images.away:
        far = images.stored(name)
        with replaced_file(images.folder / name) as temporary:
            with temporary.open("wb") as file, _counting(f"copying {name}", far) as told:
                for start in range(0, len(far), step):
                    some = np.ascontiguousarray(far[start : start + step])
                    file.write(some.data)
                    told(len(some))
            with _counting(f"reading {name} back", far) as told:
                if not images.holds_bytes(name, np.memmap(temporary, np.uint8, mode="r", shape=far.shape), told=told):
                    raise FewscanError(_damaged(f"{noted.url if noted else ''}/{name}"))
    return ImageStore(images.folder, images.spec, images.shards)


def _is_there(images: ImageStore, place: Elsewhere, name: str, *, mine: bool) -> bool:
    """Return whether a file lies at a URL whole; raises FewscanError where something else does that is not to be replaced.

    mine: whether a copy of these images to there was begun, and not ended.
    """
    url = f"{place.url}/{name}"
    size, image_bytes = size_of(url), images.spec.image_bytes
    if size is None:
        return False
    ends: list[int] = np.cumsum([shard.rows for shard in images.shards]).tolist()
    for shards, rows in reversed(list(enumerate(ends, start=1))):
        if size == rows * image_bytes:
            far = images.copy_at(place, name, rows)
            with _counting(f"reading {name} back", far) as told:
                if images.holds_bytes(name, far, shards, told):
                    return shards == len(ends)
    if mine:
        return False
    raise FewscanError(f"{url} already exists and has other pixels: choose another URL, or remove it")


def _upload(images: ImageStore, place: Elsewhere, name: str) -> None:
    from fsspec.callbacks import Callback

    path, url = images.folder / name, f"{place.url}/{name}"
    size_bytes = images.rows * images.spec.image_bytes
    if path.stat().st_size != size_bytes:
        # Behind the images is what an addition that was stopped has written.
        raise FewscanError(f"{path} has more than its images, because an addition was stopped: run that command again first")
    system, target = opened(url)
    say(f"copying {counted(images.rows, 'image')}, {size_bytes / 1e6:,.0f} MB, to {url}")
    with progress_bar() as bar:
        task = bar.add_task(f"copying {name}", total=images.rows, numbers="")

        class Told(Callback):  # type: ignore[misc]  # fsspec has no types
            def call(self, *_: Any, **__: Any) -> None:
                bar.update(task, completed=self.value // images.spec.image_bytes)

        try:
            _make_folder(system, target)
            system.put_file(str(path), target, callback=Told())
            bar.update(task, completed=images.rows)  # a folder of this machine does not tell how far it is
        except Exception as error:  # each storage has errors of its own
            raise FewscanError(f"cannot copy to {url}: {one_line(error)}; the same command copies that file again") from error


def _make_folder(system: Any, target: str) -> None:
    """Make the folder of a file where the storage has folders, and nothing above it: what is missing there may be a slip."""
    folder = system._parent(target)
    if not system.exists(folder):
        system.mkdir(folder, create_parents=False)


def _require_whole(images: ImageStore, place: Elsewhere, name: str) -> None:
    far = images.copy_at(place, name)
    with _counting(f"reading {name} back", far) as told:
        if not images.holds_bytes(name, far, told=told):
            raise FewscanError(_damaged(far.url))


def _damaged(url: str) -> str:
    return (
        f"{url} does not have the pixels that were imported: the copy or its original is damaged; 'fewscan verify' says "
        "whether this dataset is intact"
    )


@contextmanager
def _counting(what: str, images: Any) -> Iterator[Told]:
    """Yield what is told how many more images were read; a bar counts them."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=len(images), numbers="")
        yield lambda count: bar.advance(task, count)
