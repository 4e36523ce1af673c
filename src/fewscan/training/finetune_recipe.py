"""The recipe `finetune`, for runs whose encoder begins with weights that were learned elsewhere."""

from typing import Any

from fewscan.learning.method import Method
from fewscan.learning.scan_views import ScanViews
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.training.recipe import Preferred, Recipe

TRAINING_IMAGES = 25_000
# Of a method that learns without labels, which shows the encoder two views of each scan: docs/search.md, 19.
WITHOUT_LABELS = {"batch_size": 256, "training_images": 120_000}
# A network with good weights goes by fine details, and fails where a scan lacks them, unless views do, too: docs/search.md, 28.
# Of a method that learns without labels it was not measured.
WITH_LABELS = {"views": {"name": ScanViews.name, "detail_loss_probability": 0.3}}


class FinetuneRecipe(Recipe):
    """A short training that moves good weights little and new heads much; docs/search.md says what was measured."""

    name = "finetune"
    summary = "efficientnet_lite0 from its ImageNet weights, or other encoder.weights; heads learn faster than the encoder"
    preferred = Preferred(
        "supervised", "with ImageNet's weights, 'mixmatch' was better with 124 labels but worse with 40 and 988"
    )
    minimum_epochs = 20

    def settings(self, method: type[Method], *, labeled: int, unlabeled: int) -> dict[str, Any]:
        """Return the settings of a run of `method`."""
        without_labels = method.two_views and not method.needs_labels
        smooths = "label_smoothing" in method.settings_type.model_fields
        return {
            "encoder": {"name": EfficientNetLite0.name, "weights": EfficientNetLite0.known_weights[0].name},
            "method": {"label_smoothing": 0.1} if smooths else {},
            "optimizer": {"learning_rate": 1e-3, "head_rate": 10.0, "layer_decay": 1.0, "warmup_epochs": 2},
            "batch_size": 64 if method.uses_unlabeled else 32,
            "class_balance": 1.0,
            "training_images": TRAINING_IMAGES,
            "averaging": 0.99,
            **(WITHOUT_LABELS if without_labels else WITH_LABELS),
        }
