"""What actors may do on any day at a site: each act does one thing, and says what the model expects of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.chassis.context import Actor
from services.ticketing import domain, rounds, usecases
from tests.integration.ticketing.any_day_actors import POLICIES, RARELY, STEPS, TO_THE_QUEUE, WHAT, WHERE, WHO, Actors, act
from tests.integration.ticketing.books import check_nobody_overtaken
from tests.integration.ticketing.building import PRIORITIES
from tests.integration.ticketing.mall import CITIZEN, POLICY, SECRET
from tests.integration.ticketing.predicted import Expected, Session


class Arriving(Actors):
    """Numbers are taken, for one service or several, on paper or not."""

    @act(
        often=5,
        services=st.permutations((0, 1, 2)),
        count=st.sampled_from((1, 1, 1, 2, 3)),
        priority_class=st.sampled_from(PRIORITIES),
        print=st.sampled_from((False, False, True)),
    )
    def takes_numbers(self, services: list[int], count: int, priority_class: str | None, print: bool) -> None:
        wanted = self.expected.ordered([self.building.services[each] for each in services[:count]])
        first, *then = [self.building.services[each] for each in services[:count]]
        facts: dict[str, Any] = {"then": then, "print": print}
        if closed := next(filter(None, (self.expected.closed_code(each, self.today) for each in wanted)), None):
            return self.expect(closed, self.mall.take, first, priority_class, **facts)
        issued = self.mall.take(first, priority_class, **facts)
        arrival = self.last_turn + 1
        arrived_at = datetime.fromisoformat(issued["arrived_at"])
        answered = [issued, *issued.get("legs", ())]
        assert [each.get("service") for each in answered] == wanted
        for leg, (service, answer) in enumerate(zip(wanted, answered, strict=True), 1):
            number = self.number(service)
            assert int(answer["number"].partition("-")[2]) == number
            new = Expected(
                answer["id"], issued["visit"], service, number, self.today, priority_class is None, arrival, arrival, arrived_at,
                since=arrived_at, leg=leg if then else None, status="reserved" if leg > 1 else "printing" if print else "waiting",
            )  # fmt: skip
            self.expected.tickets.append(new)
            if leg == 1:
                assert self.expected.may_stand_at(new, issued["position"])
        return None

    @act("confirm", often=3, printed=st.booleans(), with_slip=st.booleans())
    def slip_came_out_or_not(self, chosen: Expected, printed: bool, with_slip: bool) -> None:
        facts = {"id": chosen.id}
        more = {"token": domain.ticket_token(SECRET, chosen.id)} if with_slip else {}
        act, actor = self.mall.confirm, CITIZEN if with_slip else None
        command = "confirm" if printed else "void"
        if not chosen.is_for(command):
            return self.expect("ticket_state_conflict", act, facts, actor, printed=printed, **more)
        if chosen.day != self.today:
            return self.expect("day_closed", act, facts, actor, printed=printed, **more)
        assert act(facts, actor, printed=printed, **more)["status"] == ("waiting" if printed else "void")
        chosen.do(command, self.now)
        self.expected.after(chosen, self.now)
        return None

    @act()
    def slips_are_given_up(self) -> None:
        rounds.give_up_slips(self.mall.database, self.mall.regency)
        self.expected.give_up_slips(self.now)

    @act("cancel", "rejoin", command=st.sampled_from(("cancel", "rejoin")))
    def citizen_with_the_slip(self, chosen: Expected, command: str) -> None:
        facts = {"id": chosen.id}
        act, token = getattr(self.mall, command), domain.ticket_token(SECRET, chosen.id)
        if code := self.refused(chosen, command):
            return self.expect(code, act, facts, CITIZEN, token=token)
        self.done(chosen, command, act(facts, CITIZEN, token=token))
        return None

    def refused(self, chosen: Expected, step: str) -> str | None:
        """The code with which a step is refused to somebody who may do it, `None` when it is not."""
        policy, model = self.expected.policy, self.expected
        if not chosen.is_for(STEPS[step]):
            return "ticket_state_conflict"
        if step == "recall" and chosen.recalls >= policy["max_recalls"]:
            return "recall_limit_reached"
        if step == "recall" and max(0.0, self.seconds_since(chosen.called_at)) < policy["recall_gap_seconds"]:
            return "recall_too_soon"
        if step in TO_THE_QUEUE and chosen.day != self.today:
            return "day_closed"
        if step == "undo_call" and self.seconds_since(chosen.since) > policy["undo_call_seconds"]:
            return "undo_too_late"
        if step == "rejoin" and chosen.no_shows > policy["max_rejoins"]:
            return "rejoin_limit_reached"
        if step in ("rejoin", "check_in") and model.is_elsewhere(chosen):
            return "visit_busy"
        return "counter_busy" if step == "start" and model.serves_another(chosen) else None

    def seconds_since(self, instant: datetime | None) -> float:
        assert instant is not None
        return (self.now - instant).total_seconds()

    def done(self, chosen: Expected, step: str, answer: dict[str, Any]) -> None:
        """A step was done: the model does it too."""
        if step == "undo_call":
            self.expected.undone(chosen, self.now)
        else:
            chosen.do(STEPS[step], self.now)
        if step in ("send_back", "rejoin"):
            self.last_turn += 1
            chosen.order, chosen.turn = self.last_turn, datetime.fromisoformat(answer["turn_at"])
        assert (answer["status"], answer["version"], answer["recalls"]) == (chosen.status, chosen.version, chosen.recalls)
        self.expected.after(chosen, self.now)


class Calling(Actors):
    """Counters call."""

    @act(often=10, counter=WHERE, officer=WHO)
    def calls_next(self, counter: int, officer: int) -> None:
        at, actor = self.building.counters[counter], self.building.officers[officer]
        services = self.building.may_call(actor, at)
        if services is None:
            return self.expect("agency_forbidden", self.mall.call_next, at, actor)
        if self.expected.calls_nobody(at, self.today):
            return self.expect("counter_not_open", self.mall.call_next, at, actor)
        if self.expected.is_busy(at, self.today):
            return self.expect("counter_busy", self.mall.call_next, at, actor)
        called = self.mall.call_next(at, actor)
        first = self.expected.next_at(at, services, self.now, self.today)
        assert (called and called["id"]) == (first and first.id)
        if first is not None:
            cap = self.expected.policy["ageing_cap_minutes"]
            check_nobody_overtaken(first.id, self.shown, services, self.today.isoformat(), self.now, cap)
            self.expected.leave_yesterday(at, self.today, self.now)
            self.expected.called_next(first, at, self.now)
        return None

    @act("call", often=2, counter=WHERE, officer=WHO)
    def calls_a_certain_one(self, chosen: Expected, counter: int, officer: int) -> None:
        facts = {"id": chosen.id}
        at, actor = self.building.counters[counter], self.building.officers[officer]
        if code := self.not_callable(chosen, at, actor):
            return self.expect(code, self.mall.call_ticket, facts, at, actor)
        self.mall.call_ticket(facts, at, actor)
        self.expected.leave_yesterday(at, self.today, self.now)
        chosen.do("call", self.now, at)
        return None

    def not_callable(self, chosen: Expected, at: str, actor: Actor) -> str | None:
        model, services = self.expected, self.building.may_call(actor, at)
        if services is None:
            return "agency_forbidden"
        if model.calls_nobody(at, self.today):
            return "counter_not_open"
        if not model.acts_for(actor, chosen.service):
            return "agency_forbidden"
        if chosen.service not in services:
            return "counter_does_not_serve"
        if not chosen.is_for("call"):
            return "ticket_state_conflict"
        if chosen.day != self.today:
            return "day_closed"
        return "counter_busy" if model.is_busy(at, self.today) else None

    @act("resume", often=7, counter=st.sampled_from((None, 0, 1, 2)), officer=WHO)
    def goes_on_with(self, chosen: Expected, counter: int | None, officer: int) -> None:
        facts = {"id": chosen.id}
        actor = self.building.officers[officer]
        elsewhere = {} if counter is None else {"counter": self.building.counters[counter]}
        at = elsewhere.get("counter", chosen.counter or "")
        if code := self.not_resumable(chosen, at, actor):
            return self.expect(code, self.mall.resume, facts, actor, **elsewhere)
        answer = self.mall.resume(facts, actor, **elsewhere)
        chosen.do("resume", self.now, at)
        assert (answer["status"], answer["counter"]) == (chosen.status, at)
        return None

    def not_resumable(self, chosen: Expected, at: str, actor: Actor) -> str | None:
        model = self.expected
        if not model.acts_for(actor, chosen.service):
            return "agency_forbidden"
        if not chosen.is_for("resume"):
            return "ticket_state_conflict"
        if chosen.day != self.today:
            return "day_closed"
        services = self.building.may_call(actor, at)
        if services is None:
            return "agency_forbidden"
        if chosen.service not in services:
            return "counter_does_not_serve"
        if model.calls_nobody(at, self.today):
            return "counter_not_open"
        return None if model.has_room_for(chosen, at) else "counter_busy"


class Serving(Arriving):
    """What follows a call, and what changes a queue."""

    @act(*sorted({*STEPS.values()} - {"cancel"}), often=16, step=st.integers(0, 99), any_step=RARELY, officer=WHO)
    def goes_on(self, chosen: Expected, step: int, any_step: bool, officer: int) -> None:
        facts, actor = {"id": chosen.id}, self.building.officers[officer]
        steps = [
            each for each in (*sorted(STEPS), "start", "start", "complete", "hold", "hold") if any_step or chosen.is_for(STEPS[each])
        ] or sorted(STEPS)
        name = steps[step % len(steps)]
        if not self.expected.acts_for(actor, chosen.service):
            return self.expect("agency_forbidden", getattr(self.mall, name), facts, actor)
        if code := self.refused(chosen, name):
            return self.expect(code, getattr(self.mall, name), facts, actor)
        self.done(chosen, name, getattr(self.mall, name)(facts, actor))
        return None

    @act("return", often=2)
    def sends_back_as_first(self, chosen: Expected) -> None:
        facts = {"id": chosen.id}
        if code := self.refused(chosen, "send_back"):
            return self.expect(code, self.mall.send_back, facts, position="first")
        answer = self.mall.send_back(facts, position="first")
        chosen.order = min(each.order for each in self.expected.tickets if each.day == self.today) - 1
        chosen.turn = datetime.fromisoformat(answer["turn_at"])
        chosen.do("return", self.now)
        return None

    @act("transfer", often=2, service=WHAT)
    def sends_on(self, chosen: Expected, service: int) -> None:
        facts = {"id": chosen.id}
        to = self.building.services[service]
        if not chosen.is_for("transfer"):
            return self.expect("ticket_state_conflict", self.mall.transfer, facts, to)
        if chosen.day != self.today:
            return self.expect("day_closed", self.mall.transfer, facts, to)
        if to == chosen.service:
            return self.expect("transfer_to_itself", self.mall.transfer, facts, to)
        if closed := self.expected.closed_code(to, self.today):
            return self.expect(closed, self.mall.transfer, facts, to)
        answer = self.mall.transfer(facts, to)
        number = self.number(to)
        assert int(answer["number"].partition("-")[2]) == number
        chosen.do("transfer", self.now)
        arrived_at = datetime.fromisoformat(answer["arrived_at"])
        since = datetime.fromisoformat(answer["issued_at"])
        self.expected.tickets.append(
            Expected(answer["id"], chosen.visit, to, number, self.today, chosen.regular, chosen.arrival, chosen.arrival, arrived_at,
                     since=since, leg=chosen.leg)
        )  # fmt: skip
        return None

    @act("priority", often=2, priority_class=st.sampled_from(PRIORITIES))
    def another_priority(self, chosen: Expected, priority_class: str | None) -> None:
        facts = {"id": chosen.id}
        if not chosen.is_for("priority"):
            return self.expect("ticket_state_conflict", self.mall.prioritise, facts, priority_class)
        self.mall.prioritise(facts, priority_class)
        chosen.do("priority", self.now)
        chosen.regular = priority_class is None
        return None


class Staffing(Actors):
    """Counters are opened, paused, closed and taken over."""

    @act(often=2, counter=WHERE, officer=WHO, take_over=RARELY)
    def opens(self, counter: int, officer: int, take_over: bool) -> None:
        at, actor, model = self.building.counters[counter], self.building.officers[officer], self.expected
        if code := self.not_to_open(at, actor, take_over):
            return self.expect(code, self.mall.open_counter, at, actor, take_over=take_over)
        answer = self.mall.open_counter(at, actor, take_over=take_over)
        assert (answer["status"], answer["mine"]) == ("open", True)
        model.sessions[at] = Session(self.today, "open", str(actor.id))
        return None

    def not_to_open(self, at: str, actor: Actor, take_over: bool) -> str | None:
        session = self.expected.session(at, self.today)
        if self.building.may_call(actor, at) is None:
            return "agency_forbidden"
        if take_over and actor is not self.building.supervisor:
            return "role_forbidden"
        if session is not None and session.status != "closed" and session.officer != actor.id and not take_over:
            return "counter_taken"
        elsewhere = [
            counter
            for counter, other in self.expected.sessions.items()
            if (other.day, other.officer) == (self.today, actor.id) and other.status != "closed" and counter != at
        ]
        return "officer_elsewhere" if elsewhere else None

    @act(often=2, counter=WHERE, officer=WHO, closes=st.booleans())
    def pauses_or_closes(self, counter: int, officer: int, closes: bool) -> None:
        at, actor = self.building.counters[counter], self.building.officers[officer]
        act = self.mall.close_counter if closes else self.mall.pause_counter
        session = self.expected.session(at, self.today)
        if self.building.may_call(actor, at) is None:
            return self.expect("agency_forbidden", act, at, actor)
        if session is None or session.status == "closed":
            return self.expect("counter_not_open", act, at, actor)
        if session.officer != actor.id and actor is not self.building.supervisor:
            return self.expect("counter_taken", act, at, actor)
        there = [each for each in self.expected.tickets if each.counter == at and each.at_counter and each.day == self.today]
        if closes and there:
            return self.expect("counter_busy", act, at, actor)
        session.status = act(at, actor)["status"]
        assert session.status == ("closed" if closes else "paused")
        return None


class Days(Actors):
    """What the clock, the calendar and the regency bring."""

    @act(often=5, minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        self.clock.pass_by(minutes=minutes)

    @act(often=2, seconds=st.sampled_from((1, 10, 29, 31, 61)))
    def a_moment_passes(self, seconds: int) -> None:
        self.clock.pass_by(seconds=seconds)

    @act(seconds=st.integers(1, 5))
    def a_clock_is_behind(self, seconds: int) -> None:
        before, self.clock.instant = self.today, self.clock.instant - timedelta(seconds=seconds)
        if self.today != before:  # that is for the tests of midnight
            self.clock.instant += timedelta(seconds=seconds)

    @act(really=RARELY)
    def midnight_comes(self, really: bool) -> None:
        if not really:
            return
        self.clock.instant = max(self.clock.instant, domain.end_of_day(self.today, "Asia/Jakarta")) + timedelta(seconds=5)

    @act()
    def close_of_day(self) -> None:
        for day in {each.day for each in self.expected.tickets if each.day < self.today}:
            with self.mall.database.regency_work(self.mall.regency) as work:
                usecases.close_due_day(work, self.mall.site, day)
        self.expected.close_days_before(self.today, self.now)

    @act(agency=st.sampled_from((None, "A", "B")), closed=RARELY)
    def is_closed_unforeseen_or_not(self, agency: str | None, closed: bool) -> None:
        code, today = None if agency is None else self.building.codes[agency], self.today.isoformat()
        identifier = f"{self.mall.site}-{today}-{agency}".lower()
        self.mall.hours(identifier, today, site=self.mall.site, agency=code, active=closed)
        (self.expected.closed.add if closed else self.expected.closed.discard)((self.today, code))

    @act()
    def closures_are_applied(self) -> None:
        with self.mall.database.regency_work(self.mall.regency) as work:
            usecases.apply_closures(work, self.mall.site)
        self.expected.close_what_is_closed(self.today, self.now)

    @act(policy=POLICIES)
    def policy_changes(self, policy: dict[str, Any]) -> None:
        self.mall.open_site(policy={**POLICY, **policy})
        self.expected.follow_policy({**POLICY, **policy})
