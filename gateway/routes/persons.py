"""Routes of personal data: what is held of the person behind a ticket, and its rights (UU 27/2022). A NIK stands in no address."""

from __future__ import annotations

from collections.abc import Callable

from marshmallow import Schema

from gateway import operations, personal_data
from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.route import Route, Rpc, Text
from gateway.routes.catalogue import PAGE
from services.contracts import breaches, persons

_OF_TICKET = "/v1/{regency}/tickets/{id}/person"
_BY_PERSON = "/v1/{regency}/persons"


def _route(
    method: str,
    path: str,
    rpc: str,
    payload: type[Schema],
    answer: type[Schema],
    summary: Text,
    *problems: str,
    command: bool = False,
    operation: Callable[[Surroundings, Call], Answer] = operations.ask_service,
) -> Route:
    return Route(
        method=method,
        path=path,
        operation_id="".join(word.capitalize() if i else word for i, word in enumerate(rpc.split("_"))),
        summary=summary,
        tag="personal data",
        operation=operation,
        rpc=Rpc("ticketing", rpc, payload),
        command=command,
        answer=answer,
        problems=problems,
    )


_BREACHES = "/v1/{regency}/breaches"

BREACH_ROUTES = (
    Route(
        method="POST",
        path=_BREACHES,
        operation_id="recordBreach",
        summary=Text("Mencatat kegagalan pelindungan data pribadi", "Write down a personal data breach"),
        tag="personal data",
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "record_breach", breaches.RecordBreach),
        command=True,
        answer=breaches.Breach,
        success=201,
        location=_BREACHES + "/{id}",
        problems=("instant_ahead",),
    ),
    Route(
        method="GET",
        path=_BREACHES,
        operation_id="listBreaches",
        summary=Text("Daftar kegagalan pelindungan data pribadi", "Personal data breaches"),
        tag="personal data",
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "list_breaches", breaches.ListBreaches),
        query={"state": "state", **PAGE},
        answer=breaches.BreachPage,
        digested=True,
    ),
    Route(
        method="GET",
        path=_BREACHES + "/{id}",
        operation_id="getBreach",
        summary=Text("Satu kegagalan pelindungan data pribadi", "One personal data breach"),
        tag="personal data",
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "get_breach", breaches.GetBreach),
        answer=breaches.Breach,
        tagged=True,
        problems=("breach_unknown",),
    ),
    Route(
        method="PATCH",
        path=_BREACHES + "/{id}",
        operation_id="updateBreach",
        summary=Text("Melengkapi catatan, juga kapan diberitahukan", "Add what is known by now, also when it was told"),
        tag="personal data",
        operation=operations.ask_service,
        rpc=Rpc("ticketing", "update_breach", breaches.UpdateBreach),
        command=True,
        answer=breaches.Breach,
        tagged=True,
        guarded=True,
        problems=("breach_unknown", "instant_ahead"),
    ),
)

PERSON_ROUTES = (
    _route(
        "GET",
        _OF_TICKET,
        "get_person",
        persons.GetPerson,
        persons.Person,
        Text("Data diri pemegang nomor, disamarkan", "The person behind a ticket, masked"),
        *("ticket_unknown", "person_unknown", "agency_forbidden"),
    ),
    _route(
        "POST",
        _OF_TICKET + "/reveal",
        "reveal_person",
        persons.RevealPerson,
        persons.Person,
        Text("Data diri pemegang nomor, lengkap; tercatat di log audit", "The person behind a ticket in full; the audit log knows"),
        *("ticket_unknown", "person_unknown", "agency_forbidden"),
    ),
    _route(
        "GET",
        _OF_TICKET + "/export",
        "export_person",
        persons.ExportPerson,
        persons.PersonExport,
        Text("Semua data tentang pemegang nomor", "All that is held of the person behind a ticket"),
        "ticket_unknown",
        operation=personal_data.export,
    ),
    _route(
        "POST",
        _OF_TICKET + "/withdraw",
        "withdraw_consent",
        persons.WithdrawConsent,
        persons.Erased,
        Text("Menarik persetujuan; datanya dihapus", "Withdraw the consent; what was given with it is erased"),
        "ticket_unknown",
        command=True,
    ),
    _route(
        "POST",
        _OF_TICKET + "/erase",
        "erase_person",
        persons.ErasePerson,
        persons.Erased,
        Text("Menghapus semua data tentang pemegang nomor", "Erase all that is known of the person behind a ticket"),
        "ticket_unknown",
        command=True,
    ),
    _route(
        "POST",
        _BY_PERSON + "/find",
        "find_persons",
        persons.FindPersons,
        persons.PersonVisits,
        Text("Mencari kunjungan menurut NIK atau nomor telepon", "Find visits by NIK or telephone number"),
        "personal_data_off",
    ),
    _route(
        "POST",
        _BY_PERSON + "/export",
        "export_persons",
        persons.ExportPersons,
        persons.PersonExport,
        Text("Semua data tentang seseorang, lengkap", "All that is held of a person, in full"),
        "personal_data_off",
        operation=personal_data.export,
    ),
    _route(
        "POST",
        _BY_PERSON + "/erase",
        "erase_persons",
        persons.ErasePersons,
        persons.Erased,
        Text("Menghapus semua data tentang seseorang", "Erase all that is known of a person"),
        "personal_data_off",
        command=True,
    ),
)
