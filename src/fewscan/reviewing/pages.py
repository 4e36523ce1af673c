"""The pages themselves, the way in where there is a token, and the description of the interface, which needs no network."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from fewscan.reporting.rendering import render
from fewscan.reviewing.asked import REFUSALS, Token
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.door import Door
from fewscan.reviewing.taking import ERRORS

PACKAGE = "fewscan.reviewing"
VIEWS = {
    "/": "Label",
    "/grid": "Grid",
    "/map": "Map",
    "/agreement": "Agreement",
    "/quality": "Quality",
    "/model": "Model",
    "/results": "Results",
}
SESSION_SECONDS = 12 * 3600


def router(desk: Desk, door: Door, schema: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the routes; schema: the description of the interface."""
    routes = APIRouter(default_response_class=HTMLResponse, responses=REFUSALS)
    name = desk.dataset.folder.resolve().name

    def page(template: str, **content: Any) -> str:
        return render(template, package=PACKAGE, dataset=name, views=VIEWS, **content)

    @routes.get("/", include_in_schema=False)
    def label() -> str:
        return page("label.html", here="/")

    @routes.get("/grid", include_in_schema=False)
    def grid() -> str:
        return page("grid.html", here="/grid")

    @routes.get("/map", include_in_schema=False)
    def scan_map() -> str:
        return page("map.html", here="/map")

    @routes.get("/agreement", include_in_schema=False)
    def agreement() -> str:
        return page("agreement.html", here="/agreement")

    @routes.get("/quality", include_in_schema=False)
    def quality() -> str:
        return page("quality.html", here="/quality")

    @routes.get("/results", include_in_schema=False)
    def results() -> str:
        return page("results.html", here="/results", errors=ERRORS)

    @routes.get("/check", include_in_schema=False)
    def check() -> str:
        return page("check.html", here="/results", errors=ERRORS)

    @routes.get("/model", include_in_schema=False)
    def model() -> str:
        return page("model.html", here="/model")

    @routes.get("/login", include_in_schema=False)
    def login() -> str:
        return page("login.html", here="/login")

    @routes.get("/docs", include_in_schema=False)
    def docs() -> str:
        return page("docs.html", here="/docs", calls=calls_of(schema()))

    @routes.post("/api/login", tags=["way in"], response_class=JSONResponse)
    def log_in(token: Token, response: Response) -> dict[str, bool]:
        """Let this browser in, by a cookie, for the token that `fewscan review` printed."""
        session = door.log_in(token.token)
        if session is None:
            raise CannotNowError("this is not the token that 'fewscan review' printed")
        response.set_cookie(door.cookie, session, max_age=SESSION_SECONDS, httponly=True, samesite="strict", path="/")
        return {"in": True}

    return routes


def calls_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an OpenAPI description says of each call, in words for a page."""
    found = []
    for path, verbs in schema["paths"].items():
        for verb, call in verbs.items():
            parameters = [
                {"name": one["name"], "place": one["in"], "required": one["required"], "type": type_words(one["schema"])}
                for one in call.get("parameters", [])
            ]
            content = call.get("requestBody", {}).get("content", {})
            body: dict[str, Any] = next((one["schema"] for one in content.values()), {})
            fields = schema["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {})
            needed = fields.get("required", [])
            parameters += [
                {"name": key, "place": "body", "required": key in needed, "type": type_words(of)}
                for key, of in fields.get("properties", {}).items()
            ]
            found.append(
                {"verb": verb.upper(), "path": path, "says": call.get("description", ""), "body": next(iter(content), ""),
                 "parameters": parameters, "answers": sorted(call["responses"])}
            )  # fmt: skip
    return found


def type_words(of: dict[str, Any]) -> str:
    """Return a schema's type in a few words."""
    if "enum" in of:
        return " | ".join(map(str, of["enum"]))
    if "const" in of:
        return str(of["const"])
    if "anyOf" in of:
        return " or ".join(type_words(one) for one in of["anyOf"])
    if of.get("type") == "array":
        return f"list of {type_words(of['items'])}"
    return str(of.get("type", of.get("$ref", "anything").rpartition("/")[2]))
