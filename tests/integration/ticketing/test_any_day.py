"""Any day at a site: commands in any order by several actors, one after the other against a model, and all at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from services.chassis.context import Actor
from services.ticketing import domain, rounds, usecases
from services.ticketing.domain import TRANSITIONS
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import CITIZEN, MORNING, SECRET, Mall, SettableClock, SkewedClock, together

pytestmark = pytest.mark.integration

AGENCIES = {"A": ("KTP", "KK"), "B": ("INF",)}
PRIORITIES = (None, None, None, "elderly", "disability")
STEPS = {
    "recall": "recall",
    "start": "start",
    "complete": "complete",
    "no_show": "no-show",
    "cancel": "cancel",
    "hold": "hold",
    "resume": "resume",
    "undo_call": "undo-call",
    "send_back": "return",
    "rejoin": "rejoin",
}
TO_THE_QUEUE = {"resume", "undo_call", "send_back", "rejoin", "transfer"}
"""What is refused once midnight has ended the queue."""
"""Method of the site under test: command of the state table."""

RULES = {
    *("ticket_state_conflict", "counter_busy", "counter_does_not_serve", "agency_forbidden"),
    *("recall_limit_reached", "day_closed", "undo_too_late", "rejoin_limit_reached", "transfer_to_itself"),
}
"""What may be refused; a deadlock, a timeout or a fault may not happen."""

_names = itertools.count(1)


class Building:
    """A site with two agencies, a counter for each and one for both, and officers of one agency, the other, and all."""

    def __init__(self, mall: Mall) -> None:
        self.mall = mall
        name = f"{next(_names):04d}"
        codes = {prefix: f"{prefix}{name}" for prefix in AGENCIES}
        self.services = [service for prefix, services in AGENCIES.items() for service in mall.agency(codes[prefix], prefix, *services)]
        own = {prefix: [service for service in self.services if domain.agency_of(service) == codes[prefix]] for prefix in AGENCIES}
        self.counters = {
            mall.counter(1, *own["A"], agency=codes["A"]): own["A"],
            mall.counter(2, *own["B"], agency=codes["B"]): own["B"],
            mall.counter(3, *self.services): self.services,
        }
        self.officers = [mall.actor("officer"), mall.actor("officer", codes["A"]), mall.actor("officer", codes["B"])]


@dataclass
class Expected:
    """What the model knows of a ticket."""

    id: str
    service: str
    day: date
    regular: bool
    order: int
    arrival: int
    status: str = "waiting"
    before: str = ""
    counter: str | None = None
    called_at: datetime | None = None
    recalls: int = 0
    no_shows: int = 0
    version: int = 1

    def do(self, command: str) -> None:
        targets = TRANSITIONS[command].moves[self.status]
        (target,) = targets if len(targets) == 1 else {self.before}
        self.before, self.status = self.status, target
        self.version += 1
        self.recalls = self.recalls + 1 if command == "recall" else 0 if command in ("call", "undo-call") else self.recalls
        self.no_shows += command == "no-show"
        if target == "waiting":
            self.counter = None

    @property
    def turn(self) -> tuple[bool, int]:
        return self.regular, self.order

    @property
    def at_counter(self) -> bool:
        return self.status in ("called", "serving")


class AnyDay(RuleBasedStateMachine):
    """Does random commands and predicts what each of them answers."""

    open_mall: Callable[..., Mall]
    clock: SettableClock

    @initialize(call_while_serving=st.booleans(), max_recalls=st.integers(0, 2))
    def open(self, call_while_serving: bool, max_recalls: int) -> None:
        self.clock.instant = MORNING
        self.policy = {"call_while_serving": call_while_serving, "max_recalls": max_recalls}
        self.mall = self.open_mall(policy=self.policy)
        self.building = Building(self.mall)
        self.counters = list(self.building.counters)
        self.tickets: list[Expected] = []
        self.numbers: dict[tuple[date, str], int] = {}
        self.last_turn = 0

    @property
    def today(self) -> date:
        return domain.business_date(self.clock.now(), "Asia/Jakarta")

    @rule(service=st.integers(0, 2), priority_class=st.sampled_from(PRIORITIES))
    def take(self, service: int, priority_class: str | None) -> None:
        chosen = self.building.services[service]
        series = (self.today, domain.agency_of(chosen))
        self.numbers[series] = self.numbers.get(series, 0) + 1
        issued = self.mall.take(chosen, priority_class)
        assert int(issued["number"].partition("-")[2]) == self.numbers[series]
        self.last_turn += 1
        new = Expected(issued["id"], chosen, self.today, priority_class is None, self.last_turn, self.last_turn)
        ahead = [each for each in self.waiting([chosen]) if each.turn < new.turn]
        assert issued["position"] == len(ahead) + 1
        self.tickets.append(new)

    def waiting(self, services: list[str]) -> list[Expected]:
        found = [each for each in self.tickets if each.status == "waiting" and each.day == self.today and each.service in services]
        return sorted(found, key=lambda each: each.turn)

    @rule(counter=st.integers(0, 2), officer=st.integers(0, 2))
    def call_next(self, counter: int, officer: int) -> None:
        at, actor = self.counters[counter], self.building.officers[officer]
        services = [service for service in self.building.counters[at] if self.acts_for(actor, service)]
        if not services:
            return self.expect("agency_forbidden", self.mall.call_next, at, actor)
        if not any(each.day == self.today for each in self.tickets):
            assert self.mall.call_next(at, actor) is None
            return None
        if self.meets_busy_counter(at):
            return self.expect("counter_busy", self.mall.call_next, at, actor)
        called = self.mall.call_next(at, actor)
        first = next(iter(self.waiting(services)), None)
        assert (called and called["id"]) == (first and first.id)
        if first is not None:
            self.leave_yesterday(at)
            first.do("call")
            first.counter, first.called_at = at, self.clock.now()
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30), counter=st.integers(0, 2))
    def call_ticket(self, ticket: int, counter: int) -> None:
        chosen, at = self.tickets[ticket % len(self.tickets)], self.counters[counter]
        facts = {"id": chosen.id}
        if chosen.service not in self.building.counters[at]:
            return self.expect("counter_does_not_serve", self.mall.call_ticket, facts, at)
        if chosen.status != "waiting":
            return self.expect("ticket_state_conflict", self.mall.call_ticket, facts, at)
        if chosen.day != self.today:
            return self.expect("day_closed", self.mall.call_ticket, facts, at)
        if self.meets_busy_counter(at):
            return self.expect("counter_busy", self.mall.call_ticket, facts, at)
        self.mall.call_ticket(facts, at)
        self.leave_yesterday(at)
        chosen.do("call")
        chosen.counter, chosen.called_at = at, self.clock.now()
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30), step=st.sampled_from(sorted(STEPS)), officer=st.integers(0, 2))
    def act(self, ticket: int, step: str, officer: int) -> None:
        chosen, actor = self.tickets[ticket % len(self.tickets)], self.building.officers[officer]
        act, facts = getattr(self.mall, step), {"id": chosen.id}
        if not self.acts_for(actor, chosen.service):
            return self.expect("agency_forbidden", act, facts, actor)
        if chosen.status not in TRANSITIONS[STEPS[step]].sources:
            return self.expect("ticket_state_conflict", act, facts, actor)
        if step == "recall" and chosen.recalls >= self.policy["max_recalls"]:
            return self.expect("recall_limit_reached", act, facts, actor)
        if step in TO_THE_QUEUE and chosen.day != self.today:
            return self.expect("day_closed", act, facts, actor)
        if step == "undo_call" and chosen.called_at is not None and (self.clock.now() - chosen.called_at).total_seconds() > 60:
            return self.expect("undo_too_late", act, facts, actor)
        if step == "rejoin" and chosen.no_shows > 1:
            return self.expect("rejoin_limit_reached", act, facts, actor)
        if (step == "start" and self.served_at(chosen)) or (step == "resume" and not self.has_room_for(chosen)):
            return self.expect("counter_busy", act, facts, actor)
        answer = act(facts, actor)
        chosen.do(STEPS[step])
        if step in ("send_back", "rejoin"):
            self.last_turn += 1
            chosen.order = self.last_turn
        assert (answer["status"], answer["version"], answer["recalls"]) == (chosen.status, chosen.version, chosen.recalls)
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30))
    def sends_back_as_first(self, ticket: int) -> None:
        chosen = self.tickets[ticket % len(self.tickets)]
        if chosen.status not in TRANSITIONS["return"].sources:
            return self.expect("ticket_state_conflict", self.mall.send_back, {"id": chosen.id}, position="first")
        if chosen.day != self.today:
            return self.expect("day_closed", self.mall.send_back, {"id": chosen.id}, position="first")
        self.mall.send_back({"id": chosen.id}, position="first")
        chosen.order = min(each.order for each in self.tickets if each.day == self.today) - 1
        chosen.do("return")
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30), service=st.integers(0, 2))
    def transfers(self, ticket: int, service: int) -> None:
        chosen, to = self.tickets[ticket % len(self.tickets)], self.building.services[service]
        if chosen.status not in TRANSITIONS["transfer"].sources:
            return self.expect("ticket_state_conflict", self.mall.transfer, {"id": chosen.id}, to)
        if chosen.day != self.today:
            return self.expect("day_closed", self.mall.transfer, {"id": chosen.id}, to)
        if to == chosen.service:
            return self.expect("transfer_to_itself", self.mall.transfer, {"id": chosen.id}, to)
        answer = self.mall.transfer({"id": chosen.id}, to)
        series = (self.today, domain.agency_of(to))
        self.numbers[series] = self.numbers.get(series, 0) + 1
        assert int(answer["number"].partition("-")[2]) == self.numbers[series]
        self.last_turn += 1  # the number's; the ticket has the turn of its visit's arrival
        chosen.do("transfer")
        self.tickets.append(Expected(answer["id"], to, self.today, chosen.regular, chosen.arrival, chosen.arrival))
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30), priority_class=st.sampled_from(PRIORITIES))
    def another_priority(self, ticket: int, priority_class: str | None) -> None:
        chosen = self.tickets[ticket % len(self.tickets)]
        if chosen.status not in TRANSITIONS["priority"].sources:
            return self.expect("ticket_state_conflict", self.mall.prioritise, {"id": chosen.id}, priority_class)
        self.mall.prioritise({"id": chosen.id}, priority_class)
        chosen.do("priority")
        chosen.regular = priority_class is None
        return None

    @precondition(lambda self: self.tickets)
    @rule(ticket=st.integers(0, 30))
    def citizen_gives_back(self, ticket: int) -> None:
        chosen = self.tickets[ticket % len(self.tickets)]
        token = domain.ticket_token(SECRET, chosen.id)
        if chosen.status not in TRANSITIONS["cancel"].sources:
            return self.expect("ticket_state_conflict", self.mall.cancel, {"id": chosen.id}, CITIZEN, token=token)
        self.mall.cancel({"id": chosen.id}, CITIZEN, token=token)
        chosen.do("cancel")
        return None

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        self.clock.pass_by(minutes=minutes)

    @rule(seconds=st.integers(1, 5))
    def a_clock_is_behind(self, seconds: int) -> None:
        before, self.clock.instant = self.today, self.clock.instant - timedelta(seconds=seconds)
        if self.today != before:  # that is for the tests of midnight
            self.clock.instant += timedelta(seconds=seconds)

    @rule()
    def midnight_comes(self) -> None:
        self.clock.instant = max(self.clock.instant, domain.end_of_day(self.today, "Asia/Jakarta")) + timedelta(seconds=5)

    @rule()
    def close_of_day(self) -> None:
        for day in {each.day for each in self.tickets if each.day < self.today}:
            with self.mall.database.regency_work(self.mall.regency) as work:
                usecases.close_due_day(work, self.mall.site, day)
        for each in self.tickets:
            if each.day < self.today and each.status in domain.OPEN_STATES:
                each.do("expire")

    @invariant()
    def every_ticket_is_as_expected(self) -> None:
        if not hasattr(self, "tickets"):
            return
        shown = {ticket["id"]: ticket for ticket in self.mall.tickets()}
        assert list(shown) == [each.id for each in self.tickets]
        for each in self.tickets:
            ticket = shown[each.id]
            assert (ticket["status"], ticket["version"], ticket["counter"]) == (each.status, each.version, each.counter)
        for service in self.building.services:
            places = [shown[each.id]["position"] for each in self.waiting([service])]
            assert places == list(range(1, len(places) + 1))

    def teardown(self) -> None:
        if hasattr(self, "tickets"):
            check_books(self.mall)

    # --- what the model knows of rules

    def acts_for(self, actor: Actor, service: str) -> bool:
        return actor.agencies is None or domain.agency_of(service) in actor.agencies

    def served_at(self, chosen: Expected) -> bool:
        return any(each.counter == chosen.counter and each.status == "serving" for each in self.tickets)

    def has_room_for(self, held: Expected) -> bool:
        there = {each.status for each in self.tickets if each.counter == held.counter and each.at_counter}
        return held.before not in there and (not there or bool(self.policy["call_while_serving"]))

    def meets_busy_counter(self, counter: str) -> bool:
        there = {each.status for each in self.tickets if each.counter == counter and each.at_counter and each.day == self.today}
        return "called" in there or (bool(there) and not self.policy["call_while_serving"])

    def leave_yesterday(self, counter: str) -> None:
        for each in self.tickets:
            if each.counter == counter and each.at_counter and each.day < self.today:
                each.do("expire")

    def expect(self, code: str, act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        try:
            answer = act(*arguments, **named)
        except Exception as error:
            if getattr(error, "code", None) == code:
                return
            raise
        raise AssertionError(f"{code} expected, got {answer}")


def test_one_after_the_other_as_the_model_says(new_mall, clock):
    class HereAndNow(AnyDay):
        def __init__(self) -> None:
            super().__init__()
            self.open_mall, self.clock = new_mall, clock

    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    # Making a failing day smaller takes minutes with a real database: add Phase.shrink when there is one to look at.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    options = settings(max_examples=30, stateful_step_count=40, deadline=None, phases=phases, suppress_health_check=checks)
    run_state_machine_as_test(HereAndNow, settings=options)


class Crowd:
    """Actors who do whatever they like, without looking at what the others do."""

    def __init__(self, mall: Mall) -> None:
        self.mall = mall
        self.building = Building(mall)
        self.counters = list(self.building.counters)

    def work(self, number: int) -> int:
        """Do sixty things by chance; return how many were refused by a rule."""
        chance = random.Random(number)
        known: list[dict[str, Any]] = []
        refused = 0
        for _ in range(60):
            action = chance.choice(["take", "take", "next", "next", "next", "call", *STEPS, *STEPS, "transfer", "priority", "close"])
            try:
                known.extend(self.act(action, known[-8:], chance))
            except Exception as error:
                if getattr(error, "code", None) not in RULES:
                    raise
                refused += 1
        return refused

    def act(self, action: str, known: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
        """Do one thing; return a ticket to do more with."""
        mall = self.mall
        if action == "take":
            return [mall.take(chance.choice(self.building.services), chance.choice(PRIORITIES))]
        if action == "next":
            called = mall.call_next(chance.choice(self.counters), chance.choice(self.building.officers))
            return [called] if called else []
        if action == "close":
            rounds.close_ended_days(mall.database)
        elif known:
            return self.act_on(action, chance.choice(known), chance)
        return []

    def act_on(self, action: str, ticket: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
        """Do one thing with a ticket; return the new one that a transfer brings."""
        if action == "transfer":
            return [self.mall.transfer(ticket, chance.choice(self.building.services))]
        if action == "call":
            self.mall.call_ticket(ticket, chance.choice(self.counters))
        elif action == "priority":
            self.mall.prioritise(ticket, chance.choice(PRIORITIES))
        else:
            getattr(self.mall, action)(ticket)
        return []


@pytest.mark.parametrize("call_while_serving", [False, True])
def test_all_at_once_the_books_stay_whole(open_database, new_regency, call_while_serving):
    """Eight actors on replicas with skewed clocks do whatever they like, also around midnight, while days are closed."""
    clock = SkewedClock(datetime(2026, 3, 11, 16, 59, 58, tzinfo=UTC))
    database = open_database(clock)
    mall = Mall(database, clock, new_regency(), policy={"call_while_serving": call_while_serving, "max_recalls": 1})
    outcomes = together(8, Crowd(mall).work)
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    clock.instant += timedelta(days=2)
    for _ in range(2):
        rounds.close_ended_days(database)
    assert not [ticket for ticket in mall.tickets() if ticket["status"] in domain.OPEN_STATES]
    check_books(mall)
