"""Labels that a network which has not learned from them contradicts: where to look for wrong ones.

The network's doubt is no verdict. It errs where scans are hard, and it says nothing of errors that it was taught everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_softmax

from fewscan.datasets.candidates import note_candidate
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot, class_indices
from fewscan.datasets.whole_labels import WholeLabels, wholes_of
from fewscan.evaluation.calibrate import FOLDS
from fewscan.evaluation.calibration import Calibration, Labels, fit_temperature
from fewscan.evaluation.cross_fitting import cross_fit
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.intervals import NOT_DEFINED, Interval, bootstrap
from fewscan.evaluation.metrics import Probabilities
from fewscan.labels.teaching import confirmed
from fewscan.locks import alone
from fewscan.training.batches import Rows
from fewscan.training.run import Run
from fewscan.wording import counted


@dataclass(frozen=True)
class LabelSuspects:
    """Labels of today that held-out predictions contradict, and what was not looked at.

    table: a line a scan, worst first and copies that have the same label below one another, which `labels set` takes when
    somebody has corrected its labels; columns path, label, label_state, predicted, label_probability, predicted_probability,
    given_for (`labeled_whole.Whole`, null for the single image), mean_predicted, row and copy_of, the row of the first of
    such copies, null for itself and for scans without any. Labels of single images come first, then those that were given for a
    whole and contradict the mean of the patient's images, too, which is for the class mean_predicted, then the others.
    patients_in_doubt: those whose images contradict a label on average that was given for a whole.
    confirmed: contradicted labels that are not listed, since somebody confirmed them in an earlier check.
    checked: labels that a held-out prediction was there for. agreement: the share of them that predictions agree with; chance:
    the share that calling every scan by one class would agree with. test: labels of the test set, which stays sealed.
    others: labels that the run did not learn from, and that nothing is said of.
    """

    table: pd.DataFrame
    checked: int
    agreement: Interval
    chance: float
    test: int
    others: int
    confirmed: int
    patients_in_doubt: int = 0

    @property
    def copies(self) -> dict[int, list[int]]:
        """For each row that a reader is to be asked about, in the order of the table, its listed copies of the same label."""
        asked: dict[int, list[int]] = {}
        for row, first in zip(self.table["row"].tolist(), self.table["copy_of"].tolist(), strict=True):
            if pd.isna(first):
                asked[row] = []
            else:
                asked[first].append(row)
        return asked

    @property
    def wholes(self) -> WholeLabels:
        """How many of the labels that a reader is to be asked about were given for a whole study, say."""
        return WholeLabels.of(self.table["given_for"][self.table["copy_of"].isna()])

    @property
    def in_doubt_as_wholes(self) -> int:
        """How many of these contradict the mean of all images of the patient, so that the whole study's label may be wrong."""
        asked = self.table[self.table["copy_of"].isna() & self.table["given_for"].notna()]
        return int((asked["mean_predicted"] != asked["label"]).sum())

    @property
    def whole_said(self) -> str | None:
        """What such labels mean, in words; None where there are none.

        Whoever corrects some has labels of whole studies and of images side by side, and in the test set only the former.
        """
        if not self.wholes.given:
            return None
        doubted, said = self.in_doubt_as_wholes, [self.wholes.sentence()]
        if doubted:
            said.append(
                f"{doubted:,} of these, of {counted(self.patients_in_doubt, 'patient')}, also contradict the mean prediction "
                "for the patient: if that label is wrong, correct it for all images, by a row for the whole study"
            )
        if others := self.wholes.given - doubted:
            said.append(
                f"{others:,} contradict only the prediction for their own image, and come last: this image may just not show "
                "the finding. Leave them and judge the run by its patients, or give each image of the whole study a label of "
                "its own, also in the test set"
            )
        return ". ".join(one[:1].upper() + one[1:] for one in said)

    @property
    def warning(self) -> str | None:
        """Why the list says little, in words, where the predictions behind it are not shown to know anything."""
        if not self.checked or (self.agreement.low is not None and self.agreement.low > self.chance):
            return None
        return (
            f"predictions agree with {self.agreement.percent} of the labels, which is not shown to be above chance "
            f"({100 * self.chance:.1f} %), so the list says nothing about the labels: first train longer or on more labels"
        )

    def summary(self) -> dict[str, Any]:
        """Return the numbers, for programs."""
        return {
            "checked": self.checked,
            "contradicted": len(self.table),
            "asked": len(self.copies),
            "asked_of_wholes": self.wholes.given,
            "in_doubt_as_wholes": self.in_doubt_as_wholes,
            "confirmed": self.confirmed,
            "agreement": self.agreement.model_dump(),
            "chance": self.chance,
            "not_checked_test": self.test,
            "not_checked_others": self.others,
        }


def given_words(line: Mapping[str, Any]) -> str:
    """Return of a line of the table what its label was given for, if that is a whole, to go on its label with."""
    if pd.isna(line["given_for"]):
        return ""
    together = "" if line["mean_predicted"] == line["label"] else f" (on average predicted {line['mean_predicted']})"
    return f", given for a whole {line['given_for']}{together}"


def find_label_suspects(run: Run, dataset: Snapshot, now: Dataset, folds: int | None = None) -> LabelSuspects:
    """Return the labels that the run's method contradicts, each image predicted by a network that knows nothing of its group.

    dataset: what the run saw; now: the same dataset today. The labels are those of today: a prediction of a scan knew no
    label of it, so it can judge any. The predictions are those of the run's cross-fitting where it was calibrated by one;
    else, or with `folds` given, as many trainings make them, which go on where they were stopped and stay in the run.
    Probabilities are under a temperature fitted on these scans. Worst is the label of the least probability. Labels that were
    given for a whole study, say, come after the others: an image that does not show the finding contradicts a right one.
    Raises FewscanError where the run is unfinished, or the labels are too few for two folds.
    Source: Northcutt, Jiang, Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", for judging labels
    by held-out predictions and ranking them by the probability of the label.
    """
    held_out = _held_out(run, dataset, folds)
    manifest = now.unsplit().manifest
    current, wholes = manifest["label"], wholes_of(manifest["label_from"])
    labels = class_indices(current.iloc[held_out.rows], run.record.classes)
    known = np.flatnonzero(labels >= 0)
    labels = labels[known]
    logits = held_out.logits[known].astype(np.float64) / fit_temperature(held_out.logits, held_out.labels)
    logs = log_softmax(logits, axis=1)
    predicted = logs.argmax(axis=1)
    own, best = logs[np.arange(len(labels)), labels], logs.max(axis=1)
    contradicted = np.flatnonzero(predicted != labels)
    names = np.array(run.record.classes, dtype=object)
    rows = held_out.rows[known]
    answered = confirmed(now.labels.entries(rows[contradicted]))
    listed = [at for at in contradicted.tolist() if (int(rows[at]), names[labels[at]]) not in answered]
    wholes, patients = wholes.iloc[rows], manifest["patient"].iloc[rows]
    together = _by_patient(np.exp(logs), patients, labels)
    rank = np.where(wholes.isna(), 0, np.where(together != labels, 1, 2))
    order = np.array(listed, np.int64)[np.lexsort((own[listed], rank[listed]))]
    first = _first_copies(manifest["copy_set"].iloc[rows[order]], labels[order])
    copy_of, grouped = rows[order[first]], np.argsort(first, kind="stable")
    order, copy_of = order[grouped], copy_of[grouped]
    rows = rows[order]
    table = now.labels.table(rows)[["path", "label", "label_state"]].assign(
        predicted=names[predicted[order]],
        label_probability=np.exp(own[order]),
        predicted_probability=np.exp(best[order]),
        given_for=wholes.iloc[order].array,
        mean_predicted=pd.Series(names[together[order]], dtype="str").where(wholes.iloc[order].notna().to_numpy()).array,
        row=rows,
        copy_of=pd.Series(copy_of, dtype="Int64").mask(copy_of == rows).array,
    )
    tested = int(current.iloc[dataset.rows("test")].notna().sum())
    agreement, chance = _agreement(predicted == labels, held_out.groups[known], labels)
    others = int(current.notna().sum()) - len(known) - tested
    doubted = int(patients.iloc[order[rank[order] == 1]].nunique())
    return LabelSuspects(table, len(known), agreement, chance, tested, others, len(contradicted) - len(order), doubted)


def _by_patient(probabilities: Probabilities, patients: pd.Series, labels: Labels) -> Labels:
    """Return (N,) the class of the highest mean probability (N, K) of a patient's images with one label.

    Of a patient whom nobody knows there is one image, which says nothing of a whole.
    """
    means = pd.DataFrame(probabilities).groupby([patients.to_numpy(object), labels], dropna=False).transform("mean")
    found: Labels = np.where(patients.isna(), labels, means.to_numpy().argmax(axis=1))
    return found


def _first_copies(copy_sets: pd.Series, labels: Labels) -> Rows:
    """Return (N,) of each line, the position of the first one that is a copy of it with the same label, or its own."""
    lines = pd.DataFrame({"set": copy_sets.to_numpy(), "label": labels, "at": range(len(labels))})
    lines["set"] = lines["set"].where(lines["set"].notna(), -1 - lines["at"])  # in no set, so alone
    first: Rows = lines.groupby(["set", "label"])["at"].transform("first").to_numpy(np.int64)
    return first


def _agreement(hits: npt.NDArray[np.bool_], groups: Rows, labels: Labels) -> tuple[Interval, float]:
    """Return the share of hits, and that of the commonest label."""
    if not len(hits):
        return NOT_DEFINED, 0.0
    found = bootstrap(lambda drawn: {"agreement": float(hits[drawn].mean())}, groups)
    return found["agreement"], float(np.bincount(labels).max() / len(labels))


def _held_out(run: Run, dataset: Snapshot, folds: int | None) -> HeldOut:
    """Return what is said of every labeled and validation image by a network that has not learned from its group."""
    calibration = Calibration.load(run)
    kept = HeldOut.load(run, dataset) if calibration is not None and calibration.source == "cross-fitting" else None
    if kept is not None and folds is None:
        return kept
    run.load_network()  # an unfinished run is refused before hours of training
    with alone(run.folder, "labels suspects"):
        note_candidate(dataset, run.identity)
        return cross_fit(run, dataset, FOLDS if folds is None else folds).held_out
