"""Examples of the envelope and of the queries about streams."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.ticketing import CALLED, CALLED_AT

SOURCE = "/regencies/lampung-timur/ticketing/sites/sukadana"

CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f1c7a3e-8b24-4d6f-a0c9-13e7b5d2f846",
    "source": SOURCE,
    "type": "mpp.ticket.called",
    "subject": CALLED["id"],
    "time": CALLED_AT,
    "datacontenttype": "application/json",
    "dataschema": "urn:mpp:ticketing:ticket.called:v1",
    "regency": "lampung-timur",
    "sequence": "00000000000000000041",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "data": {"ticket": CALLED},
}

PLATFORM: dict[str, dict[str, Any]] = {
    "cloud_event": CLOUD_EVENT,
    "stream_heads": {},
    "stream_head": {"source": SOURCE, "regency": "lampung-timur", "sequence": 41},
    "read_log": {"source": SOURCE, "after": 40},
    "read_events": {"source": SOURCE, "after": "00000000000000000040"},
    "event_page": {"items": [CLOUD_EVENT], "next_cursor": None},
    "list_streams": {},
    "stream_list": {"items": [{"source": SOURCE, "first": 1, "last": 41}]},
    "read_snapshot": {"source": SOURCE, "limit": 200},
    "snapshot_page": {
        "sequence": 41,
        "items": [{**CLOUD_EVENT, "type": "mpp.ticket.snapshot", "dataschema": "urn:mpp:ticketing:ticket.snapshot:v1"}],
        "next_cursor": None,
    },
    "stream_marks": {},
    "stream_mark": {"consumer": "ticketing.catalog", "source": "/regencies/lampung-timur/catalog", "sequence": 76},
}
