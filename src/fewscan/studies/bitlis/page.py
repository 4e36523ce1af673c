"""The study's page of a comparison, whose first sentence says whether `joint` beats `supervised`."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.atomic import write_text
from fewscan.comparison.results import Results
from fewscan.learning.registry import method_type
from fewscan.reporting.comparing.page import PAGE_FILE as COMPARISON_PAGE
from fewscan.reporting.comparing.page import Picture, page_content
from fewscan.reporting.comparing.sentences import title
from fewscan.reporting.rendering import render
from fewscan.studies.bitlis import outcome, sentences
from fewscan.studies.bitlis.commands import commands
from fewscan.studies.bitlis.figures import pictures, write_figures
from fewscan.studies.bitlis.published import NAMES, NUMBER_TITLES, STUDY, TABLE1, TABLE2
from fewscan.studies.bitlis.tables import OTHER_SCORES, write_tables

PAGE_FILE = "study.html"


def write_study(results: Results) -> Path:
    """Write the study's tables and figures and `study.html` into the comparison's folder and return the page's path.

    Older ones are replaced. Raises FewscanError where something cannot be written.
    """
    folder = results.comparison.folder
    tables = [path.name for path in write_tables(results, folder)]
    path = folder / PAGE_FILE
    write_text(path, study_page(results, pictures(write_figures(results, folder)), tables))
    return path


def study_page(results: Results, figures: Sequence[Picture], table_files: Sequence[str]) -> str:
    """Return the page about `results` as HTML that loads nothing.

    Of the dataset it names the folder and the sources, never a file or a patient.
    """
    runs = results.settings.items()
    return render(
        "study.html",
        package="fewscan.studies.bitlis",
        **page_content(results) | {"commands": commands(results.comparison.plan)},
        headline=[sentences.headline(results)],
        findings=sentences.findings(results),
        caption=sentences.caption(results),
        figures=figures,
        table_files=[*table_files, "pairs.csv"],
        comparison_page=COMPARISON_PAGE,
        study=outcome,
        published=STUDY,
        stands_in=outcome.stands_in(results),
        table1=TABLE1,
        table2=TABLE2,
        study_names=NAMES,
        number_titles=NUMBER_TITLES,
        score_titles={name: title(name) for name in OTHER_SCORES},
        two_view_batch_sizes=sorted({settings.batch_size for trial, settings in runs if method_type(trial.method).two_views}),
        ours=outcome.ours,
    )
