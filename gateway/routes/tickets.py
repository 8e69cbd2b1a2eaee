"""Routes of the queue: take a number, follow it, call it, serve it, give it back."""

from __future__ import annotations

from dataclasses import replace

from marshmallow import Schema

from gateway import live, operations
from gateway.route import EVENT_STREAM, Route, Rpc, Text
from gateway.routes.catalogue import PAGE
from services.contracts import staffing, ticketing

TICKETS = "/v1/{regency}/tickets"
_TAG = "tickets"

_STATE = ("ticket_unknown", "ticket_state_conflict", "agency_forbidden", "counter_forbidden")
_AT_COUNTER = ("counter_unknown", "counter_inactive", "counter_busy", "counter_not_open", "agency_forbidden", "counter_forbidden")


def _action(name: str, method: str, payload: type[Schema], summary: Text, *problems: str) -> Route:
    """Return the route of one step in the life of a ticket."""
    return Route(
        method="POST",
        path=f"{TICKETS}/{{id}}/{name}",
        operation_id="".join(word.capitalize() if i else word for i, word in enumerate(method.split("_"))),
        summary=summary,
        tag=_TAG,
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
            "prerequisites_circular",
            "day_closed",
            "agency_forbidden",
            "consent_required",
            "personal_data_off",
            "already_queued",
        ),
    ),
    Route(
        method="GET",
        path=TICKETS,
        operation_id="listTickets",
        summary=Text("Daftar nomor antrean", "List tickets"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "list_tickets", ticketing.ListTickets),
        query={**{name: name for name in ("site", "service", "status", "date")}, **PAGE},
        answer=ticketing.TicketPage,
        digested=True,
    ),
    Route(
        method="GET",
        path=TICKETS + "/{id}",
        operation_id="getTicket",
        summary=Text("Satu nomor antrean", "One ticket"),
        tag=_TAG,
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
        "recall_too_soon",
    ),
    _action(
        "check-in",
        "check_in",
        ticketing.CheckIn,
        Text("Memasukkan nomor berikutnya dari kunjungan ke antrean", "Let a reserved number of a visit wait now"),
        "visit_busy",
        "day_closed",
    ),
    _action(
        "undo-call",
        "undo_call",
        ticketing.UndoCall,
        Text("Membatalkan panggilan yang keliru", "Undo a call made by mistake"),
        "undo_too_late",
        "day_closed",
    ),
    _action("hold", "hold_ticket", ticketing.HoldTicket, Text("Menunda nomor ini", "Put the ticket aside")),
    _action(
        "resume",
        "resume_ticket",
        ticketing.ResumeTicket,
        Text("Melanjutkan nomor yang ditunda", "Go on with a ticket that was put aside"),
        *_AT_COUNTER,
        "counter_does_not_serve",
        "day_closed",
    ),
    _action(
        "return",
        "return_ticket",
        ticketing.ReturnTicket,
        Text("Mengembalikan ke antrean, paling depan atau paling belakang", "Return to the queue, first or last"),
        "day_closed",
    ),
    replace(
        _action(
            "transfer",
            "transfer_ticket",
            ticketing.TransferTicket,
            Text("Mengalihkan ke layanan lain dengan nomor baru", "Transfer to another service with a new number"),
            "service_unknown",
            "agency_unknown",
            "service_inactive",
            "service_not_offered",
            "transfer_to_itself",
            "site_closed",
            "agency_closed",
            "day_closed",
        ),
        answer=ticketing.IssuedTicket,
    ),
    replace(
        _action(
            "rejoin",
            "rejoin_ticket",
            ticketing.RejoinTicket,
            Text("Masuk antrean lagi setelah tidak hadir", "Join the queue again after a no-show"),
            "rejoin_limit_reached",
            "visit_busy",
            "day_closed",
        ),
    ),
    _action("priority", "set_priority", ticketing.SetPriority, Text("Mengubah golongan prioritas", "Change the priority class")),
    replace(
        _action(
            "confirm",
            "confirm_printing",
            ticketing.ConfirmPrinting,
            Text("Menyatakan karcis tercetak atau tidak", "Say whether the slip was printed"),
            "day_closed",
        ),
    ),
    _action("start", "start_ticket", ticketing.StartTicket, Text("Mulai melayani", "Begin to serve"), "counter_busy"),
    _action("complete", "complete_ticket", ticketing.CompleteTicket, Text("Selesai dilayani", "Serving has ended"), "collect_date_past"),
    _action("no-show", "mark_no_show", ticketing.MarkNoShow, Text("Tidak hadir", "The citizen did not come")),
    replace(
        _action(
            "cancel",
            "cancel_ticket",
            ticketing.CancelTicket,
            Text("Membatalkan nomor antrean", "Give the number back"),
        ),
    ),
    *(
        Route(
            method="POST",
            path=f"/v1/{{regency}}/counters/{{counter}}/{action}",
            operation_id=f"{action}Counter",
            summary=summary,
            tag=_TAG,
            operation=operations.ask_service,
            rpc=Rpc("ticketing", f"{action}_counter", payload),
            command=True,
            answer=staffing.CounterSession,
            problems=("counter_unknown", "counter_inactive", "agency_forbidden", "counter_forbidden", "counter_taken", *problems),
        )
        for action, payload, summary, *problems in (
            ("open", staffing.OpenCounter, Text("Membuka loket", "Open a counter"), "officer_elsewhere"),
            ("pause", staffing.PauseCounter, Text("Menjeda loket", "Pause a counter"), "counter_not_open"),
            ("close", staffing.CloseCounter, Text("Menutup loket", "Close a counter"), "counter_not_open", "counter_busy"),
        )
    ),
    Route(
        method="GET",
        path="/v1/{regency}/counters/{counter}/desk",
        operation_id="getDesk",
        summary=Text("Loket seperti dilihat petugasnya", "A counter as its officer sees it"),
        tag=_TAG,
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "get_desk", staffing.GetDesk),
        answer=staffing.Desk,
        digested=True,
        problems=("counter_unknown", "counter_inactive", "agency_forbidden", "counter_forbidden"),
    ),
    Route(
        method="GET",
        path="/v1/{regency}/my-counter",
        operation_id="getMyCounter",
        summary=Text(
            "Loket yang sedang saya buka, misalnya setelah halaman dimuat ulang", "The counter that I have open, as after a reload"
        ),
        tag=_TAG,
        operation=operations.or_nothing,
        rpc=Rpc("ticketing", "get_my_counter", staffing.GetMyCounter),
        answer=staffing.Desk,
        digested=True,
        or_nothing=True,
    ),
    Route(
        method="POST",
        path="/v1/{regency}/counters/{counter}/call-next",
        operation_id="callNext",
        summary=Text("Memanggil nomor berikutnya", "Call the next ticket"),
        tag=_TAG,
        operation=operations.or_nothing,
        rpc=Rpc("ticketing", "call_next", ticketing.CallNext),
        command=True,
        answer=ticketing.Ticket,
        or_nothing=True,
        problems=_AT_COUNTER,
    ),
)
