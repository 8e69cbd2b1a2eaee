"""Reading a stream page by page: without holes, from where the reader is, and with a clear word about what is gone."""

from datetime import UTC, datetime

import pytest

from services.chassis import event_pages
from services.chassis.database import Database
from services.chassis.errors import DomainError
from services.chassis.extensions import upkeep
from services.contracts.streams import EventPage, ReadEvents, StreamList
from tests.integration.chassis.conftest import added

pytestmark = pytest.mark.integration


class Calendar:
    """A clock that stands in the middle of a month."""

    def __init__(self, year: int, month: int) -> None:
        self.set(year, month)

    def set(self, year: int, month: int) -> None:
        self._now = datetime(year, month, 15, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now


def source(regency: str, site: str = "main") -> str:
    return f"/regencies/{regency}/ledger/sites/{site}"


def happen(database: Database, regency: str, count: int) -> None:
    with database.regency_work(regency) as work:
        for number in range(count):
            work.emit(added(f"account-{number}"))


def read(database: Database, regency: str, after: str | None = None, limit: int = 200, site: str = "main"):
    ReadEvents().load({"source": source(regency, site), "limit": limit, **({} if after is None else {"after": after})})
    with database.regency_work(regency, read_only=True) as work:
        page = event_pages.page(work, source(regency, site), after, limit)
    EventPage().load(page)
    return [int(event["sequence"]) for event in page["items"]], page["next_cursor"]


def refusal(database: Database, regency: str, after: str | None, site: str = "main"):
    with pytest.raises(DomainError) as refused:
        read(database, regency, after, site=site)
    return refused.value.code, refused.value.details


def test_pages_join_without_hole_or_overlap(database, regency):
    happen(database, regency, 7)
    seen, after = [], None
    while True:
        page, after = read(database, regency, after, limit=3)
        seen.append(page)
        if after is None:
            break
    assert seen == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_reader_goes_on_after_the_last_event_that_it_saw(database, regency):
    happen(database, regency, 5)
    for after in ("3", "03", "00000000000000000003"):
        assert read(database, regency, after) == ([4, 5], None)
    assert read(database, regency, "5") == ([], None)
    happen(database, regency, 1)
    assert read(database, regency, "5") == ([6], None)
    assert read(database, regency, "0") == read(database, regency) == ([1, 2, 3, 4, 5, 6], None)


def test_a_full_last_page_is_the_last(database, regency):
    happen(database, regency, 3)
    assert read(database, regency, limit=3) == ([1, 2, 3], None)


def test_what_was_never_reached_is_the_sequence_of_something_else(database, regency):
    happen(database, regency, 2)
    ahead = ("events_ahead", {"source": source(regency), "last": 2})
    assert refusal(database, regency, "3") == ahead
    assert refusal(database, regency, "9" * 20) == ahead
    assert refusal(database, regency, None, site="elsewhere") == ("stream_unknown", {"regency": regency})


@pytest.fixture
def cut(ledger_url, regency):
    """A log of twelve events, of which those of January 2019, 1 to 4, are not kept any more."""
    clock = Calendar(2019, 1)
    database = Database("ledger", ledger_url, clock=clock)
    for month in (1, 2, 3):
        clock.set(2019, month)
        upkeep(database, 24)
        happen(database, regency, 4)
    clock.set(2021, 2)
    upkeep(database, 24)
    yield database
    database.close()


def test_a_reader_who_missed_what_is_gone_is_told_where_the_log_begins(cut, regency):
    gone = ("events_gone", {"source": source(regency), "first_available": 5})
    assert refusal(cut, regency, "0") == refusal(cut, regency, "3") == gone
    assert read(cut, regency, "4")[0] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert read(cut, regency)[0][0] == 5, "who starts from nothing starts where the log starts"


def test_a_log_that_is_gone_as_a_whole_is_not_taken_for_one_in_which_nothing_happened(cut, regency):
    cut.clock.set(2030, 1)
    upkeep(cut, 24)
    assert refusal(cut, regency, "7") == ("events_gone", {"source": source(regency), "first_available": 13})
    assert read(cut, regency, "12") == read(cut, regency) == ([], None)
    happen(cut, regency, 1)
    assert read(cut, regency, "12") == ([13], None)


def test_the_list_of_streams_says_what_can_be_read_of_each(cut, regency):
    with cut.regency_work(regency) as work:
        work.emit(added("a", site="annex"))
    with cut.regency_work(regency, read_only=True) as work:
        items = event_pages.ranges(work)
    StreamList().load({"items": items})
    assert items == [
        {"source": source(regency, "annex"), "first": 1, "last": 1},
        {"source": source(regency, "main"), "first": 5, "last": 12},
    ]
