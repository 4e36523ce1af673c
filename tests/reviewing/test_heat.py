"""The heat map of the page's model points at what decides, and is no way around a blind reading."""

import json
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from torch import Tensor, nn

from fewscan.reviewing import heat as heating
from fewscan.reviewing.app import Review
from fewscan.reviewing.seeing import Seen
from tests.reviewing.conftest import CLASSES, IMAGES

Decide = Callable[..., dict]


class Corner(nn.Module):
    """The brightness of the upper left quarter, and of the lower right one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * torch.stack([images[:, 0, :8, :8].mean(dim=(1, 2)), images[:, 0, 8:, 8:].mean(dim=(1, 2))], dim=1)


@pytest.fixture
def taught(decide: Decide, review: Review) -> list[int]:
    """Rows with labels, under a model that goes by two quarters of a scan."""
    encoder = Corner()
    pixels = torch.from_numpy(np.array(review.desk.dataset.pixels)).float() / 255
    features = encoder(pixels).detach().numpy()
    rows = np.flatnonzero(review.desk.eligible & ~review.desk.sample)[:8].tolist()
    for row in rows:
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(features, "two quarters", SimpleNamespace(encoder=encoder)))  # type: ignore[arg-type]
    review.tutor.learn()
    return rows


def heat(client: TestClient, row: int, **more: str) -> tuple[int, np.ndarray]:
    answer = client.get(f"/api/scans/{row}/heat", params={"reviewer": "Ada"} | more)
    if answer.status_code != 200:
        return answer.status_code, np.zeros(0)
    head = json.loads(answer.headers["x-levels"])
    assert head["bits"] == 24
    return 200, np.frombuffer(answer.content, np.uint8).reshape(head["rows"], head["columns"], 3)


def test_it_colors_what_decides_and_leaves_the_rest_gray(
    client: TestClient, taught: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heating, "KEPT", 1)
    status, picture = heat(client, taught[0])
    assert status == 200
    color = np.ptp(picture.astype(int), axis=2)
    decides = np.zeros((16, 16), bool)
    decides[:8, :8] = decides[8:, 8:] = True
    assert color[decides].mean() > 3 * color[~decides].mean()
    _, other = heat(client, taught[0], label=CLASSES[(taught[0] + 1) % 2])
    assert (other != picture).any()
    for _ in range(2):  # made anew where it was not kept, and then kept
        assert (heat(client, taught[0])[1] == picture).all()


def test_where_the_model_is_not_to_be_known_there_is_no_heat_map(
    client: TestClient, taught: list[int], review: Review, decide: Decide
) -> None:
    scores = int(np.flatnonzero(review.desk.sample)[0])
    assert heat(client, scores)[0] == 409
    assert heat(client, taught[0], reviewer="Grace", reading="second")[0] == 409
    decide(scores, "glioma")
    assert heat(client, scores)[0] == 200
    assert heat(client, IMAGES)[0] == 404
    assert heat(client, taught[0], label="cyst")[0] == 404


def test_without_a_model_or_an_encoder_it_says_why_there_is_none(client: TestClient, taught: list[int], review: Review) -> None:
    seen = review.tutor.seen
    assert seen is not None
    picture = heat(client, taught[0])[1]
    # What the page sees otherwise from now on says nothing of a model that has not learned from that yet.
    review.tutor.take(seen._replace(encoder=None))
    assert (heat(client, taught[0])[1] == picture).all()
    review.tutor.learn()
    assert heat(client, taught[0])[0] == 409
    review.tutor.opinion = None
    assert heat(client, taught[0])[0] == 409
