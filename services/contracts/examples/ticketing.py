"""Examples of ticketing: one morning of ticket E-012 at Sukadana."""

from __future__ import annotations

from typing import Any

ISSUED_AT = "2025-06-11T08:02:11.480000+07:00"
CALLED_AT = "2025-06-11T08:21:40.112000+07:00"
STARTED_AT = "2025-06-11T08:22:25.001000+07:00"
ENDED_AT = "2025-06-11T08:34:02.730000+07:00"
COUNTER = "sukadana-05"
TICKET_ID = "0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f"
TOKEN = "DZ9KUmwbTg6fOF16HCs-T2lVvJ0pQ8sTz2wLr5bKc1A"  # noqa: S105 - opens nothing


def _period(state: str, counter: str | None, started_at: str, ended_at: str | None = None) -> dict[str, Any]:
    return {"state": state, "counter": counter, "started_at": started_at, "ended_at": ended_at}


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
        "counter": periods[-1]["counter"] if periods else None,
        "recalls": 0,
        "returns": 0,
        "outcome": None,
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
EXPIRED = _ticket("expired", 2, _period("waiting", None, ISSUED_AT, "2025-06-12T00:00:00+07:00"))


def _answered(ticket: dict[str, Any], position: int | None = None, estimate: int | None = None) -> dict[str, Any]:
    return {**ticket, "position": position, "estimated_wait_seconds": estimate}


TICKETING: dict[str, dict[str, Any]] = {
    "issue_ticket": {"site": "sukadana", "service": "CPL-KTP", "priority_class": "elderly", "channel": "kiosk"},
    "issued_ticket": {**_answered(WAITING, 4, 1380), "token": TOKEN},
    "call_next": {"counter": COUNTER},
    "call_ticket": {"id": TICKET_ID, "counter": COUNTER},
    "recall_ticket": {"id": TICKET_ID},
    "start_ticket": {"id": TICKET_ID},
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
    "ticket.serving_started": {"ticket": SERVING},
    "ticket.completed": {"ticket": COMPLETED},
    "ticket.no_show": {"ticket": NO_SHOW},
    "ticket.cancelled": {"ticket": CANCELLED},
    "ticket.expired": {"ticket": EXPIRED},
    "ticket.snapshot": {"ticket": COMPLETED},
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
