"""Figures of visits, worked out by hand: one arrival, one or more legs."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.ticket_journeys import OPENING, Happening, journey

pytestmark = pytest.mark.integration

NOTHING = {"mean": None, "p50": None, "p90": None}
CALL_AND_SERVE = (("ticket.called", 300), ("ticket.serving_started", 20), ("ticket.completed", 400))


def exactly(seconds: float) -> dict[str, float]:
    """Durations of one visit."""
    return {"mean": seconds, "p50": seconds, "p90": seconds}


def a_visit() -> dict[str, Any]:
    """What all legs of a visit share."""
    return {"visit": str(uuid.uuid4()), "arrived_at": OPENING.isoformat()}


def after(seconds: float) -> datetime:
    return OPENING + timedelta(seconds=seconds)


def counts(figures: dict[str, Any]) -> dict[str, int]:
    """The visit's counts that are not zero."""
    return {name: value for name, value in figures.items() if isinstance(value, int) and value}


def two_services(*, second: tuple[tuple[str, float], ...]) -> list[Happening]:
    """Dukcapil at once, and a number for the bank that waits from 720 s on, when Dukcapil has ended."""
    visit = a_visit()
    first = journey(*CALL_AND_SERVE, leg=1, **visit)
    then = journey(*second, leg=2, status="reserved", agency="BANK", service="BANK-TELLER", **visit)
    return [*first, *then]


def test_a_visit_of_two_services_has_one_arrival_and_waits_of_its_own_per_leg(reporting):
    told = two_services(
        second=(("ticket.checked_in", 720), ("ticket.called", 100), ("ticket.serving_started", 15), ("ticket.completed", 65))
    )
    reporting.hear(told)
    report = reporting.report()
    assert [(one["agency"], one["first_call_seconds"]["mean"], one["wait_seconds"]["mean"]) for one in report["by_agency"]] == [
        ("BANK", 100.0, 100.0),
        ("CPL", 300.0, 300.0),
    ]
    visits = report["visits"]
    assert counts(visits) == {"total": 1, "finished": 1, "several_legs": 1, "legs": 2}
    assert visits["first_call_seconds"] == exactly(300)
    assert visits["wait_seconds"] == exactly(400)
    assert visits["serve_seconds"] == exactly(465)
    assert visits["stay_seconds"] == exactly(900)
    at_the_bank = reporting.report(agency="BANK")
    assert (at_the_bank["issued"], at_the_bank["visits"]) == (1, visits), "the whole visit, whoever asks for a part of it"


def test_every_order_of_both_legs_gives_the_same_figures(reporting):
    told = two_services(second=(("ticket.checked_in", 720), ("ticket.called", 100), ("ticket.cancelled", 40)))
    reporting.hear(told)
    expected = reporting.report()
    assert counts(expected["visits"]) == {"total": 1, "broken_off": 1, "several_legs": 1, "legs": 2}
    assert expected["visits"]["stay_seconds"] == NOTHING, "nobody knows when who gave up left"
    for order in itertools.islice(itertools.permutations(told), 0, None, 997):
        reporting.forget()
        reporting.hear([*order, *order[::2]])
        assert reporting.report() == expected


@pytest.mark.parametrize(
    ("second", "fate"),
    [
        ((), "open"),
        ((("ticket.expired", 50_000),), "broken_off"),
        ((("ticket.checked_in", 720),), "open"),
        ((("ticket.checked_in", 720), ("ticket.called", 100), ("ticket.no_show", 60)), "broken_off"),
        ((("ticket.checked_in", 720), ("ticket.called", 100), ("ticket.no_show", 60), ("ticket.rejoined", 60)), "open"),
    ],
)
def test_how_a_visit_ends_is_how_its_last_leg_does(reporting, second, fate):
    reporting.hear(two_services(second=second))
    assert counts(reporting.report()["visits"]) == {"total": 1, fate: 1, "several_legs": 1, "legs": 2}


def test_who_was_never_served_is_unserved_and_counts_in_the_first_call_only(reporting):
    reporting.hear([*journey(("ticket.called", 90), ("ticket.no_show", 60)), *journey(("ticket.cancelled", 500))])
    visits = reporting.report()["visits"]
    assert counts(visits) == {"total": 2, "unserved": 2, "legs": 2}
    assert visits["first_call_seconds"] == exactly(90)
    assert visits["wait_seconds"] == visits["serve_seconds"] == visits["stay_seconds"] == NOTHING


def test_a_transfer_goes_on_with_the_arrival_and_is_open_until_its_new_number_is_told(reporting):
    visit = a_visit()
    first = journey(("ticket.called", 300), ("ticket.serving_started", 20), ("ticket.transferred", 80), **visit)
    then = journey(*CALL_AND_SERVE, begins=after(400), **{**visit, "service": "CPL-KK"})
    reporting.hear(first)
    assert counts(reporting.report()["visits"]) == {"total": 1, "open": 1, "legs": 1}
    reporting.hear(then)
    report = reporting.report()
    assert counts(report["visits"]) == {"total": 1, "finished": 1, "several_legs": 1, "legs": 2}
    assert [one["first_call_seconds"]["mean"] for one in report["by_service"]] == [300, 300], "each leg from its own joining"
    assert report["visits"]["first_call_seconds"] == exactly(300)
    assert report["visits"]["wait_seconds"] == exactly(600)
    assert report["visits"]["serve_seconds"] == exactly(480)
    assert report["visits"]["stay_seconds"] == exactly(1120)


def test_returns_rejoining_and_priority_do_not_move_the_first_call(reporting):
    told = journey(
        *(("ticket.called", 100), ("ticket.returned", 10), ("ticket.called", 50), ("ticket.no_show", 60)),
        *(("ticket.rejoined", 500), ("ticket.called", 25), ("ticket.serving_started", 5), ("ticket.completed", 200)),
    )
    other_lane = [Happening(each.type, each.at, {**each.ticket, "lane": "priority"}) for each in told]
    reporting.hear([*told[:3], *other_lane[3:]])
    report = reporting.report()
    assert report["first_call_seconds"] == report["visits"]["first_call_seconds"] == exactly(100)
    assert report["wait_seconds"] == report["visits"]["wait_seconds"] == exactly(175)
    assert report["visits"]["stay_seconds"] == exactly(950)
    assert [(lane["lane"], lane["first_call_seconds"]["mean"]) for lane in report["by_lane"]] == [("priority", 100)]


def test_a_call_that_was_undone_is_none(reporting):
    undone = (("ticket.called", 60), ("ticket.call_undone", 15))
    reporting.hear(journey(*undone))
    report = reporting.report()
    assert report["first_call_seconds"] == report["wait_seconds"] == report["visits"]["first_call_seconds"] == NOTHING
    reporting.hear(journey(*undone, ("ticket.called", 240)))
    report = reporting.report()
    assert report["first_call_seconds"] == report["visits"]["first_call_seconds"] == exactly(315)
    assert report["wait_seconds"] == exactly(300), "while its number was shown by mistake it did not wait"


def test_a_slip_that_never_came_out_is_no_leg_and_makes_no_visit(reporting):
    visit = a_visit()
    void: dict[str, Any] = {"status": "void", "periods": []}
    reporting.hear([*journey(*CALL_AND_SERVE, **visit), *journey(leg=2, **void, **visit), *journey(**void)])
    assert counts(reporting.report()["visits"]) == {"total": 1, "finished": 1, "legs": 1}


@pytest.mark.parametrize(("timezone", "midnight"), [("Asia/Jakarta", 17), ("Asia/Makassar", 16)])
def test_both_sides_of_midnight_are_days_of_their_own(reporting, timezone, midnight):
    reporting.tell_site(timezone=timezone)
    last = datetime(2025, 6, 11, midnight, 0, tzinfo=UTC) - timedelta(seconds=1)
    before = journey(("ticket.called", 0.5), ("ticket.expired", 0.5), begins=last)
    behind = journey(*CALL_AND_SERVE, begins=last + timedelta(seconds=1), business_date="2025-06-12")
    reporting.hear([*behind, *before])
    today, tomorrow = reporting.report()["visits"], reporting.report(date="2025-06-12")["visits"]
    assert (counts(today), today["first_call_seconds"]) == ({"total": 1, "unserved": 1, "legs": 1}, exactly(0.5))
    assert (counts(tomorrow), tomorrow["stay_seconds"]) == ({"total": 1, "finished": 1, "legs": 1}, exactly(720))


def test_median_and_ninetieth_percentile_of_several_visits(reporting):
    for wait in (60, 120, 300, 600, 900, 1200):
        reporting.hear(journey(("ticket.called", wait), ("ticket.serving_started", 0), ("ticket.completed", wait)))
    visits = reporting.report()["visits"]
    expected = {"mean": 530.0, "p50": 450.0, "p90": 1050.0}
    assert visits["first_call_seconds"] == visits["wait_seconds"] == visits["serve_seconds"] == expected
    assert visits["stay_seconds"] == {kind: 2 * seconds for kind, seconds in expected.items()}
