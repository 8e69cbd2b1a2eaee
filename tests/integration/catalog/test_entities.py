"""Sites, agencies, services, counters, accounts and devices: created, changed, read and published."""

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from services.catalog.domain import CatalogError
from services.catalog.usecases import entities
from services.contracts import catalog as contracts
from services.contracts.events import checked_event

pytestmark = pytest.mark.integration

SITE = {"id": "sukadana", "name": "MPP Uji", "timezone": "Asia/Jakarta", "enforce_hours": False}
AGENCY = {"id": "CPL", "name": "Dukcapil", "kind": "regency", "presences": [{"site": "sukadana", "prefix": "E"}]}
SERVICE = {"agency": "CPL", "code": "KTP", "name": "Kartu Tanda Penduduk"}
COUNTER = {"site": "sukadana", "number": 5, "agency": "CPL", "services": ["CPL-KTP"]}
ACCOUNT = {"role": "officer", "display_name": "Sari", "agencies": ["CPL"], "password": "kopi pagi hari"}
CONTRACTS = {"service": "PublicService"}


def create(catalogue, kind, payload):
    return catalogue.do(entities.create, kind, f"Create{kind.title()}", payload)


def update(catalogue, kind, **payload):
    return catalogue.do(entities.update, kind, f"Update{kind.title()}", payload)


def listed(catalogue, kind, **payload):
    plural = {"agency": "Agencies", "hours": "Hours"}.get(kind, f"{kind.title()}s")
    return catalogue.do(entities.list_page, kind, f"List{plural}", payload)


def get(catalogue, kind, identifier):
    with catalogue.work() as work:
        return entities.get(work, kind, identifier)


def refused(call, *arguments, **named):
    with pytest.raises(CatalogError) as caught:
        call(*arguments, **named)
    return caught.value


def await_lock_waiter(catalogue):
    """Return when another transaction of this database waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with catalogue.database.platform_work() as work:
            if work.execute(text(waiting)).scalar_one():
                return
    raise AssertionError("nobody waits")


@pytest.fixture
def furnished(catalogue):
    """One site, agency, service and counter."""
    for kind, payload in (("site", SITE), ("agency", AGENCY), ("service", SERVICE), ("counter", COUNTER)):
        create(catalogue, kind, payload)
    return catalogue


class TestCreating:
    def test_each_kind_answers_and_keeps_what_its_contract_describes(self, furnished):
        account = {"id": f"sari@{furnished.regency}", **ACCOUNT}
        device = {"id": f"kios1@{furnished.regency}", "kind": "kiosk", "site": "sukadana", "password": "kopi pagi hari"}
        assert create(furnished, "account", account) == get(furnished, "account", account["id"])
        assert create(furnished, "device", device) == get(furnished, "device", device["id"])
        for kind, identifier in (
            ("site", "sukadana"),
            ("agency", "CPL"),
            ("service", "CPL-KTP"),
            ("counter", "sukadana-05"),
            ("account", account["id"]),
            ("device", device["id"]),
        ):
            entity = get(furnished, kind, identifier)
            schema = getattr(contracts, CONTRACTS.get(kind, kind.title()))()
            assert schema.load(entity) == entity
            assert entity["version"] == 1

    def test_an_event_carries_the_whole_entity(self, furnished):
        assert [event.type for event in furnished.events()] == [
            f"catalog.{kind}_changed" for kind in ("site", "agency", "service", "counter")
        ]
        assert [event.sequence for event in furnished.events()] == [1, 2, 3, 4]
        for event, kind in zip(furnished.events(), ("site", "agency", "service", "counter"), strict=True):
            assert checked_event(event.type, event.data) == {kind: get(furnished, kind, event.subject)}

    def test_accounts_and_devices_are_not_published(self, catalogue):
        create(catalogue, "account", {"id": f"sari@{catalogue.regency}", **ACCOUNT, "agencies": None})
        create(catalogue, "device", {"id": f"kios@{catalogue.regency}", "kind": "display", "password": "kopi pagi hari"})
        assert catalogue.events() == []

    @pytest.mark.parametrize(("kind", "payload"), [("site", SITE), ("agency", AGENCY), ("service", SERVICE), ("counter", COUNTER)])
    def test_an_id_is_given_once(self, furnished, kind, payload):
        before = furnished.events()
        assert refused(create, furnished, kind, payload).code == "duplicate_id"
        assert furnished.events() == before

    def test_an_account_and_a_device_cannot_share_a_username(self, catalogue):
        name = f"kios@{catalogue.regency}"
        create(catalogue, "device", {"id": name, "kind": "kiosk", "password": "kopi pagi hari"})
        assert refused(create, catalogue, "account", {"id": name, **ACCOUNT, "agencies": None}).code == "duplicate_id"

    def test_two_agencies_cannot_have_one_prefix_at_a_site(self, furnished):
        error = refused(create, furnished, "agency", {**AGENCY, "id": "POL"})
        assert (error.code, error.details["agency"]) == ("prefix_taken", "CPL")

    @pytest.mark.parametrize(
        ("kind", "payload", "missing"),
        [
            ("agency", {**AGENCY, "id": "POL", "presences": [{"site": "metro", "prefix": "A"}]}, ["metro"]),
            ("service", {**SERVICE, "agency": "XYZ"}, ["XYZ"]),
            ("counter", {**COUNTER, "site": "metro"}, ["metro"]),
            ("counter", {**COUNTER, "number": 6, "agency": "XYZ"}, ["XYZ"]),
            ("counter", {**COUNTER, "number": 6, "services": ["CPL-KTP", "CPL-XX"]}, ["CPL-XX"]),
        ],
    )
    def test_what_an_entity_refers_to_must_exist(self, furnished, kind, payload, missing):
        error = refused(create, furnished, kind, payload)
        assert (error.code, error.details["missing"]) == ("reference_unknown", missing)

    def test_an_account_of_an_unknown_agency_is_refused(self, catalogue):
        error = refused(create, catalogue, "account", {"id": f"sari@{catalogue.regency}", **ACCOUNT})
        assert (error.code, error.details) == ("reference_unknown", {"field": "agencies", "kind": "agency", "missing": ["CPL"]})

    def test_an_account_of_another_regency_is_refused(self, catalogue):
        assert refused(create, catalogue, "account", {"id": "sari@lampung-tengah", **ACCOUNT, "agencies": None}).code == "payload_invalid"

    def test_no_answer_holds_a_password_or_its_hash(self, catalogue):
        name = f"sari@{catalogue.regency}"
        account = create(catalogue, "account", {"id": name, **ACCOUNT, "agencies": None})
        everything = repr([account, get(catalogue, "account", name), listed(catalogue, "account")])
        assert "argon2" not in everything
        assert "kopi pagi hari" not in everything


class TestChanging:
    def test_raises_the_version_and_publishes_the_whole_entity(self, furnished):
        changed = update(furnished, "site", id="sukadana", name="MPP Sukadana", if_match=1)
        assert (changed["name"], changed["version"], changed["timezone"]) == ("MPP Sukadana", 2, "Asia/Jakarta")
        last = furnished.events()[-1]
        assert (last.type, last.data) == ("catalog.site_changed", {"site": changed})
        assert get(furnished, "site", "sukadana") == changed

    def test_needs_the_current_version_when_one_is_given(self, furnished):
        update(furnished, "site", id="sukadana", name="MPP Sukadana")
        error = refused(update, furnished, "site", id="sukadana", name="MPP Lama", if_match=1)
        assert (error.code, error.details["current_version"]) == ("version_conflict", 2)
        assert get(furnished, "site", "sukadana")["name"] == "MPP Sukadana"

    def test_of_nothing_leaves_version_and_events(self, furnished):
        before = furnished.events()
        assert update(furnished, "counter", id="sukadana-05", services=["CPL-KTP"], active=True)["version"] == 1
        assert furnished.events() == before

    @pytest.mark.parametrize(
        ("kind", "identifier"),
        [("site", "metro"), ("agency", "XYZ"), ("service", "XYZ-AB"), ("counter", "metro-01"), ("device", "x@y"), ("account", "x@y")],
    )
    def test_of_something_unknown_is_refused(self, catalogue, kind, identifier):
        assert refused(update, catalogue, kind, id=identifier).code == f"{kind}_unknown"
        assert refused(get, catalogue, kind, identifier).code == f"{kind}_unknown"

    def test_an_agency_moves_between_sites_and_keeps_its_other_presence(self, furnished):
        create(furnished, "site", {**SITE, "id": "jepara"})
        create(furnished, "site", {**SITE, "id": "metro"})
        both = [{"site": "sukadana", "prefix": "E"}, {"site": "jepara", "prefix": "A"}]
        changed = update(furnished, "agency", id="CPL", presences=both)
        assert [each["site"] for each in changed["presences"]] == ["jepara", "sukadana"]
        moved = update(furnished, "agency", id="CPL", presences=[both[0], {"site": "metro", "prefix": "A"}])
        assert get(furnished, "agency", "CPL") == moved
        assert moved["version"] == 3

    def test_an_agency_cannot_leave_its_counters(self, furnished):
        error = refused(update, furnished, "agency", id="CPL", presences=[])
        assert (error.code, error.details["users"]) == ("in_use", ["sukadana-05"])

    def test_a_counter_becomes_shared_and_empty(self, furnished):
        changed = update(furnished, "counter", id="sukadana-05", agency=None, services=[])
        assert get(furnished, "counter", "sukadana-05") == changed
        assert (changed["agency"], changed["services"]) == (None, [])

    def test_hours_are_replaced_as_a_whole(self, furnished):
        hours = {"friday": [{"open": "08:00", "close": "11:30"}, {"open": "13:30", "close": "16:00"}]}
        assert update(furnished, "site", id="sukadana", hours=hours, enforce_hours=True)["hours"] == hours
        assert refused(update, furnished, "site", id="sukadana", hours={}).code == "payload_invalid"

    def test_two_at_once_are_done_one_after_the_other(self, furnished):
        outcomes = []

        def change(name):
            try:
                outcomes.append(update(furnished, "site", id="sukadana", name=name, if_match=1)["version"])
            except CatalogError as error:
                outcomes.append(error.code)

        threads = [threading.Thread(target=change, args=(f"MPP {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, outcomes)) == ["2"] + ["version_conflict"] * 3
        assert get(furnished, "site", "sukadana")["version"] == 2

    def test_that_waits_for_another_keeps_what_the_other_did(self, furnished):
        renaming = threading.Thread(target=update, args=(furnished, "counter"), kwargs={"id": "sukadana-05", "name": "Loket KTP"})
        with furnished.work() as work:
            entities.update(work, "counter", {"id": "sukadana-05", "services": []})
            renaming.start()
            await_lock_waiter(furnished)
        renaming.join()
        counter = get(furnished, "counter", "sukadana-05")
        assert (counter["name"], counter["services"], counter["version"]) == ("Loket KTP", [], 3)

    def test_an_agency_does_not_leave_while_a_shared_counter_begins_to_serve_it(self, furnished):
        update(furnished, "counter", id="sukadana-05", agency=None, services=[])
        outcome = []
        leaving = threading.Thread(target=lambda: outcome.append(refused(update, furnished, "agency", id="CPL", presences=[]).code))
        with furnished.work() as work:
            entities.update(work, "counter", {"id": "sukadana-05", "services": ["CPL-KTP"]})
            leaving.start()
            await_lock_waiter(furnished)
        leaving.join()
        assert outcome == ["in_use"]

    def test_one_prefix_asked_for_at_once_is_given_once(self, furnished):
        outcomes = []

        def claim(code):
            try:
                outcomes.append(
                    create(furnished, "agency", {**AGENCY, "id": code, "presences": [{"site": "sukadana", "prefix": "Q"}]})["id"]
                )
            except CatalogError as error:
                outcomes.append(error.code)

        threads = [threading.Thread(target=claim, args=(f"AG{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes)[1:] == ["prefix_taken"] * 3


class TestListing:
    @pytest.fixture
    def services(self, furnished):
        """Seven services of two agencies, of which one is present at the site."""
        create(furnished, "agency", {"id": "POL", "name": "Polres", "kind": "vertical"})
        names = {"CPL": ("KK 100%", "Akta_Lahir", "akta kematian", "Pindah"), "POL": ("SKCK", "Akta hilang")}
        for agency, texts in names.items():
            for number, name in enumerate(texts):
                create(furnished, "service", {"agency": agency, "code": f"S{number}", "name": name})
        return furnished

    def ids(self, page):
        return [item["id"] for item in page["items"]]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
    def test_pages_hold_everything_once_and_in_order(self, services, limit):
        found, cursor = [], None
        while True:
            page = listed(services, "service", limit=limit, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            found += self.ids(page)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == ["CPL-KTP", "CPL-S0", "CPL-S1", "CPL-S2", "CPL-S3", "POL-S0", "POL-S1"]

    def test_a_page_goes_on_behind_the_last_one_seen(self, services):
        first = listed(services, "service", limit=2)
        create(services, "service", {"agency": "CPL", "code": "AA", "name": "Baru"})
        assert self.ids(listed(services, "service", limit=2, cursor=first["next_cursor"])) == ["CPL-S1", "CPL-S2"]

    @pytest.mark.parametrize("cursor", ["nonsense!", "AA", "L", "a" * 200, "Q1BMLVMw=", "8J-"])
    def test_a_cursor_that_was_never_given_is_refused(self, services, cursor):
        error = refused(listed, services, "service", cursor=cursor)
        assert error.code == "parameter_invalid"

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"site": "sukadana"}, ["CPL-KTP", "CPL-S0", "CPL-S1", "CPL-S2", "CPL-S3"]),
            ({"site": "metro"}, []),
            ({"agency": "POL"}, ["POL-S0", "POL-S1"]),
            ({"search": "AKTA"}, ["CPL-S1", "CPL-S2", "POL-S1"]),
            ({"search": "akta", "site": "sukadana"}, ["CPL-S1", "CPL-S2"]),
            ({"search": "%"}, ["CPL-S0"]),
            ({"search": "a_l"}, ["CPL-S1"]),
            ({"search": "'; DROP TABLE service; --"}, []),
            ({"search": "\\"}, []),
        ],
    )
    def test_filters_narrow_the_list(self, services, filters, expected):
        assert self.ids(listed(services, "service", **filters)) == expected

    def test_agencies_and_counters_of_a_site(self, services):
        assert self.ids(listed(services, "agency")) == ["CPL", "POL"]
        assert self.ids(listed(services, "agency", site="sukadana")) == ["CPL"]
        assert self.ids(listed(services, "counter", site="sukadana")) == ["sukadana-05"]
        assert self.ids(listed(services, "counter", site="metro")) == []


class TestIsolation:
    def test_regencies_do_not_see_each_other(self, furnished, another_catalogue):
        assert listed(another_catalogue, "site") == {"items": [], "next_cursor": None}
        assert refused(get, another_catalogue, "site", "sukadana").code == "site_unknown"
        create(another_catalogue, "site", {**SITE, "name": "MPP Lain"})
        assert get(furnished, "site", "sukadana")["name"] == "MPP Uji"
        assert [event.regency for event in another_catalogue.events()] == [another_catalogue.regency]


CLOSURE = {"id": "listrik", "name": "Listrik padam", "kind": "closure", "from": "2026-06-03", "to": "2026-06-04"}
EVERYWHERE: dict[str, Any] = {"site": None, "agency": None, "hours": {}, "active": True}


class TestSpecialHours:
    def test_are_kept_changed_taken_back_and_taken_up_again_and_published_each_time(self, furnished):
        assert create(furnished, "hours", CLOSURE) == {**CLOSURE, **EVERYWHERE, "version": 1} == get(furnished, "hours", "listrik")
        for version, active in ((2, False), (3, True)):
            changed = update(furnished, "hours", id="listrik", if_match=version - 1, active=active)
            assert (changed["version"], changed["active"]) == (version, active)
            event = furnished.events()[-1]
            assert (event.type, event.subject, event.data) == ("catalog.hours_changed", "listrik", {"hours": changed})
            assert checked_event(event.type, event.data) == event.data
        assert refused(update, furnished, "hours", id="listrik", if_match=1, active=False).code == "version_conflict"

    def test_are_found_by_the_days_they_touch_and_by_site(self, furnished):
        create(furnished, "site", {**SITE, "id": "metro"})
        for identifier, since, until, site in (
            ("a", "2026-05-01", "2026-05-31", None),
            ("b", "2026-05-31", "2026-06-03", "sukadana"),
            ("c", "2026-06-03", "2026-06-03", "metro"),
        ):
            create(furnished, "hours", {**CLOSURE, "id": identifier, "from": since, "to": until, "site": site})

        def found(**query):
            return "".join(item["id"] for item in listed(furnished, "hours", **query)["items"])

        assert found() == "abc"
        assert [found(since=day) for day in ("2026-05-31", "2026-06-01", "2026-06-04")] == ["abc", "bc", ""]
        assert [found(until=day) for day in ("2026-04-30", "2026-05-30", "2026-05-31", "2026-06-03")] == ["", "a", "ab", "abc"]
        assert [found(site=site) for site in ("sukadana", "metro", "elsewhere")] == ["ab", "ac", "a"]
        assert found(since="2026-06-01", until="2026-06-30", site="sukadana") == "b"

    @pytest.mark.parametrize(
        ("changes", "code", "field"),
        [
            ({"site": "nowhere"}, "reference_unknown", "site"),
            ({"agency": "NIX"}, "reference_unknown", "agency"),
            ({"site": "metro", "agency": "CPL"}, "payload_invalid", "agency"),
            ({"to": "2026-06-02"}, "payload_invalid", "to"),
        ],
    )
    def test_of_what_is_not_there_or_never_are_refused(self, furnished, changes, code, field):
        create(furnished, "site", {**SITE, "id": "metro"})
        create(furnished, "hours", CLOSURE)
        error = refused(update, furnished, "hours", id="listrik", **changes)
        named = error.details["errors"][0]["field"] if code == "payload_invalid" else error.details["field"]
        assert (error.code, named) == (code, field)
        assert get(furnished, "hours", "listrik")["version"] == 1


class TestHoursOfAnAgency:
    def test_are_kept_by_site_and_published(self, furnished):
        two_days = {day: [{"open": "09:00", "close": "12:00"}] for day in ("tuesday", "thursday")}
        presences = [{"site": "sukadana", "prefix": "E", "hours": two_days}]
        changed = update(furnished, "agency", id="CPL", presences=presences)
        assert changed["presences"] == presences == get(furnished, "agency", "CPL")["presences"]
        assert furnished.events()[-1].data == {"agency": changed}
        again = update(furnished, "agency", id="CPL", presences=[{"site": "sukadana", "prefix": "E"}])
        assert again["presences"] == [{"site": "sukadana", "prefix": "E", "hours": None}]
