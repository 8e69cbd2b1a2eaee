"""An operator sees what was given up, lets it be tried again, or drops it."""

import json
import uuid
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from services.chassis.database import Database
from services.chassis.dead_letters import drop_dead_letter, list_dead_letters, replay_dead_letter, show_dead_letter
from services.chassis.errors import DomainError, PermanentFailure
from tests.integration.chassis.consuming import Consumer, SteppedClock, copies, event, rows

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stepped(ledger_url, provisioner, clock) -> Iterator[Database]:
    database = Database("ledger", ledger_url, clock=clock)
    yield database
    database.close()


@pytest.fixture
def consumer(stepped, regency) -> Consumer:
    """Has handled event 1, given up event 2, and will try event 3 again."""
    consumer = Consumer(stepped)
    consumer.inbox.receive(event(regency, 1))
    consumer.fail_times(1, PermanentFailure("no"))
    consumer.inbox.receive(event(regency, 2))
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.receive(event(regency, 3))
    return consumer


@pytest.fixture
def work(stepped, regency):
    return lambda: stepped.regency_work(regency)


def test_dead_letters_are_listed_with_their_reason(consumer, work, regency):
    with work() as unit:
        (letter,) = list_dead_letters(unit)
        both = list_dead_letters(unit, include_failed=True)
        assert list_dead_letters(unit, include_failed=True, limit=1) == [letter]
    assert letter["event_id"] == event(regency, 2).id
    assert (letter["consumer"], letter["sequence"], letter["status"]) == (consumer.name, 2, "dead")
    assert (letter["attempts"], letter["reason"]) == (1, "PermanentFailure: no")
    assert [entry["status"] for entry in both] == ["dead", "failed"]
    assert json.loads(json.dumps(both)) == both, "a list that any program can print"


def test_a_dead_letter_is_shown_with_its_payload(consumer, work, regency):
    with work() as unit:
        (letter,) = show_dead_letter(unit, event(regency, 2).id)
    assert letter["payload"]["data"] == {"account": "a", "amount": 1}
    assert json.loads(json.dumps(letter)) == letter


def test_those_that_wait_are_shown_until_somebody_has_decided(consumer, work, regency):
    def shown():
        return REGISTRY.get_sample_value("mpp_dead_letters_waiting", {"regency": regency, "consumer": consumer.name})

    assert shown() is None, "not counted yet"
    assert regency in consumer.inbox.troubled, "the next look counts"
    consumer.inbox.retry(regency)
    assert shown() == 1
    with work() as unit:
        drop_dead_letter(unit, event(regency, 2).id)
    consumer.inbox.retry(regency)
    assert shown() == 0


def test_a_regency_without_dead_letters_is_no_series(consumer, new_regency):
    calm = new_regency()
    consumer.inbox.receive(event(calm, 1))
    consumer.inbox.retry(calm)
    assert REGISTRY.get_sample_value("mpp_dead_letters_waiting", {"regency": calm, "consumer": consumer.name}) is None
    assert REGISTRY.get_sample_value("mpp_regency_event_age_seconds_count", {"regency": calm, "consumer": consumer.name}) == 1


def test_a_dead_letter_that_is_replayed_is_handled_like_a_new_one(consumer, work, administration, regency):
    with work() as unit:
        assert replay_dead_letter(unit, event(regency, 2).id) == 1
    assert consumer.inbox.retry(regency) == 1, "only event 3, whose time has not come, is left"
    row = rows(administration, regency)[2]
    assert (row.status, row.attempts) == ("handled", 1)
    assert event(regency, 2).id in copies(administration, regency)


def test_a_dead_letter_that_is_replayed_has_all_its_attempts_again(consumer, work, clock, administration, regency):
    with work() as unit:
        replay_dead_letter(unit, event(regency, 2).id)
    consumer.fail_times(1, RuntimeError())
    consumer.inbox.retry(regency)
    assert rows(administration, regency)[2].status == "failed"
    clock.advance(10)
    consumer.inbox.retry(regency)
    assert rows(administration, regency)[2].status == "handled"


def test_what_still_waits_for_its_retry_can_be_hurried(consumer, work, administration, regency):
    with work() as unit:
        replay_dead_letter(unit, event(regency, 3).id)
    assert consumer.inbox.retry(regency) == 0


@pytest.mark.parametrize("sequence", [2, 3])
def test_what_is_dropped_stays_on_record_and_is_never_tried_again(consumer, work, clock, administration, regency, sequence):
    with work() as unit:
        assert drop_dead_letter(unit, event(regency, sequence).id) == 1
    clock.advance(1000)
    consumer.inbox.retry(regency)
    assert consumer.inbox.receive(event(regency, sequence)) == "duplicate"
    row = rows(administration, regency)[sequence]
    assert (row.status, row.payload) == ("dropped", None)
    assert event(regency, sequence).id not in copies(administration, regency)


@pytest.mark.parametrize("action", [show_dead_letter, replay_dead_letter, drop_dead_letter])
@pytest.mark.parametrize("unknown", ["handled", "another", "no-uuid", "' OR true --"])
def test_an_id_that_is_no_dead_letter_is_refused(consumer, work, administration, regency, action, unknown):
    identity = {"handled": event(regency, 1).id, "another": str(uuid.uuid4())}.get(unknown, unknown)
    before = rows(administration, regency)
    with pytest.raises(DomainError, match="dead_letter_unknown"), work() as unit:
        action(unit, identity)
    assert rows(administration, regency) == before


def test_dead_letters_of_one_regency_are_not_those_of_another(consumer, stepped, new_regency, regency):
    with stepped.regency_work(new_regency()) as unit:
        assert list_dead_letters(unit, include_failed=True) == []
        with pytest.raises(DomainError):
            drop_dead_letter(unit, event(regency, 2).id)
