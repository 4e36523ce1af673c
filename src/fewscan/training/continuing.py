"""What a new run begins with, a finished run or an encoder's weights; and what must not judge it then."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fewscan.config import json_object, leaves
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError, Reasons
from fewscan.folders import MARKS, MODEL_FILE, SNAPSHOT_FILE
from fewscan.images.options import ImageSpec
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.encoders import build_encoder, encoder_settings, encoder_type
from fewscan.models.origin import Origin, Weights
from fewscan.models.weights import PREFIX, load_weights, pickled_line, read_weights, weights_identity
from fewscan.progress import say
from fewscan.tensors import safetensors_of
from fewscan.training.beginning import BEGINNING_FILE, BeganWith, Beginning
from fewscan.training.run import Run
from fewscan.training.seen import learned_by
from fewscan.training.settings import RunSettings


class ReadyEncoder(NamedTuple):
    """An encoder with the weights that it begins with: in evaluation mode, and none of its weights learns."""

    encoder: Encoder
    settings: EncoderSettings
    identity: str  # a SHA-256 over its weights and settings
    origin: Origin | None  # where they come from; None for random ones


def ready_encoder(settings: EncoderSettings, spec: ImageSpec) -> ReadyEncoder:
    """Return the encoder that `settings` name, for images of `spec`, with the weights that `settings.weights` names.

    Raises FewscanError where the weights cannot be had or do not fit, naming the tensors or settings that differ.
    """
    encoder = build_encoder(settings, spec.channels, spec.size_px)
    origin = None
    if settings.weights is not None:
        weights = _weights(encoder, settings, spec)
        load_weights(encoder, weights)
        origin = weights.origin
    return made_ready(encoder, settings, origin)


def made_ready(encoder: Encoder, settings: EncoderSettings, origin: Origin | None) -> ReadyEncoder:
    """Return an encoder that has its weights, in evaluation mode: from here on none of them learns."""
    encoder.eval().requires_grad_(False)
    said = settings.untrained.model_dump_json() + weights_identity(encoder)
    return ReadyEncoder(encoder, settings, hashlib.sha256(said.encode()).hexdigest(), origin)


def asked_encoder(text: str, /, **changes: Any) -> EncoderSettings:
    """Return the settings of what a user names as an encoder: an encoder by name, a run's folder, or a file of weights.

    An encoder by name begins with the first of its known weights unless `changes` of its settings say otherwise. A file says
    whose weights it holds by the `model.json` of an export beside it, or `changes` name the encoder. Raises FewscanError where
    neither says it, and where there is no such encoder, run or file.
    """
    settings = EncoderSettings(name="", weights=text)
    run = run_of_weights(settings)
    if run is not None:
        return encoder_settings(**run.settings.encoder.untrained.model_dump(mode="json") | {"weights": text} | changes)
    path = Path(text)
    if path.suffix and path.is_file():
        if "weights" in changes:
            raise FewscanError(f"{path} is a file of weights: name an encoder, or leave out other weights")
        described = path.with_name("model.json")
        if described.is_file() and "name" not in changes:
            changes = dict(json_object(described, "export again").get("encoder", {})) | changes
        if "name" not in changes:
            raise FewscanError(f"{path} does not say which encoder its weights belong to: name it with encoder=NAME")
        return encoder_settings(**changes | {"weights": text})
    known = encoder_type(text).known_weights
    return encoder_settings(**{"name": text, "weights": known[0].name if known else None} | changes)


def _weights(encoder: Encoder, settings: EncoderSettings, spec: ImageSpec) -> Weights:
    """Return the weights that `settings.weights` names: by name, of a run, or of a file."""
    name = str(settings.weights)
    if name in (known.name for known in encoder.known_weights):
        return encoder.get_weights(name)
    run = run_of_weights(settings)
    if run is None:
        weights = read_weights(Path(name))
        if (line := pickled_line(Path(name))) is not None:
            say(line)
        return weights
    theirs, ours = (leaves(each.untrained.model_dump(mode="json")) for each in (run.settings.encoder, settings))
    # Weights fit images of any size, or say by their shapes that they do not.
    others = [f"{key}={theirs.get(key)}" for key in theirs | ours if key != "input_px" and theirs.get(key) != ours.get(key)]
    with Reasons(f"no encoder can begin with the weights of {run.folder}") as reasons:
        if spec.channels != run.record.spec.channels:
            reasons.add(f"{run.folder} was trained on images with {run.record.spec.channels} channels, not {spec.channels}")
        if others:
            differ = ", ".join(f"encoder.{other}" for other in others)
            reasons.add(f"{run.folder} has an encoder with other settings: add {differ}")
    tensors = run.load_network().encoder.state_dict()
    return Weights(tensors, origin_of(run))


def run_of_weights(settings: EncoderSettings) -> Run | None:
    """Return the run that `settings.weights` names by its folder or its weights' file; None where it names none."""
    if settings.weights is None:
        return None
    path = Path(settings.weights)
    folder = path.parent if path.name in (MODEL_FILE, BEGINNING_FILE) else path
    return Run.open(folder) if (folder / MARKS["run"]).is_file() else None


def origin_of(run: Run) -> Origin:
    """Return a finished run as where weights come from."""
    return Origin(
        kind="run",
        source=run.folder.resolve().name,
        learned_from=Path(run.record.dataset).name,
        sha256=file_sha256(run.folder / MODEL_FILE),
        run=str(run.folder.resolve()),
        identity=run.identity,
        dataset_identity=run.record.dataset_identity,
        license=None if run.record.began_with is None else run.record.began_with.origin.license,
        before=None if run.record.began_with is None else run.record.began_with.origin,
    )


def whole_network(run: Run) -> Beginning:
    """Return all weights of `run` as a beginning; raises FewscanError where it is unfinished."""
    run.load_network()
    content = (run.folder / MODEL_FILE).read_bytes()
    record = BeganWith(origin=origin_of(run), sha256=hashlib.sha256(content).hexdigest(), classes=run.record.classes)
    return Beginning(record, content)


def encoder_alone(settings: EncoderSettings, spec: ImageSpec) -> Beginning | None:
    """Return the weights that an encoder's settings name as a beginning; None for random ones.

    Raises FewscanError where the encoder, or its weights, cannot be had or do not fit.
    """
    if settings.weights is None:
        build_encoder(settings, spec.channels, spec.size_px)
        return None
    ready = ready_encoder(settings, spec)
    assert ready.origin is not None  # of what begins with weights
    content = safetensors_of({f"{PREFIX}{name}": value for name, value in ready.encoder.state_dict().items()})
    return Beginning(BeganWith(origin=ready.origin, sha256=hashlib.sha256(content).hexdigest()), content)


def kept_beginning(run: Run) -> Beginning | None:
    """Return what `run` began with, from its own copy; None where it began with random weights."""
    if run.record.began_with is None:
        return None
    run.first_network()  # says where the file is not what it was
    return Beginning(run.record.began_with, (run.folder / BEGINNING_FILE).read_bytes())


def is_same_dataset(run: Run, snapshot: Snapshot) -> bool:
    """Return whether `run` was trained on the dataset of `snapshot`, so that its rows are the same images.

    A copy of that dataset which lacks what was added before the run, or got other images, is another one.
    """
    alike = run.record.dataset_identity == snapshot.description.identity and run.record.spec == snapshot.spec
    return alike and snapshot.holds(run.folder / SNAPSHOT_FILE)


def taught_by(run: Run, snapshot: Snapshot, *, encoder_alone: bool = False) -> Snapshot:
    """Return `snapshot` with a mark on every row that `run`, or one that it began with itself, has learned from.

    Rows that it learned from with a label are told from those that it saw without. Of a run on another dataset, a mark on every
    row whose file has the bytes of one of its own, where that dataset is at hand; near-duplicates of these cannot be told.
    encoder_alone: whether its encoder is meant, not its classifier.
    """
    if is_same_dataset(run, snapshot):
        # Which images it learned from is asked, under whichever labels these are imported here.
        before = run.seen_of(snapshot.folder, snapshot.store)
        later = np.zeros(len(snapshot.manifest) - len(before.manifest), bool)
        taught, seen = (np.concatenate([rows, later]) for rows in learned_by(run, before, encoder_alone=encoder_alone))
    else:
        try:
            now = run.dataset_now()
            before = run.seen_of(now.folder, now.images)
        except FewscanError:
            if run.record.dataset_identity == snapshot.description.identity:
                raise  # it knows some of these very images
            return snapshot
        files, known = snapshot.manifest["sha256"], before.manifest["sha256"]
        learned = learned_by(run, before, encoder_alone=encoder_alone)
        taught, seen = (files.isin(known[rows]).to_numpy(bool) for rows in learned)
    taught = taught | snapshot.manifest["taught_before"].to_numpy(bool)
    seen = (seen | snapshot.manifest["seen_before"].to_numpy(bool)) & ~taught
    return replace(snapshot, manifest=snapshot.manifest.assign(taught_before=taught, seen_before=seen))


def require_same_dataset(run: Run, snapshot: Snapshot) -> None:
    """Raise FewscanError where `run` was trained on another dataset: which test images it has seen could not be told."""
    if not is_same_dataset(run, snapshot):
        raise FewscanError(
            f"{run.folder} was trained on another dataset than {snapshot.folder}, so nobody can tell which test images it has "
            "learned from: start from a run on the same dataset, or take only the encoder, with "
            f"encoder.weights={run.folder} instead of --from"
        )


def settings_of(run: Run, method: str | Mapping[str, Any] | None, changes: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return method and changes that give a new run the network and method of `run`, with further `changes`.

    Raises FewscanError where another method is asked for.
    """
    asked = method if method is None or isinstance(method, str) else method.get("name")
    own = run.settings.method.model_dump(mode="json")
    with Reasons(f"nothing can start from {run.folder}") as reasons:
        if asked not in (None, own["name"]):
            reasons.add(f"{run.folder} was trained with {own['name']}: leave out either --method {asked} or --from")
        if dict(changes.get("encoder", {})).get("weights") is not None:
            reasons.add("--from starts from all weights of a run: leave out either encoder.weights or --from")
    further = {} if method is None or isinstance(method, str) else dict(method)
    begun = run.settings.model_dump(mode="json")
    kept: dict[str, Any] = {name: begun[name] for name in begun.keys() & {"heads", "views"}}
    kept["encoder"] = run.settings.encoder.untrained.model_dump(mode="json")
    return own | further, RunSettings.laid_over(kept, changes)


def with_encoder_of_run(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `changes` of a run's settings with the encoder of the run that `encoder.weights` names, where it names one."""
    asked = dict(changes.get("encoder", {}))
    weights = asked.get("weights")
    run = run_of_weights(EncoderSettings(name="", weights=str(weights))) if weights is not None else None
    if run is None or asked.get("name", run.settings.encoder.name) != run.settings.encoder.name:
        return dict(changes)
    return {**changes, "encoder": run.settings.encoder.untrained.model_dump(mode="json") | asked}
