"""The commands that do the study again."""

from pathlib import Path

from fewscan.comparison.commands import command
from fewscan.comparison.plan import Plan


def commands(plan: Plan, *, dataset: Path | None = None, out: Path | None = None) -> list[str]:
    """Return the commands that make the comparison and the study's tables again, one for each that was asked."""
    size = {"labeled": str(plan.split.labeled)}
    return [command("study", plan, asked, size, dataset=dataset, out=out) for asked in plan.asked]
