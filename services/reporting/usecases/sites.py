"""Which sites there are, as far as reporting has heard."""

from __future__ import annotations

from services.chassis.database import UnitOfWork
from services.chassis.errors import DomainError
from services.reporting import store


def known_site(work: UnitOfWork, site_id: str) -> store.Site | None:
    """Return what the catalogue has told of a site; ``None`` while only tickets have.

    :raises DomainError: ``site_unknown`` when nobody has.
    """
    site = store.site_of(work, site_id)
    if site is None and not store.has_ticket_at(work, site_id):
        raise DomainError("site_unknown", site=site_id)
    return site
