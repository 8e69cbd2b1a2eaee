"""What is held of the people behind visits, and all SQL about it. Values come and go encrypted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.chassis.database import UnitOfWork
from services.ticketing.domain import OPEN_STATES, Sealed, Ticket
from services.ticketing.store.tables import from_row, tickets_of

Row = dict[str, Any]

# One after the other, by whichever of the hashes they share: who comes second sees the first one's ticket. In order of the
# hashes, so that nobody waits in a circle.
_LOCK = sa.text("""
    SELECT pg_advisory_xact_lock(hashtextextended(CAST(:regency AS text) || hash, 0))
    FROM (SELECT hash FROM unnest(CAST(:hashes AS text[])) AS hash ORDER BY hash) AS ordered
""")
_IS_QUEUED = sa.text("""
    SELECT EXISTS (
        SELECT FROM person JOIN ticket ON ticket.visit = person.visit AND ticket.site = person.site
            AND ticket.business_date = person.business_date
        WHERE person.nik_hash = ANY(CAST(:hashes AS text[])) AND person.business_date = :business_date
            AND ticket.service = ANY(CAST(:services AS text[])) AND ticket.status = ANY(CAST(:states AS text[]))
    )
""")
_KEEP = sa.text("""
    INSERT INTO person (visit, site, business_date, nik, nik_hash, phone, phone_hash, key, hash_key,
        consent_version, purposes, consented_at)
    VALUES (CAST(:visit AS uuid), :site, :business_date, :nik, :nik_hash, :phone, :phone_hash, :key, :hash_key,
        :consent_version, :purposes, :now)
""")
_VISIT_OF = sa.text("""
    SELECT CAST(visit.id AS text) AS visit, visit.site, visit.business_date, ticket.agency, ticket.counter
    FROM ticket JOIN visit ON visit.id = ticket.visit WHERE ticket.id = CAST(:ticket AS uuid)
""")
_OF_VISITS = sa.text("SELECT CAST(visit AS text) AS visit, person.* FROM person WHERE visit = ANY(CAST(:visits AS uuid[]))").columns(
    visit=UUID(as_uuid=False)
)
_FIND = sa.text("""
    SELECT CAST(visit AS text) AS visit, site, business_date FROM person
    WHERE nik_hash = ANY(CAST(:nik AS text[])) OR phone_hash = ANY(CAST(:phone AS text[]))
    ORDER BY business_date DESC, visit LIMIT :limit
""")
# By site and day, which there is an index of; by visit there is none.
_TICKETS = tickets_of(
    sa.text("""
    SELECT ticket.* FROM unnest(CAST(:visits AS uuid[]), CAST(:sites AS text[]), CAST(:days AS date[])) AS asked(visit, site, day)
    CROSS JOIN LATERAL (
        SELECT * FROM ticket WHERE ticket.site = asked.site AND ticket.business_date = asked.day AND ticket.visit = asked.visit
    ) AS ticket
    ORDER BY ticket.issued_at, ticket.id
    """)
)
_ERASE = sa.text("""
    UPDATE person SET nik = NULL, nik_hash = NULL, phone = NULL, phone_hash = NULL, erased_at = :now, erased_because = :because
    WHERE visit = ANY(CAST(:visits AS uuid[])) AND erased_at IS NULL
""")
_ERASE_EXPIRED = sa.text("""
    WITH due AS (
        SELECT visit FROM person LEFT JOIN catalog_copy AS place ON place.kind = 'site' AND place.id = person.site
        WHERE erased_at IS NULL AND business_date < CAST(:today AS date)
            AND business_date + coalesce(CAST(place.data->'policy'->>'personal_data_days' AS integer), :usual) < CAST(:today AS date)
        ORDER BY business_date LIMIT :limit FOR UPDATE OF person SKIP LOCKED
    )
    UPDATE person SET nik = NULL, nik_hash = NULL, phone = NULL, phone_hash = NULL, erased_at = :now, erased_because = 'expired'
    FROM due WHERE person.visit = due.visit
""")
_STANDING = sa.text("""
    SELECT coalesce(max(CAST(:today AS date)
            - (business_date + coalesce(CAST(place.data->'policy'->>'personal_data_days' AS integer), :usual))), 0) AS days_over,
        count(*) FILTER (WHERE NOT key = ANY(CAST(:known AS text[]))) AS unreadable
    FROM person LEFT JOIN catalog_copy AS place ON place.kind = 'site' AND place.id = person.site
    WHERE erased_at IS NULL
""")
_TO_ROTATE = sa.text("""
    SELECT CAST(visit AS text) AS visit, nik, nik_hash, phone, phone_hash, key, hash_key FROM person
    WHERE erased_at IS NULL AND (key <> :key OR hash_key <> :hash_key) AND visit > CAST(:after AS uuid)
    ORDER BY visit LIMIT :limit FOR UPDATE
""")
_SEAL_ANEW = sa.text("""
    UPDATE person SET nik = :nik, nik_hash = :nik_hash, phone = :phone, phone_hash = :phone_hash, key = :key, hash_key = :hash_key
    WHERE visit = CAST(:visit AS uuid)
""")

BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


def lock_person(work: UnitOfWork, hashes: Sequence[str]) -> None:
    """Let nobody else take a number for the same NIK until the unit ends."""
    work.execute(_LOCK, {"regency": work.regency, "hashes": list(hashes)})


def is_queued(work: UnitOfWork, hashes: Sequence[str], business_date: date, services: Sequence[str]) -> bool:
    """Whether the person has an open ticket for one of these services on a day; locked by :func:`lock_person`."""
    asked = {"hashes": list(hashes), "business_date": business_date, "services": list(services), "states": sorted(OPEN_STATES)}
    return bool(work.execute(_IS_QUEUED, asked).scalar_one())


def keep_person(work: UnitOfWork, ticket: Ticket, sealed: Sealed, consent: Mapping[str, Any]) -> None:
    """Store what the citizen said with a new visit."""
    agreed = {"consent_version": date.fromisoformat(consent["version"]), "purposes": list(consent["purposes"])}
    of_visit = {"visit": ticket.visit, "site": ticket.site, "business_date": ticket.business_date}
    work.later(_KEEP, {**of_visit, **asdict(sealed), **agreed, "now": work.now})


def visit_of(work: UnitOfWork, ticket: str) -> Row | None:
    """Return ``visit``, ``site`` and ``business_date`` of a ticket's visit, and the ticket's ``agency`` and ``counter``."""
    row = work.execute(_VISIT_OF, {"ticket": ticket}).mappings().first()
    return None if row is None else dict(row)


def persons_of(work: UnitOfWork, visits: Sequence[str]) -> dict[str, Row]:
    """Return what is held of visits, encrypted, by visit."""
    return {str(row["visit"]): dict(row) for row in work.execute(_OF_VISITS, {"visits": list(visits)}).mappings()}


def find_visits(work: UnitOfWork, hashes: Mapping[str, Sequence[str]], limit: int) -> list[Row]:
    """Return ``visit``, ``site`` and ``business_date`` of who has one of these hashes, newest first."""
    asked = {name: list(values) for name, values in hashes.items()}
    return [dict(row) for row in work.execute(_FIND, {**asked, "limit": limit}).mappings()]


def tickets_of_visits(work: UnitOfWork, visits: Sequence[Mapping[str, Any]]) -> list[Ticket]:
    """Return the tickets of visits, given with ``visit``, ``site`` and ``business_date``."""
    asked = {
        name: [each[member] for each in visits] for name, member in (("visits", "visit"), ("sites", "site"), ("days", "business_date"))
    }
    return [from_row(row) for row in work.execute(_TICKETS, asked).mappings()]


def erase_persons(work: UnitOfWork, visits: Sequence[str], because: str) -> int:
    """Erase what is held of visits; return of how many something was held."""
    return work.execute(_ERASE, {"visits": list(visits), "because": because, "now": work.now}).rowcount


def erase_expired(work: UnitOfWork, usual_days: int, limit: int) -> int:
    """Erase what was kept for as long as its site may keep it, at most ``limit``; return how many."""
    term = {"today": work.now.date(), "usual": usual_days, "limit": limit, "now": work.now}
    return work.execute(_ERASE_EXPIRED, term).rowcount


def standing(work: UnitOfWork, usual_days: int, known_keys: Sequence[str]) -> tuple[int, int]:
    """Return by how many days the oldest is kept too long (0: none is), and how many no known key opens."""
    row = work.execute(_STANDING, {"today": work.now.date(), "usual": usual_days, "known": list(known_keys)}).one()
    return max(0, row.days_over), row.unreadable


def to_rotate(work: UnitOfWork, key: str, hash_key: str, after: str, limit: int) -> list[Row]:
    """Return what was sealed with other keys than these, in order of visit, locked."""
    return [dict(row) for row in work.execute(_TO_ROTATE, {"key": key, "hash_key": hash_key, "after": after, "limit": limit}).mappings()]


def seal_anew(work: UnitOfWork, visit: str, sealed: Mapping[str, Any]) -> None:
    """Store what was sealed with other keys; its row is locked."""
    work.later(_SEAL_ANEW, {"visit": visit, **sealed})
