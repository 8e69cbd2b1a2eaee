"""The audit logs of a regency over HTTP: of all services together, the newest first, or exported chain after chain."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.operations import dressed, payload_of, with_cursor
from gateway.problems import invalid
from services.chassis.paging import cursor_behind_all, positions_of
from services.chassis.settings import SERVICES
from services.contracts.audit import COLUMNS

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"

Row = dict[str, Any]


def read(surroundings: Surroundings, call: Call) -> Answer:
    """Answer a page, put together from those of the services."""
    payload = payload_of(surroundings, call)
    positions, limit = positions_of(payload.get("cursor")), payload.get("limit", 50)
    context = call.context(surroundings.settings.command_deadline)
    found: list[Row] = []
    more = False
    for service in _chosen(payload):
        answer = surroundings.rpc.call(service, "list_audit", payload, context)
        found += answer["items"]
        more = more or answer["next_cursor"] is not None
    found.sort(key=lambda row: (row["at"], row["service"], row["id"]), reverse=True)
    items = found[:limit]
    behind = {row["service"]: (row["at"], row["id"]) for row in items}  # the last of each stays
    going_on = more or len(found) > limit
    page = {"items": items, "next_cursor": cursor_behind_all({**positions, **behind}) if going_on else None}
    return dressed(call, with_cursor(call, payload, page))


def export_csv(surroundings: Surroundings, call: Call) -> Answer:
    """Stream rows as CSV with a line of names, for a spreadsheet."""
    return _export(surroundings, call, CSV, "csv", _csv_line, _csv_line(dict(zip(COLUMNS, COLUMNS, strict=True))))


def export_ndjson(surroundings: Surroundings, call: Call) -> Answer:
    """Stream rows as they are chained, one JSON object a line."""
    return _export(surroundings, call, NDJSON, "ndjson", _json_line, b"")


def _export(surroundings: Surroundings, call: Call, media_type: str, suffix: str, line: Callable[[Row], bytes], head: bytes) -> Answer:
    headers = {"Content-Disposition": f'attachment; filename="audit-{call.regency}.{suffix}"'}
    blocks = _blocks(surroundings, call, payload_of(surroundings, call), line)
    first = next(blocks)  # what cannot be read at all is a problem document, not a broken file
    if call.request.method == "HEAD":
        return Answer(200, b"", headers, media_type)
    return Answer(200, _joined(head + first, blocks), headers, media_type)


def _joined(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _blocks(surroundings: Surroundings, call: Call, payload: Row, line: Callable[[Row], bytes]) -> Iterator[bytes]:
    """Yield the lines of one answer of a service after the other; a failure in between ends the file unfinished, which clients see."""
    seconds = surroundings.settings.command_deadline
    context = replace(call.context(seconds), command_id=None)
    if "after" in payload and "service" not in payload:  # each chain has numbers of its own
        raise invalid("parameter_invalid", "service", "required")
    for service in _chosen(payload):
        after: int | None = payload.get("after", 0)
        while after is not None:
            answer = surroundings.rpc.call(service, "export_audit", {**payload, "after": after}, context.within(seconds))
            yield b"".join(map(line, answer["items"]))
            after = answer["next_after"]


def _chosen(payload: Row) -> tuple[str, ...]:
    return (payload["service"],) if "service" in payload else SERVICES


def _json_line(row: Row) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _csv_line(row: Row) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else value
