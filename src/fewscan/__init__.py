"""fewscan: from a folder of medical scans, few of them labeled, to an audited and calibrated classifier that labels the rest.

The verbs of the command line are functions here: `plan_import`, `import_scans`, `plan_add`, `add_scans`, `audit`,
`audited_pairs`, `judge_pair`, `split`, `set_labels`, `export_labels`, `label_history`, `undo_labels`, `label_conflicts`,
`label_suspects`, `suggest`, `review`, `map_scans`, `embed`, `train`, `calibrate`, `evaluate`, `stress`, `label`, `check`,
`explain`, `check_evidence`, `report`, `export`, `compare`, `compare_budgets`, `study`, `verify`, `move_pixels`, `upgrade`.
`open_dataset` and `open_run` open folders for work in Python, such as tables and pictures in notebooks. `methods` and
`encoders` list what can be trained. `register_method`, `register_encoder`, `register_views` and `register_recipe` add your
own. Research use only.
"""

from typing import TYPE_CHECKING, Any

from fewscan.version import __version__ as __version__

if TYPE_CHECKING:
    from fewscan.api import *
    from fewscan.errors import FewscanError

__all__ = [
    "FewscanError",
    "add_scans",
    "audit",
    "audited_pairs",
    "calibrate",
    "check",
    "check_evidence",
    "compare",
    "compare_budgets",
    "embed",
    "encoders",
    "evaluate",
    "explain",
    "export",
    "export_labels",
    "import_scans",
    "judge_pair",
    "label",
    "label_conflicts",
    "label_history",
    "label_suspects",
    "map_scans",
    "methods",
    "move_pixels",
    "open_dataset",
    "open_run",
    "plan_add",
    "plan_import",
    "register_encoder",
    "register_method",
    "register_recipe",
    "register_views",
    "report",
    "review",
    "set_labels",
    "split",
    "stress",
    "study",
    "suggest",
    "train",
    "undo_labels",
    "upgrade",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load a verb when it is first asked for, so that the command line can answer Ctrl-C from its first moment on."""
    if name not in __all__:
        raise AttributeError(f"module 'fewscan' has no attribute '{name}'")
    from fewscan import api, errors

    return errors.FewscanError if name == "FewscanError" else getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
