"""The person behind a visit: kept with a consent, shown masked, found by hash, erased for good."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.chassis import audit
from services.chassis.database import UnitOfWork
from services.chassis.encryption import KeyUnknown, derived_key
from services.chassis.errors import DomainError
from services.chassis.settings import Settings
from services.contracts.persons import MOST_VISITS
from services.contracts.telephone import e164
from services.ticketing import domain, store
from services.ticketing.domain import NIK, PHONE, Ticket
from services.ticketing.usecases.breaches import TIME_TO_TELL
from services.ticketing.usecases.changing import check_slip, place_of, tell_of_ticket
from services.ticketing.usecases.sealing import PersonKeys, opened_person, sealed_anew, sealed_person, searched

ROTATION_BATCH = ERASING_BATCH = 500
"""Rows in one transaction: locked for some tens of milliseconds, while numbers are taken."""

USUAL_DAYS = domain.QueuePolicy().personal_data_days

Data = Mapping[str, Any]
Row = dict[str, Any]


def recognised(settings: Settings, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a repeated request is recognised by: a plain hash of a NIK could be tried out."""
    if not {NIK, PHONE, "contact"} & data.keys():
        return data
    key = derived_key(settings.required_ticket_token_secret(), "fingerprint of persons")
    said = {name: data[name] for name in (NIK, PHONE, "contact") if name in data}
    hidden = {name: hmac.new(key, repr(value).encode(), hashlib.sha256).hexdigest() for name, value in said.items()}
    return {**data, **hidden}


@dataclass(frozen=True, slots=True)
class Tended:
    """How a regency stood when its personal data were looked at, and what was erased then."""

    days_over: int
    """The oldest should have been erased so many days ago; 0: nothing was due."""
    unreadable: int
    """So many were encrypted with keys that are not there."""
    erased: int
    tell_by: datetime | None = None
    """When the time ends for the breach of which somebody is to be told first; ``None``: there is none."""


class Introduction:
    """Whoever takes a number and says who he is. Checked before anything else is: the consent, and that there are keys."""

    def __init__(self, data: Data, keys: PersonKeys) -> None:
        self._keys = keys
        self._consent = data["consent"]
        self._nik: str | None = data.get(NIK)
        self._phone = e164(data["contact"]["phone"]) if "contact" in data else None
        self._hashes = [] if self._nik is None else keys.hashing.hashes(self._nik, NIK)

    def await_turn(self, work: UnitOfWork) -> None:
        """Wait for who takes a number with the same NIK at this moment; before the site's day is locked."""
        if self._hashes:
            store.lock_person(work, self._hashes)

    def check_once(self, work: UnitOfWork, site: str, day: date, services: Sequence[str]) -> None:
        """Refuse who waits for the same service already, unless the site does not mind: ``already_queued``, and not a word more."""
        if not self._hashes or not domain.policy_of(store.catalog_entities(work, site=site)["site"]).one_ticket_per_person:
            return
        if store.is_queued(work, self._hashes, day, services):
            raise DomainError("already_queued")

    def keep(self, work: UnitOfWork, first: Ticket) -> None:
        """Store it beside the visit of a ticket."""
        store.keep_person(work, first, sealed_person(self._keys, first.visit, self._nik, self._phone), self._consent)


def introduced(data: Data, keys: PersonKeys | None) -> Introduction | None:
    """Return who introduces himself with a request for a number; ``None`` for who says nothing.

    Refuses with ``personal_data_off`` and ``consent_required``; nothing is kept then.
    """
    said = [name for name, member in ((NIK, NIK), (PHONE, "contact")) if member in data]
    if not said:
        return None
    if keys is None:
        raise DomainError("personal_data_off")
    domain.check_consent(said, data.get("consent"))
    return Introduction(data, keys)


def get_person(work: UnitOfWork, data: Data, secret: str, keys: PersonKeys | None) -> Row:
    """Return what is held of the person behind a ticket, masked."""
    if data.get("token") is not None:
        check_slip(work, secret, data)
    visit, held = _held(work, data["id"])
    if data.get("token") is None:
        domain.check_agency(work.context.actor.agencies, visit["agency"])
    return shown(held, keys, masked=True)


def reveal_person(work: UnitOfWork, data: Data, keys: PersonKeys | None) -> Row:
    """Return what is held of the person behind a ticket in full, and leave a row in the audit log."""
    visit, held = _held(work, data["id"])
    domain.check_agency(work.context.actor.agencies, visit["agency"])
    audit.note(work, "ticket", data["id"], (None, None), {name: visit[name] for name in ("site", "agency", "counter")})
    return shown(held, keys, masked=False)


def find_persons(work: UnitOfWork, data: Data, keys: PersonKeys | None, masked: bool = True) -> Row:
    """Return the visits of who has a NIK or telephone number; who looked whom up stands in the audit log by ticket."""
    found, more = _found(work, data, keys)
    answer = _visits(work, found, keys, masked=masked)
    agencies = work.context.actor.agencies
    if agencies is not None:
        answer = [each for each in answer if any(ticket["agency"] in agencies for ticket in each["tickets"])]
    for each in answer:
        for ticket in each["tickets"]:
            place = {name: ticket[name] for name in ("site", "agency")}
            audit.note(work, "ticket", ticket["id"], (None, None), place)
    return {"visits": [_without_agencies(each) for each in answer], "more": more}


def export_persons(work: UnitOfWork, data: Data, keys: PersonKeys | None) -> Row:
    """Return all that ticketing holds of who has a NIK or telephone number, in full."""
    return find_persons(work, data, keys, masked=False)


def export_person(work: UnitOfWork, data: Data, secret: str, keys: PersonKeys | None) -> Row:
    """Return all that ticketing holds of the person behind a ticket's visit: in full for staff, masked for who shows a slip."""
    with_slip = data.get("token") is not None
    visit = _visit_of(work, data, secret)
    if not with_slip:
        audit.note(work, "ticket", data["id"], (None, None), {name: visit[name] for name in ("site", "agency", "counter")})
    return {"visits": [_without_agencies(each) for each in _visits(work, [visit], keys, masked=with_slip)], "more": False}


def withdraw_consent(work: UnitOfWork, data: Data, secret: str) -> Row:
    """Erase what was given with a consent that is taken back; again: nothing more happens."""
    return _erase(work, [_visit_of(work, data, secret)], "withdrawn", more=False)


def erase_person(work: UnitOfWork, data: Data, secret: str) -> Row:
    """Erase all that is known of the person behind a ticket's visit, here and, told by events, in every other service."""
    return _erase(work, [_visit_of(work, data, secret)], "requested", more=False)


def erase_persons(work: UnitOfWork, data: Data, keys: PersonKeys | None) -> Row:
    """Erase all that is known of who has a NIK or telephone number, over all visits, as far as its key is known."""
    found, more = _found(work, data, keys)
    return _erase(work, found, "requested", more=more)


def rotate_keys(work: UnitOfWork, keys: PersonKeys, after: str, limit: int = ROTATION_BATCH) -> tuple[Counter[str], str | None]:
    """Seal a portion of what was sealed with older keys with the newest; count ``rotated`` and ``unreadable``.

    :return: also where the next portion begins, ``None`` when there is none. What cannot be opened is left as it is.
    """
    rows = store.to_rotate(work, keys.encrypting.newest_id, keys.hashing.newest_id, after, limit)
    counted: Counter[str] = Counter()
    for row in rows:
        sealed = sealed_anew(keys, row)
        if sealed is not None:
            store.seal_anew(work, row["visit"], sealed)
        counted["unreadable" if sealed is None else "rotated"] += 1
    return counted, rows[-1]["visit"] if len(rows) == limit else None


def tend_persons(work: UnitOfWork, keys: PersonKeys | None, limit: int = ERASING_BATCH) -> Tended:
    """Erase a portion of what was kept for as long as its site may keep it, and tell how the rest stands."""
    days_over, unreadable = store.standing(work, USUAL_DAYS, keys.encrypting.ids if keys else [])
    erased = store.erase_expired(work, USUAL_DAYS, limit) if days_over else 0
    discovered_at = store.first_open_breach(work)
    return Tended(days_over, unreadable, erased, discovered_at and discovered_at + TIME_TO_TELL)


def shown(held: Data, keys: PersonKeys | None, *, masked: bool) -> Row:
    """Return what is held of a visit for an answer; what no key opens is said to be unreadable."""
    said, readable = dict.fromkeys((NIK, PHONE)), True
    try:
        if held[NIK] is not None or held[PHONE] is not None:
            if keys is None:
                raise KeyUnknown
            said = opened_person(keys, str(held["visit"]), held[NIK], held[PHONE])
    except KeyUnknown:
        readable = False
    nik, phone = said[NIK], said[PHONE]
    return {
        "visit": str(held["visit"]),
        "nik": domain.masked_nik(nik) if masked and nik else nik,
        "phone": domain.masked_phone(phone) if masked and phone else phone,
        "readable": readable,
        "consent": {
            "version": held["consent_version"].isoformat(),
            "purposes": list(held["purposes"]),
            "given_at": held["consented_at"].isoformat(),
        },
        "erased_at": held["erased_at"] and held["erased_at"].isoformat(),
        "erased_because": held["erased_because"],
    }


def _visit_of(work: UnitOfWork, data: Data, secret: str) -> Row:
    if data.get("token") is not None:
        check_slip(work, secret, data)
    visit = store.visit_of(work, data["id"])
    if visit is None:
        raise DomainError("ticket_unknown")
    return visit


def _held(work: UnitOfWork, ticket: str) -> tuple[Row, Row]:
    visit = store.visit_of(work, ticket)
    if visit is None:
        raise DomainError("ticket_unknown")
    held = store.persons_of(work, [visit["visit"]])
    if not held:
        raise DomainError("person_unknown")
    return visit, held[visit["visit"]]


def _found(work: UnitOfWork, data: Data, keys: PersonKeys | None) -> tuple[list[Row], bool]:
    if keys is None:
        raise DomainError("personal_data_off")
    found = store.find_visits(work, searched(keys, data), MOST_VISITS + 1)
    return found[:MOST_VISITS], len(found) > MOST_VISITS


def _visits(work: UnitOfWork, visits: Sequence[Row], keys: PersonKeys | None, *, masked: bool) -> list[Row]:
    held = store.persons_of(work, [visit["visit"] for visit in visits])
    tickets = store.tickets_of_visits(work, visits)
    return [
        {
            "visit": visit["visit"],
            "person": shown(held[visit["visit"]], keys, masked=masked) if visit["visit"] in held else None,
            "tickets": [_ticket(ticket) for ticket in tickets if ticket.visit == visit["visit"]],
        }
        for visit in visits
    ]


def _ticket(ticket: Ticket) -> Row:
    same = {name: getattr(ticket, name) for name in ("id", "site", "agency", "service", "channel", "status")}
    return {
        **same,
        "number": ticket.label,
        "business_date": ticket.business_date.isoformat(),
        "issued_at": ticket.issued_at.isoformat(),
    }


def _without_agencies(visit: Row) -> Row:
    return {**visit, "tickets": [_without(ticket, ("agency",)) for ticket in visit["tickets"]]}


def _without(members: Row, names: Collection[str]) -> Row:
    return {name: value for name, value in members.items() if name not in names}


def _erase(work: UnitOfWork, visits: Sequence[Row], because: str, *, more: bool) -> Row:
    """Erase here, and tell of each ticket that its person is forgotten, so that others forget as well; also when nothing was
    held here, for they may hold what was not given with the number."""
    store.erase_persons(work, [visit["visit"] for visit in visits], because)
    for ticket in store.tickets_of_visits(work, visits):
        tell_of_ticket(work, "ticket.person_erased", ticket)
        audit.note(work, "ticket", ticket.id, (None, {"erased": because}), place_of(ticket))
    return {"visits": len(visits), "more": more}
