"""What a score says, in lines: of a run's test set, or of another dataset."""

from typing import TYPE_CHECKING

from fewscan.datasets.protocols import titled
from fewscan.wording import counted, opened_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fewscan.evaluation.class_decisions import ClassDecisions
    from fewscan.evaluation.evaluate import Evaluation
    from fewscan.evaluation.intervals import Interval
    from fewscan.labeling.other_evaluation import OtherEvaluation

# Without the classifier, by the labeled images that are most alike to the network.
_BY_NEAREST = "by the label of the labeled image most alike to the network"
_BY_VOTE = "by the labels of all labeled images, the more alike the more a label counts"


def score_lines(result: "Evaluation", chance: str, *, solved: bool) -> list[str]:
    """Return what a score is of, and its numbers in columns; solved: whether no network was trained to tell what is alike."""
    before = result.calibration_error_before
    of_groups = f"{counted(result.images, result.image_word)} of {counted(result.groups, 'group')}"
    looks = opened_times(result.test_openings, result.test_set_openings) if result.folds is None else f"{result.folds} folds"
    drawn = "" if result.kind == "another dataset" else f"split {titled(result.protocol)}, "
    lines = [
        f"{result.title}, {drawn}{of_groups}, {looks}",
        f"  accuracy                    {result.accuracy.percent}",
        f"  balanced accuracy           {result.balanced_accuracy.percent}",
        f"  chance                      {chance}",
        f"  AUROC, mean of classes      {result.auroc.decimal}",
        f"  calibration error (ECE)     {calibration_error_words(result.calibration_error)}",
        *([] if before is None else [f"    before temperature{_of_run(result)}  {calibration_error_words(before)}"]),
        *([f"    the temperature made it larger {result.place}, not smaller"] if result.temperature_hurt else []),
    ]
    if result.on_test_set:
        lines += [
            f"  nearest labeled neighbor    {result.nearest_neighbor_accuracy.percent} {_BY_NEAREST}",
            *([] if solved else [f"  vote of the labeled         {result.similarity_accuracy.percent} {_BY_VOTE}"]),
        ]
        if result.leaking_pairs:
            lines.append(f"  this split leaks: {result.leaking_pairs} pairs cross its parts, so the score is optimistic")
    of_patients = result.patients
    lines += [] if of_patients is None else [f"  {of_patients.words:26}  {of_patients.sentence}"]
    by_patient = {} if of_patients is None else {one.name: f"; {of_patients.words}: {one.said}" for one in of_patients.classes}
    lines += [
        f"  {score.name:26}  {', '.join(f'{name} {rate.percent}' for name, rate in score.rates.items())}"
        f"; {counted(score.images, result.image_word)}{score.of_groups}{by_patient.get(score.name, '')}"
        for score in result.classes
    ]
    lines += [
        f"  {score.name:26}  accuracy {score.accuracy.percent}, balanced {score.balanced_accuracy.percent}, "
        f"{counted(score.images, result.image_word)}"
        for score in result.sources
    ]
    lines += [f"  {what}" for what in result.changes]
    return lines if result.meaning is None else [*lines, f"  {result.meaning}"]


def calibration_error_words(error: "Interval") -> str:
    """Return a calibration error, and what it is freed from."""
    from fewscan.evaluation.intervals import LESS_CHANCE

    return error.percent if error.value is None else f"{error.percent}, {LESS_CHANCE}"


def _of_run(result: "Evaluation") -> str:
    # Of a cross-validated score every fold has a temperature of its own.
    return f" {result.temperature:<5.2f}" if result.folds is None else " " * 6


def other_lines(result: "OtherEvaluation") -> list[str]:
    """Return what a score on another dataset says besides: what `label` would do there, how it compares, what was left out."""
    from fewscan.labeling.other_evaluation import NO_PROMISE

    lines = [f"  out of distribution         {result.out_of_distribution.percent}", *_accepted_lines(result)]
    lines += _home_lines(result)
    return lines + [f"  {what}" for what in (*result.limits, *NO_PROMISE)]


def _accepted_lines(result: "OtherEvaluation") -> list[str]:
    at = f"at a target error of {result.target_error:g}"
    if result.threshold is None:
        return [f"  label would accept          nothing {at}", f"    {result.threshold_reason}"]
    of_these = f"{result.wrong_scans:,} of {counted(result.accepted_scans, 'label')}"
    wrong = f"; wrong among these {result.wrong_accepted.percent}, {of_these}" if result.accepted_scans else ""
    accepted = f"  label would accept          {result.accepted.percent} {at}{wrong}"
    return [accepted, *decision_lines(result.decided, "scans of each class; the target error is over all classes together")]


def decision_lines(classes: "Mapping[str, ClassDecisions]", what: str) -> list[str]:
    """Return what becomes of images of each class, in columns below `what` they are; nothing where nothing is accepted."""
    import pandas as pd

    if not classes:
        return []
    numbers = {
        name: {
            "images": one.images,
            "accepted as this class": one.accepted,
            "accepted as another class": f"{one.missed} ({one.missed_share.percent})",
            "not accepted": one.review,
        }
        for name, one in classes.items()
    }
    table = pd.DataFrame.from_dict(numbers, orient="index").to_string()
    return [f"  {what}:", *(f"  {line}" for line in table.splitlines())]


def _home_lines(result: "OtherEvaluation") -> list[str]:
    """Return how the score compares with the run's own, where it has one."""
    if result.home is None:
        return []
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
    said = [f"{names[name]} {100 * value:+.1f} points" for name, value in result.differences.items()]
    home = f"the {result.home.title}, accuracy {result.home.accuracy.percent}"
    return [f"  difference                  {', '.join(said)}, to {home}; whether chance explains it was not tested"]
