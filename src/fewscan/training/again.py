"""How a run is asked for once more, on newer labels."""

from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.units import Units
from fewscan.training.choice import choose
from fewscan.training.recipes import DEFAULT_RECIPE
from fewscan.training.run import Run


def asked_of(run: Run, seen: Snapshot) -> tuple[str, ...]:
    """Return the options of `train` that name method and recipe of a run; none where `train` would have chosen both by itself.

    Then it may choose others for more labels, and says why. seen: what the run saw of its dataset.
    """
    choice = choose(len(seen.rows("labeled")), len(seen.rows("unlabeled")), seen.spec.size_px, units=Units.of(seen))
    method, recipe = run.settings.method.name, run.record.recipe or DEFAULT_RECIPE
    if (choice.method_name, choice.recipe) == (method, recipe):
        return ()
    return "--method", method, *(() if recipe == DEFAULT_RECIPE else ("--recipe", recipe))
