"""Tables with labels, patients and splits: file -> rows -> the images that they speak of -> what is known of each image."""

from fewscan.images.tables.overlay import label_from_tables

__all__ = ["label_from_tables"]
