"""Two services as processes over RabbitMQ: calls are answered or refused in time, events are handled once."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.errors import DomainError, Unavailable
from services.chassis.events import Envelope
from services.chassis.subscribing import PREFETCH
from tests.probe.deployment import QUEUE, ProbeDeployment, new_virtual_host
from tests.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def probes(postgres_server, rabbitmq_server, tmp_path_factory) -> Iterator[ProbeDeployment]:
    with ProbeDeployment(tmp_path_factory.mktemp("probes"), postgres_server, new_virtual_host(rabbitmq_server)) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def processes(probes) -> list[ServiceProcess]:
    """A ledger and a mirror that run throughout the module."""
    return probes.start(("ledger",), ("mirror",))


@pytest.fixture(scope="module")
def ledger(processes) -> ServiceProcess:
    return processes[0]


@pytest.fixture(scope="module")
def mirror(processes) -> ServiceProcess:
    return processes[1]


@pytest.fixture
def regency(probes, processes) -> str:
    return probes.new_regency()


# --- calls


def test_a_command_is_done_and_its_event_reaches_who_listens(probes, regency):
    answer = probes.add(regency, amount=5)
    assert answer == {"id": 1}
    assert probes.call("ledger.total", {"account": "a"}, regency) == {"count": 1, "amount": 5}
    eventually(lambda: probes.call("mirror.total", {"account": "a"}, regency) == {"count": 1, "amount": 5})
    eventually(lambda: probes.mark(regency) == 1)


@pytest.mark.parametrize(
    ("method", "payload", "code", "details"),
    [
        ("ledger.add_entry", {"account": "a", "amount": 0}, "amount_zero", {"account": "a"}),
        ("ledger.add_entry", {"account": "a", "amount": "one"}, "payload_invalid", None),
        ("ledger.add_entry", {"account": "a", "amount": 1, "more": 1}, "payload_invalid", None),
        ("ledger.add_entry", {}, "payload_invalid", None),
        ("ledger.add_entry", [], "payload_invalid", None),
        ("ledger.add_entry", None, "payload_invalid", None),
        ("ledger.no_such_method", {}, "method_unknown", {}),
        ("ledger.add_entry", {"account": "broken", "amount": 2**40}, "unexpected", {}),
    ],
)
def test_a_refusal_arrives_with_its_code(probes, regency, method, payload, code, details):
    with pytest.raises(DomainError) as refusal:
        probes.call(method, payload, regency)
    assert refusal.value.code == code
    assert details is None or refusal.value.details == details
    assert probes.sequences(regency) == []


def test_an_answer_that_is_no_json_is_a_fault_and_no_silence(probes, regency):
    started = time.monotonic()
    with pytest.raises(DomainError, match="unexpected"):
        probes.call("ledger.odd_answer", {"account": "a"}, regency)
    assert time.monotonic() - started < 3


def test_the_fields_that_break_a_contract_are_named(probes, regency):
    with pytest.raises(DomainError) as refusal:
        probes.call("ledger.add_entry", {"account": "", "amount": 1}, regency)
    assert [error["field"] for error in refusal.value.details["errors"]] == ["account"]


@pytest.mark.parametrize(
    ("actor", "where", "code"),
    [
        (Actor("officer@x", "officer", "another-regency"), None, "regency_forbidden"),
        (Actor("officer@x", "officer", None), None, "regency_forbidden"),
        (SYSTEM, "nowhere", "regency_unknown"),
        (SYSTEM, "x'; DROP SCHEMA platform; --", "regency_unknown"),
        (SYSTEM, "", "regency_unknown"),
    ],
)
def test_a_call_for_a_regency_that_is_not_the_actor_s_or_not_there_is_refused(probes, regency, actor, where, code):
    for method in ("ledger.add_entry", "ledger.total"):
        payload = {"account": "a", "amount": 1} if method.endswith("entry") else {"account": "a"}
        with pytest.raises(DomainError) as refusal:
            probes.call(method, payload, regency if where is None else where, actor=actor)
        assert refusal.value.code == code


def test_a_call_without_a_regency_is_refused(probes, processes):
    with pytest.raises(DomainError, match="regency_unknown"):
        probes.call("ledger.total", {"account": "a"}, None)


def test_the_same_command_from_eight_connections_is_done_once(probes, regency):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: probes.add(regency, command_id="k", takes=0.1), range(8)))
    assert answers == [answers[0]] * 8
    assert probes.entered(regency) == 1
    with pytest.raises(DomainError, match="idempotency_key_reused"):
        probes.add(regency, amount=2, command_id="k", takes=0.1)


def test_a_thousand_calls_from_many_threads_over_one_client_each_get_their_own_answer(probes, regency):
    regencies = [regency, *(probes.new_regency() for _ in range(3))]  # one alone may not have so many waiting
    for number, slug in enumerate(regencies):
        probes.add(slug, amount=number + 1)

    def ask(number: int) -> bool:
        answer = probes.call("ledger.total", {"account": "a"}, regencies[number % 4], seconds=20.0)
        return answer == {"count": 1, "amount": number % 4 + 1}

    with ThreadPoolExecutor(200) as threads:
        answers = list(threads.map(ask, range(1000)))
    assert answers.count(True) == 1000
    assert probes.client._pending == {}


def test_a_call_to_a_service_that_does_not_run_ends_at_its_deadline(probes, regency):
    started = time.monotonic()
    with pytest.raises(Unavailable):
        probes.call("reporting.anything", {}, regency, seconds=0.5)
    assert 0.4 < time.monotonic() - started < 2.0


def test_a_call_whose_deadline_is_over_is_not_even_sent(probes, regency):
    started = time.monotonic()
    with pytest.raises(Unavailable):
        probes.add(regency, seconds=-1)
    assert time.monotonic() - started < 0.3
    assert probes.entered(regency) == 0


def test_a_request_whose_deadline_passed_in_the_queue_is_refused_and_not_done(probes, regency):
    """A broker without expiry, as the in-process one, hands it out all the same."""
    context = CallContext(regency, SYSTEM).within(-0.01).to_dict()
    answer = probes.request("ledger.add_entry", {"payload": {"account": "a", "amount": 1}, "context": context})
    assert answer is None or answer["error"]["code"] == "deadline_exceeded"
    probes.add(regency, "b")
    assert probes.entered(regency) == 0


def test_a_command_that_outlasts_its_deadline_leaves_nothing(probes, regency):
    with pytest.raises(Unavailable) as refusal:
        probes.add(regency, takes=3.0, seconds=0.5)
    assert refusal.value.code in ("deadline_exceeded", "service_unavailable")
    probes.add(regency, "b")
    assert probes.entered(regency) == 0
    assert probes.sequences(regency) == [1]


def test_one_regency_at_work_does_not_hold_up_another(probes, regency):
    busy = probes.new_regency()
    with ThreadPoolExecutor(8) as threads:
        slow = [threads.submit(probes.add, busy, takes=1.0, seconds=9.0) for _ in range(6)]
        eventually(lambda: probes.query("ledger", "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"))
        probes.add(regency)
        assert not all(each.done() for each in slow)
        for each in slow:
            each.result()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff",
        b"{",
        b"[" * 100_000,
        "text",
        [],
        {},
        {"payload": {}},
        {"context": {}, "payload": {}},
        {"context": {"actor": None, "deadline": None}, "payload": {}},
        {"context": {"actor": {"role": "system"}, "deadline": "soon", "regency": "x"}, "payload": {}},
        {"context": {"actor": {"role": "system"}, "deadline": 1e300, "regency": 7}, "payload": {"account": "a", "amount": 1}},
        {"context": {"actor": {"role": ["system"]}, "deadline": 1e300, "regency": "x"}, "payload": {"account": "a", "amount": 1}},
        {"context": {"actor": {"role": "system"}, "deadline": 1e300, "regency": "x", "command_id": {}}, "payload": {"account": "a"}},
    ],
    ids=lambda body: repr(body)[:60],
)
def test_a_malformed_request_kills_nothing(probes, ledger, regency, body):
    pid = ledger.pid
    probes.request("ledger.add_entry", body)
    probes.request("ledger.add_entry", body, reply_to="nobody-listens-here", content_type="application/x-python-serialize")
    assert probes.add(regency) == {"id": 1}
    assert ledger.pid == pid
    assert ledger.is_ready()


def test_a_request_without_an_address_for_the_answer_kills_nothing(probes, ledger, regency):
    context = CallContext(regency, SYSTEM).within(5).to_dict()
    body = {"payload": {"account": "a", "amount": 1}, "context": context}
    for properties in ({"reply_to": None}, {"reply_to": ""}, {"reply_to": "no-such-queue"}, {"correlation_id": None}):
        probes.request("ledger.add_entry", body, **properties)
    eventually(lambda: probes.entered(regency) == 4)
    assert ledger.is_ready()


# --- events


def entry(regency: str, sequence: int, account: str = "a", **changes: Any) -> Envelope:
    """An event as the ledger would publish it."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{regency}/{sequence}")),
        "source": f"/regencies/{regency}/ledger/sites/by-hand",
        "type": "entry.added",
        "subject": str(sequence),
        "time": datetime.now(UTC),
        "regency": regency,
        "sequence": sequence,
        "data": {"account": account, "amount": 1},
    }
    return Envelope(**{**fields, **changes})


def test_events_that_come_twice_and_in_any_order_are_handled_once(probes, regency):
    for sequence in (3, 1, 3, 2, 5, 4, 1, 5, 5, 2):
        probes.publish(entry(regency, sequence), f"{regency}.entry.added")
    eventually(lambda: probes.mark(regency) == 5)
    assert probes.mirrored(regency) == 5
    assert probes.waiting() == 0


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"\x00\xff",
        b"{",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'"text"',
        {},
        {"specversion": "1.0"},
        {"id": "no-uuid"},
        {"sequence": "0"},
        {"sequence": str(2**70)},
        {"time": "2025-01-01T00:00:00"},
        {"data": None},
        {"data": {"account": 7}},
        {"data": {"account": "NUL \x00", "amount": 1}},
        {"data": {"account": "\ud800", "amount": 1}},
        {"regency": "nowhere", "source": "/regencies/nowhere/ledger"},
        {"regency": "platform", "source": "/regencies/platform/ledger"},
        {"source": "/regencies/x/ledger"},
        {"type": "mpp.entry.unheard_of"},
    ],
    ids=lambda body: repr(body)[:60],
)
def test_a_malformed_event_is_taken_out_of_the_queue_and_kills_nothing(probes, mirror, regency, malformed):
    body = malformed if isinstance(malformed, bytes) else {**entry(regency, 1).to_cloudevent(), **malformed} if malformed else {}
    pid = mirror.pid
    for _ in range(2):
        probes.publish(body)
    probes.publish(entry(regency, 2, "after"))
    eventually(lambda: probes.mirrored(regency, "after") == 1)
    eventually(lambda: probes.waiting() == 0)
    assert mirror.pid == pid
    assert mirror.is_ready()


@pytest.mark.parametrize(
    "properties", [{"content_type": "text/plain"}, {"content_type": "application/x-python-serialize"}, {"content_encoding": "klingon"}]
)
def test_an_event_in_a_strange_wrapping_kills_nothing(probes, mirror, regency, properties):
    probes.publish(entry(regency, 1), **properties)
    probes.publish(entry(regency, 2, "after"))
    eventually(lambda: probes.mirrored(regency, "after") == 1)
    assert mirror.is_ready()


def test_more_malformed_events_than_a_consumer_takes_at_a_time_do_not_stop_it(probes, mirror, regency):
    for _ in range(PREFETCH + 24):
        probes.publish({**entry(regency, 1).to_cloudevent(), "data": {"account": "NUL \x00", "amount": 1}})
    probes.publish(entry(regency, 2, "after"))
    eventually(lambda: probes.mirrored(regency, "after") == 1)
    eventually(lambda: probes.waiting() == 0)


def test_a_handler_that_fails_thrice_succeeds_by_itself_in_the_end(probes, mirror, regency):
    probes.call("mirror.expect_trouble", {"account": "thrice", "failures": 3}, regency)
    probes.add(regency, "thrice")
    eventually(lambda: probes.mirrored(regency, "thrice") == 1, within=20)
    (row,) = probes.inbox(regency)
    assert (row.status, row.attempts) == ("handled", 4)


def test_an_event_that_cannot_be_handled_is_a_dead_letter_and_the_next_is_handled(probes, mirror, regency):
    before = mirror.metric("mpp_dead_letters_total", consumer=QUEUE)
    probes.add(regency, "permanent")
    probes.add(regency)
    eventually(lambda: probes.mirrored(regency) == 1)
    eventually(lambda: [row.status for row in probes.inbox(regency)] == ["dead", "handled"])
    assert mirror.metric("mpp_dead_letters_total", consumer=QUEUE) == before + 1
    eventually(lambda: probes.mark(regency) == 2)


def test_events_that_wait_are_handled_in_few_transactions_and_the_one_that_cannot_be_is_put_aside_alone(probes, mirror, regency):
    mirror.freeze()
    try:
        for number in range(1, 41):
            probes.add(regency, "permanent" if number == 30 else "a")
        eventually(lambda: probes.outbox() == 0)
    finally:
        mirror.thaw()
    eventually(lambda: probes.mirrored(regency) == 39)
    eventually(lambda: [row.sequence for row in probes.inbox(regency) if row.status != "handled"] == [30])
    schema = regency.replace("-", "_")
    ((transactions, events),) = probes.query(
        "mirror", f"SELECT count(DISTINCT CAST(xmin AS text)), count(DISTINCT event_id) FROM {schema}.copy"
    )
    assert events == 39
    assert transactions < 30
    eventually(lambda: probes.waiting() == 0)
    eventually(lambda: probes.mark(regency) == 40)


def test_an_event_that_was_lost_on_the_way_is_fetched_when_the_next_one_shows_the_hole(probes, mirror, regency):
    probes.query("ledger", "CREATE FUNCTION platform.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    probes.query(
        "ledger",
        "CREATE TRIGGER lose BEFORE INSERT ON platform.outbox FOR EACH ROW WHEN (NEW.data->>'account' = 'lost')"
        " EXECUTE FUNCTION platform.lose()",
    )
    try:
        probes.add(regency)
        probes.add(regency, "lost")
        probes.add(regency)
    finally:
        probes.query("ledger", "DROP FUNCTION platform.lose() CASCADE")
    eventually(lambda: probes.mirrored(regency) == 2)
    assert probes.mirrored(regency, "lost") == 0
    before = time.monotonic()
    eventually(lambda: probes.mirrored(regency, "lost") == 1, within=12)
    assert time.monotonic() - before > 1, "it was given time to arrive by itself"
    eventually(lambda: probes.mark(regency) == 3)


# --- what an operator sees


def test_a_ready_process_says_so_and_shows_what_it_did(probes, ledger, mirror, regency):
    assert ledger.probe("/readyz") == (200, json.dumps({"status": "ready", "failing": {}}))
    assert ledger.probe("/healthz")[0] == 200
    handled = ledger.metric("mpp_rpc_handled_duration_seconds_count", service="ledger", method="add_entry", outcome="ok")
    published = ledger.metric("mpp_events_published_total", service="ledger", type="entry.added")
    seen = mirror.metric("mpp_events_handled_total", consumer=QUEUE, type="entry.added", outcome="handled")
    aged = mirror.metric("mpp_event_age_seconds_count", consumer=QUEUE)
    probes.add(regency)
    eventually(lambda: mirror.metric("mpp_event_age_seconds_count", consumer=QUEUE) == aged + 1)
    assert ledger.metric("mpp_rpc_handled_duration_seconds_count", service="ledger", method="add_entry", outcome="ok") == handled + 1
    assert mirror.metric("mpp_events_handled_total", consumer=QUEUE, type="entry.added", outcome="handled") == seen + 1
    eventually(lambda: ledger.metric("mpp_events_published_total", service="ledger", type="entry.added") == published + 1)


def logged(process: ServiceProcess, name: str, regency: str) -> list[dict[str, object]]:
    return [line for line in process.log_entries() if line["event"] == name and line.get("regency") == regency]


def test_what_a_method_logs_names_regency_trace_and_event(probes, ledger, mirror, regency):
    probes.add(regency, traceparent=TRACE)
    (line,) = eventually(lambda: logged(ledger, "entry_added", regency))
    assert (line["traceparent"], line["entry"]) == (TRACE, 1)
    (line,) = eventually(lambda: logged(mirror, "entry_seen", regency))
    assert line["traceparent"] == TRACE
    assert uuid.UUID(str(line["event_id"])).version == 7


def test_a_retry_is_logged_with_its_event_too(probes, mirror, regency):
    probes.call("mirror.expect_trouble", {"account": "thrice-logged", "failures": 1}, regency)
    probes.add(regency, "thrice-logged")
    lines = eventually(lambda: [found for found in [logged(mirror, "entry_seen", regency)] if len(found) == 2])[0]
    assert len({line["event_id"] for line in lines}) == 1


def test_a_fault_is_logged_with_its_stack_where_it_happened(probes, ledger, regency):
    with pytest.raises(DomainError, match="unexpected"):
        probes.add(regency, "broken", 2**40)
    (line,) = eventually(lambda: logged(ledger, "call_failed", regency))
    assert "DataError" in str(line["exception"]) or "NumericValueOutOfRange" in str(line["exception"])
