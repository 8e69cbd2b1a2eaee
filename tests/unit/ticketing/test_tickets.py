"""The state machine: what each command does with a ticket in each state."""

from contextlib import nullcontext
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.subscriptions import EVENT_TYPES
from services.contracts.ticketing import TICKET_STATES
from services.ticketing import domain
from services.ticketing.domain import OPEN_STATES, TRANSITIONS, QueueRefusal
from tests.unit.ticketing.example import NOON, ticket

pytestmark = pytest.mark.unit

ALLOWED = {
    "call": {"waiting": "called"},
    "recall": {"called": "called"},
    "start": {"called": "serving"},
    "complete": {"serving": "completed"},
    "no-show": {"called": "no_show"},
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
"""The table of the specification, written down once more: command, state before, state after."""

EVENTS = {
    "call": "ticket.called",
    "recall": "ticket.recalled",
    "start": "ticket.serving_started",
    "complete": "ticket.completed",
    "no-show": "ticket.no_show",
    "cancel": "ticket.cancelled",
    "expire": "ticket.expired",
}


class TestTable:
    @pytest.mark.parametrize("state", TICKET_STATES)
    @pytest.mark.parametrize("command", sorted(ALLOWED))
    def test_each_command_in_each_state(self, command, state):
        before = ticket(state)
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
        assert set(TICKET_STATES) >= OPEN_STATES | {transition.target for transition in TRANSITIONS.values()}

    def test_each_command_is_told_by_an_event_of_the_contract(self):
        assert {command: transition.event for command, transition in TRANSITIONS.items()} == EVENTS
        assert set(EVENTS.values()) | {"ticket.issued"} == {name for name in EVENT_TYPES["ticketing"] if name.startswith("ticket.")}

    def test_nothing_leads_out_of_an_ended_state(self):
        ended = set(TICKET_STATES) - OPEN_STATES
        assert not ended & {state for transition in TRANSITIONS.values() for state in transition.sources}

    def test_the_clock_completes_nothing(self):
        assert TRANSITIONS["expire"].target == "expired"
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
            domain.check_recall(called, most)
        assert caught is None or caught.value.details == {"limit": most}

    def test_of_what_is_not_called_is_a_matter_of_its_state(self):
        domain.check_recall(ticket("completed", recalls=3), 3)


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
