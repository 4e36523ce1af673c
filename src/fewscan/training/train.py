"""From a split dataset and settings to a finished run, in one go or in several."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.atomic import refuse_existing, writing
from fewscan.data.candidates import note_candidate
from fewscan.data.dataset import Dataset
from fewscan.models.encoders import build_encoder
from fewscan.progress import say
from fewscan.training.fit import fit
from fewscan.training.leakage import check_leakage
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings


def train_new(
    dataset: Dataset, settings: RunSettings, folder: Path, *, notes: Sequence[str] = (), candidate: bool = True
) -> Run:
    """Make the run `folder`, train it to its end and return it.

    notes: lines about the run for the person who waits, said once it is sure that training can begin. candidate: whether the
    run is one that somebody may choose by what it says of the validation part; the dataset's record then names it.
    Raises FewscanError where `folder` exists, where the split leaks and may not, where the encoder or its weights cannot be
    had, and where a loss stops being finite.
    """
    refuse_existing(folder)
    leaking_pairs = check_leakage(dataset, settings)
    if settings.encoder.pretrained:
        say(f"{settings.encoder.name}: timm fetches its weights, unless they lie in its cache already")
    # An encoder that cannot be had leaves no run behind; what was fetched lies in timm's cache for the run.
    build_encoder(settings.encoder, dataset.description.channels, dataset.description.image_size_px)
    with writing(folder):
        run = Run.create(folder, settings, dataset, leaking_pairs)
        if candidate and len(dataset.rows("validation")):
            note_candidate(dataset, run.identity)
        for note in notes:
            say(note)
        fit(run, dataset, resume=False)
    return run


def train_on(run: Run, dataset: Dataset) -> Run:
    """Train an interrupted run to its end, with the settings that it began with, and return it.

    A run that is finished is left alone.
    """
    if not run.finished:
        with writing(run.folder):
            fit(run, dataset, resume=True)
    return run
