"""A small mall, and tickets as the gateway answers them."""

from datetime import UTC, datetime, timedelta

from deploy.simulation.hours import USUAL_HOURS
from deploy.simulation.malls import Desk, Mall

MALL = Mall(
    "oku-timur",
    "martapura",
    (Desk("martapura-01", ("CPL-ADM", "PTS-IZN")), Desk("martapura-02", ("KES-LKS",))),
    ("kiosk", "web"),
    USUAL_HOURS,
    3,
)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


SERVED_SECONDS = 100


def ticket(number, status, *, version=1, waited=None, recalls=0, date="2026-05-04", told=None):
    """A ticket; `waited` seconds in the queue before it was called, of which `told` were told. Who is completed was served at once."""
    periods: list[tuple[str, datetime, datetime | None]] = [("waiting", NOON, None)]
    if waited is not None:
        called = NOON + timedelta(seconds=waited)
        periods = [("waiting", NOON, called), ("called", called, None)]
    if status == "completed":
        periods = [*periods[:1], ("called", called, called), ("serving", called, called + timedelta(seconds=SERVED_SECONDS))]
    return {
        "id": f"ticket-{number}",
        "visit": f"visit-{number}",
        "leg": None,
        "arrived_at": NOON.isoformat(),
        "first_estimate_seconds": told,
        "site": "martapura",
        "business_date": date,
        "status": status,
        "recalls": recalls,
        "version": version,
        "periods": [
            {"state": state, "started_at": start.isoformat(), "ended_at": None if end is None else end.isoformat(), "undone": False}
            for state, start, end in periods
        ],
    }
