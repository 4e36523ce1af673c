"""The random sample of a dataset's scans: those whose labels say how good a model is, since nobody chose them.

It needs no mark in the label log. All groups stand in one random order, which row numbers alone decide; scans that are to be
labeled at random are taken from its front, and whatever is labeled from the front on without a gap is the random sample. So it
is the same in every process and in a year, also where labels came by another way.
"""

import numpy as np
import numpy.typing as npt

from fewscan.seeds import stream

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def random_order(groups: Int64s, eligible: Bools) -> Int64s:
    """Return the rows of the random sample in their order: of every group with eligible rows one, drawn at random.

    groups, eligible: (N,). A group stands where its first row draws, and every group is as likely to stand first: so a score
    over these rows is of groups, in which a patient with many scans counts once. Scans that are added later leave the order of
    the others as it is.
    """
    places, of_scan = (stream(0, name).numpy().random(len(groups)) for name in ("random sample", "scan of the random sample"))
    rows = np.flatnonzero(eligible)
    within = rows[np.lexsort((of_scan[rows], groups[rows]))]
    _, first = np.unique(groups[within], return_index=True)
    # `groups` of these ascend, as those of `lowest` do.
    drawn = within[first]
    _, lowest = np.unique(groups[rows], return_index=True)
    order: Int64s = drawn[np.argsort(places[rows[lowest]], kind="stable")]
    return order


def random_sample(order: Int64s, answered: Bools) -> Int64s:
    """Return the rows from the front of the random order that are answered (N,) without a gap.

    What is left out behind the gap was chosen, and would make the sample look harder than the pile is. Rows that were answered
    with `unsure` are among them, and have no label to score by.
    """
    gaps = np.flatnonzero(~answered[order])
    return order[: gaps[0]] if len(gaps) else order
