"""HTTP on the wire: what is ambiguous is refused with a problem document and the connection closed."""

import json
import socket
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.integration

TICKETS = b"POST /v1/lampung-timur/tickets HTTP/1.1\r\nHost: mpp\r\nContent-Type: application/json\r\n"
WISH = json.dumps({"site": "sukadana", "service": "CPL-KTP", "channel": "web"}).encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: mpp\r\n\r\n"


def get(*headers, target=b"/healthz", version=b"HTTP/1.1", host=b"Host: mpp"):
    return b"\r\n".join([b"GET " + target + b" " + version, *([host] if host else []), *headers, b"", b""])


UNREADABLE = {
    "no HTTP at all": (b"hello\r\n\r\n", "header_invalid"),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", "header_invalid"),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", "header_invalid"),
    "HTTP/2.0": (get(version=b"HTTP/2.0"), "header_invalid"),
    "HTTP/1.10": (get(version=b"HTTP/1.10"), "header_invalid"),
    "a version that is none": (get(version=b"HTTP/x"), "header_invalid"),
    "a space in the target": (get(target=b"/a b"), "header_invalid"),
    "a tab in the request line": (b"GET\t/healthz\tHTTP/1.1\r\nHost: mpp\r\n\r\n", "header_invalid"),
    "raw UTF-8 in the target": (get(target="/é".encode()), "header_invalid"),
    "a control character in the target": (get(target=b"/\x01"), "header_invalid"),
    "a method of bytes": (b"G\xffT / HTTP/1.1\r\nHost: mpp\r\n\r\n", "header_invalid"),
    "a target of 9,000 bytes": (get(target=b"/" + b"x" * 9_000), "uri_too_long"),
    "a query of 9,000 bytes": (get(target=b"/v1/regencies?a=" + b"x" * 9_000), "uri_too_long"),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: mpp\n\n", "header_invalid"),
    "a bare line feed after the request line": (b"GET /healthz HTTP/1.1\nHost: mpp\r\n\r\n", "header_invalid"),
    "a bare line feed after a header": (b"GET /healthz HTTP/1.1\r\nHost: mpp\nX: 1\r\n\r\n", "header_invalid"),
    "headers that end with a bare line feed": (b"GET /healthz HTTP/1.1\r\nHost: mpp\r\n\n", "header_invalid"),
    "a host with a path": (get(host=b"Host: mpp/evil"), "header_invalid"),
    "a host with a user": (get(host=b"Host: me@mpp"), "header_invalid"),
    "a host that is code": (get(host=b"Host: <script>"), "header_invalid"),
    "a list of hosts": (get(host=b"Host: mpp, evil"), "header_invalid"),
    "a host with a port that is none": (get(host=b"Host: mpp:http"), "header_invalid"),
    "a coding in another case with a length": (get(b"Content-Length: 4", b"transfer-ENCODING: CHUNKED"), "header_invalid"),
    "a coding after a tab": (get(b"Transfer-Encoding:\tchunked, identity"), "header_invalid"),
    "a coding with a vertical tab": (get(b"Transfer-Encoding: \x0bchunked"), "header_invalid"),
    "a length in hexadecimal": (get(b"Content-Length: 0x10"), "header_invalid"),
    "many cookies": (get(*(b"X: 1",), b"Cookie: " + b"; ".join(b"c%d=1" % n for n in range(3_000))), "headers_too_large"),
    "a header of 9,000 bytes": (get(b"X: " + b"x" * 9_000), "headers_too_large"),
    "40 KB of headers": (get(*(b"X-%d: " % n + b"x" * 1_000 for n in range(40))), "headers_too_large"),
    "200 headers": (get(*(b"X-%d: 1" % n for n in range(200))), "headers_too_large"),
    "no host": (get(host=None), "header_invalid"),
    "two hosts": (get(b"Host: other"), "header_invalid"),
    "two tokens": (get(b"Authorization: a", b"Authorization: b"), "header_invalid"),
    "two cookies": (get(b"Cookie: a=b", b"Cookie: a=c"), "header_invalid"),
    "two origins": (get(b"Origin: https://a.example", b"Origin: https://b.example"), "header_invalid"),
    "a header without a colon": (get(b"Nonsense"), "header_invalid"),
    "a space before the colon": (get(b"Content-Length : 5"), "header_invalid"),
    "a folded header": (get(b"X: 1", b" 2"), "header_invalid"),
    "a header without a name": (get(b": x"), "header_invalid"),
    "NUL in a header": (get(b"X: a\x00b"), "header_invalid"),
    "a carriage return in a header": (get(b"X: a\rb"), "header_invalid"),
    "a length that is none": (get(b"Content-Length: five"), "header_invalid"),
    "a negative length": (get(b"Content-Length: -1"), "header_invalid"),
    "a signed length": (get(b"Content-Length: +1"), "header_invalid"),
    "a length with an underscore": (get(b"Content-Length: 1_0"), "header_invalid"),
    "two lengths": (get(b"Content-Length: 0", b"Content-Length: 0"), "header_invalid"),
    "a list of lengths": (get(b"Content-Length: 0, 0"), "header_invalid"),
    "a length of 30 digits": (get(b"Content-Length: " + b"9" * 30), "header_invalid"),
    "length and chunks": (get(b"Content-Length: 5", b"Transfer-Encoding: chunked"), "header_invalid"),
    "an unknown coding": (get(b"Transfer-Encoding: gzip, chunked"), "header_invalid"),
    "a disguised coding": (get(b"Transfer-Encoding: xchunked"), "header_invalid"),
    "two codings": (get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), "header_invalid"),
    "chunks in HTTP/1.0": (get(b"Transfer-Encoding: chunked", version=b"HTTP/1.0"), "header_invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "code"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_and_the_connection_closed(edge_process, connect, raw, code):
    connection = connect(edge_process)
    answer = connection.send(raw).answer()
    assert answer.code == code
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    assert connection.is_closed()


def test_what_cannot_be_read_is_refused_in_the_callers_language(edge_process, connect):
    english = connect(edge_process).send(get(b"Accept-Language: en", b"Content-Length: x")).answer()
    indonesian = connect(edge_process).send(get(b"Content-Length: x")).answer()
    assert (english.headers["content-language"], indonesian.headers["content-language"]) == ("en", "id")
    assert english.json["title"] != indonesian.json["title"]
    assert english.json["header"] == "Content-Length"


@pytest.mark.parametrize("target", [b"//v1/regencies", b"/v1/../metrics", b"*", b"http://mpp/healthz", b"mpp:80", b"/%00", b"/%ff", b"/%"])
def test_a_target_that_is_no_path_of_ours_is_unknown(edge_process, connect, target):
    assert connect(edge_process).send(get(target=target)).answer().code == "path_unknown"


def test_a_connection_serves_many_requests_in_order(edge_process, connect):
    connection = connect(edge_process).send(HEALTH + get(target=b"/nothing") + HEALTH)
    assert [connection.answer().status for _ in range(3)] == [200, 404, 200]


def test_the_rest_of_a_refused_request_is_not_taken_for_the_next(edge_process, connect):
    body = b"GET /metrics HTTP/1.1\r\nHost: mpp\r\n\r\n"
    refused = b"POST /nothing HTTP/1.1\r\nHost: mpp\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = connect(edge_process).send(refused + body + HEALTH)
    assert connection.answer().code == "path_unknown"
    assert connection.answer().json == {"status": "alive"}


def test_head_sends_no_body(edge_process, connect):
    connection = connect(edge_process).send(b"HEAD /v1/regencies HTTP/1.1\r\nHost: mpp\r\n\r\n" + HEALTH)
    assert int(connection.answer("HEAD").headers["content-length"]) > 0
    assert connection.answer().json == {"status": "alive"}


def test_http_1_0_is_answered_and_closed(edge_process, connect):
    connection = connect(edge_process).send(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert connection.answer().status == 200
    assert connection.is_closed()


class TestBodies:
    def test_a_body_in_chunks(self, edge_process, connect):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (WISH[:7], WISH[7:8], WISH[8:]))
        raw = TICKETS + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"
        connection = connect(edge_process).send(raw + HEALTH)
        assert connection.answer().status == 201
        assert connection.answer().status == 200

    @pytest.mark.parametrize(
        "chunks",
        [
            b"x\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"1_0\r\n", b"\r\n", b"ffffffffff\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n",
            b"2\n{}\r\n0\r\n\r\n", b"2\r\n{}\n0\r\n\r\n", b"2;\nxx\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\n\n", b"2 \r{}\r\n0\r\n\r\n",
            b"5;" + b"x" * 500 + b"\r\nhello\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\n" + b"T: x\r\n" * 100 + b"\r\n",
        ],
    )  # fmt: skip
    def test_broken_chunks_are_refused_and_the_connection_closed(self, edge_process, connect, chunks):
        connection = connect(edge_process).send(TICKETS + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        assert connection.answer().code == "json_malformed"
        assert connection.is_closed()

    def test_chunks_beyond_the_limit_are_refused_while_reading(self, edge_process, connect):
        connection = connect(edge_process).send(TICKETS + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        connection.send(chunk * 5)
        assert connection.answer().code == "body_too_large"
        assert connection.is_closed()

    def test_a_body_announced_as_too_large_is_refused_before_it_comes(self, edge_process, connect):
        connection = connect(edge_process).send(TICKETS + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        assert connection.answer().code == "body_too_large"
        assert connection.is_closed()

    def test_a_caller_who_asks_before_sending_is_told_to_go_on(self, edge_process, connect):
        connection = connect(edge_process).send(TICKETS + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(WISH))
        assert connection.reader.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.send(WISH).answer().status == 201

    @pytest.mark.parametrize("size", [65_537, 2_000_000, 8_000_000])
    def test_a_client_that_sends_it_all_still_gets_the_answer(self, edge_process, size):
        url = f"http://127.0.0.1:{edge_process.port}/v1/lampung-timur/tickets"
        response = requests.post(url, data=b" " * size, headers={"Content-Type": "application/json"}, timeout=20)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")

    def test_large_bodies_are_not_held_in_memory(self, edge_process, connect):
        connections = [connect(edge_process) for _ in range(40)]
        before = peak_memory(edge_process)
        for connection in connections:
            connection.send(TICKETS + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        assert {connection.answer().code for connection in connections} == {"body_too_large"}
        assert peak_memory(edge_process) - before < 30_000_000

    def test_a_body_that_stops_half_way_is_malformed(self, edge_process, connect):
        connection = connect(edge_process).send(TICKETS + b"Content-Length: 500\r\n\r\n{")
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.answer().code == "json_malformed"

    def test_a_hundred_thousand_brackets(self, edge_process):
        url = f"http://127.0.0.1:{edge_process.port}/v1/lampung-timur/tickets"
        for count, code in ((30_000, "json_malformed"), (100_000, "body_too_large")):
            response = requests.post(url, data=b"[" * count, headers={"Content-Type": "application/json"}, timeout=20)
            assert response.json()["code"] == code


class TestSlowClients:
    def test_headers_that_trickle_end_the_connection(self, edge_process, connect):
        connection = connect(edge_process).send(b"GET /healthz HTTP/1.1\r\n")
        assert connection.is_closed()

    def test_a_body_that_trickles_is_given_up(self, edge_process, connect):
        connection = connect(edge_process).send(TICKETS + b"Content-Length: 500\r\n\r\n{")
        assert connection.answer().code == "json_malformed"
        assert connection.is_closed()

    def test_an_idle_connection_may_stay(self, edge_process, connect):
        idle, busy = connect(edge_process), connect(edge_process)
        assert busy.send(b"GET /healthz HTTP/1.1\r\n").is_closed()  # longer than the patience with headers
        assert idle.send(HEALTH).answer().status == 200


def peak_memory(edge):
    """Return the greatest resident size so far, in bytes."""
    [line] = [line for line in Path(f"/proc/{edge.process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
