"""What a page says of a run and its training: what it is made of, warnings, curves, the last epoch's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.patients import known_patients
from fewscan.learning.registry import method_type
from fewscan.reporting.figures import ACCURACIES, FEATURE_NUMBERS, loss_names, training_curves
from fewscan.reporting.rendering import percent
from fewscan.training.beginning import begun_from
from fewscan.training.run import Run
from fewscan.training.symptoms import reported_symptoms


def describe_run(run: Run, dataset: Snapshot) -> dict[str, Any]:
    """Return what every page about a run says of it and of `dataset`, which it was trained on, by name."""
    return {
        "run_name": run.folder.resolve().name,
        "dataset_name": dataset.folder.resolve().name,
        "record": run.record,
        "method_summary": method_type(run.settings.method.name).summary,
        "settings": run.settings.model_copy(update={"encoder": run.settings.encoder.without_folders}),
        "begun": begun_from(run.record.began_with, run.settings.encoder),
        "finished": run.finished,
        "description": dataset.description,
        "split": dataset.require_split(),
        "patients": known_patients(dataset.manifest),
    }


def describe_training(run: Run) -> dict[str, Any]:
    """Return what the templates `part_curves.html` and the pages around it ask for, by name."""
    metrics, solved = run.metrics(), run.settings.solved
    return {
        "symptoms": reported_symptoms(metrics, run.settings),
        "epochs_done": len(metrics),
        "curves": {theme: training_curves(metrics, theme) for theme in ("light", "dark")} if metrics and not solved else None,
        "solved_numbers": _solution(metrics[-1]) if metrics and solved else None,
        "last_epoch": last_epoch(metrics),
    }


def last_epoch(metrics: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the last epoch's numbers in words, by the names that the curves carry."""
    if not metrics:
        return {}
    last = metrics[-1]
    losses = {name: decimals(last.get(name)) for name in loss_names(metrics)}
    # A run without labels has no accuracy of a classifier in any epoch.
    shares = {text: percent(last.get(name)) for name, text in ACCURACIES.items() if _defined(metrics, name)}
    return losses | shares | {text: decimals(last[name]) for name, text in FEATURE_NUMBERS.items() if name in last}


def _solution(numbers: Mapping[str, Any]) -> dict[str, str]:
    """Return in words what was logged of a run that was solved for at once."""
    shares = {
        "training accuracy": numbers.get("p_acc"),
        "validation accuracy": numbers.get("validation_accuracy"),
        "cross-validated accuracy, which chose the strength": numbers.get("cross_validated_accuracy"),
        "cross-validated accuracy of the linear classifier it began with": numbers.get("probe_cross_validated_accuracy"),
    }
    said = {"loss": decimals(numbers["loss"])} | {name: percent(share) for name, share in shares.items() if share is not None}
    strengths = {"strength (C)": "strength", "strength (C) of the linear classifier that it began with": "probe_strength"}
    return said | {name: f"{numbers[key]:g}" for name, key in strengths.items() if key in numbers}


def _defined(metrics: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(numbers.get(name) is not None for numbers in metrics)


def decimals(number: float | None) -> str:
    """Return a number that is no share in words."""
    return "not defined" if number is None else f"{number:.4f}"
