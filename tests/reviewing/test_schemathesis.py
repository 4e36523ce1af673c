"""Whatever Schemathesis makes of the interface's description, valid or not, has an answer with a reason, never a fault."""

import os
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fewscan.reviewing.app import Review, application
from fewscan.reviewing.seeing import Seen, pixel_features
from tests.reviewing.conftest import ADDRESS, CLASSES

CASES = int(os.environ.get("FEWSCAN_SCHEMATHESIS_CASES", "60"))
# It starts processes; test_working.py asks it.
LEFT_OUT = {("POST", "/api/training")}


@pytest.mark.slow
def test_no_call_of_the_described_interface_ends_in_a_fault(review: Review) -> None:
    # It takes half a second to load, also in a test process that does not run this test.
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis, of the extra dev")
    app = application(review)
    desk = review.desk
    review.tutor.take(Seen(pixel_features(desk.dataset.pixels), "pixels", None))
    for row in range(1, 9):
        desk.dataset.labels.enter([row], [CLASSES[row % 2]], origin="review", who="Ada")
    review.tutor.learn()
    schema = schemathesis.openapi.from_dict(app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [one for one in operations if (one.method.upper(), one.path) not in LEFT_OUT]
    assert len(operations) > 15
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    cases = st.one_of([one.as_strategy(generation_mode=mode) for one in operations for mode in modes])
    client = TestClient(app, base_url=ADDRESS, raise_server_exceptions=True)
    asked = 0

    @settings(
        max_examples=CASES, deadline=None, derandomize=CASES < 1000, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(cases)
    def no_fault(case: Any) -> None:
        nonlocal asked
        sent = case.as_transport_kwargs(base_url=ADDRESS)
        headers = {name: text for name, text in dict(sent.get("headers") or {}).items() if name.lower() != "host"}
        content = {key: sent[key] for key in ("json", "content", "data") if sent.get(key) is not None}
        answer = client.request(sent["method"], sent["url"], params=sent.get("params"), headers=headers, **content)
        asked += 1
        assert answer.status_code < 500, (case.method, case.path, sent)
        if answer.status_code >= 400 and answer.headers.get("content-type") == "application/json":
            assert answer.json()["detail"]

    no_fault()
    assert asked >= CASES / 2
    desk.dataset.labels.verify()
