"""What two reporting guidelines ask for: what a run answers by itself, and what its user must still write.

Numbers are those of TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378) and of CLAIM (Mongan et al. 2020, Radiology: Artificial
Intelligence 2:e200029). The topics are in our words; the guidelines' own texts count.
"""

from typing import NamedTuple

from fewscan.datasets.descriptions import SplitDescription
from fewscan.datasets.protocols import titled
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.whole_labels import whole_labels
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.evaluate import Evaluation
from fewscan.images.patients import known_patients
from fewscan.labeling.other_evaluation import evaluated_on
from fewscan.training.beginning import begun_from
from fewscan.training.run import Run
from fewscan.wording import listed


class Item(NamedTuple):
    """One topic; `answer` is what the run says of it, `write` what is left to its user; either may be empty, never both."""

    topic: str
    tripod: str
    claim: str
    answer: str
    write: str


def checklist(
    run: Run, dataset: Snapshot, evaluation: Evaluation | None, calibration: Calibration | None, *, names: bool = False
) -> tuple[Item, ...]:
    """Return the topics in the guidelines' order, with what this run says of them. names: whether the page names files."""
    return (
        *_purpose(evaluation),
        *_data(dataset, names),
        *_division(dataset.require_split()),
        *_labels(run, dataset),
        *_model(run),
        *_scores(dataset, evaluation, calibration),
        *_elsewhere(evaluated_on(run)),
        *_rest(),
    )


def _purpose(evaluation: Evaluation | None) -> tuple[Item, ...]:
    kind = "development; not evaluated yet"
    if evaluation is not None:
        kind = f"development, with {'an evaluation' if evaluation.on_test_set else 'a cross-validation'} inside the same data"
    return (
        Item("title and abstract", "1, 2", "1, 2", "", "that it is a study of machine learning, the outcome, the main scores"),
        Item(
            "background, intended use, users, place in care",
            "3a, 3b",
            "3",
            "intended for research alone",
            "the clinical question, who would use the labels and when, what is known already",
        ),
        Item(
            "known inequalities between groups of people", "3c", "", "", "which are known for this disease and these scanners"
        ),
        Item(
            "objectives, kind of study",
            "4",
            "4, 5, 6",
            kind,
            "the aim",
        ),
    )


def _data(dataset: Snapshot, names: bool) -> tuple[Item, ...]:
    description = dataset.description
    split = dataset.require_split()
    aside = sum(source.set_aside for source in description.sources)
    window = description.spec.window
    shown = f"; {window.sentence}" if window else ""
    prepared = f"{description.spec.shown_sentence}, " if description.spec.shown_sentence else ""
    audit = description.audit
    found = "not audited"
    if audit:
        found = f"audited: {audit.copy_sets:,} sets of copies, {audit.conflicting_images:,} images with conflicting labels"
    known = known_patients(dataset.manifest)
    patients = (
        f"the patient of {known.with_patient:,} is known, as a code that cannot be read back (salted hash; "
        f"{known.patients:,} patients)"
    )
    return (
        Item(
            "sources of data",
            "5a",
            "7",
            f"{known.images:,} images, sources: {len(description.sources)}; {patients}; {found}",
            "how and why the scans were collected, and whom they represent",
        ),
        Item("dates and places", "5b, 6a", "7, 8", "", "when, where and by which scanners the scans were taken"),
        Item(
            "who was eligible, how scans were chosen",
            "6b, 6c",
            "8, 10",
            f"{aside:,} files set aside, {split.left_out:,} images left out of the split",
            "inclusion, exclusion, treatments before the scan",
        ),
        Item(
            "preparation of the data",
            "7",
            "9",
            f"{prepared}resized to {description.spec.size_px} px ({description.spec.resize}), "
            f"{description.spec.channels} channel{'s' if description.spec.channels != 1 else ''}, 8 bits{shown}; "
            "what was done is in docs/data.md",
            "what was done to the scans before fewscan read them",
        ),
        Item(
            "de-identification",
            "",
            "12",
            "patients are kept as codes that cannot be read back (salted hashes); this page names "
            f"{'files as they were given' if names else 'no file'}",
            "how the scans were",
        ),
        Item("missing data", "11", "13", f"{aside:,} files set aside, none replaced", "scans that were never taken"),
    )


def _division(split: SplitDescription) -> tuple[Item, ...]:
    return (
        Item(
            "how the data were divided, and at which level",
            "12a",
            "20, 21",
            f"split {titled(split.protocol)}, seed {split.seed}: {split.labeled:,} labeled, {split.validation:,} validation, "
            f"{split.unlabeled:,} unlabeled, {split.test:,} test; "
            + (
                "copies never cross, nor do patients where they are known"
                if split.grouped
                else "image by image, so that copies and patients may cross"
                if split.by_image
                else "copies and patients may cross"
            )
            + ("; the split that the data came with was kept" if split.given_leaks else ""),
            "",
        ),
        Item(
            "number of images",
            "10, 21",
            "19",
            "as above; the score's interval shows how much they can tell",
            "how it was decided",
        ),
    )


def _labels(run: Run, dataset: Snapshot) -> tuple[Item, ...]:
    wholes = whole_labels(dataset, dataset.rows("labeled", "validation", "test"))
    counts = [
        f"{name} {int((dataset.labels[dataset.rows('labeled')] == number).sum()):,}"
        for number, name in enumerate(run.record.classes)
    ]
    return (
        Item(
            "reference standard",
            "8a, 8b",
            "14, 15, 16, 17",
            f"classes: {', '.join(run.record.classes)}{f'; {wholes.sentence()}' if wholes.given else ''}",
            "what each label means, who gave it, based on what, with what training and which tool",
        ),
        Item("blinding and disagreement of readers", "8c", "18", "", "what readers knew, and how far they agree"),
        Item(
            "unequal classes",
            "13",
            "",
            f"labels: {', '.join(counts)}; class_balance {run.settings.class_balance:g}",
            "how often the classes are where the model would be used",
        ),
    )


def _model(run: Run) -> tuple[Item, ...]:
    settings = run.settings
    begun = begun_from(run.record.began_with, settings.encoder)
    versions = ", ".join(f"{name} {number}" for name, number in run.record.versions.items())
    return (
        Item(
            "inputs",
            "9a, 9b, 9c",
            "11",
            "the pixels of one image and nothing else",
            "which sequence, plane and slice they are",
        ),
        Item(
            "model and training",
            "12b, 12c",
            "22, 24, 25",
            f"method {settings.method.name}, encoder {settings.encoder.name} from {begun}, {settings.course}; all "
            "settings are below",
            "why this method, and which others were tried",
        ),
        Item(
            "choice of the final model",
            "12c",
            "26, 27",
            f"{settings.final_weights}; no choice between epochs, no ensemble",
            "how many runs were made before this one, and how they were chosen",
        ),
        Item("software", "12c", "23", versions, ""),
        Item("full specification", "22", "22", "config.yaml and model.safetensors in the run's folder; fewscan export", ""),
        Item(
            "what comes out",
            "15",
            "",
            "a probability for every class; accept, review or out of distribution",
            "what is done with each",
        ),
    )


def _scores(dataset: Snapshot, evaluation: Evaluation | None, calibration: Calibration | None) -> tuple[Item, ...]:
    if evaluation is None:
        score, flow, classes = "", "not evaluated yet", ""
    else:
        auroc = f"AUROC (mean of the classes) {evaluation.auroc.decimal}"
        score = f"{evaluation.title}: accuracy {evaluation.accuracy.percent}, {auroc}"
        flow = f"{evaluation.images:,} {evaluation.image_word}s in {evaluation.groups:,} groups; all parts are above"
        classes = "sensitivity, specificity and predictive value of each class, the confusion, the most confident mistakes"
        if evaluation.on_test_set:
            classes += " with heat maps"
        else:
            score += f"; {evaluation.folds} folds, no group on both sides of one"
    calibrated = "not calibrated"
    if calibration is not None:
        calibrated = f"temperature {calibration.temperature:.2f} from {calibration.images:,} held-out images"
    return (
        Item(
            "measures, uncertainty, how predictions were made",
            "12e, 12g",
            "28, 29",
            "accuracy, balanced accuracy, AUROC, calibration error; 95 % intervals over groups",
            "which of them matters most here, and what would be good enough",
        ),
        Item("calibration", "12e, 23a", "", calibrated, ""),
        Item(
            "robustness, explainability",
            "",
            "30, 31",
            "fewscan stress; fewscan explain" + ("; fewscan explain --check" if dataset.require_split().test else ""),
            "what the maps show a reader",
        ),
        Item(
            "flow and characteristics of people", "20a, 20b, 20c", "33, 34", flow, "age, sex, and how the parts differ in them"
        ),
        Item("scores", "23a", "35, 36", score, "" if evaluation else "evaluate the run first"),
        Item("scores by class, mistakes", "23a", "37", classes, "scores by age, sex; why the mistakes happen"),
        Item(
            "differences between hospitals and scanners",
            "12d, 23b",
            "",
            "",
            "whether scores differ between them, and how that was tested",
        ),
    )


def _elsewhere(datasets: list[str]) -> tuple[Item, ...]:
    """datasets: names of those beside its own that the run was scored on."""
    return (
        Item("updating of the model", "12f, 24", "", "none: used as trained", "whether it was changed afterwards"),
        Item("fairness", "14", "", "", "whether scores differ between groups of people"),
        Item(
            "evaluation on other data",
            "16",
            "32",
            f"scores on {listed(datasets)}" if datasets else "none: the scored images come from the same sources",
            "scores on scans of another hospital, taken later",
        ),
        Item(
            "quality of input when used",
            "27a",
            "",
            "fewscan label calls scans unlike the training scans out of distribution",
            "what happens to them",
        ),
    )


def _rest() -> tuple[Item, ...]:
    return (
        Item("interpretation, limitations", "25, 26", "38, 39", "", "what the scores mean, and where they may not hold"),
        Item("use, skills needed, next steps", "27b, 27c", "39", "", "who must look at what, and what is still to be studied"),
        Item("ethics, involvement of patients", "17, 19", "", "", "approval, consent, and who was involved"),
        Item("funding, interests, protocol, registration", "18a to 18d", "40, 41, 42", "", "all of it"),
        Item("data and code", "18e, 18f", "41", "fingerprints of data and split are below", "where to find data and code"),
    )
