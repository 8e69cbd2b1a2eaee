"""The rounds that close days and measure: nobody forgotten, nobody kept waiting by another's trouble."""

from datetime import timedelta
from typing import Any

import pytest

from services.chassis.errors import DatabaseUnavailable, DeadlineExceeded, DomainError
from services.chassis.metrics import TICKETS_WAITING
from services.ticketing import rounds
from services.ticketing.usecases import changing, closing
from tests.integration.ticketing.books import check_books
from tests.integration.ticketing.province import MIDNIGHT, statuses

pytestmark = pytest.mark.integration


@pytest.fixture
def mall(province):
    """A site of the only regency."""
    return province.mall()


def raise_(error):
    raise error


def test_they_ask_a_regency_only_when_something_can_be_due(province):
    regencies = {province.mall().regency for _ in range(3)}
    province.database.asked_since()
    rounds.close_ended_days(province.database)
    assert province.database.asked_since() == regencies
    province.clock.pass_by(seconds=5)
    rounds.close_ended_days(province.database)
    assert province.database.asked_since() == set()
    province.clock.pass_by(minutes=5)
    rounds.close_ended_days(province.database)
    assert province.database.asked_since() == regencies


def test_they_close_within_five_minutes_what_another_replica_opened_just_before_midnight(province, mall):
    province.clock.instant = MIDNIGHT - timedelta(seconds=10)
    rounds.close_ended_days(province.database)
    mall.take(mall.ktp)
    province.clock.instant = MIDNIGHT
    while statuses(mall) == ["waiting"]:
        rounds.close_ended_days(province.database)
        province.clock.pass_by(seconds=rounds.CLOSING_SECONDS)
    assert province.clock.instant <= MIDNIGHT + rounds.LOOK_AGAIN


def test_they_close_at_midnight_what_they_know_of(province, mall):
    mall.take(mall.ktp)
    province.clock.instant = MIDNIGHT - timedelta(seconds=7)
    rounds.close_ended_days(province.database)
    province.clock.instant = MIDNIGHT
    assert rounds.close_ended_days(province.database) == 1


def test_they_pick_up_a_new_regency(province, mall):
    rounds.close_ended_days(province.database)
    new = province.mall()
    new.take(new.ktp)
    province.clock.instant = MIDNIGHT
    rounds.close_ended_days(province.database)
    assert statuses(new) == ["expired"]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), DomainError("regency_unknown"), DatabaseUnavailable("away")],
    ids=lambda error: type(error).__name__,
)
def test_they_go_on_past_a_regency_that_fails_and_come_back_to_it(province, error):
    malls = sorted((province.mall() for _ in range(3)), key=lambda mall: mall.regency)
    for mall in malls:
        mall.take(mall.ktp)
    province.clock.instant = MIDNIGHT
    replica = province.replica()
    replica.trouble[malls[0].regency] = error
    assert rounds.close_ended_days(replica) == 2
    assert [statuses(mall)[0] for mall in malls] == ["waiting", "expired", "expired"]
    replica.trouble.clear()
    assert rounds.close_ended_days(replica) == 1
    assert statuses(malls[0]) == ["expired"]


@pytest.mark.parametrize("error", [ZeroDivisionError, DeadlineExceeded])
def test_they_go_on_past_a_day_that_fails(province, monkeypatch, error):
    regency = province.regency()
    malls = []
    for _ in range(3):
        malls.append(province.mall(regency))
        malls[-1].take(malls[-1].ktp)
    province.clock.instant = MIDNIGHT

    def fail_at_one_site(work, ticket, ended_at, expire=changing.expire):
        if ticket.site == malls[0].site:
            raise error
        expire(work, ticket, ended_at)

    with monkeypatch.context() as broken:
        broken.setattr(closing, "expire", fail_at_one_site)
        assert rounds.close_ended_days(province.database) == 2
        assert rounds.close_ended_days(province.database) == 0
    assert rounds.close_ended_days(province.database) == 1
    for mall in malls:
        check_books(mall)


def test_they_survive_an_outage_of_the_whole_database(province, mall):
    mall.take(mall.ktp)
    province.clock.instant = MIDNIGHT
    replica = province.replica()
    replica.regencies = lambda *_: raise_(DatabaseUnavailable("away"))
    assert rounds.close_ended_days(replica) == 0
    rounds.measure_pressure(replica)
    del replica.regencies
    assert rounds.close_ended_days(replica) == 1


def test_they_trust_no_schedule_made_by_a_clock_that_was_set_back(province, mall):
    wrong = province.clock.instant + timedelta(days=365)
    province.clock.instant, right = wrong, province.clock.instant
    rounds.close_ended_days(province.database)
    province.clock.instant = right
    mall.take(mall.ktp)
    province.clock.instant = MIDNIGHT
    assert rounds.close_ended_days(province.database) == 1


def test_where_there_are_more_regencies_than_one_round_measures_the_next_ones_have_their_turn(province):
    malls = [province.mall() for _ in range(3)]
    for mall in malls:
        mall.take(mall.ktp)
    measured: list[str] = []
    work = province.database.regency_work

    def noted(regency: str, **settings: Any) -> Any:
        measured.append(regency)
        return work(regency, **settings)

    province.database.regency_work = noted
    regencies = province.database.regencies()
    for _ in range(2):
        rounds.measure_pressure(province.database, most=len(regencies) - 1)
    del province.database.regency_work
    assert measured == [*regencies, *regencies[: len(regencies) - 2]]
    assert all(TICKETS_WAITING.labels(mall.regency, mall.site, "regular")._value.get() == 1 for mall in malls)


def test_they_measure_past_a_regency_that_fails(province):
    malls = sorted((province.mall() for _ in range(2)), key=lambda mall: mall.regency)
    for mall in malls:
        mall.take(mall.ktp)
    province.database.trouble[malls[0].regency] = DomainError("regency_unknown")
    rounds.measure_pressure(province.database)
    province.database.trouble.clear()
    assert TICKETS_WAITING.labels(malls[1].regency, malls[1].site, "regular")._value.get() == 1
