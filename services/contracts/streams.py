"""What every service answers about its event streams, so that a reader finds and fills what it missed.

A stream is named by its source: ``/regencies/<regency>/<service>``, or ``.../sites/<site>`` beneath it.
"""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.schema import ContractSchema, Text, WholeNumber
from services.contracts.values import Slug

MOST_LOGGED = 500
HIGHEST_SEQUENCE = 2**63 - 1
LONGEST_SOURCE = 200


class StreamHeads(ContractSchema):
    """Newest sequence of each stream that this service writes, of all regencies."""


class StreamHead(ContractSchema):
    """A stream and its newest sequence."""

    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    regency = Slug(required=True)
    sequence = WholeNumber(0, HIGHEST_SEQUENCE, required=True)


class ReadLog(ContractSchema):
    """Events of one stream with a sequence higher than `after`, oldest first, as CloudEvents."""

    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    after = WholeNumber(0, HIGHEST_SEQUENCE, required=True)
    limit = WholeNumber(1, MOST_LOGGED, load_default=200)


class StreamMarks(ContractSchema):
    """How far each consumer of this service has read the streams of others, in one regency."""


class StreamMark(ContractSchema):
    """A consumer has every event of a stream up to `sequence`."""

    consumer = Text(max_length=100, shape=shapes.QUEUE, required=True)
    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    sequence = WholeNumber(0, HIGHEST_SEQUENCE, required=True)
