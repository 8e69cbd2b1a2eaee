"""What every service answers about its event streams, so that a reader finds and fills what it missed.

A stream is named by its source: ``/regencies/<regency>/<service>``, or ``.../sites/<site>`` beneath it.
"""

from __future__ import annotations

from services.contracts import shapes
from services.contracts.cloudevents import CloudEvent
from services.contracts.paging import MOST_ITEMS, items_of, next_cursor
from services.contracts.schema import ContractSchema, ListOf, Part, Text, WholeNumber
from services.contracts.values import Opaque, Slug

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


class ReadEvents(ContractSchema):
    """Events of one stream, oldest first: of `source`, else of this service at `site`, else of this service in the regency.

    Refused with `events_gone` when the log does not reach back to `after`, and with `events_ahead` when `after` has not been
    reached yet, which means that it is the sequence of another stream.
    """

    source = Text(
        max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, about="`source` of an event that was seen; not together with `site`."
    )
    site = Slug(about="The site whose tickets and queue are meant.")
    after = Text(
        max_length=20,
        min_length=1,
        shape=shapes.SEQUENCE_SEEN,
        about="`sequence` of the last event that was seen, also without its zeros, or `next_cursor`; left out: from the first there is.",
    )
    limit = WholeNumber(1, MOST_ITEMS, load_default=MOST_ITEMS, about="Most events in the answer.")


class EventPage(ContractSchema):
    """Events of one stream in order of their sequence, without holes."""

    items = items_of(CloudEvent)
    next_cursor = Text(
        max_length=20,
        shape=shapes.SEQUENCE,
        required=True,
        allow_none=True,
        about="Hand it back as `after` to read on; null: that is all until now, go on later after the last event's `sequence`.",
    )


class ListStreams(ContractSchema):
    """The streams that this service writes in one regency."""


class StreamRange(ContractSchema):
    """What of a stream can be read: events with a sequence from `first` to `last`; nothing when `first` is greater."""

    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    first = WholeNumber(1, HIGHEST_SEQUENCE, required=True)
    last = WholeNumber(0, HIGHEST_SEQUENCE, required=True)


class StreamList(ContractSchema):
    """Streams, by source."""

    items = ListOf(Part(StreamRange), most=10_000, required=True)


class ReadSnapshot(ContractSchema):
    """A page of everything that a stream tells of, as it is now: for a reader that lacks events which are logged no more.

    Each item is one object in the form of a CloudEvent, with the whole object as its data and a type of its own
    (``mpp.ticket.snapshot``); it is no news, and nobody is told of it. An event may hold an older version of the object.
    """

    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    cursor = Opaque(about="`next_cursor` of the page before; left out for the first page.")
    limit = WholeNumber(1, MOST_LOGGED, load_default=200)


class SnapshotPage(ContractSchema):
    """Objects as they are now. What the first page's `sequence` names, and all before it, is in the whole snapshot."""

    sequence = WholeNumber(0, HIGHEST_SEQUENCE, required=True, about="Newest of the stream; 0: there is no such stream.")
    items = ListOf(Part(CloudEvent), most=MOST_LOGGED, required=True)
    next_cursor = next_cursor()


class StreamMarks(ContractSchema):
    """How far each consumer of this service has read the streams of others, in one regency."""


class StreamMark(ContractSchema):
    """A consumer has every event of a stream up to `sequence`."""

    consumer = Text(max_length=100, shape=shapes.QUEUE, required=True)
    source = Text(max_length=LONGEST_SOURCE, shape=shapes.STREAM_SOURCE, required=True)
    sequence = WholeNumber(0, HIGHEST_SEQUENCE, required=True)
