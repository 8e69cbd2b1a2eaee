"""What pages show."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.pages.rendering import page, static
from gateway.pages.words import WORDS
from gateway.problems import Refusal
from services.chassis.context import ANONYMOUS, CallContext
from services.contracts import shapes

Operation = Callable[[Surroundings, Call], Answer]

_LONGEST_SITE = 40


def board(surroundings: Surroundings, call: Call) -> Answer:
    """The live board of a site."""
    regency, site = call.path_values["regency"], call.path_values["site"]
    if len(site) > _LONGEST_SITE or not shapes.SLUG.regex.fullmatch(site):
        raise Refusal("site_unknown")
    shown = surroundings.boards.board(regency, site, surroundings.settings.command_deadline)
    content = {**shown.content, "live": shown.live, "as_of": shown.as_of}
    return page(
        "board.html",
        call.language,
        board=content,
        stream=f"/v1/{regency}/sites/{site}/board/stream",
        counter_names={counter["id"]: counter["name"] for counter in content["counters"]},
        service_names={service["id"]: service["name"] for service in content["services"]},
        shown_services=sorted((service for service in content["services"] if service["last_issued"]), key=_nobody_waits),
    )


def _nobody_waits(service: Mapping[str, Any]) -> bool:
    """Those for whom somebody waits come first: a wall does not scroll."""
    return bool(service["waiting"] == 0)


def regencies(surroundings: Surroundings, call: Call) -> Answer:
    """All regencies, to choose from."""
    found = _ask(surroundings, call, "list_regencies", {}, None)
    entries = [{"name": regency["name"], "href": f"/boards/{regency['id']}"} for regency in found["items"]]
    return _list(call, entries, "regencies", None)


def sites(surroundings: Surroundings, call: Call) -> Answer:
    """All sites of a regency, to choose from."""
    regency = call.path_values["regency"]
    found = _ask(surroundings, call, "list_sites", {"limit": 200}, regency)
    entries = [{"name": site["name"], "href": f"/boards/{regency}/{site['id']}"} for site in found["items"]]
    return _list(call, entries, "sites", _ask(surroundings, call, "get_regency", {"regency": regency}, None)["name"])


def static_file(_surroundings: Surroundings, call: Call) -> Answer:
    """A style sheet or script."""
    answer = static(call.path_values["name"], call.request.headers.get("If-None-Match"))
    if answer is None:
        raise Refusal("path_unknown")
    return answer


def _list(call: Call, entries: list[dict[str, str]], question: str, title: str | None) -> Answer:
    return page("list.html", call.language, entries=entries, question=question, title=title or WORDS[call.language]["boards"])


def _ask(surroundings: Surroundings, call: Call, method: str, payload: dict[str, Any], regency: str | None) -> Any:
    deadline = time.time() + surroundings.settings.command_deadline
    context = CallContext(regency, ANONYMOUS, deadline=deadline, locale=call.language, traceparent=call.traceparent)
    return surroundings.rpc.call("catalog", method, payload, context)
