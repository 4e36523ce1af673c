"""What a training tells of itself while it runs: its log, TensorBoard, the progress bar, a forecast, what to be warned of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress
from torch.utils.tensorboard import SummaryWriter

from fewscan.progress import progress_bar, say, say_once
from fewscan.training.forecast import Forecast, spoken_duration
from fewscan.training.run import TENSORBOARD_FOLDER, Run
from fewscan.training.symptoms import Symptom, new_symptoms
from fewscan.training.tally import legend, spoken


class Journal:
    """The journal of a run. Of several processes that train it only the one that `writes` keeps one; `journal` opens it."""

    def __init__(self, run: Run, bar: Progress, board: SummaryWriter | None, steps: int, finished_epochs: int) -> None:
        settings = run.settings
        total, done = settings.epochs * steps, finished_epochs * steps
        self._run, self._bar, self._board, self._steps = run, bar, board, steps
        self._task = bar.add_task(f"train {settings.method.name}", total=total, completed=done, numbers="")
        self._forecast = Forecast(total, done)
        self._history: list[dict[str, Any]] = [] if board is None else run.metrics()
        self._symptoms: list[Symptom] = []
        self._explained: set[str] = set()  # numbers whose words were explained: some come later than others

    def stepped(self, done: int) -> None:
        """Note that a step is over, of `done` since epoch 1."""
        self._bar.advance(self._task)
        _tell(self._forecast.after(done))

    def log(self, numbers: dict[str, Any], losses: list[str]) -> None:
        """Write down the numbers of an epoch; `losses` are the names of those that its loss is the sum of."""
        if self._board is None:
            return
        self._symptoms = new_symptoms([*self._history, numbers], self._run.settings)
        self._history.append(numbers | {"losses": losses, "symptoms": [symptom._asdict() for symptom in self._symptoms]})
        self._run.log(self._history[-1])

    def tell(self, numbers: dict[str, Any]) -> None:
        """Tell people of an epoch that was logged."""
        if self._board is None:
            return
        epoch, epochs = numbers["epoch"], self._run.settings.epochs
        for name, value in numbers.items():
            if value is not None:
                self._board.add_scalar(name, value, epoch)
        new = {name: value for name, value in numbers.items() if name not in self._explained}
        if words := legend(new):
            say_once(words)
        self._explained |= {name for name, value in new.items() if value is not None}
        self._bar.update(self._task, numbers=spoken(numbers))
        _tell(self._forecast.after(epoch * self._steps, epoch_ended=True))
        if epoch % max(1, epochs // 20) == 0 or epoch == epochs:
            say(f"epoch {epoch}/{epochs}  {spoken(numbers)}")
        for symptom in self._symptoms:
            say(f"warning: after epoch {epoch} {symptom.text}")


@contextmanager
def journal(run: Run, steps: int, finished_epochs: int, *, writes: bool) -> Iterator[Journal]:
    """Open the journal of a run with so many `steps` an epoch, of which so many epochs are finished."""
    board = None
    if writes:
        run.forget_epochs_after(finished_epochs)
        board = SummaryWriter(str(run.folder / TENSORBOARD_FOLDER), purge_step=finished_epochs + 1)
    try:
        with progress_bar() as bar:
            yield Journal(run, bar, board, steps, finished_epochs)
    finally:
        if board is not None:
            board.close()


def _tell(seconds_left: float | None) -> None:
    if seconds_left is not None:
        say(f"about {spoken_duration(seconds_left)} of training left")
