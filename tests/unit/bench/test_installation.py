"""Which regencies the bench has, and where its workers serve."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.contracts.catalog import RegencyDocument
from tests.bench.installation import described, spread
from tests.bench.load import Post
from tests.bench.past import A_DAY, desks_of, facts_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("count", [1, 5, 50, 514])
def test_as_many_regencies_as_asked_for_that_the_catalogue_takes(count: int) -> None:
    documents = described(count)
    assert len({document["regency"]["id"] for document in documents}) == count
    assert len({document["regency"]["code"] for document in documents}) == count
    for document in documents[:: max(1, count // 10)]:
        RegencyDocument().load(document)


def halls(*sizes: int) -> list[list[Post]]:
    return [[Post(f"r{hall}", "s", f"c{counter}", "x", "t") for counter in range(size)] for hall, size in enumerate(sizes)]


def test_every_worker_has_a_counter_of_its_own_and_all_regencies_have_workers() -> None:
    workers = spread(halls(11, 2, 10, 15, 8), 15)
    posts = [post for worker in workers for post in worker]
    assert len(workers) == 15
    assert len(set(posts)) == len(posts) == 15
    assert {post.regency for post in posts} == {"r0", "r1", "r2", "r3", "r4"}
    assert sum(post.regency == "r1" for post in posts) == 2


def test_where_there_are_more_regencies_than_workers_each_worker_goes_round() -> None:
    workers = spread(halls(*[8] * 514), 15)
    posts = [post for worker in workers for post in worker]
    assert len(workers) == 15
    assert {post.regency for post in posts} == {f"r{number}" for number in range(514)}
    assert len(posts) == 514


def test_no_more_workers_than_counters() -> None:
    assert len(spread(halls(3), 15)) == 3


def test_past_tickets_are_of_whole_days_before_today() -> None:
    document = described(1)[0]
    facts = facts_of(document, 10 * A_DAY, datetime(2026, 11, 22, 18, 0, tzinfo=UTC))  # tomorrow already in Jakarta
    assert facts["first"] == date(2026, 11, 13)
    assert facts["schema"] == "lampung_timur"


def test_each_service_of_a_site_has_a_counter_that_serves_it() -> None:
    for document in described(5):
        site = document["sites"][0]["id"]
        desks = desks_of(document, site)
        serving = {counter["id"]: counter["services"] for counter in document["counters"] if counter["site"] == site}
        assert [desk["place"] for desk in desks] == list(range(len(desks)))
        assert all(desk["service"] in serving[desk["counter"]] for desk in desks)
        assert {desk["service"] for desk in desks} == {service for services in serving.values() for service in services}
