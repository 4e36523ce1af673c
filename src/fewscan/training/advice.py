"""What to change where a run collapses or stands still: the settings to try, by name and value, for each symptom."""

from collections.abc import Iterable

from fewscan.learning.policies import DEFAULT_VIEWS
from fewscan.learning.registry import method_type
from fewscan.models.encoders import DEFAULT_ENCODER, encoder_type
from fewscan.training.settings import OptimizerSettings, RunSettings

# A learning rate below this share of the recipe's is taken for too low, any other for too high: the first is the rarer slip.
LOW_LEARNING_RATE = 0.1

# Below so many images a step, a method of two views has few others to tell an image apart from.
SMALL_BATCH = 64

LOOK_AT_SCANS = "Look at the sample scans in the run's report: if they all look the same, import the scans again."
LOOK_AT_LABELS = "Look at the labeled scans in the run's report: labels from folder names or a CSV may be mixed up."
MORE_LABELS = "Label more images, above all of the rarer classes."


def advice(symptom: str, settings: RunSettings) -> str:
    """Return in plain words what to do about a symptom, with settings as KEY=VALUE that `fewscan train` takes."""
    if symptom == "constant_features":
        return _try(_against_collapse(settings), LOOK_AT_SCANS)
    if symptom == "dead_projections":
        last_relu = ["heads.projection_last_relu=false"] if settings.heads.projection_last_relu else []
        return _try([*last_relu, *_against_collapse(settings)])
    if symptom == "loss_not_falling":
        return _try([_other_learning_rate(settings), *_for_the_method(settings)])
    if symptom == "one_class":
        return _try([_other_learning_rate(settings), _more_epochs(settings)], MORE_LABELS)
    if symptom == "probe_at_chance":
        stronger = [] if settings.views.name == DEFAULT_VIEWS else [f"views={DEFAULT_VIEWS}"]
        return _try([_more_epochs(settings), _other_learning_rate(settings), *stronger], LOOK_AT_LABELS, MORE_LABELS)
    return (
        "Unless nearly all unlabeled images really are of one class, label more images of the other classes, and compare the "
        "run with one of --method supervised, which makes no pseudo-labels."
    )


def _try(changes: Iterable[str], *sentences: str) -> str:
    """Return the changes as one sentence: a run keeps its settings, so they are for a new one."""
    return " ".join([*sentences, f"In a new run, try one at a time: {', '.join(changes)}."])


def _against_collapse(settings: RunSettings) -> list[str]:
    changes = [_other_learning_rate(settings)]
    if settings.optimizer.warmup_epochs == 0:
        changes.append(f"optimizer.warmup_epochs={OptimizerSettings().warmup_epochs:g}")
    if not encoder_type(settings.encoder.name).normalized:
        changes.append(f"encoder={DEFAULT_ENCODER}")
    return [*changes, *_for_the_method(settings)]


def _for_the_method(settings: RunSettings) -> list[str]:
    changes = []
    weight = getattr(settings.method, "redundancy_weight", None)
    # Ten times the mean entry off the diagonal: see BarlowTwinsSettings.
    usual_weight = 10 / max(1, settings.heads.projection_units[-1] - 1)
    if weight is not None and weight < usual_weight / 2:
        changes.append(f"method.redundancy_weight={usual_weight:.2g}")
    if method_type(settings.method.name).two_views and settings.batch_size < SMALL_BATCH:
        changes.append(f"batch_size={2 * SMALL_BATCH}")
    return changes


def _other_learning_rate(settings: RunSettings) -> str:
    usual = OptimizerSettings().learning_rate
    rate = settings.optimizer.learning_rate
    return f"optimizer.learning_rate={usual if rate < LOW_LEARNING_RATE * usual else rate / 10:g}"


def _more_epochs(settings: RunSettings) -> str:
    return f"epochs={2 * settings.epochs}"
