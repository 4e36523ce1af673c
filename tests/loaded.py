"""Loads what `tests/processes.py` has loaded before it forks, and spares the garbage collectors of all forks these objects."""

import gc

gc.disable()
import fewscan.cli  # noqa: E402
import fewscan.comparison.trials  # noqa: E402
import fewscan.reviewing.serving  # noqa: E402
import fewscan.reviewing.tutor  # noqa: E402
import fewscan.training.together  # noqa: E402, F401

gc.freeze()
gc.enable()
