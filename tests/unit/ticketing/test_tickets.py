"""The state machine: what each command does with a ticket in each state."""

from contextlib import nullcontext
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.subscriptions import EVENT_TYPES
from services.contracts.ticketing import TICKET_STATES
from services.ticketing import domain
from services.ticketing.domain import OPEN_STATES, TRANSITIONS, QueueRefusal, Ticket
from services.ticketing.domain.diagram import mermaid
from tests.unit.ticketing.example import NOON, ticket

pytestmark = pytest.mark.unit

ALLOWED = {
    "confirm": {"printing": "waiting"},
    "void": {"printing": "void"},
    "check-in": {"reserved": "waiting"},
    "call": {"waiting": "called"},
    "recall": {"called": "called"},
    "undo-call": {"called": "waiting"},
    "start": {"called": "serving"},
    "hold": {"called": "on_hold", "serving": "on_hold"},
    "resume": {"on_hold": "serving"},
    "return": {"called": "waiting", "serving": "waiting"},
    "transfer": {"called": "transferred", "serving": "transferred"},
    "complete": {"serving": "completed"},
    "no-show": {"called": "no_show"},
    "rejoin": {"no_show": "waiting"},
    "priority": {"printing": "printing", "waiting": "waiting", "on_hold": "on_hold"},
    "cancel": {"reserved": "cancelled", "waiting": "cancelled", "called": "cancelled", "on_hold": "cancelled"},
    "expire": {
        "reserved": "expired",
        "printing": "expired",
        "waiting": "expired",
        "called": "expired",
        "serving": "expired",
        "on_hold": "expired",
    },
}
"""The table of the specification, written down once more: command, state before, state after (of a ticket that was being served)."""

EVENTS = {
    "confirm": "ticket.issued",
    "void": "ticket.voided",
    "check-in": "ticket.checked_in",
    "call": "ticket.called",
    "recall": "ticket.recalled",
    "undo-call": "ticket.call_undone",
    "start": "ticket.serving_started",
    "hold": "ticket.held",
    "resume": "ticket.resumed",
    "return": "ticket.returned",
    "transfer": "ticket.transferred",
    "complete": "ticket.completed",
    "no-show": "ticket.no_show",
    "rejoin": "ticket.rejoined",
    "priority": "ticket.priority_changed",
    "cancel": "ticket.cancelled",
    "expire": "ticket.expired",
}


def at(state: str) -> Ticket:
    """A ticket that has come to a state, on hold out of serving."""
    if state != "on_hold":
        return ticket(state)
    serving = ticket("serving", version=0)
    return domain.changed(serving, "hold", NOON, actor="someone")


class TestTable:
    @pytest.mark.parametrize("state", TICKET_STATES)
    @pytest.mark.parametrize("command", sorted(ALLOWED))
    def test_each_command_in_each_state(self, command, state):
        before = at(state)
        if state in ALLOWED[command]:
            after = domain.changed(before, command, NOON, actor="someone")
            assert (after.status, after.version) == (ALLOWED[command][state], 2)
        else:
            with pytest.raises(QueueRefusal) as caught:
                domain.changed(before, command, NOON, actor="someone")
            assert caught.value.code == "ticket_state_conflict"
            assert caught.value.details == {"status": state, "allowed": sorted(ALLOWED[command])}

    def test_has_no_other_command(self):
        assert sorted(TRANSITIONS) == sorted(ALLOWED)

    def test_names_only_states_of_the_contract(self):
        targets = {target for transition in TRANSITIONS.values() for some in transition.moves.values() for target in some}
        assert set(TICKET_STATES) >= OPEN_STATES | targets

    def test_each_command_is_told_by_an_event_of_the_contract(self):
        assert {command: transition.event for command, transition in TRANSITIONS.items()} == EVENTS
        assert set(EVENTS.values()) | {"ticket.issued", "ticket.reserved", "ticket.person_erased"} == {
            name for name in EVENT_TYPES["ticketing"] if name.startswith("ticket.")
        }

    def test_only_who_did_not_come_may_come_back_from_an_end(self):
        ended = set(TICKET_STATES) - OPEN_STATES
        out = {name: transition.sources & ended for name, transition in TRANSITIONS.items() if transition.sources & ended}
        assert out == {"rejoin": {"no_show"}}

    def test_the_clock_completes_nothing(self):
        assert set(TRANSITIONS["expire"].moves.values()) == {frozenset({"expired"})}
        assert TRANSITIONS["expire"].sources == OPEN_STATES


class TestChange:
    def test_remembers_counter_and_outcome(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        served = domain.changed(domain.changed(called, "start", NOON, actor="o"), "complete", NOON, actor="o", outcome="referred")
        assert (served.counter, served.outcome) == ("sukadana-05", "referred")
        assert [(period.state, period.counter) for period in served.periods] == [
            ("waiting", None),
            ("called", "sukadana-05"),
            ("serving", "sukadana-05"),
            ("completed", "sukadana-05"),
        ]

    def test_a_recall_counts_and_begins_no_period(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        again = domain.changed(called, "recall", NOON + timedelta(minutes=1), actor="o")
        assert (again.recalls, again.version, again.periods) == (1, 3, called.periods)

    def test_says_who_did_it(self):
        called = domain.changed(ticket(), "call", NOON, actor="officer@lampung-timur", counter="sukadana-05")
        assert [period.actor for period in called.periods] == ["kiosk@lampung-timur", "officer@lampung-timur"]

    def test_that_began_before_the_last_one_counts_from_the_last_one(self):
        called = domain.changed(ticket(), "call", NOON + timedelta(seconds=3), actor="o", counter="sukadana-05")
        cancelled = domain.changed(called, "cancel", NOON + timedelta(seconds=1), actor=None)
        assert [period.started_at for period in cancelled.periods] == [NOON, *[NOON + timedelta(seconds=3)] * 2]
        assert [period.ended_at for period in cancelled.periods] == [NOON + timedelta(seconds=3)] * 3

    def test_leaves_the_ticket_before_as_it_was(self):
        before = ticket()
        domain.changed(before, "call", NOON, actor="o", counter="sukadana-05")
        assert before == ticket()


class TestRecall:
    @pytest.mark.parametrize(("recalls", "most", "refused"), [(0, 3, False), (2, 3, False), (3, 3, True), (4, 3, True), (0, 0, True)])
    def test_is_allowed_as_often_as_the_site_says(self, recalls, most, refused):
        called = ticket("called", recalls=recalls)
        with pytest.raises(QueueRefusal, match="recall_limit_reached") if refused else nullcontext() as caught:
            domain.check_recall(called, NOON, most=most, gap_seconds=0)
        assert caught is None or caught.value.details == {"limit": most}

    @pytest.mark.parametrize(("after", "left"), [(0, 15), (0.2, 15), (14, 1), (15, None), (60, None)])
    def test_comes_no_sooner_than_the_site_says(self, after, left):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        with pytest.raises(QueueRefusal, match="recall_too_soon") if left else nullcontext() as caught:
            domain.check_recall(called, NOON + timedelta(seconds=after), most=3, gap_seconds=15)
        assert caught is None or caught.value.details == {"retry_after_seconds": left}

    def test_counts_from_the_last_recall(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        again = domain.changed(called, "recall", NOON + timedelta(seconds=20), actor="o")
        with pytest.raises(QueueRefusal, match="recall_too_soon"):
            domain.check_recall(again, NOON + timedelta(seconds=30), most=3, gap_seconds=15)

    def test_begins_anew_with_each_call(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        back = domain.changed(domain.changed(called, "recall", NOON, actor="o"), "return", NOON, actor="o")
        assert domain.changed(back, "call", NOON, actor="o", counter="sukadana-05").recalls == 0

    def test_of_what_is_not_called_is_a_matter_of_its_state(self):
        domain.check_recall(ticket("completed", recalls=3), NOON, most=3, gap_seconds=15)


class TestBackInTheQueue:
    def test_is_at_no_counter(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        returned = domain.changed(called, "return", NOON, actor="o", turn_at=NOON)
        assert (returned.counter, returned.returns, returned.periods[-1].counter) == (None, 1, None)

    def test_a_call_undone_is_marked_and_the_turn_is_kept(self):
        called = domain.changed(ticket(), "call", NOON + timedelta(minutes=1), actor="o", counter="sukadana-05")
        undone = domain.changed(called, "undo-call", NOON + timedelta(minutes=2), actor="o")
        assert [(period.state, period.undone) for period in undone.periods] == [("waiting", False), ("called", True), ("waiting", False)]
        assert undone.turn == ticket().turn

    @pytest.mark.parametrize(("after", "refused"), [(0, False), (60, False), (61, True)])
    def test_a_call_is_undone_shortly_after_it_only(self, after, refused):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        with pytest.raises(QueueRefusal, match="undo_too_late") if refused else nullcontext() as caught:
            domain.check_undo(called, NOON + timedelta(seconds=after), 60)
        assert caught is None or caught.value.details == {"limit_seconds": 60}

    def test_who_comes_after_all_waited_in_no_show_until_then(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        gone = domain.changed(called, "no-show", NOON + timedelta(minutes=2), actor="o")
        back = domain.changed(gone, "rejoin", NOON + timedelta(minutes=9), actor=None, turn_at=NOON + timedelta(minutes=9))
        assert [(each.state, each.ended_at) for each in back.periods[-2:]] == [("no_show", NOON + timedelta(minutes=9)), ("waiting", None)]
        assert (back.turn, back.arrived_at) == (NOON + timedelta(minutes=9), NOON)

    def test_may_rejoin_as_often_as_the_site_says(self):
        called = domain.changed(ticket(), "call", NOON, actor="o", counter="sukadana-05")
        once = domain.changed(called, "no-show", NOON, actor="o")
        domain.check_rejoin(once, 1)
        with pytest.raises(QueueRefusal, match="rejoin_limit_reached"):
            domain.check_rejoin(once, 0)
        again = domain.changed(domain.changed(once, "rejoin", NOON, actor=None), "call", NOON, actor="o", counter="sukadana-05")
        with pytest.raises(QueueRefusal, match="rejoin_limit_reached"):
            domain.check_rejoin(domain.changed(again, "no-show", NOON, actor="o"), 1)


class TestHold:
    @pytest.mark.parametrize("before", ["called", "serving"])
    def test_goes_on_as_it_was(self, before):
        held = domain.changed(ticket(before, counter="sukadana-05"), "hold", NOON, actor="o")
        assert held.counter == "sukadana-05"
        resumed = domain.changed(held, "resume", NOON, actor="o", counter="sukadana-06")
        assert (resumed.status, resumed.counter) == (before, "sukadana-06")

    def test_serving_seconds_leave_out_the_time_on_hold(self):
        serving = domain.changed(domain.changed(ticket(), "call", NOON, actor="o", counter="c-01"), "start", NOON, actor="o")
        held = domain.changed(serving, "hold", NOON + timedelta(minutes=3), actor="o")
        resumed = domain.changed(held, "resume", NOON + timedelta(minutes=30), actor="o")
        done = domain.changed(resumed, "complete", NOON + timedelta(minutes=32), actor="o", outcome="done")
        assert done.serving_seconds == 300


class TestDay:
    def test_of_another_date_is_over(self):
        with pytest.raises(QueueRefusal, match="day_closed") as caught:
            domain.check_day(ticket(), date(2026, 3, 12))
        assert caught.value.details == {"business_date": "2026-03-11"}

    def test_of_today_is_not(self):
        domain.check_day(ticket(), date(2026, 3, 11))


class TestFace:
    @pytest.mark.parametrize(
        ("prefix", "number", "label"), [("A", 1, "A-001"), ("E", 12, "E-012"), ("AB", 999, "AB-999"), ("A", 1000, "A-1000")]
    )
    def test_number_as_it_stands_on_the_slip(self, prefix, number, label):
        assert ticket(prefix=prefix, number=number).label == label

    def test_lane_tells_that_there_is_a_priority_but_not_which(self):
        assert ticket().lane == "regular"
        assert ticket(priority_class="disability").lane == ticket(priority_class="elderly").lane == "priority"

    def test_serving_seconds_are_those_at_the_counter(self):
        called = domain.changed(ticket(), "call", NOON + timedelta(minutes=10), actor="o", counter="sukadana-05")
        serving = domain.changed(called, "start", NOON + timedelta(minutes=11), actor="o")
        done = domain.changed(serving, "complete", NOON + timedelta(minutes=16), actor="o", outcome="done")
        assert (serving.serving_seconds, done.serving_seconds) == (0, 300)


steps = st.lists(
    st.tuples(st.sampled_from(sorted(TRANSITIONS)), st.integers(-300, 3600), st.sampled_from([None, "sukadana-01", "sukadana-02"])),
    max_size=12,
)


@given(steps)
def test_any_sequence_of_commands_keeps_the_books(sequence):
    """Clocks may run backwards by minutes; refused commands change nothing."""
    now, current = NOON, ticket()
    for command, seconds, counter in sequence:
        now += timedelta(seconds=seconds)
        try:
            after = domain.changed(current, command, now, actor="o", counter=counter)
        except QueueRefusal:
            continue
        assert after.version == current.version + 1
        assert after.periods[: len(current.periods) - 1] == current.periods[:-1]
        assert (after.arrived_at, after.issued_at, after.number, after.visit) == (
            current.arrived_at,
            current.issued_at,
            current.number,
            current.visit,
        )
        current = after
    periods = current.periods
    assert [(period.state, period.started_at) for period in periods[:1]] == [("waiting", current.issued_at)]
    assert all(before.ended_at == after.started_at for before, after in pairwise(periods))
    assert all(period.ended_at is None or period.started_at <= period.ended_at for period in periods)
    assert periods[-1].state == current.status
    assert (periods[-1].ended_at is None) == (current.status in OPEN_STATES)


def test_the_documentation_shows_the_machine_as_it_is():
    readme = (Path(domain.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert readme.partition("```mermaid\n")[2].partition("```")[0] == mermaid()
