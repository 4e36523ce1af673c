import io
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from fewscan.atomic import write_text
from fewscan.comparison.plan import Comparison, Trial
from fewscan.comparison.planning import make_plan
from fewscan.comparison.results import Results, collect
from fewscan.comparison.trials import run_trials
from fewscan.datasets.protocols import titled
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.by_class import ClassScore
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.evaluation.intervals import Interval
from fewscan.learning.registry import METHODS, TRAINING_METHODS
from fewscan.reporting.comparing.canvas import FONT_SIZES, new_figure
from fewscan.studies.bitlis.curves import ASIDE_LOOKS, LOOKS
from fewscan.studies.bitlis.figures import FILES, figures, write_figures
from fewscan.studies.bitlis.samples import SAMPLES_A_ROW, _show
from fewscan.training.run import Run
from tests.made import remade

pytestmark = pytest.mark.usefixtures("all_painted")

BOTH = ("leakfree", "study")
MAIN_LOSS = {
    "simclr": "nt_xent",
    "joint": "nt_xent",
    "nnclr": "nnclr",
    "barlow_twins": "barlow_twins",
    "vicreg": "vicreg",
    "mixmatch": "guess_cross_entropy",
}
HALF = Interval(value=0.5, low=0.4, high=0.6)

Log = list[dict[str, Any]]


MakeComparison = Callable[..., Comparison]


def draw_figures(results: Results, *names: str) -> dict[str, Figure]:
    """The figures of these names, or every one, as it is drawn to be written."""
    with mpl.rc_context(FONT_SIZES):
        return {name: draw() for name, draw in figures(results).items() if not names or name in names}


@pytest.fixture(scope="module")
def make_comparison(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> MakeComparison:
    """A function that begins a comparison of all methods on 80 easy images, 16 labeled and 24 for testing."""

    def make(
        methods: tuple[str, ...] = tuple(TRAINING_METHODS),
        seeds: tuple[int, ...] = (0,),
        protocols: tuple[str, ...] = BOTH,
        source: str = "squares",
    ) -> Comparison:
        dataset = make_dataset()
        plan = make_plan(
            remade(dataset, dataset.manifest.assign(source=source), sources=()),
            methods=methods,
            seeds=seeds,
            protocols=protocols,
            recipe="study",
            changes={"encoder": {"name": "study_cnn", "dense_units": 16}, "epochs": 3, "batch_size": 32},
            labeled=16,
            test=24,
            validation=0.0,
        )
        return Comparison.begin(tmp_path_factory.mktemp("compared") / "comparison", plan)

    return make


def log_of(method: str, seed: int = 0, epochs: int = 3) -> Log:
    """A log whose numbers differ in every epoch, method and seed."""
    shift = 0.01 * seed + 0.001 * list(TRAINING_METHODS).index(method)
    log = []
    for epoch in range(1, epochs + 1):
        part = {} if method == "supervised" else {MAIN_LOSS[method]: 3.0 / epoch + shift}
        accuracies = {"c_acc": 0.9 + shift, "r_acc": 0.4 * epoch / epochs + shift}
        if method == "supervised" and epoch < epochs:
            accuracies = {}
        losses = part | {"cross_entropy": 1.0 / epoch + shift}
        common = {
            "epoch": epoch,
            "p_acc": 0.9 * epoch / epochs + shift,
            "validation_accuracy": None,
            "loss": sum(losses.values()),
        }
        log.append(common | losses | accuracies | {"losses": list(losses)})
    return log


def finish(comparison: Comparison, trial: Trial, log: Log, val_p_acc: float = 0.5) -> None:
    """Write a run folder that says to be trained and evaluated, with the given numbers."""
    dataset = comparison.dataset(trial.protocol)
    run = Run.create(comparison.run_folder(trial), comparison.settings(trial), dataset, 0)
    for numbers in log:
        run.log(numbers)
    run.save_network(run.new_network())
    test = dataset.rows("test")
    evaluation = Evaluation(
        protocol=trial.protocol,
        leaking_pairs=0,
        images=len(test),
        groups=len(test),
        test_openings=1,
        test_set_openings=1,
        accuracy=Interval(value=val_p_acc, low=0.3, high=0.7),
        balanced_accuracy=HALF,
        auroc=HALF,
        calibration_error=HALF,
        nearest_neighbor_accuracy=HALF,
        similarity_accuracy=HALF,
        classes=tuple(ClassScore(name=name, images=6, sensitivity=HALF, specificity=HALF) for name in dataset.classes),
        confusion=((6, 0, 0, 0), (6, 0, 0, 0), (0, 0, 6, 0), (0, 0, 6, 0)),
        c_acc=log[-1].get("c_acc"),
        r_acc=log[-1].get("r_acc"),
        p_acc=log[-1]["p_acc"],
        dataset_fingerprint=dataset.description.fingerprint,
    )
    write_text(run.folder / EVALUATION_FILE, evaluation.model_dump_json())
    labels = [dataset.classes[label] for label in dataset.labels[test]]
    table = pd.DataFrame({"row": test, "label": labels, "predicted": dataset.classes[0]})
    table.to_csv(run.folder / PREDICTIONS_FILE, index=False)


@pytest.fixture(scope="module")
def whole(make_comparison: MakeComparison) -> dict[str, Figure]:
    """The figures of every method under both protocols, of two seeds."""
    comparison = make_comparison(seeds=(0, 1))
    for trial in comparison.plan.trials:
        finish(comparison, trial, log_of(trial.method, trial.seed), 0.4 + 0.2 * trial.seed)
    return draw_figures(collect(comparison))


def panels(figure: Figure, title: str) -> list[Axes]:
    found = [axes for axes in figure.findobj(Axes) if axes.get_title() == title]
    assert found, [axes.get_title() for axes in figure.findobj(Axes)]
    return found


def panel(figure: Figure, title: str, ylabel: str) -> Axes:
    (found,) = [axes for axes in panels(figure, title) if axes.get_ylabel() == ylabel]
    return found


def line(axes: Axes, label: str) -> Line2D:
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def sealed_markers(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_linestyle() == "None" and len(line.get_xdata())]


def words(figure: Figure) -> Iterator[str]:
    # Words of a footer are joined by spaces at which lines do not break.
    return (text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in figure.findobj(Text) if text.get_text())


@pytest.mark.slow  # five figures in full
def test_five_pictures_of_a_pages_width_from_real_runs(make_comparison: MakeComparison, tmp_path: Path) -> None:
    comparison = make_comparison(methods=("supervised", "joint"), protocols=("study",))
    assert run_trials(comparison) == {}
    results = collect(comparison)
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "figure9.png").write_text("an older one", encoding="utf-8")
    assert write_figures(results, folder) == [folder / name for name in FILES]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    for name in FILES:
        picture = Image.open(folder / name).convert("RGBA")
        assert picture.width == 1100
        assert picture.getpixel((0, picture.height - 1)) == (255, 255, 255, 255)
    shown = draw_figures(results, "figure7.png", "figure8_accuracy.png")
    run = results.row("study", "joint").runs[0]
    curve = line(panel(shown["figure7.png"], "(b) joint (proposed model), split as published", "accuracy (%)"), "c_acc")
    np.testing.assert_allclose(curve.get_ydata(), [100 * numbers["c_acc"] for numbers in run.run.metrics()])
    tested = sealed_markers(panel(shown["figure8_accuracy.png"], "all methods, split as published", "accuracy (%)"))
    assert sorted(float(marker.get_ydata()[0]) for marker in tested) == pytest.approx(
        sorted(100 * results.row("study", name).runs[0].evaluation.accuracy.value for name in ("supervised", "joint"))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "methods"), [("figure7.png", ("simclr", "joint")), ("figure9.png", ("barlow_twins", "nnclr"))]
)
def test_methods_apart_show_mean_and_range_over_seeds(whole: dict[str, Figure], name: str, methods: tuple[str, str]) -> None:
    figure = whole[name]
    for letter, method in zip("ab", methods, strict=True):
        shown = "joint (proposed model)" if method == "joint" else method
        logs = [log_of(method, seed) for seed in (0, 1)]
        for protocol in BOTH:
            title = f"({letter}) {shown}, split {titled(protocol)}"
            for ylabel, numbers, scale in (
                ("accuracy (%)", ("p_acc", "c_acc", "r_acc"), 100),
                ("loss", ("loss", MAIN_LOSS[method], "cross_entropy"), 1),
            ):
                axes = panel(figure, title, ylabel)
                assert axes.get_xlabel() == "epoch"
                for number, band in zip(numbers, axes.collections, strict=False):
                    values = scale * np.array([[epoch[number] for epoch in log] for log in logs])
                    curve = line(axes, number)
                    np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3])
                    np.testing.assert_allclose(curve.get_ydata(), values.mean(axis=0))
                    corners = {tuple(corner) for corner in np.round(band.get_paths()[0].vertices, 6)}
                    for epoch, low, high in zip((1, 2, 3), values.min(axis=0), values.max(axis=0), strict=True):
                        assert {(epoch, round(low, 6)), (epoch, round(high, 6))} <= corners
            (marker,) = sealed_markers(panel(figure, title, "accuracy (%)"))
            assert marker.get_label() == "val_p_acc (sealed test set)"
            assert marker.get_xdata() == [3]
            assert marker.get_ydata() == pytest.approx([50])  # seeds have 40 and 60


@pytest.mark.slow
def test_methods_together_show_training_curves_and_sealed_accuracies(whole: dict[str, Figure]) -> None:
    figure = whole["figure8_accuracy.png"]
    for protocol in BOTH:
        axes = panel(figure, f"all methods, split {titled(protocol)}", "accuracy (%)")
        for method in TRAINING_METHODS:
            values = [[epoch["p_acc"] for epoch in log_of(method, seed)] for seed in (0, 1)]
            np.testing.assert_allclose(line(axes, method).get_ydata(), 100 * np.mean(values, axis=0))
        places = [float(marker.get_xdata()[0]) for marker in sealed_markers(axes)]
        assert len(places) == len(set(places)) == len(TRAINING_METHODS)
        assert min(places) > 3  # beyond the last epoch, where they hide no curve
        assert max(axes.get_xticks()) <= 3


@pytest.mark.slow
def test_losses_of_different_methods_start_at_one_whatever_their_scale(make_comparison: MakeComparison) -> None:
    comparison = make_comparison(methods=("simclr", "joint"), protocols=("leakfree",))
    for trial, scale in zip(comparison.plan.trials, (1, 250), strict=True):
        log = [epoch | {"loss": scale * loss} for epoch, loss in zip(log_of("simclr"), (4.0, 2.0, 1.0), strict=True)]
        finish(comparison, trial, log)
    axes = panel(
        draw_figures(collect(comparison), "figure8_loss.png")["figure8_loss.png"],
        "all methods, split without leaks",
        "loss / loss of the first epoch",
    )
    for method in ("simclr", "joint"):
        np.testing.assert_allclose(line(axes, method).get_ydata(), [1, 0.5, 0.25])


@pytest.mark.slow
def test_seeds_of_different_length_are_joined_where_both_have_epochs(make_comparison: MakeComparison) -> None:
    comparison = make_comparison(methods=("joint",), seeds=(0, 1), protocols=("study",))
    for trial, epochs in zip(comparison.plan.trials, (3, 2), strict=True):
        finish(comparison, trial, log_of("joint", trial.seed, epochs))
    drawn = draw_figures(collect(comparison), "figure7.png", "figure8_accuracy.png")
    for name, title in (
        ("figure7.png", "(b) joint (proposed model), split as published"),
        ("figure8_accuracy.png", "all methods, split as published"),
    ):
        label = "p_acc" if name == "figure7.png" else "joint"
        np.testing.assert_array_equal(line(panel(drawn[name], title, "accuracy (%)"), label).get_xdata(), [1, 2])


@pytest.mark.slow
def test_a_validation_part_gives_a_curve(make_comparison: MakeComparison) -> None:
    comparison = make_comparison(methods=("nnclr",), protocols=("study",))
    log = [epoch | {"validation_accuracy": 0.1 * epoch["epoch"]} for epoch in log_of("nnclr")]
    finish(comparison, comparison.plan.trials[0], log, val_p_acc=0.9)
    axes = panel(
        draw_figures(collect(comparison), "figure9.png")["figure9.png"],
        "(b) nnclr, split as published",
        "accuracy (%)",
    )
    np.testing.assert_allclose(line(axes, "validation accuracy").get_ydata(), [10, 20, 30])
    assert sealed_markers(axes) == []


@pytest.mark.slow
def test_what_was_not_run_says_so(make_comparison: MakeComparison) -> None:
    comparison = make_comparison()
    finish(comparison, Trial("leakfree", "simclr", 0), log_of("simclr"))
    drawn = draw_figures(collect(comparison))
    assert list(words(drawn["figure7.png"])).count("not run") == 6
    assert list(words(drawn["figure9.png"])).count("not run") == 8
    for name in ("figure8_accuracy.png", "figure8_loss.png"):
        ran, not_run = panels(drawn[name], "all methods, split without leaks") + panels(
            drawn[name], "all methods, split as published"
        )
        shown = [text.get_text() for text in ran.get_legend().get_texts()]
        assert sorted(shown) == sorted(name if name == "simclr" else f"{name}: not run" for name in TRAINING_METHODS)
        shown = [text.get_text() for text in not_run.get_legend().get_texts()]
        assert sorted(shown) == sorted(f"{name}: not run" for name in TRAINING_METHODS)
    for figure in list(drawn.values())[1:]:
        assert any(f"1 of {2 * len(TRAINING_METHODS)} runs finished" in text for text in words(figure))


def test_a_method_looks_the_same_in_every_figure(whole: dict[str, Figure]) -> None:
    together = [panel(whole["figure8_accuracy.png"], "all methods, split as published", "accuracy (%)")]
    together.append(panel(whole["figure8_loss.png"], "all methods, split as published", "loss / loss of the first epoch"))
    apart = {
        "simclr": ("figure7.png", "(a) simclr, split as published"),
        "joint": ("figure7.png", "(b) joint (proposed model), split as published"),
        "barlow_twins": ("figure9.png", "(a) barlow_twins, split as published"),
        "nnclr": ("figure9.png", "(b) nnclr, split as published"),
    }
    for method in TRAINING_METHODS:
        look = LOOKS[method]
        curves = [line(axes, method) for axes in together]
        if method in apart:
            name, title = apart[method]
            curves.append(line(panel(whole[name], title, "accuracy (%)"), "p_acc"))
            curves.append(line(panel(whole[name], title, "loss"), "loss"))
        reference = Line2D([], [], color=look.color, linestyle=look.style)
        for curve in curves:
            assert (curve.get_color(), curve.get_marker()) == (look.color, look.marker)
            assert curve.get_linestyle() == reference.get_linestyle()


def test_looks_can_be_told_apart_without_colors() -> None:
    looks = [*LOOKS.values(), *ASIDE_LOOKS]
    assert METHODS.keys() <= LOOKS.keys()
    for one, other in combinations(looks, 2):
        assert one.marker != other.marker
        assert one.color != other.color
    for one, other in combinations(LOOKS.values(), 2):
        assert one.style != other.style


@pytest.mark.slow
def test_samples_are_of_their_class_and_part(make_comparison: MakeComparison) -> None:
    results = collect(make_comparison())
    dataset = results.comparison.dataset("leakfree")
    figure = draw_figures(results, "figure2.png")["figure2.png"]
    labeled = dataset.rows("labeled")
    parts = {name: labeled[dataset.labels[labeled] == number] for number, name in enumerate(dataset.classes)}
    parts[""] = dataset.rows("unlabeled")
    for axes in figure.findobj(Axes):
        candidates = parts.pop(axes.get_title(loc="left"))
        picture = np.asarray(axes.images[0].get_array())
        seen = set()
        for top in range(0, picture.shape[0], 17):
            for left in range(0, picture.shape[1], 17):
                scan = picture[top : top + 16, left : left + 16]
                if (scan < 255).any():
                    (row,) = [row for row in candidates if np.array_equal(dataset.pixels[row, 0], scan)]
                    seen.add(int(row))
        assert len(seen) == min(len(candidates), SAMPLES_A_ROW * (2 if axes.get_title(loc="left") == "" else 1))
    assert parts == {}


@pytest.mark.slow
def test_labels_of_unlabeled_images_change_no_pixel(make_comparison: MakeComparison) -> None:
    def picture() -> bytes:
        file = io.BytesIO()
        draw_figures(collect(comparison), "figure2.png")["figure2.png"].savefig(file, format="png")
        return file.getvalue()

    comparison = make_comparison()
    before = picture()
    dataset = comparison.dataset("leakfree")
    manifest = dataset.manifest.copy()
    rows = dataset.rows("unlabeled")
    manifest.loc[rows, "label"] = manifest.loc[rows, "label"].to_numpy()[::-1]
    assert not manifest["label"].equals(dataset.manifest["label"])
    remade(dataset, manifest)
    assert picture() == before


def test_footers_say_what_the_curves_were_made_with(whole: dict[str, Figure]) -> None:
    for name, figure in whole.items():
        text = "\n".join(words(figure))
        assert "16 px" in text
        assert "stand-in" not in text
        assert "squares" not in text
        assert ".png" not in text
        if name == "figure2.png":
            assert "drawn at random from the split without leaks" in text
        else:
            recipe = "recipe study with encoder.name=study_cnn encoder.dense_units=16 epochs=3 batch_size=32"
            assert all(part in text for part in (recipe, "3 epochs", "seeds 0, 1", "range over seeds"))
            assert "runs finished" not in text


def test_a_footer_longer_than_a_line_breaks_between_its_words() -> None:
    settings = [f"group.setting_{number}=0.5" for number in range(12)]
    figure, _ = new_figure(1, [" ".join(settings), "16 px"])
    (footer,) = words(figure)
    assert len(footer.splitlines()) > 1
    assert footer.split() == [*settings, "·", "16", "px"]


@pytest.mark.slow
def test_a_stand_in_is_named_in_every_figure(make_comparison: MakeComparison) -> None:
    for figure in draw_figures(collect(make_comparison(source="third-standin"))).values():
        assert any("third source: stand-in" in text for text in words(figure))


@pytest.mark.slow  # five figures in full
@pytest.mark.parametrize("protocols", [BOTH, ("study",)], ids=["both protocols", "one protocol"])
def test_no_words_leave_the_picture_or_lie_on_one_another(
    make_comparison: MakeComparison, monkeypatch: pytest.MonkeyPatch, protocols: tuple[str, ...]
) -> None:
    comparison = make_comparison(seeds=(0, 1), protocols=protocols)
    for trial in comparison.plan.trials:
        if trial.method != "nnclr":
            finish(comparison, trial, log_of(trial.method, trial.seed, epochs=25))
    drawn: list[Text] = []
    draw = Text.draw
    monkeypatch.setattr(Text, "draw", lambda text, renderer: (drawn.append(text), draw(text, renderer)))
    for name, figure in draw_figures(collect(comparison)).items():
        drawn.clear()
        figure.draw_without_rendering()
        boxes = {text: text.get_window_extent() for text in drawn if text.get_visible() and text.get_text()}
        assert len(boxes) > 5
        for text, box in boxes.items():
            assert min(box.x0, box.y0) >= 0, (name, text)
            assert box.x1 <= figure.bbox.x1, (name, text)
            assert box.y1 <= figure.bbox.y1, (name, text)
        corners = np.array([box.extents for box in boxes.values()])
        low, high = corners[:, np.newaxis, :2], corners[:, np.newaxis, 2:]
        on_one_another = ((low <= high.swapaxes(0, 1)) & (low.swapaxes(0, 1) <= high)).all(axis=2)
        texts = list(boxes)
        assert not [(name, texts[one], texts[other]) for one, other in np.argwhere(np.triu(on_one_another, 1))]


def test_where_there_is_no_scan_to_show_that_is_said(split_dataset: Snapshot) -> None:
    axes = Figure().subplots()
    _show(axes, split_dataset, np.zeros(0, np.int64))
    assert len(axes.texts) == 1
    assert not axes.images
