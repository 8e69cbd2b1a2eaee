"""Events are CloudEvents 1.0; what only looks like one is refused before it can do harm."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.events import Envelope

pytestmark = pytest.mark.unit

ID = "01977f3e-8b24-7d6f-a0c9-13e7b5d2f846"
ENVELOPE = Envelope(
    id=ID,
    source="/regencies/lampung-timur/ticketing/sites/sukadana",
    type="ticket.called",
    subject="A-012",
    time=datetime(2025, 6, 11, 1, 21, 40, 112000, tzinfo=UTC),
    regency="lampung-timur",
    sequence=41,
    data={"ticket": {"number": "A-012"}},
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


def test_the_structured_form():
    assert ENVELOPE.to_cloudevent() == {
        "specversion": "1.0",
        "id": ID,
        "source": "/regencies/lampung-timur/ticketing/sites/sukadana",
        "type": "mpp.ticket.called",
        "subject": "A-012",
        "time": "2025-06-11T01:21:40.112000+00:00",
        "datacontenttype": "application/json",
        "dataschema": "urn:mpp:ticketing:ticket.called:v1",
        "regency": "lampung-timur",
        "sequence": "00000000000000000041",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "data": {"ticket": {"number": "A-012"}},
    }


@given(
    sequence=st.integers(1, 2**63 - 1),
    data=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3),
    offset=st.integers(-12, 14),
    traceparent=st.none() | st.just("00-x-y-01"),
)
def test_an_event_survives_the_wire(sequence, data, offset, traceparent):
    time = datetime(2025, 6, 11, 1, 21, 40, 112000, tzinfo=timezone(timedelta(hours=offset)))
    envelope = Envelope(ID, "/regencies/a/ledger", "entry.added", "7", time, "a", sequence, data, traceparent)
    assert Envelope.from_cloudevent(json.loads(json.dumps(envelope.to_cloudevent()))) == envelope


@given(st.integers(1, 10**19), st.integers(1, 10**19))
def test_sequences_sort_as_text_like_numbers(one, other):
    texts = [Envelope(ID, "/regencies/a/l", "e.a", "", datetime.now(UTC), "a", n, {}).to_cloudevent()["sequence"] for n in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type", "subject", "time", "regency", "sequence", "data"])
def test_an_event_with_a_missing_field_is_refused(field):
    event = ENVELOPE.to_cloudevent()
    del event[field]
    with pytest.raises(ValueError, match=r"malformed|not an mpp event"):
        Envelope.from_cloudevent(event)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("specversion", "0.3"),
        ("id", "no-uuid"),
        ("id", 7),
        ("type", "com.example.called"),
        ("type", None),
        ("source", "/regencies/oku-timur/ticketing"),
        ("source", "/regencies/lampung-timur/"),
        ("source", "/regencies/lampung-timur"),
        ("source", ["/regencies/lampung-timur/ticketing"]),
        ("subject", 12),
        ("subject", "A\x00"),
        ("time", "yesterday"),
        ("time", "2025-06-11T01:21:40"),
        ("time", 1_700_000_000),
        ("regency", "platform"),
        ("regency", "lampung_timur"),
        ("regency", None),
        ("sequence", "0"),
        ("sequence", "-1"),
        ("sequence", "many"),
        ("sequence", str(2**63)),
        ("sequence", "9" * 5000),
        ("sequence", None),
        ("data", None),
        ("data", [1]),
        ("traceparent", 7),
        ("traceparent", "00-\x00"),
    ],
)
def test_an_event_with_an_unusable_field_is_refused(field, value):
    with pytest.raises(ValueError, match=r"."):
        Envelope.from_cloudevent({**ENVELOPE.to_cloudevent(), field: value})


@pytest.mark.parametrize("body", [None, 7, "text", b"\x00", [], [{}], {}])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(ValueError, match="malformed"):
        Envelope.from_cloudevent(body)
