"""A board is what the tickets say, however its events come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.board.changes import Change, site_of
from gateway.board.projection import Projection
from services.contracts.board import Board, SiteDay
from services.contracts.examples import EXAMPLES
from services.contracts.registry import example_event
from tests.platform.boards import recomputed, reduced
from tests.unit.gateway.board.day import COUNTERS, MORNING, REGENCY, SERVICES, SITE, TODAY, Day

pytestmark = pytest.mark.unit

CLOCK = MORNING.timestamp()

WHAT = ("call", "start", "return", "undo", "recall", "complete", "no_show", "cancel", "expire")
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from(SERVICES), st.sampled_from(["regular", "priority"])),
        st.tuples(st.sampled_from(WHAT), st.integers(0, 30), st.sampled_from(COUNTERS)),
    ),
    max_size=60,
)


def lived(happenings, day=None):
    """Let things happen; return the day and a snapshot after each of them."""
    day = day or Day()
    snapshots = [day.snapshot()]
    for what, first, second in happenings:
        if what == "take":
            day.take(first, second)
        elif day.tickets:
            day.step(list(day.tickets)[first % len(day.tickets)], what, second)
        snapshots.append(day.snapshot())
    return day, snapshots


def started(day):
    projection = Projection(REGENCY, SITE)
    projection.begin(day.snapshot())
    return projection


def shown(projection):
    return reduced(projection.content(CLOCK))


@given(HAPPENINGS, st.data())
def test_any_order_repetition_and_loss_with_snapshots_gives_the_board_of_the_tickets(happenings, data):
    day, snapshots = lived(happenings)
    projection = Projection(REGENCY, SITE)
    indices = list(range(len(day.events)))
    deliveries = data.draw(st.lists(st.sampled_from(indices), max_size=80)) if indices else []
    if data.draw(st.booleans()):
        deliveries += indices
    for index in data.draw(st.permutations(deliveries)):
        if data.draw(st.integers(0, 9)) == 0:
            projection.begin(data.draw(st.sampled_from(snapshots)))
        projection.add(day.change(index))
        if projection.sequence >= 0:
            assert projection.sequence <= day.sequence
    if projection.sequence < day.sequence:
        projection.begin(snapshots[-1])
    assert projection.sequence == day.sequence
    assert not projection.has_hole
    assert shown(projection) == recomputed(day.of_today())


@given(HAPPENINGS)
def test_two_projections_with_the_same_sequence_show_the_same(happenings):
    """One follows every event, the other has just begun."""
    following = started(Day())
    day = Day()
    for what, first, second in happenings:
        before = day.sequence
        if what == "take":
            day.take(first, second)
        elif day.tickets:
            day.step(list(day.tickets)[first % len(day.tickets)], what, second)
        for index in range(before, day.sequence):
            following.add(day.change(index))
        assert following.content(CLOCK) == started(day).content(CLOCK)


def test_a_change_waits_for_an_earlier_one():
    day = Day()
    projection = started(day)
    ticket = day.take()
    day.step(ticket, "call")
    assert projection.add(day.change(1)) == []
    assert projection.has_hole
    assert [change.sequence for change in projection.add(day.change(0))] == [1, 2]
    assert not projection.has_hole
    assert shown(projection)["counters"] == {COUNTERS[0]: {"called": "A-001"}}


def test_an_old_change_that_comes_again_wakes_no_finished_ticket():
    day = Day()
    projection = started(day)
    ticket = day.take()
    for what in ("call", "start", "complete"):
        day.step(ticket, what)
    for index in range(4):
        projection.add(day.change(index))
    assert projection.add(day.change(2)) == []
    assert shown(projection)["counters"] == {}


def test_changes_before_the_first_snapshot_are_kept_for_it():
    day = Day()
    projection, snapshot = Projection(REGENCY, SITE), day.snapshot()
    day.take()
    assert projection.add(day.change(0)) == []
    assert [change.sequence for change in projection.begin(snapshot)] == [1]
    assert shown(projection) == recomputed(day.of_today())


def test_an_older_snapshot_takes_nothing_back_but_brings_the_catalogue():
    day = Day()
    projection, old = started(day), day.snapshot()
    day.take()
    projection.add(day.change(0))
    old["counters"][0]["name"] = "Loket Baru"
    projection.begin(old)
    assert projection.sequence == 1
    assert shown(projection) == recomputed(day.of_today())
    assert projection.content(CLOCK)["counters"][0]["name"] == "Loket Baru"


def test_a_history_that_was_put_back_is_believed_when_forced():
    day = Day()
    old = day.snapshot()
    day.take()
    projection = started(day)
    projection.begin(old, force=True)
    assert projection.sequence == 0
    assert shown(projection)["services"] == {}


def test_tickets_of_another_date_are_not_shown_and_a_later_one_is_noticed():
    day = Day()
    projection = started(day)
    day.take(date="2026-03-10")
    projection.add(day.change(0))
    assert not projection.behind_date
    day.take(date="2026-03-12")
    projection.add(day.change(1))
    assert projection.behind_date
    assert shown(projection)["services"] == {}
    projection.begin(day.snapshot("2026-03-12"))
    assert shown(projection)["services"][SERVICES[0]]["waiting"] == 1
    assert not projection.behind_date


def test_places_follow_lane_and_arrival_within_a_service():
    day = Day()
    first, other, second = day.take(), day.take(SERVICES[1]), day.take()
    urgent = day.take(lane="priority")
    projection = started(day)
    places = {ticket: projection.place(projection.knows(ticket), CLOCK) for ticket in day.tickets}
    # Three counters that all serve both services; 300 s on average for the one, the other has no pace yet: 600 s.
    assert places == {urgent: (1, 0), first: (2, 0), other: (1, 0), second: (3, 300)}


def test_places_follow_the_turns_of_counters_between_the_lanes():
    day = Day()
    day.facts = {"regular_per_priority": 2, "turns": [{"counter": counter, "regular_calls": 1} for counter in COUNTERS]}
    first, second, urgent = day.take(), day.take(), day.take(lane="priority")
    projection = started(day)

    def places():
        known = {ticket: projection.knows(ticket) for ticket in (first, second, urgent)}
        return [projection.place(entry, CLOCK)[0] for entry in known.values() if entry is not None]

    assert places() == [1, 2, 3], "three counters call one regular each, as long as there are any"
    for counter in COUNTERS[1:]:
        other = day.take("BPN-UKR")
        projection.add(day.change(day.sequence - 1))
        day.step(other, "call", counter)
        projection.add(day.change(day.sequence - 1))
    day.step(first, "call", COUNTERS[0])
    projection.add(day.change(day.sequence - 1))
    day.step(first, "start")
    projection.add(day.change(day.sequence - 1))
    assert places() == [None, 2, 1], "every counter has called its two: the priority lane is next"
    assert projection.learn({**day.snapshot(), "turns": [{"counter": counter, "regular_calls": 0} for counter in COUNTERS]})
    assert places() == [None, 1, 2], "what ticketing tells counts"


def test_the_estimate_for_a_newcomer_counts_everybody_who_waits_for_the_same_counters():
    day = Day()
    for _ in range(4):
        day.take()
    day.take(SERVICES[1])
    services = {service["id"]: service for service in started(day).content(CLOCK)["services"]}
    # Three are called at once and the fourth after 300 s, like the one for the other service; the third counter is free then.
    assert {service["estimated_wait_seconds"] for service in services.values()} == {300}


def test_nobody_can_say_how_long_it_takes_where_no_counter_serves():
    day = Day()
    ticket = day.take()
    snapshot = day.snapshot()
    for counter in snapshot["counters"]:
        counter["active"] = False
    projection = Projection(REGENCY, SITE)
    projection.begin(snapshot)
    [service] = projection.content(CLOCK)["services"]
    assert (service["waiting"], service["estimated_wait_seconds"]) == (1, None)
    entry = projection.knows(ticket)
    assert entry is not None
    assert projection.place(entry, CLOCK) == (1, None)


def test_a_closed_counter_stays_while_somebody_is_there():
    day = Day()
    day.step(day.take(), "call", COUNTERS[1])
    snapshot = day.snapshot()
    for counter in snapshot["counters"]:
        counter["active"] = False
    projection = Projection(REGENCY, SITE)
    projection.begin(snapshot)
    assert [counter["id"] for counter in projection.content(CLOCK)["counters"]] == [COUNTERS[1]]


@given(HAPPENINGS)
def test_what_is_shown_fits_the_contract_and_names_no_ticket(happenings):
    day, _ = lived(happenings)
    SiteDay().load(day.snapshot())
    content = started(day).content(CLOCK)
    Board().load({**content, "live": True, "as_of": day.now()})
    text = repr(content)
    assert not any(ticket["id"] in text or ticket["visit"] in text for ticket in day.tickets.values())


def test_the_example_of_the_contract_is_what_its_snapshot_makes():
    day = EXAMPLES["ticketing"]["site_day"]
    projection = Projection("lampung-timur", "sukadana")
    projection.begin(day)
    expected = EXAMPLES["gateway"]["board"]
    assert projection.content(CLOCK).keys() == expected.keys() - {"live", "as_of"}
    assert reduced(projection.content(CLOCK))["counters"] == reduced(expected)["counters"]


class TestReading:
    def test_the_site_of_an_event_is_found_without_reading_it(self):
        day = Day()
        day.take()
        assert site_of(day.body(0)) == (REGENCY, SITE)
        assert site_of(b'{"source":"/regencies/lampung-timur/catalog","data":{}}') is None
        assert site_of(b"\xff{") is None

    def test_events_as_published_are_understood(self):
        for event_type in ("ticket.called", "ticket.expired", "queue.day_opened", "queue.day_closed"):
            body = json.dumps(example_event(event_type), separators=(",", ":")).encode()
            assert site_of(body) == ("lampung-timur", "sukadana")
            assert Change.read(body).business_date == "2025-06-11"

    @pytest.mark.parametrize(
        "broken",
        [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":{"ticket":{}},"sequence":"1","time":"2026-01-01T00:00:00Z"}', b'{"data":[]}'],
    )
    def test_anything_else_is_refused(self, broken):
        with pytest.raises(ValueError, match=r"Expecting value|not an event"):
            Change.read(broken)


def test_a_day_begins_empty():
    assert reduced(started(Day()).content(CLOCK)) == {"counters": {}, "calls": [], "services": {}}
    assert started(Day()).business_date == TODAY


class TestClosures:
    WHOLE, AGENCY = {"agency": None, "opens_at": "2025-06-12T08:00:00+07:00"}, {"agency": "BRJ", "opens_at": None}

    def change(self, sequence, event_type, date=TODAY, **data):
        told = {"sequence": str(sequence), "time": "2025-06-11T09:00:00+07:00", "type": f"mpp.site.{event_type}"}
        return Change.read(json.dumps({**told, "data": {"site": SITE, "business_date": date, **data}}).encode())

    def test_stand_on_the_board_until_they_are_taken_back(self):
        projection = started(Day())
        first = projection.sequence + 1
        later = [
            self.change(first + 1, "closed", reason="closure", **self.AGENCY),
            self.change(first + 2, "reopened", agency=None),
        ]
        for change in later:  # early ones wait
            projection.add(change)
            assert projection.content(CLOCK)["closures"] == []
        assert len(projection.add(self.change(first, "closed", reason="closure", **self.WHOLE))) == 3
        assert projection.content(CLOCK)["closures"] == [self.AGENCY]
        content = {**projection.content(CLOCK), "live": True, "as_of": "2025-06-11T09:00:00+07:00"}
        assert Board().load(content) == content

    def test_come_with_a_snapshot_and_go_with_the_next(self):
        projection, day = started(Day()), Day()
        projection.begin({**day.snapshot(), "closures": [self.WHOLE]})
        assert projection.content(CLOCK)["closures"] == [self.WHOLE]
        projection.begin(day.snapshot())
        assert projection.content(CLOCK)["closures"] == []

    def test_of_another_day_are_not_those_of_today(self):
        projection = started(Day())
        projection.add(self.change(projection.sequence + 1, "closed", date="1999-01-01", **self.WHOLE))
        assert projection.content(CLOCK)["closures"] == []

    def test_said_again_are_said_once(self):
        projection = started(Day())
        for _ in range(2):
            projection.add(self.change(projection.sequence + 1, "closed", **self.WHOLE))
        assert projection.content(CLOCK)["closures"] == [self.WHOLE]
