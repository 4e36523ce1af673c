"""The card of an exported model: what it is, what it was made from, how good it was, and how to use it."""

from pathlib import Path

from fewscan.atomic import write_text
from fewscan.datasets.openings import openings
from fewscan.datasets.originals import has_dicom
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import can_be_scored, cannot_calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.chance import chance_level
from fewscan.evaluation.evaluate import Evaluation
from fewscan.evaluation.score_warnings import score_warnings
from fewscan.exporting.export import Export
from fewscan.images.patients import known_patients
from fewscan.labeling.other_evaluation import NO_PROMISE, other_evaluations
from fewscan.reporting.rendering import render
from fewscan.stressing.findings import findings
from fewscan.stressing.stress import StressTest
from fewscan.training.beginning import begun_from
from fewscan.training.leakage import doubt
from fewscan.training.run import Run

CARD_FILE = "model_card.md"


def write_model_card(run: Run, dataset: Snapshot, export: Export, folder: Path) -> Path:
    """Write `model_card.md` about `export`, which was made from `run`, into `folder` and return its path.

    dataset: the run's. Of runs, datasets and sources the card holds names alone: no paths, files or patients. What was not
    measured it says is not, with the command that measures it. Source: Mitchell et al. 2019, "Model cards for model
    reporting".
    """
    evaluation, stress = Evaluation.load(run), StressTest.load(run)
    card = render(
        CARD_FILE,
        run_name=run.folder.resolve().name,
        dataset_name=dataset.folder.resolve().name,
        export=export,
        model=export.model,
        record=run.record,
        settings=run.settings,
        begun=begun_from(run.record.began_with, run.settings.encoder),
        description=dataset.description,
        split=dataset.require_split(),
        evaluation=evaluation,
        chance=chance_level(evaluation) if evaluation else None,
        score_warnings=score_warnings(evaluation) if evaluation else [],
        elsewhere=other_evaluations(run),
        no_promise=NO_PROMISE,
        can_be_scored=can_be_scored(run, dataset),
        can_be_calibrated=cannot_calibrate(run, dataset) is None,
        stress=stress,
        stress_findings=findings(stress, run.settings.trained_views, run.record.spec) if stress else [],
        calibration=Calibration.load(run),
        openings=run.test_openings(),
        of_all_runs=openings(dataset),
        doubt=doubt(run, dataset),
        patients=known_patients(dataset.manifest),
        dicom=dataset.spec.channels == 1 and has_dicom(dataset),
    )
    write_text(folder / CARD_FILE, card + "\n")
    return folder / CARD_FILE
