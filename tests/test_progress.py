import io
import multiprocessing

import pytest
from rich.console import Console

from fewscan import progress


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_count_and_time_stay_whole_whatever_the_work_says_of_itself(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=screen, width=columns, force_terminal=True, color_system=None))
    numbers = "loss 0.532  contrastive 81.2  correlation 44.1  training 91.3  validation 84.0  nearest 79.5"
    with progress.progress_bar() as bar:
        task = bar.add_task("train barlow_twins", total=14_105, completed=3_000, numbers="")
        bar.update(task, numbers=numbers)
        bar.refresh()
        (line,) = bar.console.render_lines(bar.get_renderable(), pad=False)
    shown = "".join(segment.text for segment in line)
    assert "train barlow_twins" in shown
    assert "3000/14105" in shown
    assert shown.count(":") >= 4  # hours, minutes, seconds, of what is spent and what is left
    assert "loss" in shown
    assert len(shown) <= columns


def test_nothing_is_drawn_of_what_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=screen, width=80, force_terminal=True))
    for idle in (True, False):
        assert not screen.getvalue()
        with progress.progress_bar(idle=idle) as bar:
            bar.add_task("embed", total=0, numbers="")
    assert "embed" in screen.getvalue()


def test_what_is_announced_is_heard_once_from_all_processes_of_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "console", Console(stderr=True, soft_wrap=True, quiet=True))
    together = progress.said_together(multiprocessing.get_context("spawn"))
    for _ in ("one process", "another"):
        monkeypatch.setattr(progress, "_said", set())
        monkeypatch.setattr(progress, "_said_together", None)
        progress.say_together(together)
        for message in ("one look", "another", "one look"):
            progress.announce(message)
    assert capsys.readouterr().err.splitlines() == ["one look", "another"]
    # Where there is no place left, something is said more often, and nothing is lost.
    for number in range(2 * progress.MESSAGES_TOGETHER):
        progress.announce(f"message {number}")
    assert len(capsys.readouterr().err.splitlines()) == 2 * progress.MESSAGES_TOGETHER


def test_a_bar_is_drawn_only_once_somebody_waits_and_counts_what_was_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=screen, width=80, force_terminal=True, color_system=None))
    for many in (0, 3, 10):
        assert list(progress.track(range(many), "read", many, quick=10)) == [*range(many)]
    assert not screen.getvalue()
    assert list(progress.track(iter(range(11)), "read", 11, quick=10)) == [*range(11)]
    assert "11/11" in screen.getvalue()
