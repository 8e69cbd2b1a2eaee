"""Examples of notification: what the holder of E-012 at Sukadana is told."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.ticketing import CALLED_AT, ISSUED_AT, TICKET_ID

NOTIFICATION: dict[str, dict[str, Any]] = {
    "list_notices": {"ticket": TICKET_ID, "locale": "id"},
    "notice_list": {
        "items": [
            {
                "ticket": TICKET_ID,
                "version": 1,
                "kind": "issued",
                "superseded": True,
                "happened_at": ISSUED_AT,
                "created_at": "2025-06-11T08:02:11.521000+07:00",
                "text": "Nomor antrean Anda di MPP Lampung Timur: E-012. Mohon menunggu panggilan.",
            },
            {
                "ticket": TICKET_ID,
                "version": 2,
                "kind": "called",
                "superseded": False,
                "happened_at": CALLED_AT,
                "created_at": "2025-06-11T08:21:40.150000+07:00",
                "text": "Nomor E-012, silakan menuju Loket 5 di MPP Lampung Timur.",
            },
        ]
    },
}
