"""Examples of answers that are no contract of a service: those of the gateway itself, streams and files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from services.contracts.audit import COLUMNS
from services.contracts.examples import EXAMPLES


def _event(kind: str, id: object, content: Any) -> str:
    return f"id: {id}\nevent: {kind}\ndata: {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _line_of_csv(row: dict[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([json.dumps(row[name]) if isinstance(row[name], dict) else row[name] for name in COLUMNS])
    return text.getvalue()


_LINKED = EXAMPLES["platform"]["audit_link"]
_BOARD = EXAMPLES["gateway"]["board"]
_TICKET = EXAMPLES["ticketing"]["ticket"]

OTHER_ANSWERS: dict[str, Any] = {
    "getHealth": {"status": "alive"},
    "getReadiness": {"status": "ready"},
    "getMetrics": "# HELP mpp_ready 1 when the process can do its work.\n# TYPE mpp_ready gauge\nmpp_ready 1.0\n",
    "getOpenapi": {"openapi": "3.1.0", "info": {"title": "MPP", "version": "1"}, "paths": {}},
    "getAsyncapi": {"asyncapi": "3.0.0", "info": {"title": "MPP", "version": "1"}, "channels": {}},
    "getKeys": {"keys": EXAMPLES["catalog"]["token_state"]["keys"]},
    "getBoard": _BOARD,
    "streamBoard": _event("board", _BOARD["sequence"], _BOARD),
    "streamTicket": _event("ticket", _TICKET["version"], _TICKET),
    **dict.fromkeys(("exportPerson", "exportPersons"), EXAMPLES["gateway"]["person_export"]),
    "listEventStreams": EXAMPLES["platform"]["stream_list"],
    "exportAuditCsv": ",".join(COLUMNS) + "\r\n" + _line_of_csv(_LINKED),
    "exportAuditNdjson": json.dumps(_LINKED, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n",
}
