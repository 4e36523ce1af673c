"""The page of a comparison: one self-contained HTML file, whose first sentence says which method is best."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from fewscan.atomic import write_text
from fewscan.comparison.commands import commands
from fewscan.comparison.ranking import leaderboard
from fewscan.comparison.results import SIGNIFICANT, Results
from fewscan.config import spelled_out
from fewscan.datasets.protocols import keeps_groups
from fewscan.images.png import png_uri
from fewscan.reporting.comparing import sentences
from fewscan.reporting.comparing.doubts import doubts
from fewscan.reporting.comparing.figures import write_figures
from fewscan.reporting.comparing.tables import write_tables
from fewscan.reporting.rendering import render, script

PAGE_FILE = "comparison.html"


@dataclass(frozen=True)
class Picture:
    """A figure as a page shows it."""

    uri: str
    caption: str
    alternative: str  # what is said to those who do not see it

    @classmethod
    def of(cls, path: Path, caption: str, alternative: str) -> "Picture":
        """Return the PNG file at `path`, inside the page."""
        return cls(png_uri(path.read_bytes()), caption, alternative)


def write_comparison(results: Results) -> Path:
    """Write tables, figures and `comparison.html` into the comparison's folder and return the page's path.

    Older ones are replaced. Raises FewscanError where something cannot be written.
    """
    folder = results.comparison.folder
    tables = write_tables(results, folder)
    accuracies, losses = write_figures(results, folder)
    figures = (
        Picture.of(
            accuracies,
            "All methods in one plot: accuracy on labeled training images over epochs; on the right, on test images.",
            "Curves of training accuracy over epochs, one for each method, and a mark for its accuracy on the test images",
        ),
        Picture.of(
            losses,
            "All methods in one plot. Each loss is divided by that of its first epoch, so only the shapes can be compared.",
            "Curves of training loss over epochs, one for each method",
        ),
    )
    path = folder / PAGE_FILE
    write_text(path, comparison_page(results, figures, [table.name for table in tables]))
    return path


def comparison_page(results: Results, figures: Sequence[Picture], table_files: Sequence[str]) -> str:
    """Return the page about `results` as HTML that loads nothing.

    Of the dataset it names the folder and the sources, never a file or a patient.
    """
    worth = sentences.worth_of_copies(results)
    return render(
        "comparison.html",
        **page_content(results),
        headline=sentences.headline(results),
        findings=[] if worth is None else [worth],
        caption=sentences.caption(results),
        figures=figures,
        table_files=table_files,
    )


def page_content(results: Results) -> dict[str, Any]:
    """Return what the template `comparison.html` asks for, but for headline, findings, caption, figures and files."""
    comparison = results.comparison
    plan = comparison.plan
    runs = [run for run in results.trials.values() if run is not None]
    return {
        "name": comparison.folder.resolve().name,
        "dataset_name": Path(plan.dataset).name,
        "results": results,
        "plan": plan,
        "boards": {protocol: leaderboard(results, protocol) for protocol in plan.protocols},
        "metrics": results.metrics,
        "pairs": [(later, earlier) for earlier, later in combinations(results.methods, 2)],
        "significant_percent": 100 * SIGNIFICANT,
        "sources": comparison.dataset(plan.protocols[0]).description.sources,
        "changes": spelled_out(plan.changes),
        "commands": commands(plan),
        "machines": sorted({run.run.record.machine for run in runs}),
        "folders": {trial: comparison.run_folder(trial).relative_to(comparison.folder).as_posix() for trial in results.trials},
        "keeps_groups": keeps_groups,
        "said": sentences,
        "doubts": doubts([results]),
        "sorting": script("sorting.js"),
    }
