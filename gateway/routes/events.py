"""Routes of the event log: for readers of events who missed something."""

from __future__ import annotations

from gateway import event_log
from gateway.route import Route, Rpc, Text
from services.contracts import streams
from services.contracts.authorisation import rule_of

EVENTS = "/v1/{regency}/events"

EVENT_ROUTES = (
    Route(
        method="GET",
        path=EVENTS,
        operation_id="listEvents",
        summary=Text(
            "Peristiwa satu aliran menurut urutan: aliran `source`, atau antrean di `site`, atau (tanpa keduanya) katalog",
            "Events of one stream in order: of `source`, or the queue at `site`, or (with neither) the catalogue",
        ),
        tag="events",
        operation=event_log.read,
        rpc=Rpc("platform", "read_events", streams.ReadEvents),
        query={name: name for name in ("site", "source", "after", "limit")},
        answer=streams.EventPage,
        problems=("events_gone", "events_ahead", "stream_unknown", "site_unknown"),
    ),
    Route(
        method="GET",
        path=EVENTS + "/streams",
        operation_id="listEventStreams",
        summary=Text("Semua aliran peristiwa dan urutannya yang dapat dibaca", "All event streams, and which of their events can be read"),
        tag="events",
        stated_rule=rule_of("platform", "list_streams"),
        operation=event_log.streams,
        answer=streams.StreamList,
        problems=("parameter_invalid", "service_unavailable", "deadline_exceeded", "busy"),
    ),
)
