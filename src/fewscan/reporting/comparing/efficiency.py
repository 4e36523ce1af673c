"""Label efficiency as a table and a page, whose first sentence says which method is best with how many labels."""

from pathlib import Path

from fewscan.atomic import write_text
from fewscan.comparison.budgets import LabelEfficiency, budget_folder
from fewscan.comparison.commands import commands as plan_commands
from fewscan.comparison.results import SIGNIFICANT
from fewscan.datasets.protocols import keeps_groups
from fewscan.images.png import png_uri
from fewscan.reporting.comparing import sentences
from fewscan.reporting.comparing.doubts import doubts
from fewscan.reporting.comparing.efficiency_figure import write_efficiency_figure
from fewscan.reporting.comparing.page import PAGE_FILE as BUDGET_PAGE_FILE
from fewscan.reporting.comparing.tables import of_standing, write_table
from fewscan.reporting.rendering import render

PAGE_FILE = "label_efficiency.html"
TABLE_FILE = "label_efficiency.csv"


def write_efficiency(efficiency: LabelEfficiency) -> Path:
    """Write table, figure and `label_efficiency.html` into the folder and return the page's path.

    Older ones are replaced. Raises FewscanError where something cannot be written.
    """
    lines = [
        {"protocol": point.row.protocol, "labels": str(point.labels)}
        | of_standing(point.standing, efficiency.ranked_by, efficiency.baseline)
        for point in efficiency.points
    ]
    write_table(lines, efficiency.folder / TABLE_FILE)
    path = efficiency.folder / PAGE_FILE
    write_text(path, efficiency_page(efficiency, write_efficiency_figure(efficiency)))
    return path


def efficiency_page(efficiency: LabelEfficiency, figure: Path) -> str:
    """Return the page about `efficiency` as HTML that loads nothing; `figure` is what `write_efficiency_figure` wrote.

    It links to the pages of its budgets. Of the dataset it names the folder, never a file or a patient.
    """
    plan = efficiency.plans[0]
    return render(
        "efficiency.html",
        name=efficiency.folder.resolve().name,
        dataset_name=Path(plan.dataset).name,
        headline=sentences.efficiency_headline(efficiency),
        caption=sentences.efficiency_caption(efficiency),
        figure=png_uri(figure.read_bytes()),
        efficiency=efficiency,
        plan=plan,
        metrics=efficiency.results[efficiency.budgets[0]].metrics,
        pages={labels: f"{budget_folder(Path(), labels).name}/{BUDGET_PAGE_FILE}" for labels in efficiency.budgets},
        commands=commands(efficiency),
        table_file=TABLE_FILE,
        keeps_groups=keeps_groups,
        said=sentences,
        doubts=doubts(list(efficiency.results.values())),
        significant_percent=100 * SIGNIFICANT,
    )


def commands(efficiency: LabelEfficiency) -> list[str]:
    """Return the commands that make it all again: one for all budgets that were asked for alike, with the same baseline."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for labels, plan in zip(efficiency.budgets, efficiency.plans, strict=True):
        alike.setdefault((plan.asked, plan.named_baseline), []).append(labels)
    plans = {budgets[0]: efficiency.results[budgets[0]].comparison.plan for budgets in alike.values()}
    return [command for budgets in alike.values() for command in plan_commands(plans[budgets[0]], budgets)]
