"""Labels to check, as a table to correct and as a page of pictures to look at."""

import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewscan.atomic import write_text
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.label_suspects import LabelSuspects, given_words
from fewscan.images.png import SMALL_SCAN_PX, pictures_of_a_page, scan_picture
from fewscan.images.stored import one_by_one
from fewscan.labels.tables import choices_of
from fewscan.reporting.rendering import render
from fewscan.spreadsheet import write_spreadsheet
from fewscan.wording import listed, scan_number


class Suspect(NamedTuple):
    """A scan as the page shows it, with its place in the list and probabilities in [0, 1]."""

    place: int
    picture: str
    called: str
    label: str
    label_probability: float
    predicted: str
    predicted_probability: float
    given: str  # what the label was given for as a whole, in words; empty for the single scan


def page_beside(table: Path) -> Path:
    """Return where the page about a table lies."""
    return table.with_suffix(".html")


def write_label_suspects(suspects: LabelSuspects, dataset: Snapshot, table: Path, *, names: bool = False) -> None:
    """Write `table`, a workbook or CSV that `labels set` takes, and one self-contained HTML page beside it.

    Of copies with the same label the first alone has it in the table, and is on the page: the label that goes for it goes for
    the others (`tables.copies`). The table names files; the page shows numbers of scans, and files, which may hold names of
    patients, only with `names`. It shows the worst scans, as many as keep it small. Raises FewscanError where either cannot be
    written.
    """
    is_copy = suspects.table["copy_of"].notna()
    lines = suspects.table.assign(label=suspects.table["label"].mask(is_copy))
    write_spreadsheet(lines, table, float_format="%.4g", choices=choices_of(dataset.classes))
    pictures = pictures_of_a_page(dataset.spec.channels, dataset.spec.size_px)
    lines = suspects.table[~is_copy].head(pictures)
    copies = suspects.copies
    images = one_by_one(dataset.pixels, lines["row"].to_numpy(np.int64))
    page = render(
        "label_suspects.html",
        dataset_name=dataset.folder.resolve().name,
        found=suspects,
        suspects=[
            Suspect(
                place,
                scan_picture(image, SMALL_SCAN_PX),
                listed([dataset.file_names[row] if names else scan_number(row) for row in (line["row"], *copies[line["row"]])]),
                label=line["label"],
                label_probability=line["label_probability"],
                predicted=line["predicted"],
                predicted_probability=line["predicted_probability"],
                given=given_words(line),
            )
            for place, (line, image) in enumerate(zip(lines.to_dict("records"), images, strict=True), start=1)
        ],
        table=table.name,
        # Where the dataset and the table lie may name the user: the page is passed on.
        command=shlex.join(["fewscan", "labels", "set", "DATASET", table.name]),
    )
    write_text(page_beside(table), page)
