"""The commands that make a comparison again, for pages and for whoever goes on with it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from fewscan.comparison.plan import Asked, Plan
from fewscan.config import spelled_out


def commands(plan: Plan, budgets: Sequence[int] = (), *, dataset: Path | None = None, out: Path | None = None) -> list[str]:
    """Return the commands that make the comparison again, one for each that was asked, the last one last.

    With `budgets` they make comparisons of so many labels. Unless told where it is, the dataset goes by the name of its folder.
    Labels that were drawn out of larger budgets need those too.
    """
    if plan.split.within and not budgets:
        budgets = (*plan.split.within, plan.split.labeled)
    size = {"labels-budget": ",".join(str(labels) for labels in budgets)} if budgets else {"labeled": str(plan.split.labeled)}
    rest = {
        **({} if plan.split.shares == "known" else {"shares": plan.split.shares}),
        **({} if plan.named_baseline is None else {"baseline": plan.named_baseline}),
        **({} if plan.named_score is None else {"rank-by": plan.named_score}),
        "recipe": plan.recipe,
    }
    return [command("compare", plan, asked, size | rest, dataset=dataset, out=out) for asked in plan.asked]


def command(
    verb: str, plan: Plan, asked: Asked, own: Mapping[str, str], *, dataset: Path | None = None, out: Path | None = None
) -> str:
    """Return the command of a verb that makes what was asked of a plan; own: the verb's further options, by their names."""
    options = {
        "methods": ",".join(asked.methods),
        "seeds": ",".join(str(seed) for seed in asked.seeds),
        "protocol": ",".join(asked.protocols),
        "validation": str(plan.split.validation),
        "test": str(plan.split.test),
        "out": str(out or "DIR"),
        **own,
    }
    words = ["fewscan", verb, str(dataset or Path(plan.dataset).name)]
    words += [word for name, value in options.items() for word in (f"--{name}", value)]
    return shlex.join([*words, *spelled_out(plan.changes)])
