"""An error crosses RPC with its code and details; a fault crosses without a word about the inside."""

import json

import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.chassis.errors import (
    BrokerUnavailable,
    Busy,
    DatabaseUnavailable,
    DeadlineExceeded,
    DomainError,
    Unavailable,
    as_error,
    from_error,
)
from services.contracts.problems import PROBLEMS
from services.contracts.schema import PayloadInvalid

pytestmark = pytest.mark.unit


def over_the_wire(error: Exception) -> DomainError:
    return from_error(json.loads(json.dumps(as_error(error))))


def test_a_refusal_keeps_code_and_details():
    arrived = over_the_wire(DomainError("ticket_state_conflict", status="called", allowed=["waiting"]))
    assert (arrived.code, arrived.details) == ("ticket_state_conflict", {"status": "called", "allowed": ["waiting"]})


def test_a_domain_module_needs_no_class_of_the_chassis():
    class NobodyWaits(Exception):
        def __init__(self) -> None:
            self.code, self.details = "nobody_waits", {"site": "sukadana"}

    arrived = over_the_wire(NobodyWaits())
    assert (arrived.code, arrived.details) == ("nobody_waits", {"site": "sukadana"})


def test_a_payload_that_breaks_its_contract_says_where():
    arrived = over_the_wire(PayloadInvalid({"amount": ["Must be a number."]}))
    assert arrived.code == "payload_invalid"
    assert arrived.details["errors"][0]["field"] == "amount"


def test_a_fault_tells_nothing():
    arrived = over_the_wire(KeyError("SELECT name FROM citizen WHERE nik = '1807...'"))
    assert (arrived.code, arrived.details) == ("unexpected", {})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("away"), "service_unavailable"),
        (DatabaseUnavailable("away"), "service_unavailable"),
        (BrokerUnavailable("away"), "service_unavailable"),
        (DeadlineExceeded(), "deadline_exceeded"),
        (Busy(), "busy"),
    ],
)
def test_every_way_of_being_unavailable_is_a_503_of_its_own_code(error, code):
    assert over_the_wire(error).code == code
    assert PROBLEMS[code].status == 503
    assert as_error(error)["details"] == {}, "the reason names hosts and drivers: it stays inside"


def test_an_error_code_that_is_no_text_is_a_fault():
    """SQLAlchemy and others have a ``code`` too."""

    class Foreign(Exception):
        code = 42

    assert as_error(Foreign())["code"] == "unexpected"


@pytest.mark.parametrize(
    "error", [IntegrityError("INSERT", {}, Exception("duplicate")), ProgrammingError("SELECT", {}, Exception("no table"))]
)
def test_a_broken_rule_of_the_database_is_a_fault_although_its_exception_has_a_code_of_its_own(error):
    assert as_error(error) == {"code": "unexpected", "details": {}}


def test_details_may_have_any_name():
    arrived = from_error({"code": "duplicate_id", "details": {"code": "INF", "self": 1}})
    assert (arrived.code, arrived.details) == ("duplicate_id", {"code": "INF", "self": 1})
