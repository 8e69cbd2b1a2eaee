"""Cursors of lists, bound to the list that they are of.

Services mark a place by what their own order needs. Another list, another regency's or the same with other filters could read such a
mark and silently begin somewhere: what leaves the gateway therefore carries a digest of the list, and what comes back is compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from gateway.problems import Refusal, invalid

CURSOR: Final = "cursor"

_PLACE_ONLY = frozenset({"cursor", "limit"})
_DIGITS = 10


def opened(cursor: str, operation_id: str, regency: str | None, payload: Mapping[str, Any]) -> str:
    """Return the service's own mark; raises ``Refusal("parameter_invalid")`` for a cursor that this list has not given."""
    mark, _, digest = cursor.rpartition(".")
    if not mark or digest != _digest(mark, operation_id, regency, payload):
        raise _not_of_this_list()
    return mark


def sealed(mark: str, operation_id: str, regency: str | None, payload: Mapping[str, Any]) -> str:
    """Return the cursor that callers see; ``payload`` is what the list was asked for, place and length of the page aside."""
    return f"{mark}.{_digest(mark, operation_id, regency, payload)}"


def _digest(mark: str, operation_id: str, regency: str | None, payload: Mapping[str, Any]) -> str:
    filters = {name: value for name, value in payload.items() if name not in _PLACE_ONLY}
    text = json.dumps([mark, operation_id, regency, filters], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _not_of_this_list() -> Refusal:
    return invalid("parameter_invalid", CURSOR, "opaque")
