"""Why the outcome of a comparison may say little about its methods, in words."""

from collections.abc import Sequence

from fewscan.comparison.results import Results
from fewscan.comparison.ways import Way
from fewscan.learning.registry import DEFAULT_METHOD
from fewscan.learning.supervised import Supervised
from fewscan.reporting.comparing.sentences import ranging
from fewscan.training.choice import LEAST_IMAGES, favors_supervised
from fewscan.wording import listed


def doubts(every: Sequence[Results]) -> list[str]:
    """Return a sentence on each reason to doubt what came out, for one comparison or those of several budgets."""
    trained: dict[str, int] = {}
    for results in every:
        if any(Way.read(name).method == Supervised.name for name in results.methods):
            trained |= _briefly(results)
    if not trained:
        return []
    return [
        f"the schedule is short: {listed(list(trained))} trained on {ranging(list(trained.values()))} images. Below "
        f"{LEAST_IMAGES:,} that favors supervised, as was measured with {DEFAULT_METHOD}, which learns late; set the length by "
        "training_images=, with another --out"
    ]


def _briefly(results: Results) -> dict[str, int]:
    """Return the methods that were run with a schedule that favors supervised, and how many images each trained on."""
    found = {}
    for trial, run in results.trials.items():
        settings, split = results.settings[trial], results.splits[trial.protocol]
        size = {"labeled": split.labeled, "unlabeled": split.unlabeled}
        recipe = Way.read(trial.method).recipe_in(results.comparison.plan.recipe)
        if run is not None and favors_supervised(settings, recipe, **size):
            found[trial.method] = settings.images_trained(**size)
    return found
