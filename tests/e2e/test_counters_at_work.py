"""Officers open, pause and close counters over HTTP; boards of both gateways say so, and a reloaded page finds its counter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import OKU_TIMUR, empty, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

COUNTER, OTHER_COUNTER = OKU_TIMUR.counters[-2:]
PATH = f"{OKU_TIMUR.path}/counters/{COUNTER}"


def status_on_boards(platform: DeployedPlatform) -> list[str | None]:
    """The counter's status as each gateway shows it."""
    found = []
    for number in range(len(platform.http_ports)):
        board: dict[str, Any] = platform.client(gateway=number).get(f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board").body
        found += [counter["status"] for counter in board["counters"] if counter["id"] == COUNTER]
    return found


def test_a_counter_s_day(deployed_platform: DeployedPlatform):
    empty(deployed_platform, [OKU_TIMUR])
    officer, supervisor = (deployed_platform.client(f"{name}@oku-timur") for name in ("officer", "supervisor"))
    assert officer.get(f"{OKU_TIMUR.path}/my-counter").status == 204
    opened = officer.post(f"{PATH}/open")
    assert (opened.status, opened.body["status"], opened.body["mine"]) == (200, "open", True)
    eventually(lambda: status_on_boards(deployed_platform) == ["open", "open"])

    elsewhere = officer.post(f"{OKU_TIMUR.path}/counters/{OTHER_COUNTER}/open")
    assert (elsewhere.status, elsewhere.code) == (409, "officer_elsewhere")
    taken = supervisor.post(f"{PATH}/open")
    assert (taken.status, taken.code) == (409, "counter_taken")

    ticket = take_number(deployed_platform.client(), OKU_TIMUR, OKU_TIMUR.services[0]).body
    assert officer.post(f"{PATH}/call-next").body["id"] == ticket["id"]
    mine = officer.get(f"{OKU_TIMUR.path}/my-counter").body
    assert (mine["counter"], [each["id"] for each in mine["tickets"]]) == (COUNTER, [ticket["id"]])

    assert officer.post(f"{PATH}/pause", {"reason": "prayer"}).body["reason"] == "prayer"
    eventually(lambda: status_on_boards(deployed_platform) == ["paused", "paused"])
    refused = officer.post(f"{PATH}/call-next")
    assert (refused.status, refused.code) == (409, "counter_not_open")
    busy = officer.post(f"{PATH}/close")
    assert (busy.status, busy.code) == (409, "counter_busy")
    for action in ("start", "complete"):
        assert officer.post(f"{OKU_TIMUR.path}/tickets/{ticket['id']}/{action}").status == 200
    assert officer.post(f"{PATH}/close").body["status"] == "closed"
    eventually(lambda: status_on_boards(deployed_platform) == ["closed", "closed"])
    assert officer.get(f"{OKU_TIMUR.path}/my-counter").status == 204
    # As it was found: a counter that nobody has opened may call, a closed one may not.
    assert officer.post(f"{PATH}/open").status == 200
