"""What answers say besides their content: limits of rate, repeats, tags of lists, and routes that go away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.application import Application
from gateway.openapi import openapi_document
from gateway.route import Retirement
from gateway.routes import ROUTES
from services.contracts.examples import EXAMPLES
from tests.unit.gateway.conftest import Edge, make_edge

pytestmark = pytest.mark.unit

SITES = "/v1/lampung-timur/sites"
LOGIN = {"username": "officer@lampung-timur", "password": "wrong"}


class TestRates:
    def test_who_is_limited_reads_how_far(self, edge_with):
        edge = edge_with(anonymous_rate="3/hour")
        told = [edge.send("GET", SITES).headers for _ in range(4)]
        assert {headers["RateLimit-Policy"] for headers in told} == {'"anonymous";q=3;w=3600'}
        assert [headers["RateLimit"].rpartition(";t=")[0] for headers in told] == [f'"anonymous";r={left}' for left in (2, 1, 0, 0)]
        assert told[3]["RateLimit"].rpartition(";t=")[2] == told[3]["Retry-After"]

    def test_refusals_tell_it_as_well(self, edge_with):
        edge = edge_with(anonymous_rate="9/hour")
        assert edge.send("GET", "/nothing").headers["RateLimit"].startswith('"anonymous";r=8;')
        assert edge.send("GET", SITES, headers={"Authorization": "Bearer x"}).headers["RateLimit"].startswith('"anonymous";r=7;')

    def test_two_limits_are_told_side_by_side(self, edge_with):
        edge = edge_with(anonymous_rate="9/hour", login_rate="1/hour")
        first, second = (edge.send("POST", "/v1/auth/token", json_body=LOGIN) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 429)
        assert second.headers["RateLimit-Policy"] == '"anonymous";q=9;w=3600, "login";q=1;w=3600'
        assert second.headers["RateLimit"].split(", ")[1].startswith('"login";r=0;t=')

    def test_who_is_not_limited_hears_of_no_limit(self, edge):
        assert "RateLimit" not in edge.send("GET", SITES, role="officer").headers


class TestRepeats:
    TICKETS = "/v1/lampung-timur/tickets"
    WISH = {"site": "sukadana", "service": "CPL-KTP", "channel": "web"}  # noqa: RUF012 - never changed

    def test_an_answer_of_before_is_marked(self, edge):
        def repeated(service, method, payload, context):
            context.told["repeated"] = True
            return EXAMPLES[service]["issued_ticket"]

        edge.services.call = repeated
        answer = edge.send("POST", self.TICKETS, json_body=self.WISH)
        assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (201, "true")

    def test_a_new_one_is_not(self, edge):
        assert "Idempotency-Replayed" not in edge.send("POST", self.TICKETS, json_body=self.WISH).headers


POLLED = [route for route in ROUTES if route.rpc and route.method == "GET" and route.digested and route.path.count("{") == 1]


@pytest.mark.parametrize("route", POLLED, ids=lambda route: route.operation_id)
def test_who_holds_a_list_gets_no_copy(edge, route):
    url = route.path.replace("{regency}", "lampung-timur")
    example = EXAMPLES[route.rpc.service if route.rpc.service in EXAMPLES else "platform"][route.rpc.method]
    needed = [f"{name}={example[member]}" for name, member in route.query.items() if route.payload_fields[member].required]
    url += "?" + "&".join(needed) if needed else ""
    first = edge.send("GET", url, role="auditor")
    again = edge.send("GET", url, role="auditor", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert edge.send("GET", url, role="auditor", headers={"If-None-Match": '"0"'}).status_code == 200


def test_every_read_of_the_api_can_be_asked_whether_it_is_still_true():
    """But for what says something else each time, files that are fetched once, and personal data, which no browser keeps."""
    not_so = {route.operation_id for route in ROUTES if route.rpc and route.method == "GET" and not route.revalidated}
    assert not_so == {"streamBoard", "streamTicket", "listEvents", "exportAuditCsv", "exportAuditNdjson", "getPerson", "exportPerson"}


def test_what_names_people_is_kept_by_nobody(edge):
    for path in ("accounts", "tickets", "surveys", "deliveries", "my-counter"):
        assert edge.send("GET", f"/v1/lampung-timur/{path}", role="auditor").headers["Cache-Control"] == "no-store"


SINCE = datetime(2026, 12, 1, tzinfo=UTC)
RETIREMENT = Retirement(SINCE, SINCE + timedelta(days=365), "/v1/{regency}/places")


class TestRetirement:
    @pytest.fixture
    def retiring(self) -> Edge:
        """An edge on which the list of sites is deprecated."""
        edge = make_edge()
        routes = [replace(route, retirement=RETIREMENT) if route.operation_id == "listSites" else route for route in ROUTES]
        edge.application = Application(routes, edge.application._surroundings)
        return edge

    @pytest.mark.parametrize("options", [{}, {"headers": {"Authorization": "Bearer x"}}, {"headers": {"Accept": "text/html"}}])
    def test_each_answer_of_a_deprecated_route_says_so(self, retiring, options):
        headers = retiring.send("GET", SITES, **options).headers
        assert headers["Deprecation"] == "@1796083200"
        assert headers["Sunset"] == "Wed, 01 Dec 2027 00:00:00 GMT"
        assert '</docs/deprecation>; rel="deprecation"' in headers["Link"]
        assert '</v1/{regency}/places>; rel="successor-version"' in headers["Link"]

    def test_it_works_as_before(self, retiring):
        assert retiring.send("GET", SITES).json == EXAMPLES["catalog"]["site_page"]

    def test_others_say_nothing(self, retiring):
        assert not {"Deprecation", "Sunset", "Link"} & set(retiring.send("GET", "/v1/lampung-timur/agencies").headers.keys())

    def test_the_document_marks_it(self):
        routes = [replace(route, retirement=RETIREMENT) if route.operation_id == "listSites" else route for route in ROUTES]
        paths = openapi_document(routes, "en")["paths"]
        assert paths["/v1/{regency}/sites"]["get"]["deprecated"] is True
        assert {"Deprecation", "Sunset", "Link"} <= paths["/v1/{regency}/sites"]["get"]["responses"]["200"]["headers"].keys()
        assert "deprecated" not in paths["/v1/{regency}/agencies"]["get"]

    def test_a_notice_that_is_too_short_is_no_notice(self):
        with pytest.raises(ValueError, match="180 days"):
            Retirement(SINCE, SINCE + timedelta(days=179))
        with pytest.raises(ValueError, match="zone"):
            Retirement(SINCE.replace(tzinfo=None), SINCE + timedelta(days=400))
