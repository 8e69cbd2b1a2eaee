"""Seeding: the documents of the five regencies into the catalogue, again and again."""

import pytest

from deploy.seed import SeedError, add_demo_operator, documents, holidays, holidays_only, seed, with_demo_accounts, with_holidays
from services.catalog.domain import CatalogError
from services.catalog.store import registry
from services.catalog.usecases import entities
from services.catalog.usecases.loading import load_regency
from services.catalog.usecases.regencies import get_regency, list_regencies
from services.chassis.errors import DomainError
from services.contracts import catalog as contracts
from services.contracts.events import checked_event

pytestmark = pytest.mark.integration

DOCUMENTS = {document["regency"]["id"]: document for document in documents()}


def everything(catalogue):
    """All entities of a regency by kind and id."""
    with catalogue.work() as work:
        return {
            (kind, item["id"]): item
            for kind in ("site", "agency", "service", "counter", "hours", "account", "device")
            for item in entities.list_page(work, kind, {"limit": 200})["items"]
        }


@pytest.mark.parametrize("slug", DOCUMENTS)
def test_a_document_is_loaded_whole_and_published(catalogue, slug):
    document = DOCUMENTS[slug]
    size = 1 + sum(len(document[kind]) for kind in ("sites", "agencies", "services", "counters"))
    assert catalogue.load(document) == {"created": size, "updated": 0, "unchanged": 0}
    events = catalogue.events()
    assert [event.sequence for event in events] == list(range(1, size + 1))
    published = {(event.type.removeprefix("catalog.").removesuffix("_changed"), event.subject): event.data for event in events}
    for (kind, identifier), entity in everything(catalogue).items():
        assert published[kind, identifier] == {kind: entity}
    for event in events:
        assert checked_event(event.type, event.data) == event.data
    assert published["regency", catalogue.regency]["regency"]["version"] == 1


def test_holidays_come_with_a_regency_and_what_it_changed_stays(catalogue):
    document = with_holidays(DOCUMENTS["oku-timur"])
    catalogue.load(document)
    assert sum(kind == "hours" for kind, _ in everything(catalogue)) == len(holidays()) == 50
    with catalogue.work() as work:
        entities.update(work, "hours", {"id": "natal-2026", "active": False})
    regency = {**document["regency"], "id": catalogue.regency}
    assert catalogue.load(holidays_only(regency, [2026])) == {"created": 0, "updated": 0, "unchanged": 25}
    assert not everything(catalogue)["hours", "natal-2026"]["active"]


def test_loading_again_changes_and_publishes_nothing(catalogue):
    document = DOCUMENTS["lampung-timur"]
    catalogue.load(document)
    before, events = everything(catalogue), catalogue.events()
    for overwrite in (False, True):
        assert catalogue.load(document, overwrite=overwrite) == {"created": 0, "updated": 0, "unchanged": 78}
    assert everything(catalogue) == before
    assert catalogue.events() == events


def test_what_officials_changed_survives_another_seed(catalogue):
    document = DOCUMENTS["oku-timur"]
    catalogue.load(document)
    with catalogue.work() as work:
        changed = entities.update(work, "counter", {"id": "martapura-03", "active": False, "services": []})
    assert catalogue.load(document)["updated"] == 0
    assert everything(catalogue)["counter", "martapura-03"] == changed


def test_overwriting_makes_everything_what_the_document_says(catalogue):
    document = DOCUMENTS["oku-timur"]
    catalogue.load(document)
    before = everything(catalogue)
    with catalogue.work() as work:
        entities.update(work, "counter", {"id": "martapura-03", "active": False, "services": []})
        entities.update(work, "site", {"id": "martapura", "accepting": False})
    assert catalogue.load(document, overwrite=True)["updated"] == 2
    after = everything(catalogue)
    assert after["counter", "martapura-03"] == {**before["counter", "martapura-03"], "version": 3}
    assert after["site", "martapura"]["accepting"]


def test_facts_of_the_regency_follow_the_document(catalogue):
    document = DOCUMENTS["kutai-timur"]
    catalogue.load(document)
    renamed = {**document, "regency": {**document["regency"], "name": "Kutai Timur"}}
    assert catalogue.load(renamed)["updated"] == 1
    last = catalogue.events()[-1]
    assert (last.type, last.data["regency"]["name"], last.data["regency"]["version"]) == ("catalog.regency_changed", "Kutai Timur", 2)


def test_a_seed_creates_what_is_missing(catalogue):
    document = DOCUMENTS["kutai-timur"]
    catalogue.load({**document, "counters": document["counters"][:1]})
    assert catalogue.load(document) == {"created": 1, "updated": 0, "unchanged": 7}


def test_a_document_with_one_error_is_not_loaded_at_all(catalogue):
    document = DOCUMENTS["kutai-timur"]
    wrong = {**document["counters"][1], "agency": "XYZ"}
    with pytest.raises(CatalogError) as caught:
        catalogue.load({**document, "counters": [document["counters"][0], wrong]})
    assert (caught.value.code, caught.value.details["at"]) == ("reference_unknown", "document.counters.1")
    assert everything(catalogue) == {}
    assert catalogue.events() == []


def test_a_document_of_another_regency_is_refused(catalogue):
    document = DOCUMENTS["kutai-timur"]
    data = contracts.LoadRegency().load({"document": document})["document"]
    with catalogue.work() as work, pytest.raises(CatalogError) as caught:
        load_regency(work, data, overwrite=False, embedded=False)
    assert caught.value.details["errors"][0]["field"] == "document.regency.id"


class TestDemonstrationAccounts:
    @pytest.fixture
    def document(self, catalogue):
        document = DOCUMENTS["kutai-timur"]
        return with_demo_accounts({**document, "regency": {**document["regency"], "id": catalogue.regency}}, "embedded")

    def test_are_created_once(self, catalogue, document):
        catalogue.load(document, embedded=True)
        before = everything(catalogue)
        assert sum(kind in {"account", "device"} for kind, _ in before) == 6
        assert catalogue.load(document, embedded=True)["created"] == 0
        assert catalogue.load(document, embedded=True, overwrite=True)["updated"] == 0
        assert everything(catalogue) == before

    def test_are_refused_by_the_catalogue_outside_embedded_mode(self, catalogue, document):
        with pytest.raises(CatalogError) as caught:
            catalogue.load(document, embedded=False)
        [error] = caught.value.details["errors"]
        assert (error["field"], error["rule"]) == ("document.accounts.0.password", "demo_password")
        assert everything(catalogue) == {}

    def test_of_the_platform_is_refused_outside_embedded_mode(self, database):
        with pytest.raises(SeedError, match="embedded mode only"):
            add_demo_operator(database, "deployed")


def test_seeding_goes_through_the_call_and_reports_each_regency(catalogue, another_catalogue):
    ours = {each.regency: each for each in (catalogue, another_catalogue)}
    two = [{**DOCUMENTS["kutai-timur"], "regency": {**DOCUMENTS["kutai-timur"]["regency"], "id": slug}} for slug in ours]

    def call(service, method, payload, context):
        assert (service, method, context.actor.role) == ("catalog", "load_regency", "system")
        contracts.LoadRegency().load(payload)
        return ours[context.regency].load(payload["document"])

    lines: list[str] = []
    assert seed(call, two, progress=lines.append) == {"created": 16, "updated": 0, "unchanged": 0}
    assert lines == [f"{slug}: 8 created, 0 updated, 0 unchanged" for slug in ours]


class TestRegencies:
    def test_are_listed_with_the_facts_of_their_provisioning(self, database, new_regency):
        slug = new_regency(name="Kabupaten Contoh", code="16.08")
        with database.platform_work() as work:
            listed = {each["id"]: each for each in list_regencies(work)["items"]}
            assert get_regency(work, slug) == listed[slug]
            contracts.RegencyList().load({"items": registry.regencies(work)})
        assert listed[slug]["name"] == "Kabupaten Contoh"

    def test_that_are_not_provisioned_are_unknown(self, database):
        with database.platform_work() as work, pytest.raises(CatalogError) as caught:
            get_regency(work, "atlantis")
        assert caught.value.code == "regency_unknown"
        with pytest.raises(DomainError, match="regency_unknown"), database.regency_work("atlantis"):
            pass
