"""The verbs that make a dataset: import, audit, split."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import dataset_to_change, opened_dataset
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.wording import command_line

if TYPE_CHECKING:
    from fewscan.auditing.result import AuditResult
    from fewscan.datasets.added import AddSummary
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.descriptions import GivenLeaks, Protocol, Shares
    from fewscan.datasets.snapshot import Snapshot
    from fewscan.images.plan import ImportPlan

AUDIT_PAGE = "audit.html"
# Of a split: it names a file.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}")


def import_scans(sources: str | Path | Sequence[str | Path], out: str | Path = "dataset", **options: Any) -> Dataset:
    """Read folders of scans into a new dataset folder `out`; see `fewscan.datasets.importing.import_scans`.

    options: those of `fewscan.images.options.ImportOptions`, such as labels="labels.csv", size_px=96, window="brain".
    By default `size_px` is 224 for large scans if ImageNet's weights are installed, else 96 (`fewscan.images.size`).
    """
    from fewscan.datasets import importing

    return importing.import_scans(_texts(sources), out, **_with_installed(options))


def plan_import(sources: str | Path | Sequence[str | Path], **options: Any) -> ImportPlan:
    """Return what `import_scans` would understand of the sources, without writing anything; see `fewscan.images.plan`."""
    from fewscan.datasets import importing

    return importing.plan_import(_texts(sources), **_with_installed(options))


def _with_installed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an import, and whether ImageNet's weights are installed, by which it chooses a size."""
    from fewscan.models.efficientnet_forms import LITE0

    return {"pretrained": LITE0.imagenet[0].installed, **options}


def add_scans(
    dataset: str | Path | Dataset,
    sources: str | Path | Sequence[str | Path],
    *,
    set_aside_suspect: bool = False,
    **options: Any,
) -> AddSummary:
    """Add the scans of `sources` that a dataset does not hold yet; see `fewscan.auditing.adding`.

    set_aside_suspect: set aside new images that are probably not scans. options: those of
    `fewscan.images.options.SourceOptions`, such as labels="labels.csv". If it is stopped or killed, it has added nothing or
    all. In an audited dataset, new images are compared with all others, and `audit.json` and `audit.html` are written again.
    """
    from fewscan.auditing import adding
    from fewscan.reporting.audit_page import write_audit_page

    with dataset_to_change(dataset, "add") as opened:
        if opened.description.audit is None:
            auditing = f"first run '{command_line('audit', opened.folder)}'"
            refuse_idle({"--set-aside-suspect": set_aside_suspect}, "a dataset that is audited", auditing)
        added, audited = adding.add_scans(opened, _texts(sources), set_aside_suspect=set_aside_suspect, **options)
        if audited is not None:
            write_audit_page(opened_dataset(opened.folder).snapshot(), audited, opened.folder / AUDIT_PAGE)
        return added


def plan_add(
    dataset: str | Path | Dataset, sources: str | Path | Sequence[str | Path], **options: Any
) -> tuple[ImportPlan, list[str]]:
    """Return what `add_scans` would understand of new scans, and lines on what it would skip; nothing is written."""
    from fewscan.datasets.adding import list_new

    listed = list_new(opened_dataset(dataset), _texts(sources), options)
    return listed.plan(), listed.lines


def _texts(sources: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]


def audit(
    dataset: str | Path | Dataset | Snapshot,
    *,
    similarity: float | None = None,
    same_head: bool = False,
    set_aside_suspect: bool = False,
    overwrite: bool = False,
) -> AuditResult:
    """Find copies, conflicting labels, leaks and suspects; write what belongs together, `audit.json` and `audit.html`.

    similarity: pairs at or above it, in [0.8, 1], count as copies. same_head: groups also join slices that are probably of one
    head (`fewscan.auditing.heads`). set_aside_suspect: images that are probably not scans are entered as such in the label log
    (`fewscan.auditing.suspects`). overwrite: replace an existing audit; splits that were drawn by it stay, and may leak by the
    new one.
    """
    from fewscan.auditing import audit as auditing
    from fewscan.auditing.copies import DEFAULT_SIMILARITY
    from fewscan.reporting.audit_page import write_audit_page

    with dataset_to_change(dataset, "audit") as opened:
        # The page comes last: without it an audit was killed half-way, and nothing was split by it.
        finished = (opened.folder / AUDIT_PAGE).exists() or opened.splits
        if opened.description.audit is not None and finished and not overwrite:
            raise FewscanError(
                f"{opened.folder} is already audited: give --overwrite to do it again. Groups may then change, and a split "
                "drawn before may leak"
            )
        least = DEFAULT_SIMILARITY if similarity is None else similarity
        result = auditing.audit(opened, similarity=least, same_head=same_head, set_aside_suspect=set_aside_suspect)
        write_audit_page(opened_dataset(opened.folder).snapshot(), result, opened.folder / AUDIT_PAGE)
        return result


def split(
    dataset: str | Path | Dataset | Snapshot,
    *,
    name: str = "main",
    labeled: int | None = None,
    test: int | None = None,
    protocol: Protocol = "leakfree",
    validation: float | None = None,
    seed: int = 0,
    shares: Shares = "known",
    keep_given: bool = False,
    leaks: GivenLeaks | None = None,
    overwrite: bool = False,
) -> Snapshot:
    """Divide a dataset into labeled, validation, unlabeled and test images; see `fewscan.splits.split`.

    Without sizes, all labels are used, a fifth of them for testing; with fewer than 200 there is no test set, and `evaluate`
    gives a cross-validated score (`fewscan.splits.sizes.suitable_sizes`). name: a dataset can have many splits. labeled: the
    label budget of an experiment. test: 0 for no test set. validation: a share of the labels, 0.2 of a given budget.
    keep_given: keep the split that the data came with; `leaks` then says what happens to copies and patients in several of its
    parts (`fewscan.splits.given.keep_given`), and `test` and `protocol` do not apply. overwrite: replace a split of this name;
    runs that were trained on it keep what they saw.
    """
    from fewscan.seeds import require_seed
    from fewscan.splits import given, sizes
    from fewscan.splits import split as splits

    require_seed(seed)
    splits.require_sizes(labeled, test, validation)
    if keep_given:
        drawn = {"--test": test is not None, "--protocol": protocol != "leakfree"}
        refuse_idle(drawn, "a test set that is drawn, not the one that the data came with", "draw one, without --keep-given")
    else:
        refuse_idle({"--leaks": leaks is not None}, "the split that the data came with", "add --keep-given")
    if not NAME.fullmatch(name):
        raise FewscanError(f"'{name}' cannot name a split: use letters, digits, - and _, up to 40 of them")
    with dataset_to_change(dataset, "split") as opened:
        if name in opened.splits and not overwrite:
            raise FewscanError(
                f"{opened.folder} already has a split '{name}': give the new one another --name, or --overwrite to replace it; "
                "runs keep the split that they were trained on"
            )
        now = opened.unsplit()
        if keep_given:
            return given.keep_given(
                now, labeled=labeled, validation=validation, leaks=leaks or "refuse", seed=seed, shares=shares, name=name
            )
        suits = sizes.suitable_sizes(now, protocol, seed, shares, labeled=labeled, test=test, validation=validation)
        return splits.split(now, protocol=protocol, seed=seed, shares=shares, name=name, **suits._asdict())
