"""The service answers exactly the calls that its contracts publish, and listens to whom it should."""

import pytest

from services.chassis.entrypoints import Call, Command, Query
from services.chassis.service import Service
from services.chassis.subscribing import Subscriber
from services.contracts.registry import CONTRACTS
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.notification.service import NotificationService

pytestmark = pytest.mark.unit

CALLS = {contract.name: contract for contract in CONTRACTS if contract.owner == "notification" and contract.kind in {"command", "query"}}


def entrypoints(kind):
    declared = {name: getattr(method, "nameko_entrypoints", ()) for name, method in vars(NotificationService).items()}
    return {name: found for name, some in declared.items() for found in some if isinstance(found, kind)}


def test_every_published_call_has_an_entrypoint_and_no_other_exists():
    assert entrypoints(Call).keys() == CALLS.keys()
    assert issubclass(NotificationService, Service)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_validated_by_its_contract(name):
    entrypoint = entrypoints(Call)[name]
    assert type(entrypoint._schema) is CALLS[name].schema
    if isinstance(entrypoint, (Query, Command)):  # others open their transactions themselves
        assert isinstance(entrypoint, Query) == (CALLS[name].kind == "query")


def test_it_consumes_every_subscription_that_is_declared_for_it_once():
    consumed = [entrypoint._subscription for entrypoint in entrypoints(Subscriber).values()]
    assert sorted(one.queue for one in consumed) == sorted(one.queue for one in SUBSCRIPTIONS if one.queue.startswith("notification."))
