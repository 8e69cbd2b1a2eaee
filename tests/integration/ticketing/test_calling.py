"""Calls: who is next, at which counter, for whom; and what two who press at once get."""

from datetime import UTC, datetime, timedelta

import pytest

from services.contracts.ticketing import PRIORITY_CLASSES
from services.ticketing import domain, store, usecases
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import (
    CITIZEN,
    MORNING,
    SECRET,
    Mall,
    SettableClock,
    SkewedClock,
    code_of,
    overtaken,
    refusal,
    together,
)

pytestmark = pytest.mark.integration

NOT_WAITING = {"position": None, "estimated_wait_seconds": None}


@pytest.fixture
def shared(new_mall):
    """OKU Timur's way: every counter serves every agency."""
    mall = new_mall()
    mall.services = [mall.agency(f"AG{letter}", letter, "INF")[0] for letter in "ABC"]
    mall.counters = [mall.counter(number, *mall.services) for number in range(1, 9)]
    return mall


class TestNext:
    def test_is_the_one_who_came_first(self, mall, clock):
        taken = []
        for _ in range(3):
            taken.append(mall.take(mall.ktp)["number"])
            clock.pass_by(minutes=1)
        called = [mall.call_next(mall.counter(number, mall.ktp)) for number in (1, 2, 3)]
        assert [ticket["number"] for ticket in called] == taken
        check_books(mall)

    @pytest.mark.parametrize("priority_class", PRIORITY_CLASSES)
    def test_is_who_has_priority_before_who_came_first(self, mall, clock, priority_class):
        mall.take(mall.ktp)
        clock.pass_by(minutes=20)
        mall.take(mall.ktp, priority_class)
        called = mall.call_next(mall.first)
        assert (called["number"], called["lane"]) == ("A-002", "priority")

    def test_is_by_arrival_within_each_lane(self, mall, clock):
        for priority_class in (None, "elderly", None, "pregnant", "elderly"):
            mall.take(mall.ktp, priority_class)
            clock.pass_by(minutes=1)
        called = [mall.call_next(mall.counter(number, mall.ktp))["number"] for number in range(1, 6)]
        assert called == ["A-002", "A-004", "A-005", "A-001", "A-003"]

    def test_is_by_arrival_over_all_services_of_a_counter(self, shared, clock):
        order = [0, 2, 1, 0, 1, 2]
        taken = []
        for service in order:
            taken.append(shared.take(shared.services[service])["number"])
            clock.pass_by(minutes=1)
        assert [shared.call_next(counter)["number"] for counter in shared.counters[:6]] == taken

    def test_is_nobody_when_nobody_waits(self, mall, clock):
        assert mall.call_next(mall.first) is None
        mall.cancel(mall.take(mall.ktp))
        assert mall.call_next(mall.first) is None

    def test_is_nobody_who_waits_for_what_the_counter_does_not_serve(self, mall):
        mall.take(mall.ktp)
        assert mall.call_next(mall.counter(2, mall.kk)) is None

    def test_is_nobody_of_another_site(self, mall, new_mall):
        other = new_mall()
        mall.agency("CPL", "A", "KTP", "KK", sites=(other.site,))
        other.take(mall.ktp)
        assert mall.call_next(mall.first) is None

    def test_is_nobody_of_yesterday(self, mall, clock):
        mall.take(mall.ktp)
        clock.pass_by(days=1)
        mall.take(mall.ktp, "elderly")
        today = mall.call_next(mall.first)
        assert today["business_date"] == "2026-03-12"
        mall.complete(mall.start(today))
        assert mall.call_next(mall.first) is None

    def test_is_told_at_the_counter(self, mall, clock):
        taken = mall.take(mall.ktp)
        clock.pass_by(seconds=90)
        called = mall.call_next(mall.first)
        waited = {**taken["periods"][0], "ended_at": "2026-03-11T01:01:30+00:00"}
        now_called = {
            "state": "called",
            "counter": mall.first,
            "started_at": "2026-03-11T01:01:30+00:00",
            "ended_at": None,
            "undone": False,
        }
        changes = {"status": "called", "counter": mall.first, "version": 2, "periods": [waited, now_called]}
        assert called == {**taken, **changes, **NOT_WAITING}

    def test_counter_must_exist_and_be_in_use(self, mall):
        assert refusal(mall.call_next, f"{mall.site}-99") == ("counter_unknown", {"counter": f"{mall.site}-99"})
        closed = mall.counter(2, mall.ktp, active=False)
        assert refusal(mall.call_next, closed) == ("counter_inactive", {"counter": closed})


class TestTwoAtOnce:
    @pytest.mark.parametrize("waiting", [20, 5])
    def test_eight_counters_call_nobody_twice(self, shared, waiting):
        for number in range(waiting):
            shared.take(shared.services[number % 3])
        called = [ticket for ticket in together(8, lambda number: shared.call_next(shared.counters[number])) if ticket is not None]
        assert len({ticket["id"] for ticket in called}) == len(called) == min(8, waiting)
        assert sorted(ticket["arrived_at"] for ticket in called) == [ticket["arrived_at"] for ticket in shared.tickets()][: len(called)]
        check_books(shared)

    def test_one_counter_pressed_eight_times_calls_one(self, mall):
        for _ in range(8):
            mall.take(mall.ktp)
        outcomes = together(8, lambda _: mall.call_next(mall.first))
        called = [outcome for outcome in outcomes if isinstance(outcome, dict)]
        refused = [outcome for outcome in outcomes if not isinstance(outcome, dict)]
        assert [ticket["number"] for ticket in called] == ["A-001"]
        assert {code_of(outcome) for outcome in refused} == {"counter_busy"}
        assert refused[0].details == {"counter": mall.first, "ticket": called[0]["id"], "number": "A-001", "status": "called"}

    def test_the_same_press_repeated_calls_one(self, mall):
        for _ in range(2):
            mall.take(mall.ktp)
        answers = together(6, lambda _: mall.call_next(mall.first, command_id="pressed-once-00000001"))
        assert [answer["number"] for answer in answers] == ["A-001"] * 6

    def test_a_certain_ticket_called_by_two_goes_to_one(self, mall):
        ticket = mall.take(mall.ktp)
        counters = [mall.counter(number, mall.ktp) for number in (1, 2)]
        outcomes = together(2, lambda number: mall.call_ticket(ticket, counters[number]))
        [called] = [outcome for outcome in outcomes if isinstance(outcome, dict)]
        [refused] = [outcome for outcome in outcomes if not isinstance(outcome, dict)]
        assert (code_of(refused), refused.details) == ("ticket_state_conflict", {"status": "called", "allowed": ["waiting"]})
        assert mall.get(ticket) == called
        check_books(mall)

    def test_who_cancels_at_the_moment_of_the_call_is_passed_over(self, mall):
        leaving, staying = mall.take(mall.ktp, "elderly"), mall.take(mall.ktp)
        token = domain.ticket_token(SECRET, leaving["id"])
        called = overtaken(
            mall,
            lambda work: usecases.cancel_ticket(work, {"id": leaving["id"], "token": token}, SECRET),
            lambda: mall.call_next(mall.first),
            actor=CITIZEN,
        )
        assert called["number"] == staying["number"]
        assert mall.get(leaving)["status"] == "cancelled"
        check_books(mall)

    def test_a_certain_ticket_cancelled_at_the_moment_of_the_call(self, mall):
        ticket = mall.take(mall.ktp)
        outcome = overtaken(
            mall, lambda work: usecases.cancel_ticket(work, {"id": ticket["id"]}, SECRET), lambda: mall.call_ticket(ticket, mall.first)
        )
        assert (code_of(outcome), outcome.details["status"]) == ("ticket_state_conflict", "cancelled")

    def test_who_cancels_just_after_the_call_cancels_a_called_ticket(self, mall):
        ticket = mall.take(mall.ktp)
        cancelled = overtaken(mall, lambda work: usecases.call_next(work, {"counter": mall.first}), lambda: mall.cancel(ticket))
        assert [period["state"] for period in cancelled["periods"]] == ["waiting", "called", "cancelled"]
        check_books(mall)

    def test_an_open_transaction_at_one_site_does_not_stop_another_site(self, mall, new_mall):
        other = new_mall()
        mall.agency("CPL", "A", "KTP", "KK", sites=(other.site,))
        mall.take(mall.ktp)
        assert (
            overtaken(mall, lambda work: usecases.call_next(work, {"counter": mall.first}), lambda: other.take(mall.ktp))["number"]
            == "A-001"
        )


class TestBusyCounter:
    def test_calls_nobody_before_it_is_done(self, mall):
        for _ in range(3):
            mall.take(mall.ktp)
        first = mall.call_next(mall.first)
        assert refusal(mall.call_next, mall.first)[0] == "counter_busy"
        mall.start(first)
        code, details = refusal(mall.call_next, mall.first)
        assert (code, details["status"]) == ("counter_busy", "serving")
        mall.complete(first)
        assert mall.call_next(mall.first)["number"] == "A-002"

    @pytest.mark.parametrize("ending", ["no_show", "cancel"])
    def test_is_free_when_nobody_came(self, mall, ending):
        mall.take(mall.ktp)
        mall.take(mall.ktp)
        getattr(mall, ending)(mall.call_next(mall.first))
        assert mall.call_next(mall.first)["number"] == "A-002"

    def test_may_not_call_a_certain_ticket_either(self, mall):
        ticket, other = mall.take(mall.ktp), mall.take(mall.ktp)
        mall.call_ticket(ticket, mall.first)
        assert refusal(mall.call_ticket, other, mall.first)[0] == "counter_busy"

    def test_may_call_while_serving_where_the_site_allows_it(self, mall):
        mall.open_site(policy={"call_while_serving": True, "max_recalls": 3})
        for _ in range(3):
            mall.take(mall.ktp)
        serving = mall.start(mall.call_next(mall.first))
        called = mall.call_next(mall.first)
        code, details = refusal(mall.call_next, mall.first)
        assert (code, details["number"]) == ("counter_busy", called["number"])
        code, details = refusal(mall.start, called)
        assert (code, details) == (
            "counter_busy",
            {"counter": mall.first, "ticket": serving["id"], "number": serving["number"], "status": "serving"},
        )
        mall.complete(serving)
        assert mall.start(called)["status"] == "serving"
        check_books(mall)

    def test_an_officer_has_one_at_each_of_two_counters(self, mall):
        """The rule is about a counter: who helps out at a second one may call there too."""
        mall.take(mall.ktp)
        mall.take(mall.ktp)
        second = mall.counter(2, mall.ktp, agency="CPL")
        officer = mall.actor("officer", "CPL")
        assert [mall.call_next(counter, officer)["number"] for counter in (mall.first, second)] == ["A-001", "A-002"]

    def test_two_officers_share_the_rule_at_one_counter(self, shared):
        shared.take(shared.services[0])
        shared.take(shared.services[1])
        shared.call_next(shared.counters[0], shared.actor("officer", "AGA"))
        assert refusal(shared.call_next, shared.counters[0], shared.actor("officer", "AGB"))[0] == "counter_busy"


class TestAcrossMidnight:
    BEFORE, AFTER = datetime(2026, 3, 11, 16, 59, 59, tzinfo=UTC), datetime(2026, 3, 11, 17, 0, 1, tzinfo=UTC)

    def test_whom_midnight_overtook_at_the_counter_expires_at_midnight(self, mall, clock):
        mall.open_site(policy={"call_while_serving": True, "max_recalls": 3})
        clock.instant = self.BEFORE
        mall.take(mall.ktp)
        mall.take(mall.ktp)
        mall.start(mall.call_next(mall.first))
        mall.call_next(mall.first)
        clock.instant = self.AFTER
        new = mall.take(mall.ktp)
        assert mall.call_next(mall.first)["id"] == new["id"]
        overtaken_ones = mall.tickets(date="2026-03-11")
        assert [ticket["status"] for ticket in overtaken_ones] == ["expired", "expired"]
        assert {ticket["periods"][-1]["started_at"] for ticket in overtaken_ones} == {"2026-03-11T17:00:00+00:00"}
        with mall.database.regency_work(mall.regency) as work:
            stored = [store.locked(work, ticket["id"]) for ticket in overtaken_ones]
        assert {ticket.periods[-1].actor for ticket in stored if ticket} == {"system"}
        check_books(mall)

    def test_the_close_of_day_and_the_next_call_expire_a_ticket_once(self, mall, clock):
        clock.instant = self.BEFORE
        mall.take(mall.ktp)
        stale = mall.call_next(mall.first)
        clock.instant = self.AFTER
        mall.take(mall.ktp)
        day = self.BEFORE.date()
        called = overtaken(mall, lambda work: usecases.close_due_day(work, mall.site, day), lambda: mall.call_next(mall.first))
        assert called["business_date"] == "2026-03-12"
        assert [event.type for event in mall.events() if event.subject == stale["id"]][2:] == ["ticket.expired"]
        check_books(mall)

    def test_who_is_served_at_midnight_may_be_completed_before_the_close(self, mall, clock):
        clock.instant = self.BEFORE
        mall.take(mall.ktp)
        serving = mall.start(mall.call_next(mall.first))
        clock.instant = self.AFTER
        done = overtaken(
            mall,
            lambda work: usecases.complete_ticket(work, {"id": serving["id"], "outcome": "done"}),
            lambda: close(mall, self.BEFORE.date()),
        )
        assert done is usecases.Closing.DONE
        assert mall.get(serving)["status"] == "completed"
        check_books(mall)

    def test_a_certain_ticket_of_yesterday_is_not_called(self, mall, clock):
        clock.instant = self.BEFORE
        ticket = mall.take(mall.ktp)
        clock.instant = self.AFTER
        assert refusal(mall.call_ticket, ticket, mall.first) == ("day_closed", {"business_date": "2026-03-11"})

    def test_one_counter_pressed_on_two_replicas_on_both_sides_of_midnight(self, mall, clock, open_database):
        clock.instant = self.AFTER
        mall.take(mall.ktp)
        behind = SettableClock(self.BEFORE)
        slow = Mall(open_database(behind), behind, mall.regency, id=mall.site)
        slow.take(mall.ktp)
        outcome = overtaken(mall, lambda work: usecases.call_next(work, {"counter": mall.first}), lambda: slow.call_next(mall.first))
        assert (code_of(outcome), outcome.details) == ("counter_busy", {"counter": mall.first})
        [called] = mall.tickets(status="called")
        for status in ("called", "serving"):
            code, details = refusal(slow.call_next, mall.first)
            assert (code, details["ticket"], details["status"]) == ("counter_busy", called["id"], status)
            if status == "called":
                mall.start(called)
        check_books(mall)


def close(mall, day):
    with mall.database.regency_work(mall.regency) as work:
        return usecases.close_due_day(work, mall.site, day)


class TestWhoMayCall:
    def test_an_officer_calls_at_the_own_agencys_counters_only(self, mall):
        [inf] = mall.agency("SOS", "B", "INF")
        social = mall.counter(2, inf, agency="SOS")
        mall.take(inf)
        ticket = mall.take(mall.ktp)
        officer = mall.actor("officer", "CPL")
        assert refusal(mall.call_next, social, officer) == ("agency_forbidden", {"counter": social})
        assert refusal(mall.call_ticket, ticket, social, officer)[0] == "agency_forbidden"
        assert mall.call_next(mall.first, officer)["id"] == ticket["id"]

    def test_an_officer_calls_the_own_agencys_tickets_at_a_shared_counter(self, shared):
        first, second = shared.take(shared.services[0]), shared.take(shared.services[1])
        officer = shared.actor("officer", "AGB")
        assert refusal(shared.call_ticket, first, shared.counters[0], officer) == ("agency_forbidden", {"agency": "AGA"})
        assert shared.call_next(shared.counters[0], officer)["id"] == second["id"]

    @pytest.mark.parametrize("step", ["recall", "start", "complete", "no_show", "cancel"])
    def test_an_officer_touches_the_own_agencys_tickets_only(self, mall, step):
        mall.take(mall.ktp)
        ticket = mall.call_next(mall.first)
        assert refusal(getattr(mall, step), ticket, mall.actor("officer", "SOS")) == ("agency_forbidden", {"agency": "CPL"})
        assert mall.get(ticket) == ticket

    @pytest.mark.parametrize("step", ["recall", "start", "complete", "no_show"])
    @pytest.mark.parametrize("role", ["anonymous", "kiosk", "display", "auditor"])
    def test_who_is_not_staff_touches_nothing(self, mall, role, step):
        mall.take(mall.ktp)
        ticket = mall.call_next(mall.first)
        assert refusal(getattr(mall, step), ticket, mall.actor(role))[0] == "role_forbidden"
        assert refusal(mall.call_next, mall.first, mall.actor(role))[0] == "role_forbidden"
        assert mall.get(ticket) == ticket

    def test_the_front_desk_helps_with_any_ticket_but_does_not_call_the_next(self, mall):
        ticket = mall.take(mall.ktp)
        desk = mall.actor("front_desk")
        assert refusal(mall.call_next, mall.first, desk)[0] == "role_forbidden"
        mall.call_ticket(ticket, mall.first, desk)
        assert mall.no_show(ticket, desk)["status"] == "no_show"

    def test_a_ticket_is_called_to_a_counter_that_serves_it(self, mall, new_mall):
        other = new_mall()
        mall.agency("CPL", "A", "KTP", "KK", sites=(other.site,))
        ticket = mall.take(mall.ktp)
        for counter in (mall.counter(2, mall.kk), other.counter(1, mall.ktp)):
            expected = ("counter_does_not_serve", {"counter": counter, "service": mall.ktp})
            assert refusal(mall.call_ticket, ticket, counter) == expected

    def test_a_ticket_that_does_not_exist(self, mall):
        stranger = {"id": "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"}
        mall.take(mall.ktp)
        for step in (mall.recall, mall.start, mall.complete, mall.no_show, mall.cancel, mall.get):
            assert refusal(step, stranger) == ("ticket_unknown", {})
        assert refusal(mall.call_ticket, stranger, mall.first) == ("ticket_unknown", {})


class TestJourney:
    def test_recalls_are_limited_by_the_site(self, mall, clock):
        mall.open_site(policy={"call_while_serving": False, "max_recalls": 2})
        mall.take(mall.ktp)
        ticket = mall.call_next(mall.first)
        assert [mall.recall(ticket)["recalls"] for _ in range(2)] == [1, 2]
        assert refusal(mall.recall, ticket) == ("recall_limit_reached", {"limit": 2})
        gone = mall.no_show(ticket)
        assert (gone["status"], gone["recalls"], gone["version"]) == ("no_show", 2, 5)
        assert refusal(mall.recall, ticket) == ("ticket_state_conflict", {"status": "no_show", "allowed": ["called"]})
        check_books(mall)

    @pytest.mark.parametrize("outcome", ["done", "papers_missing", "collect_later", "referred"])
    def test_completing_records_an_outcome(self, mall, outcome):
        mall.take(mall.ktp)
        assert mall.complete(mall.start(mall.call_next(mall.first)), outcome=outcome)["outcome"] == outcome

    def test_a_citizen_gives_the_own_number_back_and_no_other(self, mall):
        mine, other = mall.take(mall.ktp), mall.take(mall.ktp)
        token = domain.ticket_token(SECRET, mine["id"])
        assert refusal(mall.cancel, other, CITIZEN, token=token) == ("ticket_token_invalid", {})
        assert refusal(mall.cancel, other, CITIZEN)[0] == "role_forbidden"
        assert mall.cancel(mine, CITIZEN, token=token)["status"] == "cancelled"
        assert refusal(mall.cancel, mine, CITIZEN, token=token)[1]["status"] == "cancelled"

    def test_commands_of_skewed_replicas_leave_whole_books(self, open_database, regency):
        clock = SkewedClock(MORNING)
        mall = Mall(open_database(clock), clock, regency)
        [service] = mall.agency("CPL", "A", "KTP")
        counter = mall.counter(1, service)
        for _ in range(10):
            mall.take(service)
            ticket = mall.call_next(counter)
            assert ticket is not None
            mall.recall(ticket)
            mall.complete(mall.start(ticket))
        check_books(mall)

    def test_an_error_in_the_middle_leaves_nothing(self, mall):
        ticket = mall.take(mall.ktp)
        before = (mall.tickets(), mall.events())

        def fail(work):
            usecases.call_next(work, {"counter": mall.first})
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            overtaken(mall, fail, lambda: None)
        assert (mall.tickets(), mall.events()) == before
        assert mall.call_next(mall.first)["id"] == ticket["id"]

    def test_a_change_of_what_was_not_locked_is_refused(self, mall, clock):
        """The last guard against two versions of one number."""
        taken = mall.take(mall.ktp)
        with mall.database.regency_work(mall.regency) as work:
            ticket = store.locked(work, taken["id"])
        assert ticket is not None
        mall.cancel(taken)
        changed = domain.changed(ticket, "call", clock.now() + timedelta(1), actor=None, counter=mall.first)
        with pytest.raises(RuntimeError, match="locked"), mall.database.regency_work(mall.regency) as work:
            store.update(work, changed)
