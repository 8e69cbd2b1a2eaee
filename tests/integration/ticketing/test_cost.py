"""The cost of a command does not grow with the past: counted in rows that PostgreSQL touches, not in time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from services.chassis.context import CallContext
from services.chassis.database import UnitOfWork
from services.chassis.round_trips import batching
from services.chassis.tenancy import schema_of
from services.ticketing import store, usecases
from tests.integration.ticketing.mall import SECRET
from tests.messages import watched

pytestmark = pytest.mark.integration

PAST, WAITING = 20_000, 60

_PAST_TICKETS = sa.text("""
    WITH visits AS (
        INSERT INTO visit (id, site, business_date, arrived_at)
        SELECT gen_random_uuid(), :site, DATE '2026-03-10' - n / 200,
            TIMESTAMPTZ '2026-03-10 01:00+00' - n / 200 * INTERVAL '1 day' + n % 200 * INTERVAL '1 minute'
        FROM generate_series(0, :count - 1) n
        RETURNING *
    ), numbered AS (
        SELECT *, row_number() OVER (PARTITION BY business_date ORDER BY arrived_at) AS number FROM visits
    )
    INSERT INTO ticket (id, visit, site, business_date, agency, service, prefix, number, channel, status,
        priority_class, arrived_at, issued_at, counter, recalls, returns, outcome, periods, version)
    SELECT gen_random_uuid(), id, site, business_date, 'CPL', :service, 'A', number, 'kiosk',
        (ARRAY['completed', 'completed', 'no_show', 'cancelled', 'expired'])[1 + number % 5],
        CASE WHEN number % 9 = 0 THEN 'elderly' END, arrived_at, arrived_at, :counter, 0, 0, NULL, '[]', 4
    FROM numbered
""")


class Rollback(Exception):
    """Undoes what was tried."""


@dataclass
class Plan:
    """How PostgreSQL has run one statement."""

    root: dict[str, Any]

    def nodes(self, node: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        node = node or self.root
        yield node
        for inner in node.get("Plans", ()):
            yield from self.nodes(inner)

    @property
    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def tickets_touched(self) -> int:
        touched = 0
        for node in self.nodes():
            if node.get("Relation Name") == "ticket" or node.get("Index Name", "").startswith("ticket_"):
                rows = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
                touched += int(rows * node["Actual Loops"])
        return touched


@pytest.fixture(scope="module")
def admin(postgres_server, login_url) -> Iterator[sa.Engine]:
    """The administrator of ticketing's database."""
    name = sa.make_url(login_url).database or ""
    engine = sa.create_engine(sa.make_url(postgres_server.url(name)).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def old_mall(new_mall, new_regency, admin):
    """A site with 100 days behind it and a queue of today, of which PostgreSQL knows the statistics."""
    mall = new_mall(regency=new_regency())
    mall.ktp, mall.kk = mall.agency("CPL", "A", "KTP", "KK")
    mall.first = mall.counter(1, mall.ktp, mall.kk, agency="CPL")
    with mall.database.regency_work(mall.regency, timeout=60) as work:
        work.execute(_PAST_TICKETS, {"site": mall.site, "service": mall.ktp, "counter": mall.first, "count": PAST})
    for number in range(WAITING):
        mall.take(mall.kk if number % 3 == 0 else mall.ktp, "elderly" if number % 10 == 0 else None)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"ANALYZE {schema_of(mall.regency)}.ticket"))
    return mall


def plans(mall, messages: list[list[Any]], act: Callable[[UnitOfWork], Any], mode: str = "force_custom_plan") -> list[Plan]:
    """Run something, and again statement by statement with EXPLAIN ANALYZE; nothing of it stays.

    :param mode: ``force_generic_plan``: as PostgreSQL runs what it has prepared, whatever the values are.
    """

    def run(work: UnitOfWork) -> None:
        work.later = lambda statement, parameters, **_: work.execute(statement, parameters)  # type: ignore[method-assign, assignment]
        act(work)

    def explain(work: UnitOfWork) -> None:
        work.execute(sa.text("SELECT set_config('plan_cache_mode', :mode, true)"), {"mode": mode})
        found.extend(Plan(explained(batching(work.connection), statement)) for statement in statements)

    found: list[Plan] = []
    for part in (run, explain):
        messages.clear()
        with suppress(Rollback), mall.database.regency_work(mall.regency, context=CallContext(mall.regency, mall.actor("officer"))) as work:
            part(work)
            raise Rollback
        if part is run:
            statements = [message[-1] for message in messages]
    assert len(found) == len(statements) > 0
    return found


def explained(connection: psycopg.Connection, statement: Any) -> dict[str, Any]:
    """Return how PostgreSQL runs a statement with its values."""
    explain = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "
    if statement.scope is None:
        result = connection.pgconn.exec_params(explain + statement.text, statement.values, statement.types, statement.formats)
    else:
        connection.pgconn.prepare(b"explained", statement.text, statement.types)
        given = b", ".join(sql.Literal(None if value is None else bytes(value).decode()).as_bytes(connection) for value in statement.values)
        result = connection.pgconn.exec_(explain + b"EXECUTE explained" + (b"(%s)" % given if given else b""))
        connection.pgconn.exec_(b"DEALLOCATE explained")
    [plan] = json.loads(result.get_value(0, 0) or b"")
    return plan["Plan"]


TODAY = date(2026, 3, 11)

ACTS: dict[str, tuple[Callable[..., Any], set[str], int]] = {
    "next of one service": (
        lambda mall, _, work: store.next_and_at_counter(work, mall.site, TODAY, [mall.ktp], mall.first),
        {"ticket_queue"},
        1,
    ),
    "next of several services": (
        lambda mall, _, work: usecases.call_next(work, {"counter": mall.first}),
        {"ticket_queue", "ticket_called_at_counter", "ticket_serving_at_counter"},
        4,
    ),
    "a number": (
        lambda mall, _, work: usecases.issue_ticket(
            work, {"site": mall.site, "service": mall.ktp, "channel": "kiosk", "priority_class": None, "then": [], "print": False}
        ),
        {"ticket_queue"},
        WAITING + 2,
    ),
    "a certain ticket": (lambda mall, ticket, work: usecases.call_ticket(work, {"id": ticket, "counter": mall.first}), {"ticket_pkey"}, 3),
    "one ticket with its position": (
        lambda mall, ticket, work: usecases.get_ticket(work, {"id": ticket}, SECRET),
        {"ticket_queue"},
        WAITING + 1,
    ),
    "a page of today": (
        lambda mall, _, work: usecases.list_tickets(work, {"limit": 10, "site": mall.site, "date": "2026-03-11"}),
        {"ticket_of_day"},
        11 * (WAITING + 1),
    ),
    "a page of those who wait": (
        lambda mall, _, work: usecases.list_tickets(work, {"limit": 10, "site": mall.site, "status": "waiting"}),
        {"ticket_queue"},
        12 * (WAITING + 1),
    ),
    "the first page of all": (lambda mall, _, work: usecases.list_tickets(work, {"limit": 10}), {"ticket_listing"}, 11),
    "the turn before all others": (lambda mall, _, work: store.first_turn(work, mall.site, TODAY), {"ticket_of_day"}, WAITING),
    "slips that never came out": (lambda mall, _, work: store.printing(work, 500), {"ticket_printing"}, 0),
    "the close of day": (lambda mall, _, work: store.open_tickets(work, mall.site, TODAY, 500), {"ticket_open"}, WAITING),
    "how many expired": (lambda mall, _, work: store.expired_count(work, mall.site, TODAY), {"ticket_of_day"}, WAITING),
    "the gauges": (lambda mall, _, work: store.sites_now(work), {"ticket_of_day"}, WAITING),
}
"""What is done, which indexes it must use, and how many tickets it may touch at most."""


def test_no_command_reads_the_past(old_mall, monkeypatch):
    """One test for all, because making a past takes longer than looking at every plan."""
    messages = watched(monkeypatch)
    ticket = old_mall.tickets(date="2026-03-11")[WAITING // 2]["id"]
    for mode, (name, (act, indexes, most)) in product(("force_custom_plan", "force_generic_plan"), ACTS.items()):
        found = plans(old_mall, messages, partial(act, old_mall, ticket), mode)
        used = {index for plan in found for index in plan.indexes}
        assert indexes <= used, f"{name} uses {used} ({mode})"
        assert sum(plan.tickets_touched for plan in found) <= most, f"{name} ({mode})"
    [scan] = plans(old_mall, messages, lambda work: work.execute(sa.text("SELECT count(*) FROM ticket WHERE returns = 7")))
    assert scan.tickets_touched >= PAST, "what is counted here would not show a scan"


def test_a_command_takes_few_round_trips(new_mall, new_regency, monkeypatch):
    messages = watched(monkeypatch)
    mall = new_mall(regency=new_regency())
    [ktp] = mall.agency("CPL", "A", "KTP")
    counter = mall.counter(1, ktp, agency="CPL")
    for _ in range(2):  # the first opens the day and begins the service's pace
        trips = {}
        for name, act in (
            ("issue", lambda: mall.take(ktp, command_id=uuid.uuid4().hex)),
            ("call", lambda: mall.call_next(counter)),
            ("start", lambda: mall.start(mall.called)),
            ("complete", lambda: mall.complete(mall.called)),
        ):
            messages.clear()
            mall.called = act()
            trips[name] = len(messages)
    assert trips == {"issue": 3, "call": 3, "start": 2, "complete": 2}, "with COMMIT"
