"""What somebody would try who means no good: each on a real connection, and others are served all the same."""

from __future__ import annotations

import gzip
import socket
import time
from pathlib import Path

import pytest

from tests.processes import eventually

pytestmark = pytest.mark.integration

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: mpp\r\n\r\n"
REGENCIES = b"GET /v1/regencies HTTP/1.1\r\nHost: mpp\r\n%s\r\n"
TICKETS = b"POST /v1/lampung-timur/tickets HTTP/1.1\r\nHost: mpp\r\nContent-Type: application/json\r\n"


def memory(edge):
    """Return the greatest resident size so far, in bytes."""
    [line] = [line for line in Path(f"/proc/{edge.process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def connections(watcher):
    """Return how many connections the server has open."""
    text = watcher.send(b"GET /metrics HTTP/1.1\r\nHost: mpp\r\n\r\n").answer().body.decode()
    [line] = [line for line in text.splitlines() if line.startswith("mpp_http_connections ")]
    return int(float(line.split()[1]))


def posted(body, *headers):
    return TICKETS + b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


class TestManyConnections:
    def test_two_thousand_that_say_nothing_keep_nobody_out(self, edge_process, connect):
        silent = [connect(edge_process) for _ in range(2_000)]
        assert connect(edge_process).send(HEALTH).answer().status == 200
        assert len(silent) == 2_000

    def test_beyond_the_limit_the_longest_idle_one_makes_room(self, edge_with, connect):
        edge = edge_with(most_connections=20)
        first, *others = [connect(edge) for _ in range(20)]
        assert first.send(HEALTH).answer().status == 200
        assert [connection.send(HEALTH).answer().status for connection in others] == [200] * 19
        assert [connect(edge).send(HEALTH).answer().status for _ in range(5)] == [200] * 5
        assert first.is_closed()
        assert others[-1].send(HEALTH).answer().status == 200, "those that came last stay"

    def test_headers_that_never_end_hold_a_place_for_a_moment_only(self, edge_with, connect):
        edge = edge_with(most_connections=20)
        trickling = [connect(edge).send(b"GET /healthz HTTP/1.1\r\nHost: mpp\r\nX: ") for _ in range(20)]
        assert connect(edge).send(HEALTH).answer().status == 200
        assert all(connection.is_closed() for connection in trickling)


class TestSlowReaders:
    def test_an_answer_that_is_taken_byte_by_byte_is_given_up(self, edge_process, connect):
        """More than what the system keeps for both sides: without an end in time it would hold the connection for days."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(("127.0.0.1", edge_process.port))
        watcher = connect(edge_process)
        reader.sendall(b"GET /static/swagger-ui-bundle.js HTTP/1.1\r\nHost: mpp\r\n\r\n" * 4)

        def is_given_up():
            reader.recv(1)
            return connections(watcher) == 1

        assert connections(watcher) == 2
        eventually(is_given_up, within=20)
        reader.close()

    def test_memory_stays_bounded_while_many_take_nothing(self, edge_process, connect):
        assert connect(edge_process).send(HEALTH).answer().status == 200
        before = memory(edge_process)
        readers = [connect(edge_process) for _ in range(100)]
        for reader in readers:
            reader.send(b"GET /static/swagger-ui-bundle.js HTTP/1.1\r\nHost: mpp\r\n\r\n" * 20)
        assert connect(edge_process).send(HEALTH).answer().status == 200
        assert memory(edge_process) - before < 100_000_000, "the file lies in memory once"


class TestBodies:
    @pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"deflate", b"br", b"zstd", b"gzip, gzip", b"identity, gzip"])
    def test_a_packed_body_is_not_unpacked(self, edge_process, connect, coding):
        bomb = gzip.compress(b"[" * 20_000_000)
        before = memory(edge_process)
        answer = connect(edge_process).send(posted(bomb, b"Content-Encoding: " + coding)).answer()
        assert (answer.status, answer.code) == (415, "media_type_unsupported")
        assert memory(edge_process) - before < 5_000_000

    @pytest.mark.parametrize(
        "body",
        [
            b'{"site": ' + b"9" * 60_000 + b"}",
            b'{"site": 1e' + b"9" * 60_000 + b"}",
            b'{"site": -0.' + b"0" * 60_000 + b"1}",
            b'{"site": NaN}',
            b'{"site": [' * 6_000,
            b'{"site": "a", "site": "b"}',
            b"\xef\xbb\xbf{}",
            b'{"site": "\xff"}',
            b'{"site": "\xed\xa0\x80"}',
            b'{"site": "\\ud800"}',
            b'{"site": "\\u0000"}',
            '{"site": "sukadana"}'.encode("utf-16"),
        ],
        ids=["60,000 digits", "an exponent of 60,000 digits", "60,000 decimals", "NaN", "6,000 levels", "twice", "a mark", "0xff", "CESU",
             "a surrogate", "NUL", "UTF-16"],
    )  # fmt: skip
    def test_json_that_parsers_read_differently_or_slowly_is_refused_at_once(self, edge_process, connect, body):
        started = time.monotonic()
        answer = connect(edge_process).send(posted(body)).answer()
        assert answer.status in (400, 422)
        assert answer.code in ("json_malformed", "payload_invalid")
        assert time.monotonic() - started < 5

    def test_an_expectation_that_is_none_of_ours_changes_nothing(self, edge_process, connect):
        answer = connect(edge_process).send(REGENCIES % b"Expect: 200-ok\r\n").answer()
        assert answer.status == 200


class TestWhatIsBelieved:
    @pytest.mark.parametrize(
        "header",
        [
            b"X-Forwarded-Host: evil.example", b"Forwarded: host=evil.example", b"X-Host: evil.example", b"X-Original-URL: /metrics",
            b"X-Rewrite-URL: /metrics", b"X-HTTP-Method-Override: DELETE", b"X-Forwarded-Proto: javascript", b"Range: bytes=0-3",
        ],
    )  # fmt: skip
    def test_headers_of_other_servers_mean_nothing(self, edge_process, connect, header):
        plain, with_header = (connect(edge_process).send(REGENCIES % line).answer() for line in (b"", header + b"\r\n"))
        assert (with_header.status, with_header.body) == (plain.status, plain.body) == (200, plain.body)
        assert b"evil" not in b"".join(f"{k}: {v}".encode() for k, v in with_header.headers.items())

    def test_a_location_names_no_host(self, edge_process, connect):
        wish = b'{"site": "sukadana", "service": "CPL-KTP", "channel": "web"}'
        answer = connect(edge_process).send(posted(wish).replace(b"Host: mpp", b"Host: evil.example")).answer()
        assert answer.status == 201
        assert answer.headers["location"].startswith("/v1/lampung-timur/tickets/")

    def test_only_names_that_were_configured_are_answered(self, edge_with, connect):
        edge = edge_with(allowed_hosts=["antrean.example.go.id", "localhost"])
        for name, status in (
            (b"antrean.example.go.id", 200),
            (b"ANTREAN.example.go.id:8443", 200),
            (b"evil.example", 421),
            (b"antrean.example.go.id.evil", 421),
        ):
            answer = connect(edge).send((REGENCIES % b"").replace(b"Host: mpp", b"Host: " + name)).answer()
            assert answer.status == status, name
            assert b"evil" not in answer.body
        assert connect(edge).send(HEALTH).answer().status == 200, "who watches the process comes by its address"

    def test_nobody_but_a_trusted_proxy_says_from_where_somebody_comes(self, edge_with, connect):
        spoofed = [b"X-Forwarded-For: 198.51.100.%d\r\n" % number for number in range(4)]
        direct = edge_with(anonymous_rate="100/hour")
        left = [connect(direct).send(REGENCIES % line).answer().headers["ratelimit"].split(";")[1] for line in spoofed]
        assert left == ["r=99", "r=98", "r=97", "r=96"], "they count as one"
        trusting = edge_with(anonymous_rate="100/hour", trusted_proxies=1)
        left = [connect(trusting).send(REGENCIES % line).answer().headers["ratelimit"].split(";")[1] for line in spoofed]
        assert left == ["r=99"] * 4
        forged = [b"X-Forwarded-For: 203.0.113.%d, 198.51.100.9\r\n" % number for number in range(3)]
        left = [connect(trusting).send(REGENCIES % line).answer().headers["ratelimit"].split(";")[1] for line in forged]
        assert left == ["r=99", "r=98", "r=97"], "only the last entry is the proxy's"

    @pytest.mark.parametrize("target", [b"/%0d%0aSet-Cookie:%20a=b", b"/problems/%0d%0aX:y", b"/sign-in?next=//evil"])
    def test_no_answer_is_split_and_nobody_is_led_elsewhere(self, edge_process, connect, target):
        answer = connect(edge_process).send(b"GET %s HTTP/1.1\r\nHost: mpp\r\n\r\n" % target).answer()
        assert not {"set-cookie", "x"} & answer.headers.keys()
        assert "evil" not in answer.headers.get("location", "")

    @pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"BREW"])
    def test_other_methods_are_refused_with_those_there_are(self, edge_process, connect, method):
        answer = connect(edge_process).send(method + b" /v1/regencies HTTP/1.1\r\nHost: mpp\r\nCookie: secret=1\r\n\r\n").answer()
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert b"secret" not in answer.body
