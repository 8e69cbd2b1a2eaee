"""Examples of personal data: a NIK that nobody can have (its village does not exist), and numbers kept for films."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.ticketing import ISSUED_AT, TICKET_ID, TOKEN

NIK = "9999994101800001"
PHONE = "0812-0000-0177"
VISIT_ID = "6b2c8d1e-3f47-4a90-8c15-2e9d0a7b6c5d"
CONSENT = {"version": "2025-01-15", "purposes": ["identification", "contact"]}

_MASKED = {
    "visit": VISIT_ID,
    "nik": "************0001",
    "phone": "***********177",
    "readable": True,
    "consent": {**CONSENT, "given_at": ISSUED_AT},
    "erased_at": None,
    "erased_because": None,
}
_TICKET = {
    "id": TICKET_ID,
    "number": "E-012",
    "site": "sukadana",
    "service": "CPL-KTP",
    "business_date": "2025-06-11",
    "channel": "kiosk",
    "issued_at": ISSUED_AT,
    "status": "waiting",
}
_VISITS = [{"visit": VISIT_ID, "person": _MASKED, "tickets": [_TICKET]}]

BREACH_ID = "8a4c1f7e-2b60-4d93-9e15-7c3f0a6d5b21"
_RECORDED = {
    "kind": "theft",
    "discovered_at": "2025-06-11T09:15:00+07:00",
    "data": ["nik", "phone"],
    "people": None,
    "description": "Komputer meja informasi dicuri dengan sesi yang masih terbuka.",
    "measures": None,
}
_TOLD = {"people": 42, "measures": "Sesi diakhiri, kata sandi diganti.", "authority_told_at": "2025-06-12T10:00:00+07:00"}
_BREACH = {
    **_RECORDED,
    **_TOLD,
    "id": BREACH_ID,
    "tell_by": "2025-06-14T09:15:00+07:00",
    "persons_told_at": None,
    "overdue": False,
    "recorded_at": "2025-06-11T09:40:00+07:00",
    "recorded_by": "admin@lampung-timur",
    "version": 2,
}

BREACHES: dict[str, dict[str, Any]] = {
    "record_breach": _RECORDED,
    "update_breach": {"id": BREACH_ID, "if_match": 1, **_TOLD},
    "get_breach": {"id": BREACH_ID},
    "list_breaches": {"state": "open", "limit": 20},
    "breach": _BREACH,
    "breach_page": {"items": [_BREACH], "next_cursor": None},
}

PERSONS: dict[str, dict[str, Any]] = {
    "get_person": {"id": TICKET_ID, "token": TOKEN},
    "reveal_person": {"id": TICKET_ID},
    "find_persons": {"nik": NIK},
    "export_person": {"id": TICKET_ID, "token": TOKEN},
    "export_persons": {"phone": PHONE},
    "withdraw_consent": {"id": TICKET_ID, "token": TOKEN},
    "erase_person": {"id": TICKET_ID, "token": TOKEN},
    "erase_persons": {"nik": NIK},
    "person": _MASKED,
    "person_visits": {"visits": _VISITS, "more": False},
    "erased": {"visits": 1, "more": False},
}

_SUBSCRIPTIONS = [{"id": "c2a6e1f0-58d3-4b7c-9e24-1f0d3b5a7c88", "visit": VISIT_ID, "email": "b***@e***.id", "created_at": ISSUED_AT}]
_SURVEYS = [
    {
        "id": "3f1d7a64-0c95-4e2b-8a71-6d4e9b2c5f03",
        "visit": VISIT_ID,
        "submitted_at": "2025-06-11T08:40:00+07:00",
        "comment": "Petugas ramah dan cepat.",
    }
]

HELD_BY_NOTIFICATION: dict[str, dict[str, Any]] = {
    "subscriptions_of_visits": {"visits": [VISIT_ID], "tickets": [TICKET_ID], "masked": True},
    "held_subscriptions": {"items": _SUBSCRIPTIONS},
}
HELD_BY_REPORTING: dict[str, dict[str, Any]] = {
    "surveys_of_visits": {"visits": [VISIT_ID]},
    "held_surveys": {"items": _SURVEYS},
}
EXPORTS: dict[str, dict[str, Any]] = {
    "person_export": {"visits": _VISITS, "more": False, "subscriptions": _SUBSCRIPTIONS, "surveys": _SURVEYS},
}
