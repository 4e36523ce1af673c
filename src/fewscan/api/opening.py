"""What verbs take, opened where it was named by its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.atomic import require_place
from fewscan.errors import FewscanError
from fewscan.folders import Kind, is_unfinished, kind_of, require_kind
from fewscan.idle import refuse_idle
from fewscan.locks import alone
from fewscan.progress import say
from fewscan.wording import command_line

if TYPE_CHECKING:
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.training.run import Run


def folder_of(place: str | Path | Dataset | Snapshot | Run) -> Path:
    """Return the folder of what was named by it, or is open already."""
    return Path(place) if isinstance(place, str | Path) else place.folder


def encoder_asked(encoder: str | Path | Run | None) -> str | None:
    """Return what names an encoder, as the command line takes it: a name, a run's folder, or a file of weights."""
    return None if encoder is None else str(encoder if isinstance(encoder, str | Path) else encoder.folder)


def opened_dataset(dataset: str | Path | Dataset | Snapshot) -> Dataset:
    """Return a dataset that was named by its folder, is open already, or that a snapshot was taken of."""
    from fewscan.datasets.dataset import Dataset

    if isinstance(dataset, Dataset):
        return dataset
    return Dataset.open(folder_of(dataset))


# What is said where the newest of several splits is meant because none was named.
TAKEN = "using the split {newest}, the newest of {names}; --split takes another"
CLOSED = "the test set of the split {newest}, the newest of {names}, stays closed; --split takes another"
SIZED = "sizes and shares that you do not give are those of the split {newest}, the newest of {names}"


def say_newest(dataset: Dataset, split: str | None, told: str) -> None:
    """Say which split is meant, in the words `told`, where none was named and there are several."""
    if split is None and len(dataset.splits) > 1:
        say(told.format(newest=f"'{dataset.splits[-1]}'", names=", ".join(dataset.splits)))


def say_closed(place: Dataset | Run, split: str | None, data: str | Path | None) -> None:
    """Say the test set of which split stays closed, beside a run's own, where none was named and there are several."""
    from fewscan.training.run import Run

    say_newest(place.dataset_now(data) if isinstance(place, Run) else place, split, CLOSED)


def opened_snapshot(
    dataset: str | Path | Dataset | Snapshot, split: str | None = None, told: str = TAKEN, *, noted: bool = False
) -> Snapshot:
    """Return a snapshot that was taken already, or the dataset as it is now under a split, by default under the newest.

    Says which split it is where there are several, in the words `told`. noted: whether what is done with it is noted in its
    folder; raises FewscanError where that cannot be written.
    """
    from fewscan.datasets.records import require_notable
    from fewscan.datasets.snapshot import Snapshot

    if noted:
        require_notable(folder_of(dataset))
    if isinstance(dataset, Snapshot) and split is None:
        return dataset
    opened = opened_dataset(dataset)
    say_newest(opened, split, told)
    return opened.snapshot(split)


@contextmanager
def dataset_to_change(dataset: str | Path | Dataset | Snapshot, verb: str) -> Iterator[Dataset]:
    """Yield a dataset as it stands on disk now, kept from other processes that would change it, too.

    Raises FewscanError where one does, or where the folder cannot be written: before any work is done.
    """
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.records import require_notable

    folder = opened_dataset(dataset).folder
    require_notable(folder)
    with alone(folder, verb):
        yield Dataset.open(folder)


def opened_dataset_of(run: Run) -> Snapshot:
    """Return the dataset as a run saw it; says so where it was found elsewhere than it was, and nobody named the place."""
    dataset = run.open_dataset()
    if run.data is None and dataset.folder.resolve() != Path(run.record.dataset).resolve():
        say(f"the dataset of {run.folder} was moved: it was {run.record.dataset}, and is read from {dataset.folder}")
    return dataset


def refuse_stored(run: Run, name: str, done: str, *, overwrite: bool, opened_by: Sequence[str] = ()) -> None:
    """Raise FewscanError where the file `name` of a verb stands in the run already and is to stay, or cannot be written.

    opened_by: the verbs that open the test set for it, if they do.
    """
    if (run.folder / name).exists() and not overwrite:
        opens = any(verb in run.test_openings() for verb in opened_by)
        costs = ", which opens the test set once more" if opens else ""
        raise FewscanError(f"{run.folder} {done} ({name}): give --overwrite to replace that{costs}")
    require_place(run.folder / name, overwrite=True)


def opened_classifier(run: str | Path | Run, data: str | Path | None = None) -> Run:
    """Return a finished run that knows classes, opened; raises FewscanError, with what to do next, for any other.

    data: where its dataset lies now, if it was moved.
    """
    opened = opened_run(run, data)
    if opened.record.classes:
        opened.require_finished()
        return opened
    raise FewscanError(
        f"{opened.folder} learned without labels and knows no classes: label some scans, then start a run from it with "
        f"'{command_line('train', opened.dataset_word, f'encoder.weights={opened.folder}')}'"
    )


def opened_place(place: str | Path | Dataset | Run, data: str | Path | None = None) -> Dataset | Run:
    """Return a dataset or a run, whichever was named or is open already.

    Raises FewscanError where `data`, the place of a run's dataset, is given of a dataset.
    """
    from fewscan.datasets.dataset import Dataset
    from fewscan.training.run import Run

    if isinstance(place, Run) or (not isinstance(place, Dataset) and kind_of(Path(place)) == "run"):
        return opened_run(place, data)
    refuse_idle({"--data": data is not None}, "a run whose dataset was moved", "name a run")
    return opened_dataset(place)


def require_ready(place: str | Path | Dataset | Run, kinds: Sequence[Kind], data: str | Path | None = None) -> None:
    """Raise FewscanError where `place` is none of `kinds`, or a run that is not trained to its end, with what to do next.

    Asked before it is seen what stands where a verb would write: whoever is told to replace that would replace it by nothing.
    Where nothing is wrong it loads nothing. data: where a run's dataset lies now, if it was moved.
    """
    folder = folder_of(place)
    require_kind(folder, kinds)
    if is_unfinished(folder):
        from fewscan.training.run import Run

        opened_run(place if isinstance(place, Run) else folder, data).require_finished()


def opened_run(run: str | Path | Run, data: str | Path | None = None) -> Run:
    """Return a run that was named by its folder, or is open already; data: where its dataset lies now, if it was moved."""
    from fewscan.training.run import Run

    if not isinstance(run, Run):
        return Run.open(run, data)
    return run if data is None else replace(run, data=Path(data))


def read_of(opened: Dataset | Run, data: str | Path | None = None) -> list[Path]:
    """Return what no table or page of a verb may replace that reads a dataset, or a run on one.

    These are the files in their folders, and a dataset's images and splits: other folders below hold what can be made anew, or
    what people and the review page put there.
    """
    from fewscan.datasets.dataset import SPLITS_FOLDER, Dataset
    from fewscan.images.store import IMAGES_FOLDER

    dataset = opened.folder if isinstance(opened, Dataset) else opened.dataset_now(data).folder
    files = [path for folder in {opened.folder, dataset} for path in folder.iterdir() if path.is_file()]
    return [*files, dataset / IMAGES_FOLDER, dataset / SPLITS_FOLDER]
