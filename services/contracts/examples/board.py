"""Examples of boards: Sukadana at the moment when E-012 is called to counter 5."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.ticketing import CALLED_AT, COUNTER, ISSUED_AT, TICKET_ID

_PACE = {"service": "CPL-KTP", "mean_seconds": 412.5}
_FROM_TICKETING = {
    "turns": [{"counter": COUNTER, "regular_calls": 2}],
    "working": [{"opens_at": "2025-06-11T08:00:00+07:00", "closes_at": "2025-06-11T15:00:00+07:00"}],
}
_CALLED = {"number": "E-012", "service": "CPL-KTP", "called_at": CALLED_AT}

SITE_DAYS: dict[str, dict[str, Any]] = {
    "get_site_day": {"site": "sukadana"},
    "site_day": {
        "site": "sukadana",
        "name": "MPP Lampung Timur",
        "timezone": "Asia/Jakarta",
        "version": 1,
        "business_date": "2025-06-11",
        "sequence": 27,
        "counters": [{"id": COUNTER, "number": 5, "name": "Loket 5", "services": ["CPL-KTP"], "active": True, "version": 1}],
        "services": [{"id": "CPL-KTP", "name": "Perekaman KTP elektronik", "version": 1}],
        "paces": [_PACE],
        "default_pace_seconds": 600.0,
        "regular_per_priority": 3,
        "ageing_cap_minutes": 90,
        **_FROM_TICKETING,
        "closures": [],
        "tickets": [
            {
                **_CALLED,
                "id": TICKET_ID,
                "lane": "regular",
                "status": "called",
                "counter": COUNTER,
                "called_to": COUNTER,
                "arrived_at": ISSUED_AT,
                "recalls": 0,
                "version": 2,
            }
        ],
    },
    "get_site_heads": {"sites": ["sukadana"]},
    "site_head": {"site": "sukadana", "sequence": 27, "paces": [_PACE], **_FROM_TICKETING},
}

BOARDS: dict[str, dict[str, Any]] = {
    "board": {
        "regency": "lampung-timur",
        "site": "sukadana",
        "name": "MPP Lampung Timur",
        "timezone": "Asia/Jakarta",
        "business_date": "2025-06-11",
        "sequence": 27,
        "live": True,
        "as_of": "2025-06-11T08:21:40.131000+07:00",
        "counters": [
            {"id": COUNTER, "number": 5, "name": "Loket 5", "called": {**_CALLED, "lane": "regular", "recalls": 0}, "serving": None}
        ],
        "calls": [{**_CALLED, "counter": COUNTER}],
        "services": [
            {
                "id": "CPL-KTP",
                "name": "Perekaman KTP elektronik",
                "waiting": 3,
                "last_called": "E-012",
                "last_issued": "E-015",
                "estimated_wait_seconds": 1238,
            }
        ],
        "closures": [{"agency": "BRJ", "opens_at": "2025-06-12T08:00:00+07:00"}],
    }
}
