"""Whatever is sent to the page's interface, valid, nearly valid or neither, has an answer with a reason, and never a fault."""

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from fewscan.reviewing.app import Review, application
from fewscan.reviewing.seeing import Seen, pixel_features
from tests.reviewing.conftest import ADDRESS, CLASSES

CASES = int(os.environ.get("FEWSCAN_FUZZ_CASES", "40"))
# It starts processes; test_working.py asks it.
LEFT_OUT = {("/api/training", "post")}
JSONABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KNOWN = st.sampled_from(["Ada", "Grace", *CLASSES, "", "a\x00b", "\ud800", "x" * 500, "../../etc/passwd", "\u202e"])


def of_schema(schema: dict[str, Any], parts: dict[str, Any]) -> SearchStrategy[Any]:
    """What a schema allows, and now and then what it does not."""
    if "$ref" in schema:
        return of_schema(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        return st.one_of([of_schema(one, parts) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "object":
        fields = {name: of_schema(of, parts) for name, of in schema.get("properties", {}).items()}
        needed = {name: fields.pop(name) for name in schema.get("required", [])}
        return st.fixed_dictionaries(needed, optional=fields)
    kinds: dict[str, SearchStrategy[Any]] = {
        "integer": st.integers(0, 45) | st.integers(),
        "boolean": st.booleans(),
        "null": st.none(),
        "string": KNOWN | st.text(max_size=20),
    }
    if schema.get("type") == "array":
        return st.lists(of_schema(schema["items"], parts), max_size=4)
    return kinds.get(schema.get("type", ""), JSONABLE)


@pytest.fixture
def calls(review: Review) -> tuple[TestClient, dict[str, Any]]:
    app = application(review)
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    return TestClient(app, base_url=ADDRESS, raise_server_exceptions=True), app.openapi()


def test_every_refusal_of_every_route_is_described_as_the_reason_that_it_gives(
    calls: tuple[TestClient, dict[str, Any]],
) -> None:
    _, described = calls
    assert "detail" in described["components"]["schemas"]["Reason"]["properties"]
    routes = [route for path in described["paths"].values() for route in path.values() if "tags" in route]
    assert len(routes) > 40
    for route in routes:
        refusals = {code: told for code, told in route["responses"].items() if code != "200"}
        assert {"400", "404", "409", "503"} <= refusals.keys()
        for told in refusals.values():
            assert told["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Reason"}}}
            assert told["description"]


def ask(client: TestClient, schema: dict[str, Any], draw: Callable[[SearchStrategy[Any]], Any]) -> None:
    """Make one call by a strategy's choices, and look at its answer."""
    parts = schema["components"]["schemas"]
    known = [(path, verb) for path, verbs in schema["paths"].items() for verb in verbs if (path, verb) not in LEFT_OUT]
    path, verb = draw(st.sampled_from(known))
    call = schema["paths"][path][verb]
    query: dict[str, str] = {}
    for one in call.get("parameters", []):
        value = draw(
            st.sampled_from(range(10)).flatmap(lambda n, one=one: JSONABLE if n == 0 else of_schema(one["schema"], parts))
        )
        text = str(value).encode(errors="replace").decode()
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(text, safe=""))
        elif draw(st.sampled_from([True] * 9 + [False])):
            query[one["name"]] = text
    sent: dict[str, Any] = {}
    for kind, of in call.get("requestBody", {}).get("content", {}).items():
        body = draw(st.sampled_from(range(8)).flatmap(lambda n, of=of: JSONABLE if n == 0 else of_schema(of["schema"], parts)))
        sent = {"content": json.dumps(body).encode(), "headers": {"content-type": kind}}
    answer = client.request(verb.upper(), path, params=query, **sent)
    assert answer.status_code < 500, (verb, path, query, sent)
    if answer.status_code >= 400:
        assert answer.json()["detail"]


@pytest.mark.slow
def test_every_call_has_an_answer_with_a_reason(calls: tuple[TestClient, dict[str, Any]], review: Review) -> None:
    client, schema = calls

    @settings(
        max_examples=CASES, deadline=None, derandomize=CASES < 1000, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def asked(data: DataObject) -> None:
        ask(client, schema, data.draw)

    asked()
    review.tutor.learn()
    review.desk.dataset.labels.verify()
