"""The study's figures, drawn from a comparison's runs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from fewscan.comparison.results import Results
from fewscan.reporting.comparing.canvas import footer, write_figure
from fewscan.reporting.comparing.curves import method_looks
from fewscan.reporting.comparing.figures import Together, accuracies_figure, losses_figure
from fewscan.reporting.comparing.page import Picture
from fewscan.studies.bitlis.curves import LOOKS, methods_apart
from fewscan.studies.bitlis.outcome import stands_in
from fewscan.studies.bitlis.published import TABLE2
from fewscan.studies.bitlis.samples import STAND_IN, samples

# What stands below a figure, and what is said to those who do not see it.
TEXTS: dict[str, tuple[str, str]] = {
    "figure2.png": (
        "Figure 2. Samples of the scans that training sees: labeled ones by class, and unlabeled ones.",
        "Rows of brain scans: some of each labeled class, and some without a label",
    ),
    "figure7.png": (
        "Figure 7. SimCLR beside the proposed model (joint): accuracies and losses over epochs.",
        "Curves of accuracy and of loss over epochs, simclr on one side and joint on the other",
    ),
    "figure8_accuracy.png": (
        "Figure 8, accuracy. All methods in one plot: p_acc over epochs, and at the right val_p_acc on the test set.",
        "Curves of training accuracy over epochs, one for each method, and a mark for its accuracy on the test images",
    ),
    "figure8_loss.png": (
        "Figure 8, loss. All methods in one plot, each loss divided by its first epoch's: only the shapes can be compared.",
        "Curves of training loss over epochs, one for each method",
    ),
    "figure9.png": (
        "Figure 9. Barlow Twins beside NNCLR: accuracies and losses over epochs.",
        "Curves of accuracy and of loss over epochs, barlow_twins on one side and nnclr on the other",
    ),
}
FILES = tuple(TEXTS)


def write_figures(results: Results, folder: Path) -> list[Path]:
    """Write FILES as PNG into `folder`, each replacing an older one, and return their paths.

    Raises FewscanError where one cannot be written.
    """
    return [write_figure(draw, folder / name) for name, draw in figures(results).items()]


def pictures(paths: list[Path]) -> list[Picture]:
    """Return what `write_figures` wrote as a page shows it."""
    return [Picture.of(path, *TEXTS[path.name]) for path in paths]


def figures(results: Results) -> dict[str, Callable[[], Figure]]:
    """Return what draws figures 2, 7, 8 (in two parts) and 9 of the study, by FILES.

    A method that was not run is named as such. Of the scans, pixels are shown; of the unlabeled ones no class.
    """
    said = [*footer(results), STAND_IN if stands_in(results) else ""]
    together = Together(tuple(dict.fromkeys((*TABLE2, *results.methods))), {**method_looks(results.methods), **LOOKS}, said)
    training, test = "p_acc (labeled training images)", "val_p_acc (sealed test set, after the last epoch)"
    draws: tuple[Callable[[], Figure], ...] = (
        partial(samples, results),
        partial(methods_apart, results, ("simclr", "joint"), said),
        partial(accuracies_figure, results, together, training=training, test=test),
        partial(losses_figure, results, together),
        partial(methods_apart, results, ("barlow_twins", "nnclr"), said),
    )
    return dict(zip(FILES, draws, strict=True))
