"""What a citizen says of a visit."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from services.chassis.context import CallContext
from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.chassis.events import Event
from services.contracts.redaction import without_numbers
from services.reporting import store

ANSWERABLE = "completed"
"""The state of a ticket whose holder can tell how it was."""

Ask = Callable[[str, str, dict[str, Any], CallContext], Any]


def find_ticket(ask: Ask, context: CallContext, data: dict[str, Any]) -> dict[str, Any]:
    """Return the command with the ticket in the token's place. Ticketing alone knows whose token it is, and how the ticket stands."""
    ticket = ask("ticketing", "get_ticket_by_token", {"token": data["token"]}, context)
    return {"ticket": ticket, "scores": data["scores"], "comment": data["comment"]}


def surveys_of_visits(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Return what was said of visits; scores are of nobody any more, the comment may tell who wrote it."""
    items = [{**row, "submitted_at": row["submitted_at"].isoformat()} for row in store.surveys_of_visits(work, data["visits"])]
    return {"items": items}


def submit_survey(work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
    """Store the one answer of a visit and tell of it; the comment stays in the table, without numbers that name somebody.

    :raises DomainError: ``ticket_state_conflict`` with the status of a ticket that is not completed,
        ``survey_already_answered`` when the visit has an answer.
    """
    ticket = data["ticket"]
    if ticket["status"] != ANSWERABLE:
        raise DomainError("ticket_state_conflict", status=ticket["status"], allowed=[ANSWERABLE])
    known = {name: ticket[name] for name in ("site", "agency", "service")}
    answered = {
        **known,
        "id": str(uuid.uuid4()),
        "visit": ticket["visit"],
        "ticket": ticket["id"],
        "business_date": date.fromisoformat(ticket["business_date"]),
        "submitted_at": work.now,
        "comment": data["comment"] and without_numbers(data["comment"]),
    }
    if not store.insert_survey(work, answered, data["scores"]):
        raise DomainError("survey_already_answered")
    told = {
        **known,
        "id": answered["id"],
        "ticket": ticket["id"],
        "business_date": ticket["business_date"],
        "submitted_at": work.now.isoformat(),
        "scores": data["scores"],
    }
    work.emit(Event("survey.submitted", told["id"], {"survey": told}, site=ticket["site"]))
    return told
