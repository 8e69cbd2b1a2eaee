"""Names that follow from a regency's slug: schema, role, streams and routing keys.

The slug is the only form that crosses a boundary. Everything in PostgreSQL is derived from it here and nowhere
else, so that a slug which is not one can never become part of an identifier.
"""

from __future__ import annotations

import re

from services.chassis.errors import DomainError

SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
MAX_SLUG_LENGTH = 40
"""PostgreSQL identifiers hold 63 bytes; ``notification_`` takes 13 of them."""

RESERVED_SLUGS = frozenset({"auth", "regencies", "platform", "public", "information-schema"})
"""Words that mean something else in paths, schema names or role names."""

RESERVED_PREFIX = "pg-"
"""PostgreSQL keeps ``pg_`` for its own schemas and roles."""


def checked_slug(slug: str) -> str:
    """Return ``slug`` when it can name a regency; raise ``DomainError("regency_unknown")`` otherwise."""
    if len(slug) > MAX_SLUG_LENGTH or not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS or slug.startswith(RESERVED_PREFIX):
        raise DomainError("regency_unknown")
    return slug


def schema_of(regency: str) -> str:
    """Return the PostgreSQL schema of a regency: ``lampung-timur`` -> ``lampung_timur``."""
    return checked_slug(regency).replace("-", "_")


def role_of(service: str, regency: str) -> str:
    """Return the role under which a service touches one regency's tables (roles are cluster-wide)."""
    return f"{service}_{schema_of(regency)}"


def group_of(service: str) -> str:
    """Return the role that holds what all regency roles of a service share: inserting into the outbox."""
    return f"{service}_regencies"


def stream_of(service: str, regency: str, site: str | None) -> str:
    """Return the CloudEvents ``source``: what has one contiguous sequence."""
    stream = f"/regencies/{regency}/{service}"
    return stream if site is None else f"{stream}/sites/{site}"


def routing_key(regency: str, event_type: str) -> str:
    """Return e.g. ``lampung-timur.ticket.called``."""
    return f"{regency}.{event_type}"
