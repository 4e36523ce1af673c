"""The recipe `fewscan`, made for gray scans of which few are labeled."""

import math
from typing import Any

from fewscan.learning.method import Method
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.training.lengths import images_per_pass
from fewscan.training.recipe import Recipe

# What it trains at least, however few the labels or many the images.
TRAINING_IMAGES = 900_000

# Where neighbors are sought: among the images of one pass, so that of an unlabeled one there is about one look. Were there
# more, its nearest neighbors would be its own earlier looks. Of many images not all need be there.
LEAST_QUEUE = 64
LARGEST_QUEUE = 8192


class ScanRecipe(Recipe):
    """Every method takes about the same time; docs/search.md says why it is as it is."""

    name = "fewscan"
    summary = "resnet_small, views 'scan', AdamW with warm-up and cosine, averaged weights, class-balanced sampling"
    minimum_epochs = 40

    def settings(self, method: type[Method], *, labeled: int, unlabeled: int) -> dict[str, Any]:
        """Return the settings of a run of `method`."""
        if method.solves:
            weights = EfficientNetLite0Middle.known_weights[0].name
            return {"class_balance": 1.0, "encoder": {"name": EfficientNetLite0Middle.name, "weights": weights}}
        shared = {"class_balance": 1.0, "training_images": TRAINING_IMAGES}
        if not method.guesses:
            return {**shared, "batch_size": 256 if method.two_views else 64}
        # Half of a batch is drawn from the labeled images, the other half from all.
        share = (1 + labeled / (labeled + unlabeled)) / 2 if unlabeled else None
        batch_size = 96
        # A method that guesses need not seek neighbors.
        has_queue = "queue_size" in method.settings_type.model_fields
        queue = {"queue_size": queue_size(images_per_pass(labeled, unlabeled, batch_size, share))} if has_queue else {}
        return {
            **shared,
            "method": queue,
            "batch_size": batch_size,
            "labeled_share": share,
            "optimizer": {"learning_rate": 3e-3},
        }


def queue_size(images: float) -> int:
    """Return the power of two from LEAST_QUEUE to LARGEST_QUEUE that holds a pass of so many images, or comes nearest to it."""
    return int(min(max(LEAST_QUEUE, 2 ** math.ceil(math.log2(images))), LARGEST_QUEUE))
