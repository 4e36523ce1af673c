"""The run folder: settings, what the run was made from, its log, its checkpoint and the trained network."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from safetensors import SafetensorError

from fewscan import jsonl
from fewscan.atomic import new_folder, write_bytes, write_json, write_text
from fewscan.config import Settings, json_object, nearest, yaml_value
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.openings import OPENINGS_FILE, Openings, note_opening, openings
from fewscan.datasets.records import OF_RUN, note, require_notable
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import file_sha256, whole
from fewscan.errors import FewscanError
from fewscan.folders import MARKS, MODEL_FILE, SNAPSHOT_FILE, require_file
from fewscan.images.store import ImageStore
from fewscan.locks import refuse_held
from fewscan.models.network import Network
from fewscan.tensors import read_safetensors, safetensors_of
from fewscan.training.beginning import BEGINNING_FILE, Beginning, load_beginning
from fewscan.training.moved import called_with, dataset_folder, dataset_word, has_said
from fewscan.training.plugins import require_plugins
from fewscan.training.run_record import RunRecord
from fewscan.training.seal import SEAL, is_whole, sealed
from fewscan.training.settings import RunSettings
from fewscan.wording import command_line

CONFIG_FILE = "config.yaml"
RECORD_FILE = MARKS["run"]
METRICS_FILE = "metrics.jsonl"
CHECKPOINT_FOLDER = "checkpoint"
TENSORBOARD_FOLDER = "tensorboard"

# What runs before 2026-11-26 logged under the name of an accuracy on the test set.
FORMER_NAMES = {"val_p_acc": "validation_accuracy"}

# Of a run's record: what its weights mean something under, and the name that this goes by in files of tensors.
_TIES = ("classes", "dataset_fingerprint", "split_fingerprint", "protocol", "leaking_pairs", "snapshot_sha256")
TIES = "fewscan"
Stored = TypeVar("Stored", bound=Settings)


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: Path
    settings: RunSettings
    record: RunRecord
    data: Path | None = None  # where its dataset was said to lie now

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: RunSettings,
        dataset: Snapshot,
        leaking_pairs: int | None,
        recipe: str | None = None,
        beginning: Beginning | None = None,
    ) -> Self:
        """Make the folder of a new run on `dataset`; raises FewscanError where something stands there already."""
        snapshot = dataset.as_parquet()
        began_with = None if beginning is None else beginning.record
        digest = hashlib.sha256(snapshot).hexdigest()
        record = RunRecord.of(dataset, digest, settings, leaking_pairs=leaking_pairs, recipe=recipe, began_with=began_with)
        with new_folder(folder) as temporary:
            write_text(temporary / CONFIG_FILE, settings.as_yaml())
            (temporary / SNAPSHOT_FILE).write_bytes(snapshot)
            if beginning is not None:
                (temporary / BEGINNING_FILE).write_bytes(beginning.content)
            write_text(temporary / RECORD_FILE, record.model_dump_json(indent=2) + "\n")
        return cls(folder, settings, record)

    @classmethod
    def open(cls, folder: str | Path, data: str | Path | None = None) -> Self:
        """Open a run folder, finished or not; data: where its dataset lies now, if it was moved.

        Raises FewscanError where it is none or is damaged, and where its method or encoder is somebody else's and not known.
        """
        folder = Path(folder)
        for name in (CONFIG_FILE, RECORD_FILE):
            require_file(folder, name, "run")
        try:
            with whole(folder / CONFIG_FILE, "train again"):
                settings = yaml_value((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        except ValueError:
            settings = None
        if not isinstance(settings, dict):
            raise FewscanError(f"{folder / CONFIG_FILE} is damaged: train again")
        record = RunRecord.read(folder / RECORD_FILE, "train again")
        require_plugins(record.plugins, folder)
        return cls(folder, RunSettings.parse(settings), record, None if data is None else Path(data))

    @property
    def identity(self) -> str:
        """What tells this training from all others, wherever its folder lies."""
        texts = [(self.folder / name).read_bytes() for name in (CONFIG_FILE, RECORD_FILE)]
        return hashlib.sha256(b"".join(texts)).hexdigest()[:16]

    @property
    def ties(self) -> dict[str, Any]:
        """What weights and checkpoints say of the training that they are of, and that its other files must agree with."""
        return {CONFIG_FILE: file_sha256(self.folder / CONFIG_FILE), **self.record.model_dump(mode="json", include=set(_TIES))}

    @property
    def called(self) -> tuple[str | Path, ...]:
        """How a command refers to the run, with the folder of its dataset if that was given."""
        recorded = Path(self.record.dataset)
        return called_with(self.folder, recorded, self.data or recorded)

    @property
    def dataset_word(self) -> str | Path:
        """How a command calls its dataset: by where it lies now, or DATASET where it is not found."""
        return dataset_word(self.folder, Path(self.record.dataset), self.record.dataset_identity, self.data)

    @property
    def finished(self) -> bool:
        """Whether training is complete."""
        return (self.folder / MODEL_FILE).is_file()

    def open_dataset(self, moved_to: str | Path | None = None) -> Snapshot:
        """Return the dataset as it was when the run was trained: `moved_to` is where it lies now; it may lie beside the run.

        Whatever became of labels and splits since, and whichever images were added, the run stays what it is. Raises
        FewscanError where the dataset is not found, its images are others, or its label log never said what the run saw.
        """
        return self.seen_in(self.dataset_now(moved_to))

    def seen_in(self, now: Dataset) -> Snapshot:
        """Return what `open_dataset` does of the run's dataset, which is open already."""
        seen = self.seen_of(now.folder, now.images)
        if not has_said(now, seen):
            raise FewscanError(
                f"{now.folder} has the images of {self.folder}, but its label log never had the labels that the run saw: "
                "the images were imported again, or the log is an older copy. Give the run's own dataset with --data "
                "DATASET, or train again"
            )
        return seen

    def seen_of(self, folder: Path, images: ImageStore) -> Snapshot:
        """Return what the run saw, of the same images in whichever dataset's `folder`; raises FewscanError for others."""
        path = self.folder / SNAPSHOT_FILE
        if path.is_file() and file_sha256(path) != self.record.snapshot_sha256:
            raise FewscanError(f"{path} was changed since the run was made: restore the original file, or train again")
        return Snapshot.read(path, folder, images, "train again")

    def dataset_now(self, moved_to: str | Path | None = None) -> Dataset:
        """Open the dataset that the run was trained on, as it is today; see `open_dataset`."""
        named = self.data if moved_to is None else Path(moved_to)
        return Dataset.open(dataset_folder(self.folder, Path(self.record.dataset), self.record.dataset_identity, named))

    def log(self, numbers: Mapping[str, Any]) -> None:
        """Append one epoch's numbers to `metrics.jsonl`."""
        jsonl.append(self.folder / METRICS_FILE, numbers)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the logged numbers, one dictionary an epoch, each under the name that it has today."""
        epochs = jsonl.read(self.folder / METRICS_FILE, ("epoch",))
        return [{FORMER_NAMES.get(name, name): value for name, value in numbers.items()} for numbers in epochs]

    @property
    def training_seconds(self) -> float:
        """How many seconds the logged epochs took together."""
        return math.fsum(numbers["seconds"] for numbers in self.metrics())

    def forget_epochs_after(self, epoch: int) -> None:
        """Drop the log's lines of epochs after `epoch`: a resumed run writes them again."""
        kept = [numbers for numbers in self.metrics() if numbers["epoch"] <= epoch]
        write_text(self.folder / METRICS_FILE, "".join(json.dumps(numbers) + "\n" for numbers in kept))

    def first_network(self) -> Network:
        """Return the network that training begins with: the weights that the run keeps for it, or random ones."""
        network, began = self.new_network(), self.record.began_with
        if began is not None:
            return load_beginning(network, self.folder, began, self.record.classes)
        if self.settings.encoder.weights is not None:  # of runs before 2026-11-27, which did not keep them
            raise FewscanError(f"{self.folder} does not have the weights that it was to start from: train again")
        return network

    def new_network(self) -> Network:
        """Return a network of the run's shape with random weights: nothing is ever fetched for it."""
        return Network.of(self.record.spec, len(self.record.classes), self.settings.encoder.untrained, self.settings.heads)

    def save_network(self, network: Network) -> None:
        """Write the trained weights; their being there is what says that the run is finished."""
        write_bytes(self.folder / MODEL_FILE, safetensors_of(network.state_dict(), self.metadata()))

    def require_finished(self) -> None:
        """Raise FewscanError where the run is not trained to its end, with what trains it now, or the command that goes on."""
        if not self.finished:
            refuse_held(self.folder)
            again = command_line("train", self.dataset_word, "--out", self.folder, "--resume")
            raise FewscanError(f"{self.folder} is not finished: continue with '{again}'")

    def require_class(self, name: str) -> None:
        """Raise FewscanError, with the nearest class, where the run does not know a class of this name."""
        if name not in self.record.classes:
            raise FewscanError(f"the run does not know the class '{name}': {nearest(name, self.record.classes)}")

    def load_network(self) -> Network:
        """Return the trained network, ready to predict; raises FewscanError where the run is unfinished or damaged."""
        self.require_finished()
        network = self.new_network()
        path = self.folder / MODEL_FILE
        try:
            tensors, metadata = read_safetensors(path)
            network.load_state_dict(tensors)
        except (SafetensorError, OSError, RuntimeError):
            raise FewscanError(f"{path} is damaged or incomplete: train again") from None
        self.require_ties(metadata, path)
        if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
            raise FewscanError(f"{path} contains weights that are not numbers: train again")
        return network.eval()

    def metadata(self) -> dict[str, str]:
        """Return what a file of tensors says of its training; one entry, since several would come in any order."""
        return {TIES: json.dumps(self.ties)}

    def require_ties(self, metadata: Mapping[str, str], path: Path) -> None:
        """Raise FewscanError where a file of tensors is of another training than the run's other files speak of.

        metadata: the file's own; one written before 2026-11-27 says nothing of it.
        """
        try:
            said = dict(json.loads(metadata.get(TIES, "{}")))
        except (ValueError, TypeError, RecursionError):
            raise FewscanError(f"{path} is damaged: its record of the training cannot be read; train again") from None
        others = [name for name, value in self.ties.items() if said.get(name, value) != value]
        if others:
            raise FewscanError(
                f"{path} is from another training than {self.folder / CONFIG_FILE} and {RECORD_FILE} ({', '.join(others)} "
                f"{'differs' if len(others) == 1 else 'differ'}): restore the files that belong together, or train again"
            )

    def stored(self, name: str, kind: type[Stored], verb: str, *options: str) -> Stored | None:
        """Return what `verb` wrote, with `options`, into the run as the JSON file `name`, or None where it has not.

        Raises FewscanError, with the command that writes it anew, where it is damaged.
        """
        path = self.folder / name
        if not path.is_file():
            return None
        anew = f"run '{command_line(verb, *self.called, *options, '--overwrite')}'"
        content = json_object(path, anew)
        if not is_whole(content, self.folder / MODEL_FILE):
            self.load_network()  # weights that are not the run's own are said first
            raise FewscanError(f"{path} was changed since it was written, or belongs to other weights than the run's: {anew}")
        try:
            return kind.model_validate({key: value for key, value in content.items() if key != SEAL})
        except ValueError:
            raise FewscanError(f"{path} is damaged: {anew}") from None

    def store(self, name: str, content: Settings, beside: Sequence[str] = ()) -> None:
        """Write what a verb found out as the JSON file `name`, sealed with the weights and the run's files `beside` it."""
        files = [self.folder / other for other in beside]
        write_json(self.folder / name, sealed(content.model_dump(mode="json"), self.folder / MODEL_FILE, files))

    def note_test_opening(self, purpose: str, dataset: Snapshot, shows: str | None = None) -> Openings:
        """Write down, here and in `dataset`, that the verb `purpose` opens the test set, and return how often it has been.

        shows: what is equal for looks by this verb that show the same; None where each counts.
        Raises FewscanError where one of the two folders cannot be written.
        """
        note_opening(dataset, purpose, self.identity)
        note(self.folder / OPENINGS_FILE, {"purpose": purpose} | ({} if shows is None else {"shows": shows}))
        return self.openings(dataset)

    def openings(self, dataset: Snapshot) -> Openings:
        """Return how often the test set of `dataset`, the run's, was opened so far, by this run and by all."""
        return Openings(sum(self.test_openings().values()), openings(dataset).total)

    def has_shown(self, purpose: str, shows: str) -> bool:
        """Return whether the verb `purpose` opened the test set for this run and showed the same; see `note_test_opening`."""
        return any((look["purpose"], look.get("shows")) == (purpose, shows) for look in self._looks())

    def require_openings(self, dataset: Snapshot) -> None:
        """Raise FewscanError where `note_test_opening` would: before the work that it comes after."""
        require_notable(dataset.folder)
        require_notable(self.folder, OF_RUN)

    def test_openings(self) -> dict[str, int]:
        """Return how often each verb has opened the test set for this run; `datasets.openings` knows of all runs."""
        return dict(Counter(look["purpose"] for look in self._looks()))

    def _looks(self) -> list[dict[str, Any]]:
        return jsonl.read(self.folder / OPENINGS_FILE, ("purpose",))
