"""The figures of a day, worked out by hand and against another calculation."""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from services.chassis.database import Database
from services.chassis.errors import DomainError
from services.contracts.examples import EXAMPLES
from services.reporting import store
from services.reporting.domain import fact_of
from tests.ticket_journeys import deliveries, journey, newest_known

pytestmark = pytest.mark.integration

NOTHING = {"mean": None, "p50": None, "p90": None}
NO_ERRORS = EXAMPLES["reporting"]["daily_figures"]["by_agency"][1]["estimates"]
STATES = ("waiting", "called", "serving", "on_hold", "completed", "no_show", "transferred", "cancelled", "expired")


@dataclass
class StandingClock:
    instant: datetime

    def now(self):
        return self.instant


def served(wait, serve, **differing):
    return journey(("ticket.called", wait), ("ticket.serving_started", 20), ("ticket.completed", serve), **differing)


def test_a_worked_example(reporting):
    reporting.tell_site()
    # Waits of those that were called: 60, 120, 300, 600 (the no-show), 900. Served: 200, 100, 400.
    told = [*served(60, 200), *served(120, 100), *served(300, 400, lane="priority")]
    told += journey(("ticket.called", 600), ("ticket.recalled", 60), ("ticket.no_show", 60))
    told += journey(("ticket.called", 900), ("ticket.serving_started", 15))
    told += journey(("ticket.cancelled", 5000))  # waited for nothing: in no figure
    told += journey(("ticket.expired", 50000))
    told += journey()
    told += journey(("ticket.called", 30), ("ticket.returned", 10), ("ticket.called", 1170))  # 30 + 1170 = 1200
    reporting.hear(told)
    report = reporting.report()
    by_agency, by_service, by_lane = report.pop("by_agency"), report.pop("by_service"), report.pop("by_lane")
    visits = report.pop("visits")
    assert report == {
        "site": "sukadana",
        "site_name": "MPP Lampung Timur",
        "date": "2025-06-11",
        "agency": None,
        "service": None,
        "issued": 9,
        "waiting": 1,
        "called": 1,
        "serving": 1,
        "on_hold": 0,
        "completed": 3,
        "no_show": 1,
        "transferred": 0,
        "cancelled": 1,
        "expired": 1,
        # of 60 120 300 600 900 1200: mean 3180/6; p50 between 300 and 600; p90 at rank 4.5 between 900 and 1200
        "wait_seconds": {"mean": 530.0, "p50": 450.0, "p90": 1050.0},
        # of 30 60 120 300 600 900: who returned was first called after 30
        "first_call_seconds": {"mean": 335.0, "p50": 210.0, "p90": 750.0},
        # of 100 200 400: mean 700/3; p50 200; p90 at rank 1.8 between 200 and 400
        "serve_seconds": {"mean": 233.333, "p50": 200.0, "p90": 360.0},
        "estimates": {**NO_ERRORS, "not_estimated": 6},
    }
    assert visits == {
        "total": 9,
        "open": 3,  # one waits, one is called, one is served
        "finished": 3,
        "broken_off": 0,
        "unserved": 3,
        "several_legs": 0,
        "legs": 9,
        "first_call_seconds": report["first_call_seconds"],
        "wait_seconds": {"mean": 160.0, "p50": 120.0, "p90": 264.0},  # of 60 120 300
        "serve_seconds": report["serve_seconds"],
        "stay_seconds": {"mean": 413.333, "p50": 280.0, "p90": 632.0},  # of 280 240 720
    }
    figures = {name: value for name, value in report.items() if name not in ("site", "site_name", "date", "agency", "service")}
    assert by_agency == [{"agency": "CPL", **figures}]
    assert by_service == [{"agency": "CPL", "service": "CPL-KTP", **figures}]
    assert [(lane["lane"], lane["issued"], lane["wait_seconds"]["mean"]) for lane in by_lane] == [
        ("regular", 8, 576.0),  # 60 120 600 900 1200
        ("priority", 1, 300.0),
    ]


def test_services_and_agencies_have_figures_of_their_own(reporting):
    kk: dict[str, Any] = {"service": "CPL-KK"}
    police: dict[str, Any] = {"agency": "POL", "service": "POL-SKCK"}
    reporting.hear([*served(60, 100), *served(120, 100, **kk), *journey(**kk), *served(600, 100, **police)])
    whole = reporting.report()
    assert [(one["agency"], one["service"], one["issued"], one["completed"]) for one in whole["by_service"]] == [
        ("CPL", "CPL-KK", 2, 1),
        ("CPL", "CPL-KTP", 1, 1),
        ("POL", "POL-SKCK", 1, 1),
    ]
    assert [one["wait_seconds"]["mean"] for one in whole["by_service"]] == [120, 60, 600]
    agency = reporting.report(agency="CPL")
    assert (agency["agency"], agency["issued"], agency["wait_seconds"]["mean"]) == ("CPL", 3, 90)
    assert [one["service"] for one in agency["by_service"]] == ["CPL-KK", "CPL-KTP"]
    service = reporting.report(service="CPL-KK")
    assert (service["service"], service["issued"], service["waiting"], service["by_lane"][0]["issued"]) == ("CPL-KK", 2, 1, 2)
    reporting.tell_site()
    nobody = reporting.report(agency="KES")
    assert (nobody["issued"], nobody["by_service"], nobody["by_lane"]) == (0, [], [])


@pytest.mark.parametrize(("timezone", "day"), [("Asia/Jakarta", "2025-06-11"), ("Asia/Jayapura", "2025-06-12")])
def test_without_a_date_it_is_today_at_the_site(reporting, login_url, timezone, day):
    reporting.tell_site(timezone=timezone)
    half_past_ten_in_the_evening = datetime(2025, 6, 11, 15, 30, tzinfo=UTC)
    late = Database("reporting", login_url, clock=StandingClock(half_past_ten_in_the_evening))
    report = type(reporting)(late, reporting.regency).report(date=None)
    late.close()
    assert report["date"] == day


def test_without_a_date_somebody_must_have_told_where_the_site_is(reporting):
    with pytest.raises(DomainError, match="site_unknown"):
        reporting.report(date=None)
    reporting.tell_site()
    with reporting.work() as work:
        work.execute(sa.update(store.site).values(timezone=None))  # as the release before has left it
    with pytest.raises(DomainError) as refused:
        reporting.report(date=None)
    assert refused.value.code == "parameter_invalid"
    assert [error["field"] for error in refused.value.details["errors"]] == ["date"]


def test_a_day_without_tickets_has_zeros_and_no_figures(reporting):
    reporting.tell_site()
    report = reporting.report()
    assert {report[count] for count in ("issued", *STATES)} == {0}
    assert report["wait_seconds"] == report["serve_seconds"] == NOTHING


def test_only_waiting_tickets_give_counts_and_no_figures(reporting):
    reporting.hear([*journey(), *journey()])
    report = reporting.report()
    assert (report["issued"], report["waiting"]) == (2, 2)
    assert report["wait_seconds"] == report["serve_seconds"] == NOTHING


def test_one_ticket_is_its_own_mean_and_percentiles(reporting):
    reporting.hear(served(61.5, 333.25))
    report = reporting.report()
    assert report["wait_seconds"] == {"mean": 61.5, "p50": 61.5, "p90": 61.5}
    assert report["serve_seconds"] == {"mean": 333.25, "p50": 333.25, "p90": 333.25}


def test_who_returned_to_the_queue_and_gave_up_was_called_once_and_counts(reporting):
    reporting.hear(journey(("ticket.called", 100), ("ticket.returned", 10), ("ticket.cancelled", 50)))
    assert reporting.report()["wait_seconds"]["mean"] == 150


def test_serving_that_the_close_of_day_cut_off_is_in_no_figure(reporting):
    reporting.hear(journey(("ticket.called", 100), ("ticket.serving_started", 10), ("ticket.expired", 5000)))
    report = reporting.report()
    assert (report["expired"], report["serve_seconds"]) == (1, NOTHING)


def test_a_void_number_never_entered_the_queue(reporting):
    reporting.hear([*journey(), *journey(status="void", periods=[])])
    assert reporting.report()["issued"] == 1


def test_other_sites_and_days_are_other_reports(reporting):
    reporting.hear([*served(60, 60), *served(70, 70, site="way-jepara"), *served(80, 80, business_date="2025-06-12")])
    assert reporting.report()["wait_seconds"]["mean"] == 60
    assert reporting.report(site="way-jepara")["wait_seconds"]["mean"] == 70
    assert reporting.report(date="2025-06-12")["wait_seconds"]["mean"] == 80


def test_a_site_of_which_only_tickets_have_told_has_no_name_yet(reporting):
    reporting.hear(journey())
    assert reporting.report()["site_name"] is None
    reporting.tell_site()
    assert reporting.report()["site_name"] == "MPP Lampung Timur"


def test_the_newest_name_of_a_site_stays_whatever_arrives_late(reporting):
    for version, name in ((2, "MPP Sukadana"), (4, "MPP Lampung Timur"), (3, "MPP Islamic Center")):
        reporting.tell_site(version, name)
    assert reporting.report()["site_name"] == "MPP Lampung Timur"


def test_an_unknown_site_is_refused(reporting):
    with pytest.raises(DomainError, match="site_unknown"):
        reporting.report(site="atlantis")


@pytest.fixture(scope="module")
def shared_reporting(new_reporting):
    """One regency for all examples of a property; each begins with empty tables."""
    return new_reporting()


@settings(max_examples=60)
@given(deliveries(most=8))
def test_figures_equal_those_of_another_calculation(shared_reporting, drawn):
    told, arriving = drawn
    shared_reporting.forget()
    shared_reporting.hear(arriving)
    report = shared_reporting.report()
    facts = [fact_of(happening.ticket) for happening in newest_known(told).values()]
    assert report["issued"] == len(facts) == sum(report[state] for state in STATES)
    for state in STATES:
        assert report[state] == sum(fact.status == state for fact in facts)
    assert_durations(report["wait_seconds"], [fact.wait_seconds for fact in facts if fact.walk_seconds is not None])
    assert_durations(report["first_call_seconds"], [fact.first_call_seconds for fact in facts if fact.first_called_at is not None])
    assert_durations(report["serve_seconds"], [fact.serve_seconds for fact in facts if fact.status == "completed"])
    assert_durations(
        report["visits"]["first_call_seconds"], [fact.first_call_seconds for fact in facts if fact.first_called_at is not None]
    )


def assert_durations(durations, seconds):
    if not seconds:
        assert durations == NOTHING
        return
    # a sample of one is its own percentile, of which Python's quantiles know nothing
    percentiles = statistics.quantiles(seconds * 2 if len(seconds) == 1 else seconds, n=10, method="inclusive")
    expected = {"mean": statistics.fmean(seconds), "p50": percentiles[4], "p90": percentiles[8]}
    assert durations == pytest.approx(expected, abs=0.0006)
