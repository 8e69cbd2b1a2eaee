"""What reporting says of a day equals what ticketing's own rows amount to, however the events between them travel.

A real day is played at ticketing with random commands; its events reach two replicas of reporting at the same moment,
some twice and in any order, and are told once more from the log afterwards. Then the figures are counted again in plain
Python from ticketing's table.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.chassis.database import Database
from services.chassis.inbox import Inbox
from services.contracts.subscriptions import REPORTING_TICKETING
from services.reporting import store, usecases
from services.ticketing import store as ticketing_store
from tests.integration.reporting.conftest import Reporting
from tests.integration.ticketing.mall import Mall, SettableClock
from tests.integration.ticketing.province import MIDNIGHT, Province, close
from tests.recounting import by, fate, recounted, same, visits

pytestmark = pytest.mark.integration

STEPS = (
    *(
        "issue",
        "issue",
        "issue",
        "visit",
        "call_next",
        "call_next",
        "start",
        "start",
        "complete",
        "complete",
        "recall",
        "no_show",
        "cancel",
    ),
    *("hold", "resume", "undo_call", "send_back", "rejoin", "transfer", "prioritise", "print", "confirm", "give_up"),
)

ANY: Mapping[str, Callable[[Mall, dict[str, Any]], Any]] = {
    "cancel": lambda mall, ticket: mall.cancel(ticket),
    "prioritise": lambda mall, ticket: mall.prioritise(ticket, "elderly"),
    "confirm": lambda mall, ticket: mall.confirm(ticket),
    "give_up": lambda mall, ticket: mall.confirm(ticket, printed=False),
}
"""Steps with any ticket, whether it is at a counter or not."""

_sites = itertools.count(1)


@pytest.fixture(scope="module")
def far_apart(postgres_server, provisioner, login_url):
    """Ticketing and two replicas of reporting for one regency, each service with a database of its own."""
    province = Province(postgres_server)
    regency = province.regency()
    provisioner.add_regency(regency, {})
    replicas = [Reporting(Database("reporting", login_url), regency) for _ in range(2)]
    yield province, regency, replicas
    for opened in (*province.replicas, *(replica.database for replica in replicas)):
        opened.close()


def play(mall: Mall, steps: int, chance: random.Random) -> None:
    """Let random things happen at two counters, up to twenty minutes apart; what the rules of the queue refuse does not."""
    tickets: list[dict[str, Any]] = []
    at_counter: dict[str, dict[str, Any] | None] = {mall.first: None, mall.counter(2, mall.ktp, mall.kk): None}
    for _ in range(steps):
        clock_of(mall).pass_by(milliseconds=chance.randint(0, 1_200_000))
        step, counter = chance.choice(STEPS), chance.choice(list(at_counter))
        try:
            if step == "issue":
                tickets.append(mall.take(chance.choice((mall.ktp, mall.kk)), chance.choice((None, None, "elderly"))))
            elif step == "call_next":
                at_counter[counter] = mall.call_next(counter) or at_counter[counter]
            elif step == "visit":
                tickets.append(mall.take(mall.ktp, then=[mall.kk]))
            elif step == "print":
                tickets.append(mall.take(mall.ktp, channel="kiosk", print=True))
            elif step in ANY and tickets:
                ANY[step](mall, chance.choice(tickets))
            elif step == "transfer" and (ticket := at_counter[counter]):
                tickets.append(mall.transfer(ticket, chance.choice((mall.ktp, mall.kk))))
            elif step not in {*ANY, "transfer"} and (ticket := at_counter[counter]):
                getattr(mall, step)(ticket)
        except Exception as refused:
            if not hasattr(refused, "code"):
                raise


def clock_of(mall: Mall) -> SettableClock:
    assert isinstance(mall.clock, SettableClock)
    return mall.clock


def rows_of(mall: Mall) -> list[dict[str, Any]]:
    """Ticketing's own rows of a site."""
    with mall.database.regency_work(mall.regency) as work:
        found = work.execute(sa.select(ticketing_store.ticket).where(ticketing_store.ticket.c.site == mall.site))
        return [dict(row) for row in found.mappings()]


def hear(replica: Reporting, envelopes: list[Any]) -> None:
    inbox = Inbox(replica.database, REPORTING_TICKETING.queue, usecases.apply_ticket_events)
    for envelope in envelopes:
        assert inbox.receive(envelope) in ("handled", "duplicate")


@settings(max_examples=40)
@given(st.integers(10, 70), st.booleans(), st.integers(0, 2**32))
def test_figures_equal_a_count_of_the_raw_tickets(far_apart, steps, closes, seed):
    province, regency, replicas = far_apart
    chance = random.Random(seed)
    province.clock.instant = MIDNIGHT - timedelta(hours=15)
    mall = province.mall(regency, id=f"mal-{next(_sites)}")
    play(mall, steps, chance)
    if closes:
        province.clock.instant = MIDNIGHT + timedelta(seconds=1)
        close(mall)
    told = mall.events()
    event(f"about {len(told) // 10 * 10} events")
    deliveries = []
    for _ in replicas:
        delivered = [*told, *chance.sample(told, chance.randint(0, len(told)))]
        chance.shuffle(delivered)
        deliveries.append(delivered)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hear, replicas, deliveries))
    compare(replicas[0], mall)


def compare(replica: Reporting, mall: Mall) -> None:
    told = [row for row in rows_of(mall) if row["status"] != "printing"]  # of a slip that is being printed nobody has heard
    rows = [{**row, "lane": "regular" if row["priority_class"] is None else "priority"} for row in told]
    for (day,), of_day in by(rows, "business_date").items():
        queued = [row for row in of_day if any(period["state"] == "waiting" for period in row["periods"])]
        report = replica.report(site=mall.site, date=day.isoformat())
        assert same(report, recounted(queued)), (report, recounted(queued))
        assert same(report["visits"], visits(of_day)), (report["visits"], visits(of_day))
        for part, names in (("by_agency", ("agency",)), ("by_service", ("agency", "service")), ("by_lane", ("lane",))):
            counted = {key: recounted(some) for key, some in by(queued, *names).items()}
            assert [tuple(one[name] for name in names) for one in report[part]] == sorted(counted, reverse=part == "by_lane")
            for one in report[part]:
                assert same(one, counted[tuple(one[name] for name in names)]), one
        for service in {row["service"] for row in queued}:
            asked = replica.report(site=mall.site, date=day.isoformat(), service=service)
            assert same(asked, recounted([row for row in queued if row["service"] == service]))
            assert same(asked["visits"], visits(of_day, service)), asked["visits"]
        served = {row["visit"] for row in queued if row["status"] == "completed"}
        assert replica.skm(day.isoformat(), day.isoformat(), site=mall.site)["sample"]["population"] == len(served)


def test_a_long_day_in_which_visits_of_several_numbers_end_in_every_way(far_apart):
    province, regency, (reporting, _) = far_apart
    province.clock.instant = MIDNIGHT - timedelta(hours=100)
    mall = province.mall(regency, id=f"mal-{next(_sites)}")
    for seed in range(3):
        play(mall, 120, random.Random(seed))
        province.clock.instant += timedelta(hours=2)
    hear(reporting, mall.events())
    compare(reporting, mall)
    several = [legs for legs in by(rows_of(mall), "visit").values() if len(legs) > 1]
    ends = {fate(legs) for legs in several if len({leg["periods"][-1]["started_at"] for leg in legs}) > 1}
    assert ends >= {"open", "finished"}, "otherwise the day shows nothing"


def test_projections_that_are_emptied_and_told_again_from_the_log_are_the_same_and_answers_stay(far_apart):
    province, regency, (reporting, _) = far_apart
    province.clock.instant = MIDNIGHT - timedelta(hours=15)
    mall = province.mall(regency, id=f"mal-{next(_sites)}")
    play(mall, 160, random.Random(7))
    hear(reporting, mall.events())
    served = next(row for row in mall.tickets() if row["status"] == "completed")
    reporting.answer(served, "Baik")
    before, facts = reporting.skm(served["business_date"], served["business_date"], site=mall.site), reporting.facts()
    with reporting.work() as work:
        for table in itertools.chain.from_iterable(store.PROJECTIONS.values()):
            work.execute(sa.delete(table))
    reporting.hear_again(mall.events())
    again = reporting.facts()
    assert again == {ticket: fact for ticket, fact in facts.items() if fact["site"] == mall.site}
    assert reporting.skm(served["business_date"], served["business_date"], site=mall.site) == before
    assert before["respondents"] == 1
