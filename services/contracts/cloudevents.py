"""The envelope of every event on the exchange `mpp.events`: CloudEvents 1.0 in structured JSON mode.

Routing key: ``<regency>.<aggregate>.<event>``. What `data` holds is the contract of the event's type.
"""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.schema import Choice, ContractSchema, JsonObject, Text
from services.contracts.values import Opaque, Slug, Timestamp

CONTENT_TYPE = "application/cloudevents+json"
TYPE_PREFIX = "mpp."


def dataschema(owner: str, event_type: str, version: int = 1) -> str:
    """Name of the published schema of the data: ``urn:mpp:ticketing:ticket.called:v1``."""
    return f"urn:mpp:{owner}:{event_type}:v{version}"


class CloudEvent(ContractSchema):
    """An event with where it comes from and its place in that stream."""

    specversion = Choice("1.0", required=True)
    id = Opaque(100, required=True, about="Unique within `source`; a reader handles each once.")
    source = Text(max_length=200, shape=shapes.STREAM_SOURCE, required=True, about="The stream.")
    type = Text(max_length=100, shape=shapes.CLOUDEVENT_TYPE, required=True)
    subject = Opaque(120, required=True, about="Id of what the event is about.")
    time = Timestamp(required=True)
    datacontenttype = Choice("application/json")
    dataschema = Opaque(200)
    regency = Slug(required=True)
    sequence = Text(
        max_length=20,
        shape=shapes.SEQUENCE,
        required=True,
        about="Contiguous within `source`, from 1; padded with zeros so that texts sort like numbers.",
    )
    traceparent = Text(max_length=55, shape=shapes.TRACEPARENT, about="W3C Trace Context.")
    data = JsonObject(required=True)
