"""What every service answers about its event streams, so that a reader finds and fills what it missed.

A stream is named by its source, ``/regencies/<regency>/<service>`` or ``…/sites/<site>``. The regency is that of the call.
"""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.cloudevents import CloudEvent
from services.contracts.schema import ContractSchema, ListOf, Part, Text, WholeNumber

MOST_STREAMS = 1000
MOST_LOGGED = 1000
HIGHEST_SEQUENCE = 2**63 - 1


class StreamHeads(ContractSchema):
    """Newest sequence of each stream that this service writes."""


class StreamHead(ContractSchema):
    """A stream and its newest sequence, 0 when nothing was written yet."""

    source = Text(max_length=120, shape=shapes.STREAM_SOURCE, required=True)
    sequence = WholeNumber(0, HIGHEST_SEQUENCE, required=True)


class StreamHeadList(ContractSchema):
    """All streams of the regency in this service."""

    items = ListOf(Part(StreamHead), most=MOST_STREAMS, required=True)


class ReadLog(ContractSchema):
    """Events of one stream with a sequence higher than `after`, oldest first."""

    source = Text(max_length=120, shape=shapes.STREAM_SOURCE, required=True)
    after = WholeNumber(0, HIGHEST_SEQUENCE, load_default=0)
    limit = WholeNumber(1, MOST_LOGGED, load_default=200)


class LogPage(ContractSchema):
    """Logged events, and the stream's newest sequence; there is more when the last item is older than `head`."""

    items = ListOf(Part(CloudEvent), most=MOST_LOGGED, required=True)
    head = WholeNumber(0, HIGHEST_SEQUENCE, required=True)


class StreamMarks(ContractSchema):
    """How far this service has read the streams of others."""


class StreamMark(ContractSchema):
    """A queue has handled everything of a stream up to `contiguous`, and `early` events beyond a gap."""

    queue = Text(max_length=100, shape=shapes.QUEUE, required=True)
    source = Text(max_length=120, shape=shapes.STREAM_SOURCE, required=True)
    contiguous = WholeNumber(0, HIGHEST_SEQUENCE, required=True)
    early = WholeNumber(0, 1_000_000, required=True)


class StreamMarkList(ContractSchema):
    """All marks of the regency in this service."""

    items = ListOf(Part(StreamMark), most=MOST_STREAMS, required=True)
