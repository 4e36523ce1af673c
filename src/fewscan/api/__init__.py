"""One function a verb, name for name the command line's; heavy imports wait for the verb that needs them."""

from fewscan.api.checking import check
from fewscan.api.choosing import suggest
from fewscan.api.comparing import compare, compare_budgets
from fewscan.api.datasets import add_scans, audit, import_scans, plan_add, plan_import, split
from fewscan.api.embedding import embed
from fewscan.api.labeling import label
from fewscan.api.labels import export_labels, label_conflicts, label_history, label_suspects, set_labels, undo_labels
from fewscan.api.mapping import map_scans
from fewscan.api.moving import move_pixels
from fewscan.api.opened import open_dataset, open_run
from fewscan.api.pairs import audited_pairs, judge_pair
from fewscan.api.registering import encoders, methods, register_encoder, register_method, register_recipe, register_views
from fewscan.api.reviewing import review
from fewscan.api.runs import calibrate, check_evidence, evaluate, explain, export, report
from fewscan.api.stressing import stress
from fewscan.api.studying import study
from fewscan.api.training import train
from fewscan.api.upgrading import upgrade
from fewscan.api.verifying import verify

__all__ = [
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
