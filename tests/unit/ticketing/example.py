"""A ticket to try rules on."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from services.ticketing import domain
from services.ticketing.domain import Ticket

NOON = datetime(2026, 3, 11, 5, 0, tzinfo=UTC)
"""Of Lampung Timur, on a Wednesday."""


def ticket(status: str = "waiting", **changes: Any) -> Ticket:
    """A ticket just issued, E-012, in any state."""
    new = Ticket(
        id="7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11",
        visit="7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e12",
        site="sukadana",
        business_date=date(2026, 3, 11),
        agency="CPL",
        service="CPL-KTP",
        prefix="E",
        number=12,
        channel="kiosk",
        status=status,
        priority_class=None,
        arrived_at=NOON,
        issued_at=NOON,
    )
    return domain.issued(replace(new, **changes), "kiosk@lampung-timur")
