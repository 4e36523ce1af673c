"""The page's interface for models: a training in the background, an uploaded scan, and the labels as a table."""

from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Literal

import numpy as np
import torch
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from fewscan.datasets.learnable import without_labels
from fewscan.errors import FewscanError
from fewscan.evaluation.typicality import Gate
from fewscan.images.one_scan import read_scan
from fewscan.images.readers import UnreadableImage
from fewscan.reviewing.asked import REFUSALS, Nothing, Predicted, Share
from fewscan.reviewing.desk import Desk
from fewscan.reviewing.guard import BYTES_TYPE
from fewscan.reviewing.training import Job, Trainings
from fewscan.reviewing.training_asked import Begin, Training
from fewscan.reviewing.tutor import Tutor
from fewscan.spreadsheet import write_csv_to
from fewscan.training.encoding import features_of

# A file's format is known by its first bytes or, of some, by how its name ends; the name itself goes no further than this list.
Kind = Literal["png", "jpg", "bmp", "webp", "tif", "dcm", "nii", "nii.gz", "nrrd", "mha", "npy"]
AT_ONCE = 2
CSV = "text/csv"


def router(desk: Desk, tutor: Tutor, trainings: Trainings) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api", tags=["models"], responses=REFUSALS)
    reading = BoundedSemaphore(AT_ONCE)

    @cache  # what changes the dataset makes a review anew
    def gate() -> Gate:
        return Gate.of(without_labels(desk.dataset.unsplit()))

    def predicted(content: bytes, kind: str) -> Predicted:
        with reading:
            return predict(desk, tutor, gate, content, kind)

    @routes.post(
        "/predict",
        openapi_extra={
            "requestBody": {"required": True, "content": {BYTES_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
        },
    )
    async def predict_upload(request: Request, kind: Kind) -> Predicted:
        """Return what the model says of a file with one scan, sent as it is; nothing of it is kept."""
        return await run_in_threadpool(predicted, await request.body(), kind)

    @routes.get("/labels.csv", response_class=Response, responses={200: {"content": {CSV: {}}}})
    def labels() -> Response:
        """Return what holds of every scan, as a table that 'fewscan labels set' takes."""
        text = StringIO()
        write_csv_to(text, desk.dataset.labels.table())
        name = {"content-disposition": 'attachment; filename="labels.csv"'}
        return Response(text.getvalue(), media_type=CSV, headers=name)

    @routes.get("/training")
    def training() -> Training:
        """Return how far the training in the background is."""
        return told(trainings.now, trainings.unfinished)

    @routes.post("/training")
    def begin(asked: Begin) -> Training:
        """Begin a training on the labels of now, or go on with one that was interrupted."""
        trainings.start(asked.length, resume=asked.resume)
        return told(trainings.now, None)

    @routes.post("/training/cancel")
    def cancel(nothing: Nothing) -> Training:
        """Cancel the training; it can be gone on with."""
        trainings.cancel()
        return told(trainings.now, None)

    @routes.post("/training/use")
    def use(nothing: Nothing) -> Training:
        """Let the page's model see scans as the finished training does."""
        trainings.use()
        return told(trainings.now, None)

    return routes


def told(job: Job, unfinished: Path | None) -> Training:
    """Return a training as an answer."""
    compared = job.compared
    return Training(
        phase=job.phase,
        command=job.command,
        run=job.run,
        unlabeled=job.unlabeled,
        epoch=job.epoch,
        epochs=job.epochs,
        accuracy=job.accuracy,
        words=job.words,
        compared_images=0 if compared is None else compared.images,
        before=None if compared is None else compared.before,
        after=None if compared is None else compared.after,
        used=job.used,
        unfinished=None if unfinished is None else unfinished.name,
    )


def predict(desk: Desk, tutor: Tutor, gate: Callable[[], Gate], content: bytes, kind: str) -> Predicted:
    """Return what the model says of a file's one scan; gate: asked once that could be read, since it takes seconds to make.

    Raises CannotNowError before there is a model, or where it goes by pixels of the dataset alone; FewscanError for a file that
    cannot be read.
    """
    opinion, ready = tutor.of_an_encoder("a model of pixels alone cannot predict other scans")
    spec = desk.dataset.description.spec
    with TemporaryDirectory(prefix="fewscan-") as folder:
        path = Path(folder) / f"scan.{kind}"
        path.write_bytes(content)
        try:
            image = read_scan(path, spec)
        except UnreadableImage as unreadable:
            raise FewscanError(unreadable.reason) from None
    scan = image.pixels[None]
    pixels = torch.from_numpy(scan)
    device = next(ready.encoder.parameters()).device
    with torch.no_grad():
        features = features_of(ready.encoder, pixels.to(device))[:, 0].cpu().numpy()
    shares = opinion.solution.probabilities(features)[0]
    order = np.argsort(-shares, kind="stable")
    known = gate()
    row = known.row_of(image.pixels_sha256)
    return Predicted(
        width_px=image.width_px,
        height_px=image.height_px,
        labels=opinion.labels,
        out_of_distribution=bool(known.out_of_distribution(scan, np.array([row]), np.array([image.color]))[0]),
        shares=[Share(label=opinion.classes[at], probability=round(float(shares[at]), 4)) for at in order],
        notes=[*image.notes, *known.notes(image.color)],
    )
