"""How many negatives are noticed, and how many scans are taken for one: each scan as it is, and as `stress` inverts it.

    python -m benchmarks.negatives SCANS [--csv FILE]

SCANS is a folder of scans. Besides, scans that are no negatives but changed: cut so that tissue reaches the edge, brightened
after that, and with a white margin; and pictures that are no scans at all.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.non_scans import CHOSEN_WITH, NEED_SCIKIT_IMAGE, TESTED_WITH, of_kind
from fewscan.images.formats.image import Pixels
from fewscan.images.grid import small_grid
from fewscan.images.listing import list_place
from fewscan.images.negatives import is_negative
from fewscan.images.options import ImageSpec
from fewscan.images.readers import Image, fit, read_parts
from fewscan.stressing.corruption import STRENGTHS
from fewscan.stressing.corruptions import CORRUPTIONS

OF_A_KIND = 40


def cut(scan: Pixels, share: float) -> Pixels:
    down, right = (int(share * side) for side in scan.shape)
    return scan[down : scan.shape[0] - down, right : scan.shape[1] - right]


def margin(scan: Pixels, share: float) -> Pixels:
    return np.pad(scan, int(share * max(scan.shape)), constant_values=255)


def changes() -> dict[str, Callable[[Pixels], Pixels]]:
    inversion, gamma = CORRUPTIONS["inversion"], CORRUPTIONS["gamma-brighter"]
    return {
        "as it is": lambda scan: scan,
        **{inversion.said(one): partial(inversion.applied, strength=one) for one in range(1, STRENGTHS + 1)},
        **{f"{share:.0%} cut away at each end": partial(cut, share=share) for share in (0.2, 0.3, 0.35)},
        "30% cut away, brightness to the power of 0.5": lambda scan: gamma.applied(cut(scan, 0.3), 3),
        **{f"white margin of {share:.0%}": partial(margin, share=share) for share in (0.02, 0.05, 0.15, 0.3)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    lines: dict[str, list[bool]] = {}
    some: list[Pixels] = []
    for file in list_place(arguments.scans, ImageSpec(), follow_links=False):
        for image in read_parts(file.path, (file.part,)):
            if isinstance(image, Image):
                for name, change in changes().items():
                    lines.setdefault(name, []).append(is_negative(small_grid(np.ascontiguousarray(change(image.pixels)))))
                if len(some) < OF_A_KIND:
                    some.append(fit(image.pixels, 256, "stretch")[0])
    for kind in sorted({*CHOSEN_WITH, *TESTED_WITH} - {*NEED_SCIKIT_IMAGE}):
        lines[f"no scan: {kind}"] = [is_negative(small_grid(one)) for one in of_kind(kind, OF_A_KIND, np.stack(some))]
    table = pd.DataFrame([{"what": name, "images": len(told), "called_negative": sum(told)} for name, told in lines.items()])
    print(table.to_string(index=False))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
