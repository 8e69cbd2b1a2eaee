"""Where the owner's log was cut, its snapshot takes the place of the events that are gone."""

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from services.chassis import metrics
from services.chassis.catch_up import PAGE
from services.chassis.connections import HOME
from services.chassis.database import Database
from services.chassis.errors import BrokerUnavailable, DomainError, Unavailable
from services.chassis.events import Envelope, Event
from services.chassis.extensions import _upkeep_of
from services.chassis.gaps import GapFinder
from services.chassis.handlers import one_by_one
from services.chassis.handling import DEADLY, MOST_BEGINNINGS
from services.chassis.inbox_rows import key_of
from services.chassis.rebuilding import reset
from services.chassis.snapshots import Item, Section, read_page
from tests.integration.chassis.conftest import schema
from tests.integration.chassis.consuming import Consumer, SteppedClock, event, rows
from tests.integration.chassis.owner import Owner
from tests.probe.services import balance, entries, entry, keep_balance

pytestmark = pytest.mark.integration

SECTIONS = (Section("entry.snapshot", entries),)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stepped(ledger_url, provisioner, clock) -> Iterator[Database]:
    database = Database("ledger", ledger_url, clock=clock)
    yield database
    database.close()


@pytest.fixture
def consumer(stepped) -> Consumer:
    """Keeps balances, by entry, and a journal of what was news."""
    consumer = Consumer(stepped)

    def journal(work, event) -> None:
        consumer.calls.append(event.sequence)
        consumer.before(work, event)
        keep_balance(work, event)
        if not event.replayed:
            work.execute(sa.text("INSERT INTO copy (event_id, account, amount) VALUES (:id, 'news', 1)"), {"id": event.id})
        work.emit(Event("copy.made", event.subject, {}))

    consumer.inbox._handler = one_by_one(journal)
    return consumer


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def finder(consumer, owner) -> GapFinder:
    return GapFinder(consumer.inbox, owner, grace=0.0)


def source(regency: str) -> str:
    return event(regency, 1).source


def item(regency: str, number: int, sequence: int = 9, **changes: Any) -> Envelope:
    """One object of the owner as it is now."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{regency}/item/{number}"))
    return event(regency, sequence, id=identity, type="entry.snapshot", subject=str(number), **changes)


def settle(finder: GapFinder) -> None:
    for _ in range(2):
        finder.compare()
        finder.sweep()


def balances(administration, regency: str) -> list[int]:
    return [row.entry for row in administration.run(f"SELECT entry FROM {schema(regency)}.balance ORDER BY 1")]


def news(administration, regency: str) -> int:
    return int(administration.count(f"{schema(regency)}.copy"))


def mark(administration, regency: str) -> int:
    found = administration.run(f"SELECT sequence FROM {schema(regency)}.stream_mark")
    return found[0].sequence if found else 0


# --- what the owner says


def read_all(database: Database, regency: str, sections=SECTIONS, limit: int = 3) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    cursor = None
    while not pages or cursor:
        with database.regency_work(regency, read_only=True) as work:
            pages.append(read_page(work, sections, source(regency), cursor, limit))
        cursor = pages[-1]["next_cursor"]
    return pages


def enter(database: Database, regency: str, count: int) -> None:
    for _ in range(count):
        with database.regency_work(regency) as work:
            number = work.execute(sa.insert(entry).values(account="a", amount=1).returning(entry.c.id)).scalar_one()
            work.emit(Event("entry.added", str(number), {"account": "a", "amount": 1}, site="main"))


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 8, 500])
def test_every_object_is_on_one_page_whatever_their_size(database, regency, limit):
    enter(database, regency, 7)
    pages = read_all(database, regency, limit=limit)
    assert [item["subject"] for page in pages for item in page["items"]] == [str(number) for number in range(1, 8)]
    assert {page["sequence"] for page in pages} == {7}
    assert max(len(page["items"]) for page in pages) <= limit
    first = Envelope.from_cloudevent(pages[0]["items"][0])
    assert (first.type, first.sequence, first.data) == ("entry.snapshot", 7, {"account": "a", "amount": 1})


def test_sections_follow_each_other_and_empty_ones_are_passed_over(database, regency):
    enter(database, regency, 1)

    def numbers(count: int):
        def page(work, site, after, limit):
            return [Item(str(number), str(number), {}) for number in range(int(after or 0) + 1, count + 1)][:limit]

        return page

    sections = [Section(f"s.{name}", numbers(count)) for name, count in (("a", 4), ("none", 0), ("b", 2), ("last", 0))]
    for limit in (1, 2, 3, 4, 5, 6, 7):
        items = [item for page in read_all(database, regency, sections, limit) for item in page["items"]]
        assert [(item["type"], item["subject"]) for item in items] == [
            *(("mpp.s.a", str(number)) for number in (1, 2, 3, 4)),
            *(("mpp.s.b", str(number)) for number in (1, 2)),
        ]
        assert len({item["id"] for item in items}) == 6


def test_an_object_has_the_same_identity_in_every_snapshot(database, regency):
    enter(database, regency, 2)
    before = [item["id"] for page in read_all(database, regency) for item in page["items"]]
    enter(database, regency, 1)
    after = [item["id"] for page in read_all(database, regency) for item in page["items"]]
    assert after[:2] == before


def test_of_a_stream_that_there_is_not_nothing_is_said(database, regency):
    assert read_all(database, regency) == [{"sequence": 0, "items": [], "next_cursor": None}]


@pytest.mark.parametrize("cursor", ["x", "!!!", "bnVsbA", "WzAsMV0", "WzksIiJd", "W3RydWUsbnVsbF0", "WzAsICJcdTAwMDAiXQ", "\u00e9"])
def test_a_cursor_that_was_not_given_is_refused(database, regency, cursor):
    enter(database, regency, 1)
    with pytest.raises(DomainError, match="parameter_invalid"), database.regency_work(regency, read_only=True) as work:
        read_page(work, SECTIONS, source(regency), cursor, 3)


# --- what the consumer does with it


def test_a_new_consumer_takes_the_snapshot_and_reads_on_in_the_log(administration, consumer, finder, owner, regency):
    owner.state[source(regency)] = [item(regency, number) for number in range(1, 10)]
    owner.stands_at = 9
    owner.has(*(event(regency, number) for number in (7, 8, 9)))
    settle(finder)
    assert balances(administration, regency) == list(range(1, 10))
    assert mark(administration, regency) == 9
    assert news(administration, regency) == 3, "what is logged is news, what the snapshot tells is none"
    assert owner.snapshots == [(source(regency), None)]


def test_nothing_that_follows_from_history_is_told(administration, consumer, finder, owner, regency):
    owner.state[source(regency)] = [item(regency, number) for number in range(1, 10)]
    owner.stands_at = 9
    owner.has(event(regency, 9))
    settle(finder)
    told = administration.value("SELECT count(*) FROM platform.outbox WHERE regency = :regency", regency=regency)
    assert told == 1, "only of the event that is still logged"


def test_a_consumer_whose_mark_is_behind_an_empty_log_takes_the_snapshot(administration, consumer, finder, owner, regency):
    """And what happens while its pages are read is not passed over: it is behind the first page's sequence."""
    owner.state[source(regency)] = [item(regency, number, 6) for number in range(1, PAGE + 2)]
    owner.stands_at = 6
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 4}]
    healthy = owner.snapshot_page

    def meanwhile(*asked):
        page = healthy(*asked)
        owner.stands_at = 7
        owner.logged[source(regency)] = [event(regency, 7)]
        return page

    owner.snapshot_page = meanwhile
    finder.compare()
    finder.sweep()
    assert mark(administration, regency) == 6
    finder.sweep()
    assert mark(administration, regency) == 7
    assert news(administration, regency) == 1


def test_a_hole_inside_the_log_is_bridged_too(administration, consumer, finder, owner, regency):
    """Sequence and time may disagree where a month begins: the cut then leaves a hole between events of one page."""
    owner.state[source(regency)] = [item(regency, number) for number in range(1, 6)]
    owner.stands_at = 5
    owner.has(event(regency, 1), event(regency, 2), event(regency, 4), event(regency, 5))
    settle(finder)
    assert balances(administration, regency) == [1, 2, 3, 4, 5]
    assert (mark(administration, regency), news(administration, regency)) == (5, 4)


def test_what_has_arrived_by_itself_needs_no_snapshot(administration, consumer, finder, owner, regency):
    for number in (1, 2, 3, 5):
        consumer.inbox.receive(event(regency, number))
    owner.has(*(event(regency, number) for number in (4, 5)))
    finder.compare()  # knows no mark yet: seems to lack 1 to 3
    finder.sweep()
    assert owner.snapshots == []
    assert mark(administration, regency) == 5 or finder.sweep() or mark(administration, regency) == 5


def test_an_older_state_in_the_log_changes_nothing_and_neither_does_doing_it_twice(administration, consumer, stepped, owner, regency):
    owner.state[source(regency)] = [item(regency, number) for number in range(1, 10)]
    owner.stands_at = 9
    owner.has(event(regency, 9))
    for _ in range(2):
        settle(GapFinder(consumer.inbox, owner, grace=0.0))
        administration.run(f"DELETE FROM {schema(regency)}.stream_mark")
    assert balances(administration, regency) == list(range(1, 10))


def test_memory_holds_a_page_at_a_time(administration, consumer, finder, owner, regency):
    owner.state[source(regency)] = [item(regency, number, 1) for number in range(1, 2 * PAGE + 2)]
    owner.stands_at = 1
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 1}]
    settle(finder)
    assert [cursor for _, cursor in owner.snapshots] == [None, str(PAGE), str(2 * PAGE)]
    assert len(balances(administration, regency)) == 2 * PAGE + 1


def test_an_outage_in_the_middle_does_not_begin_anew(administration, consumer, finder, owner, regency):
    owner.state[source(regency)] = [item(regency, number, 1) for number in range(1, 2 * PAGE + 2)]
    owner.stands_at = 1
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 1}]
    healthy = owner.snapshot_page

    def once_away(*asked):
        if len(owner.snapshots) == 1:
            owner.snapshot_page = healthy
            raise BrokerUnavailable("away")
        return healthy(*asked)

    owner.snapshot_page = once_away
    finder.compare()
    with pytest.raises(BrokerUnavailable):
        finder.sweep()
    assert mark(administration, regency) == 0, "the mark moves behind the last page only"
    finder.sweep()
    assert [cursor for _, cursor in owner.snapshots] == [None, str(PAGE), str(2 * PAGE)]
    assert mark(administration, regency) == 1


def test_a_process_that_died_in_the_middle_is_followed_by_one_that_begins_again(administration, consumer, owner, regency):
    owner.state[source(regency)] = [item(regency, number, 1) for number in range(1, PAGE + 2)]
    owner.stands_at = 1
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 1}]
    died = GapFinder(consumer.inbox, owner, grace=0.0)
    consumer.before = lambda work, current: died.stop()  # after the page under way
    died.compare()
    died.sweep()
    assert len(balances(administration, regency)) == PAGE
    assert mark(administration, regency) == 0
    consumer.before = lambda work, current: None
    settle(GapFinder(consumer.inbox, owner, grace=0.0))
    assert len(balances(administration, regency)) == PAGE + 1
    assert mark(administration, regency) == 1


def test_an_owner_that_cannot_answer_in_time_is_asked_for_smaller_pages(consumer, finder, owner, regency):
    owner.state[source(regency)] = [item(regency, number, 1) for number in range(1, 40)]
    owner.stands_at = 1
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 1}]
    healthy, asked = owner.snapshot_page, []

    def slow(regency, source, cursor, limit):
        asked.append(limit)
        if limit > 20:
            raise Unavailable("said by the service", code="deadline_exceeded")
        return healthy(regency, source, cursor, limit)

    owner.snapshot_page = slow
    finder.compare()
    for _ in range(6):
        try:
            finder.sweep()
        except Unavailable:
            continue
    assert asked[:3] == [PAGE, PAGE // 4, PAGE // 16]
    assert owner.snapshots[-1][1] is not None, "it comes to the end"


def test_an_owner_that_knows_no_snapshots_yet_is_asked_again_and_nothing_is_passed_over(administration, consumer, finder, owner, regency):
    owner.has(event(regency, 5))
    healthy = owner.snapshot_page

    def unknown(*_):
        raise DomainError("method_unknown")

    owner.snapshot_page = unknown
    settle(finder)
    assert mark(administration, regency) == 0
    owner.snapshot_page = healthy
    settle(finder)
    assert mark(administration, regency) == 5


# --- items that fail


def failing(consumer: Consumer, number: int, error: Exception | None) -> None:
    def fail(work, current) -> None:
        if current.subject == str(number) and error:
            raise error

    consumer.before = fail


def cut(owner: Owner, regency: str, items: int = 5) -> None:
    owner.state[source(regency)] = [item(regency, number) for number in range(1, items + 1)]
    owner.stands_at = 9
    owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 9}]


def test_an_item_that_fails_is_put_aside_and_retried_and_the_others_follow(administration, consumer, finder, owner, clock, regency):
    cut(owner, regency)
    failing(consumer, 3, RuntimeError("not yet"))
    settle(finder)
    assert balances(administration, regency) == [1, 2, 4, 5]
    assert mark(administration, regency) == 9
    (row,) = rows(administration, regency).values()
    assert (row.status, row.sequence, row.reason) == ("failed", key_of(item(regency, 3)), "RuntimeError: ")
    failing(consumer, 3, None)
    clock.advance(10)
    assert consumer.inbox.retry(regency) == 0
    assert balances(administration, regency) == [1, 2, 3, 4, 5]
    assert news(administration, regency) == 0, "in a retry it is no news either"
    clock.advance(3600)
    consumer.inbox.receive(event(regency, 10))
    finder.arrived([event(regency, 10)])
    finder.sweep()
    assert list(rows(administration, regency)) == [10], "no trace of it is kept for ever"


def test_an_item_that_fails_again_in_a_newer_snapshot_is_retried_in_that_state(administration, consumer, finder, owner, clock, regency):
    cut(owner, regency)
    failing(consumer, 3, RuntimeError())
    settle(finder)
    owner.state[source(regency)][2] = item(regency, 3, amount=7)
    administration.run(f"DELETE FROM {schema(regency)}.stream_mark")
    settle(GapFinder(consumer.inbox, owner, grace=0.0))
    failing(consumer, 3, None)
    clock.advance(10)
    assert consumer.inbox.retry(regency) == 0
    assert administration.value(f"SELECT amount FROM {schema(regency)}.balance WHERE entry = 3") == 7


def test_an_item_that_ends_the_process_is_given_up_in_the_end(administration, consumer, owner, clock, regency):
    cut(owner, regency)

    class Death(BaseException):
        pass

    def die(work, current) -> None:
        if current.subject == "3":
            raise Death

    consumer.before = die
    for _ in range(MOST_BEGINNINGS + 1):
        with pytest.raises(Death):
            settle(GapFinder(consumer.inbox, owner, grace=0.0))
    settle(GapFinder(consumer.inbox, owner, grace=0.0))
    assert balances(administration, regency) == [1, 2, 4, 5]
    (row,) = rows(administration, regency).values()
    assert (row.status, row.reason, row.payload["subject"]) == ("dead", DEADLY, "3")
    assert administration.count(f"{schema(regency)}.handling") == 0


# --- together with the retention of the log


class Calendar:
    def __init__(self) -> None:
        self.now_is = datetime(2024, 1, 15, tzinfo=UTC)

    def now(self) -> datetime:
        return self.now_is


class RealOwner(Owner):
    """Answers out of a database, like the service over RPC."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    def heads(self) -> list[dict[str, Any]]:
        return self.heads_by_hand

    def log_page(self, regency, source, after, limit):
        from services.chassis.events import read_log

        with self.database.regency_work(regency, read_only=True) as work:
            return [Envelope.from_cloudevent(each.to_cloudevent()) for each in read_log(work, source, after, limit)]

    def snapshot_page(self, regency, source, cursor, limit):
        from services.chassis.catch_up import SnapshotPage

        self.snapshots.append((source, cursor))
        with self.database.regency_work(regency, read_only=True) as work:
            page = read_page(work, SECTIONS, source, cursor, limit)
        return SnapshotPage(page["sequence"], [Envelope.from_cloudevent(each) for each in page["items"]], page["next_cursor"])


def test_months_are_cut_and_a_new_and_a_wiped_consumer_come_to_what_the_old_one_knows(
    administration, ledger_url, provisioner, consumer, regency
):
    calendar = Calendar()
    database = Database("ledger", ledger_url, clock=calendar)
    try:
        for month in range(1, 7):
            calendar.now_is = datetime(2024, month, 15, tzinfo=UTC)
            _upkeep_of(database, HOME, regency, calendar.now(), 24)
            enter(database, regency, 5)
        owner = RealOwner(database)
        owner.heads_by_hand = [{"source": source(regency), "regency": regency, "sequence": 30}]
        settle(GapFinder(consumer.inbox, owner, grace=0.0))
        known = administration.run(f"SELECT * FROM {schema(regency)}.balance ORDER BY entry")
        assert (len(known), owner.snapshots, news(administration, regency)) == (30, [], 30)

        _upkeep_of(database, HOME, regency, calendar.now(), 3)
        assert administration.value(f"SELECT min(sequence) FROM {schema(regency)}.event_log WHERE source LIKE '%/main'") == 11
        new = Consumer(consumer.inbox.database)
        new.inbox._handler = consumer.inbox._handler
        for each in (consumer, new):
            with consumer.inbox.database.regency_work(regency) as work:
                reset(work, {each.name: [balance]})
            administration.run(f"DELETE FROM {schema(regency)}.stream_mark")  # it knows nothing: news is news again
            owner.snapshots.clear()
            settle(GapFinder(each.inbox, owner, grace=0.0))
            assert administration.run(f"SELECT * FROM {schema(regency)}.balance ORDER BY entry") == known
            assert owner.snapshots == [(source(regency), None)]
        assert news(administration, regency) == 30 + 2 * 20, "of what is still logged, and of nothing else"

        calendar.now_is = datetime(2025, 1, 15, tzinfo=UTC)
        _upkeep_of(database, HOME, regency, calendar.now(), 3)
        assert administration.value(f"SELECT count(*) FROM {schema(regency)}.event_log WHERE source LIKE '%/main'") == 0
        with consumer.inbox.database.regency_work(regency) as work:
            reset(work, {consumer.name: [balance]})
        settle(GapFinder(consumer.inbox, owner, grace=0.0))
        assert administration.run(f"SELECT * FROM {schema(regency)}.balance ORDER BY entry") == known
        enter(database, regency, 1)
        owner.heads_by_hand[0]["sequence"] = 31
        settle(GapFinder(consumer.inbox, owner, grace=0.0))
        assert balances(administration, regency) == list(range(1, 32))
    finally:
        database.close()


def test_a_projection_emptied_in_the_middle_of_a_snapshot_is_filled_from_the_beginning(administration, consumer, finder, owner, regency):
    """Else the mark would move behind what the emptied tables lack."""
    cut(owner, regency, items=PAGE + 5)
    healthy = owner.snapshot_page

    def emptied_meanwhile(regency, source, cursor, limit):
        page = healthy(regency, source, cursor, limit)
        if cursor is not None:
            owner.snapshot_page = healthy
            with consumer.inbox.database.regency_work(regency) as work:
                reset(work, {consumer.name: [balance]})
        return page

    owner.snapshot_page = emptied_meanwhile
    settle(finder)
    assert balances(administration, regency) == list(range(1, PAGE + 6))
    assert mark(administration, regency) == 9


def test_snapshots_are_counted(consumer, finder, owner, regency):
    counter = metrics.SNAPSHOTS_APPLIED.labels(consumer.name)._value
    before = counter.get()
    cut(owner, regency)
    settle(finder)
    assert counter.get() == before + 1


def test_the_flag_of_a_replayed_event_is_nobody_s_to_set():
    given = event("r", 1)
    assert Envelope.from_cloudevent({**given.to_cloudevent(), "replayed": True}).replayed is False
    assert "replayed" not in dataclasses.replace(given, replayed=True).to_cloudevent()
