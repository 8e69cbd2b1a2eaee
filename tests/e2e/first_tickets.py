"""The platform's main job in its smallest form; the same for every way of running it."""

from __future__ import annotations

from tests.platform.client import Client
from tests.platform.journeys import LAMPUNG_TIMUR, serve, serve_all, take_number

COUNTER = LAMPUNG_TIMUR.counters[0]


def take_call_and_serve(citizen: Client, officer: Client) -> None:
    """Three tickets at Lampung Timur, the last of them priority, are called in the right order, started, completed and asked."""
    serve_all(officer, LAMPUNG_TIMUR, COUNTER)  # whoever waits from before
    first = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP").body
    second = take_number(citizen, LAMPUNG_TIMUR, "CPL-KK").body
    third = take_number(citizen, LAMPUNG_TIMUR, "CPL-KTP", "elderly").body
    numbers = [int(ticket["number"].removeprefix("E-")) for ticket in (first, second, third)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert [ticket["lane"] for ticket in (first, second, third)] == ["regular", "regular", "priority"]
    assert all(ticket["status"] == "waiting" and ticket["token"] for ticket in (first, second, third))

    for expected in (third, first, second):
        called = officer.post(f"{LAMPUNG_TIMUR.path}/counters/{COUNTER}/call-next")
        assert (called.status, called.body["id"]) == (200, expected["id"]), "priority comes first, then arrival"
        assert (called.body["status"], called.body["counter"]) == ("called", COUNTER)
        busy = officer.post(f"{LAMPUNG_TIMUR.path}/counters/{COUNTER}/call-next")
        assert (busy.status, busy.code) == (409, "counter_busy")
        completed = serve(officer, LAMPUNG_TIMUR, expected["id"]).body
        assert [period["state"] for period in completed["periods"]] == ["waiting", "called", "serving", "completed"]
        assert (completed["outcome"], completed["version"]) == ("done", 4)
        seen = citizen.request("GET", f"{LAMPUNG_TIMUR.path}/tickets/{expected['id']}", headers={"Ticket-Token": expected["token"]})
        assert (seen.status, seen.body["status"]) == (200, "completed")

    surveys = f"{LAMPUNG_TIMUR.path}/surveys"
    answers = [citizen.post(surveys, {"token": first["token"], "scores": {"behaviour": 4}}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 409], "a visit is asked about once"

    nobody = officer.post(f"{LAMPUNG_TIMUR.path}/counters/{COUNTER}/call-next")
    assert (nobody.status, nobody.body) == (204, None)
