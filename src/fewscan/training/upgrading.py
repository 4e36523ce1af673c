"""A run that was trained on a dataset of the first format -> the same run on the converted dataset; the old folder stays."""

import hashlib
import shutil
from pathlib import Path

from fewscan.atomic import new_folder, write_text
from fewscan.config import json_object
from fewscan.datasets.dataset import DEFAULT_SPLIT, Dataset
from fewscan.errors import FewscanError
from fewscan.folders import SNAPSHOT_FILE
from fewscan.training.run import RECORD_FILE, Run
from fewscan.training.run_record import RunRecord


def upgrade_run(old: Path, new: Path, dataset: Dataset) -> Run:
    """Copy the run `old` to the new folder `new`, with a snapshot of `dataset`, the converted one that it was trained on.

    Weights, calibration, scores and log stay as they are. Raises FewscanError where the run has a snapshot already, where the
    dataset has another split, images or classes than the run was trained on, and where `new` exists.
    """
    said = json_object(old / RECORD_FILE, "restore the original file")
    if "snapshot_sha256" in said:
        raise FewscanError(f"{old} already has the current format: there is nothing to convert")
    snapshot = dataset.snapshot(DEFAULT_SPLIT)
    if snapshot.require_split().fingerprint != said["split_fingerprint"] or list(snapshot.classes) != said["classes"]:
        raise FewscanError(
            f"{dataset.folder} is not the dataset that {old} was trained on (classes or split differ): with --data, give "
            "the folder that its dataset was converted to"
        )
    content = snapshot.as_parquet()
    former = ("image_size_px", "channels", "resize", "window")
    record = RunRecord.parse(
        {name: value for name, value in said.items() if name not in former}
        | {
            "dataset": str(dataset.folder.resolve()),
            "dataset_identity": snapshot.description.identity,
            "snapshot_sha256": hashlib.sha256(content).hexdigest(),
            "spec": snapshot.spec.model_dump(),
        }
    )
    with new_folder(new, "OUT") as folder:
        shutil.copytree(old, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock", "*.tmp"))
        (folder / SNAPSHOT_FILE).write_bytes(content)
        write_text(folder / RECORD_FILE, record.model_dump_json(indent=2) + "\n")
    return Run.open(new)
