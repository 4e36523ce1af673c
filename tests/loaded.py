"""Loads what `tests/processes.py` has loaded before it forks, and spares the garbage collectors of all forks these objects."""

import gc
from functools import cache

gc.disable()
from lightning_fabric import fabric  # noqa: E402

import fewscan.cli  # noqa: E402
import fewscan.comparison.trials  # noqa: E402
import fewscan.reviewing.serving  # noqa: E402
import fewscan.reviewing.tutor  # noqa: E402
import fewscan.training.together  # noqa: E402, F401

# As in `tests/smaller.py`: Fabric asks every installed package for callbacks, here once for all forks.
fabric._load_external_callbacks = cache(fabric._load_external_callbacks)
fabric._load_external_callbacks("lightning_fabric.callbacks_factory")

gc.freeze()
gc.enable()
