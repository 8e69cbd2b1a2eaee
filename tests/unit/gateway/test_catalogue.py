"""The catalogue over HTTP: entity tags, preconditions, opening hours."""

import pytest

from gateway.routes import ROUTES
from services.contracts.examples import EXAMPLES
from tests.unit.gateway.conftest import UNSAID

pytestmark = pytest.mark.unit

SITE = "/v1/lampung-timur/sites/sukadana"
TAG = f'"{EXAMPLES["catalog"]["site"]["version"]}"'


def test_an_object_comes_with_its_version_as_entity_tag(edge):
    response = edge.send("GET", SITE)
    assert response.headers["ETag"] == TAG
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.guarded], ids=lambda route: route.operation_id)
def test_who_does_not_say_which_version_is_asked_for_it(edge, problem_of, route):
    url = route.path.replace("{regency}", "lampung-timur").replace("{id}", EXAMPLES[route.rpc.service][route.rpc.method]["id"])
    body = {name: value for name, value in EXAMPLES[route.rpc.service][route.rpc.method].items() if name in route.body_fields}
    response = edge.send("PATCH", url, role="administrator", json_body=body, headers={"If-Match": UNSAID})
    assert (response.status_code, problem_of(response)["code"]) == (428, "precondition_required")
    assert edge.services.calls == []


def test_every_object_that_several_people_edit_is_guarded():
    assert {route.operation_id for route in ROUTES if route.method == "PATCH" and not route.guarded} == set()


@pytest.mark.parametrize("held", [TAG, f"W/{TAG}", f'"0", {TAG}', "*", TAG[:-1] + '-gzip"', "W/" + TAG[:-1] + '-br"'])
def test_who_holds_the_version_gets_no_copy(edge, held):
    response = edge.send("GET", SITE, headers={"If-None-Match": held})
    assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", TAG)


def test_who_holds_another_version_gets_the_object(edge):
    assert edge.send("GET", SITE, headers={"If-None-Match": '"0"'}).status_code == 200


@pytest.mark.parametrize(("header", "version"), [('"7"', 7), ("*", None), (' "7" ', 7), ('"7-gzip"', 7), ('"7-zstd"', 7)])
def test_a_change_names_the_version_that_it_changes(edge, header, version):
    """Also by the tag that a proxy made of it when it packed the answer."""
    response = edge.send("PATCH", SITE, role="administrator", json_body={"accepting": False}, headers={"If-Match": header})
    assert response.status_code == 200
    assert edge.services.payload.get("if_match") == version
    assert edge.services.payload["id"] == "sukadana"


@pytest.mark.parametrize("header", ['W/"7"', '"abc"', '"0"', '""', '"99999999999999999999"'])
def test_a_tag_that_never_was_a_version_matches_nothing(edge, header):
    edge.send("PATCH", SITE, role="administrator", json_body={"accepting": False}, headers={"If-Match": header})
    assert edge.services.payload["if_match"] == 2**31 - 1


@pytest.mark.parametrize("header", ["7", '"7', '"7", "8"', " ", "W/7"])
def test_a_precondition_that_is_no_tag_is_refused(edge, problem_of, header):
    headers = {"If-Match": header}
    response = edge.send("PATCH", SITE, role="administrator", json_body={"accepting": False}, headers=headers)
    document = problem_of(response)
    assert (document["code"], document["header"]) == ("header_invalid", "If-Match")
    assert edge.services.calls == []


def test_something_new_has_an_address_and_a_version(edge):
    body = {**EXAMPLES["catalog"]["create_account"]}
    response = edge.send("POST", "/v1/lampung-timur/accounts", role="administrator", json_body=body)
    assert response.status_code == 201
    account = EXAMPLES["catalog"]["account"]
    assert response.headers["Location"] == f"/v1/lampung-timur/accounts/{account['id'].replace('@', '%40')}"
    assert response.headers["ETag"] == f'"{account["version"]}"'


HOURS = "/v1/lampung-timur/sites/sukadana/hours"


def test_hours_of_a_site_are_resolved_by_who_heeds_them(edge):
    response = edge.send("GET", f"{HOURS}?from=2026-03-19&to=2026-03-20")
    assert response.json == EXAMPLES["ticketing"]["site_hours"]
    assert edge.services.payload == {"site": "sukadana", "since": "2026-03-19", "until": "2026-03-20"}
    assert response.headers["Cache-Control"] == "no-cache"  # the same for everybody
    again = edge.send("GET", HOURS, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=2026-02-30", "from"),
        ("?from=2026-03-02&to=2026-03-01", "to"),
        ("?from=2026-01-01&to=2026-03-04", "to"),
        ("?since=2026-01-01", "since"),
    ],
)
def test_days_that_make_no_sense_are_refused_by_the_callers_name_for_them(edge, problem_of, query, field):
    document = problem_of(edge.send("GET", HOURS + query))
    assert (document["code"], document["errors"][0]["field"]) == ("parameter_invalid", field)
    assert edge.services.calls == []


def test_two_months_of_hours_are_answered_at_once(edge):
    assert edge.send("GET", f"{HOURS}?from=2026-01-01&to=2026-03-03").status_code == 200


def test_special_hours_are_made_by_their_own_names(edge):
    body = EXAMPLES["catalog"]["create_hours"]
    response = edge.send("POST", "/v1/lampung-timur/hours", role="supervisor", json_body=body)
    assert (response.status_code, response.headers["Location"]) == (201, "/v1/lampung-timur/hours/idulfitri-2026")
    assert edge.services.payload["from"] == "2026-06-03"


def test_special_hours_are_changed_by_their_own_names(edge):
    path, held = "/v1/lampung-timur/hours/idulfitri-2026", {"If-Match": '"1"'}
    edge.send("PATCH", path, role="administrator", json_body={"to": "2026-03-23"}, headers=held)
    assert edge.services.payload == {"id": "idulfitri-2026", "to": "2026-03-23", "if_match": 1}


def test_special_hours_are_found_by_day(edge):
    edge.send("GET", "/v1/lampung-timur/hours?from=2026-03-01&to=2026-03-31&site=sukadana")
    assert edge.services.payload == {"since": "2026-03-01", "until": "2026-03-31", "site": "sukadana"}


def test_a_platform_query_carries_no_regency(edge):
    edge.send("GET", "/v1/regencies/lampung-timur")
    assert edge.services.context.regency is None
    assert edge.services.payload == {"regency": "lampung-timur"}
