"""Which stream a reader of the event log means, and who is asked for it."""

import pytest

from services.chassis.errors import DomainError, Unavailable

pytestmark = pytest.mark.unit

EVENTS = "/v1/lampung-timur/events"
SUKADANA = "/regencies/lampung-timur/ticketing/sites/sukadana"


def unknown_stream():
    return DomainError("stream_unknown", regency="lampung-timur")


@pytest.mark.parametrize(
    ("query", "owner"),
    [
        ("", "catalog"),
        ("?site=sukadana", "ticketing"),
        (f"?source={SUKADANA}", "ticketing"),
        ("?source=/regencies/lampung-timur/catalog", "catalog"),
        ("?source=/regencies/lampung-timur/reporting", "reporting"),
    ],
)
def test_the_service_that_writes_the_stream_is_asked(edge, query, owner):
    response = edge.send("GET", EVENTS + query, role="consumer")
    assert response.status_code == 200
    [(service, method, _, context)] = edge.services.calls
    assert (service, method, context.regency) == (owner, "read_events", "lampung-timur")


def test_a_reader_may_hand_back_the_sequence_as_it_stands_in_the_event(edge):
    edge.send("GET", f"{EVENTS}?source={SUKADANA}&after=00000000000000000041&limit=7", role="consumer")
    assert edge.services.payload == {"source": SUKADANA, "after": "00000000000000000041", "limit": 7}


@pytest.mark.parametrize(
    "source",
    ["/regencies/oku-timur/catalog", "/regencies/lampung/catalog", "/regencies/lampung-timur/gateway", "/regencies/lampung-timur/nobody"],
)
def test_a_stream_of_another_regency_or_of_nobody_is_unknown_and_nobody_is_asked(edge, problem_of, source):
    response = edge.send("GET", f"{EVENTS}?source={source}", role="operator")
    assert problem_of(response)["code"] == "stream_unknown"
    assert edge.services.calls == []


@pytest.mark.parametrize(
    "query", [f"site=sukadana&source={SUKADANA}", "after=", "after=-1", "after=x", "source=catalog", "limit=0", "cursor=1"]
)
def test_what_is_no_place_in_a_stream_is_refused(edge, problem_of, query):
    assert problem_of(edge.send("GET", f"{EVENTS}?{query}", role="consumer"))["code"] == "parameter_invalid"
    assert edge.services.calls == []


@pytest.mark.parametrize("query", ["?site=sukadana", f"?source={SUKADANA}"])
def test_a_site_where_nothing_has_happened_is_empty_and_one_that_does_not_exist_is_unknown(edge, problem_of, query):
    edge.services.answers["read_events"] = unknown_stream()
    assert edge.send("GET", EVENTS + query, role="consumer").get_json() == {"items": [], "next_cursor": None}
    assert [(service, method) for service, method, _, _ in edge.services.calls] == [("ticketing", "read_events"), ("catalog", "get_site")]
    edge.services.answers["get_site"] = DomainError("site_unknown", id="sukadana")
    assert problem_of(edge.send("GET", EVENTS + query, role="consumer"))["code"] == "site_unknown"


def test_a_catalogue_in_which_nothing_has_happened_is_empty(edge):
    edge.services.answers["read_events"] = unknown_stream()
    assert edge.send("GET", EVENTS, role="consumer").get_json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("language", ["id", "en"])
def test_what_is_gone_is_told_with_the_first_that_is_left(edge, problem_of, language):
    edge.services.answers["read_events"] = DomainError("events_gone", source=SUKADANA, first_available=812)
    response = edge.send("GET", f"{EVENTS}?site=sukadana&after=3", role="consumer", headers={"Accept-Language": language})
    problem = problem_of(response)
    assert (response.status_code, problem["code"], problem["first_available"]) == (410, "events_gone", 812)
    assert "812" in problem["detail"]


def test_the_streams_of_all_services_are_listed_together(edge):
    response = edge.send("GET", f"{EVENTS}/streams", role="consumer")
    assert response.status_code == 200
    assert {service for service, _, _, _ in edge.services.calls} == {"catalog", "ticketing", "notification", "reporting"}
    assert response.get_json()["items"][0] == {"source": SUKADANA, "first": 1, "last": 41}


def test_a_list_of_streams_that_lacks_a_service_is_none(edge, problem_of):
    edge.services.answers["list_streams"] = Unavailable("ticketing is away")
    assert problem_of(edge.send("GET", f"{EVENTS}/streams", role="consumer"))["code"] == "service_unavailable"


@pytest.mark.parametrize("role", ["officer", "front_desk", "kiosk", "display"])
def test_who_has_no_business_with_the_log_lists_no_streams(edge, problem_of, role):
    assert problem_of(edge.send("GET", f"{EVENTS}/streams", role=role))["code"] == "role_forbidden"
    assert edge.services.calls == []
