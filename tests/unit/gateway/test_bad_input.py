"""Bad input on every route: a problem document with a documented code, and nothing is asked of any service."""

import json
import re

import pytest

from gateway.openapi.problem_answers import problem_codes
from gateway.routes import ROUTES
from services.contracts.examples import EXAMPLES

pytestmark = pytest.mark.unit

SERVED = [route for route in ROUTES if route.rpc]
WITH_BODY = [route for route in SERVED if route.body_fields]
TAKING_A_BODY = [route for route in SERVED if route.method != "GET" and not route.any_body]
LISTS = [route for route in SERVED if "limit" in route.query]
COMMANDS = [route for route in SERVED if route.command]

MALFORMED = {
    "nothing like JSON": b"hello",
    "cut off": b'{"site": "suk',
    "two objects": b"{}{}",
    "single quotes": b"{'site': 1}",
    "trailing comma": b'{"a": 1,}',
    "a member twice": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number out of range": b'{"a": 1e999}',
    "5,000 digits": b'{"a": ' + b"9" * 5_000 + b"}",
    "60,000 brackets": b"[" * 30_000 + b"]" * 30_000,
    "30,000 objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "100 levels": b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "NUL": b"\x00",
    "a raw control character": b'{"a": "\x01"}',
}

UNFIT = {
    "a list": (b"[]", ""),
    "a string": (b'"x"', ""),
    "null": (b"null", ""),
    "a number": (b"1", ""),
    "NUL in a text": (b'{"a": "x\\u0000"}', "a"),
    "a lone surrogate": (b'{"a": {"b": ["\\ud800"]}}', "a.b.0"),
    "NUL in a name": (b'{"a\\u0000": 1}', ""),
    "a surrogate in a name": (b'{"\\udfff": 1}', ""),
    "an integer beyond 2**53": (b'{"a": 9007199254740993}', "a"),
    "an unknown field": (b'{"surprise": 1}', "surprise"),
}

HOSTILE = ["' OR 1=1; DROP TABLE ticket; --", "<script>alert(1)</script>", "${jndi:ldap://x}", "../../etc/passwd", "\u202e", "😀" * 300]


def url_of(route, **values):
    example = EXAMPLES[route.rpc.service][route.rpc.method]
    known = {"regency": "lampung-timur", **example, **values}
    path = re.sub(r"\{(\w+)\}", lambda match: str(known[match[1]]), route.path)
    needed = [f"{name}={example[member]}" for name, member in route.query.items() if route.payload_fields[member].required]
    return path + ("?" + "&".join(needed) if needed else "")


def body_of(route):
    example = EXAMPLES[route.rpc.service][route.rpc.method]
    return {name: value for name, value in example.items() if name in route.body_fields}


def ids(route):
    return route.operation_id


@pytest.fixture
def refused(edge, problem_of):
    """Sends a request, checks that it is refused with a code that the route documents, returns the document."""

    def send(route, url=None, **options):
        response = edge.send(route.method, url or url_of(route), role="operator", **options)
        document = problem_of(response)
        assert 400 <= response.status_code < 500
        assert document["code"] in problem_codes(route)
        assert edge.services.calls == []
        return document

    return send


@pytest.mark.parametrize("route", TAKING_A_BODY, ids=ids)
class TestBodies:
    @pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
    def test_what_is_not_strict_json_is_malformed(self, refused, route, raw):
        assert refused(route, raw=raw)["code"] == "json_malformed"

    @pytest.mark.parametrize(("raw", "where"), UNFIT.values(), ids=UNFIT)
    def test_what_nothing_can_store_or_no_contract_knows_is_invalid(self, refused, route, raw, where):
        document = refused(route, raw=raw)
        assert document["code"] == "payload_invalid"
        assert document["errors"][0]["field"] == where

    @pytest.mark.parametrize("size", [65_537, 2_000_000])
    def test_a_body_beyond_the_limit_is_refused(self, refused, route, size):
        document = refused(route, raw=b'{"a": "' + b"x" * size + b'"}')
        assert (document["code"], document["limit"]) == ("body_too_large", 65_536)

    @pytest.mark.parametrize(
        "media_type",
        [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "application/json; charset=latin1",
            "json",
        ],
    )
    def test_only_json_in_utf_8_is_read(self, refused, route, media_type):
        assert refused(route, raw=b"{}", headers={"Content-Type": media_type})["code"] == "media_type_unsupported"

    def test_compressed_bodies_are_not_read(self, refused, route):
        document = refused(route, raw=b"{}", headers={"Content-Encoding": "gzip"})
        assert document["code"] == "media_type_unsupported"


@pytest.mark.parametrize("route", WITH_BODY, ids=ids)
@pytest.mark.parametrize("value", [*HOSTILE, -1, 1.5, True, None, [], {}, [[]], {"a": 1}, "", " ", "x" * 2_000], ids=repr)
def test_a_wrong_value_in_any_field_is_named_or_harmless(edge, problem_of, route, value):
    for name in route.body_fields:
        edge.services.calls.clear()
        response = edge.send(route.method, url_of(route), role="operator", json_body={**body_of(route), name: value})
        if response.status_code == route.success:  # a text that may hold anything, or a field that takes this value
            [(_, _, payload, _)] = edge.services.calls
            assert payload[name] == value
        else:
            document = problem_of(response)
            assert document["code"] == "payload_invalid"
            assert any(error["field"].split(".")[0] in route.body_fields for error in document["errors"])


@pytest.mark.parametrize("route", WITH_BODY, ids=ids)
def test_a_missing_field_is_named(refused, route):
    for name in route.body_fields:
        if route.payload_fields[name].required:
            body = body_of(route)
            del body[name]
            assert name in [error["field"] for error in refused(route, json_body=body)["errors"]]


@pytest.mark.parametrize("route", SERVED, ids=ids)
class TestParameters:
    def test_an_unknown_query_parameter_is_refused(self, refused, route):
        url = url_of(route)
        document = refused(route, url + ("&" if "?" in url else "?") + "surprise=1")
        assert document["code"] == "parameter_invalid"
        assert document["errors"][0]["field"] == "surprise"

    @pytest.mark.parametrize("query", ["%ff", "a=%00", "a=%ed%a0%80", "&".join(f"p{n}=1" for n in range(30))])
    def test_unreadable_query_strings_are_refused(self, refused, route, query):
        url = url_of(route)
        assert refused(route, url + ("&" if "?" in url else "?") + query)["code"] == "parameter_invalid"

    @pytest.mark.parametrize("value", ["x" * 150, "-", "DROP TABLE", "<b>", "0", "ä"])
    def test_a_path_parameter_of_the_wrong_shape_is_refused(self, refused, route, value):
        for name in route.path_parameters:
            if name == "regency":
                continue
            document = refused(route, url_of(route, **{name: value}))
            assert document["code"] == "parameter_invalid"
            assert [error["field"] for error in document["errors"]] == [name]

    @pytest.mark.parametrize("slug", ["Lampung-Timur", "x" * 41, "lampung_timur", "-", "1", "auth", "public"])
    def test_a_regency_that_cannot_be_one_is_unknown(self, refused, route, slug):
        if route.of_regency:
            assert refused(route, url_of(route, regency=slug))["code"] == "regency_unknown"


@pytest.mark.parametrize("route", LISTS, ids=ids)
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=1e2", "limit=", "limit=x", "limit=%D9%A1", "limit=1.0", "limit=+5",
     "limit=99999999999999999999", "cursor=", "cursor=" + "x" * 201, "cursor=a%20b", "limit=1&limit=2"],
)  # fmt: skip
def test_a_wrong_limit_or_cursor_is_refused(refused, route, query):
    document = refused(route, url_of(route) + "?" + query)
    assert document["code"] == "parameter_invalid"
    assert document["errors"][0]["field"] == query.split("=")[0]


@pytest.mark.parametrize("value", ["2025-02-30", "11-06-2025", "2025-6-1", "today", "2025-06-11T00:00:00Z", "0000-01-01", ""])
def test_a_date_that_is_none_is_refused(refused, value):
    route = next(route for route in ROUTES if route.operation_id == "listTickets")
    document = refused(route, f"/v1/lampung-timur/tickets?date={value}")
    assert document["errors"][0]["field"] == "date"


@pytest.mark.parametrize("route", COMMANDS, ids=ids)
@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ä", "\x7f"])
def test_an_idempotency_key_that_is_none_is_refused(refused, route, key):
    assert refused(route, json_body=body_of(route), headers={"Idempotency-Key": key})["code"] == "idempotency_key_invalid"


@pytest.mark.parametrize("route", SERVED, ids=ids)
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "image/*"])
def test_a_caller_who_cannot_read_json_is_told_so(refused, route, accept):
    assert refused(route, headers={"Accept": accept})["code"] == "not_acceptable"


@pytest.mark.parametrize("route", SERVED, ids=ids)
def test_the_same_in_english_and_in_indonesian(refused, route):
    english = refused(route, url_of(route).split("?")[0] + "?surprise=1", headers={"Accept-Language": "en-GB,en;q=0.9"})
    indonesian = refused(route, url_of(route).split("?")[0] + "?surprise=1")
    assert english["code"] == indonesian["code"]
    assert english["title"] != indonesian["title"]
    assert english["errors"][0]["message"] != indonesian["errors"][0]["message"]


def test_every_field_error_of_a_body_is_reported_at_once(refused):
    route = next(route for route in ROUTES if route.operation_id == "issueTicket")
    document = refused(route, raw=json.dumps({"site": 1, "service": "x", "channel": "phone"}).encode())
    assert {error["field"] for error in document["errors"]} == {"site", "service", "channel"}
