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

AUDIT_ENTRY: dict[str, Any] = {
    "service": "ticketing",
    "id": 4711,
    "at": "2026-03-02T01:12:44.031775+00:00",
    "actor": "officer@lampung-timur",
    "role": "officer",
    "action": "start_ticket",
    "kind": "ticket",
    "subject": CALLED["id"],
    "site": "sukadana",
    "agency": "CPL",
    "counter": "sukadana-05",
    "before": {"status": "called", "version": 2},
    "after": {"status": "serving", "version": 3},
    "refused": None,
    "command_id": "0d4f4b4c-6c0e-4f5c-9b8f-0d3c8f1a2b3c",
    "client": "203.0.113.0/24",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "sequence": 4702,
    "hash": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
}
AUDIT_LINK = {**AUDIT_ENTRY, "regency": "lampung-timur", "previous": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"}

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
    "list_audit": {"since": "2026-03-02T00:00:00+07:00", "actor": "officer@lampung-timur", "limit": 50},
    "audit_entry": AUDIT_ENTRY,
    "audit_page": {"items": [AUDIT_ENTRY], "next_cursor": None},
    "export_audit": {"since": "2026-03-01T00:00:00+07:00", "after": 4701},
    "audit_link": AUDIT_LINK,
    "audit_links": {"items": [AUDIT_LINK], "next_after": None},
    "stream_marks": {},
    "stream_mark": {"consumer": "ticketing.catalog", "source": "/regencies/lampung-timur/catalog", "sequence": 76},
}
