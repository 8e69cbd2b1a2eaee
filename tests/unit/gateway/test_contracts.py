"""The gateway asks services what their contracts say, and promises callers what they answer."""

import pytest

from gateway import personal_data
from gateway.routes import ROUTES
from services.contracts.registry import contract

pytestmark = pytest.mark.unit

SERVED = [route for route in ROUTES if route.rpc]


@pytest.mark.parametrize("route", SERVED, ids=lambda route: route.operation_id)
def test_a_route_sends_what_the_contract_of_its_method_asks_for(route):
    asked = contract(route.rpc.service, route.rpc.method)
    assert asked.schema is route.rpc.payload
    assert (asked.kind == "command") == route.command


@pytest.mark.parametrize("route", SERVED, ids=lambda route: route.operation_id)
def test_a_route_promises_what_the_service_answers(route):
    if route.tag == "boards" or route.streams or route.media_type != "application/json" or route.operation is personal_data.export:
        return  # the gateway makes boards, streams, files and what is held of a person out of what it is told
    asked = contract(route.rpc.service, route.rpc.method)
    answered = contract(route.rpc.service, asked.answer or "")
    assert asked.answer_form == ("one or null" if route.or_nothing else "one")
    if isinstance(route.answer, type):
        assert answered.schema is route.answer
    else:
        assert isinstance(route.answer, answered.schema)
