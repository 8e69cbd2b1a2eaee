"""Which sites of a catalogue can be played, with which counters."""

from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.simulation.malls import Catalogue, Desk, malls_of

pytestmark = pytest.mark.unit

SITE: dict[str, Any] = {
    "id": "martapura",
    "accepting": True,
    "channels": ["kiosk"],
    "timezone": "Asia/Jakarta",
    "hours": {"tuesday": [{"open": "09:00", "close": "12:00"}]},
    "policy": {"max_recalls": 2},
}
AGENCIES = (
    {"id": "CPL", "presences": [{"site": "martapura", "prefix": "A"}]},
    {"id": "KES", "presences": [{"site": "belitang", "prefix": "A"}]},
)
SERVICES = (
    {"id": "CPL-KTP", "agency": "CPL", "active": True},
    {"id": "CPL-OLD", "agency": "CPL", "active": False},
    {"id": "KES-LKS", "agency": "KES", "active": True},
)
COUNTER = {"id": "martapura-01", "site": "martapura", "active": True, "services": ["KES-LKS", "CPL-OLD", "CPL-KTP"]}


def catalogue(site=SITE, counters=(COUNTER,)):
    return Catalogue("oku-timur", (site,), AGENCIES, SERVICES, counters)


def test_counters_serve_what_is_active_and_present_at_the_site():
    idle = {**COUNTER, "id": "martapura-02", "active": False}
    elsewhere = {**COUNTER, "id": "belitang-01", "site": "belitang"}
    empty = {**COUNTER, "id": "martapura-03", "services": ["KES-LKS"]}
    [mall], left_out = malls_of(catalogue(counters=(COUNTER, idle, elsewhere, empty)))
    assert (mall.name, mall.desks, mall.max_recalls, left_out) == ("oku-timur/martapura", (Desk("martapura-01", ("CPL-KTP",)),), 2, [])


def test_the_weekday_is_the_one_at_the_site():
    hours = {"monday": [{"open": "08:00", "close": "16:00"}], **SITE["hours"]}
    [mall], _ = malls_of(catalogue({**SITE, "hours": hours}), datetime(2026, 5, 4, 18, tzinfo=UTC))  # Tuesday in Jakarta
    assert mall.hours.periods == ((540, 720),)


@pytest.mark.parametrize(
    ("site", "counters", "reason"),
    [
        ({**SITE, "accepting": False}, (COUNTER,), "accepting"),
        ({**SITE, "channels": []}, (COUNTER,), "channel"),
        (SITE, (), "no active counter"),
    ],
)
def test_why_a_site_cannot_be_played_is_told(site, counters, reason):
    malls, [told] = malls_of(catalogue(site, counters))
    assert malls == []
    assert told.startswith("oku-timur/martapura")
    assert reason in told
