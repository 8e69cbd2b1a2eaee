"""The chassis writes and names events as their contract says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.chassis import events, tenancy
from services.contracts import cloudevents, subscriptions
from services.contracts.cloudevents import CloudEvent
from services.contracts.registry import contract

pytestmark = pytest.mark.contract


@pytest.mark.parametrize("traceparent", [None, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
@pytest.mark.parametrize(("service", "site"), [("ticketing", "sukadana"), ("catalog", None)])
def test_an_envelope_is_as_published(service: str, site: str | None, traceparent: str | None) -> None:
    event_type = "ticket.called" if service == "ticketing" else "catalog.site_changed"
    envelope = events.Envelope(
        id="01977f3e-8b24-7d6f-a0c9-13e7b5d2f846",
        source=tenancy.stream_of(service, "lampung-timur", site),
        type=event_type,
        subject="0d9f4a52-6c1b-4e0e-9f38-5d7a1c2b3e4f",
        time=datetime(2025, 6, 11, 1, 21, 40, 112000, tzinfo=UTC),
        regency="lampung-timur",
        sequence=41,
        data=contract(service, event_type).example,
        traceparent=traceparent,
    )
    event = envelope.to_cloudevent()
    assert CloudEvent().load(event) == event
    assert event["dataschema"] == contract(service, event_type).uri
    assert events.Envelope.from_cloudevent(event) == envelope


def test_keys_and_media_type_are_as_published() -> None:
    assert tenancy.routing_key("oku-timur", "ticket.issued") == subscriptions.routing_key("oku-timur", "ticket.issued")
    assert (events.CONTENT_TYPE, events.TYPE_PREFIX) == (cloudevents.CONTENT_TYPE, cloudevents.TYPE_PREFIX)
