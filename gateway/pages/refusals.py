"""What a person sees instead of a page that cannot be shown."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from gateway.answers import Answer
from gateway.pages.rendering import page_of_problem
from gateway.problems import ProblemAnswer
from gateway.route import Route

SIGN_IN = "/sign-in"


def page_instead(route: Route, raw_path: str, refused: ProblemAnswer, language: str) -> Answer:
    """Return the page that tells of a refusal; who is not signed in is led to where that is done, and back again."""
    if refused.status != HTTPStatus.UNAUTHORIZED:
        return page_of_problem(refused.status, language, refused.headers)
    back = f"?next={quote(raw_path, safe='/')}" if route.method == "GET" else ""
    taken_away = tuple(value for name, value in refused.headers.items() if name == "Set-Cookie")
    return Answer(HTTPStatus.SEE_OTHER, None, {"Location": SIGN_IN + back}, cookies=taken_away)
