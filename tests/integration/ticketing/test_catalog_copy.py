"""The copy of the catalogue that ticketing keeps: newest version wins, whatever arrives in whatever order."""

from itertools import permutations

import pytest
import sqlalchemy as sa

from services.chassis.errors import PermanentFailure
from services.chassis.handlers import one_by_one
from services.chassis.inbox import Inbox
from services.contracts.subscriptions import TICKETING_CATALOG
from services.ticketing import usecases
from tests.integration.ticketing.mall import refusal

pytestmark = pytest.mark.integration


def stored(mall, kind, identifier):
    with mall.database.regency_work(mall.regency) as work:
        found = work.execute(sa.text("SELECT data FROM catalog_copy WHERE kind = :kind AND id = :id"), {"kind": kind, "id": identifier})
        return found.scalar_one_or_none()


def apply(mall, event_type, data):
    with mall.database.regency_work(mall.regency) as work:
        usecases.apply_catalog_event(work, mall.envelope(event_type, data))


def test_an_older_or_equal_version_changes_nothing(mall):
    mall.publish("site", {**mall.site_facts, "name": "newest"}, version=1_000_000)
    for version in (1, 999_999, 1_000_000):
        mall.publish("site", {**mall.site_facts, "name": "older"}, version=version)
    assert stored(mall, "site", mall.site)["name"] == "newest"
    mall.publish("site", {**mall.site_facts, "name": "newer still"}, version=1_000_001)
    assert stored(mall, "site", mall.site)["name"] == "newer still"


@pytest.mark.parametrize("order", list(permutations((2_000_000, 2_000_001, 2_000_002))))
def test_versions_in_any_order_end_in_the_newest(mall, order):
    for version in order:
        mall.publish("site", {**mall.site_facts, "accepting": version % 2 == 0, "name": str(version)}, version=version)
    assert stored(mall, "site", mall.site)["name"] == "2000002"


def test_entities_in_any_order_end_in_an_open_queue(new_mall):
    mall = new_mall()
    counter = mall.counter(1, "ZZZ-INF")  # before service, agency
    assert mall.call_next(counter) is None
    mall.service("ZZZ", "INF")
    assert refusal(mall.take, "ZZZ-INF")[0] == "agency_unknown"
    mall.agency("ZZZ", "Z")
    ticket = mall.take("ZZZ-INF")
    assert mall.call_next(counter)["id"] == ticket["id"]


def test_a_counter_of_a_site_that_is_not_known_yet_is_not_known_either(mall):
    facts = {"number": 1, "name": "Loket 1", "agency": None, "services": [], "active": True}
    mall.publish("counter", {"id": "elsewhere-01", "site": "elsewhere", **facts})
    assert refusal(mall.call_next, "elsewhere-01") == ("counter_unknown", {"counter": "elsewhere-01"})


def test_an_event_type_of_a_newer_release_is_passed_over(mall):
    apply(mall, "catalog.holiday_changed", {"holiday": {"id": "2026-03-19"}})


def test_facts_of_a_newer_release_are_left_out(mall):
    apply(mall, "catalog.site_changed", {"site": {**mall.site_facts, "version": 3_000_000, "parking": 200}, "cause": "renovation"})
    assert stored(mall, "site", mall.site) == {**mall.site_facts, "version": 3_000_000}


def test_what_the_queue_does_not_need_is_not_kept(mall):
    facts = {"code": "18.07", "name": "Kabupaten Uji", "province": "Lampung", "timezone": "Asia/Jakarta", "capital": "Sukadana"}
    apply(mall, "catalog.regency_changed", {"regency": {"id": mall.regency, **facts, "version": 1}})
    assert stored(mall, "regency", mall.regency) is None


@pytest.mark.parametrize(
    "data",
    [{}, {"site": None}, {"site": {}}, {"site": {"id": "sukadana", "version": 1}}, {"agency": {}}, None, [], "text"],
    ids=repr,
)
def test_a_broken_event_is_a_permanent_failure_and_changes_nothing(mall, data):
    with pytest.raises(PermanentFailure):
        apply(mall, "catalog.site_changed", data)
    mall.take(mall.ktp)


def test_a_broken_event_becomes_a_dead_letter_at_once_and_the_next_one_is_handled(new_regency, new_mall):
    mall = new_mall(regency=new_regency())
    inbox = Inbox(mall.database, TICKETING_CATALOG.queue, one_by_one(usecases.apply_catalog_event))
    assert inbox.receive(mall.envelope("catalog.site_changed", {"site": {}})) == "dead"
    good = mall.envelope("catalog.site_changed", {"site": {**mall.site_facts, "name": "Gedung Baru", "version": 4_000_000}})
    assert [inbox.receive(good), inbox.receive(good)] == ["handled", "duplicate"]
    assert stored(mall, "site", mall.site)["name"] == "Gedung Baru"
