"""The verbs that measure a run: calibrate, evaluate."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Overwrite, RunFolder, app, finish
from fewscan.cli.following import after_run_in, is_scored_otherwise, scored_otherwise_on
from fewscan.cli.places import there
from fewscan.cli.score_words import calibration_error_words, other_lines, score_lines
from fewscan.folders import OTHER_DATASET
from fewscan.splits.support import TARGET_ERROR
from fewscan.wording import listed

if TYPE_CHECKING:
    pass


# Where held-out images are from.
_FROM = {"validation": "the validation set", "cross-fitting": "all labels, held out in turn"}


@app.command()
def calibrate(
    run: RunFolder,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Hold out all labels in turn, in this many trainings. [default: 5 if validation images are few]"
        ),
    ] = None,
    pile: Annotated[
        bool | None,
        typer.Option(
            "--pile/--no-pile",
            help="Hold labels out once more for the dataset's own unlabeled scans, in as many trainings. [default: if the run "
            "learned from them and training takes seconds]",
            show_default=False,
        ),
    ] = None,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate a run's probabilities on held-out labels.

    The calibration, and what 'fewscan label' accepts, rests on labeled images that the run has not learned from. If the
    validation set holds enough of them for 'fewscan label', 'fewscan train' has already done it. With fewer, all labels are
    held out in turn: five trainings, each without a fifth of the labels and as long as the run's own. You can stop it at any
    time: the same command continues. The test set is not used.

    A run may be more confident about unlabeled scans that it has learned from than about new ones. With --pile, labels are held
    out once more, while the trainings learn from those images without their labels. So 'fewscan label RUN' can promise
    something about the dataset's own unlabeled scans.

    Example: fewscan calibrate runs/mri
    """
    from fewscan.datasets.asked_labels import teaching_sentence
    from fewscan.training.run import Run

    result = api.calibrate(run, folds=folds, pile=pile, data=data, overwrite=overwrite)
    worse = "; the temperature made it no smaller" if result.no_better else ""
    lines = [
        f"temperature {result.temperature:.3f}, fitted on {result.images} held-out images ({_FROM[result.source]})",
        f"  calibration error (ECE) before  {calibration_error_words(result.calibration_error_before)}",
        f"  calibration error (ECE) after   {calibration_error_words(result.calibration_error_after)}{worse}",
    ]
    if result.only_teaching:
        lines.append(f"  {teaching_sentence(result.only_teaching)}")
    if result.pile is not None:
        lines.append(f"for the dataset's own unlabeled scans: {result.pile.images} held-out images (labels held out in turn)")
    opened = Run.open(run, data)
    if is_scored_otherwise(opened):
        lines.append("the run's score is of other probabilities than these; a new one opens the test set once more")
    if others := scored_otherwise_on(opened):
        lines.append(f"the run's score on {listed(others)} is of other probabilities than these; 'evaluate --on' makes it anew")
    finish(as_json, result.model_dump(mode="json"), lines, *after_run_in(run, data))


@app.command()
def evaluate(
    run: RunFolder,
    on: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Score the run on another dataset, such as one of another scanner. --data says where the run's own is.",
            callback=there("dataset", instead=OTHER_DATASET),
        ),
    ] = None,
    target_error: Annotated[
        float | None,
        typer.Option(
            help=f"With --on, the error at which labels are accepted, as in 'fewscan label'. [default: {TARGET_ERROR:g}]"
        ),
    ] = None,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score a run on the sealed test set, with 95 % intervals.

    Every opening of the test set is recorded in the run and cannot be undone. Evaluate once per run, after all choices are made
    and after 'fewscan calibrate', which does not look at the test set. A score before that is of uncalibrated probabilities,
    and to score calibrated ones you open the test set again.

    A run whose split has no test set gets a cross-validated score: all labels are held out in turn, in five more trainings
    unless 'fewscan calibrate' has made them. You can stop it at any time: the same command continues.

    Where patients are known, it also says how many of them are right by the mean probability of their images.

    With --on, it scores the run on all labeled scans of another dataset, imported with the same options and audited, except
    copies of scans that the run has learned from or was calibrated on, and classes that it does not know. It also says which
    share of labels 'fewscan label' would accept there at --target-error, and how many of these are wrong. The result is
    RUN/evaluation-NAME.json, where NAME is that dataset's folder.

    Example: fewscan evaluate runs/mri

    Example: fewscan evaluate runs/mri --on other_scanner
    """
    from fewscan.evaluation.chance import chance_level
    from fewscan.evaluation.score_warnings import score_warnings
    from fewscan.labeling.other_evaluation import OtherEvaluation
    from fewscan.training.run import Run

    result = api.evaluate(run, on=on, target_error=target_error, data=data, overwrite=overwrite)
    chance, warnings = chance_level(result), score_warnings(result)
    solved = Run.open(run, data).settings.solved
    lines = score_lines(result, str(chance), solved=solved)
    lines += other_lines(result) if isinstance(result, OtherEvaluation) else []
    lines += [f"warning: {warning}" for warning in warnings]
    numbers = result.model_dump(mode="json") | {"chance": asdict(chance), "warnings": warnings}
    finish(as_json, numbers, lines, *after_run_in(run, data))
