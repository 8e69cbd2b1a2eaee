"""Routes of the queue: take a number, follow it, call it, serve it, give it back."""

from __future__ import annotations

from dataclasses import replace

from marshmallow import Schema

from gateway import live, operations
from gateway.access import Access, only
from gateway.route import EVENT_STREAM, Route, Rpc, Text
from gateway.routes.catalogue import PAGE
from services.contracts import ticketing

TICKETS = "/v1/{regency}/tickets"
_TAG = "tickets"

ISSUERS = Access(only("kiosk", "front_desk", "officer", "supervisor", "administrator").roles, anonymous=True)
"""Devices, staff, and citizens without an account where the site allows the channel."""

COUNTER_STAFF = only("officer", "front_desk", "supervisor", "administrator")
CALLERS = only("officer", "supervisor", "administrator")
STAFF = only("officer", "front_desk", "supervisor", "administrator", "auditor")
FOLLOWERS = Access(STAFF.roles, ticket_token=True)
GIVERS_BACK = Access(COUNTER_STAFF.roles, ticket_token=True)

_STATE = ("ticket_unknown", "ticket_state_conflict", "agency_forbidden")
_AT_COUNTER = ("counter_unknown", "counter_inactive", "counter_busy", "agency_forbidden")


def _action(name: str, method: str, payload: type[Schema], summary: Text, *problems: str) -> Route:
    """Return the route of one step in the life of a ticket."""
    return Route(
        method="POST",
        path=f"{TICKETS}/{{id}}/{name}",
        operation_id="".join(word.capitalize() if i else word for i, word in enumerate(method.split("_"))),
        summary=summary,
        tag=_TAG,
        access=COUNTER_STAFF,
        operation=operations.ask_service,
        rpc=Rpc("ticketing", method, payload),
        command=True,
        answer=ticketing.Ticket,
        problems=(*_STATE, *problems),
    )


TICKET_ROUTES = (
    Route(
        method="POST",
        path=TICKETS,
        operation_id="issueTicket",
        summary=Text("Mengambil nomor antrean", "Take a number"),
        tag=_TAG,
        access=ISSUERS,
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "issue_ticket", ticketing.IssueTicket),
        command=True,
        answer=ticketing.IssuedTicket,
        success=201,
        location=TICKETS + "/{id}",
        problems=(
            "site_unknown",
            "service_unknown",
            "agency_unknown",
            "site_not_accepting",
            "site_closed",
            "agency_closed",
            "channel_not_allowed",
            "service_not_offered",
            "service_inactive",
            "day_closed",
            "agency_forbidden",
        ),
    ),
    Route(
        method="GET",
        path=TICKETS,
        operation_id="listTickets",
        summary=Text("Daftar nomor antrean", "List tickets"),
        tag=_TAG,
        access=STAFF,
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "list_tickets", ticketing.ListTickets),
        query={**{name: name for name in ("site", "service", "status", "date")}, **PAGE},
        answer=ticketing.TicketPage,
    ),
    Route(
        method="GET",
        path=TICKETS + "/{id}",
        operation_id="getTicket",
        summary=Text("Satu nomor antrean", "One ticket"),
        tag=_TAG,
        access=FOLLOWERS,
        operation=live.ticket,
        rpc=Rpc("ticketing", "get_ticket", ticketing.GetTicket),
        answer=ticketing.Ticket,
        tagged=True,
        problems=("ticket_unknown",),
    ),
    Route(
        method="GET",
        path=TICKETS + "/{id}/stream",
        operation_id="streamTicket",
        summary=Text("Satu nomor antrean, disiarkan setiap kali berubah", "One ticket, sent at each change"),
        description=Text(
            "Server-sent events: peristiwa `ticket` membawa seluruh nomor antrean (`Ticket`) dengan tempat dan perkiraan waktunya, "
            "juga ketika orang di depannya dipanggil. Siaran berakhir setelah keadaan terakhir.",
            "Server-sent events: the event `ticket` carries the whole ticket (`Ticket`) with its place and estimated wait, also "
            "when people ahead were called. The stream ends after the last state.",
        ),
        tag=_TAG,
        access=FOLLOWERS,
        operation=live.ticket_stream,
        rpc=Rpc("ticketing", "get_ticket", ticketing.GetTicket),
        media_type=EVENT_STREAM,
        problems=("ticket_unknown", "site_unknown", "too_many_streams"),
    ),
    _action(
        "call",
        "call_ticket",
        ticketing.CallTicket,
        Text("Memanggil nomor ini ke loket", "Call this ticket to a counter"),
        *_AT_COUNTER,
        "counter_does_not_serve",
        "day_closed",
    ),
    _action(
        "recall",
        "recall_ticket",
        ticketing.RecallTicket,
        Text("Memanggil ulang", "Call the ticket again"),
        "recall_limit_reached",
    ),
    _action("start", "start_ticket", ticketing.StartTicket, Text("Mulai melayani", "Begin to serve"), "counter_busy"),
    _action("complete", "complete_ticket", ticketing.CompleteTicket, Text("Selesai dilayani", "Serving has ended")),
    _action("no-show", "mark_no_show", ticketing.MarkNoShow, Text("Tidak hadir", "The citizen did not come")),
    replace(
        _action(
            "cancel",
            "cancel_ticket",
            ticketing.CancelTicket,
            Text("Membatalkan nomor antrean", "Give the number back"),
        ),
        access=GIVERS_BACK,
    ),
    Route(
        method="POST",
        path="/v1/{regency}/counters/{counter}/call-next",
        operation_id="callNext",
        summary=Text("Memanggil nomor berikutnya", "Call the next ticket"),
        tag=_TAG,
        access=CALLERS,
        operation=operations.call_next,
        rpc=Rpc("ticketing", "call_next", ticketing.CallNext),
        command=True,
        answer=ticketing.Ticket,
        or_nothing=True,
        problems=_AT_COUNTER,
    ),
)
