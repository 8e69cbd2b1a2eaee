"""Reading tickets, one or a page of them."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.chassis.database import UnitOfWork
from services.chassis.paging import cursor_behind, place_of
from services.ticketing import domain, store
from services.ticketing.usecases.answers import answers, viewed
from services.ticketing.usecases.changing import check_slip


def get_ticket(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return one ticket with its place in the queue: to staff and auditors, or to who shows its token."""
    if data.get("token") is not None:
        check_slip(work, secret, data)
    return viewed(work, data["id"])


def get_ticket_by_token(work: UnitOfWork, data: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return the ticket to which a token belongs, to who shows it; refuses with ``ticket_token_invalid``.

    The token of another regency's ticket leads nowhere here: ``ticket_unknown``.
    """
    return viewed(work, domain.ticket_of_token(secret, data["token"]))


def list_tickets(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return a page of tickets in order of issue, to staff and auditors."""
    filters: dict[str, Any] = {name: data[name] for name in ("site", "service", "status") if name in data}
    if "date" in data:
        filters["business_date"] = date.fromisoformat(data["date"])
    found = store.view_page(work, filters, place_of(data.get("cursor")), data["limit"] + 1)
    page, more = found[: data["limit"]], len(found) > data["limit"]
    return {
        "items": answers(work, page),
        "next_cursor": cursor_behind(page[-1].issued_at, page[-1].id) if more else None,
    }
