"""The same tricks through the deployment's own proxy: what reaches a gateway is one request or none, and says from where it comes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from deploy.servers.caddy import CaddyServer
from tests.integration.gateway.conftest import EdgeProcess
from tests.processes import eventually

pytestmark = pytest.mark.integration

WISH = json.dumps({"site": "sukadana", "service": "CPL-KTP", "channel": "web"}).encode()
POST = b"POST /v1/lampung-timur/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALL = len(b"0\r\n\r\n" + SMUGGLED)


class Entrance:
    """Caddy in front of one gateway, and raw connections to it over TLS."""

    def __init__(self, proxy: CaddyServer, edge: EdgeProcess) -> None:
        self.proxy, self.edge = proxy, edge
        self.trust = ssl.create_default_context(cafile=str(proxy.root_certificate))

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("localhost", self.proxy.https_port), timeout=20)
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def said(self, raw: bytes) -> bytes:
        """Send something that asks to be the last of its connection; return everything that comes back."""
        with self.connect() as connection:
            connection.sendall(raw)
            received = b""
            while block := _received(connection):
                received += block
            return received

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask for something as a well-behaved client does."""
        connection = http.client.HTTPSConnection("localhost", self.proxy.https_port, timeout=20, context=self.trust)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def unknown_paths(self) -> float:
        """How many requests for a path of nobody the gateway has seen: a smuggled one would be one."""
        return self.counted('"unknown"')

    def counted(self, *labels: str) -> float:
        """How many requests with these labels the gateway has answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.edge.port, timeout=20)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        lines = [line for line in text.splitlines() if line.startswith("mpp_http_request_duration_seconds_count")]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in labels))


def _received(connection: ssl.SSLSocket) -> bytes:
    try:
        return connection.recv(65_536)
    except (ConnectionResetError, ssl.SSLError):
        return b""


@pytest.fixture(scope="module")
def entrance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """The delivered configuration; patience with headers is short."""
    edge = EdgeProcess(trusted_proxies=1, anonymous_rate="1000/hour")
    variables = {"MPP_PROXY_UPSTREAMS": f"to 127.0.0.1:{edge.port}", "MPP_PROXY_HEADER_TIME": "1s"}
    try:
        with CaddyServer(tmp_path_factory.mktemp("proxy"), variables) as proxy:
            yield Entrance(proxy, edge)
    finally:
        edge.stop()


def last(raw: bytes) -> bytes:
    """Say that a connection ends with this request."""
    return raw.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and a length of all": POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % ALL + b"0\r\n\r\n" + SMUGGLED,
    "a disguised coding": POST + b"Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "a coding after a tab": POST + b"Content-Length: %d\r\nTransfer-Encoding:\tchunked\r\n\r\n" % ALL + b"0\r\n\r\n" + SMUGGLED,
    "a space before the colon": POST + b"Content-Length: %d\r\nTransfer-Encoding : chunked\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "two codings": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "a signed length": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a folded length": POST + b"Content-Length: %d\r\nX: a\r\n Content-Length: 0\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "a line feed in a chunk's extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
}  # fmt: skip


@pytest.mark.parametrize("raw", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_servers_read_differently_smuggles_nothing(entrance: Entrance, raw: bytes):
    """The body's tail is a request of its own to whoever misreads its length: no gateway ever sees one, and nobody gets its answer."""
    before = entrance.unknown_paths()
    said = entrance.said(last(raw))
    assert said.startswith(b"HTTP/1.1 "), said[:80]
    assert said.count(b"HTTP/1.1 ") == 1, said
    assert entrance.get("/v1/regencies")[0] == 200, "the next one gets its own answer"
    assert entrance.unknown_paths() == before


@pytest.mark.parametrize(
    "target", [b"/v1/../metrics", b"/v1/%2e%2e/metrics", b"//v1/regencies", b"/v1/./regencies", b"/v1/regencies/", b"/V1/regencies",
               b"/v1%2fregencies", b"/v1/regencies;x=1", b"/%00", b"/v1/regencies%0d%0aX:%20y", b"/v1/%c0%ae%c0%ae/metrics"],
)  # fmt: skip
def test_a_path_that_is_not_exactly_one_of_ours_leads_nowhere(entrance: Entrance, target: bytes):
    said = entrance.said(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    nothing = said.endswith(b"\r\n\r\n")  # the proxy resolves dots before it compares: then it is its own /metrics
    assert nothing or said.split(b" ", 2)[1] in (b"404", b"400"), said[:200]
    assert b"mpp_http" not in said
    assert b"\r\nX: y" not in said


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x=1"])
def test_figures_stay_inside_and_whether_it_answers_is_told(entrance: Entrance, path: str):
    status, _, body = entrance.get(path)
    assert (status, body) == (200, b"")


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"evil.example:443", b"127.0.0.1"])
def test_another_hosts_name_is_told_to_go_elsewhere(entrance: Entrance, host: bytes):
    said = entrance.said(b"GET /v1/regencies HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 421 ")
    assert host not in said
    absolute = entrance.said(b"GET http://" + host + b"/v1/regencies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert absolute.startswith(b"HTTP/1.1 421 ")


def test_nobody_chooses_from_where_they_come(entrance: Entrance):
    """Also not by having the proxy drop the header that it writes."""
    left = []
    for number in range(3):
        _, headers, _ = entrance.get("/v1/regencies", X_Forwarded_For=f"198.51.100.{number}", Forwarded=f"for=198.51.100.{number}")
        left.append(int(headers["ratelimit"].partition("r=")[2].partition(";")[0]))
    raw = b"GET /v1/regencies HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Forwarded-For\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n"
    left.append(int(entrance.said(raw).lower().partition(b"ratelimit: ")[2].partition(b"r=")[2].partition(b";")[0]))
    assert [left[0] - other for other in left] == [0, 1, 2, 3], "all of them are counted as one"


def test_headers_that_trickle_are_given_up(entrance: Entrance):
    with entrance.connect() as connection:
        connection.sendall(b"GET /v1/regencies HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert b"200" not in _received(connection)
    assert entrance.get("/v1/regencies")[0] == 200


def test_a_body_that_trickles_costs_no_gateway_a_thing(entrance: Entrance):
    """The proxy waits on for its rest before it passes the refusal on; the gateway has long let go."""
    before = entrance.counted('route="/v1/{regency}/tickets"', 'status="4xx"')
    with entrance.connect() as connection:
        connection.sendall(POST + b"Content-Length: 500\r\n\r\n{")
        eventually(lambda: entrance.counted('route="/v1/{regency}/tickets"', 'status="4xx"') == before + 1, within=10)


def test_one_who_breaks_requests_off_keeps_nobody_out(entrance: Entrance):
    """With `fail_duration` each of these took the gateway out of the rota for seconds: everybody waited, then heard 503."""
    broken = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n"
    with entrance.connect() as vandal:
        vandal.sendall(broken)
        started = time.monotonic()
        assert [entrance.get("/v1/regencies")[0] for _ in range(5)] == [200] * 5
        assert time.monotonic() - started < 3


def test_hundreds_that_say_nothing_keep_nobody_out(entrance: Entrance):
    silent = [socket.create_connection(("localhost", entrance.proxy.https_port), timeout=20) for _ in range(500)]
    started = time.monotonic()
    assert entrance.get("/v1/regencies")[0] == 200
    assert time.monotonic() - started < 10
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("size", [40, 1_000])
def test_headers_beyond_the_limit_are_refused_before_they_are_kept(entrance: Entrance, size: int):
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(size))
    said = entrance.said(b"GET /v1/regencies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + b"\r\n")
    assert said.split(b" ", 2)[1] == b"431"


def test_an_answer_is_packed_unless_it_may_hold_a_secret(entrance: Entrance):
    for offered in ("gzip", "zstd"):
        assert entrance.get("/static/board.css", Accept_Encoding=offered)[1]["content-encoding"] == offered
    for path in ("/sign-in", "/account"):
        assert "content-encoding" not in entrance.get(path, Accept_Encoding="gzip")[1]
    taken = entrance.said(last(POST + b"Accept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(WISH) + WISH))
    assert taken.startswith(b"HTTP/1.1 201 ")
    assert b"Content-Encoding" not in taken


def test_who_holds_what_was_packed_gets_no_copy(entrance: Entrance):
    _, headers, _ = entrance.get("/static/board.css", Accept_Encoding="gzip")
    again, _, body = entrance.get("/static/board.css", Accept_Encoding="gzip", If_None_Match=headers["etag"])
    assert (again, body) == (304, b"")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header field of HPACK that is in no table (RFC 7541, section 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def test_streams_that_are_reset_at_once_keep_nobody_out(entrance: Entrance):
    """Rapid reset (CVE-2023-44487): 2,000 requests over HTTP/2, each given up as soon as it was asked."""
    trust = ssl.create_default_context(cafile=str(entrance.proxy.root_certificate))
    trust.set_alpn_protocols(["h2"])
    fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/healthz")]
    block = b"".join(literal(name, value) for name, value in fields)
    plain = socket.create_connection(("localhost", entrance.proxy.https_port), timeout=20)
    with trust.wrap_socket(plain, server_hostname="localhost") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
        for stream in range(1, 4_001, 2):
            sent += frame(1, 5, stream, block) + frame(3, 0, stream, b"\x00\x00\x00\x08")
        with contextlib.suppress(OSError):  # it may end the connection of somebody who does that
            connection.sendall(sent)
        started = time.monotonic()
        assert entrance.get("/v1/regencies")[0] == 200
        assert time.monotonic() - started < 10
