"""From a ticket's periods to its fact."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given

from services.contracts.examples import EXAMPLES
from services.contracts.ticketing import PublicTicket
from services.reporting.domain import fact_of, local_date, rounded, seconds_in
from tests.ticket_journeys import journey, journeys

pytestmark = pytest.mark.unit


def last_fact(*steps):
    return fact_of(journey(*steps)[-1].ticket)


def durations(fact):
    return fact.wait_seconds, fact.walk_seconds, fact.serve_seconds


class TestSeconds:
    def test_of_a_ticket_that_waits_are_not_counted_yet(self):
        assert durations(last_fact()) == (0.0, None, None)

    def test_are_those_between_the_events(self):
        completed = last_fact(("ticket.called", 600.5), ("ticket.serving_started", 45.25), ("ticket.completed", 300))
        assert durations(completed) == (600.5, 45.25, 300.0)

    def test_are_summed_over_returns_to_the_queue(self):
        fact = last_fact(
            *(("ticket.called", 100), ("ticket.serving_started", 10), ("ticket.returned", 30)),
            *(("ticket.called", 50), ("ticket.no_show", 60), ("ticket.rejoined", 500)),
            *(("ticket.called", 25), ("ticket.serving_started", 5), ("ticket.completed", 200)),
        )
        assert durations(fact) == (100 + 50 + 25, 10 + 60 + 5, 30 + 200)

    def test_of_a_hold_belong_to_no_figure(self):
        fact = last_fact(
            *(("ticket.called", 100), ("ticket.serving_started", 10), ("ticket.held", 30)),
            *(("ticket.resumed", 1000), ("ticket.completed", 20)),
        )
        assert durations(fact) == (100, 10, 50)

    def test_of_a_recall_go_on_as_walking(self):
        assert durations(last_fact(("ticket.called", 9), ("ticket.recalled", 60), ("ticket.no_show", 30))) == (9, 90, None)

    def test_of_who_was_never_called_have_no_walk(self):
        assert durations(last_fact(("ticket.cancelled", 77))) == (77, None, None)
        assert durations(last_fact(("ticket.expired", 3600))) == (3600, None, None)

    def test_are_none_for_a_ticket_that_never_entered_the_queue(self):
        reserved = {**journey()[0].ticket, "status": "void", "periods": []}
        assert durations(fact_of(reserved)) == (None, None, None)

    def test_are_exact_to_the_microsecond_however_many_periods(self):
        thousand = [
            {
                "state": "waiting",
                "started_at": "2025-06-11T08:00:00.000000+07:00",
                "ended_at": "2025-06-11T08:00:00.100001+07:00",
            }
        ] * 1000
        assert seconds_in("waiting", thousand) == 100.001

    def test_do_not_care_about_the_offset_in_which_a_time_is_written(self):
        period = {"state": "called", "started_at": "2025-06-11T08:00:00+07:00", "ended_at": "2025-06-11T01:00:30Z"}
        assert seconds_in("called", [period]) == 30.0

    def test_never_fall_below_nothing_when_clocks_differ(self):
        backwards = {"state": "waiting", "started_at": "2025-06-11T08:00:01Z", "ended_at": "2025-06-11T08:00:00.9Z"}
        onwards = {"state": "waiting", "started_at": "2025-06-11T08:00:00Z", "ended_at": "2025-06-11T08:00:05Z"}
        assert seconds_in("waiting", [backwards, onwards]) == 5.0


class TestFact:
    def test_keeps_what_the_published_example_says(self):
        fact = fact_of(EXAMPLES["ticketing"]["ticket.completed"]["ticket"])
        assert (fact.site, fact.agency, fact.service, fact.channel, fact.lane) == ("sukadana", "CPL", "CPL-KTP", "kiosk", "regular")
        assert (fact.status, fact.outcome, fact.version) == ("completed", "papers_missing", 4)
        assert fact.business_date == date(2025, 6, 11)
        assert fact.visit == "6b2c8d1e-3f47-4a90-8c15-2e9d0a7b6c5d"
        assert fact.issued_at == datetime(2025, 6, 11, 1, 2, 11, 480000, tzinfo=UTC)
        assert durations(fact) == (1168.632, 44.889, 697.729)
        assert (fact.arrived_at, fact.first_call_seconds) == (fact.issued_at, 1168.632)
        assert fact.first_called_at == datetime(2025, 6, 11, 1, 21, 40, 112000, tzinfo=UTC)
        assert fact.ended_at == datetime(2025, 6, 11, 1, 34, 2, 730000, tzinfo=UTC)

    @given(journeys())
    def test_never_takes_back_a_second_as_the_ticket_goes_on(self, way):
        facts = [(happening.type, durations(fact_of(PublicTicket().load(happening.ticket)))) for happening in way]
        for (_, before), (told, after) in pairwise(facts):
            wait_walk_serve = zip(before, after, strict=True)
            assert told == "ticket.call_undone" or all(new >= old for old, new in wait_walk_serve if old is not None)

    @given(journeys())
    def test_keeps_the_first_call_whatever_follows_unless_it_is_undone(self, way):
        facts = [(happening.type, fact_of(happening.ticket)) for happening in way]
        for (_, before), (told, after) in pairwise(facts):
            if before.first_called_at is not None and told != "ticket.call_undone":
                assert (after.first_called_at, after.first_call_seconds) == (before.first_called_at, before.first_call_seconds)

    @given(journeys())
    def test_has_an_end_when_nothing_follows_by_itself(self, way):
        last = way[-1]
        fact = fact_of(last.ticket)
        assert (fact.ended_at is None) == (last.ticket["status"] in ("waiting", "called", "serving", "on_hold"))
        assert fact.ended_at is None or fact.ended_at == last.at

    @given(journeys())
    def test_holds_no_more_than_the_life_of_the_ticket(self, way):
        lived = (way[-1].at - way[0].at).total_seconds()
        assert sum(part or 0 for part in durations(fact_of(way[-1].ticket))) <= lived + 1e-6


def test_published_seconds_have_three_decimals():
    assert rounded(None) is None
    assert rounded(1 / 3) == 0.333
    assert rounded(2.0) == 2.0


@pytest.mark.parametrize(
    ("instant", "timezone", "day"),
    [
        (datetime(2025, 6, 10, 16, 59, 59, tzinfo=UTC), "Asia/Jakarta", date(2025, 6, 10)),
        (datetime(2025, 6, 10, 17, 0, tzinfo=UTC), "Asia/Jakarta", date(2025, 6, 11)),
        (datetime(2025, 6, 10, 16, 0, tzinfo=UTC), "Asia/Makassar", date(2025, 6, 11)),
        (datetime(2025, 6, 10, 15, 0, tzinfo=UTC), "Asia/Jayapura", date(2025, 6, 11)),
    ],
)
def test_today_is_the_date_at_the_site(instant, timezone, day):
    assert local_date(instant, timezone) == day
