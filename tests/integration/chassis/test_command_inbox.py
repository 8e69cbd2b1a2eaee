"""A command is done once, however often it arrives."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from services.chassis import audit
from services.chassis.commands import once
from services.chassis.context import ANONYMOUS, Actor
from services.chassis.errors import DeadlineExceeded, DomainError
from tests.integration.chassis.conftest import NOTHING, added, call, facts, schema

pytestmark = pytest.mark.integration

ADD = sa.text("INSERT INTO entry (account, amount) VALUES (:account, :amount) RETURNING id")


def add_entry(database, regency: str, command_id: str | None, payload: dict, *, method: str = "add_entry", seconds: float = 5.0):
    with database.regency_work(regency, context=call(regency, command_id=command_id, seconds=seconds)) as work:

        def handle() -> dict:
            if payload["amount"] == 0:
                raise DomainError("amount_zero")
            identity = work.execute(ADD, payload).scalar_one()
            work.emit(added())
            return {"id": identity, "nested": {"text": "é\u0000"[:1], "list": [1, None, True]}}

        return once(work, method, payload, handle)


ONE = {"account": "a", "amount": 1}


def test_a_repeat_is_answered_from_the_first_time(database, administration, regency):
    first = add_entry(database, regency, "k", ONE)
    assert add_entry(database, regency, "k", dict(reversed(ONE.items()))) == first
    assert facts(administration, regency)["entries"] == facts(administration, regency)["logged"] == 1


def test_eight_at_once_do_it_once_and_all_get_the_same_answer(database, administration, regency):
    start = threading.Barrier(8)

    def send(_: int):
        start.wait(10)
        return add_entry(database, regency, "k", ONE)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    assert answers == [answers[0]] * 8
    assert facts(administration, regency)["entries"] == facts(administration, regency)["logged"] == 1


@pytest.mark.parametrize(("method", "payload"), [("add_entry", {**ONE, "amount": 2}), ("remove_entry", ONE)])
def test_the_same_id_for_something_else_is_refused_and_changes_nothing(database, administration, regency, method, payload):
    first = add_entry(database, regency, "k", ONE)
    with pytest.raises(DomainError, match="idempotency_key_reused"):
        add_entry(database, regency, "k", payload, method=method)
    assert facts(administration, regency)["entries"] == 1
    assert add_entry(database, regency, "k", ONE) == first


def test_a_refused_command_leaves_no_trace_and_may_be_tried_again(database, administration, regency):
    with pytest.raises(DomainError, match="amount_zero"):
        add_entry(database, regency, "k", {**ONE, "amount": 0})
    assert facts(administration, regency) == NOTHING
    add_entry(database, regency, "k", ONE)
    assert facts(administration, regency)["entries"] == 1


def test_who_waits_for_the_first_to_end_does_it_when_the_first_fails(database, administration, regency):
    claimed, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with database.regency_work(regency, context=call(regency, command_id="k")) as work:

            def fail() -> dict:
                work.flush()
                claimed.set()
                go_on.wait(5)
                raise DomainError("refused")

            once(work, "add_entry", ONE, fail)

    with ThreadPoolExecutor(2) as threads:
        failing = threads.submit(first)
        claimed.wait(5)
        waiting = threads.submit(add_entry, database, regency, "k", ONE)
        go_on.set()
        with pytest.raises(DomainError, match="refused"):
            failing.result()
        assert waiting.result()["id"]
    assert facts(administration, regency)["entries"] == 1


def test_who_waits_for_the_first_to_end_waits_no_longer_than_its_deadline(database, regency):
    with database.regency_work(regency, context=call(regency, command_id="k")) as work:

        def repeat_meanwhile() -> dict:
            work.flush()
            with pytest.raises(DeadlineExceeded):
                add_entry(database, regency, "k", ONE, seconds=0.3)
            return {}

        once(work, "add_entry", ONE, repeat_meanwhile)


def test_the_same_id_in_another_regency_is_another_command(database, administration, new_regency):
    one, other = new_regency(), new_regency()
    add_entry(database, one, "k", ONE)
    add_entry(database, other, "k", {**ONE, "amount": 5})
    assert facts(administration, other)["entries"] == 1


def test_without_an_id_every_time_is_the_first(database, administration, regency):
    for _ in range(2):
        add_entry(database, regency, None, ONE)
    assert facts(administration, regency)["entries"] == 2
    assert facts(administration, regency)["commands"] == 0


def test_no_answer_is_an_answer_too(database, regency):
    calls: list[int] = []

    def nobody_waits() -> None:
        work.flush()
        calls.append(1)

    for _ in range(2):
        with database.regency_work(regency, context=call(regency, command_id="k")) as work:
            assert once(work, "call_next", {}, nobody_waits) is None
    assert calls == [1]


@pytest.mark.parametrize(
    ("actor", "rows"),
    [(Actor("officer@x", "officer", "x"), [("officer@x", "officer", "add_entry", "7", "k")]), (ANONYMOUS, [])],
)
def test_what_staff_do_is_audited_whatever_the_subject_is_called(database, administration, regency, actor, rows):
    with database.regency_work(regency, context=call(regency, command_id="k", actor=actor)) as work:
        audit.record(work, "add_entry", {"account": "a"}, {"id": 7})
    found = administration.run(f"SELECT actor, role, action, subject, command_id FROM {schema(regency)}.audit_log")
    assert [tuple(row) for row in found] == rows
