"""Pages of lists: a cursor leads on in the list that gave it, and nowhere else."""

import re

import pytest

from gateway.cursors import opened, sealed
from gateway.problems import Refusal
from gateway.routes import ROUTES
from services.contracts.examples import EXAMPLES
from services.contracts.registry import PLATFORM, contract

pytestmark = pytest.mark.unit

LISTS = [route for route in ROUTES if route.paged]
MARK = "U0VSVklDRS0y"


def url_of(route, regency="lampung-timur"):
    values = {"regency": regency, **EXAMPLES[route.rpc.service].get(route.rpc.method, {})}
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), route.path)


def ids(route):
    return route.operation_id


@pytest.fixture
def first_page(edge):
    """Asks for a page that is not the last; returns the cursor that callers see."""

    def ask(route, url=None, mark=MARK):
        page = EXAMPLES[route.rpc.service][str(contract(route.rpc.service, route.rpc.method).answer)]
        edge.services.answers[route.rpc.method] = {**page, "next_cursor": mark}
        answer = edge.send("GET", url or url_of(route), role="administrator")
        assert answer.status_code == 200, answer.text
        return answer.json["next_cursor"]

    return ask


SERVED = [route for route in LISTS if route.rpc and route.rpc.service != PLATFORM]
"""The audit log is put together from all services' and has tests of its own."""


@pytest.mark.parametrize("route", SERVED, ids=ids)
def test_a_cursor_leads_on_in_its_own_list(edge, first_page, route):
    cursor = first_page(route)
    assert cursor != MARK
    answer = edge.send("GET", f"{url_of(route)}?limit=7&cursor={cursor}", role="administrator")
    assert answer.status_code == 200
    _, _, payload, _ = edge.services.calls[-1]
    assert (payload["cursor"], payload["limit"]) == (MARK, 7)


@pytest.mark.parametrize("route", SERVED, ids=ids)
def test_the_last_page_has_none(first_page, route):
    assert first_page(route, mark=None) is None


@pytest.mark.parametrize("route", LISTS, ids=ids)
def test_a_cursor_of_another_list_is_refused(edge, problem_of, first_page, route):
    other = next(other for other in SERVED if other is not route)
    cursor = first_page(other)
    edge.services.calls.clear()
    document = problem_of(edge.send("GET", f"{url_of(route)}?cursor={cursor}", role="administrator"))
    assert (document["code"], document["errors"][0]["field"], document["errors"][0]["rule"]) == ("parameter_invalid", "cursor", "opaque")
    assert edge.services.calls == []


@pytest.mark.parametrize("route", [route for route in SERVED if route.of_regency], ids=ids)
def test_a_cursor_of_another_regency_is_refused(edge, problem_of, first_page, route):
    cursor = first_page(route)
    abroad = f"{url_of(route, 'lampung-tengah')}?cursor={cursor}"
    assert problem_of(edge.send("GET", abroad, role="operator"))["code"] == "parameter_invalid"


@pytest.mark.parametrize("route", [route for route in SERVED if "site" in route.query], ids=ids)
def test_a_cursor_of_other_filters_is_refused(edge, problem_of, first_page, route):
    url = url_of(route)
    cursor = first_page(route, f"{url}?site=sukadana")
    assert edge.send("GET", f"{url}?site=sukadana&cursor={cursor}", role="administrator").status_code == 200
    for query in (f"cursor={cursor}", f"site=metro&cursor={cursor}"):
        assert problem_of(edge.send("GET", f"{url}?{query}", role="administrator"))["code"] == "parameter_invalid"


@pytest.mark.parametrize("tampered", ["", ".", "x", MARK, f"{MARK}.", f"{MARK}.0000000000", ".0000000000"])
def test_a_cursor_that_was_never_given_is_refused(tampered):
    with pytest.raises(Refusal):
        opened(tampered, "listSites", "lampung-timur", {})


def test_what_was_sealed_opens_again():
    assert opened(sealed("a.b", "listSites", None, {"site": "x", "limit": 3}), "listSites", None, {"site": "x", "limit": 9}) == "a.b"


def test_every_list_of_what_may_grow_has_pages():
    grow = {route.operation_id for route in ROUTES if route.operation_id.startswith("list") and not route.paged}
    # As many regencies as the state has, as many streams as sites, a provider or two; events are read by their sequence (`after`).
    assert grow == {"listRegencies", "listEventStreams", "listEvents", "listIdentityProviders"}
