"""The layouts people have their scans in -> one list of images with what is known of each."""

from fewscan.images.listing.oddities import classes_apart, classes_unknown, few_of_a_class, slips_in_classes, warnings_of
from fewscan.images.listing.one_number import one_number_for_all
from fewscan.images.listing.scans import list_file, list_place, list_scans

__all__ = [
    "classes_apart",
    "classes_unknown",
    "few_of_a_class",
    "list_file",
    "list_place",
    "list_scans",
    "one_number_for_all",
    "slips_in_classes",
    "warnings_of",
]
