"""The study's own figures, to stand beside ours, and what it calls things.

Source: STUDY, tables 1 and 2; percent, of one run each. The study has no row for `supervised`.
"""

from fewscan.datasets.descriptions import Protocol

STUDY = "“A SimCLR-based model for unlabeled brain-tumor images”, doi 10.17798/bitlisfen.1558069"

NUMBERS = ("c_acc", "p_acc", "r_acc", "val_p_acc")

PUBLISHED: dict[str, dict[str, float]] = {
    "barlow_twins": {"c_acc": 98.65, "p_acc": 56.63, "r_acc": 35.94, "val_p_acc": 53.25},
    "nnclr": {"c_acc": 98.36, "p_acc": 62.36, "r_acc": 36.26, "val_p_acc": 58.12},
    "simclr": {"c_acc": 99.28, "p_acc": 58.86, "r_acc": 0.78, "val_p_acc": 54.87},
    "joint": {"c_acc": 99.35, "p_acc": 96.31, "r_acc": 57.76, "val_p_acc": 72.40},
}
PROPOSED = "joint"
LEFT_OUT = "supervised"  # what it did not compare with

# The rows of its two tables, in their order, each below the row that it left out.
TABLE1 = ("supervised", "simclr", "joint")
TABLE2 = ("supervised", "barlow_twins", "nnclr", "simclr", "joint")

# What it calls our methods.
NAMES = {"barlow_twins": "Barlow Twins", "nnclr": "NNCLR", "simclr": "SimCLR", "joint": "proposed model"}

NUMBER_TITLES = {
    "c_acc": "c_acc, contrastive accuracy",
    "p_acc": "p_acc, accuracy while training",
    "r_acc": "r_acc, correlation accuracy",
    "val_p_acc": "val_p_acc, accuracy on the test images",
}

RECIPE = "study"
# Its own kind of split, and the one that keeps copies on one side.
PROTOCOLS: tuple[Protocol, Protocol] = ("study", "leakfree")
LABELS, TEST_IMAGES = 1235, 308
LENGTH = "The published study: 100 epochs, 96 px, 1,235 labels, 308 test images, one run of each method."
