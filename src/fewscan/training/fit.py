"""The one training loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.method import Method
from fewscan.learning.policies import build_views
from fewscan.learning.registry import method_type
from fewscan.learning.views import Views, random_views
from fewscan.models.network import Network
from fewscan.progress import say
from fewscan.seeds import stream
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.averaging import AveragedNetwork
from fewscan.training.batches import Batch, Rows, epoch_batches
from fewscan.training.budget import BudgetRows
from fewscan.training.checkpoint import Checkpoints, has_checkpoint
from fewscan.training.chunks import add_gradients
from fewscan.training.images import ImageRows, sent
from fewscan.training.journal import journal
from fewscan.training.optimizer import build_optimizer, learning_rate, set_learning_rates
from fewscan.training.positives import Partners
from fewscan.training.probes import probe
from fewscan.training.ranks import Ranks
from fewscan.training.recorded import RecordedNetwork, is_recordable
from fewscan.training.run import CHECKPOINT_FOLDER, Run
from fewscan.training.settings import RunSettings
from fewscan.training.shuffling import Buffer
from fewscan.training.tally import Tally, view_numbers
from fewscan.wording import counted

# Of a method that trains on one view, what two views say is taken from this many labeled images.
TWO_VIEW_IMAGES = 512


class _Step(NamedTuple):
    """The rows of a step, and what this rank is shown of it: of every row, one batch of views after the other."""

    labeled: Rows
    unlabeled: Rows
    shown: Rows


@dataclass(frozen=True)
class _Training:
    """What every step of a training needs, on its device."""

    settings: RunSettings
    ranks: Ranks
    network: Network
    trained: nn.Module  # the network as the precision asks for it
    method: Method
    views: Views
    averaged: AveragedNetwork
    optimizer: torch.optim.Optimizer
    stepper: torch.optim.Optimizer  # the same optimizer, as the precision asks for it
    rows: BudgetRows
    partners: Partners
    images: ImageRows
    buffer: Buffer | None  # which images are shuffled among each other, where not all are

    @classmethod
    def of(cls, run: Run, dataset: Snapshot, ranks: Ranks, *, resume: bool) -> Self:
        settings, fabric = run.settings, ranks.fabric
        network = run.new_network() if resume else run.first_network()
        kind = method_type(settings.method.name)
        rows = BudgetRows.of(dataset, uses_unlabeled=kind.uses_unlabeled, copies_share_labels=settings.copies_share_labels)
        partners = Partners.of(dataset, rows.shown, settings.positives)
        class_shares = rows.labels[rows.labeled].bincount(minlength=len(dataset.classes)) / max(1, len(rows.labeled))
        dims = network.encoder.feature_dim, settings.heads.projection_units[-1]
        method = kind(settings.method, *dims, class_shares).to(fabric.device)
        # The device is said now, since the optimizer looks at it.
        network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
        optimizer = build_optimizer(settings.optimizer, network, method)
        recorded = ranks.count == 1 and is_recordable(network, fabric.device)
        trained, stepper = fabric.setup(RecordedNetwork(network) if recorded else network, optimizer)
        ranks.begin_alike(network)
        averaged = AveragedNetwork(network, settings.averaging)
        images = ImageRows(dataset.pixels, fabric.device, keep=True, often=rows.often, processes=ranks.count)
        views = build_views(settings.views)
        buffer = Buffer.of(settings.shuffle_buffer, dataset.spec.image_bytes)
        return cls(
            settings, ranks, network, trained, method, views, averaged, optimizer, stepper, rows, partners, images, buffer
        )

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.settings.steps(len(self.rows.labeled), len(self.rows.unlabeled))


def fit(run: Run, dataset: Snapshot, *, resume: bool, ranks: Ranks | None = None) -> None:
    """Train the run's network on `dataset`, epoch by epoch, until `run.finished`.

    After every epoch its numbers are logged, and every `checkpoint_seconds` the complete state is saved. With `resume` the run
    goes on from there, or begins where there is none yet: on a CPU with the same number of threads it computes, bit for bit,
    what it would have computed without the break.
    ranks: those that train it together, of which this process is one; by default it is the only one.
    Within an epoch nothing waits for the device, but where several ranks share the views.
    Raises FewscanError where a loss is not finite; the state that was saved last is kept, and said.
    """
    settings = run.settings
    resume = resume and has_checkpoint(run)
    keep_freed_memory()
    stream(settings.seed, "first weights").seed_torch()
    training = _Training.of(run, dataset, ranks or Ranks.alone(settings), resume=resume)
    leads = training.ranks.leads
    _say_who_else_is_shown(training)
    state = {"network": training.network, "averaged": training.averaged, "method": training.method}
    precision = training.ranks.fabric.strategy.precision
    checkpoints = Checkpoints(run, state, training.optimizer, precision, settings.checkpoint_seconds, writes=leads)
    finished_epochs = checkpoints.begin(resume=resume)
    with journal(run, training.steps, finished_epochs, writes=leads) as told:
        for epoch in range(finished_epochs + 1, settings.epochs + 1):
            began = time.perf_counter()
            tally = _train_epoch(training, epoch, told.stepped)
            # Once an epoch: on a GPU, to look at a loss is to wait for the device. And by the rank that knows what was saved.
            if leads:
                _require_finite(tally, run, epoch, checkpoints.epoch)
            numbers = _epoch_numbers(training, epoch, tally)
            numbers["seconds"] = round(time.perf_counter() - began, 3)
            told.log(numbers, tally.loss_names)
            # After the log, which a training that goes on cuts to the epochs of the state: what is missing there stays missing.
            checkpoints.after(epoch, last=epoch == settings.epochs)
            told.tell(numbers)
    if leads:
        run.save_network(training.averaged.network)


def _say_who_else_is_shown(training: _Training) -> None:
    copies = len(training.rows.bearers.copies)
    if copies:
        said = counted(copies, "unlabeled scan is a copy of a labeled one", "unlabeled scans are copies of labeled ones")
        say(f"{said}, also trained with its label" if copies == 1 else f"{said}, also trained with their labels")
    if training.settings.positives != "views":
        accompanied = counted(training.partners.accompanied, "scan")
        say(f"positives={training.settings.positives}: for {accompanied}, the second view can be of another scan")


def _train_epoch(training: _Training, epoch: int, stepped: Callable[[int], None]) -> Tally:
    """Train for one epoch and return its sums; `stepped` is called after every step, with how many were made since epoch 1."""
    settings, rows, device = training.settings, training.rows, training.ranks.fabric.device
    stream(settings.seed, "epoch", epoch).seed_torch()
    training.trained.train()
    tally = Tally()
    steps = training.steps
    buffer = training.buffer
    at_a_time = training.images.ahead(settings.batch_size) if buffer is None else max(1, buffer.images // settings.batch_size)
    read = training.images.beside(_steps(training, epoch), lambda step: step.shown, at_a_time)
    for step, ((labeled, unlabeled, _), images) in enumerate(read, start=1):
        done = (epoch - 1) * steps + step - 1
        set_learning_rates(training.optimizer, settings.optimizer, done, steps, settings.epochs)

        # Step 1: random views of every image, and whatever the method makes of them.
        labels = sent(F.pad(rows.labels[labeled], (0, len(unlabeled)), value=-1), device)
        views, targets = _method_input(training, images, labels, when=(epoch, step))
        # Step 2: one forward pass for all of them, the method's losses, and back; chunk by chunk if so asked.
        training.stepper.zero_grad()
        losses, view0, view1 = add_gradients(
            training.ranks, training.trained, training.method, views, targets, settings.chunk_size
        )
        # Step 3: the optimizer follows the sum of the losses, the averaged weights follow the optimizer.
        training.stepper.step()
        training.averaged.update(done)

        tally.add(losses, view0, view1, labels)
        stepped(done + 1)
    return tally


def _epoch_numbers(training: _Training, epoch: int, tally: Tally) -> dict[str, Any]:
    """Return what is logged of an epoch."""
    settings, method, network = training.settings, training.method, training.averaged.network
    steps = training.steps
    rate = learning_rate(settings.optimizer, epoch * steps - 1, steps, settings.epochs)
    numbers: dict[str, Any] = {"epoch": epoch, "step": epoch * steps, "learning_rate": rate}
    numbers |= tally.means() | method.epoch_numbers()
    if not method.two_views and epoch == settings.epochs:
        numbers |= _two_view_numbers(training, network)
    return numbers | probe(
        network,
        training.images,
        training.rows,
        training.ranks,
        probe_images=settings.probe_images,
        seed=settings.seed,
    )


def _method_input(training: _Training, images: Tensor, labels: Tensor, *, when: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the views that go through the network on this rank, and the method's targets for all.

    images: what each of this rank's views is of, (V * b, ...), one batch after the other. labels: (B,). when: epoch and step.
    """
    settings, method, ranks, count = training.settings, training.method, training.ranks, len(labels)
    copies = _views_of(method)
    drawn_from = stream(settings.seed, "views", *when)
    views = random_views(training.views, images, 1, drawn_from, ranks.part(count, copies))
    if type(method).mixed is Method.mixed:
        return views, labels
    outputs = None
    if method.guesses:
        drawn_from = stream(settings.seed, "weak views", *when)
        own = images[: len(ranks.span(count))]
        weak = random_views(training.views.weak(), own, 1, drawn_from, ranks.part(count, 1))
        with torch.no_grad(), ranks.fabric.autocast():
            outputs = ranks.whole_outputs(training.averaged.network(weak), count)
    # Any image may be mixed with any other, so all are at hand.
    mixed, targets = method.mixed(ranks.whole(views, count), labels, outputs)
    return ranks.own(mixed, count).contiguous(memory_format=torch.channels_last), targets


def _views_of(method: Method) -> int:
    return 2 if method.two_views else 1


def _steps(training: _Training, epoch: int) -> Iterator[_Step]:
    """Yield the steps of an epoch."""
    seed, rows, ranks, views = training.settings.seed, training.rows, training.ranks, _views_of(training.method)
    random, random_partners = (stream(seed, name, epoch).numpy() for name in ("label bearers", "positives"))
    for labeled, unlabeled in _batches(training, epoch):
        seen = np.concatenate([rows.bearers.drawn(random, labeled), unlabeled])
        shown = np.concatenate([seen, training.partners.drawn(random_partners, seen)][:views])
        yield _Step(labeled, unlabeled, shown[ranks.places(len(seen), views)])


def _batches(training: _Training, epoch: int) -> Iterator[Batch]:
    settings, rows = training.settings, training.rows
    return epoch_batches(
        rows.labeled,
        rows.unlabeled,
        rows.labels[rows.labeled].numpy(),
        settings.batch_size,
        settings.seed,
        epoch,
        labeled_share=settings.labeled_share,
        class_balance=settings.class_balance,
        passes=settings.passes,
        buffer=training.buffer,
    )


@torch.no_grad()
def _two_view_numbers(training: _Training, network: Network) -> dict[str, float | None]:
    """Return `view_numbers` of a method that trains on one view: of labeled images seen twice, once training is over."""
    seed = training.settings.seed
    rows = stream(seed, "two-view images").numpy().permutation(training.rows.looked_at)[:TWO_VIEW_IMAGES]
    batch = training.images[rows]
    twice = random_views(training.views, batch, 2, stream(seed, "two-view views"))
    h0, h1 = torch.cat([network(some).h for some in torch.split(twice, training.images.batch)]).chunk(2)
    return {name: float(value) if torch.isfinite(value) else None for name, value in view_numbers(h0, h1).items()}


def _require_finite(tally: Tally, run: Run, epoch: int, saved_epoch: int) -> None:
    bad = tally.first_bad_step()
    if bad is not None:
        step, loss = bad
        raise FewscanError(
            f"the loss became {loss} in epoch {epoch}, step {step}; the state after epoch {saved_epoch} is kept in "
            f"{run.folder / CHECKPOINT_FOLDER}: start a new run with an optimizer.learning_rate below "
            f"{run.settings.optimizer.learning_rate:g}"
        )
