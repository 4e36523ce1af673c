"""What a dataset knows of the trainings on it, so that the next one can say what is new."""

from typing import Any

from fewscan import jsonl
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.records import note_in_dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.wording import counted, listed

TRAININGS_FILE = "trainings.jsonl"


def note_training(snapshot: Snapshot, run: str) -> None:
    """Write down in the dataset what a run, by its identity, begins with; raises FewscanError where that cannot be written."""
    described = snapshot.description
    noted: dict[str, Any] = {"run": run, "split": snapshot.require_split().name}
    noted |= {"label_entry": described.label_entry, "images": described.images}
    note_in_dataset(snapshot.folder, TRAININGS_FILE, noted)


def news(dataset: Dataset, snapshot: Snapshot, run: str | None = None) -> str | None:
    """Return what has become of labels and images since a training began, until the snapshot was taken; None for nothing.

    run: by its identity; None for the last one under the snapshot's split.
    """
    column, wanted = ("split", snapshot.require_split().name) if run is None else ("run", run)
    lines = jsonl.read(dataset.folder / TRAININGS_FILE, ("run", "split", "label_entry", "images", "time"))
    before = [line for line in lines if line[column] == wanted]
    if not before:
        return None
    last = before[-1]
    rows = int(last["images"])
    if (rows, int(last["label_entry"])) == (len(snapshot.manifest), snapshot.description.label_entry):
        return None
    then = dataset.labels.current(rows, until=int(last["label_entry"]))["label"].fillna("").to_numpy()
    now = dataset.labels.current(len(snapshot.manifest), until=snapshot.description.label_entry)["label"].fillna("").to_numpy()
    # What is set aside counts for no image added, as in `add`.
    added, known = now[snapshot.usable[snapshot.usable >= rows]], now[:rows]
    counts = (
        (int(((then == "") & (known != "")).sum() + (added != "").sum()), "new label", "new labels"),
        (int(((then != "") & (known != "") & (then != known)).sum()), "corrected label", "corrected labels"),
        (int(((then != "") & (known == "")).sum()), "label taken back", "labels taken back"),
        (len(added), "scan added", "scans added"),
    )
    said = [counted(count, one, several) for count, one, several in counts if count]
    since = f"the last training on the split '{wanted}' ({last['time']})" if run is None else "this run was trained"
    return f"since {since}: {listed(said)}" if said else None
