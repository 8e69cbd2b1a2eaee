"""One fact per ticket, of its newest version, however its events arrive."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import permutations

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from sqlalchemy.exc import ProgrammingError

from services.chassis.database import Database
from services.chassis.errors import PermanentFailure
from services.chassis.inbox import Inbox
from services.contracts.events import load_event
from services.contracts.subscriptions import REPORTING_TICKETING
from services.reporting import usecases
from services.reporting.domain import fact_of
from tests.ticket_journeys import deliveries, journey, newest_known

pytestmark = pytest.mark.integration

SERVED = (("ticket.called", 600), ("ticket.serving_started", 30), ("ticket.completed", 300))


def recomputed(told):
    """The facts that the raw events amount to, calculated without any table."""
    newest = newest_known(told)
    return {ticket: asdict(fact_of(load_event(last.type, {"ticket": last.ticket})["ticket"])) for ticket, last in newest.items()}


@pytest.fixture(scope="module")
def shared_reporting(new_reporting):
    """One regency for all examples of a property; each begins with empty tables."""
    return new_reporting()


@settings(max_examples=80)
@given(deliveries())
def test_stored_facts_equal_a_recomputation_from_the_raw_events(shared_reporting, drawn):
    told, arriving = drawn
    shared_reporting.forget()
    half = len(arriving) // 2
    shared_reporting.hear(arriving[:half])
    shared_reporting.hear(arriving[half:])
    assert shared_reporting.facts() == recomputed(told)


def test_every_order_of_a_journey_ends_in_the_same_fact(reporting):
    told = journey(*SERVED)
    expected = recomputed(told)
    for order in permutations(told):
        reporting.forget()
        reporting.hear(order)
        assert reporting.facts() == expected


def test_an_older_version_changes_nothing(reporting):
    issued, called, *_ = journey(*SERVED)
    reporting.hear([called])
    before = reporting.facts()
    reporting.hear([issued])
    assert reporting.facts() == before


def test_the_inbox_passes_an_event_on_once(reporting):
    envelope = journey()[0].envelope(reporting.regency)
    assert [reporting.inbox.receive(envelope) for _ in range(3)] == ["handled", "duplicate", "duplicate"]
    assert len(reporting.facts()) == 1


def test_two_replicas_that_hear_everything_twice_in_opposite_order_agree(reporting, login_url):
    told = [happening for _ in range(12) for happening in journey(*SERVED)]
    envelopes = [happening.envelope(reporting.regency) for happening in told]
    other = Database("reporting", login_url)
    replicas = [Inbox(database, REPORTING_TICKETING.queue, usecases.apply_ticket_events) for database in (reporting.database, other)]
    with ThreadPoolExecutor(4) as pool:
        orders = (envelopes, envelopes[::-1], envelopes[::-1], envelopes)
        outcomes = [
            outcome
            for heard in pool.map(lambda one: [one[0].receive(envelope) for envelope in one[1]], zip(replicas * 2, orders, strict=True))
            for outcome in heard
        ]
    other.close()
    assert outcomes.count("handled") == len(told)
    assert outcomes.count("duplicate") == 3 * len(told)
    assert reporting.facts() == recomputed(told)


def test_an_event_type_of_a_newer_release_is_passed_over(reporting):
    told = journey(("ticket.called", 60), ("ticket.returned", 20), ("ticket.called", 30))
    newer = replace(told[2], type="ticket.teleported")
    reporting.hear([*told[:2], newer])
    assert [fact["status"] for fact in reporting.facts().values()] == ["called"]
    reporting.hear(told[3:])
    assert [fact["wait_seconds"] for fact in reporting.facts().values()] == [90]


def test_an_event_that_breaks_its_contract_becomes_a_dead_letter(reporting):
    issued = journey()[0]
    broken = replace(issued, ticket={**issued.ticket, "status": "lost"})
    with pytest.raises(PermanentFailure):
        reporting.hear([broken])
    assert reporting.inbox.receive(broken.envelope(reporting.regency)) == "dead"
    assert reporting.facts() == {}


def test_regencies_are_apart(new_reporting):
    here, there = new_reporting(), new_reporting()
    told = journey(*SERVED)
    here.hear(told)
    there.hear(told[:1])
    assert [fact["status"] for fact in here.facts().values()] == ["completed"]
    assert [fact["status"] for fact in there.facts().values()] == ["waiting"]
    schema = there.regency.replace("-", "_")
    with pytest.raises(ProgrammingError, match="permission denied"), here.work() as work:
        work.execute(sa.text(f"SELECT * FROM {schema}.ticket_fact"))
