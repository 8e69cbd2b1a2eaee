"""What leads back to the queue or aside: undone calls, returns, rejoining, holding, transfers, slips that never came out."""

from __future__ import annotations

import pytest

from services.ticketing import domain, rounds, usecases
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.mall import CITIZEN, POLICY, SECRET, Mall, code_of, overtaken, refusal, together

pytestmark = pytest.mark.integration


def numbers(mall: Mall, count: int) -> list[str | None]:
    """The next calls at the first counter, each completed."""
    found = []
    for _ in range(count):
        called = mall.call_next(mall.first)
        found.append(None if called is None else called["number"])
        if called is not None:
            mall.complete(mall.start(called))
    return found


def token(ticket: dict) -> str:
    return domain.ticket_token(SECRET, ticket["id"])


def told(mall: Mall, ticket: dict) -> list[str]:
    return [event.type for event in mall.events() if event.subject == ticket["id"]]


class TestUndoneCall:
    def test_leaves_everything_as_if_nobody_had_been_called(self, mall):
        first, _ = mall.take(mall.ktp), mall.take(mall.ktp)
        undone = mall.undo_call(mall.call_next(mall.first))
        assert (undone["number"], undone["status"], undone["counter"], undone["position"]) == (first["number"], "waiting", None, 1)
        assert numbers(mall, 2) == [first["number"], "A-002"]
        assert told(mall, first)[:3] == ["ticket.issued", "ticket.called", "ticket.call_undone"]

    def test_frees_the_counter_at_once(self, mall):
        mall.take(mall.ktp)
        mall.undo_call(mall.call_next(mall.first))
        assert mall.call_next(mall.first)["number"] == "A-001"

    def test_is_too_late_after_the_time_that_the_site_allows(self, mall, clock):
        mall.open_site(policy={**POLICY, "undo_call_seconds": 20})
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        clock.pass_by(seconds=21)
        assert refusal(mall.undo_call, called) == ("undo_too_late", {"limit_seconds": 20})
        assert mall.send_back(called)["status"] == "waiting"

    def test_and_serving_begun_at_the_same_moment_exclude_each_other(self, mall):
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        outcomes = together(2, lambda number: (mall.undo_call, mall.start)[number](called))
        assert sorted(isinstance(outcome, dict) for outcome in outcomes) == [False, True]
        assert code_of(next(outcome for outcome in outcomes if not isinstance(outcome, dict))) == "ticket_state_conflict"
        check_books(mall)


class TestReturned:
    def test_first_is_called_next_and_last_after_everybody(self, mall):
        for _ in range(3):
            mall.take(mall.ktp)
        mall.send_back(mall.call_next(mall.first), position="last")
        second = mall.call_next(mall.first)
        mall.send_back(mall.start(second), position="first")
        assert numbers(mall, 4) == ["A-002", "A-003", "A-001", None]

    def test_last_is_before_who_comes_later(self, mall):
        mall.take(mall.ktp)
        mall.send_back(mall.call_next(mall.first), position="last")
        mall.take(mall.ktp)
        assert numbers(mall, 2) == ["A-001", "A-002"]

    def test_first_does_not_leave_its_lane(self, mall):
        mall.take(mall.ktp)
        returned = mall.call_next(mall.first)
        mall.take(mall.ktp, "elderly")
        mall.send_back(returned, position="first")
        assert numbers(mall, 2) == ["A-002", "A-001"]

    def test_several_first_are_called_in_the_reverse_order_of_their_return(self, mall):
        taken = [mall.take(mall.ktp)["number"] for _ in range(3)]
        for _ in range(2):
            mall.hold(mall.call_next(mall.first))
        for ticket in mall.tickets(status="on_hold"):
            mall.send_back(mall.resume(ticket), position="first")
        assert numbers(mall, 3) == [taken[1], taken[0], taken[2]]

    def test_waits_by_the_sum_of_its_periods(self, mall, clock):
        mall.take(mall.ktp)
        clock.pass_by(minutes=5)
        called = mall.call_next(mall.first)
        mall.send_back(called, position="last")
        clock.pass_by(minutes=7)
        again = mall.call_next(mall.first)
        assert [period["state"] for period in again["periods"]] == ["waiting", "called", "waiting", "called"]
        assert again["returns"] == 1

    def test_is_refused_once_midnight_has_ended_the_queue(self, mall, clock):
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        clock.pass_by(days=1)
        assert refusal(mall.send_back, called) == ("day_closed", {"business_date": "2026-03-11"})
        rounds.close_ended_days(mall.database)
        assert refusal(mall.send_back, called)[0] == "ticket_state_conflict"

    def test_waits_for_a_call_that_holds_the_day(self, mall):
        """Who returns first must not be given a turn that a call under way has not seen."""
        mall.take(mall.ktp), mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        second = mall.counter(2, mall.ktp)
        outcome = overtaken(
            mall,
            lambda work: usecases.call_next(work, {"counter": second}),
            lambda: mall.send_back(called, position="first"),
        )
        assert (outcome["status"], outcome["position"]) == ("waiting", 1)
        check_books(mall)


class TestRejoined:
    def missed(self, mall: Mall) -> dict:
        called = mall.call_next(mall.first)
        assert called is not None
        return mall.no_show(called)

    def test_once_at_the_tail_by_staff_or_with_the_slip(self, mall):
        first, second = mall.take(mall.ktp), mall.take(mall.ktp)
        self.missed(mall)
        assert mall.rejoin(first)["position"] == 2
        self.missed(mall)
        assert mall.rejoin(second, CITIZEN, token=token(second))["position"] == 2
        assert numbers(mall, 3) == ["A-001", "A-002", None]

    def test_not_twice(self, mall):
        mall.take(mall.ktp)
        mall.rejoin(self.missed(mall))
        assert refusal(mall.rejoin, self.missed(mall)) == ("rejoin_limit_reached", {"limit": 1})

    def test_never_where_the_site_does_not_want_it(self, mall):
        mall.open_site(policy={**POLICY, "max_rejoins": 0})
        mall.take(mall.ktp)
        assert refusal(mall.rejoin, self.missed(mall)) == ("rejoin_limit_reached", {"limit": 0})

    def test_not_with_somebody_elses_slip(self, mall):
        mall.take(mall.ktp)
        missed, other = self.missed(mall), mall.take(mall.ktp)
        assert refusal(mall.rejoin, missed, CITIZEN, token=token(other))[0] == "ticket_token_invalid"
        assert refusal(mall.rejoin, missed, CITIZEN)[0] == "role_forbidden"


class TestHeld:
    def test_frees_the_counter_and_goes_on_as_it_was(self, mall):
        mall.take(mall.ktp), mall.take(mall.ktp)
        held = mall.hold(mall.start(mall.call_next(mall.first)))
        assert (held["status"], held["counter"]) == ("on_hold", mall.first)
        other = mall.start(mall.call_next(mall.first))
        assert refusal(mall.resume, held)[0] == "counter_busy"
        mall.complete(other)
        assert mall.resume(held)["status"] == "serving"

    def test_may_go_on_at_another_counter_that_serves_it(self, mall):
        mall.take(mall.ktp)
        held = mall.hold(mall.call_next(mall.first))
        second, foreign = mall.counter(2, mall.ktp), mall.counter(3, *mall.agency("BPN", "B", "CEK"))
        assert refusal(mall.resume, held, counter=foreign)[0] == "counter_does_not_serve"
        assert refusal(mall.resume, held, counter="nowhere-01")[0] == "counter_unknown"
        resumed = mall.resume(held, counter=second)
        assert (resumed["status"], resumed["counter"]) == ("called", second)

    def test_and_a_call_at_the_same_moment_do_not_share_a_counter(self, mall):
        mall.take(mall.ktp), mall.take(mall.ktp)
        held = mall.hold(mall.start(mall.call_next(mall.first)))
        outcomes = together(2, lambda number: mall.resume(held) if number else mall.call_next(mall.first))
        assert sorted(isinstance(outcome, dict) for outcome in outcomes) == [False, True]
        assert code_of(next(outcome for outcome in outcomes if not isinstance(outcome, dict))) == "counter_busy"
        check_books(mall)


class TestTransferred:
    def test_waits_elsewhere_with_a_new_number_by_the_arrival_of_the_visit(self, mall, clock):
        [land] = mall.agency("BPN", "B", "CEK")
        counter = mall.counter(2, land)
        old = mall.take(mall.ktp, "elderly")
        clock.pass_by(minutes=1)
        mall.take(land, "elderly")
        new = mall.transfer(mall.start(mall.call_next(mall.first)), land)
        assert (new["number"], new["visit"], new["arrived_at"], new["lane"]) == ("B-002", old["visit"], old["arrived_at"], "priority")
        assert (new["transferred_from"], new["position"]) == (old["id"], 1)
        ended = mall.get(old)
        assert (ended["status"], ended["transferred_to"]) == ("transferred", new["id"])
        assert told(mall, old)[-1] == "ticket.transferred"
        assert mall.call_next(counter)["number"] == "B-002"

    def test_is_followed_with_the_first_slip(self, mall):
        [land] = mall.agency("BPN", "B", "CEK")
        old = mall.take(mall.ktp)
        new = mall.transfer(mall.call_next(mall.first), land)
        assert mall.get(new, CITIZEN, token=token(old))["number"] == "B-001"
        assert mall.get(old, CITIZEN, token=token(new))["status"] == "transferred"
        assert mall.cancel(new, CITIZEN, token=token(old))["status"] == "cancelled"

    def test_goes_nowhere_else(self, mall):
        [land] = mall.agency("BPN", "B", "CEK")
        mall.service("BPN", "CEK", active=False)
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        assert refusal(mall.transfer, called, mall.ktp) == ("transfer_to_itself", {"service": mall.ktp})
        assert refusal(mall.transfer, called, land)[0] == "service_inactive"
        assert refusal(mall.transfer, called, "BPN-NONE")[0] == "service_unknown"
        assert mall.get(called)["status"] == "called"

    def test_takes_no_number_when_it_is_refused(self, mall):
        [land] = mall.agency("BPN", "B", "CEK")
        waiting = mall.take(mall.ktp)
        assert refusal(mall.transfer, waiting, land)[0] == "ticket_state_conflict"
        assert mall.take(land)["number"] == "B-001"

    def test_by_its_own_agency_only(self, mall):
        [land] = mall.agency("BPN", "B", "CEK")
        mall.take(mall.ktp)
        called = mall.call_next(mall.first)
        assert refusal(mall.transfer, called, land, mall.actor("officer", "BPN"))[0] == "agency_forbidden"


class TestPriority:
    def test_changes_the_lane_and_keeps_the_arrival(self, mall):
        mall.take(mall.ktp, "elderly")
        late = mall.take(mall.ktp)
        changed = mall.prioritise(late, "disability")
        assert (changed["lane"], changed["position"], changed["arrived_at"]) == ("priority", 2, late["arrived_at"])
        assert mall.prioritise(late, None)["lane"] == "regular"
        assert told(mall, late) == ["ticket.issued", "ticket.priority_changed", "ticket.priority_changed"]

    def test_of_who_was_called_is_past_changing(self, mall):
        mall.take(mall.ktp)
        assert refusal(mall.prioritise, mall.call_next(mall.first), "elderly")[0] == "ticket_state_conflict"

    def test_is_given_by_staff(self, mall):
        taken = mall.take(mall.ktp)
        assert refusal(mall.prioritise, taken, "elderly", CITIZEN)[0] == "role_forbidden"


class TestPrinting:
    def printing(self, mall: Mall) -> dict:
        return mall.take(mall.ktp, channel="kiosk", print=True)

    def test_waits_in_the_place_of_its_number_once_the_slip_is_out(self, mall):
        slip, other = self.printing(mall), mall.take(mall.ktp)
        assert (slip["status"], slip["position"], other["position"]) == ("printing", None, 1)
        assert told(mall, slip) == []
        confirmed = mall.confirm(slip, CITIZEN, token=token(slip))
        assert (confirmed["status"], confirmed["position"]) == ("waiting", 1)
        assert told(mall, slip) == ["ticket.issued"]
        check_books(mall)

    def test_in_another_lane_is_nobodys_news_before_the_slip_is_out(self, mall):
        slip = self.printing(mall)
        assert mall.prioritise(slip, "elderly")["version"] == 2
        assert told(mall, slip) == []
        assert mall.confirm(slip)["lane"] == "priority"
        assert told(mall, slip) == ["ticket.issued"]
        check_books(mall)

    def test_is_called_by_nobody_before(self, mall):
        self.printing(mall)
        assert mall.call_next(mall.first) is None

    def test_that_failed_leaves_a_void_number(self, mall):
        slip = self.printing(mall)
        assert mall.confirm(slip, CITIZEN, token=token(slip), printed=False)["status"] == "void"
        assert mall.take(mall.ktp)["number"] == "A-002"
        assert told(mall, slip) == ["ticket.voided"]
        check_books(mall)

    def test_that_nobody_confirms_is_given_up_after_two_minutes(self, mall, clock):
        slip = self.printing(mall)
        clock.pass_by(seconds=119)
        rounds.measure_pressure(mall.database)
        assert mall.get(slip)["status"] == "printing"
        clock.pass_by(seconds=2)
        rounds.measure_pressure(mall.database)
        assert mall.get(slip)["status"] == "void"
        assert refusal(mall.confirm, slip, CITIZEN, token=token(slip))[0] == "ticket_state_conflict"
        check_books(mall)

    def test_is_confirmed_by_who_has_the_slip(self, mall):
        slip, other = self.printing(mall), mall.take(mall.ktp)
        assert refusal(mall.confirm, slip, CITIZEN, token=token(other))[0] == "ticket_token_invalid"

    def test_ends_with_the_day(self, mall, clock):
        slip = self.printing(mall)
        clock.pass_by(days=1)
        rounds.close_ended_days(mall.database)
        assert mall.get(slip)["status"] == "expired"
        check_books(mall)


class TestCollectedLater:
    def test_has_a_date(self, mall):
        mall.take(mall.ktp)
        done = mall.complete(mall.start(mall.call_next(mall.first)), outcome="collect_later", collect_on="2026-03-18")
        assert (done["outcome"], done["collect_on"]) == ("collect_later", "2026-03-18")

    def test_is_not_in_the_past(self, mall):
        mall.take(mall.ktp)
        serving = mall.start(mall.call_next(mall.first))
        code = refusal(mall.complete, serving, outcome="collect_later", collect_on="2026-03-10")
        assert code == ("collect_date_past", {"business_date": "2026-03-11"})
        assert mall.get(serving)["status"] == "serving"
