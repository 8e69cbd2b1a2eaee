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

WEBHOOK_ID = "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"
DELIVERY_ID = "01980a6e-3c52-7b1e-8c1d-2f6b7c9d0e1f"
EVENT_ID = "01980a6e-3b90-7c3a-9d55-6f1f0b0a7c21"
SUBSCRIPTION_ID = "5b0c6c54-0f8e-4b3a-8d7e-1d2c3b4a5f60"
URL = "https://antrean.lampungtimurkab.example/kejadian"
SECRET = "whsec_cG9ob24gcGlzYW5nIGRpIGhhbGFtYW4gTVBQLi4uLi4="  # noqa: S105 - of no webhook
TOKEN = "mY3vJ0pQ8sTz2wLr5bKc1A"  # noqa: S105 - of no ticket

_WEBHOOK = {
    "id": WEBHOOK_ID,
    "url": URL,
    "events": ["ticket.*", "queue.day_closed"],
    "site": "sukadana",
    "description": "Papan informasi Dinas Kominfo",
    "status": "active",
    "paused_reason": None,
    "paused_at": None,
    "failures": 0,
    "last_success_at": "2025-06-11T08:21:40.410000+07:00",
    "last_failure_at": None,
    "old_secret_until": None,
    "created_at": "2025-06-02T09:15:00+07:00",
    "version": 1,
}
_DELIVERY = {
    "id": DELIVERY_ID,
    "channel": "webhook",
    "webhook": WEBHOOK_ID,
    "subscription": None,
    "event_id": EVENT_ID,
    "event_type": "mpp.ticket.called",
    "state": "delivered",
    "attempts": 1,
    "last_status": 204,
    "last_error": None,
    "next_attempt_at": None,
    "created_at": CALLED_AT,
    "settled_at": "2025-06-11T08:21:40.410000+07:00",
}
_SUBSCRIPTION = {
    "id": SUBSCRIPTION_ID,
    "ticket": TICKET_ID,
    "email": "b***@e***.id",
    "locale": "id",
    "kinds": ["called", "recalled", "no_show", "cancelled", "expired", "completed"],
    "created_at": ISSUED_AT,
}

NOTIFICATION.update(
    {
        "create_webhook": {name: _WEBHOOK[name] for name in ("url", "events", "site", "description")},
        "update_webhook": {"id": WEBHOOK_ID, "if_match": 1, "events": ["*"], "site": None},
        "get_webhook": {"id": WEBHOOK_ID},
        "list_webhooks": {"limit": 50},
        "delete_webhook": {"id": WEBHOOK_ID},
        "rotate_webhook_secret": {"id": WEBHOOK_ID},
        "test_webhook": {"id": WEBHOOK_ID},
        "pause_webhook": {"id": WEBHOOK_ID},
        "resume_webhook": {"id": WEBHOOK_ID, "waiting": "deliver"},
        "webhook": _WEBHOOK,
        "created_webhook": {**_WEBHOOK, "secret": SECRET},
        "webhook_page": {"items": [_WEBHOOK], "next_cursor": None},
        "list_deliveries": {"channel": "email", "state": "uncertain", "limit": 50},
        "list_webhook_deliveries": {"webhook": WEBHOOK_ID, "state": "failed", "limit": 50},
        "redeliver_webhook": {"webhook": WEBHOOK_ID, "id": DELIVERY_ID},
        "redeliver": {"id": DELIVERY_ID},
        "delivery": _DELIVERY,
        "delivery_page": {"items": [_DELIVERY], "next_cursor": None},
        "create_subscription": {
            "ticket": TICKET_ID,
            "token": TOKEN,
            "email": "budi@example.id",
            "locale": "id",
            "kinds": ["called", "completed"],
        },
        "get_subscription": {"id": SUBSCRIPTION_ID, "token": TOKEN},
        "delete_subscription": {"id": SUBSCRIPTION_ID, "token": TOKEN},
        "unsubscribe": {"id": SUBSCRIPTION_ID},
        "subscription": _SUBSCRIPTION,
    }
)
