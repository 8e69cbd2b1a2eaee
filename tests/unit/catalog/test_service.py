"""The service answers exactly the calls that its contracts publish."""

import pytest

from services.catalog.service import CatalogService
from services.chassis.service import Service
from services.contracts.registry import CONTRACTS

pytestmark = pytest.mark.unit

CALLS = {contract.name: contract for contract in CONTRACTS if contract.owner == "catalog" and contract.kind in {"command", "query"}}


def entrypoints(service):
    found = {name: getattr(method, "nameko_entrypoints", None) for name, method in vars(service).items()}
    return {name: next(iter(declared)) for name, declared in found.items() if declared}


def test_every_published_call_has_an_entrypoint_and_no_other_exists():
    assert entrypoints(CatalogService).keys() == CALLS.keys()
    assert issubclass(CatalogService, Service)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_validated_by_its_contract(name):
    entrypoint = entrypoints(CatalogService)[name]
    assert type(entrypoint._schema) is CALLS[name].schema
    assert (type(entrypoint).__name__ == "Command") == (CALLS[name].kind == "command")
