"""The table of roles in ``gateway/README.md``: ``python -m gateway.openapi.role_table`` prints it anew."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.route import Route
from gateway.routes import ROUTES
from services.contracts.authorisation import OPERATOR, ROLES, Scope

_COLUMNS = tuple(role for role in ROLES if role != OPERATOR)
_YES, _NO = "●", ""
_HEAD = ("route", "no account", "slip", *(role.replace("_", " ") for role in _COLUMNS), "narrowed to")
_SCOPES = {Scope.AGENCY: "own agencies", Scope.SITE: "site of the device", Scope.TICKET: "visit of the slip"}


def role_table() -> str:
    """Return a Markdown table of every route of the API that is not open to everybody."""
    rows = [_HEAD, (":---", *(":---:" for _ in _HEAD[1:-1]), ":---")]
    rows += [_row(route) for route in ROUTES if not route.rule.any_regency]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def open_routes() -> str:
    """Return a Markdown list of the routes that anybody may call."""
    return "".join(f"- {_named(route)}\n" for route in ROUTES if route.rule.any_regency)


def _row(route: Route) -> tuple[str, ...]:
    rule = route.rule
    marks = (rule.anonymous, rule.ticket_token, *(role in rule.roles for role in _COLUMNS))
    return (_named(route), *(_YES if mark else _NO for mark in marks), ", ".join(_scopes(route)))


def _named(route: Route) -> str:
    return f"`{route.method} {route.path}`"


def _scopes(route: Route) -> Iterator[str]:
    yield from (_SCOPES[scope] for scope in Scope if scope in route.rule.scopes)


if __name__ == "__main__":
    print(role_table(), open_routes(), sep="\n", end="")  # noqa: T201 - for who updates the documentation
