"""What a handler is given of an event: its data by the contract."""

from __future__ import annotations

from typing import Any

from services.chassis.errors import PermanentFailure
from services.chassis.events import Envelope
from services.contracts.events import EventTypeUnknown, load_event
from services.contracts.schema import PayloadInvalid


def known_data(event: Envelope) -> dict[str, Any]:
    """Return the event's data by its contract; empty for a type that only a newer release knows.

    :raises PermanentFailure: the data break the contract; no repetition makes them better.
    """
    try:
        return load_event(event.type, event.data)
    except EventTypeUnknown:
        return {}
    except PayloadInvalid as error:
        raise PermanentFailure("the event breaks its contract") from error
