"""How far first estimates were off, worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.ticket_journeys import journey

pytestmark = pytest.mark.integration

NO_LONG_WAIT = {
    "compared": 0,
    "median_absolute_error_seconds": None,
    "median_absolute_error_percent": None,
    "bias_seconds": None,
    "within_25_percent": None,
}


def called(told: int | None, waited: float, **differing: Any) -> Any:
    """A ticket that was told a wait and called after another one."""
    return journey(("ticket.called", waited), first_estimate_seconds=told, **differing)


def observed(regency: str, told: str) -> tuple[float | None, float | None]:
    """Count and sum of the errors that the metric shows for a regency."""
    labels = {"regency": regency, "told": told}
    name = "mpp_ticket_estimate_error_seconds"
    return REGISTRY.get_sample_value(f"{name}_count", labels), REGISTRY.get_sample_value(f"{name}_sum", labels)


def test_a_worked_example(reporting):
    # Errors: +60 of 120; -200 of 800 (25 %); +240 of 960 (25 %); -500 of 1000 (50 %); and 600 s is not yet a long wait.
    told = [*called(180, 120), *called(600, 800), *called(1200, 960), *called(500, 1000), *called(300, 600)]
    told += [*called(None, 700), *journey(("ticket.cancelled", 50), first_estimate_seconds=90), *journey(first_estimate_seconds=0)]
    reporting.hear(told)
    assert reporting.report()["estimates"] == {
        "compared": 5,
        "not_called": 2,
        "not_estimated": 1,
        "median_absolute_error_seconds": 240.0,  # of 60 200 240 300 500
        "bias_seconds": -140.0,  # (60 - 200 + 240 - 500 - 300) / 5
        "above_ten_minutes": {
            "compared": 3,
            "median_absolute_error_seconds": 240.0,
            "median_absolute_error_percent": 25.0,
            "bias_seconds": -153.333,  # (-200 + 240 - 500) / 3
            "within_25_percent": 66.667,
        },
    }


def test_agencies_services_and_lanes_have_errors_of_their_own(reporting):
    reporting.hear([*called(100, 160), *called(100, 90, agency="POL", service="POL-SKCK", lane="priority")])
    report = reporting.report()
    errors = [[one["estimates"]["bias_seconds"] for one in report[part]] for part in ("by_agency", "by_service", "by_lane")]
    assert errors == [[-60, 10], [-60, 10], [-60, 10]]
    assert reporting.report(agency="POL")["estimates"]["bias_seconds"] == 10
    assert reporting.report(service="CPL-KTP")["estimates"] == {
        "compared": 1,
        "not_called": 0,
        "not_estimated": 0,
        "median_absolute_error_seconds": 60.0,
        "bias_seconds": -60.0,
        "above_ten_minutes": NO_LONG_WAIT,
    }


def test_it_is_the_first_call_that_counts_and_none_that_was_undone(reporting):
    reporting.hear(
        journey(
            *(("ticket.called", 60), ("ticket.call_undone", 20), ("ticket.called", 220), ("ticket.no_show", 60)),
            *(("ticket.rejoined", 100), ("ticket.called", 900)),
            first_estimate_seconds=360,
        )
    )
    estimates = reporting.report()["estimates"]
    assert (estimates["compared"], estimates["bias_seconds"]) == (1, 60)


def test_who_was_called_at_once_divides_by_nothing(reporting):
    reporting.hear(called(30, 0))
    estimates = reporting.report()["estimates"]
    assert (estimates["median_absolute_error_seconds"], estimates["above_ten_minutes"]) == (30, NO_LONG_WAIT)


def test_the_metric_shows_each_first_call_once_and_nothing_that_is_replayed(reporting):
    told = [*called(100, 160), *called(100, 90)]
    told += journey(
        ("ticket.called", 45), ("ticket.returned", 10), ("ticket.called", 500), ("ticket.recalled", 60), first_estimate_seconds=60
    )
    told += called(None, 80)
    envelopes = [happening.envelope(reporting.regency) for happening in told]
    for envelope in [*envelopes, *reversed(envelopes)]:
        assert reporting.inbox.receive(envelope) in ("handled", "duplicate")
    reporting.hear_again([replace(envelope, replayed=True) for envelope in envelopes])
    assert observed(reporting.regency, "less") == (1, 60)
    assert observed(reporting.regency, "more") == (2, 25)
