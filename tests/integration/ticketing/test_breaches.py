"""The log of breaches: written down, completed, told within 72 hours, and watched."""

from datetime import timedelta

import pytest

from services.chassis import audit
from services.chassis.context import CallContext
from services.contracts import breaches
from services.ticketing import forgetting, usecases
from tests.integration.ticketing.mall import MORNING, SettableClock, refusal

pytestmark = pytest.mark.integration

DISCOVERED = MORNING - timedelta(hours=2)
RECORDED = {
    "kind": "theft",
    "discovered_at": DISCOVERED.isoformat(),
    "data": ["nik"],
    "description": "Dicuri. Telepon saksi 0812-0000-0177, NIK 9999994101800001.",
}


@pytest.fixture
def mall(new_mall, new_regency):
    mall = new_mall(regency=new_regency())
    mall.clock = mall.database.clock = SettableClock(MORNING)
    return mall


def ask(mall, method, contract, role="administrator", **payload):
    answer = mall.call(method, contract, mall.actor(role), **payload)
    schema = breaches.BreachPage if method == "list_breaches" else breaches.Breach
    assert schema().load(answer) == answer
    return answer


def record(mall, **changes):
    return ask(mall, "record_breach", breaches.RecordBreach, **{**RECORDED, **changes})


def update(mall, breach, **changes):
    return ask(mall, "update_breach", breaches.UpdateBreach, id=breach["id"], **changes)


def listed(mall, **query):
    return [breach["id"] for breach in ask(mall, "list_breaches", breaches.ListBreaches, "auditor", **query)["items"]]


def tend(mall):
    with mall.database.regency_work(mall.regency) as work:
        return usecases.tend_persons(work, None)


def test_it_says_until_when_it_must_be_told_and_hides_numbers_of_people(mall):
    breach = record(mall)
    assert breach["tell_by"] == (DISCOVERED + timedelta(hours=72)).isoformat()
    assert (breach["overdue"], breach["people"], breach["version"]) == (False, None, 1)
    assert breach["description"] == "Dicuri. Telepon saksi (…), NIK (…)."
    assert breach["recorded_by"] == f"administrator@{mall.regency}"
    assert refusal(record, mall, discovered_at=(MORNING + timedelta(hours=1)).isoformat()) == ("instant_ahead", {"field": "discovered_at"})
    assert refusal(ask, mall, "record_breach", breaches.RecordBreach, "supervisor", **RECORDED)[0] == "role_forbidden"


def test_it_stays_open_until_the_authority_and_the_persons_were_told(mall):
    breach, other = record(mall), record(mall, kind="loss")
    told = update(mall, breach, authority_told_at=MORNING.isoformat(), people=42, if_match=1)
    assert (told["people"], told["version"]) == (42, 2)
    assert sorted(listed(mall, state="open")) == sorted([breach["id"], other["id"]])
    assert refusal(update, mall, breach, people=43, if_match=1) == ("version_conflict", {"version": 2})
    assert update(mall, breach, people=42)["version"] == 2, "nothing was changed"
    update(mall, breach, persons_told_at=MORNING.isoformat())
    assert (listed(mall, state="open"), listed(mall, state="told")) == ([other["id"]], [breach["id"]])
    assert len(listed(mall)) == 2
    first = ask(mall, "list_breaches", breaches.ListBreaches, limit=1)
    rest = ask(mall, "list_breaches", breaches.ListBreaches, limit=1, cursor=first["next_cursor"])
    assert {first["items"][0]["id"], rest["items"][0]["id"]} == {breach["id"], other["id"]}
    assert refusal(update, mall, {"id": "7d0f1c1e-5f0a-4b56-9a3b-0c5b2f6a1e11"}, people=1)[0] == "breach_unknown"


def test_the_first_that_is_open_is_watched(mall):
    assert tend(mall).tell_by is None
    later = record(mall, discovered_at=MORNING.isoformat())
    first = record(mall)
    assert tend(mall).tell_by == DISCOVERED + timedelta(hours=72)
    update(mall, first, authority_told_at=MORNING.isoformat(), persons_told_at=MORNING.isoformat())
    assert tend(mall).tell_by == MORNING + timedelta(hours=72)
    forgetting.forget_persons(mall.database, None)
    mall.clock.pass_by(hours=73)
    assert ask(mall, "get_breach", breaches.GetBreach, id=later["id"])["overdue"]


def test_the_audit_log_tells_of_it_without_its_words(mall):
    context = CallContext(mall.regency, mall.actor("administrator"))
    with mall.database.regency_work(mall.regency, context=context) as work:
        breach = usecases.record_breach(work, breaches.RecordBreach().load(RECORDED))
        usecases.update_breach(work, {"id": breach["id"], "description": "Lain.", "people": 3})
        made, changed = work.noted
    assert made.after is not None
    assert (made.after["description"], made.after["data"]) == (audit.WITHHELD, ["nik"])
    assert changed.after == {"description": audit.WITHHELD, "people": 3, "version": 2}
