"""The recipe `study`: the study's own settings."""

from typing import Any

from fewscan.learning.method import Method
from fewscan.training.recipe import Preferred, Recipe


class StudyRecipe(Recipe):
    """What the study says, and what Keras does where it says nothing. Source: doi 10.17798/bitlisfen.1558069."""

    name = "study"
    summary = "the published study's: study_cnn, views 'study', Adam, temperature 0.1, 100 epochs"
    preferred = Preferred("joint", "what the study proposes")

    def settings(self, method: type[Method], *, labeled: int, unlabeled: int) -> dict[str, Any]:
        """Return the settings of a run of `method`."""
        return {
            "encoder": {"name": "study_cnn"},
            "heads": {
                "projection_units": (256, 128, 64),
                "projection_last_relu": True,
                "classifier_input": "projection",
                "classifier_hidden_units": (256, 128),
            },
            "views": {"name": "study"},
            "optimizer": {
                "name": "adam",
                "learning_rate": 1e-3,
                "weight_decay": 0.0,
                "schedule": "constant",
                "warmup_epochs": 0,
            },
            "copies_share_labels": False,
            "averaging": 0.0,
            "epochs": 100,
            "batch_size": 512 if method.two_views else 64,
        }
