"""Examples of ticketing: one morning of ticket E-012 at Sukadana."""

from __future__ import annotations

from typing import Any

ISSUED_AT = "2025-06-11T08:02:11.480000+07:00"
CALLED_AT = "2025-06-11T08:21:40.112000+07:00"
STARTED_AT = "2025-06-11T08:22:25.001000+07:00"
ENDED_AT = "2025-06-11T08:34:02.730000+07:00"
COUNTER = "sukadana-05"
NEXT_TICKET_ID = "5c8e7b1a-2d94-4f6b-a1c3-7e0d9b8a6f52"
TICKET_ID = "0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"
TOKEN = "DZ9KUmwbTg6fOF16HCs-T2lVvJ0pQ8sTz2wLr5bKc1A"  # noqa: S105 - opens nothing


def _period(state: str, counter: str | None, started_at: str, ended_at: str | None = None, *, undone: bool = False) -> dict[str, Any]:
    return {"state": state, "counter": counter, "started_at": started_at, "ended_at": ended_at, "undone": undone}


def _ticket(status: str, version: int, *periods: dict[str, Any], **differing: Any) -> dict[str, Any]:
    ticket = {
        "id": TICKET_ID,
        "visit": "6b2c8d1e-3f47-4a90-8c15-2e9d0a7b6c5d",
        "number": "E-012",
        "site": "sukadana",
        "agency": "CPL",
        "service": "CPL-KTP",
        "business_date": "2025-06-11",
        "channel": "kiosk",
        "status": status,
        "lane": "regular",
        "arrived_at": ISSUED_AT,
        "issued_at": ISSUED_AT,
        "turn_at": None,
        "counter": periods[-1]["counter"] if periods else None,
        "recalls": 0,
        "returns": 0,
        "outcome": None,
        "collect_on": None,
        "transferred_from": None,
        "transferred_to": None,
        "leg": None,
        "first_estimate_seconds": 1380,
        "cancelled_by": None,
        "periods": list(periods),
        "version": version,
    }
    return {**ticket, **differing}


_WAITED = _period("waiting", None, ISSUED_AT, CALLED_AT)
_WALKED = _period("called", COUNTER, CALLED_AT, STARTED_AT)

WAITING = _ticket("waiting", 1, _period("waiting", None, ISSUED_AT))
CALLED = _ticket("called", 2, _WAITED, _period("called", COUNTER, CALLED_AT))
RECALLED = {**CALLED, "recalls": 1, "version": 3}
SERVING = _ticket("serving", 3, _WAITED, _WALKED, _period("serving", COUNTER, STARTED_AT))
COMPLETED = _ticket("completed", 4, _WAITED, _WALKED, _period("serving", COUNTER, STARTED_AT, ENDED_AT), outcome="papers_missing")
NO_SHOW = _ticket("no_show", 3, _WAITED, _period("called", COUNTER, CALLED_AT, STARTED_AT))
CANCELLED = _ticket("cancelled", 2, _WAITED, lane="priority", channel="web", cancelled_by="citizen")
_SERVED = _period("serving", COUNTER, STARTED_AT, ENDED_AT)
CALL_UNDONE = _ticket(
    "waiting", 3, _WAITED, _period("called", COUNTER, CALLED_AT, STARTED_AT, undone=True), _period("waiting", None, STARTED_AT)
)
HELD = _ticket("on_hold", 4, _WAITED, _WALKED, _SERVED, _period("on_hold", COUNTER, ENDED_AT))
RESUMED_AT = "2025-06-11T08:41:10.250000+07:00"
RESUMED = _ticket(
    "serving", 5, _WAITED, _WALKED, _SERVED, _period("on_hold", COUNTER, ENDED_AT, RESUMED_AT), _period("serving", COUNTER, RESUMED_AT)
)
RETURNED = _ticket("waiting", 4, _WAITED, _WALKED, _SERVED, _period("waiting", None, ENDED_AT), turn_at=ENDED_AT, returns=1)
TRANSFERRED = _ticket(
    "transferred", 4, _WAITED, _WALKED, _SERVED, _period("transferred", COUNTER, ENDED_AT, ENDED_AT), transferred_to=NEXT_TICKET_ID
)
AFTER_TRANSFER = _ticket(
    "waiting",
    1,
    _period("waiting", None, ENDED_AT),
    id=NEXT_TICKET_ID,
    number="F-007",
    agency="BPJSKES",
    service="BPJSKES-UMUM",
    issued_at=ENDED_AT,
    transferred_from=TICKET_ID,
)
RESERVED = _ticket(
    "reserved",
    1,
    _period("reserved", None, ISSUED_AT),
    id=NEXT_TICKET_ID,
    number="F-007",
    agency="BPJSKES",
    service="BPJSKES-UMUM",
    leg=2,
    first_estimate_seconds=None,
)
CHECKED_IN = {
    **RESERVED,
    "status": "waiting",
    "first_estimate_seconds": 540,
    "periods": [_period("reserved", None, ISSUED_AT, ENDED_AT), _period("waiting", None, ENDED_AT)],
    "version": 2,
}
_LEG = {"id": NEXT_TICKET_ID, "number": "F-007", "service": "BPJSKES-UMUM", "status": "reserved"}
REJOINED = _ticket(
    "waiting",
    4,
    _WAITED,
    _WALKED,
    _period("no_show", COUNTER, STARTED_AT, ENDED_AT),
    _period("waiting", None, ENDED_AT),
    turn_at=ENDED_AT,
)
VOIDED = _ticket("void", 2, _period("printing", None, ISSUED_AT, CALLED_AT), _period("void", None, CALLED_AT, CALLED_AT))
EXPIRED = _ticket("expired", 2, _period("waiting", None, ISSUED_AT, "2025-06-12T00:00:00+07:00"))


def _answered(ticket: dict[str, Any], position: int | None = None, estimate: int | None = None) -> dict[str, Any]:
    return {**ticket, "position": position, "estimated_wait_seconds": estimate}


SESSION = {
    "counter": COUNTER,
    "site": "sukadana",
    "business_date": "2025-06-11",
    "status": "open",
    "reason": None,
    "since": "2025-06-11T07:55:03.120000+07:00",
    "mine": True,
}
_COUNTER_STATUS = {"counter": COUNTER, "site": "sukadana", "business_date": "2025-06-11", "status": "open", "reason": None}

TICKETING: dict[str, dict[str, Any]] = {
    "issue_ticket": {
        "site": "sukadana",
        "service": "CPL-KTP",
        "priority_class": "elderly",
        "channel": "kiosk",
        "then": ["BPJSKES-UMUM"],
        "nik": "9999994101800001",
        "contact": {"phone": "0812-0000-0177"},
        "consent": {"version": "2025-01-15", "purposes": ["identification", "contact"]},
        "print": True,
    },
    "issued_ticket": {**_answered(WAITING, 4, 1380), "token": TOKEN, "legs": [_LEG]},
    "call_next": {"counter": COUNTER},
    "call_ticket": {"id": TICKET_ID, "counter": COUNTER},
    "recall_ticket": {"id": TICKET_ID},
    "start_ticket": {"id": TICKET_ID},
    "confirm_printing": {"id": TICKET_ID, "token": TOKEN, "printed": True},
    "open_counter": {"counter": COUNTER, "take_over": False},
    "pause_counter": {"counter": COUNTER, "reason": "prayer"},
    "close_counter": {"counter": COUNTER},
    "get_desk": {"counter": COUNTER},
    "get_my_counter": {},
    "counter_session": SESSION,
    "desk": {"counter": COUNTER, "session": SESSION, "tickets": [_answered(SERVING)], "waiting": 7},
    "check_in": {"id": NEXT_TICKET_ID},
    "undo_call": {"id": TICKET_ID},
    "hold_ticket": {"id": TICKET_ID},
    "resume_ticket": {"id": TICKET_ID, "counter": COUNTER},
    "return_ticket": {"id": TICKET_ID, "position": "last"},
    "transfer_ticket": {"id": TICKET_ID, "service": "BPJSKES-UMUM"},
    "rejoin_ticket": {"id": TICKET_ID, "token": TOKEN},
    "set_priority": {"id": TICKET_ID, "priority_class": "elderly"},
    "complete_ticket": {"id": TICKET_ID, "outcome": "papers_missing"},
    "mark_no_show": {"id": TICKET_ID},
    "cancel_ticket": {"id": TICKET_ID, "token": TOKEN},
    "get_ticket": {"id": TICKET_ID},
    "get_ticket_by_token": {"token": TOKEN},
    "list_tickets": {"site": "sukadana", "status": "waiting", "date": "2025-06-11", "limit": 100},
    "ticket": _answered(CALLED),
    "ticket_page": {"items": [_answered(COMPLETED), _answered(WAITING, 1, 240)], "next_cursor": "MjAyNS0wNi0xMTpFOjEy"},
    "ticket.issued": {"ticket": WAITING},
    "ticket.called": {"ticket": CALLED},
    "ticket.recalled": {"ticket": RECALLED},
    "ticket.reserved": {"ticket": RESERVED},
    "ticket.checked_in": {"ticket": CHECKED_IN},
    "ticket.call_undone": {"ticket": CALL_UNDONE},
    "ticket.held": {"ticket": HELD},
    "ticket.resumed": {"ticket": RESUMED},
    "ticket.returned": {"ticket": RETURNED},
    "ticket.transferred": {"ticket": TRANSFERRED},
    "ticket.rejoined": {"ticket": REJOINED},
    "ticket.priority_changed": {"ticket": {**WAITING, "lane": "priority", "version": 2}},
    "ticket.voided": {"ticket": VOIDED},
    "ticket.serving_started": {"ticket": SERVING},
    "ticket.completed": {"ticket": COMPLETED},
    "ticket.no_show": {"ticket": NO_SHOW},
    "ticket.cancelled": {"ticket": CANCELLED},
    "ticket.expired": {"ticket": EXPIRED},
    "ticket.person_erased": {"ticket": COMPLETED},
    "ticket.snapshot": {"ticket": COMPLETED},
    "counter.opened": _COUNTER_STATUS,
    "counter.paused": {**_COUNTER_STATUS, "status": "paused", "reason": "prayer"},
    "counter.closed": {**_COUNTER_STATUS, "status": "closed"},
    "get_site_hours": {"site": "sukadana", "since": "2026-03-19", "until": "2026-03-20"},
    "site_hours": {
        "site": "sukadana",
        "timezone": "Asia/Jakarta",
        "enforced": True,
        "opens_at": "2026-03-25T08:00:00+07:00",
        "days": [
            {
                "date": "2026-03-17",
                "periods": [{"open": "08:00", "close": "16:00"}],
                "reason": "weekly",
                "name": None,
                "agencies": [{"agency": "CPL", "periods": [{"open": "08:00", "close": "12:00"}], "reason": "weekly", "name": None}],
            },
            {"date": "2026-03-19", "periods": [], "reason": "national_holiday", "name": "Hari Suci Nyepi", "agencies": []},
        ],
    },
    "site.closed": {
        "site": "sukadana",
        "business_date": "2025-06-11",
        "agency": None,
        "reason": "closure",
        "opens_at": "2025-06-12T08:00:00+07:00",
    },
    "site.reopened": {"site": "sukadana", "business_date": "2025-06-11", "agency": "CPL"},
    "queue.day_opened": {"site": "sukadana", "business_date": "2025-06-11"},
    "queue.day_closed": {"site": "sukadana", "business_date": "2025-06-11", "expired": 7},
}
